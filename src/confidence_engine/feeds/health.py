"""What a feed may do before it counts as ill, and which single rows cannot be.

A bar is late after its close + latency + `patience` intervals. One that is due and has not come by then makes its
stream STALE; more than `missing` bars left out make a GAP. A stream is BACK after `back_bars` whole bars in time one
after another: three, because the kernel calls a price stale after three (`[kernel.price] stale_bars`), so that one
lucky bar does not open what three missing ones close. The clock may be out by `clock_step` and is trusted again after
`clock_settle` without a step. A price `spike` times the last close, or a part of it, is refused until the next bar
says the same. The rules for rows are those of `feeds.clean`; nothing is mended. Neutral: patience 0, missing
1,000,000, news_silence 0, clock_step 0, spike 0 (repeats, late rows and rows that cannot be are dropped all the same).
"""

from __future__ import annotations

import math
from typing import Annotated, Final, NamedTuple

from confidence_engine.domain.event import DIVIDEND, SPLIT
from confidence_engine.domain.params import Bound
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

__all__ = ["NEUTRAL", "UNSOUND_NAMES", "Params", "bar_fault", "corporate_fault", "funding_fault", "score_fault"]

PRICE_MISSING, PRICE_ZERO, RANGE, VOLUME, STAMP, UNFINISHED, SPIKE, RATE, SCORE, ACTION, SESSION = range(1, 12)
UNSOUND_NAMES: Final = {
    PRICE_MISSING: "a price is missing or not a number",
    PRICE_ZERO: "a price is not above zero",
    RANGE: "high and low do not hold open and close",
    VOLUME: "the volume is below zero or infinite",
    STAMP: "its stamp is off the grid of its interval",
    UNFINISHED: "it is not over yet by the ingress clock",
    SPIKE: "a price is too far from the last close",
    RATE: "the rate is missing or above 50 %",
    SCORE: "a score needs a finite mean, a deviation and a horizon above zero",
    ACTION: "neither a split of a sane ratio nor a dividend above zero",
    SESSION: "the session does not follow the one before",
}
"""What the value of an UNSOUND event says; part of the stored format."""


class Params(NamedTuple):
    """How patient ingress is; see the head of the file."""

    patience: Annotated[float, Bound("ratio", 0.0, 1000.0)] = 1.0
    missing: Annotated[int, Bound("count", 0, 1_000_000)] = 0
    back_bars: Annotated[int, Bound("count", 1, 1000)] = 3
    news_silence_ns: Annotated[int, Bound("duration", 0, 30 * DAY_NS)] = 0
    clock_step_ns: Annotated[int, Bound("duration", 0, HOUR_NS)] = SECOND_NS
    clock_settle_ns: Annotated[int, Bound("duration", 0, DAY_NS)] = MINUTE_NS
    spike: Annotated[float, Bound("ratio", 0.0, 1e6)] = 5.0


NEUTRAL: Final = Params(0.0, 1_000_000, 1, 0, 0, 0, 0.0)
"""No feed is ever ill; what comes twice, late or broken is dropped and said all the same."""


def bar_fault(row: tuple[float, ...], interval_ns: int) -> int:
    """Rule that a BAR_ROW as a tuple breaks by itself, 0 for none."""
    opened, closed, o, h, l, c, v = row  # noqa: E741
    if not (0.0 < l <= o <= h < math.inf and l <= c <= h):
        prices = (o, h, l, c)
        if not all(map(math.isfinite, prices)):
            return PRICE_MISSING
        return RANGE if min(prices) > 0.0 else PRICE_ZERO
    if v < 0.0 or v == math.inf:  # NaN is a volume that nobody gave
        return VOLUME
    if interval_ns < DAY_NS and (closed - opened != interval_ns or opened % interval_ns):
        return STAMP
    return 0 if 0 < opened < closed else STAMP


def funding_fault(row: tuple[float, ...]) -> int:
    """Rule that a FUNDING_ROW breaks, 0 for none."""
    return 0 if abs(row[1]) <= 0.5 else RATE


def score_fault(row: tuple[float, ...]) -> int:
    """Rule that a SCORE_ROW breaks, 0 for none."""
    _, horizon_ns, mean, std = row
    return 0 if math.isfinite(mean) and 0.0 < std < math.inf and 0 < horizon_ns < 2**62 else SCORE


def corporate_fault(row: tuple[float, ...]) -> int:
    """Rule that a CORPORATE_ROW breaks, 0 for none."""
    _, what, value = row
    sound = 0.001 <= value <= 1000.0 if what == SPLIT else what == DIVIDEND and 0.0 < value < math.inf
    return 0 if sound else ACTION
