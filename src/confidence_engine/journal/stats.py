"""What a journal holds, how much of it, and since when: counted, not checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import sqlalchemy as sa

from confidence_engine.domain.event import EVENT, KIND_NAMES
from confidence_engine.domain.units import DAY_NS, format_time
from confidence_engine.journal import kinds
from confidence_engine.journal.anchor import read_anchor
from confidence_engine.journal.database import is_postgres
from confidence_engine.journal.reader import DATABASE, Reader
from confidence_engine.journal.retired import retirements
from confidence_engine.journal.schema import RECORD

__all__ = ["stats"]


def stats(reader: Reader) -> dict[str, Any]:
    """Counts, bytes and times of one journal. Raises JournalDamaged where it cannot be read."""
    genesis, last, place = reader.genesis(), reader.last(), reader.place
    counts, first_ns, last_ns, retired, missing = _events(reader, last.number)
    segments = sum(path.stat().st_size for path in place.segments.glob("*.seg"))
    rows = _row_bytes(reader)
    days = max((last_ns - first_ns) / DAY_NS, 1.0) if first_ns else 0.0
    return {
        "name": genesis.name, "journal": genesis.journal, "run": genesis.run, "created": genesis.created,
        "synthetic": genesis.synthetic, "code_revision": genesis.code_revision, "blocks": last.number + 1,
        "events": last.end_event, "events_by_kind": counts, "retired_events": retired, "missing_events": missing,
        "records": last.end_record,
        "records_by_kind": _records(reader), "retired_records": sum(one.removed for one in retirements(reader)),
        "segment_bytes": segments, "row_bytes": rows, "days": round(days, 3),
        "bytes_a_day": round((segments + rows) / days) if days else None,
        "first": format_time(first_ns) if first_ns else None, "last": format_time(last_ns) if first_ns else None,
        "head": last.hash.hex(), "committed": format_time(last.committed_ns), "anchor": _anchor(reader, last.number),
    }  # fmt: skip


def _events(reader: Reader, last: int) -> tuple[dict[str, int], int, int, int, int]:
    """Events by kind, when the first and the last were known, how many were retired, and how many are missing."""
    gone = {name for one in retirements(reader) for name in one.segments}
    counts, first_ns, last_ns, retired, missing = np.zeros(65_536, np.int64), 0, 0, 0, 0
    for block in reader.blocks():
        if block.number > last or block.events == 0:
            continue
        data = reader.read(block)
        events = np.frombuffer(data[: len(data) // EVENT.itemsize * EVENT.itemsize], EVENT)
        if block.segment in gone:
            retired += block.events - len(events)
        else:
            missing += block.events - len(events)
        if len(events) == 0:
            continue
        counts += np.bincount(events["kind"], minlength=len(counts))
        first_ns, last_ns = first_ns or int(events["ts_known"][0]), int(events["ts_known"][-1])
    found = {KIND_NAMES.get(kind, str(kind)): int(counts[kind]) for kind in np.flatnonzero(counts).tolist()}
    return found, first_ns, last_ns, retired, missing


def _records(reader: Reader) -> dict[str, int]:
    query = sa.select(RECORD.c.kind, sa.func.count()).where(RECORD.c.name == reader.place.name)
    with reader.connected() as c:
        rows = c.execute(query.group_by(RECORD.c.kind).order_by(RECORD.c.kind)).all()
    return {kinds.KIND_NAMES.get(kind, str(kind)): count for kind, count in rows}


def _row_bytes(reader: Reader) -> int:
    """Bytes of the SQLite file with its log; of a server, which other journals share, the bytes of the records."""
    place = reader.place
    if not is_postgres(place.database):
        return sum(path.stat().st_size for path in place.folder.glob(f"{DATABASE}*"))
    told = sa.func.coalesce(sa.func.length(RECORD.c.payload), 0)
    query = sa.select(sa.func.sum(sa.func.length(RECORD.c.body) + told)).where(RECORD.c.name == place.name)
    with reader.connected() as c:
        return int(c.execute(query).scalar_one() or 0)


def _anchor(reader: Reader, last: int) -> dict[str, Any] | None:
    anchor = read_anchor(reader.place.anchor)
    if anchor is None:
        return None
    return {"blocks": anchor.blocks, "behind": last + 1 - anchor.blocks, "written": anchor.written}
