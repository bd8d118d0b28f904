"""From where a start goes on: a sealed snapshot, or one of two rolling files that are written while the agent runs.

A rolling file names the block it stands on by number and hash. It is believed only where the chain has that very block,
so one that is ahead of a journal whose last blocks a power cut took is passed over. Both files are written beside and
renamed, by turns: a death amid one leaves the other. They are no part of the record, only of the speed of a start.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from confidence_engine.journal.disk import Disk
from confidence_engine.journal.reader import Place, Reader
from confidence_engine.journal.retire import snapshot
from confidence_engine.journal.retired import seals

__all__ = ["Checkpoint", "Kept", "candidates", "keep"]

_FILES: Final = ("rolling.0.snap", "rolling.1.snap")
_MAGIC: Final = b"CEROLL01"


class Checkpoint(msgspec.Struct, frozen=True):
    """Where a snapshot stands: all before `event` is in it, and all records before `record`; its epoch began with
    record `epoch`; the block behind it and its hash.
    """

    event: int
    record: int
    epoch: int
    block: int
    head: str


class Kept(NamedTuple):
    """A snapshot with its place and the name of its file."""

    at: Checkpoint
    data: bytes
    name: str


def keep(place: Place, disk: Disk, at: Checkpoint, data: bytes, turn: int) -> None:
    """Write a rolling checkpoint; `turn` says which of the two files. Raises OSError."""
    head = msgspec.json.encode(at)
    body = _MAGIC + len(head).to_bytes(8, "little") + head + data
    disk.replace(_path(place, turn), body + hashlib.sha256(body).digest())


def candidates(reader: Reader) -> Iterator[Kept]:
    """Snapshots that stand on the chain as it is, the newest first."""
    last = reader.last()
    found = [one for turn in range(len(_FILES)) if (one := _rolling(reader, turn)) is not None]
    found += itertools.islice(_sealed(reader), 1)
    for one in sorted(found, key=lambda one: (one.at.event, one.at.record), reverse=True):
        if one.at.event <= last.end_event and _stands(reader, one.at):
            yield one


def _sealed(reader: Reader) -> Iterator[Kept]:
    """Snapshots of the record, the newest first; a replay's say nothing of where an agent would go on."""
    for _, one in seals(reader):
        if "at_checkpoint" in one.facts and (data := snapshot(reader.place, one, reader.disk)) is not None:
            yield Kept(msgspec.convert(one.facts["at_checkpoint"], Checkpoint), data, one.file)


def _stands(reader: Reader, at: Checkpoint) -> bool:
    block = next(reader.blocks(at.block), None)
    return block is not None and block.number == at.block and block.hash.hex() == at.head


def _rolling(reader: Reader, turn: int) -> Kept | None:
    path = _path(reader.place, turn)
    try:
        data = reader.disk.read(path, 0, reader.disk.size(path))
    except FileNotFoundError:
        return None
    body, told = data[:-32], data[-32:]
    if len(data) < 48 or not body.startswith(_MAGIC) or hashlib.sha256(body).digest() != told:
        return None
    size = int.from_bytes(body[8:16], "little")
    at = msgspec.json.decode(body[16 : 16 + size], type=Checkpoint)
    return Kept(at, body[16 + size :], path.name)


def _path(place: Place, turn: int) -> Path:
    return place.anchor.parent / _FILES[turn % len(_FILES)]
