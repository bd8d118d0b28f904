"""A block's bytes are not what its row says, or a row is not what its hash says: what can be told of where and how.

A hash says that something changed, not what. Here the few likely stories are tried, a field put back, two entries put
back in each other's place, and the one that gives the hash again is the true one.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from confidence_engine.domain.event import EVENT, KIND_NAMES
from confidence_engine.journal.chain import (
    BARE_TYPES,
    BLOCK_TYPES,
    HEADER,
    RECORD_TYPES,
    Block,
    Record,
    block_hash,
    events_hash,
    odd_columns,
    records_hash,
)

__all__ = ["displaced", "edited", "mended", "moved_events", "moved_records", "odd_event", "plain_block", "plain_record"]

_EMPTY: Final[dict[type, Any]] = {int: 0, str: "", bytes: b""}
_FAR: Final = 1000
"""How many numbers away a displaced row is looked for."""
_FEW: Final = 64
"""Records of a block up to which every exchange of two is tried."""
_TRIED: Final = 64 << 20
"""Bytes of events that are hashed in search of an exchange."""


def plain_block(row: tuple[Any, ...]) -> tuple[Block, str]:
    """A block of raw values, and the names of those of a type that was never written, which are emptied."""
    if tuple(map(type, row)) == BLOCK_TYPES:
        return Block(*row), ""
    return Block(*_emptied(row, BLOCK_TYPES)), odd_columns(row, BLOCK_TYPES, Block._fields)


def plain_record(row: tuple[Any, ...]) -> tuple[Record, str]:
    """A record of raw values, as `plain_block`."""
    types = BARE_TYPES if row[-1] is None else RECORD_TYPES
    if tuple(map(type, row)) == types:
        return Record(*row), ""
    return Record(*_emptied(row, types)), odd_columns(row, types, Record._fields)


def _emptied(row: tuple[Any, ...], types: tuple[type, ...]) -> list[Any]:
    return [value if type(value) is kind else _EMPTY.get(kind) for value, kind in zip(row, types, strict=True)]


def displaced(journal: uuid.UUID, block: Block) -> int | None:
    """The number under which a row's hash is right, None where there is none near."""
    for step in range(1, _FAR):
        for number in (block.number - step, block.number + step):
            one = block._replace(number=number)
            if _fits(one) and block_hash(journal, one) == block.hash:
                return number
    return None


def mended(before: Block | None, block: Block, after: Block | None, gap: bool) -> Block:
    """A row that is not what it was, with what its neighbours know of it put back.

    `before` says nothing after a `gap`, None is the journal's begin; `after` is only given if it is sound.
    """
    first_event, first_record = (0, 0) if before is None else (before.end_event, before.end_record)
    if gap:
        first_event, first_record = block.first_event, block.first_record
    events, records = block.events, block.records
    if after is not None:
        events, records = after.first_event - first_event, after.first_record - first_record
    return block._replace(
        first_event=first_event, first_record=first_record, events=max(events, 0), records=max(records, 0)
    )


def edited(
    journal: uuid.UUID, before: Block | None, block: Block, after: Block | None, span: Block,
    hashed: Callable[[Block], bytes | None],
) -> Block | None:  # fmt: skip
    """The row as it was before it was edited, None where no such story gives its hash or the next one's link.

    `span` is the row mended, with the hash of the records that are there; `hashed` hashes the events of a row.
    """
    known = {block.hash} if after is None else {block.hash, after.prev_hash}
    prevs = dict.fromkeys((block.prev_hash, block.prev_hash if before is None else before.hash))
    for place in _places(before, span, after):
        if not _fits(place):
            continue
        found = hashed(place)
        tried = itertools.product(
            prevs, dict.fromkeys((span.events_hash, found)), dict.fromkeys((block.records_hash, span.records_hash))
        )
        for prev, events, records in tried:
            one = place._replace(prev_hash=prev, events_hash=events or b"", records_hash=records)
            was = block_hash(journal, one)
            if was in known:
                return one._replace(hash=was)
    return None


def _fits(block: Block) -> bool:
    """Whether all numbers are of 64 bits; sums over nonsense may not be."""
    return all(-(1 << 63) <= value < 1 << 63 for value in block if isinstance(value, int))


def _places(before: Block | None, span: Block, after: Block | None) -> Iterator[Block]:
    """Where the events of a row may have stood."""
    yield span
    if before is not None and before.segment:
        yield span._replace(segment=before.segment, position=before.position + before.events * EVENT.itemsize)
        yield span._replace(position=before.position + before.events * EVENT.itemsize)
    yield span._replace(position=HEADER)
    if after is not None and after.segment:
        yield span._replace(segment=after.segment, position=HEADER)
        yield span._replace(segment=after.segment, position=after.position - span.events * EVENT.itemsize)
    yield span._replace(segment="", position=0)


def moved_records(records: list[Record], wanted: bytes) -> str:
    """Which two records stand in each other's place, in whole or in part; "" where that is not it."""
    if len(records) > _FEW:
        return ""
    parts = {"payloads": ("payload",), "bodies": ("body",), "contents": Record._fields[1:]}
    for low, high in itertools.combinations(range(len(records)), 2):
        one, two = records[low], records[high]
        for part, names in parts.items():
            if all(getattr(one, name) == getattr(two, name) for name in names):
                continue
            tried = list(records)
            tried[low] = one._replace(**{name: getattr(two, name) for name in names})
            tried[high] = two._replace(**{name: getattr(one, name) for name in names})
            if records_hash(tried) == wanted:
                return f"the {part} of records {one.id} and {two.id} stand in each other's place"
    return ""


def moved_events(data: bytes, wanted: bytes) -> list[int]:
    """Positions of events that stand in each other's place in a block; none where that is not it."""
    events = np.frombuffer(data, EVENT)
    order = np.argsort(events["ts_known"], kind="stable")
    if events_hash(events[order].tobytes()) == wanted:
        return [int(k) for k in np.flatnonzero(order != np.arange(len(order)))]
    for low, high in itertools.islice(_exchanges(events["ts_known"]), _TRIED // max(len(data), 1)):
        order = np.arange(len(events))
        order[[low, high]] = order[[high, low]]
        if events_hash(events[order].tobytes()) == wanted:
            return [low, high]
    return []


def _exchanges(known: np.ndarray) -> Iterator[tuple[int, int]]:
    """Pairs of positions, the likeliest first: where time runs back, then neighbours, then any."""
    n = len(known)
    near = sorted({int(k) + d for k in np.flatnonzero(np.diff(known) < 0)[:_FEW] for d in (0, 1)})
    yield from itertools.combinations(near, 2)
    yield from itertools.pairwise(range(n))
    yield from ((min(k, m), max(k, m)) for k in near for m in range(n) if k != m)
    yield from itertools.combinations(range(n), 2)


def odd_event(data: bytes) -> int | None:
    """Position of the first event of a block that cannot be one: of no kind, or known before the one before it."""
    events = np.frombuffer(data[: len(data) // EVENT.itemsize * EVENT.itemsize], EVENT)
    strange = ~np.isin(events["kind"], list(KIND_NAMES))
    strange[1:] |= np.diff(events["ts_known"]) < 0
    return int(np.argmax(strange)) if strange.any() else None
