"""Stepping a journal again and holding every byte of what comes of it against what is written there.

This is how a start knows that it is where the last one ended, and how a shadow proves that a run was what it says. The
first thing that differs is told with its fields; nothing after it is believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec
import numpy as np

from confidence_engine.domain.command import Command
from confidence_engine.domain.document import Document
from confidence_engine.domain.errors import JournalDamaged
from confidence_engine.domain.event import EVENT, KIND_NAMES, X_NAMES
from confidence_engine.domain.units import format_time
from confidence_engine.drivers.stretch import Row, Stretch
from confidence_engine.feeds.delivery import DOCUMENTS, Delivery, Moment, unpacked
from confidence_engine.journal import kinds
from confidence_engine.journal.chain import Record
from confidence_engine.journal.reader import Reader

__all__ = ["Difference", "Written", "told_moments"]


class Difference(NamedTuple):
    """The first thing that is not as it is written: at which event, what, and (field, written, again)."""

    event: int
    what: str
    at: str
    fields: list[tuple[str, Any, Any]]

    def __str__(self) -> str:
        told = "; ".join(f"{name}: written {a}, again {b}" for name, a, b in self.fields[:6])
        return f"event {self.event} ({self.at}): {self.what}" + (f": {told}" if told else "")


class Written:
    """The events and rows of a journal from a place on, taken in order; `check` a stretch against them."""

    def __init__(
        self, reader: Reader, event: int, record: int, end_record: int | None = None, end_event: int | None = None
    ) -> None:  # fmt: skip
        self._epochs = reader.epochs()
        self._events = _Events(reader.events(event, end_event))
        self._rows = reader.records(*kinds.ROWS, first=record, end=end_record)
        self._next = next(self._rows, None)

    def check(self, made: Stretch) -> Difference | None:
        """What differs first, None where all is as written."""
        found = self._events.take(len(made.events))
        if found.tobytes() != made.events.tobytes():
            return self._event(made, found)
        for one in made.rows:
            there = self._next
            if there is None or not _same(there, one):
                return self._row(made, there, one)
            self._next = next(self._rows, None)
        if self._next is not None and self._next.event < made.last:  # of the last one more may come
            return self._row(made, self._next, None)
        return None

    def left(self, stepped: int | None = None) -> Difference | None:
        """What is written beyond all that was stepped, or of the first `stepped` events where more follow."""
        more = self._events.take(1) if stepped is None else np.zeros(0, EVENT)
        if len(more):
            return Difference(-1, f"{_named(more[0])} is written and did not come again", _when(more[0]), [])
        if self._next is not None and (stepped is None or self._next.event < stepped):
            what = f"a {kinds.KIND_NAMES[self._next.kind]} is written and did not come again"
            return Difference(self._next.event, what, format_time(self._next.ts_ns), [])
        return None

    def _event(self, made: Stretch, found: np.ndarray) -> Difference:
        size = min(len(found), len(made.events))
        bad = np.flatnonzero(found[:size].view("S64") != made.events[:size].view("S64"))
        k = int(bad[0]) if len(bad) else size
        if k >= len(found):
            again = made.events[k]
            return Difference(made.first + k, f"{_named(again)} came and is not written", _when(again), [])
        there, again = found[k], made.events[k]
        fields = [(name, there[name].item(), again[name].item()) for name in _different(there, again)]
        return Difference(
            made.first + k, f"{_named(there)} differs", _when(there), _spelled(int(there["kind"]), fields)
        )

    def _row(self, made: Stretch, there: Record | None, again: Row | None) -> Difference:
        if there is None or (again is not None and (again.event, again.kind) != (there.event, there.kind)):
            first = again if again is not None and (there is None or again.event <= there.event) else None
            if first is not None:
                what = f"a {kinds.KIND_NAMES[first.kind]} came and is not written"
                return Difference(first.event, what, format_time(first.ts_ns), [])
        if there is None:
            raise ValueError("nothing differs")
        if again is None or (again.event, again.kind) != (there.event, there.kind):
            what = f"a {kinds.KIND_NAMES[there.kind]} is written and did not come again"
            return Difference(there.event, what, format_time(there.ts_ns), [])
        layout = self._epochs.layout(there.kind, there.id)
        fields: list[tuple[str, Any, Any]] = []
        if len(again.body) == len(there.body) == layout.itemsize:
            a, b = np.frombuffer(there.body, layout)[0], np.frombuffer(again.body, layout)[0]
            fields = [(name, a[name].item(), b[name].item()) for name in _different(a, b)]
        return Difference(there.event, f"a {kinds.KIND_NAMES[there.kind]} differs", format_time(there.ts_ns), fields)


def _same(there: Record, again: Row) -> bool:
    return there.body == again.body and (there.event, there.kind, there.ts_ns) == (again.event, again.kind, again.ts_ns)


def _different(a: Any, b: Any) -> list[str]:
    return [name for name in a.dtype.names if a[name].tobytes() != b[name].tobytes()]


def _spelled(kind: int, fields: list[tuple[str, Any, Any]]) -> list[tuple[str, Any, Any]]:
    """Numbers of an event by the names that its kind gives them."""
    names = {f"x{k}": name for k, name in enumerate(X_NAMES.get(kind, ()))}
    return [(names.get(name, name), a, b) for name, a, b in fields]


def _named(event: Any) -> str:
    kind = int(event["kind"])
    return KIND_NAMES.get(kind, f"kind {kind}")


def _when(event: Any) -> str:
    return format_time(int(event["ts_known"]))


class _Events:
    """EVENT of a journal, taken in any lengths."""

    def __init__(self, parts: Iterator[np.ndarray]) -> None:
        self._parts, self._held = parts, np.zeros(0, EVENT)

    def take(self, count: int) -> np.ndarray:
        """The next `count`, or as many as there are."""
        found = [self._held]
        have = len(self._held)
        while have < count and (more := next(self._parts, None)) is not None:
            found.append(more)
            have += len(more)
        both = np.concatenate(found)
        self._held = both[count:]
        return both[:count]


def told_moments(records: Iterable[Record]) -> Iterator[Moment]:
    """The moments that DELIVERY, DOCUMENT and COMMAND records tell of. Raises JournalDamaged."""
    waiting = iter(records)
    for record in waiting:
        if record.kind != kinds.DELIVERY:
            continue  # a document of a replay, a command to a journal and not to its agent
        told = unpacked(record.body)
        documents = tuple(_read(waiting, kinds.DOCUMENT, record) for _ in range(told.documents))
        commands = tuple(_read(waiting, kinds.COMMAND, record) for _ in range(told.commands))
        said = told.said
        if documents:
            said = (*said, Delivery(told.shown_ns, DOCUMENTS, "", None, documents))
        yield Moment(told.at_ns, said, commands)


def _read(waiting: Iterator[Record], kind: int, of: Record) -> Any:
    record = next(waiting, None)
    if record is None or record.kind != kind:
        raise JournalDamaged(f"delivery record {of.id} is followed by too few {kinds.KIND_NAMES[kind]} records")
    try:
        payload = msgspec.json.decode(record.payload or b"")
        if kind == kinds.DOCUMENT:
            return msgspec.convert(payload["document"], Document)
        return msgspec.convert(payload, Command)
    except (msgspec.DecodeError, msgspec.ValidationError, KeyError, TypeError) as error:
        raise JournalDamaged(f"record {record.id} cannot be read: {error}") from error
