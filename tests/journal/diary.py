"""What a test writes into a journal and remembers, and the walk that recomputes every hash of what is stored.

The walk shares only the formulas of `journal.chain` with the code it judges.
"""

from __future__ import annotations

import itertools
import os
import random
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from confidence_engine.domain.event import EVENT, EVENT_SCHEMA, timer_events
from confidence_engine.domain.units import DAY_NS, HOUR_NS
from confidence_engine.journal import kinds
from confidence_engine.journal.chain import (
    GENESIS_PREV,
    HEADER,
    Block,
    Record,
    block_hash,
    events_hash,
    header,
    records_hash,
)
from confidence_engine.journal.log import Journal, create, reopen
from confidence_engine.journal.reader import Genesis, Place, Reader

__all__ = ["BEGIN", "PATHS", "Diary", "Stored", "begin", "genesis", "go_on", "ticking", "walk"]

BEGIN = 20_000 * DAY_NS
_ROOT = Path(__file__).resolve().parent.parent.parent
PATHS = os.environ | {"PYTHONPATH": f"{_ROOT / 'src'}{os.pathsep}{_ROOT}"}
"""Environment of a process of its own that has to find the project and its tests."""
_OURS = (kinds.COMMAND, kinds.DECISION)


def ticking(start: int = BEGIN) -> Callable[[], int]:
    """A clock that goes on by one at each look."""
    return itertools.count(start).__next__


UUID = 1


def genesis(name: str = "probe", number: int | None = None) -> Genesis:
    """The same genesis each time."""
    of = {"DECISION": [["word", "<u8"]]}
    return Genesis(
        str(uuid.UUID(int=UUID if number is None else number)),
        name,
        name,
        "replay",
        "then",
        EVENT_SCHEMA,
        1,
        "revision",
        of,
        True,
    )


def begin(place: Place, **options: Any) -> Journal:
    """A new journal without a reserve unless told."""
    settings = {"reserve": 0, "clock": ticking()} | options
    return create(place, genesis(place.name), [(kinds.PARAMS, {"a": 1})], **settings)


def go_on(place: Place, **options: Any) -> Journal:
    """The journal again, without a reserve unless told."""
    return reopen(place, **({"reserve": 0, "clock": ticking(BEGIN + DAY_NS)} | options))


class Stored(NamedTuple):
    """All of a journal: its blocks, the bytes of its events, its records."""

    blocks: list[Block]
    events: bytes
    records: list[Record]


def walk(place: Place, exact: bool = True) -> Stored:
    """Everything stored, each hash recomputed and the chain followed; `exact`: nothing lies beyond the last block."""
    reader = Reader(place)
    try:
        blocks, records = list(reader.blocks()), list(reader.records())
    finally:
        reader.close()
    assert blocks, "no block"
    assert [one.id for one in records] == list(range(len(records)))
    events, prev, ends = b"", GENESIS_PREV, {}
    for k, block in enumerate(blocks):
        assert (block.number, block.first_event, block.prev_hash) == (k, len(events) // EVENT.itemsize, prev)
        mine = records[block.first_record : block.end_record]
        assert block.first_record == (blocks[k - 1].end_record if k else 0)
        assert records_hash(mine) == block.records_hash
        assert block_hash(reader.uuid, block) == block.hash
        data = b""
        if block.events:
            file = (place.segments / block.segment).read_bytes()
            assert block.position == ends.get(block.segment, HEADER)
            if block.position == HEADER:
                assert file[:HEADER] == header(reader.uuid, EVENT_SCHEMA, block.first_event)
            ends[block.segment] = block.position + block.events * EVENT.itemsize
            data = file[block.position : ends[block.segment]]
            days = np.frombuffer(data, EVENT)["ts_known"] // DAY_NS
            assert len(set(days.tolist())) == 1
        assert events_hash(data) == block.events_hash
        events, prev = events + data, block.hash
    assert blocks[-1].end_record == len(records)
    if exact:
        assert {file.name: file.stat().st_size for file in place.segments.glob("*")} == ends
    return Stored(blocks, events, records)


class Diary:
    """A writer that remembers what it put and how far it was acknowledged."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.now = BEGIN + 20 * HOUR_NS
        self.events = b""
        self.records: list[tuple[int, int, int, bytes, bytes | None]] = []
        self.acknowledged = (0, 0)

    def put(self, journal: Journal, most: int = 6) -> None:
        """Up to `most` events, hours apart at times, and as many records beside them."""
        gaps = [self.rng.choice((1, 1, 1, HOUR_NS)) for _ in range(self.rng.randint(0, most))]
        times = self.now + np.cumsum(np.array(gaps, np.int64)) if gaps else np.zeros(0, np.int64)
        events = timer_events(times, True)
        if gaps:
            self.now = int(times[-1])
        first = journal.put_events(events)
        assert first * EVENT.itemsize == len(self.events), "a sequence was left out"
        self.events += events.tobytes()
        told = self.records[-1][0] if self.records else -1
        for _ in range(self.rng.randint(0 if gaps else 1, most)):
            told = self.rng.randint(max(told, first - 1), journal.next_event - 1)
            self._put(journal, told)

    def _put(self, journal: Journal, event: int) -> None:
        number = len(self.records)
        if self.rng.random() < 0.5:
            body, said = number.to_bytes(8, "little"), None
            journal.put(kinds.DECISION, event, self.now, body)
        else:
            body, said = b"", {"number": number, "text": "x" * self.rng.randint(0, 900)}
            journal.put(kinds.COMMAND, event, self.now, payload=said)
        payload = None if said is None else msgspec.json.encode(said)
        kind = kinds.DECISION if said is None else kinds.COMMAND
        self.records.append((event, kind, self.now, body, payload))

    def commit(self, journal: Journal) -> None:
        """Commit, and remember that it was acknowledged."""
        journal.commit()
        self.acknowledged = (len(self.events) // EVENT.itemsize, len(self.records))

    def compare(self, stored: Stored) -> tuple[int, int]:
        """Events and records that are there, which have to be a beginning of what was put."""
        mine = [tuple(one)[1:] for one in stored.records if one.kind in _OURS]
        assert self.events.startswith(stored.events)
        assert mine == self.records[: len(mine)]
        return len(stored.events) // EVENT.itemsize, len(mine)

    def outlived(self, stored: Stored) -> None:
        """All that was acknowledged is there, and of what was not all or nothing; go on from there."""
        there = self.compare(stored)
        put = (len(self.events) // EVENT.itemsize, len(self.records))
        assert there in (self.acknowledged, put), f"{there}, acknowledged {self.acknowledged}, put {put}"
        self.go_on_from(stored)

    def go_on_from(self, stored: Stored) -> None:
        """Forget what is not there."""
        events, records = self.compare(stored)
        self.events, self.records = self.events[: events * EVENT.itemsize], self.records[:records]
        self.acknowledged = events, records
        last = np.frombuffer(self.events, EVENT)["ts_known"]
        self.now = int(last[-1]) if len(last) else BEGIN + 20 * HOUR_NS
