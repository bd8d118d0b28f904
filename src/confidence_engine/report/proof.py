"""That what is told from a journal is what was committed: hashed anew, and chained to the anchor.

Whoever reads notes the records an answer rests on, and the stretches in which it found no more. `settle` then follows
the chain from block 0 to the newest block: every block's row is hashed anew, of the blocks noted the records and the
events too, and the anchor must have seen the same chain. What lies in the other blocks only `journal verify` proves.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Final, TypeVar

import msgspec

from confidence_engine.domain.errors import JournalDamaged
from confidence_engine.domain.event import EVENT
from confidence_engine.journal import kinds
from confidence_engine.journal.anchor import Anchor, read_anchor
from confidence_engine.journal.chain import (
    GENESIS_PREV,
    HEADER,
    SEGMENT,
    Block,
    Record,
    block_hash,
    events_hash,
    records_hash,
)
from confidence_engine.journal.reader import Reader
from confidence_engine.journal.retired import Retired

__all__ = ["NOT_ANCHORED", "Proof"]

NOT_ANCHORED: Final = "its end is not anchored: a cut end or a journal written anew would not be seen"
_T = TypeVar("_T")


class Proof:
    """What one answer rests on. Raises JournalDamaged where the anchor or the newest block is not what was written."""

    def __init__(self, reader: Reader) -> None:
        self._reader, self._noted = reader, list[tuple[int, int]]()
        self._anchor = read_anchor(reader.place.anchor)  # before the rows: whoever writes is then never behind it
        self._proved: list[Block] = []
        self._kept, self._gone = dict[int, str](), set[str]()
        self.anchored = False
        """Whether the chain was followed to the anchor."""
        newest = reader.last()
        if block_hash(reader.uuid, newest) != newest.hash or not 0 < newest.end_record < 1 << 63:
            raise self._changed(newest.number, "its row has another hash")
        self.end = newest.end_record
        """Where the journal ended when the proof began: what is younger is not looked at."""
        self.retired: list[tuple[Record, Retired]] = []
        """What was let go, in order, once `read_retired` was called."""

    @property
    def blocks(self) -> int:
        """How many blocks' records and events were hashed anew."""
        return len(self._proved)

    @property
    def beyond(self) -> int:
        """How many of them are younger than the anchor."""
        seen = 0 if self._anchor is None else self._anchor.blocks
        return sum(one.number >= seen for one in self._proved)

    def note(self, first: int, end: int | None = None) -> None:
        """The answer rests on the records first <= id < end, and on there being no others; on one alone without end."""
        self._noted.append((first, first + 1 if end is None else end))

    def told(self, record: Record, kind: type[_T]) -> _T:
        """The payload of a record, which is noted. Raises JournalDamaged where it has another shape."""
        self.note(record.id)
        try:
            return msgspec.json.decode(record.payload or b"", type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self.unreadable(record, str(error)) from error

    def unreadable(self, record: Record, why: str) -> JournalDamaged:
        """What to raise for a record of another shape; it is noted, so that tampering is told as such first."""
        self.note(record.id)
        name = kinds.KIND_NAMES.get(record.kind, "")
        return JournalDamaged(f"{self._reader.place.folder}: {name} record {record.id} cannot be read: {why}")

    def read_retired(self) -> None:
        """Read what was let go. Raises JournalDamaged."""
        for record in list(self._reader.records(kinds.RETIRED, end=self.end)):
            one = self.told(record, Retired)
            self.retired.append((record, one))
            self._kept |= {kept.block: kept.hash for kept in one.kept}
            self._gone |= set(one.segments)

    def of(self, record: Record) -> Block:
        """The block of a record that was noted and settled."""
        return next(one for one in self._proved if one.first_record <= record.id < one.end_record)

    def settle(self) -> None:
        """Prove all that was noted. Raises JournalDamaged where something is not what was committed."""
        wanted, before, nothing = _merged(self._noted), None, (self.end, self.end)
        low, high = next(wanted, nothing)
        with closing(self._reader.blocks()) as blocks, closing(_Rows(self._reader)) as rows:
            for block in blocks:
                self._link(before, block)
                while high <= block.first_record and low < self.end:
                    low, high = next(wanted, nothing)
                if low < block.end_record and block.first_record < high:
                    self._content(block, rows)
                    self._proved.append(block)
                before = block
        self._ending(before)

    def _link(self, before: Block | None, block: Block) -> None:
        """A block is what its own hash says, goes on where the one before ended, and is the one anchored."""
        number, event, record, prev = 0, 0, 0, GENESIS_PREV
        if before is not None:
            number, event, record, prev = before.number + 1, before.end_event, before.end_record, before.hash
        if block.number != number:
            raise self._damaged(f"block {number} is not there")
        if block_hash(self._reader.uuid, block) != block.hash:
            raise self._changed(number, "its row has another hash")
        if block.prev_hash != prev:
            raise self._changed(max(number - 1, 0), f"block {number} was chained to another")
        if (block.first_event, block.first_record) != (event, record):
            raise self._changed(number, f"it does not go on where block {number - 1} ends")
        anchor = self._anchor
        if anchor is not None and number == anchor.blocks - 1:
            self._anchored(anchor, block)

    def _anchored(self, anchor: Anchor, block: Block) -> None:
        if anchor.journal != str(self._reader.uuid):
            raise self._damaged(f"its anchor is of journal {anchor.journal}")
        if (block.hash.hex(), block.end_event, block.end_record) != (anchor.head, anchor.events, anchor.records):
            raise self._changed(block.number, f"the anchor of {anchor.written} has seen another, or one before it")
        self.anchored = True

    def _content(self, block: Block, rows: _Rows) -> None:
        """The records of a block, or what a retirement kept of them, and its events where they were not let go."""
        held = records_hash(rows.of(block))
        if held != block.records_hash and self._kept.get(block.number) != held.hex():
            raise self._changed(block.number, "its records have another hash")
        reader, path = self._reader, self._reader.place.segments / block.segment
        if block.events and SEGMENT.fullmatch(block.segment):
            size = reader.disk.size(path)
            if not size and block.segment in self._gone:
                return
            if block.position < HEADER or block.position + block.events * EVENT.itemsize > size:
                raise self._changed(block.number, f"segment {block.segment} ends before it or is not there")
        elif block.events:
            raise self._changed(block.number, f"{block.segment!r} is no segment")
        if events_hash(reader.read(block) if block.events else b"") != block.events_hash:
            raise self._changed(block.number, f"its events, in segment {block.segment}, have another hash")

    def _ending(self, last: Block | None) -> None:
        """Neither what was noted nor what the anchor has seen goes farther than the chain."""
        number, end = (-1, 0) if last is None else (last.number, last.end_record)
        if self._anchor is not None and not self.anchored:
            raise self._damaged(f"it ends at block {number}, the anchor has seen {self._anchor.blocks} blocks")
        if (far := max((high for _, high in self._noted), default=0)) > end:
            raise self._damaged(f"record {far - 1} belongs to no block")

    def _changed(self, number: int, why: str) -> JournalDamaged:
        return self._damaged(f"block {number} is not what was committed: {why}")

    def _damaged(self, what: str) -> JournalDamaged:
        return JournalDamaged(f"{self._reader.place.folder}: {what}; see `confidence journal verify`")


class _Rows:
    """The records of blocks in order; of those that follow on each other from one query."""

    def __init__(self, reader: Reader) -> None:
        self._reader, self._end = reader, -1
        self._rows: Generator[Record] | None = None
        self._next: Record | None = None

    def of(self, block: Block) -> Iterator[Record]:
        """Those of a block."""
        if self._rows is None or block.first_record != self._end:
            self.close()
            self._rows = self._reader.records(first=block.first_record)
            self._next = next(self._rows, None)
        self._end = block.end_record
        while self._next is not None and self._next.id < block.end_record:
            yield self._next
            self._next = next(self._rows, None)

    def close(self) -> None:
        """Let go of the query."""
        if self._rows is not None:
            self._rows.close()


def _merged(ranges: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The same records as ranges in order that do not touch."""
    low = high = -1
    for first, end in sorted(ranges):
        if first > high:
            if low >= 0:
                yield low, high
            low, high = first, end
        else:
            high = max(high, end)
    if low >= 0:
        yield low, high
