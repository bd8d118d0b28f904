"""A journal whose anchor is gone, anchored again by hand.

Nothing can tell then whether its end was cut off, so no program does it by itself: all that is there has to be sound,
and who decided it, and why, is written into the journal before the new anchor.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from confidence_engine.domain.errors import JournalDamaged, UsageError
from confidence_engine.journal import kinds
from confidence_engine.journal.anchor import Anchor, read_anchor
from confidence_engine.journal.disk import Disk
from confidence_engine.journal.log import reopen
from confidence_engine.journal.reader import Place
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
        told = {"command": "anchor", "operator": operator, "reason": reason, "blocks": found.blocks}
        journal.put(kinds.COMMAND, journal.next_event - 1, clock(), payload=told)
        return journal.anchor()
    finally:
        journal.abandon()
