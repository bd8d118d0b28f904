"""Rows that a step hands outward beside decisions and intents: money, marks, and what was learnt.

Each bears `event`, the sequence of the event that made it: the engine counts what it steps from 0, and a journal
stores events by that count. Every field is 8 bytes wide, so a row's bytes hold no padding.
"""

from __future__ import annotations

from typing import Final

import numpy as np

__all__ = [
    "ENTRY", "EQUITY", "LESSON", "LESSON_EXIT", "LESSON_NAMES", "LESSON_OUTCOME", "LESSON_SOURCE", "LESSON_TRIGGER",
    "MARKED", "record_of",
]  # fmt: skip

_KINDS: Final = {"": "f8", "i": "i8", "u": "u8"}


def record_of(*fields: str, **rows: str) -> np.dtype:
    """Record of 8-byte fields: "name" is a float, ":i" an integer, ":u" 64 bits; `rows` adds letters: l="(48,)f8"."""
    kinds = _KINDS | rows
    return np.dtype((np.record, [(f.partition(":")[0], kinds[f.partition(":")[2]]) for f in fields]))


# What happened to the money: fills, liquidations, funding, dividends.
ENTRY: Final = record_of(
    "seq:i", "event:i", "ts_event:i", "ts_known:i", "kind:i", "asset:i", "order_id:i", "ticks:i", "lots:i", "price",
    "fee_usd", "rate", "amount_usd", "why:i", "decision:i",
)  # fmt: skip
EQUITY: Final = record_of(
    "event:i", "ts_ns:i", "equity", "balance", "gross", "net_usd", "used_margin", "open_positions:i"
)
MARKED: Final = record_of("event:i", "ts_ns:i", "asset:i", "lots:i", "price")

# What was learnt: a case that is over, a trade that is over, and every change of a source's weight or of a trigger.
LESSON: Final = record_of(
    "event:i", "ts_ns:i", "kind:i", "asset:i", "decision:i", "at_ns:i", "cluster:i", "side:i", "gates:i", "passed:i",
    "why:i", "y:i", "net_return", "net_usd", "resolved_ns:i", "stream:i", "before", "after", "publishers:u",
)  # fmt: skip
LESSON_OUTCOME, LESSON_EXIT, LESSON_SOURCE, LESSON_TRIGGER = 1, 2, 3, 4
LESSON_NAMES: Final = {
    LESSON_OUTCOME: "outcome", LESSON_EXIT: "exit", LESSON_SOURCE: "source", LESSON_TRIGGER: "trigger",
}  # fmt: skip
