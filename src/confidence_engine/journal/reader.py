"""Reading a journal: blocks, records and events as they were committed, by any number of readers beside the writer.

Bytes of a segment beyond the last block were never committed and are never shown.
"""

from __future__ import annotations

import contextlib
import uuid
import weakref
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import sqlalchemy as sa

from confidence_engine.domain.errors import DataMissing, JournalDamaged, RunError, UsageError
from confidence_engine.domain.event import EVENT
from confidence_engine.journal.chain import (
    BARE_TYPES,
    BLOCK_TYPES,
    RECORD_TYPES,
    SEGMENT,
    Block,
    Record,
    odd_columns,
)
from confidence_engine.journal.database import bare_url, engine_of, is_postgres, same_server, sqlite_url, unavailable
from confidence_engine.journal.disk import Disk
from confidence_engine.journal.epoch import Epochs, Program
from confidence_engine.journal.kinds import GENESIS, UPGRADE
from confidence_engine.journal.schema import BLOCK, JOURNAL, RECORD

__all__ = [
    "ANCHOR", "DATABASE", "LOCK", "RESERVE", "SEGMENTS", "SERVER", "Genesis", "Place", "Reader", "place_of", "point",
    "raw",
]  # fmt: skip

SEGMENTS: Final = "segments"
DATABASE: Final = "journal.db"
SERVER: Final = "database"
LOCK: Final = "lock"
RESERVE: Final = "reserve"
ANCHOR: Final = "anchor.json"
_MOST: Final = (1 << 63) - 1
"""The largest number that a row holds: SQLite is not asked for more, though damaged rows may add up to more."""


class Place(NamedTuple):
    """Where one journal lives: its folder, the anchor outside it, the database of its rows, and its name there."""

    folder: Path
    anchor: Path
    database: str
    name: str

    @property
    def segments(self) -> Path:
        """Folder of the segment files."""
        return self.folder / SEGMENTS


def place_of(home: Path, name: str, database: str | None = None) -> Place:
    """Place of the journal `name` whose folder is `home`/journal and whose anchor stands beside that folder.

    Rows that are there stay where they are: in the server that the folder's file `database` names, or beside it. Those
    of a journal to be made go to `database`, a server's URL, or beside it. Raises UsageError where the rows are in
    another server than the one that is told.
    """
    folder = home / "journal"
    held, _ = _pointed(folder)
    if held is not None and database and not same_server(held, database):
        what = f"the rows of this journal are in {held}, not in {bare_url(database)}"
        raise UsageError(f"{folder}: {what}; its file {SERVER!r} says so, where they were moved correct it")
    if held is None and (folder / DATABASE).is_file():
        database = None
    return Place(folder, home / ANCHOR, database or held or sqlite_url(folder / DATABASE), name)


def point(place: Place, journal: uuid.UUID, disk: Disk) -> None:
    """Leave word in the folder of the server that holds its rows, without the password, and of which journal it is."""
    if is_postgres(place.database):
        disk.replace(place.folder / SERVER, f"{bare_url(place.database)}\n{journal}\n".encode())


def _pointed(folder: Path) -> tuple[str | None, str | None]:
    """URL and journal that a folder's word of its server names; None for what it does not."""
    try:
        told = [*(folder / SERVER).read_text(encoding="utf-8").split(), None, None]
    except (FileNotFoundError, NotADirectoryError):
        return None, None
    return told[0], told[1]


def raw(fields: Iterable[str], table: sa.Table) -> list[Any]:
    """Columns as the database has them: a value of another type than was ever written is damage, not an error."""
    return [sa.type_coerce(table.c[name], sa.types.NULLTYPE).label(name) for name in fields]


class Genesis(msgspec.Struct, frozen=True):
    """The first record: who wrote the journal with which code, and how its rows are laid out."""

    journal: str
    name: str
    agent: str
    run: str  # "agent" or "replay"
    created: str
    event_schema: int
    state_schema: int
    code_revision: str
    layouts: dict[str, list[list[str]]]
    synthetic: bool
    versions: dict[str, str] = {}

    @property
    def program(self) -> Program:
        """Who wrote the first epoch."""
        return Program(self.event_schema, self.state_schema, self.code_revision, self.layouts, self.versions)


