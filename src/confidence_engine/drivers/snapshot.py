"""State and venue as bytes: what a restart begins from, so that only the tail of a journal is stepped again.

Beside them goes what the rim remembers (stories, streams, timers), as bytes that this file does not look into.
A header in JSON describes every array by field name, so an array whose fields were reordered, or grew by fields that
begin at zero, is read as it was meant; one that lost a field that still held something is refused. The last 32 bytes
are the SHA-256 of all before them.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec
import numpy as np

from confidence_engine.domain.errors import JournalDamaged
from confidence_engine.domain.event import EVENT_SCHEMA
from confidence_engine.kernel.state import STATE_SCHEMA, State
from confidence_engine.venues.sim import Venue

__all__ = ["restore", "snapshot"]

_MAGIC: Final = b"CESNAP01"


class _Array(msgspec.Struct, frozen=True):
    name: str
    shape: tuple[int, ...]
    fields: list[tuple[str, str, tuple[int, ...]]]


class _Header(msgspec.Struct, frozen=True):
    event_schema: int
    state_schema: int
    arrays: list[_Array]
    memory: int = 0


def snapshot(state: State, venue: Venue, memory: bytes = b"") -> bytes:
    """All bytes of both, with their description and hash."""
    arrays = _arrays(state, venue)
    told = [_Array(name, one.shape, _fields(one.dtype)) for name, one in arrays]
    header = msgspec.json.encode(_Header(EVENT_SCHEMA, STATE_SCHEMA, told, len(memory)))
    parts = [_MAGIC, len(header).to_bytes(8, "little"), header]
    parts += [np.ascontiguousarray(one).tobytes() for _, one in arrays]
    parts.append(memory)
    body = b"".join(parts)
    return body + hashlib.sha256(body).digest()


def restore(data: bytes, state: State, venue: Venue) -> bytes:
    """Put a snapshot's values into a fresh state and venue of the same run; returns the memory kept beside them.

    Raises JournalDamaged where the bytes are not a whole snapshot, are of another event schema, or hold something
    that there is no place for.
    """
    body, told = data[:-32], data[-32:]
    if len(data) < 48 or not body.startswith(_MAGIC) or hashlib.sha256(body).digest() != told:
        raise JournalDamaged("the snapshot is not what was written")
    size = int.from_bytes(body[8:16], "little")
    try:
        header = msgspec.json.decode(body[16 : 16 + size], type=_Header)
    except msgspec.DecodeError as error:
        raise JournalDamaged(f"the snapshot's header cannot be read: {error}") from error
    if header.event_schema != EVENT_SCHEMA:
        raise JournalDamaged(f"the snapshot is of event schema {header.event_schema}, this program's is {EVENT_SCHEMA}")
    places, at = dict(_arrays(state, venue)), 16 + size
    for one in header.arrays:
        layout = np.dtype([(name, code, shape) for name, code, shape in one.fields])
        count = int(np.prod(one.shape))
        found = np.frombuffer(body, layout, count, at).reshape(one.shape)
        at += count * layout.itemsize
        _put(one.name, found, places.pop(one.name, None))
    if places:
        raise JournalDamaged(f"the snapshot holds no {', '.join(sorted(places))}")
    return body[at : at + header.memory]


def _put(name: str, found: np.ndarray, place: np.ndarray | None) -> None:
    """Copy an array field by field; what the program no longer has must be empty."""
    if place is None:
        if found.tobytes().strip(b"\0"):
            raise JournalDamaged(f"the snapshot's {name} has no place in this program")
        return
    if found.shape != place.shape:
        raise JournalDamaged(f"the snapshot's {name} has shape {found.shape}, this run's {place.shape}")
    for field in found.dtype.names or ():
        if field in (place.dtype.names or ()):
            place[field] = found[field]
        elif found[field].tobytes().strip(b"\0"):
            raise JournalDamaged(f"the snapshot's {name}.{field} has no place in this program")


def _arrays(state: State, venue: Venue) -> list[tuple[str, np.ndarray]]:
    mine = [(f"state.{name}", one) for name, one in zip(State._fields, state, strict=True)]
    return mine + [(f"venue.{name}", one) for name, one in zip(Venue._fields, venue, strict=True)]


def _fields(layout: np.dtype[Any]) -> list[tuple[str, str, tuple[int, ...]]]:
    return [(name, layout[name].base.str, layout[name].shape) for name in layout.names or ()]
