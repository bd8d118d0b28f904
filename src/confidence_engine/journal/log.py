"""Writing a journal: what was not committed did not happen, and what was committed cannot be lost.

A commit writes the bytes of the events to the day's segment, then all rows of the block in one database transaction:
the block row is the commit. A process that dies between the two leaves bytes that no block knows, and the next start
cuts them. With `full` the segment is synced before the transaction and the transaction waits for the disk, so that a
power cut takes nothing that was acknowledged; without it a power cut may take the last blocks, whole, and the next
start says so in a record of its own. Never does a start go behind the anchor: then it refuses.

A full disk: `reserve` is room set aside. When it has to be used `low` is set, and whoever writes must stop whatever
adds risk, as `drivers.live` does; what reduces it can still be recorded.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, TypeVar

import msgspec
import numpy as np
import sqlalchemy as sa

from confidence_engine.domain.errors import JournalUnwritable
from confidence_engine.domain.event import EVENT, EVENT_SCHEMA, joined
from confidence_engine.domain.params import Bound
from confidence_engine.journal import kinds
from confidence_engine.journal.anchor import Anchor, read_anchor, write_anchor
from confidence_engine.journal.chain import GENESIS_PREV, HEADER, Block, Record, header
from confidence_engine.journal.cut import Cut, cut
from confidence_engine.journal.database import engine_of, no_room, upgrade
from confidence_engine.journal.disk import Disk, is_full
from confidence_engine.journal.lock import claimed, locked
from confidence_engine.journal.reader import DATABASE, RESERVE, Genesis, Place, Reader, point
from confidence_engine.journal.recovery import recover
from confidence_engine.journal.retired import finish
from confidence_engine.journal.rows import put_rows
from confidence_engine.journal.schema import BLOCK, JOURNAL, RECORD

__all__ = ["RESERVE_BYTES", "Journal", "Params", "create", "reopen"]

RESERVE_BYTES: Final = 64 << 20
_T = TypeVar("_T")


class Params(NamedTuple):
    """Where an agent's journal keeps its rows and how sure a commit is; none of it changes a decision."""

    database: Annotated[str, Bound("name")] = ""  # a server's URL without a password; "" is a file beside the segments
    full: Annotated[bool, Bound("flag")] = False  # every commit waits for the disk
    reserve_mb: Annotated[int, Bound("count", 1, 1 << 20)] = RESERVE_BYTES >> 20  # room for reductions on a full disk


