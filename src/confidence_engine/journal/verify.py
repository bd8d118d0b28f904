"""Whether a journal is what was committed, and where it is not.

Every block is hashed anew from its row, the bytes of its events and its records, and must name the block before it; so
a change anywhere shows at its block, and one that was hashed over shows at the link after it or, where all that follows
was written anew, at the anchor. Without an anchor a cut end or a whole rewrite cannot be seen, and that is said. What a
RETIRED record names may be gone. Everything is read once, in order, from one view of the rows.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import time
import uuid
from collections.abc import Iterable, Iterator
from typing import Any, Final

import sqlalchemy as sa

from confidence_engine.domain.errors import DataMissing, JournalDamaged
from confidence_engine.domain.event import EVENT_SCHEMA
from confidence_engine.journal import kinds
from confidence_engine.journal.anchor import Anchor, read_anchor
from confidence_engine.journal.chain import GENESIS_PREV, Block, Record, block_hash
from confidence_engine.journal.content import Records, Segments
from confidence_engine.journal.damage import displaced, edited, mended, plain_block
from confidence_engine.journal.database import is_postgres
from confidence_engine.journal.disk import Disk
from confidence_engine.journal.epoch import Epochs
from confidence_engine.journal.faults import (
    CHANGED,
    FOREIGN,
    MISSING,
    REORDERED,
    REWRITTEN,
    TRUNCATED,
    UNREADABLE,
    Findings,
)
from confidence_engine.journal.reader import Genesis, Place, Reader, raw
from confidence_engine.journal.retired import Retired, Sealed, retirements, seals, snapshots_of
from confidence_engine.journal.schema import BLOCK, JOURNAL, RECORD

__all__ = ["NOT_ANCHORED", "verify"]

NOT_ANCHORED: Final = "consistent, end not anchored: a cut end or a journal written anew would not be seen"
_AT_A_TIME: Final = 2000


def verify(place: Place, disk: Disk | None = None) -> Findings:
    """Check one journal against itself and its anchor.

    Raises DataMissing where there is nothing of one, RunError where its rows cannot be had now and OSError where its
    anchor cannot be read: neither is a finding.
    """
    found, begun, anchor = Findings(place.name, str(place.folder)), time.perf_counter(), None
    try:
        anchor = read_anchor(place.anchor)  # before the rows: whoever writes meanwhile is then never behind it
    except JournalDamaged as error:
        found.add(UNREADABLE, str(error))
    alone = anchor is None and found.sound
    try:
        reader = Reader(place, disk)
        try:
            _Walk(reader, anchor, found).all()
        finally:
            reader.engine.dispose()
    except DataMissing as error:
        if alone and not any(place.segments.glob("*")):
            raise
        found.add(MISSING, str(error))
    except JournalDamaged as error:
        found.add(UNREADABLE, str(error))
    except OSError as error:
        found.add(UNREADABLE, f"{error.filename or place.folder}: {error.strerror or error}")
    if alone and found.sound:
        found.notes.append(NOT_ANCHORED)
    found.seconds = time.perf_counter() - begun
    return found


class _Walk:
    """One pass over a journal, in the order of its blocks."""

    def __init__(self, reader: Reader, anchor: Anchor | None, found: Findings) -> None:
        self.reader, self.place, self.anchor, self.found = reader, reader.place, anchor, found
        self.uuid = reader.uuid
        self.schema = EVENT_SCHEMA
        self.epochs: Epochs | None = None
        self.retired: list[Retired] = []
        self.sealed: dict[int, list[Sealed]] = {}
        self.records: Records
        self.segments: Segments
        self.gap = False  # whether what stands right before the block is missing

    def all(self) -> None:
        """The whole check."""
        with self.reader.connected() as c:
            if is_postgres(self.place.database):
                c = c.execution_options(isolation_level="REPEATABLE READ")
            self._entries(c)
            kept = {kept.block: kept for one in self.retired for kept in one.kept}
            gone = {name for one in self.retired for name in one.segments}
            self.segments = Segments(self.reader, self.found, self.uuid, self.schema, gone)
            with self._rows(c, Record._fields, RECORD) as records, self._rows(c, Block._fields, BLOCK) as blocks:
                self.records = Records(self.reader, self.found, records, self.epochs, kept)
                last = self._chain(self._blocks(blocks))
                self.records.beyond()
        self.segments.beyond()
        self._snapshots()
        self._ending(last)

    def _rows(self, c: sa.Connection, fields: tuple[str, ...], table: sa.Table) -> sa.CursorResult[Any]:
        """Rows of this journal in order; a record's with its block's number behind."""
        names = (*fields, "block") if table is RECORD else fields
        query = sa.select(*raw(names, table)).where(table.c.name == self.place.name).order_by(table.c[fields[0]])
        return c.execute(query.execution_options(yield_per=_AT_A_TIME))

    # What the journal says of itself

    def _entries(self, c: sa.Connection) -> None:
        """Identity, layouts, and what was sealed and retired."""
        name, found = self.place.name, self.found
        row = c.execute(sa.select(*JOURNAL.columns).where(JOURNAL.c.name == name)).one()
        for table in () if is_postgres(self.place.database) else (JOURNAL, BLOCK, RECORD):
            for end in (sa.func.min(table.c.name), sa.func.max(table.c.name)):
                if (other := c.execute(sa.select(end)).scalar_one()) not in (name, None):
                    found.add(FOREIGN, f"the table {table.name} holds rows of {other!r}, which is not this journal")
        try:
            genesis = self.reader.genesis()
            self.schema = genesis.event_schema
            self._identity(genesis, row, next(self.reader.blocks(), None))
            epochs = self.reader.epochs()
            for kind in kinds.ROWS:
                epochs.layout(kind, 0)
            self.epochs = epochs
        except JournalDamaged as error:
            found.add(UNREADABLE, str(error), block=0, record=0)
        try:
            self.retired = list(retirements(self.reader))
            for _, one in seals(self.reader):
                self.sealed.setdefault(one.block, []).append(one)
        except JournalDamaged as error:
            found.add(UNREADABLE, str(error))
        found.uuid = str(self.uuid)

    def _identity(self, genesis: Genesis, row: Any, first: Block | None) -> None:
        """The uuid and the name in the genesis record, the row and the anchor are one."""
        told = {"the genesis record": (genesis.journal, genesis.name), "the row": (row.uuid, row.name)}
        if self.anchor is not None:
            told["the anchor"] = (self.anchor.journal, self.anchor.name)
        if len(set(told.values())) > 1:
            said = ", ".join(f"{who} says {journal} {name!r}" for who, (journal, name) in told.items())
            self.found.add(CHANGED, f"whose journal it is: {said}", block=0, record=0)
            for journal, _ in told.values():  # go on with the one that the first block was hashed with
                with contextlib.suppress(ValueError):  # what is no id hashed nothing
                    if first is not None and block_hash(uuid.UUID(journal), first) == first.hash:
                        self.uuid = uuid.UUID(journal)
                        break
        begun = next(self.reader.records(kinds.GENESIS), None)
        if begun is not None and begun.ts_ns != row.created_ns:
            what = f"created_ns of the row is {row.created_ns}, the genesis record is of {begun.ts_ns}"
            self.found.add(CHANGED, what, block=0, record=0)
        if genesis.event_schema != EVENT_SCHEMA:
            what = f"events of schema {genesis.event_schema}; this program reads {EVENT_SCHEMA}"
            self.found.add(UNREADABLE, what, block=0, record=0)

    # The chain

    def _blocks(self, rows: Iterable[Any]) -> Iterator[Block]:
        for row in rows:
            block, wrong = plain_block(tuple(row))
            if wrong:
                self.found.add(CHANGED, f"row of block {block.number}: {wrong}: of another type", block=block.number)
            yield block

    def _chain(self, blocks: Iterator[Block]) -> Block | None:
        """Follow it; returns the last block."""
        before: Block | None = None
        ends: list[Block | None] = [None]
        expected, sound = 0, True
        for block, after in itertools.pairwise(itertools.chain(blocks, ends)):
            assert block is not None
            self.found.blocks += 1
            own, lost = block_hash(self.uuid, block) == block.hash, False
            if not own and (was := displaced(self.uuid, block)) is not None:
                what = f"in the place of block {block.number} stands block {was}"
                self.found.add(REORDERED, what, block=block.number)
                self.gap = self.segments.gaps = True
                before, expected = block, block.number + 1
                continue
            if block.number != expected:
                self._missing(expected, before, block)
            if own:
                self._link(before, block, sound)
                self._content(block, self.records.hash(block, self.gap), self.segments.hash(block, self.gap))
            else:
                lost = not self._row(before, block, after)
                self.segments.gaps |= lost
            before, sound, expected, self.gap = block, own, block.number + 1, lost
        return before

    def _missing(self, expected: int, before: Block | None, block: Block) -> None:
        event, record = (0, 0) if before is None else (before.end_event, before.end_record)
        which = f"block {expected}" if block.number == expected + 1 else f"blocks {expected} to {block.number - 1}"
        what = f"{which}: events {event} to {block.first_event - 1}, records {record} to {block.first_record - 1}"
        self.found.add(MISSING, what, block=expected, record=record, event=event)
        self.gap = self.segments.gaps = True

    def _link(self, before: Block | None, block: Block, sound: bool) -> None:
        """A sound block names the one before it, goes on where that ended, and is what was sealed and anchored."""
        found = self.found
        if before is None and not self.gap and block.prev_hash != GENESIS_PREV:
            found.add(REWRITTEN, "block 0 is not the first of its chain", block=0)
        elif before is not None and not self.gap and sound:
            if block.prev_hash != before.hash:
                what = f"block {before.number} is not the one that block {block.number} was chained to"
                found.add(REWRITTEN, what, block=before.number)
            elif (block.first_event, block.first_record) != (before.end_event, before.end_record):
                what = f"block {block.number} does not go on where {before.number} ends"
                found.add(CHANGED, what, block=block.number)
        for one in self.sealed.get(block.number, []):
            if one.head != block.hash.hex():
                what = f"block {block.number} is not the one upon which {one.file} was sealed"
                found.add(REWRITTEN, what, block=block.number)
        if self.anchor is not None and block.number == self.anchor.blocks - 1:
            self._anchored(self.anchor, block)

    def _anchored(self, anchor: Anchor, block: Block) -> None:
        if block.hash.hex() != anchor.head:
            what = f"the anchor of {anchor.written} has seen another block {block.number}: it or one before it is new"
            self.found.add(REWRITTEN, what, block=block.number)
        elif (block.end_event, block.end_record) != (anchor.events, anchor.records):
            told = f"{anchor.events} events and {anchor.records} records"
            what = f"the anchor tells of {told}, its block ends at {block.end_event} and {block.end_record}"
            self.found.add(CHANGED, what, block=block.number)

    def _row(self, before: Block | None, block: Block, after: Block | None) -> bool:
        """A row that is not what its own hash says; returns whether it is known where the block ends."""
        sure = after is None or block_hash(self.uuid, after) == after.hash
        span = mended(before, block, after if sure else None, self.gap)
        span = span._replace(records_hash=self.records.hash(span._replace(hash=b""), self.gap, sure))
        was = edited(self.uuid, before, block, after if sure else None, span, self.segments.read)
        if was is not None:
            names = ", ".join(name for name in Block._fields if getattr(was, name) != getattr(block, name))
            self.found.add(CHANGED, f"row of block {block.number}: {names}", block=block.number)
            self.segments.stand(was, self.gap)
            return sure
        self.found.add(CHANGED, f"row of block {block.number}: not what its hash says", block=block.number)
        if sure:
            was = span._replace(records_hash=block.records_hash)
            self._content(was, span.records_hash, self.segments.hash(was, self.gap))
        return sure

    def _content(self, block: Block, records: bytes, events: bytes | None) -> None:
        self.records.compare(block, records)
        self.segments.compare(block, events)

    # The end

    def _snapshots(self) -> None:
        """Files of sealed states."""
        folder, gone = snapshots_of(self.place), {name for one in self.retired for name in one.snapshots}
        for one in itertools.chain(*self.sealed.values()):
            path = folder / one.file
            if not path.is_file():
                if one.file not in gone:
                    self.found.add(MISSING, f"snapshot {one.file}, sealed at event {one.event}", event=one.event)
                continue
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != one.sha256:
                    self.found.add(CHANGED, f"snapshot {one.file}, sealed at event {one.event}", event=one.event)
        known = {one.file for one in itertools.chain(*self.sealed.values())}
        self.found.notes.extend(
            f"{path.name} was never sealed" for path in sorted(folder.glob("*.snap")) if path.name not in known
        )

    def _ending(self, last: Block | None) -> None:
        """How far it goes, and how far the anchor has seen it go."""
        found, anchor = self.found, self.anchor
        if self.records.waiting:
            found.notes.append(f"{self.records.waiting} blocks hold records that are retired and still there")
        if last is not None:
            found.events, found.records, found.head = last.end_event, last.end_record, last.hash.hex()
        if anchor is None:
            if last is None:
                found.notes.append("nothing was committed yet")
            return
        found.anchored = anchor.blocks
        number = -1 if last is None else last.number
        if number < anchor.blocks - 1:
            lost = anchor.blocks - 1 - number
            what = f"it ends at block {number}, the anchor of {anchor.written} has seen {lost} more"
            event, record = (0, 0) if last is None else (last.end_event, last.end_record)
            found.add(TRUNCATED, what, block=number + 1, event=event, record=record)
        elif number > anchor.blocks - 1:
            found.notes.append(f"the last {number - anchor.blocks + 1} blocks are not anchored yet")
