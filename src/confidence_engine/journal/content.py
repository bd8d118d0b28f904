"""What the blocks of a journal speak of, held against them: the records in the rows, the events in the segments.

Both are read once, in order. What cannot be of a block at all (a record too many, one of no kind, a segment that ends
too early) is told at once and by its own number; for the rest there is only the hash of the block.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from confidence_engine.domain.errors import JournalDamaged
from confidence_engine.domain.event import EVENT
from confidence_engine.journal import kinds
from confidence_engine.journal.chain import HEADER, SEGMENT, Block, Record, events_hash, header, records_hash
from confidence_engine.journal.damage import moved_events, moved_records, odd_event, plain_record
from confidence_engine.journal.epoch import Epochs
from confidence_engine.journal.faults import CHANGED, FOREIGN, MISSING, REORDERED, TRUNCATED, Findings
from confidence_engine.journal.reader import Reader
from confidence_engine.journal.retired import Kept, retirements

__all__ = ["Records", "Segments"]

_SIZE: Final = EVENT.itemsize


class Records:
    """The rows of the records, followed block by block."""

    def __init__(
        self, reader: Reader, found: Findings, rows: Iterable[Any], epochs: Epochs | None, kept: dict[int, Kept]
    ) -> None:
        self.reader, self.found, self.epochs, self.kept = reader, found, epochs, kept
        self.waiting = 0  # blocks whose records are retired and still there
        self._told = False  # whether what is wrong with the block has a name already
        self._rows = self._plain(rows)
        self._next = next(self._rows, None)

    def hash(self, span: Block, gap: bool, sure: bool = True) -> bytes:
        """Hash of what is there of a block; after a `gap` what comes before it is the missing blocks'.

        A record is measured by its block's row only where that has a hash, so that the row is believed.
        Where it is not `sure` how many records the block has, those count that say they are its own.
        """
        self._told = not sure
        while self._next is not None and self._next[0].id < span.first_record:
            if not gap:
                one = self._next[0]
                self.found.add(FOREIGN, f"record {one.id} belongs to no block", record=one.id, event=one.event)
            self._next = next(self._rows, None)
        return records_hash(self._of(span, sure))

    def compare(self, block: Block, found: bytes) -> None:
        """Tell what is wrong where the hash is not the block's."""
        kept = self.kept.get(block.number)
        if found == block.records_hash:
            self.waiting += kept is not None
        elif kept is not None and found.hex() != kept.hash:
            what = f"the records that stayed of block {block.number} when others were retired"
            self.found.add(CHANGED, what, block=block.number, record=block.first_record)
        elif kept is None and not self._told:
            last = block.end_record - 1
            which = f"record {last}" if block.records == 1 else f"one of the records {block.first_record} to {last}"
            rows = list(self.reader.records(first=block.first_record, end=block.end_record))
            moved = moved_records(rows, block.records_hash)
            what = f"block {block.number}: {moved or which}"
            self.found.add(REORDERED if moved else CHANGED, what, block=block.number, record=block.first_record)

    def beyond(self) -> None:
        """What is left when the last block is done."""
        if self._next is None:
            return
        first = last = self._next[0].id
        for record, *_ in self._rows:
            last = record.id
        self.found.add(FOREIGN, f"records {first} to {last} belong to no block", record=first)

    def _plain(self, rows: Iterable[Any]) -> Iterator[tuple[Record, Any, bool]]:
        """Records, the block each says it is of, and whether what is wrong with it has been told."""
        for row in rows:
            record, wrong = plain_record(tuple(row)[:6])
            if wrong:
                self.found.add(CHANGED, f"record {record.id}: {wrong}: of another type", record=record.id)
            yield record, row[6], bool(wrong)

    def _of(self, span: Block, sure: bool) -> Iterator[Record]:
        expected, event = span.first_record, -1
        gone = span.number in self.kept
        while self._next is not None and self._next[0].id < span.end_record:
            one, block, odd = self._next
            if not sure and block != span.number:
                return
            self._told |= odd
            if one.id > expected and not gone:
                self._missing(span, expected, one.id)
            if span.hash and (wrong := self._wrong(span, one, event)) is not None:
                self._told = True
                self.found.add(CHANGED, f"record {one.id}: {wrong}", record=one.id, block=span.number, event=one.event)
            if block != span.number:
                what = f"record {one.id} says it is of block {block!r}, and is of {span.number}"
                self.found.add(CHANGED, what, record=one.id, block=span.number, event=one.event)
            self.found.read += len(one.body) + len(one.payload or b"")
            expected, event = one.id + 1, max(event, one.event)
            yield one
            self._next = next(self._rows, None)
        if expected < span.end_record and not gone:
            self._missing(span, expected, span.end_record)

    def _wrong(self, span: Block, one: Record, event: int) -> str | None:
        """What of a record cannot be, None where all can."""
        if one.kind not in kinds.KIND_NAMES:
            return f"there is no kind {one.kind}"
        if not event <= one.event < max(span.end_event, 0):
            return None if one.event == -1 else f"it is of event {one.event}, after one of {event}"
        if self.epochs is not None and one.kind in kinds.ROWS:
            try:
                width = self.epochs.layout(one.kind, one.id).itemsize
            except JournalDamaged as error:
                return str(error)
            if len(one.body) != width:
                return f"its body has {len(one.body)} bytes, a row of kind {kinds.KIND_NAMES[one.kind]} {width}"
        return None

    def _missing(self, span: Block, first: int, end: int) -> None:
        self._told = True
        which = f"record {first}" if end == first + 1 else f"records {first} to {end - 1}"
        self.found.add(MISSING, f"{which} of block {span.number}", block=span.number, record=first)