class Journal:
    """One journal, open for writing by this process alone. Made by `create` and `reopen`."""

    def __init__(self, place: Place, disk: Disk, full: bool, reserve: int, clock: Callable[[], int]) -> None:
        self.place, self.disk, self.full, self.clock = place, disk, full, clock
        self.low = False
        self.recovered: dict[str, Any] | None = None
        self._reserve = reserve
        self._events: list[np.ndarray] = []
        self._put = 0  # events among those
        self._records: list[Record] = []
        self._last: Block
        self.uuid: uuid.UUID
        self._segment, self._end = "", 0
        self._told = -1  # event of the last record
        self._newest = place.segments
        self._behind: set[Path] = set()  # segments with bytes that may not have arrived
        self._cut_rows = False
        self._entry: dict[str, Any] | None = None  # the journal's own row, which comes with its first block
        self._failed: str | None = None
        self._lock = locked(place)
        self._claim: sa.Connection | None = None
        self.engine = engine_of(place.database, full)

    @property
    def last(self) -> Block:
        """The last committed block."""
        return self._last

    @property
    def next_event(self) -> int:
        """Sequence that the next event gets."""
        return self._last.end_event + self._put

    @property
    def next_record(self) -> int:
        """Id that the next record gets."""
        return self._last.end_record + len(self._records)

    def put_events(self, events: np.ndarray) -> int:
        """Add EVENT [n] to the coming commit; returns the sequence of the first."""
        first = self.next_event
        if len(events):
            self._events.append(np.array(events, EVENT))  # a copy: the caller's buffer may be used again
            self._put += len(events)
        return first

    def put(self, kind: int, event: int, ts_ns: int, body: bytes = b"", payload: Any = None) -> int:
        """Add a record to the coming commit and return its id; `payload` is anything JSON can say.

        Records stand in the order of their events. Raises ValueError for one that would not.
        """
        if not self._told <= event < self.next_event:
            raise ValueError(f"record of event {event} after {self._told}, before {self.next_event}")
        said = None if payload is None else msgspec.json.encode(payload)
        one = Record(self.next_record, event, kind, ts_ns, body, said)
        self._records.append(one)
        self._told = event
        return one.id

    def commit(self) -> Block:
        """Make everything put so far part of the journal; on return it is.

        Raises JournalUnwritable where it cannot be: nothing more is taken then, and the next start finds out whether
        this was.
        """
        if self._failed is not None:
            raise JournalUnwritable(f"{self._failed}; start again")
        if not self._events and not self._records:
            return self._last
        events = self._events[0] if len(self._events) == 1 else joined(self._events)
        blocks = cut(self.uuid, self._last, self._segment, self._end, events, self._records, self.clock)
        self._twice(lambda: self._write(blocks))
        self._last = blocks[-1][0]
        written = next((one for one, _, _ in reversed(blocks) if one.events), None)
        if written is not None:
            self._segment, self._end = written.segment, written.position + written.events * EVENT.itemsize
        self._events, self._records, self._put = [], [], 0
        return self._last

    def anchor(self) -> Anchor:
        """Commit, wait until all of it has arrived, and say outside the log how far it goes."""
        self.commit()
        try:  # once: after a sync that failed the next one can return without the bytes
            self._sync()
        except OSError as error:
            raise self._failure(error) from error
        where = self.place
        return self._twice(
            lambda: write_anchor(self.disk, where.anchor, self.uuid, where.name, self._last, self.clock())
        )

    def keep(self, path: Path, data: bytes, reserve: bool = True) -> None:
        """Replace a file beside the journal, where there is no room once more on the reserve; the journal goes on if
        it cannot be. Raises OSError.
        """
        try:
            self.disk.replace(path, data)
        except OSError as error:
            if not reserve or not is_full(error) or not self._release():
                raise
            self.disk.replace(path, data)

    def close(self) -> None:
        """Anchor and let go. What was put and not committed is committed."""
        try:
            self.anchor()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let go without another word, as a process that dies does; once more is nothing more."""
        claim, self._claim = self._claim, None
        self._failed = self._failed or f"{self.place.folder}: it was let go"
        if claim is not None:
            claim.invalidate()  # the lock ends with its session
            claim.close()
        self.engine.dispose()
        self._lock.close()

    def _sync(self) -> None:
        """Wait for segments and rows. A server has waited at each commit; SQLite's log is synced as a file, because a
        checkpoint would wait for readers and can end without a sync.
        """
        for path in sorted(self._behind):
            self.disk.sync(path)
        self._behind.clear()
        rows = self.place.folder / f"{DATABASE}-wal"
        if self.engine.dialect.name == "sqlite" and rows.exists():
            self.disk.sync(rows)

    def _twice(self, what: Callable[[], _T]) -> _T:
        """Do it, where there is no room once more on the reserve; any other failure is this journal's last word."""
        try:
            return what()
        except (OSError, sa.exc.DBAPIError) as error:
            first = error
        try:
            full = is_full(first) if isinstance(first, OSError) else no_room(first)
            if not full or not self._release():
                raise first
            return what()
        except (OSError, sa.exc.DBAPIError) as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError | sa.exc.DBAPIError) -> JournalUnwritable:
        self._failed = f"{self.place.folder}: {_said(error)}; not acknowledged"
        return JournalUnwritable(self._failed)

    def _write(self, blocks: list[Cut]) -> None:
        """Segments first, rows last; may be done again where there was no room."""
        for block, data, _ in blocks:
            if not data:
                continue
            path = self._path(block.segment)
            if block.position == HEADER:
                self.disk.write(path, 0, header(self.uuid, EVENT_SCHEMA, block.first_event))
            self._behind.add(path)
            self.disk.write(path, block.position, data)
        if self.full:
            for path in sorted(self._behind):
                self.disk.sync(path)
        if self._entry is None and not self._cut_rows and self.engine.dialect.name == "sqlite":
            put_rows(self.engine, self.place.name, blocks)
        else:
            self._rows(blocks)
        self._cut_rows, self._entry = False, None
        if self.full:
            self._behind.clear()

    def _path(self, segment: str) -> Path:
        """Of a segment; the last one asked for is kept, as it is nearly always asked for again."""
        if self._newest.name != segment:
            self._newest = self.place.segments / segment
        return self._newest

    def _rows(self, blocks: list[Cut]) -> None:
        """The rows of a commit, in any database."""
        name = self.place.name
        with self._transaction() as c:
            if self._cut_rows:
                self._forget(c)
            self._check_end(c)
            if self._entry is not None:
                c.execute(sa.insert(JOURNAL), [self._entry])
            records = [
                {"name": name, "block": block.number, **one._asdict()} for block, _, mine in blocks for one in mine
            ]
            if records:
                c.execute(sa.insert(RECORD), records)
            c.execute(sa.insert(BLOCK), [{"name": name, **block._asdict()} for block, _, _ in blocks])

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        """In the session that holds the name's lock, where there is one."""
        if self._claim is None:
            with self.engine.begin() as c:
                yield c
        else:
            with self._claim.begin():
                yield self._claim

    def _check_end(self, c: sa.Connection) -> None:
        """On a server somebody else can have written: the name's lock ends with the session that holds it."""
        if self._claim is None:
            return
        query = sa.select(BLOCK.c.number, BLOCK.c.hash).where(BLOCK.c.name == self.place.name)
        newest = c.execute(query.order_by(BLOCK.c.number.desc()).limit(1)).one_or_none()
        if newest is None or tuple(newest) != (self._last.number, self._last.hash):
            self._failed = f"{self.place.folder}: another writer went on with journal {self.place.name!r} on its server"
            raise JournalUnwritable(self._failed)

    def _forget(self, c: sa.Connection) -> None:
        """Take out the rows of blocks that a power cut took the events from."""
        name, last = self.place.name, self._last
        c.execute(sa.delete(RECORD).where(RECORD.c.name == name, RECORD.c.id >= last.end_record))
        c.execute(sa.delete(BLOCK).where(BLOCK.c.name == name, BLOCK.c.number > last.number))

    def _release(self) -> bool:
        """Give the reserve back to the disk; False where it was given before."""
        path = self.place.folder / RESERVE
        if self.low or self.disk.size(path) == 0:
            return False
        self.disk.remove(path)
        self.low = True
        return True

    def set_aside(self) -> None:
        """Take the reserve where there is none yet; where there is no room for it the journal is `low` at once."""
        path = self.place.folder / RESERVE
        if self._reserve == 0 or self.disk.size(path) >= self._reserve:
            return
        try:
            self.disk.reserve(path, self._reserve)
        except OSError as error:
            if not is_full(error):
                raise
            self.low = True


