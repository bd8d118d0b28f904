"""How many blocks there were and what the last one hashed to, kept outside the log.

A chain without a key cannot see that its end was cut off or that all of it was written anew. The anchor can, as far as
it is kept where the log's writer has no hand: copy it to another machine to be safe from whoever owns this one.
"""

from __future__ import annotations

import uuid
from pathlib import Path

import msgspec

from confidence_engine.domain.errors import JournalDamaged
from confidence_engine.domain.units import format_time
from confidence_engine.journal.chain import Block
from confidence_engine.journal.disk import Disk

__all__ = ["Anchor", "read_anchor", "write_anchor"]


class Anchor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Blocks, events and records that existed when it was written, and the hash of the last block in hex."""

    journal: str
    name: str
    blocks: int
    events: int
    records: int
    head: str
    written: str


def write_anchor(disk: Disk, path: Path, journal: uuid.UUID, name: str, last: Block, now_ns: int) -> Anchor:
    """Replace the anchor; on return it has arrived on the disk."""
    one = Anchor(
        str(journal), name, last.number + 1, last.end_event, last.end_record, last.hash.hex(), format_time(now_ns)
    )
    disk.replace(path, msgspec.json.format(msgspec.json.encode(one), indent=1) + b"\n")
    return one


def read_anchor(path: Path) -> Anchor | None:
    """The anchor, None where there is none. Raises JournalDamaged where it cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Anchor)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        said = "put a copy back, or remove it and see `confidence journal anchor`"
        raise JournalDamaged(f"{path}: not an anchor: {error}; {said}") from error
