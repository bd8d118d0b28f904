"""What a run writes into its journal: who it is, every event in the order stepped, and every row that came of them.

The journal begins with all that is needed to run it again: parameters, instruments, streams, what can be talked about.
A document stands at the event before which it became known, with what the text stage made of it, accepted or not.
"""

from __future__ import annotations

import platform
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec
import numba
import numpy as np

from confidence_engine.config import Config
from confidence_engine.domain.decision import DECISION
from confidence_engine.domain.document import known_at
from confidence_engine.domain.errors import JournalDamaged
from confidence_engine.domain.event import EVENT_SCHEMA
from confidence_engine.domain.instrument import Instrument
from confidence_engine.domain.order import INTENT
from confidence_engine.domain.record import ENTRY, EQUITY, LESSON, MARKED
from confidence_engine.domain.units import format_time
from confidence_engine.drivers.replay import Result, told_about
from confidence_engine.drivers.revision import code_revision
from confidence_engine.drivers.snapshot import snapshot
from confidence_engine.drivers.sources import Sources
from confidence_engine.drivers.stretch import stretch_of
from confidence_engine.feeds.assemble import Streams, Window
from confidence_engine.journal import kinds
from confidence_engine.journal.epoch import Program
from confidence_engine.journal.log import Journal, create
from confidence_engine.journal.reader import Genesis, Place, Reader
from confidence_engine.journal.retire import seal
from confidence_engine.kernel.out import Out
from confidence_engine.kernel.state import STATE_SCHEMA
from confidence_engine.text.reading import Readings, Verdict

__all__ = ["LAYOUTS", "Scribe", "begin", "params_told", "program", "told_of", "upgrade"]

LAYOUTS: Final[dict[str, np.dtype[Any]]] = {
    "DECISION": DECISION, "INTENT": INTENT, "ENTRY": ENTRY, "EQUITY": EQUITY, "MARKED": MARKED, "LESSON": LESSON,
}  # fmt: skip


def begin(
    place: Place, config: Config, instruments: tuple[Instrument, ...], streams: Streams, window: Window, run: str,
    synthetic: bool, *, feed: Mapping[str, Any] | None = None, clock: Callable[[], int] = time.time_ns, **options: Any,
) -> Journal:  # fmt: skip
    """A new journal with its first entries; `run` is "agent" or "replay", `feed` what it will hear, `options` go to
    `journal.log.create`.
    """
    mine = program()
    genesis = Genesis(
        str(uuid.uuid4()), place.name, config.agent.name, run, format_time(clock()), mine.event_schema,
        mine.state_schema, mine.code_revision, mine.layouts, synthetic, mine.versions,
    )  # fmt: skip
    params = params_told(config, instruments, window, feed)
    entries: list[tuple[int, Any]] = [(kinds.PARAMS, params)]
    entries += [(kinds.INSTRUMENT, {"asset": i} | msgspec.to_builtins(one)) for i, one in enumerate(instruments)]
    entries += [(kinds.STREAM, {"id": k, "name": name}) for k, name in enumerate(streams.names)]
    return create(place, genesis, entries, clock=clock, **options)