def create(
    place: Place, genesis: Genesis, entries: list[tuple[int, Any]], *, disk: Disk | None = None, full: bool = False,
    reserve: int = RESERVE_BYTES, clock: Callable[[], int] = time.time_ns,
) -> Journal:  # fmt: skip
    """A new journal whose first block holds the genesis record and `entries` of (kind, payload).

    Its name is taken with that block, so of two that begin at once on one server one has it and the other has nothing.
    Raises JournalUnwritable where one is there already or another process holds the folder.
    """
    disk = disk or Disk()
    _make(place, disk)
    journal = Journal(place, disk, full, reserve, clock)
    try:
        upgrade(journal.engine, "log")
        journal.uuid = uuid.UUID(genesis.journal)
        now = clock()
        journal._last = Block(-1, 0, 0, "", 0, b"", 0, 0, b"", now, b"", GENESIS_PREV)
        with journal.engine.begin() as c:
            held = c.execute(sa.select(JOURNAL.c.uuid).where(JOURNAL.c.name == place.name)).scalar_one_or_none()
            blocks = c.execute(sa.select(sa.func.count()).where(BLOCK.c.name == place.name)).scalar_one()
            if held is not None and blocks == 0:  # died before its first commit: it never was
                c.execute(sa.delete(JOURNAL).where(JOURNAL.c.name == place.name))
            elif held is not None:
                raise JournalUnwritable(f"{place.folder}: journal {place.name!r} exists already")
            if read_anchor(place.anchor) is not None:
                raise JournalUnwritable(f"{place.anchor}: the anchor of a journal that is gone; move it away first")
        journal._entry = {"name": place.name, "uuid": str(journal.uuid), "created_ns": now}
        point(place, journal.uuid, disk)
        journal.set_aside()
        journal.put(kinds.GENESIS, -1, now, payload=msgspec.to_builtins(genesis))
        for kind, payload in entries:
            journal.put(kind, -1, now, payload=payload)
        journal.commit()
        journal._claim = claimed(journal.engine, place)
        journal.anchor()
    except (OSError, sa.exc.DBAPIError) as error:
        journal.abandon()
        raise JournalUnwritable(f"{place.folder}: {_said(error)}") from error
    except BaseException:
        journal.abandon()
        raise
    return journal


