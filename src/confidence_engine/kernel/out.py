"""What a step hands outward: decisions, order intents, ledger entries, equity, marks, lessons, the venue's words.

Fixed capacity, drained by the driver. `step` never raises: a non-zero `status` in `head`
means halt, discard, restore; `where` is the sequence of the event. Before each step the loop
checks that the worst case fits, so nothing is ever lost for want of room.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from confidence_engine.domain.decision import DECISION, GATES
from confidence_engine.domain.event import EVENT
from confidence_engine.domain.order import INTENT
from confidence_engine.domain.record import ENTRY, EQUITY, LESSON, MARKED, record_of
from confidence_engine.kernel.state import PENDINGS, SOURCES

__all__ = ["OUT_HEAD", "Out", "STATUS_NAMES", "clear", "new_out"]

STATUS_OK, STATUS_UNKNOWN_KIND, STATUS_ORDER, STATUS_NO_ROOM, STATUS_NUMBER, STATUS_UNSOUND = 0, 1, 2, 3, 4, 5
STATUS_NAMES: Final = {
    STATUS_OK: "ok",
    STATUS_UNKNOWN_KIND: "an event of a kind this kernel does not know",
    STATUS_ORDER: "an event older than the last one",
    STATUS_NO_ROOM: "an output array overflowed",
    STATUS_NUMBER: "a number that is not finite in the ledger",
    STATUS_UNSOUND: "an event about an unknown asset or with a number that cannot be",
}

OUT_HEAD: Final = record_of(
    "status:i", "where:i", "decisions:i", "intents:i", "entries:i", "equities:i", "marks:i", "judged:i", "degraded:i",
    "lessons:i", "heard:i", "event:i",
)  # fmt: skip
_COUNTS: Final = ("decisions", "intents", "entries", "equities", "marks", "lessons", "heard")
LESSONS_A_BAR: Final = PENDINGS * (2 + SOURCES)
"""The most rows that one bar can teach: every open case ends, each told by every source."""

HEARD_AN_EVENT: Final = 4096
"""The most that the venue may say between two stored events; more ends the run."""


class Out(NamedTuple):
    """Output arrays; `refusals` counts every gate bit of every judgement, also of those not written in full."""

    head: np.ndarray  # OUT_HEAD [1]
    decisions: np.ndarray  # DECISION [D]
    intents: np.ndarray  # INTENT [I]
    entries: np.ndarray  # ENTRY [E]
    equities: np.ndarray  # EQUITY [Q]
    marks: np.ndarray  # MARKED [M]
    refusals: np.ndarray  # i8 [GATES]
    lessons: np.ndarray  # LESSON [L]
    decided_at: np.ndarray  # i8 [D]: the sequence of the timer behind each decision
    heard: np.ndarray  # EVENT [H]: what the venue said, as it was stepped
    heard_at: np.ndarray  # i8 [H]: the sequence of each


def new_out(assets: int, rows: int = 65_536) -> Out:
    """Empty output for a state of `assets`; at least 8 rows an asset fit into each array."""
    size = max(rows, 8 * assets + 64)
    return Out(
        np.zeros(1, OUT_HEAD), np.zeros(size, DECISION), np.zeros(size, INTENT), np.zeros(size, ENTRY),
        np.zeros(size, EQUITY), np.zeros(size, MARKED), np.zeros(GATES, np.int64),
        np.zeros(size + LESSONS_A_BAR, LESSON), np.zeros(size, np.int64), np.zeros(size + HEARD_AN_EVENT, EVENT),
        np.zeros(size + HEARD_AN_EVENT, np.int64),
    )  # fmt: skip


def clear(out: Out) -> None:
    """Forget the rows after a drain; judged, degraded and refusals go on counting."""
    for name in _COUNTS:
        out.head[name] = 0
