"""What a step hands outward: decisions, order intents, ledger entries, equity and marks.

Fixed capacity, drained by the driver. `step` never raises: a non-zero `status` in `head`
means halt, discard, restore; `where` is the sequence of the event. Before each step the loop
checks that the worst case fits, so nothing is ever lost for want of room.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from confidence_engine.domain.decision import DECISION, GATES
from confidence_engine.domain.order import INTENT
from confidence_engine.kernel.state import PENDINGS, SOURCES, record_of

__all__ = [
    "ENTRY", "EQUITY", "LESSON", "LESSON_NAMES", "MARKED", "OUT_HEAD", "Out", "STATUS_NAMES", "clear", "new_out",
]  # fmt: skip

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
    "lessons:i",
)  # fmt: skip
ENTRY: Final = record_of(
    "seq:i", "ts_event:i", "ts_known:i", "kind:i", "asset:i", "order_id:i", "ticks:i", "lots:i", "price", "fee_usd",
    "rate", "amount_usd", "why:i", "decision:i",
)  # fmt: skip
EQUITY: Final = record_of("ts_ns:i", "equity", "balance", "gross", "net_usd", "used_margin", "open_positions:i")
MARKED: Final = record_of("ts_ns:i", "asset:i", "lots:i", "price")

# What was learnt: a case that is over, a trade that is over, and every change of a source's weight or of a trigger.
LESSON: Final = record_of(
    "ts_ns:i", "kind:i", "asset:i", "decision:i", "at_ns:i", "cluster:i", "side:i", "gates:i", "passed:i", "why:i",
    "y:i", "net_return", "net_usd", "resolved_ns:i", "stream:i", "before", "after",
    "publishers:u",
)  # fmt: skip
LESSON_OUTCOME, LESSON_EXIT, LESSON_SOURCE, LESSON_TRIGGER = 1, 2, 3, 4
LESSON_NAMES: Final = {
    LESSON_OUTCOME: "outcome", LESSON_EXIT: "exit", LESSON_SOURCE: "source", LESSON_TRIGGER: "trigger",
}  # fmt: skip
LESSONS_A_BAR: Final = PENDINGS * (2 + SOURCES)
"""The most rows that one bar can teach: every open case ends, each told by every source."""


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


def new_out(assets: int, rows: int = 65_536) -> Out:
    """Empty output for a state of `assets`; at least 8 rows an asset fit into each array."""
    size = max(rows, 8 * assets + 64)
    return Out(
        np.zeros(1, OUT_HEAD), np.zeros(size, DECISION), np.zeros(size, INTENT), np.zeros(size, ENTRY),
        np.zeros(size, EQUITY), np.zeros(size, MARKED), np.zeros(GATES, np.int64),
        np.zeros(size + LESSONS_A_BAR, LESSON),
    )  # fmt: skip


def clear(out: Out) -> None:
    """Forget the rows after a drain; judged, degraded and refusals go on counting."""
    head = out.head[0]
    head.decisions = head.intents = head.entries = head.equities = head.marks = head.lessons = 0