def reopen(
    place: Place, *, disk: Disk | None = None, full: bool = False, reserve: int = RESERVE_BYTES,
    clock: Callable[[], int] = time.time_ns, unanchored: bool = False,
) -> Journal:  # fmt: skip
    """Go on with a journal: cut what was never committed, and what a power cut took from its last blocks; remove what
    was being retired. `unanchored`: its anchor is gone, and whoever calls has seen to that.

    Raises DataMissing where there is none, JournalDamaged where what is left ends before the anchor or the anchor is
    gone, and JournalUnwritable where another process holds it.
    """
    disk = disk or Disk()
    reader = Reader(place, disk)
    try:
        journal = Journal(place, disk, full, reserve, clock)
    except BaseException:
        reader.close()
        raise
    try:
        upgrade(journal.engine, "log")
        journal._claim = claimed(journal.engine, place)
        journal.uuid = reader.uuid
        found = recover(reader, unanchored)
        journal._last, journal._segment, journal._end = found.last, found.segment, found.end
        journal._told = next((one.event for one in reader.records(first=found.last.end_record - 1)), -1)
        journal.set_aside()
        if found.lost is not None:
            journal.recovered, journal._cut_rows = found.lost, True
            journal.put(kinds.RECOVERED, journal.next_event - 1, clock(), payload=found.lost)
            journal.commit()
        finish(reader, journal.engine, disk, journal.anchor)
        if read_anchor(place.anchor) is None and not unanchored:  # a first start died after its first commit
            journal.anchor()
    except (OSError, sa.exc.DBAPIError) as error:
        journal.abandon()
        raise JournalUnwritable(f"{place.folder}: {_said(error)}") from error
    except BaseException:
        journal.abandon()
        raise
    finally:
        reader.close()
    return journal


def _make(place: Place, disk: Disk) -> None:
    absent = [one for one in (place.segments, *place.segments.parents) if not one.exists()]
    try:
        place.segments.mkdir(parents=True, exist_ok=True)
        for one in absent:  # a folder's name has to arrive too
            disk.sync(one)
    except OSError as error:
        raise JournalUnwritable(f"{place.folder}: {_said(error)}") from error


def _said(error: OSError | sa.exc.DBAPIError) -> str:
    if isinstance(error, OSError):
        return f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
    return " ".join(str(error.orig).split())
