"""A new epoch: other parameters, other instruments or another program, with all that is held kept.

The beliefs are learnt anew from what the agent itself heard during the warm-up window, as far as its journal still has
it, as BACKFILL, on which nothing is decided; of the time before an asset came in it is taught by the rows of the feed,
and by what the journaled documents said of it. Then the facts are carried over, and the state is sealed: with it the
epoch begins. Numbers that a config gives (underlyings, calendars) are those of the epoch that an event was heard in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from confidence_engine.domain.document import UNKNOWN_PUBLISHER
from confidence_engine.domain.errors import UsageError
from confidence_engine.domain.event import BACKFILL, COMMAND, EVENT, SESSION, SIGNAL, signal_events
from confidence_engine.domain.instrument import Instrument, calendars_of
from confidence_engine.drivers.agent import Agent, Cast
from confidence_engine.drivers.carry import carry, occupied
from confidence_engine.drivers.epochs import Epoch, epochs_of
from confidence_engine.drivers.replay import told_about
from confidence_engine.drivers.scribe import params_told, upgrade
from confidence_engine.drivers.shadow import SAID
from confidence_engine.drivers.sources import Sources
from confidence_engine.feeds.assemble import Piece, Window, bar_piece, corporate_piece, funding_piece, session_piece
from confidence_engine.feeds.merge import merge
from confidence_engine.journal import kinds
from confidence_engine.journal.cut import segment_of
from confidence_engine.journal.reader import Reader
from confidence_engine.journal.retired import last_retired

__all__ = ["instruments_of", "refuse_changed", "renewed"]

_READING: Final = ("polarity", "certainty", "novelty", "relevance", "cluster")
_MEASURES: Final = ("tick", "lot", "multiplier")


def instruments_of(held: tuple[Instrument, ...], wanted: tuple[Instrument, ...]) -> tuple[Instrument, ...]:
    """What the next epoch knows by id: what there was stays where it was, as it is told now; what is new follows."""
    told = {one.key: one for one in wanted}
    old = {one.key for one in held}
    return (*(told.get(one.key, one) for one in held), *(one for one in wanted if one.key not in old))


def refuse_changed(agent: Agent, wanted: tuple[Instrument, ...]) -> None:
    """Raise UsageError where something is held or works that would be measured otherwise from now on."""
    for k, (one, now) in enumerate(zip(agent.cast.instruments, wanted, strict=False)):
        told = [f"{name} {getattr(now, name):g}, it was {getattr(one, name):g}" for name in _MEASURES
                if getattr(now, name) != getattr(one, name)]  # fmt: skip
        if told and occupied(agent.state, agent.venue, k):
            what = f"{one.key} has {' and '.join(told)}, and something is held or works in it that is counted in these"
            why = "flatten it with the universe as it was, then change it"
            raise UsageError(f"{agent.journal.place.folder}: {what}; {why}")


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
    reader, now_ns = Reader(old.journal.place, old.journal.disk), max(old.now_ns, 0)
    try:
        epochs = epochs_of(reader)
        events = [_heard(reader, epochs, new.cast)]
        for piece in (*_stories(reader, epochs, new.cast, now_ns), *_rows_from_before(new, epochs, sources, now_ns)):
            part, streams = new.intake.numbered(piece)
            events.append(part)
            for number, name in streams:
                told = {"id": number, "name": name}
                new.journal.put(kinds.STREAM, new.journal.next_event - 1, now_ns, payload=told)
    finally:
        reader.close()
    for one in new.cast.instruments[len(old.cast.instruments) :]:
        if one.key in sources.bars:
            rows = sources.bars[one.key]
            new.intake.prime(one.key, rows[rows["close_ns"] + new.cast.config.timing.bar_latency_ns <= now_ns])
    both = merge(events)
    both["marks"] |= np.uint16(BACKFILL)
    new.learn(both)


def _joined(epochs: Sequence[Epoch], names: Callable[[Epoch], Iterable[str]]) -> dict[str, int]:
    """When each of the names came in; what it was before is not among the events of the journal. 0: with the first."""
    found: dict[str, int] = {}
    for k, epoch in enumerate(epochs):
        for name in names(epoch):
            found.setdefault(name, epoch.window.start_ns if k > 0 else 0)
    return found


def _rows_from_before(new: Agent, epochs: Sequence[Epoch], sources: Sources, now_ns: int) -> Iterator[Piece]:
    """What the feed has of the window about instruments and calendars from before they came in."""
    clock, step, load_ns = new.cast.config.timing, new.cast.config.agent.interval_ns, new.cast.window.load_ns
    held = _joined(epochs, lambda epoch: calendars_of(epoch.instruments))
    for k, name in enumerate(calendars_of(new.cast.instruments), 1):
        until_ns = held.get(name, now_ns)
        if until_ns > load_ns:
            yield session_piece(sources.sessions[name], name, k, Window(load_ns, until_ns, until_ns + 1))
    held = _joined(epochs, lambda epoch: [one.key for one in epoch.instruments])
    for k, one in enumerate(new.cast.instruments):
        until_ns = held.get(one.key, now_ns)
        if until_ns <= load_ns or one.key not in sources.bars:
            continue
        taught = Window(load_ns, until_ns, until_ns + 1)
        yield bar_piece(sources.bars[one.key], k, one.venue, step, clock.bar_latency_ns, taught)
        if one.key in sources.corporate:
            yield corporate_piece(sources.corporate[one.key], k, one.venue, sources.sessions[one.calendar], taught)
        if one.key in sources.funding:
            yield funding_piece(sources.funding[one.key], k, one.venue, clock.funding_latency_ns, taught)


def _stories(reader: Reader, epochs: Sequence[Epoch], cast: Cast, now_ns: int) -> Iterator[Piece]:
    """What documents of the window said of what was not traded then: no event was made of it, but it is on record."""
    held, load_ns = _joined(epochs, lambda epoch: epoch.params["told"]), cast.window.load_ns
    names = told_about(cast.instruments, cast.config.universe.underlyings)
    fresh = {name: (k, held.get(name, now_ns)) for k, name in enumerate(names) if held.get(name, now_ns) > load_ns}
    told: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for record in reader.records(kinds.DOCUMENT, first=_since(reader, load_ns)[1]) if fresh else ():
        payload = msgspec.json.decode(record.payload or b"")
        for said in payload["heard"] if record.ts_ns >= load_ns else ():
            number, until_ns = fresh.get(said["underlying"], (0, -1))
            if record.ts_ns <= until_ns:
                at = payload["document"]["published_ns"], record.ts_ns, number
                told[said.get("house", UNKNOWN_PUBLISHER)].append((*at, *(said[name] for name in _READING)))
    for house, rows in sorted(told.items()):
        published, known, about, *reading = zip(*rows, strict=True)
        times = np.array(published, np.int64), np.array(known, np.int64)
        columns: Any = tuple(np.array(one, np.float64) for one in reading)
        events = signal_events(*times, np.array(about, np.uint16), np.zeros(len(rows), np.uint16), columns)
        yield Piece(f"news:{house}", events)


def _heard(reader: Reader, epochs: Sequence[Epoch], cast: Cast) -> np.ndarray:
    """Stored events of the window, whoever wrote them; underlyings and calendars by the numbers they have now."""
    load_ns, parts = cast.window.load_ns, [np.zeros(0, EVENT)]
    first = _since(reader, load_ns)[0]
    for epoch in epochs:
        end = None if epoch.end is None else epoch.end[0]
        if end is not None and end <= first:
            continue
        tables = _tables(epoch, cast)
        for some in reader.events(max(first, epoch.event), end):
            kept = some[(some["ts_known"] >= load_ns) & ~np.isin(some["kind"], (*SAID, COMMAND))]
            parts.append(_renumbered(kept, tables))
    return np.concatenate(parts)


def _tables(epoch: Epoch, cast: Cast) -> dict[int, np.ndarray]:
    """Kind -> the number of now for each number of an epoch, -1 for what is not there any more."""

    def places(before: Sequence[str], now: Sequence[str]) -> np.ndarray:
        return np.array([now.index(name) if name in now else -1 for name in before], np.int64)

    names = told_about(cast.instruments, cast.config.universe.underlyings)
    calendars = ["", *calendars_of(epoch.instruments)], ["", *calendars_of(cast.instruments)]
    return {SIGNAL: places(epoch.params["told"], names), SESSION: places(*calendars)}


def _renumbered(events: np.ndarray, tables: Mapping[int, np.ndarray]) -> np.ndarray:
    """A copy without what has no number now."""
    events, gone = events.copy(), np.zeros(len(events), bool)
    for kind, table in tables.items():
        at = np.flatnonzero(events["kind"] == kind)
        now = table[events["asset"][at]]
        events["asset"][at] = np.maximum(now, 0)
        gone[at[now < 0]] = True
    return events[~gone]


def _since(reader: Reader, ns: int) -> tuple[int, int]:
    """(event, record) from which on all is that became known since a time and is not retired.

    A segment bears its UTC day and holds nothing that became known later, so the days before are not read.
    """
    held, day = last_retired(reader), segment_of(max(ns, 0))
    low, high = 0 if held is None else held.through_block + 1, reader.last().number + 1
    while low < high:
        middle = (low + high) // 2
        block = reader.last_with_events(middle)
        if block is None or block.segment < day:
            low = middle + 1
        else:
            high = middle
    block = reader.last_with_events(low - 1)
    event, record = (0, 0) if block is None else (block.end_event, block.end_record)
    return event, record if held is None else max(record, held.end_record)