class Reader:
    """One journal, opened for reading. Raises DataMissing where there is none, RunError where its server is silent."""

    def __init__(self, place: Place, disk: Disk | None = None) -> None:
        self.place, self.disk = place, disk or Disk()
        server, mine = _pointed(place.folder)
        there = server is not None if is_postgres(place.database) else (place.folder / DATABASE).is_file()
        if not there:  # a name on a server alone may be another home's
            raise DataMissing(f"there is no journal in {place.folder}")
        url = place.database if server is not None else sqlite_url(place.folder / DATABASE, readonly=True)
        self.engine = engine_of(url)
        self.close = weakref.finalize(self, self.engine.dispose)
        """Let go of the database; done by itself when nobody has the reader any more."""
        row = None
        with self.connected() as c:
            if sa.inspect(c).has_table(JOURNAL.name):  # none yet where the first start was cut off
                row = c.execute(sa.select(JOURNAL.c.uuid).where(JOURNAL.c.name == place.name)).scalar_one_or_none()
        if row is None:
            raise DataMissing(f"{place.folder}: the database holds no journal {place.name!r}")
        if mine is not None and row != mine:
            raise DataMissing(
                f"{place.folder}: the journal {place.name!r} of its server is {row}, and its own is {mine}"
            )
        try:
            self.uuid = uuid.UUID(row)
        except (TypeError, ValueError, AttributeError) as error:
            raise JournalDamaged(f"{place.folder}: {row!r} is no journal's id") from error

    @contextlib.contextmanager
    def connected(self) -> Iterator[sa.Connection]:
        """A connection to the rows. Raises JournalDamaged where they cannot be read, RunError as the reader itself."""
        try:
            with self.engine.connect() as c:
                yield c
        except sa.exc.DBAPIError as error:
            if (said := unavailable(error)) is not None:
                raise RunError(f"{self.place.folder}: {said}") from error
            raise JournalDamaged(f"{self.place.folder}: its rows cannot be read: {error.orig}") from error

    def blocks(self, first: int = 0) -> Generator[Block]:
        """Blocks from number `first` on, in order. Raises JournalDamaged for a row of types never written."""
        query = self._blocks().where(BLOCK.c.number >= min(first, _MOST)).order_by(BLOCK.c.number)
        with self.connected() as c, c.execution_options(yield_per=2000).execute(query) as rows:
            for row in rows:
                yield self._block(row)

    def last(self) -> Block:
        """The last block. Raises JournalDamaged where there is none."""
        found = self._newest(sa.true())
        if found is None:
            raise JournalDamaged(f"{self.place.folder}: not a single block")
        return found

    def last_with_events(self, number: int) -> Block | None:
        """The last block up to `number` that holds events, None where none does."""
        return self._newest(sa.and_(BLOCK.c.number <= number, BLOCK.c.events > 0))

    def block_of(self, record: int) -> Block:
        """The block that committed a record. Raises DataMissing where none did."""
        b = BLOCK.c
        found = self._newest(sa.and_(b.first_record <= record, b.first_record + b.records > record))
        if found is None:
            raise DataMissing(f"{self.place.folder}: no record {record}")
        return found

    def _blocks(self) -> sa.Select[Any]:
        """The blocks of this journal, in the fields' order of `Block`."""
        return sa.select(*raw(Block._fields, BLOCK)).where(BLOCK.c.name == self.place.name)

    def _block(self, row: Any) -> Block:
        if tuple(map(type, row)) == BLOCK_TYPES:
            return Block(*row)
        odd = odd_columns(tuple(row), BLOCK_TYPES, Block._fields)
        raise JournalDamaged(f"{self.place.folder}: row of block {row[0]!r}: {odd}: of another type")

    def _newest(self, such: sa.ColumnElement[bool]) -> Block | None:
        """The last of such blocks."""
        with self.connected() as c:
            row = c.execute(self._blocks().where(such).order_by(BLOCK.c.number.desc()).limit(1)).one_or_none()
        return None if row is None else self._block(row)

    def records(
        self, *kinds: int, first: int = 0, end: int | None = None, backwards: bool = False, limit: int | None = None
    ) -> Generator[Record]:  # fmt: skip
        """Records with first <= id < end, of these kinds or of all, in the order of their ids; `limit` at most.

        Raises JournalDamaged for a row of types that were never written.
        """
        r = RECORD.c
        query = sa.select(*raw(Record._fields, RECORD)).where(r.name == self.place.name, r.id >= min(first, _MOST))
        if end is not None:
            query = query.where(r.id < min(end, _MOST))
        if kinds:
            query = query.where(r.kind.in_(kinds))
        query = query.order_by(r.id.desc() if backwards else r.id).limit(limit)
        with self.connected() as c, c.execution_options(yield_per=2000).execute(query) as rows:
            for row in rows:
                types = tuple(map(type, row))
                if types != RECORD_TYPES and types != BARE_TYPES:
                    odd = odd_columns(tuple(row), BARE_TYPES if row[5] is None else RECORD_TYPES, Record._fields)
                    raise JournalDamaged(f"{self.place.folder}: record {row[0]!r}: {odd}: of another type")
                yield Record(*row)

    def genesis(self) -> Genesis:
        """The first record. Raises JournalDamaged where it is not there or cannot be read."""
        first = next(self.records(GENESIS), None)
        if first is None or first.payload is None:
            raise JournalDamaged(f"{self.place.folder}: no genesis record")
        try:
            return msgspec.json.decode(first.payload, type=Genesis)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise JournalDamaged(f"{self.place.folder}: the genesis record cannot be read: {error}") from error

    def epochs(self) -> Epochs:
        """The programs that wrote it, in order. Raises JournalDamaged where one cannot be read."""
        begun = [(0, self.genesis().program)]
        for one in self.records(UPGRADE):
            try:
                begun.append((one.id, msgspec.json.decode(one.payload or b"", type=Program)))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise JournalDamaged(f"{self.place.folder}: upgrade record {one.id} cannot be read: {error}") from error
        return Epochs(begun)

    def rows(self, kind: int, first: int = 0, end: int | None = None) -> np.ndarray:
        """All bodies of a kind as one array.

        Raises ValueError where programs of different layouts wrote them, JournalDamaged for one that is no row.
        """
        epochs = self.epochs()
        found = list(self.records(kind, first=first, end=end))
        layouts = {epochs.layout(kind, one.id) for one in found} or {epochs.layout(kind, first)}
        if len(layouts) > 1:
            raise ValueError(f"{self.place.folder}: rows of kind {kind} have {len(layouts)} layouts")
        layout = layouts.pop()
        for one in found:
            if len(one.body) != layout.itemsize:
                raise JournalDamaged(f"{self.place.folder}: the body of record {one.id} has {len(one.body)} bytes")
        return np.frombuffer(b"".join(one.body for one in found), layout)

    def events(self, first: int = 0, end: int | None = None) -> Iterator[np.ndarray]:
        """Events with first <= sequence < end, a block's at a time. Raises JournalDamaged for a segment cut short."""
        begins = self._newest(sa.and_(BLOCK.c.first_event <= min(first, _MOST), BLOCK.c.events > 0)) if first else None
        for block in self.blocks(0 if begins is None else begins.number):
            if end is not None and block.first_event >= end:
                return
            if block.events == 0 or block.end_event <= first:
                continue
            data = self.read(block)
            if len(data) != block.events * EVENT.itemsize:
                raise JournalDamaged(f"{block.segment}: block {block.number} ends after {len(data)} bytes")
            low = max(first - block.first_event, 0)
            high = block.events if end is None else min(end - block.first_event, block.events)
            yield np.frombuffer(data, EVENT)[low:high]

    def read(self, block: Block) -> bytes:
        """The bytes of a block's events, as many as are there; none where the segment is gone or the row names none."""
        if not SEGMENT.fullmatch(block.segment) or block.position < 0:
            return b""
        path = self.place.segments / block.segment
        left = self.disk.size(path) - block.position  # a row may speak of more than anybody can read at once
        try:
            return self.disk.read(path, block.position, min(block.events * EVENT.itemsize, left)) if left > 0 else b""
        except FileNotFoundError:
            return b""