class Segments:
    """The files of the events, followed block by block."""

    def __init__(self, reader: Reader, found: Findings, journal: uuid.UUID, schema: int, retired: set[str]) -> None:
        self.reader, self.found, self.uuid, self.schema = reader, found, journal, schema
        self.retired, self.folder = retired, reader.place.segments
        self.gaps = False  # whether blocks are missing, whose bytes then stand in no row
        self._last, self._end = "", 0
        self._seen: set[str] = set()
        self._absent: set[str] = set()

    def hash(self, block: Block, gap: bool) -> bytes | None:
        """Hash of the events of a block, None where they are not all there, which is told once for a segment."""
        if block.events == 0:
            return events_hash(b"")
        self.stand(block, gap)
        if block.segment in self._absent or not SEGMENT.fullmatch(block.segment):
            return None
        size = self._size(block.segment)
        if size >= block.position + block.events * _SIZE:
            return self.read(block)
        if self._let_go(block.segment):
            return None
        self._absent.add(block.segment)
        if size == 0:
            what = f"segment {block.segment}, from block {block.number} on"
            self.found.add(MISSING, what, block=block.number, segment=block.segment, byte=0, event=block.first_event)
        else:
            event = block.first_event + max(size - block.position, 0) // _SIZE
            what = f"segment {block.segment} ends at byte {size}, in or before block {block.number}: no event {event}"
            self.found.add(TRUNCATED, what, block=block.number, segment=block.segment, byte=size, event=event)
        return None

    def read(self, block: Block) -> bytes | None:
        """Hash of the events of a row, None where it names bytes that are not there."""
        if block.events == 0:
            return events_hash(b"")
        if not SEGMENT.fullmatch(block.segment) or block.position < 0:
            return None
        if not 0 < block.events * _SIZE <= self._size(block.segment) - block.position:
            return None
        data = self.reader.read(block)
        self.found.read += len(data)
        return events_hash(data)

    def stand(self, block: Block, gap: bool) -> None:
        """Where a block stands in its segment, and the header of a new one."""
        if block.events == 0:
            return
        began = block.segment != self._last
        if began:
            self._left_over(last=False)
        wanted = HEADER if began else self._end
        if not gap and (block.position != wanted or block.segment < self._last):
            what = f"block {block.number} stands at byte {block.position} of {block.segment}, after {self._last}"
            self.found.add(REORDERED, what, block=block.number, segment=block.segment, byte=block.position)
        self._last, self._end = block.segment, block.position + block.events * _SIZE
        if block.segment in self._seen or not SEGMENT.fullmatch(block.segment) or self._size(block.segment) == 0:
            return  # what is no segment's name is no file of ours, wherever it leads
        self._seen.add(block.segment)
        told = self.reader.disk.read(self.folder / block.segment, 0, HEADER)
        if block.position == HEADER and told != header(self.uuid, self.schema, block.first_event):
            what = f"the header of segment {block.segment}"
            self.found.add(CHANGED, what, block=block.number, segment=block.segment, byte=0, event=block.first_event)

    def compare(self, block: Block, found: bytes | None) -> None:
        """Tell what is wrong where the hash is not the block's."""
        if found is None or found == block.events_hash:
            return
        data, end = self.reader.read(block), block.position + block.events * _SIZE
        moved = [block.first_event + k for k in moved_events(data, block.events_hash)]
        odd = odd_event(data)
        where = f"block {block.number}, segment {block.segment}, bytes {block.position} to {end - 1}"
        at, what = block.first_event, f"{where}: one of the events {block.first_event} to {block.end_event - 1}"
        if moved:
            at, what = moved[0], f"{where}: events {moved[0]} to {moved[-1]} stand in each other's place"
        elif odd is not None:
            at, what = block.first_event + odd, f"{where}: most likely event {block.first_event + odd}"
        byte = block.position + (at - block.first_event) * _SIZE
        kind = REORDERED if moved else CHANGED
        self.found.add(kind, what, block=block.number, segment=block.segment, byte=byte, event=at)

    def beyond(self) -> None:
        """Bytes and files of which no block speaks."""
        self._left_over(last=True)
        for path in sorted(self.folder.glob("*")) if self.folder.is_dir() else ():
            if path.name in self.retired:
                self.found.notes.append(f"{path.name} is retired and still there")
            elif path.name in self._seen or path.name in self._absent:
                continue
            elif SEGMENT.fullmatch(path.name) and self._ours(path) and (self.gaps or path.name > self._last):
                self.found.notes.append(f"{path.name} holds nothing that was committed")
            else:
                self.found.add(FOREIGN, f"{path.name} is no segment of this journal", segment=path.name, byte=0)

    def _left_over(self, last: bool) -> None:
        """Bytes after the last block of a segment: of a commit that was not finished, or nobody's."""
        more = self._size(self._last) - self._end if SEGMENT.fullmatch(self._last) else 0
        if more > 0 and last:
            self.found.notes.append(f"{more} bytes of {self._last} after the last block were never committed")
        elif more > 0 and not self.gaps:
            what = f"{more} bytes after the last block of segment {self._last}"
            self.found.add(FOREIGN, what, segment=self._last, byte=self._end)

    def _ours(self, path: Path) -> bool:
        """Whether a file begins as a segment of this journal, or has not come so far."""
        told = self.reader.disk.read(path, 0, HEADER)
        told, wanted = told.rstrip(b"\0"), header(self.uuid, self.schema, 0)
        return told[:32] == wanted[: min(len(told), 32)]

    def _size(self, segment: str) -> int:
        return self.reader.disk.size(self.folder / segment)

    def _let_go(self, segment: str) -> bool:
        """Whether a segment that is not there was retired, be it since the check began."""
        if segment not in self.retired:
            self.retired |= {name for one in retirements(self.reader) for name in one.segments}
        return segment in self.retired
