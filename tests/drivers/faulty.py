"""The small world lived through a feed with faults: ingress, kernel and simulated venue, as a live run has them.

Run as a program it prints the table of docs/faults.md:

    python -m tests.drivers.faulty
"""

from __future__ import annotations

import functools
import sys
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import msgspec
import numpy as np
from tests import simulated

from confidence_engine.config import Config
from confidence_engine.domain import event as ev
from confidence_engine.domain.document import Document
from confidence_engine.domain.units import HOUR_NS, MINUTE_NS
from confidence_engine.drivers import replay
from confidence_engine.drivers.feed import deliveries
from confidence_engine.drivers.sources import Sources
from confidence_engine.feeds import faults, health
from confidence_engine.feeds.assemble import Piece, Tape, Window, assemble
from confidence_engine.feeds.delivery import Moment
from confidence_engine.feeds.ingress import Ingress
from confidence_engine.text.cues import CueReader

__all__ = ["CASES", "Lived", "gathered", "heard", "lived", "tape_of", "told"]

CASES = {
    "none": faults.Params(),
    "silent, all comes at once": faults.Params(silent_a_day=0.4, silent_ns=50 * MINUTE_NS, lost=0.0),
    "silent, what was missed is lost": faults.Params(silent_a_day=0.4, silent_ns=50 * MINUTE_NS, lost=1.0),
    "the feed dies and returns": faults.Params(deaths_a_day=0.4, death_ns=2 * HOUR_NS),
    "late bars": faults.Params(late=0.01, late_ns=12 * MINUTE_NS),
    "revised bars": faults.Params(revised=0.01),
    "duplicated bars": faults.Params(duplicate=0.01),
    "out of order": faults.Params(out_of_order=0.01),
    "broken bars": faults.Params(broken=0.01),
    "contradictory documents": faults.Params(contradiction=0.2),
    "clock jumps": faults.Params(clock_jumps_a_day=1.0),
}
"""One kind of fault each, over the same world."""


class Lived(NamedTuple):
    """A run through a feed with faults."""

    tape: Tape
    result: replay.Result
    truth: list[faults.Fault]


def heard(ingress: Ingress, moments: Iterable[Moment]) -> tuple[list[Piece], list[Document]]:
    """What ingress made of the moments, woken when something is due; documents as they were first seen."""
    pieces: list[Piece] = []
    documents: list[Document] = []
    last = 0
    for steady, items, _ in moments:
        if not items:
            continue
        known = max(items[-1].at_ns, last)
        while (due := ingress.due()) is not None and due <= known:
            pieces += ingress.watch(max(due, last))
            last = max(due, last)
        pieces += (new := ingress.take(items, known, steady))
        last = max([known, *(int(piece.events["ts_known"].max()) for piece in new)])
        seen = [document for one in items for document in one.documents]
        documents += [
            msgspec.structs.replace(one, first_seen_ns=at, fetched_ns=at)
            for one in seen
            for at in [max(last, one.published_ns)]
        ]
    return pieces, documents


@functools.cache
def gathered() -> tuple[Config, Sources, Window]:
    """The small world's config, sources and window."""
    played = simulated.played()
    return played.config, played.sources, played.window


def tape_of(config: Config, sources: Sources, pieces: list[Piece], documents: list[Document], window: Window) -> Tape:
    """One tape of what ingress said and what was read."""
    streams: dict[str, list[np.ndarray]] = {}
    for piece in pieces:
        streams.setdefault(piece.stream, []).append(piece.events)
    whole = [Piece(name, np.concatenate(parts)) for name, parts in streams.items()]
    found = sources._replace(documents=documents)
    readings = replay.read(config, found, CueReader())
    about = replay.told_about(sources.instruments, config.universe.underlyings)
    signals = replay.signals(config, found, readings)
    return assemble(whole, signals, readings.publishers, window, config.timing, len(sources.instruments), len(about),
                    ev.SYNTHETIC)  # fmt: skip


@functools.cache
def lived(name: str, params: health.Params = health.Params(), seed: int = 1, heed: bool = True) -> Lived:  # noqa: B008
    """The case of CASES, lived once."""
    config, sources, window = gathered()
    moments, truth = faults.spoil(deliveries(sources, config.timing, window), CASES[name], seed)
    ingress = Ingress(sources.instruments, config.agent.interval_ns, config.timing, params)
    tape = tape_of(config, sources, *heard(ingress, moments), window)
    kernel = config.kernel._replace(feed=config.kernel.feed._replace(heed=heed))
    return Lived(tape, replay.play(config, sources.instruments, tape.events, params=kernel), truth)


def told(tape: Tape) -> Counter[str]:
    """FEED events by name."""
    mine = tape.events[tape.events["kind"] == ev.FEED]
    return Counter(ev.FEED_NAMES[int(code)] for code in mine["x0"])


def _row(name: str) -> str:
    one = lived(name)
    done = Counter(fault.name for fault in one.truth)
    entries = int((one.result.entries["why"] == 1).sum()) if "why" in (one.result.entries.dtype.names or ()) else 0
    said = ", ".join(f"{n} {what}" for what, n in sorted(told(one.tape).items())) or "none"
    refused = one.result.refusals["DEGRADED"]
    caused = ", ".join(f"{n} {what}" for what, n in sorted(done.items())) or "none"
    return f"| {name} | {caused} | {said} | {refused} | {len(one.result.entries)} | {entries} |"


if __name__ == "__main__":
    for case in sys.argv[1:] or CASES:
        print(_row(case))
