"""How a journal proves itself: every commit block hashes its events, its records and the block before it.

Haber and Stornetta, J. Cryptology 3 (1991), p. 99: each certificate includes the one before. A block names its own
digests, so the chain can still be followed after the bytes behind an old block were retired. The chain bears no key:
who can write the log can write another that is as sound, so the count and the head hash are kept outside it too.
"""

from __future__ import annotations

import hashlib
import re
import struct
import uuid
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

__all__ = [
    "BARE_TYPES", "BLOCK_TYPES", "GENESIS_PREV", "HEADER", "RECORD_TYPES", "SEGMENT", "Block", "Record", "block_hash",
    "events_hash", "header", "is_header", "odd_columns", "records_hash",
]  # fmt: skip

GENESIS_PREV: Final = bytes(32)
_BLOCK: Final = struct.Struct(">q16s7q")
_RECORD: Final = struct.Struct(">qqqqqq")
_HEADER: Final = struct.Struct("<8sII16sq24x")
_MAGIC: Final = b"CEJOURN1"
HEADER: Final = _HEADER.size
"""Bytes before the first event of a segment: as many as an event has."""
assert HEADER == 64
SEGMENT: Final = re.compile(r"[0-9]{8}\.seg")
"""Name of a segment, in whole; what a row names otherwise is no file of a journal, wherever it leads."""


class Record(NamedTuple):
    """One entry beside the events: `event` is the sequence it belongs to (-1: before the first), times in ns UTC."""

    id: int
    event: int
    kind: int
    ts_ns: int
    body: bytes
    payload: bytes | None


RECORD_TYPES: Final = (int, int, int, int, bytes, bytes)
BARE_TYPES: Final = (int, int, int, int, bytes, type(None))
"""Types of a record's row with a payload and without one: SQLite takes a value of any type in any column."""


class Block(NamedTuple):
    """One commit: which events lie where in which segment, which records go with them, and the hashes over both."""

    number: int
    first_event: int
    events: int
    segment: str  # "" where the block holds no events
    position: int  # byte of the first event in the segment
    events_hash: bytes
    first_record: int
    records: int
    records_hash: bytes
    committed_ns: int
    prev_hash: bytes
    hash: bytes

    @property
    def end_event(self) -> int:
        """Sequence of the first event after the block."""
        return self.first_event + self.events

    @property
    def end_record(self) -> int:
        """Id of the first record after the block."""
        return self.first_record + self.records


BLOCK_TYPES: Final = (int, int, int, str, int, bytes, int, int, bytes, int, bytes, bytes)


def odd_columns(row: tuple[Any, ...], types: tuple[type, ...], names: tuple[str, ...]) -> str:
    """Names of the columns whose value is of a type that was never written, "" where none is."""
    return ", ".join(name for value, kind, name in zip(row, types, names, strict=True) if type(value) is not kind)


def events_hash(data: bytes) -> bytes:
    """SHA-256 over the bytes of a block's events."""
    return hashlib.sha256(data).digest()


def records_hash(records: Iterable[Record]) -> bytes:
    """SHA-256 over every field of the records in order; a payload that is not there differs from an empty one."""
    digest = hashlib.sha256()
    for one in records:
        told = -1 if one.payload is None else len(one.payload)
        digest.update(_RECORD.pack(one.id, one.event, one.kind, one.ts_ns, len(one.body), told))
        digest.update(one.body)
        digest.update(one.payload or b"")
    return digest.digest()


def block_hash(journal: uuid.UUID, block: Block) -> bytes:
    """SHA-256 over the journal's uuid and every field of the block but `hash` itself."""
    numbers = _BLOCK.pack(
        block.number, journal.bytes, block.first_event, block.events, block.position, block.first_record,
        block.records, block.committed_ns, len(block.segment),
    )  # fmt: skip
    digest = hashlib.sha256(b"confidence journal block 1\0" + numbers + block.segment.encode())
    for part in (block.events_hash, block.records_hash, block.prev_hash):
        digest.update(part)
    return digest.digest()


def header(journal: uuid.UUID, event_schema: int, first_event: int) -> bytes:
    """The first 64 bytes of a segment file: whose it is, how its events are laid out, and which comes first."""
    return _HEADER.pack(_MAGIC, event_schema, HEADER, journal.bytes, first_event)


def is_header(data: bytes, journal: uuid.UUID, first_event: int) -> bool:
    """Whether these bytes open a segment of the journal whose first event is this, of whichever event schema."""
    if len(data) != HEADER:
        return False
    schema: int = _HEADER.unpack(data)[1]
    return data == header(journal, schema, first_event)
