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
from tests.drivers.tape import World, world

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
from confidence_engine.feeds.merge import merge
from confidence_engine.feeds.store import Store
from confidence_engine.text.cues import CueReader

__all__ = ["CASES", "STOPS", "Lived", "gathered", "heard", "ill", "injected", "lived", "tape_of", "told"]

CASES = {
    "none": faults.Params(),
    "silent, all comes at once": faults.Params(silent_a_day=0.4, silent_ns=50 * MINUTE_NS, lost_share=0.0),
    "silent, what was missed is lost": faults.Params(silent_a_day=0.4, silent_ns=50 * MINUTE_NS, lost_share=1.0),
    "the feed dies and returns": faults.Params(deaths_a_day=0.4, death_ns=2 * HOUR_NS),
    "late bars": faults.Params(late_share=0.01, late_by_ns=12 * MINUTE_NS),
    "revised bars": faults.Params(revised_share=0.01),
    "duplicated bars": faults.Params(duplicate_share=0.01),
    "out of order": faults.Params(out_of_order_share=0.01),
    "broken bars": faults.Params(broken_share=0.01),
    "contradictory documents": faults.Params(contradiction_share=0.2),
    "clock jumps": faults.Params(clock_jumps_a_day=1.0),
}
"""One kind of fault each, over the same world."""


STOPS = (ev.FEED_STALE, ev.FEED_GAP, ev.FEED_CLOCK)
"""What makes a feed ill until it is BACK."""


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


def injected(seed: int, bars: int = 120) -> World:
    """A random world of `tests.drivers.tape` whose feeds say all they can, at random."""
    w = world(seed, bars=bars)
    rng = np.random.default_rng(seed + 1000)
    first, last = int(w.events["ts_known"][0]), int(w.events["ts_known"][-1])
    said = []
    for at in rng.integers(first, last, 60).tolist():
        what = int(rng.choice([*STOPS, ev.FEED_BACK, ev.FEED_BACK, ev.FEED_BACK, ev.FEED_DUPLICATE, ev.FEED_LATE]))
        of, asset = (0, ev.NO_ASSET) if what == ev.FEED_CLOCK or rng.random() < 0.3 else (ev.BAR, int(rng.integers(3)))
        said.append(ev.feed_event(at, at, what, asset, 9, 1.0, of))
    return w._replace(events=merge([w.events, *said]))


def ill(events: np.ndarray, at_ns: np.ndarray, assets: np.ndarray) -> np.ndarray:
    """Whether a feed about an asset was ill at a time, told from the events alone."""
    feeds = events[events["kind"] == ev.FEED]
    found = np.zeros(len(at_ns), bool)
    for k, (at, asset) in enumerate(zip(at_ns.tolist(), assets.tolist(), strict=True)):
        bits: set[tuple[int, float]] = set()
        for e in feeds[(feeds["ts_known"] <= at) & np.isin(feeds["asset"], (asset, ev.NO_ASSET))]:
            name = (int(e["asset"]), float(e["x2"]))
            if e["x0"] in STOPS:
                bits.add(name)
            elif e["x0"] == ev.FEED_BACK:
                bits.discard(name)
        found[k] = bool(bits)
    return found


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
    out = rows[rows["why"] > WHY_ENTRY]
    exits = f"{int((rows['why'] == WHY_ENTRY).sum())} | {len(out)}"
    during = int(ill(one.tape.events, out["ts_known"], out["asset"]).sum())
    degraded = one.result.refusals["DEGRADED"]
    return f"| {name} | {done or '-'} | {said or '-'} | {degraded:,} | {only} | {exits} | {during} |"


if __name__ == "__main__":
    for case in sys.argv[1:] or CASES:
        print(_row(case))
