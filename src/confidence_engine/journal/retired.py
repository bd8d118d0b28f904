"""What a journal says of its own past: which states were sealed, and what was let go because a state stands for it.

Nothing goes unsaid: a RETIRED record is committed and anchored before the first byte is removed, and names every
segment by its hash and, for every block that loses records, the hash of those that stay. So what is left can still be
proved, and what is missing without standing in such a record was taken by somebody. A process that dies while it
removes is finished by the next start.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import numpy as np
import sqlalchemy as sa

from confidence_engine.domain.errors import JournalDamaged
from confidence_engine.journal import kinds
from confidence_engine.journal.carry import LIMIT_GATES
from confidence_engine.journal.chain import Block, Record, records_hash
from confidence_engine.journal.disk import Disk
from confidence_engine.journal.reader import Place, Reader
from confidence_engine.journal.schema import RECORD

__all__ = [
    "BULKY", "SNAPSHOTS", "Kept", "Retired", "Sealed", "Sieve", "finish", "kept_of", "last_retired", "retirements",
    "seals", "snapshots_of",
]  # fmt: skip

_T = TypeVar("_T")
_FILE: Final = re.compile(r"[0-9]{8}\.seg|[0-9]+(\.[0-9]+)?\.snap")
SNAPSHOTS: Final = "snapshots"
_AT_A_TIME: Final = 20_000
BULKY: Final = (kinds.DOCUMENT, kinds.DELIVERY, kinds.DECISION, kinds.MARKED, kinds.LESSON)
"""Kinds that are let go; of decisions only some, see `Sieve`."""
_LIMITS: Final = sum(1 << bit for bit in LIMIT_GATES.values())


class Sealed(msgspec.Struct, frozen=True):
    """A CHECKPOINT record: the state after all events before `event`, as bytes in a file of the snapshots' folder."""

    file: str
    sha256: str
    event: int
    block: int  # the last one before the record's own
    head: str  # its hash, in hex
    facts: dict[str, Any] = {}


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """What is left of one block that lost records: how many went, and the hash of the others, in hex."""

    block: int
    removed: int
    hash: str


class Retired(msgspec.Struct, frozen=True):
    """A RETIRED record: what of the blocks up to `through_block` is gone, by name and SHA-256."""

    from_block: int
    through_block: int
    first_record: int
    end_record: int
    segments: dict[str, str]
    snapshots: dict[str, str]
    kinds: list[str]
    kept: list[Kept]
    sealed: int  # id of the CHECKPOINT record that stands for it
    why: str

    @property
    def removed(self) -> int:
        """Records that went."""
        return sum(one.removed for one in self.kept)


def snapshots_of(place: Place) -> Path:
    """Folder of the snapshots of a journal, beside it."""
    return place.folder.parent / SNAPSHOTS


def seals(reader: Reader) -> Iterator[tuple[Record, Sealed]]:
    """Every checkpoint that was sealed, the last first. Raises JournalDamaged for one that cannot be read."""
    for record in reader.records(kinds.CHECKPOINT, backwards=True):
        yield record, _read(record, Sealed)


def retirements(reader: Reader) -> Iterator[Retired]:
    """Every retirement, in order. Raises JournalDamaged for one that cannot be read."""
    for record in reader.records(kinds.RETIRED):
        yield _read(record, Retired)


def last_retired(reader: Reader) -> Retired | None:
    """The last retirement, None where nothing was retired. Raises JournalDamaged where it cannot be read."""
    record = next(reader.records(kinds.RETIRED, backwards=True), None)
    return None if record is None else _read(record, Retired)


def _read(record: Record, kind: type[_T]) -> _T:
    try:
        told = msgspec.json.decode(record.payload or b"", type=kind)
        for name in _files(told):
            if not _FILE.fullmatch(name):
                raise JournalDamaged(f"record {record.id} ({kinds.KIND_NAMES[record.kind]}) names {name!r} as a file")
        return told
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        name = kinds.KIND_NAMES[record.kind]
        raise JournalDamaged(f"record {record.id} ({name}) cannot be read: {error}") from error


