"""What may enter: an event about an asset that exists, whose numbers are numbers in their range.

Feeds drop and count what they cannot place; what comes here all the same would poison an
estimator for ever or write beyond an array, and compiled code would not even notice. So it is
refused whole, the state is not touched, and the run stops. Only a volume and a funding mark
may be missing (NaN): both are allowed to be unknown.
"""

from __future__ import annotations

import math

from confidence_engine.domain.event import (
    BAR,
    CANCELLED,
    COMMAND,
    CORPORATE,
    DIVIDEND,
    FEED,
    FILL,
    FUNDING,
    LIQUIDATION,
    REJECT,
    SCORE,
    SESSION,
    SIGNAL,
    SPLIT,
    bar_close,
    bar_high,
    bar_low,
    bar_open,
    bar_volume,
    command_code,
    corporate_value,
    corporate_what,
    fill_fee,
    fill_leaves,
    fill_lots,
    fill_order,
    fill_ticks,
    funding_mark,
    funding_rate,
    reject_order,
    score_horizon,
    score_mean,
    score_std,
    signal_certainty,
    signal_cluster,
    signal_novelty,
    signal_polarity,
    signal_relevance,
)
from confidence_engine.domain.jit import stage
from confidence_engine.domain.order import CMD_FLATTEN, CMD_HALT, CMD_LIMIT, CMD_RESUME, CMD_STAND_DOWN
from confidence_engine.kernel import feed, session

__all__ = ["sound"]

WHOLE = 2.0**53
"""Above this a float no longer holds every integer."""


@stage
def sound(s, event):
    """Whether the event may touch the state; kinds that the kernel does not know are left to `step`."""
    h, kind = s.head[0], event.kind
    if kind == BAR:
        return event.asset < h.n_assets and _bar(event)
    if kind == SIGNAL:
        return event.asset < h.n_underlyings and _signal(event)
    if kind == FILL or kind == LIQUIDATION:
        return event.asset < h.n_assets and _fill(event)
    if kind == FUNDING:
        return event.asset < h.n_assets and _funding(event)
    if kind == SCORE:
        return event.asset < h.n_assets and _score(event)
    if kind == CANCELLED or kind == REJECT:
        return event.asset < h.n_assets and 0.0 <= reject_order(event) < WHOLE
    if kind == SESSION:
        return session.orderly(s, event)
    if kind == CORPORATE:
        return event.asset < h.n_assets and _corporate(s.asset[event.asset], event)
    if kind == COMMAND:
        code = command_code(event)
        entries = code == CMD_HALT or code == CMD_RESUME or code == CMD_STAND_DOWN
        return entries or code == CMD_FLATTEN or code == CMD_LIMIT
    if kind == FEED:
        return feed.orderly(s, event)
    return True


@stage
def _bar(event):
    """0 < low <= open, close <= high < inf; the volume is not negative, or unknown."""
    low, high = bar_low(event), bar_high(event)
    if not (low > 0.0 and high < math.inf):
        return False
    if not (low <= bar_open(event) <= high and low <= bar_close(event) <= high):
        return False
    volume = bar_volume(event)
    return not (volume < 0.0 or volume == math.inf)


@stage
def _signal(event):
    """Polarity in [-1, 1], the rest in [0, 1], a whole number for the story."""
    return (
        -1.0 <= signal_polarity(event) <= 1.0
        and 0.0 <= signal_certainty(event) <= 1.0
        and 0.0 <= signal_novelty(event) <= 1.0
        and 0.0 <= signal_relevance(event) <= 1.0
        and abs(signal_cluster(event)) < WHOLE
    )


@stage
def _fill(event):
    """A price above zero, some lots, a fee."""
    return (
        0.0 < fill_ticks(event) < WHOLE
        and 0.0 < abs(fill_lots(event)) < WHOLE
        and math.isfinite(fill_fee(event))
        and 0.0 <= fill_order(event) < WHOLE
        and abs(fill_leaves(event)) < WHOLE
    )


@stage
def _score(event):
    """A finite mean, a deviation above zero, a horizon above zero that fits into 64 bits."""
    if not (math.isfinite(score_mean(event)) and 0.0 < score_std(event) < math.inf):
        return False
    return 0.0 < score_horizon(event) < 9.2e18


@stage
def _corporate(a, event):
    """A split of a sane ratio, or a dividend above zero that is less than the price."""
    what, value = corporate_what(event), corporate_value(event)
    if what == SPLIT:
        return 0.001 <= value <= 1000.0
    return what == DIVIDEND and value > 0.0 and (value < a.price or (a.n_bars == 0 and value < math.inf))


@stage
def _funding(event):
    """A finite rate; the mark may be unknown."""
    return math.isfinite(funding_rate(event)) and funding_mark(event) != math.inf
