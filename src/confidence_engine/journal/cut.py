"""How what was put becomes blocks: one a commit, and more where it reaches over midnight or is very long.

A block's events lie in one segment, the UTC day's; what becomes known late stays in the newest one, so that segments
are only ever appended to.
"""

from __future__ import annotations

import functools
import itertools
import uuid
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from confidence_engine.domain.event import EVENT
from confidence_engine.domain.units import DAY_NS, format_time
from confidence_engine.journal.chain import HEADER, Block, Record, block_hash, events_hash, records_hash

__all__ = ["MAX_BLOCK", "Cut", "cut", "segment_of"]

MAX_BLOCK: Final = 1 << 17
"""Events of one block at most, so that reading one never takes much memory."""


class Cut(NamedTuple):
    """A block with the bytes of its events and its records."""

    block: Block
    data: bytes
    records: list[Record]


def cut(
    journal: uuid.UUID, before: Block, segment: str, end: int, events: np.ndarray, records: list[Record],
    clock: Callable[[], int],
) -> list[Cut]:  # fmt: skip
    """EVENT [n] and records, in the order of their events, as blocks that follow on `before`.

    `segment` is the newest one and `end` its length in bytes; each block is of one day and of MAX_BLOCK events at most.
    """
    spans = _spans(events)
    made: list[Cut] = []
    taken = 0
    for low, high in spans:
        last = (low, high) == spans[-1]
        stop = before.end_event + high - low
        mine = []
        while taken < len(records) and (last or records[taken].event < stop):
            mine.append(records[taken])
            taken += 1
        data, name = events[low:high].tobytes(), ""
        if high > low:
            name = max(segment_of(int(events["ts_known"][low])), segment)  # never back into an older file
            segment, end = (segment, end) if name == segment else (name, HEADER)
        block = _block(journal, before, name, end if name else 0, data, mine, clock())
        made.append(Cut(block, data, mine))
        before, end = block, end + len(data)
    return made


def _spans(events: np.ndarray) -> list[tuple[int, int]]:
    """Where each block begins and ends: never over midnight, never longer than MAX_BLOCK."""
    if not len(events):
        return [(0, 0)]
    known = events["ts_known"]
    if len(events) <= MAX_BLOCK and int(known.min()) // DAY_NS == int(known.max()) // DAY_NS:
        return [(0, len(events))]
    midnights = np.flatnonzero(np.diff(known // DAY_NS)) + 1
    return list(itertools.pairwise(sorted({0, len(events), *midnights.tolist(), *range(0, len(events), MAX_BLOCK)})))


def _block(
    journal: uuid.UUID, before: Block, segment: str, position: int, data: bytes, records: list[Record], now_ns: int
) -> Block:  # fmt: skip
    block = Block(
        before.number + 1, before.end_event, len(data) // EVENT.itemsize, segment, position, events_hash(data),
        before.end_record, len(records), records_hash(records), now_ns, before.hash, b"",
    )  # fmt: skip
    return block._replace(hash=block_hash(journal, block))


def segment_of(known_ns: int) -> str:
    """ "20230101.seg": the UTC day."""
    return _named(known_ns // DAY_NS)


@functools.lru_cache(maxsize=16)
def _named(day: int) -> str:
    return format_time(day * DAY_NS)[:10].replace("-", "") + ".seg"
