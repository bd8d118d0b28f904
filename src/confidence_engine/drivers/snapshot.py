"""State and venue as bytes: what a restart begins from, so that only the tail of a journal is stepped again.

Beside them goes what the rim remembers (stories, streams, timers), as bytes that this file does not look into.
A header in JSON describes every array by field name, so an array whose fields were reordered, or grew by fields that
begin at zero, is read as it was meant; one that lost a field that still held something is refused. Of a state that
another program laid out the facts alone can be taken. The last 32 bytes are the SHA-256 of all before them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from confidence_engine.domain.errors import JournalDamaged
from confidence_engine.domain.event import EVENT_SCHEMA
from confidence_engine.kernel.state import STATE_SCHEMA, State
from confidence_engine.venues.sim import Venue

__all__ = ["Fact", "restore", "restore_facts", "snapshot"]

_MAGIC: Final = b"CESNAP01"


class Fact(NamedTuple):
    """What of an array is a fact: the fields without which nobody can go on, and whether these alone are.

    `newest`: the rows of an array have no order, and where there is less room those go that have least of this field.
    """

    fields: tuple[str, ...]
    alone: bool = False
    newest: str = ""


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
    arrays, memory = _opened(data)
    places = dict(_arrays(state, venue))
    for name, found in arrays.items():
        _put(name, found, places.pop(name, None))
    if places:
        raise JournalDamaged(f"the snapshot holds no {', '.join(sorted(places))}")
    return memory


def restore_facts(data: bytes, state: State, venue: Venue, facts: Mapping[str, Fact]) -> bytes:
    """Put the facts of a snapshot into a fresh state and venue, however another program laid them out; returns the
    memory kept beside them. What is new stays as it is in a fresh state, and so does all that is no fact.

    Raises JournalDamaged as `restore` does, and where a fact is not there.
    """
    arrays, memory = _opened(data)
    places = dict(_arrays(state, venue))
    for name, fact in facts.items():
        found = arrays.get(name)
        there = () if found is None else found.dtype.names or ()
        missing = [f"{name}.{field}" for field in fact.fields if field not in there]
        if found is None or missing:
            raise JournalDamaged(f"the snapshot holds no {', '.join(missing) or name}, which has to be carried over")
        _carry_over(name, fact, found, places[name])
    return memory


def _carry_over(name: str, fact: Fact, found: np.ndarray, place: np.ndarray) -> None:
    """Copy a fact by field, and of the rows those that there is room for; the others must be empty."""
    if fact.newest:
        newest = np.argsort(found[fact.newest], axis=-1, kind="stable")[..., ::-1]
        found = np.take_along_axis(found, newest, axis=-1)
    if found.ndim != place.ndim:
        raise JournalDamaged(f"the snapshot's {name} has shape {found.shape}, this run's {place.shape}")
    corner = tuple(slice(min(a, b)) for a, b in zip(found.shape, place.shape, strict=True))
    for field in fact.fields if fact.alone else found.dtype.names or ():
        if field in (place.dtype.names or ()):
            place[field][corner] = found[field][corner]
        elif found[field].tobytes().strip(b"\0"):
            raise JournalDamaged(f"the snapshot's {name}.{field} has no place in this program")
    rest = found.copy()
    rest[corner] = np.zeros((), found.dtype)
    if not fact.newest and rest.tobytes().strip(b"\0"):
        raise JournalDamaged(f"the snapshot's {name} has shape {found.shape}, and {place.shape} cannot hold all of it")


def _opened(data: bytes) -> tuple[dict[str, np.ndarray], bytes]:
    """The arrays of a snapshot as they were laid out, and the memory. Raises JournalDamaged."""
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
    arrays, at = dict[str, np.ndarray](), 16 + size
    for one in header.arrays:
        layout = np.dtype([(name, code, shape) for name, code, shape in one.fields])
        count = int(np.prod(one.shape))
        arrays[one.name] = np.frombuffer(body, layout, count, at).reshape(one.shape)
        at += count * layout.itemsize
    return arrays, body[at : at + header.memory]


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
