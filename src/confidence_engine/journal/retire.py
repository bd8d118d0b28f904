"""Sealing a state, and letting go of what a sealed state stands for.

A snapshot is a file beside the journal; the CHECKPOINT record that names its hash and the chain's head makes it part of
the chain. Behind the last one whose file is what was sealed, whole segments and the bulky records of their blocks may
go: said first, in a RETIRED record that is committed and anchored, then done. Intents, fills, decisions that passed
their gates, commands and money stay for ever; so does every block's row, and with it the chain.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import sqlalchemy as sa

from confidence_engine.domain.errors import JournalDamaged, JournalUnwritable, StateUnkept
from confidence_engine.domain.event import EVENT
from confidence_engine.domain.units import DAY_NS, parse_time
from confidence_engine.journal import kinds
from confidence_engine.journal.chain import Block
from confidence_engine.journal.disk import Disk
from confidence_engine.journal.log import Journal
from confidence_engine.journal.reader import Place, Reader
from confidence_engine.journal.retired import BULKY, Retired, Sealed, finish, kept_of, last_retired, seals, snapshots_of
from confidence_engine.journal.schema import BLOCK
from confidence_engine.journal.tables import RETENTION_NS
from confidence_engine.journal.verify import verify

__all__ = ["last_sealed", "retire", "seal", "snapshot"]


def seal(journal: Journal, state: bytes, facts: dict[str, Any], reserve: bool = True) -> Sealed:
    """Keep a state that has seen every event put so far; on return it has arrived, and the anchor with it.

    `facts` is anything JSON can say about it; `reserve`: on a full disk the journal's reserve is given for it. Raises
    StateUnkept where the file cannot be written, after which the journal goes on, and JournalUnwritable.
    """
    before = journal.commit()
    event, digest = journal.next_event, hashlib.sha256(state).hexdigest()
    folder = snapshots_of(journal.place)
    path = folder / f"{event}.snap"
    if path.name in _named(journal, event):  # one sealed at the same event must stay what it is
        path = folder / f"{event}.{before.number}.snap"
    try:
        folder.mkdir(exist_ok=True)
        journal.keep(path, state, reserve)
    except OSError as error:
        raise StateUnkept(f"{path}: {error.strerror or error}; nothing was sealed") from error
    one = Sealed(path.name, digest, event, before.number, before.hash.hex(), facts)
    journal.put(kinds.CHECKPOINT, event - 1, journal.clock(), payload=msgspec.to_builtins(one))
    journal.anchor()
    return one


def _named(journal: Journal, event: int) -> set[str]:
    """Files of the snapshots that were sealed at an event, the last ones of all."""
    reader = Reader(journal.place, journal.disk)
    try:
        return {one.file for _, one in itertools.takewhile(lambda pair: pair[1].event >= event, seals(reader))}
    finally:
        reader.engine.dispose()


def snapshot(place: Place, one: Sealed, disk: Disk) -> bytes | None:
    """The state as it was sealed, None where its file is not there or not what was sealed."""
    path = snapshots_of(place) / one.file
    try:
        data = disk.read(path, 0, disk.size(path))
    except FileNotFoundError:
        return None
    return data if hashlib.sha256(data).hexdigest() == one.sha256 else None


def last_sealed(reader: Reader) -> tuple[Sealed, bytes] | None:
    """The last state whose file is what was sealed upon the chain as it is, with its bytes; None where there is none.

    Raises JournalDamaged for a CHECKPOINT record that cannot be read.
    """
    found = _last_sealed(reader)
    return None if found is None else found[1:]


def _last_sealed(reader: Reader) -> tuple[int, Sealed, bytes] | None:
    for record, one in seals(reader):
        block = next(reader.blocks(one.block), None)
        if block is None or block.number != one.block or block.hash.hex() != one.head:
            continue
        if (data := snapshot(reader.place, one, reader.disk)) is not None:
            return record.id, one, data
    return None


def retire(journal: Journal, before_ns: int, keep: int = 2) -> Retired | None:
    """Let go of segments and bulky records of days that end by `before_ns`, and of all but the last `keep` snapshots.

    Only what lies behind the last sound checkpoint and is older than RETENTION_NS goes; None where that is nothing.
    What a retirement before this one left undone is done first. Raises JournalDamaged where the journal has a fault,
    as what cannot be proved must not be let go, JournalUnwritable where the record of it cannot be kept.
    """
    if keep < 1:
        raise ValueError(f"keep {keep} snapshots: the last one is needed")
    journal.anchor()
    reader = Reader(journal.place, journal.disk)
    try:
        finish(reader, journal.engine, journal.disk, journal.anchor)
        _refuse_faults(journal.place, journal.disk)
        plan = _plan(reader, before_ns, keep)
        if plan is None:
            return None
        journal.put(kinds.RETIRED, journal.next_event - 1, journal.clock(), payload=msgspec.to_builtins(plan))
        journal.commit()
        finish(reader, journal.engine, journal.disk, journal.anchor)
        return plan
    except (OSError, sa.exc.DBAPIError) as error:
        raise JournalUnwritable(f"{journal.place.folder}: retiring stopped: {error}") from error
    finally:
        reader.engine.dispose()


def _refuse_faults(place: Place, disk: Disk) -> None:
    found = verify(place, disk)
    if found.faults:
        first = found.faults[0]
        raise JournalDamaged(f"{place.folder}: {first.what}: {first.where}; nothing is retired from a journal at fault")


def _plan(reader: Reader, before_ns: int, keep: int) -> Retired | None:
    """What may go."""
    found = _last_sealed(reader)
    if found is None:
        return None
    sealed_id, sealed, _ = found
    held = last_retired(reader)
    first = 0 if held is None else held.through_block + 1
    blocks = list(_ending_by(reader, first, sealed.block, min(before_ns, _last_known(reader) - RETENTION_NS)))
    if not blocks:
        return None
    place = reader.place
    segments = {name: _digest(place.segments / name) for name in sorted({one.segment for one in blocks} - {""})}
    sound = [one for _, one in seals(reader) if one.event <= sealed.event and one.file != sealed.file]
    old = {one.file: one.sha256 for one in sound[keep - 1 :] if (snapshots_of(place) / one.file).exists()}
    through, why = blocks[-1], f"{sealed.file} stands for it"
    return Retired(
        first, through.number, blocks[0].first_record, through.end_record, segments, old,
        [kinds.KIND_NAMES[kind] for kind in BULKY], list(kept_of(reader, blocks)), sealed_id, why,
    )  # fmt: skip


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _last_known(reader: Reader) -> int:
    """When the last event of the journal was known, in ns; there is one, as a segment may go."""
    query = sa.select(sa.func.max(BLOCK.c.number)).where(BLOCK.c.name == reader.place.name, BLOCK.c.events > 0)
    with reader.engine.connect() as c:
        number = c.execute(query).scalar_one()
    if number is None:
        return 0
    return int(np.frombuffer(reader.read(next(reader.blocks(number))), EVENT)["ts_known"][-1])


def _ending_by(reader: Reader, first: int, through: int, limit_ns: int) -> Iterator[Block]:
    """Blocks from `first` on, up to the last whole segment that ends with block `through` or before and by `limit_ns`.

    No event of a segment was known after the day it is named after, so the end of that day is the segment's.
    """
    waiting: list[Block] = []
    for block in reader.blocks(first):
        if block.segment and waiting and any(one.segment not in ("", block.segment) for one in waiting):
            yield from waiting
            waiting = []
        if block.number > through or (block.segment and _day_end(block.segment) > limit_ns):
            return
        waiting.append(block)


def _day_end(segment: str) -> int:
    day = segment.removesuffix(".seg")
    return parse_time(f"{day[:4]}-{day[4:6]}-{day[6:]}") + DAY_NS