def params_told(
    config: Config, instruments: tuple[Instrument, ...], window: Window, feed: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Payload of a PARAMS record: with it an epoch begins."""
    return {
        "hash": config.hash, "config": config.tree(), "told": told_about(instruments, config.universe.underlyings),
        "start_ns": window.start_ns, "start": format_time(window.start_ns), "load_ns": window.load_ns,
        "feed": dict(feed or {}),
    }  # fmt: skip


def program() -> Program:
    """What this program is to a journal that it writes."""
    layouts = {name: [list(field) for field in _described(layout)] for name, layout in LAYOUTS.items()}
    versions = {"python": platform.python_version(), "numpy": np.__version__, "numba": numba.__version__}
    return Program(EVENT_SCHEMA, STATE_SCHEMA, code_revision(), layouts, versions | {"machine": platform.machine()})


def upgrade(journal: Journal) -> bool:
    """Open an epoch where another program wrote the journal so far; False where it was this one.

    Raises JournalDamaged where its events are of another schema: their segments would hold two kinds of bytes.
    """
    reader, mine = Reader(journal.place, journal.disk), program()
    try:
        before = reader.epochs().program(journal.next_record)
    finally:
        reader.close()
    if before.event_schema != mine.event_schema:
        what = f"its events are of schema {before.event_schema}, this program's of {mine.event_schema}"
        raise JournalDamaged(f"{journal.place.folder}: {what}; begin a new journal")
    if before == mine:
        return False
    journal.put(kinds.UPGRADE, journal.next_event - 1, journal.clock(), payload=msgspec.to_builtins(mine))
    journal.commit()
    return True


def _described(layout: np.dtype[Any]) -> Iterator[tuple[str, str]]:
    for name in layout.names or ():
        yield name, layout[name].str


class Scribe:
    """Writes one replayed run: hand `keep` to `replay.play`, then call `end`."""

    def __init__(
        self, journal: Journal, config: Config, sources: Sources, readings: Readings, sealed: bool = False
    ) -> None:  # fmt: skip
        self.journal, self._sealed = journal, sealed
        self._documents = list(_documents(config, sources, readings))
        self._written = 0

    def keep(self, first: int, events: np.ndarray, out: Out) -> None:
        """One stretch becomes blocks of the journal. Raises JournalUnwritable."""
        made = stretch_of(first, events, out)
        if self.journal.put_events(made.events) != first:
            raise ValueError(f"the journal stands at event {self.journal.next_event}, the run at {first}")
        known = made.events["ts_known"]
        rows: list[tuple[int, int, int, int, bytes, Any]] = [
            (one.event, 0, one.kind, one.ts_ns, one.body, None) for one in made.rows
        ]
        while self._written < len(self._documents) and len(known) and self._documents[self._written][0] <= known[-1]:
            at, said = self._documents[self._written]
            rows.append((first + int(np.searchsorted(known, at)), -1, kinds.DOCUMENT, at, b"", said))
            self._written += 1
        rows.sort(key=lambda row: row[:2])
        for event, _, kind, ts_ns, body, said in rows:
            self.journal.put(kind, min(event, made.last), ts_ns, body, said)
        self.journal.commit()

    def end(self, result: Result, why: str) -> None:
        """The last equity row, the state sealed where that was asked for, the end with what was counted; anchored."""
        journal = self.journal
        event, now_ns = journal.next_event - 1, int(result.state.head[0].now_ns)
        if result.state.head[0].last_equity_ns != now_ns:  # else the step has said it, and it is written
            for kind, rows in ((kinds.EQUITY, result.equities), (kinds.MARKED, result.marks)):
                for row in rows[rows["ts_ns"] == now_ns]:
                    journal.put(kind, event, now_ns, row.tobytes())
        if self._sealed:
            facts = {"equity": float(result.state.head[0].equity), "at": format_time(now_ns)}
            seal(journal, snapshot(result.state, result.venue), facts)
        counted = {"judged": result.judged, "degraded": result.degraded, "refusals": result.refusals}
        journal.put(kinds.ENDED, event, now_ns, payload={"why": why, "events": journal.next_event} | counted)
        journal.close()


def _documents(config: Config, sources: Sources, readings: Readings) -> Iterator[tuple[int, dict[str, Any]]]:
    """(known at, payload) of every document the text stage saw, in the order in which it saw them."""
    told = told_of(config, readings, 0)
    for document, said in zip(readings.documents, told, strict=True):
        yield known_at(document, config.timing.news_lag_ns), said


def told_of(config: Config, readings: Readings, first: int) -> list[dict[str, Any]]:
    """What a journal keeps of each document, `first` being the number of those heard before."""
    names = [one.name for one in config.universe.underlyings]
    heard: dict[int, list[dict[str, Any]]] = {}
    for row in readings.rows:
        said = {name: row[name].item() for name in ("polarity", "certainty", "novelty", "relevance", "cluster")}
        said["house"] = readings.publishers[row["publisher"]]
        heard.setdefault(int(row["document"]) - first, []).append({"underlying": names[row["underlying"]]} | said)
    return [
        {"document": msgspec.to_builtins(document), "verdict": _verdict(verdict), "heard": heard.get(k, [])}
        for k, (document, verdict) in enumerate(zip(readings.documents, readings.verdicts, strict=True))
    ]


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "accepted": verdict.accepted, "reason": verdict.reason, "read": verdict.read,
        "reading": None if verdict.reading is None else msgspec.to_builtins(verdict.reading),
        "mentions": [msgspec.to_builtins(one) for one in verdict.mentions],
    }  # fmt: skip
