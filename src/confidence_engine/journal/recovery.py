"""What a start finds: the last block of which everything is there, and nothing after it.

Bytes beyond the last block belong to a commit that did not happen. All up to the anchor had arrived when that was
written; a power cut may take the bytes of events after it, in any order. So every block from the anchor's on is read
again: the first whose bytes are not there ends the journal, what lay after it is taken out, and a record says so in
the same transaction. Rows come whole or not at all, so rows that contradict each other, the anchor's block included,
were changed by somebody: that is refused. An anchor is written when a journal begins and never lost by a power cut, so
a journal without one was handled by somebody too: nothing is taken out of it, and it goes on only when it is told to
and nothing says that its end was cut off.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, NamedTuple

from confidence_engine.domain.errors import DataMissing, JournalDamaged
from confidence_engine.domain.event import EVENT
from confidence_engine.journal.anchor import Anchor, read_anchor
from confidence_engine.journal.chain import (
    GENESIS_PREV,
    HEADER,
    Block,
    block_hash,
    events_hash,
    is_header,
    records_hash,
)
from confidence_engine.journal.reader import Reader

__all__ = ["Found", "recover"]


class Found(NamedTuple):
    """The last block, the segment that goes on and its end in bytes, and what was lost (None where nothing was).

    The rows of what was lost are still there: whoever goes on takes them out with its first commit.
    """

    last: Block
    segment: str
    end: int
    lost: dict[str, Any] | None


def recover(reader: Reader, unanchored: bool = False) -> Found:
    """Cut a journal's segments back to its last whole block, and wait until what is kept has arrived.

    Raises JournalDamaged where that block lies before the anchor, where rows are not what was committed, or where the
    anchor is gone, unless that is known (`unanchored`), the newest block is whole and nothing lies beyond it;
    DataMissing where a first start was cut off before its first commit.
    """
    anchor = _anchor_of(reader)
    if anchor is None and next(reader.blocks(), None) is None:
        raise DataMissing(f"{reader.place.folder}: its first start was cut off before it began")
    newest = reader.last()
    if anchor is None:
        _refuse_handled(reader, newest, unanchored)
    least = anchor.blocks - 1 if anchor is not None else newest.number
    if newest.number < least:
        raise JournalDamaged(f"{reader.place.folder}: it ends at block {newest.number}, and {_bound(anchor)}")
    good: Block | None = None
    behind: set[Path] = set()
    with contextlib.closing(reader.blocks(least)) as blocks:
        for block in blocks:
            _check_rows(reader, anchor, good, block, least)
            if not _has_arrived(reader, block):
                break
            if block.events and block.number > least:
                behind.add(reader.place.segments / block.segment)
            good = block
    if good is None:
        what = f"the events of block {least} are not what was committed, and {_bound(anchor)}"
        raise JournalDamaged(f"{reader.place.folder}: {what}; see `confidence journal verify`")
    last = good if good.events else reader.last_with_events(good.number)
    segment, end = "", 0
    if last is not None:
        segment, end = last.segment, last.position + last.events * EVENT.itemsize
    _cut(reader, segment, end)
    for path in sorted(behind):
        reader.disk.sync(path)
    return Found(good, segment, end, _lost(good, newest))


def _anchor_of(reader: Reader) -> Anchor | None:
    anchor = read_anchor(reader.place.anchor)
    if anchor is not None and anchor.journal != str(reader.uuid):
        raise JournalDamaged(f"{reader.place.anchor}: of journal {anchor.journal}, and the rows are of {reader.uuid}")
    return anchor


def _refuse_handled(reader: Reader, newest: Block, unanchored: bool) -> None:
    """Raises JournalDamaged where an anchor must have been there once, or where bytes say that more was committed."""
    place = reader.place
    if newest.number > 0 and not unanchored:
        what = f"{newest.number + 1} blocks, and {place.anchor} is gone"
        raise JournalDamaged(f"{what}; put it back, or see `confidence journal anchor`")
    last = newest if newest.events else reader.last_with_events(newest.number)
    segment, end = ("", 0) if last is None else (last.segment, last.position + last.events * EVENT.itemsize)
    for path in sorted(place.segments.glob("*.seg")):
        if path.name > segment or (path.name == segment and reader.disk.size(path) > end):
            what = f"{path} goes on after the last block, so blocks may have been cut off, and no anchor tells"
            raise JournalDamaged(f"{what}; put the anchor back, or move those bytes away if they never were committed")


def _check_rows(reader: Reader, anchor: Anchor | None, before: Block | None, block: Block, least: int) -> None:
    """A power cut takes the last rows or none: what is there has to be whole and follow from what was before."""
    if before is not None:
        follows = (before.number + 1, before.end_event, before.end_record, before.hash)
    else:
        follows = (least, block.first_event, block.first_record, block.prev_hash if least else GENESIS_PREV)
    wrong = follows != (block.number, block.first_event, block.first_record, block.prev_hash)
    if before is None and anchor is not None:
        wrong |= (block.hash.hex(), block.end_event, block.end_record) != (anchor.head, anchor.events, anchor.records)
    mine = reader.records(first=block.first_record, end=block.end_record)
    if wrong or block_hash(reader.uuid, block) != block.hash or records_hash(mine) != block.records_hash:
        what = f"the rows of block {block.number} are not what was committed"
        raise JournalDamaged(f"{reader.place.folder}: {what}; see `confidence journal verify`")


def _has_arrived(reader: Reader, block: Block) -> bool:
    """Whether the bytes of a block's events are there, and the segment's first bytes where the block opens one."""
    if not block.events:
        return True
    if events_hash(reader.read(block)) != block.events_hash:
        return False
    path = reader.place.segments / block.segment
    opens = block.position == HEADER
    return not opens or is_header(reader.disk.read(path, 0, HEADER), reader.uuid, block.first_event)


def _lost(good: Block, newest: Block) -> dict[str, Any] | None:
    if good.number == newest.number:
        return None
    return {
        "blocks": newest.number - good.number, "events": newest.end_event - good.end_event,
        "records": newest.end_record - good.end_record, "head": newest.hash.hex(),
        "why": "their bytes had not arrived when the power went",
    }  # fmt: skip


def _bound(anchor: Anchor | None) -> str:
    if anchor is None:
        return "it is the newest"
    return f"the anchor of {anchor.written} has seen {anchor.blocks} blocks"


def _cut(reader: Reader, segment: str, end: int) -> None:
    """Segments end where the last block ends: later files and bytes were never committed."""
    for path in sorted(reader.place.segments.glob("*.seg")):
        if path.name > segment:
            reader.disk.remove(path)
        elif path.name == segment and reader.disk.size(path) > end:
            reader.disk.cut(path, end)
            reader.disk.sync(path)
