"""A journal whose anchor is gone, anchored again by hand.

Nothing can prove then that its end was not cut off, so no program does it by itself: all that is there has to be sound,
no bytes and no sealed state may speak of more, and who decided it, and why, is written into the journal before the new
anchor.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from confidence_engine.domain.errors import JournalDamaged, UsageError
from confidence_engine.journal import kinds
from confidence_engine.journal.anchor import Anchor, read_anchor
from confidence_engine.journal.disk import Disk
from confidence_engine.journal.log import Journal, reopen
from confidence_engine.journal.reader import Place, Reader
from confidence_engine.journal.retired import seals, snapshots_of
from confidence_engine.journal.verify import verify

__all__ = ["reanchor"]


def reanchor(
    place: Place, operator: str, reason: str, *, disk: Disk | None = None, clock: Callable[[], int] = time.time_ns
) -> Anchor:
    """Check a whole journal, record the command, and anchor it; returns the anchor.

    Raises UsageError where there is an anchor, JournalDamaged where the journal is not sound, DataMissing where there
    is none, JournalUnwritable where another process writes it.
    """
    if read_anchor(place.anchor) is not None:
        raise UsageError(f"{place.anchor} is there; only a journal without one is anchored anew")
    journal = reopen(place, disk=disk, reserve=0, clock=clock, unanchored=True)  # from here on nobody else writes
    try:
        found = verify(place, disk)
        if not found.sound:
            first = found.faults[0]
            raise JournalDamaged(f"{place.folder}: {first.what}: {first.where}; a journal at fault is not anchored")
        _refuse_unsealed(journal)
        told = {"command": "anchor", "operator": operator, "reason": reason, "blocks": found.blocks}
        journal.put(kinds.COMMAND, journal.next_event - 1, clock(), payload=told)
        return journal.anchor()
    finally:
        journal.abandon()


def _refuse_unsealed(journal: Journal) -> None:
    """Raises JournalDamaged for a state that no checkpoint seals: the checkpoint may have been cut off."""
    reader = Reader(journal.place, journal.disk)
    try:
        sealed = {one.file for _, one in seals(reader)}
    finally:
        reader.close()
    for path in sorted(snapshots_of(journal.place).glob("*.snap")):
        if path.name not in sealed:
            what = f"{path} is sealed by no checkpoint, so blocks may have been cut off"
            raise JournalDamaged(f"{what}; move it away if it never was")