def _files(told: object) -> Iterable[str]:
    """The files that a record names: some are removed because it says so."""
    if isinstance(told, Retired):
        return (*told.segments, *told.snapshots)
    return (told.file,) if isinstance(told, Sealed) else ()


class Sieve:
    """What of a retirement's records is let go, asked record by record in the order of their ids.

    Of decisions stay those that entered, so that every trade keeps its reason; those that a limit refused, each with
    the next of its asset, so that the tables' risk events begin, count and end as before; and the first of every asset.
    What has gone already changes no answer, so a removal that was cut off can be gone on with.
    """

    def __init__(self, reader: Reader) -> None:
        self._epochs = reader.epochs()
        self._refused: dict[int, bool] = {}

    def lets_go(self, record: Record) -> bool:
        """Whether the record goes."""
        if record.kind != kinds.DECISION:
            return record.kind in BULKY
        fields = self._epochs.layout(kinds.DECISION, record.id).fields
        if fields is None or not {"gates", "asset"} <= set(fields):
            raise JournalDamaged(f"decision record {record.id} has no gates or no asset")
        gates, asset = (int(np.frombuffer(record.body, *_one(fields[name]))[0]) for name in ("gates", "asset"))
        refused, before = bool(gates & _LIMITS), self._refused.get(asset, True)
        self._refused[asset] = refused
        return gates != 0 and not refused and not before


def _one(field: tuple[Any, ...]) -> tuple[Any, int, int]:
    """Type, count and offset of one field, as `frombuffer` wants them."""
    return field[0], 1, field[1]


def finish(reader: Reader, engine: sa.Engine, disk: Disk, said: Callable[[], object]) -> Retired | None:
    """Remove what the last RETIRED record names and what is still there; returns it where something was.

    Before the first byte goes `said` is called, which must return only when that record has arrived on the disk.
    Raises OSError and DBAPIError as they come: it can be done again.
    """
    last = last_retired(reader)
    if last is None:
        return None
    files = [reader.place.segments / name for name in last.segments]
    files += [snapshots_of(reader.place) / name for name in last.snapshots]
    there = [path for path in files if path.exists()]
    rows = _rows_left(reader, engine, last)
    if not rows and not there:
        return None
    said()
    if rows:
        _remove_rows(reader, engine, last)
    for path in there:
        disk.remove(path)
    for folder in {path.parent for path in there}:
        disk.sync(folder)
    return last


def _rows_left(reader: Reader, engine: sa.Engine, last: Retired) -> bool:
    """Whether records that were to go are there."""
    query = sa.select(sa.func.count()).where(RECORD.c.name == reader.place.name, RECORD.c.id >= last.first_record)
    with engine.connect() as c:
        there = c.execute(query.where(RECORD.c.id < last.end_record)).scalar_one()
    return bool(there > last.end_record - last.first_record - last.removed)


def _remove_rows(reader: Reader, engine: sa.Engine, last: Retired) -> None:
    """All bulky records of the blocks of a retirement, those of 20,000 ids a transaction."""
    sieve = Sieve(reader)
    gone = sa.delete(RECORD).where(RECORD.c.name == reader.place.name, RECORD.c.id == sa.bindparam("gone"))
    for first in range(last.first_record, last.end_record, _AT_A_TIME):
        end = min(first + _AT_A_TIME, last.end_record)
        ids = [{"gone": one.id} for one in reader.records(*BULKY, first=first, end=end) if sieve.lets_go(one)]
        if ids:
            with engine.begin() as c:
                c.execute(gone, ids)


def kept_of(reader: Reader, blocks: list[Block]) -> Iterator[Kept]:
    """What would be left of each of these blocks, which follow on each other, that would lose records."""
    sieve = Sieve(reader)
    rows = reader.records(first=blocks[0].first_record, end=blocks[-1].end_record)
    for block in blocks:
        records = list(itertools.islice(rows, block.records))
        stay = [one for one in records if not sieve.lets_go(one)]
        if len(stay) < len(records):
            yield Kept(block.number, len(records) - len(stay), records_hash(stay).hex())
