"""One judgement with every number it rests on, and the gates as bits: a refusal is data.

A bit that is set says why nothing was entered. The words for people stand here once, so
that the command line, the artefacts and the chat say the same.
"""

from __future__ import annotations

from typing import Final

import numpy as np

__all__ = [
    "DECISION", "GATES", "GATE_NAMES", "GATE_WORDS", "GATE_NO_EVIDENCE", "GATE_PRICE_COLD", "GATE_PRICE_STALE",
    "GATE_DEGRADED", "GATE_SMALL_GAP", "GATE_OVERREACTION", "GATE_WEAK_STRENGTH", "GATE_WEAK_VOLUME", "GATE_NO_SHORT",
    "GATE_POSITION_OPEN", "GATE_ORDER_WORKING", "GATE_SAME_STORY", "GATE_COOLDOWN", "GATE_HALTED", "GATE_DAILY_LOSS",
    "GATE_DRAWDOWN", "GATE_TRADE_LIMIT", "GATE_POSITION_LIMIT", "GATE_EXPOSURE", "GATE_MARGIN", "GATE_TOO_SMALL",
    "GATE_UNCALIBRATED", "GATE_LOW_QUALITY", "GATE_LOW_CONVICTION", "GATE_NOT_RANKED", "GATE_MARKET_CLOSED",
    "GATE_ADJUSTED", "gate_names",
]  # fmt: skip

(
    GATE_NO_EVIDENCE, GATE_PRICE_COLD, GATE_PRICE_STALE, GATE_DEGRADED, GATE_SMALL_GAP, GATE_OVERREACTION,
    GATE_WEAK_STRENGTH, GATE_WEAK_VOLUME, GATE_NO_SHORT, GATE_POSITION_OPEN, GATE_ORDER_WORKING, GATE_SAME_STORY,
    GATE_COOLDOWN, GATE_HALTED, GATE_DAILY_LOSS, GATE_DRAWDOWN, GATE_TRADE_LIMIT, GATE_POSITION_LIMIT, GATE_EXPOSURE,
    GATE_MARGIN, GATE_TOO_SMALL, GATE_UNCALIBRATED, GATE_LOW_QUALITY, GATE_LOW_CONVICTION, GATE_NOT_RANKED,
    GATE_MARKET_CLOSED, GATE_ADJUSTED,
) = range(27)  # fmt: skip
GATES: Final = 27

GATE_WORDS: Final = {
    "NO_EVIDENCE": "no live story about it",
    "PRICE_COLD": "too few bars to know its volatility",
    "PRICE_STALE": "the last bar is too old",
    "DEGRADED": "an input it needs is missing",
    "SMALL_GAP": "the gap is smaller than the trigger",
    "OVERREACTION": "the price ran beyond the story, which is not licensed to trade",
    "WEAK_STRENGTH": "the evidence is too weak",
    "WEAK_VOLUME": "hardly anyone is trading",
    "NO_SHORT": "the story is bearish and the venue allows no short",
    "POSITION_OPEN": "a position is already open",
    "ORDER_WORKING": "an order is still working",
    "SAME_STORY": "this story was traded already",
    "COOLDOWN": "too soon after the last trade",
    "HALTED": "an operator or the drawdown limit halted entries",
    "DAILY_LOSS": "the loss limit of the day is reached",
    "DRAWDOWN": "the drawdown limit is reached",
    "TRADE_LIMIT": "the number of trades allowed is used up",
    "POSITION_LIMIT": "as many positions as allowed are open",
    "EXPOSURE": "no room under the exposure limits",
    "MARGIN": "no margin to keep liquidation beyond the stop",
    "TOO_SMALL": "the size is below what the venue accepts",
    "UNCALIBRATED": "an uncalibrated confidence never sizes real money",
    "LOW_QUALITY": "the evidence is not good enough",
    "LOW_CONVICTION": "the edge is not large enough",
    "NOT_RANKED": "other cases are stronger and only so many are taken",
    "MARKET_CLOSED": "the market is closed",
    "ADJUSTED": "its price history is adjusted: good for a replay, not for an order",
}
GATE_NAMES: Final = tuple(GATE_WORDS)
assert len(GATE_NAMES) == GATES


def gate_names(bits: int) -> list[str]:
    """Names of the set bits in the order of the gates."""
    return [name for i, name in enumerate(GATE_NAMES) if bits >> i & 1]


DECISION: Final = np.dtype(
    (
        np.record,
        [
            ("seq", "i8"),
            ("ts_ns", "i8"),
            ("asset", "i8"),
            ("underlying", "i8"),
            ("gates", "i8"),  # bits; 0 = entered
            ("side", "i8"),  # +1, -1; 0 = no story
            ("stories", "i8"),  # live clusters
            ("newest_ns", "i8"),  # when the newest item was known; 0 = none ever
            ("lead", "i8"),  # cluster that pulls most; -1 = none
            ("amount", "f8"),  # W
            ("weight", "f8"),  # w in [0, 1)
            ("story", "f8"),  # N in [-1, 1]
            ("z_story", "f8"),  # zN
            ("since_ns", "i8"),  # t0
            ("reaction", "f8"),  # R, in sigma
            ("score_z", "f8"),  # mean / std of a live score; NaN = none
            ("score_weight", "f8"),
            ("gap", "f8"),  # D
            ("trigger", "f8"),
            ("strength", "f8"),
            ("confidence", "f8"),
            ("calibrated", "i8"),
            ("price", "f8"),
            ("price_ns", "i8"),
            ("sigma", "f8"),  # of one bar
            ("atr", "f8"),  # of the exit frame, quote
            ("volume_z", "f8"),
            ("warmth", "f8"),
            ("equity", "f8"),
            ("size_r", "f8"),  # risk taken, in R-units
            ("held_lots", "i8"),
            ("target_lots", "i8"),
            ("stop_ticks", "i8"),
            ("target_ticks", "i8"),
            ("margin_usd", "f8"),
            ("deadline_ns", "i8"),
            ("marks", "i8"),
            ("regime", "i8"),  # packed classes, see kernel/regime
            ("findings", "i8"),  # bits, see kernel/crowd
            ("crowd", "f8"),  # factor on strength
            ("gap_short", "f8"),  # D_h of the short, the middle and the long horizon; NaN = no story that young
            ("gap_mid", "f8"),
            ("gap_long", "f8"),
            ("anticipation", "f8"),  # move in the time before t0, in sigma
            ("market", "f8"),  # reading of the market's narrative times beta; NaN = none
            ("quality", "f8"),  # 0..10
            ("conviction", "f8"),  # 0..10
            ("edge", "f8"),  # what cases are ranked by
        ],
    )
)
assert DECISION.itemsize <= 384
