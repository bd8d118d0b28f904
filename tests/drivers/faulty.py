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

from confidence_engine.config import Config, load
from confidence_engine.domain import event as ev
from confidence_engine.domain.decision import GATE_DEGRADED
from confidence_engine.domain.document import Document
from confidence_engine.domain.order import WHY_ENTRY
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, parse_time
from confidence_engine.drivers import replay
from confidence_engine.drivers.feed import deliveries
from confidence_engine.drivers.sources import Sources, gather
from confidence_engine.feeds import faults, health
from confidence_engine.feeds.assemble import Piece, Tape, Window, assemble
from confidence_engine.feeds.delivery import Moment
from confidence_engine.feeds.ingress import Ingress
from confidence_engine.feeds.store import Store
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
    for steady, items in moments:
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
def gathered(days: int = 6) -> tuple[Config, Sources, Window]:
    """The small world's config, sources and window of so many decided days."""
    config = load(simulated.home() / "config/simulated.toml")
    start = parse_time(simulated.START)
    end = start + days * DAY_NS
    return config, gather(config, Store(simulated.home()), start, end), replay.window_of(config, start, end)


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
def lived(name: str, params: health.Params = health.Params(), days: int = 6) -> Lived:  # noqa: B008
    """The case of CASES, lived once."""
    config, sources, window = gathered(days)
    moments, truth = faults.spoil(deliveries(sources, config.timing, window), CASES[name], 1)
    ingress = Ingress(sources.instruments, config.agent.interval_ns, config.timing, params)
    tape = tape_of(config, sources, *heard(ingress, moments), window)
    return Lived(tape, replay.play(config, sources.instruments, tape.events), truth)


def told(tape: Tape) -> Counter[str]:
    """FEED events by name."""
    mine = tape.events[tape.events["kind"] == ev.FEED]
    return Counter(ev.FEED_NAMES[int(code)] for code in mine["x0"])


def _row(name: str) -> str:
    """One line of the table: what was done, what was said, what it cost."""
    one = lived(name, days=16)
    rows, gates = one.result.entries, one.result.decisions["gates"]
    done = ", ".join(f"{n} {what}" for what, n in sorted(Counter(fault.name for fault in one.truth).items()))
    said = ", ".join(f"{n} {what}" for what, n in sorted(told(one.tape).items()))
    only = int((gates == 1 << GATE_DEGRADED).sum())
    entries, exits = int((rows["why"] == WHY_ENTRY).sum()), int((rows["why"] > WHY_ENTRY).sum())
    degraded = one.result.refusals["DEGRADED"]
    return f"| {name} | {done or '-'} | {said or '-'} | {degraded:,} | {only} | {entries} | {exits} |"


if __name__ == "__main__":
    for case in sys.argv[1:] or CASES:
        print(_row(case))
