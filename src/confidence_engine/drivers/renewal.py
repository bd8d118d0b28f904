"""A new epoch: other parameters, other instruments or another program, with all that is held kept.

The beliefs are learnt anew from what the agent itself heard during the warm-up window, taken from its journal as
BACKFILL, on which nothing is decided; an asset that it did not trade before is taught by the rows of the feed, and by
what the journaled documents said of it. Then the facts are carried over, and the state is sealed: with it the epoch
begins.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
import numpy as np

from confidence_engine.domain.document import UNKNOWN_PUBLISHER
from confidence_engine.domain.event import BACKFILL, COMMAND, EVENT, SIGNAL, signal_events
from confidence_engine.domain.instrument import Instrument
from confidence_engine.drivers.agent import Agent, Cast
from confidence_engine.drivers.carry import carry
from confidence_engine.drivers.replay import told_about
from confidence_engine.drivers.scribe import params_told, upgrade
from confidence_engine.drivers.shadow import SAID
from confidence_engine.drivers.sources import Sources
from confidence_engine.feeds.assemble import Piece, Window, bar_piece, funding_piece
from confidence_engine.feeds.merge import merge
from confidence_engine.journal import kinds
from confidence_engine.journal.reader import Reader

__all__ = ["instruments_of", "renewed"]

_READING: Final = ("polarity", "certainty", "novelty", "relevance", "cluster")


def instruments_of(held: tuple[Instrument, ...], wanted: tuple[Instrument, ...]) -> tuple[Instrument, ...]:
    """What the next epoch knows by id: what there was stays where it was, as it is told now; what is new follows."""
    told = {one.key: one for one in wanted}
    old = {one.key for one in held}
    return (*(told.get(one.key, one) for one in held), *(one for one in wanted if one.key not in old))


def renewed(agent: Agent, cast: Cast, sources: Sources, feed: Mapping[str, Any]) -> Agent:
    """The agent in its next epoch. `cast.window` is from when it learns anew; its journal goes on.

    Raises JournalDamaged where the journal cannot take the change, JournalUnwritable.
    """
    journal = agent.journal
    journal.commit()
    upgrade(journal)
    now = max(agent.now_ns, 0)
    epoch = journal.put(
        kinds.PARAMS, journal.next_event - 1, now, payload=params_told(cast.config, cast.instruments, cast.window, feed)
    )
    for k, one in enumerate(cast.instruments):
        told = {"asset": k} | msgspec.to_builtins(one)
        journal.put(kinds.INSTRUMENT, journal.next_event - 1, now, payload=told)
    journal.commit()
    new = Agent(cast, journal, epoch)
    new.intake.remember(agent.intake.memory())
    new.take_over(agent)
    _learn(new, agent, sources)
    old_names = told_about(agent.cast.instruments, agent.cast.config.universe.underlyings)
    new_names = told_about(cast.instruments, cast.config.universe.underlyings)
    stories = {u: new_names.index(name) for u, name in enumerate(old_names) if name in new_names}
    carry(agent.state, agent.venue, new.state, new.venue, stories, journal.next_event)
    traded = {one.key for one in cast.config.instruments()}
    new.state.asset["active"][: len(cast.instruments)] = [one.key in traded for one in cast.instruments]
    new.seal("an epoch began")
    return new


def _learn(new: Agent, old: Agent, sources: Sources) -> None:
    """Step the events of the warm-up window without deciding; nothing of it is written, as nothing of it is new."""
    window, now_ns = new.cast.window, old.now_ns
    events = [_heard(old, new.cast, window)]
    clock, step = new.cast.config.timing, new.cast.config.agent.interval_ns
    taught = Window(window.load_ns, now_ns, now_ns + 1)
    pieces = list(_stories(old, new.cast, window))
    for k, one in enumerate(new.cast.instruments):
        if k < len(old.cast.instruments) or one.key not in sources.bars:
            continue
        rows = sources.bars[one.key]
        pieces.append(bar_piece(rows, k, one.venue, step, clock.bar_latency_ns, taught))
        new.intake.prime(one.key, rows[rows["close_ns"] + clock.bar_latency_ns <= now_ns])
        if one.key in sources.funding:
            pieces.append(funding_piece(sources.funding[one.key], k, one.venue, clock.funding_latency_ns, taught))
    for piece in pieces:
        part, streams = new.intake.numbered(piece)
        events.append(part)
        for number, name in streams:
            told = {"id": number, "name": name}
            new.journal.put(kinds.STREAM, new.journal.next_event - 1, max(now_ns, 0), payload=told)
    both = merge(events)
    both["marks"] |= np.uint16(BACKFILL)
    new.learn(both)


def _stories(old: Agent, cast: Cast, window: Window) -> Iterator[Piece]:
    """What documents of the window said of what was not traded then: no event was made of it, but it is on record."""
    before = told_about(old.cast.instruments, old.cast.config.universe.underlyings)
    names = told_about(cast.instruments, cast.config.universe.underlyings)
    fresh = {name: k for k, name in enumerate(names) if name not in before}
    told: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    reader = Reader(old.journal.place, old.journal.disk)
    try:
        for record in reader.records(kinds.DOCUMENT) if fresh else ():
            payload = msgspec.json.decode(record.payload or b"")
            for said in payload["heard"] if record.ts_ns >= window.load_ns else ():
                if said["underlying"] in fresh:
                    at = payload["document"]["published_ns"], record.ts_ns, fresh[said["underlying"]]
                    told[said.get("house", UNKNOWN_PUBLISHER)].append((*at, *(said[name] for name in _READING)))
    finally:
        reader.close()
    for house, rows in sorted(told.items()):
        published, known, about, *reading = zip(*rows, strict=True)
        times = np.array(published, np.int64), np.array(known, np.int64)
        columns: Any = tuple(np.array(one, np.float64) for one in reading)
        events = signal_events(*times, np.array(about, np.uint16), np.zeros(len(rows), np.uint16), columns)
        yield Piece(f"news:{house}", events)


def _heard(old: Agent, cast: Cast, window: Window) -> np.ndarray:
    """Stored events of the window, whoever wrote them; underlyings by the numbers they have now."""
    reader, parts = Reader(old.journal.place, old.journal.disk), [np.zeros(0, EVENT)]
    names = told_about(cast.instruments, cast.config.universe.underlyings)
    before = told_about(old.cast.instruments, old.cast.config.universe.underlyings)
    number = np.array([names.index(name) if name in names else -1 for name in before], np.int64)
    try:
        for some in reader.events():
            kept = some[(some["ts_known"] >= window.load_ns) & ~np.isin(some["kind"], (*SAID, COMMAND))].copy()
            told = kept["kind"] == SIGNAL
            at = number[kept["asset"][told]]
            kept["asset"][told] = np.maximum(at, 0)
            gone = np.zeros(len(kept), bool)
            gone[np.flatnonzero(told)[at < 0]] = True
            parts.append(kept[~gone])
    finally:
        reader.close()
    return np.concatenate(parts)
