"""What a start finds: the last block of which everything is there, and nothing after it.

Bytes beyond the last block belong to a commit that did not happen. A block whose bytes are not what it says can only be
among the last, and only after a power cut took what had not been synced; it and all after it are taken out, and a
record says so. The anchor is written when all has arrived, so a journal that ends before its anchor was changed by
somebody: that is refused.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa

from confidence_engine.domain.errors import JournalDamaged
from confidence_engine.domain.event import EVENT
from confidence_engine.journal.anchor import Anchor, read_anchor
from confidence_engine.journal.chain import Block, events_hash, records_hash
from confidence_engine.journal.reader import Place, Reader
from confidence_engine.journal.schema import BLOCK, RECORD

__all__ = ["Found", "recover"]


class Found(NamedTuple):
    """The last block, the segment that goes on and its end in bytes, and what was lost (None where nothing was)."""

    last: Block
    segment: str
    end: int
    lost: dict[str, Any] | None


def recover(reader: Reader, engine: sa.Engine) -> Found:
    """Cut a journal back to its last whole block. Raises JournalDamaged where that lies before the anchor."""
    newest = good = reader.last()
    anchor = read_anchor(reader.place.anchor)
    least = anchor.blocks - 1 if anchor is not None and anchor.journal == str(reader.uuid) else 0
    if newest.number < least:
        raise JournalDamaged(f"{reader.place.folder}: it ends at block {newest.number}, and {_bound(anchor)}")
    while not _whole(reader, good):
        if good.number <= least:
            what = f"block {good.number} is not what was committed, and {_bound(anchor)}"
            raise JournalDamaged(f"{reader.place.folder}: {what}; see `confidence journal verify`")
        good = next(reader.blocks(good.number - 1))
    last = good if good.events else _with_events(reader, engine, good.number)
    segment, end = "", 0
    if last is not None:
        segment, end = last.segment, last.position + last.events * EVENT.itemsize
    lost = None
    if good.number < newest.number:
        _forget(reader.place, engine, good)
        lost = {
            "blocks": newest.number - good.number, "events": newest.end_event - good.end_event,
            "records": newest.end_record - good.end_record, "head": newest.hash.hex(),
            "why": "their bytes had not arrived when the power went",
        }  # fmt: skip
    _cut(reader, segment, end)
    return Found(good, segment, end, lost)


def _whole(reader: Reader, block: Block) -> bool:
    """Whether a block's bytes and records are what it says."""
    if block.events and events_hash(reader.read(block)) != block.events_hash:
        return False
    return records_hash(reader.records(first=block.first_record, end=block.end_record)) == block.records_hash


def _bound(anchor: Anchor | None) -> str:
    if anchor is None:
        return "it is the first"
    return f"the anchor of {anchor.written} has seen {anchor.blocks} blocks"


def _with_events(reader: Reader, engine: sa.Engine, number: int) -> Block | None:
    """The last block up to `number` that holds events."""
    query = sa.select(*[c for c in BLOCK.columns if c.name != "name"])
    query = query.where(BLOCK.c.name == reader.place.name, BLOCK.c.number <= number, BLOCK.c.events > 0)
    with engine.connect() as c:
        row = c.execute(query.order_by(BLOCK.c.number.desc()).limit(1)).one_or_none()
    return None if row is None else Block(*row)


def _forget(place: Place, engine: sa.Engine, good: Block) -> None:
    """Take out the rows of blocks after `good`."""
    with engine.begin() as c:
        c.execute(sa.delete(RECORD).where(RECORD.c.name == place.name, RECORD.c.id >= good.end_record))
        c.execute(sa.delete(BLOCK).where(BLOCK.c.name == place.name, BLOCK.c.number > good.number))


def _cut(reader: Reader, segment: str, end: int) -> None:
    """Segments end where the last block ends: later files and bytes were never committed."""
    for path in sorted(reader.place.segments.glob("*.seg")):
        if path.name > segment:
            reader.disk.remove(path)
        elif path.name == segment and reader.disk.size(path) > end:
            reader.disk.cut(path, end)
            reader.disk.sync(path)
