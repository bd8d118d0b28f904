"""The event Y that confidence predicts, in one compiled function for feedback, world, evaluate and licence.

A decision at t with side s enters at the first open after t by the venue's rule. Y = 1 when, before t + H,
the price comes to entry (1 + s (b sigma_H + cost)) before it comes to entry (1 - s a sigma_H): the gain at the
win barrier is b sigma_H net. Both in one bar counts as the loss, a gap through a barrier settles at that open.
If neither is touched, Y = 1 when the net return at t + H is above zero. What cannot be seen is unresolved
(-1), never a guess: such rows are left out and counted. A resolved label never changes when later bars arrive.
Source: triple barrier, Lopez de Prado, Advances in Financial Machine Learning (2018), ch. 3.4.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Final, NamedTuple

import numpy as np

from confidence_engine.domain.jit import entry, stage
from confidence_engine.domain.params import Bound
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS

__all__ = [
    "ENDED", "HELD", "LOST", "LOST_SIGHT", "Params", "TOUCHED", "UNRESOLVED", "WAITING", "WON", "follow", "label",
    "labels", "sound", "verdict",
]  # fmt: skip

WON, LOST, UNRESOLVED = 1, 0, -1

# Where a case stands after a bar: not entered yet, held; over from here on: a barrier, t + H, or not to be seen.
WAITING, HELD, TOUCHED, ENDED, LOST_SIGHT = range(5)

_NAN: Final = float("nan")


class Params(NamedTuple):
    """Horizon H of the event, its barriers in standard deviations over it, and further horizons told beside it."""

    horizon_ns: Annotated[int, Bound("duration", MINUTE_NS, 365 * DAY_NS)] = 6 * HOUR_NS
    win_sigma: Annotated[float, Bound("ratio", 0.05, 20.0)] = 1.0
    loss_sigma: Annotated[float, Bound("ratio", 0.05, 20.0)] = 1.0
    also_ns: Annotated[tuple[int, ...], Bound("duration", MINUTE_NS, 365 * DAY_NS)] = ()


@stage
def _first_at(times: Any, at_ns: Any) -> Any:
    """Index of the first of the sorted times at or after at_ns; their number where there is none."""
    low, high = 0, len(times)
    while low < high:
        middle = (low + high) // 2
        if times[middle] < at_ns:
            low = middle + 1
        else:
            high = middle
    return low


@stage
def _touch(o: Any, adverse: Any, best: Any, price: Any, side: Any, win: Any, loss: Any) -> Any:
    """(touched, gross return) of one bar that was held from its open: open first, then the loss, then the win."""
    opened = side * (o - price) / price
    if opened <= -loss or opened >= win:
        return True, opened
    if side * (adverse - price) / price <= -loss:
        return True, -loss
    if side * (best - price) / price >= win:
        return True, win
    return False, _NAN


@stage
def sound(side: Any, sigma_h: Any, a: Any, b: Any, cost: Any) -> Any:
    """Whether a decision has a label at all: a side, and barriers and a cost that are finite numbers."""
    usable = (side == 1 or side == -1) and sigma_h > 0.0 and a > 0.0 and b > 0.0 and cost >= 0.0
    return usable and math.isfinite(sigma_h + a + b + cost)


@stage
def follow(
    entry_price: Any, span_ns: Any, open_ns: Any, close_ns: Any, o: Any, h: Any, low: Any, c: Any, at_ns: Any,
    end_ns: Any, side: Any, win: Any, loss: Any, grace_ns: Any,
) -> Any:  # fmt: skip
    """One more bar of a case: (phase, entry price, length of the bar it entered with, gross return once it is over).

    The whole definition is here, a bar at a time: `label` folds it over an array, `kernel/feedback` over the bars as
    they arrive, so that the two cannot differ. A case starts with entry_price 0 and span_ns 0. At t + H the close of
    the bar that ends there comes first, else the first open at or after it, at most a bar late.
    """
    first = entry_price == 0.0
    if first:
        if open_ns < at_ns - grace_ns:
            return WAITING, 0.0, 0, _NAN
        span_ns = close_ns - open_ns
        if open_ns - at_ns > span_ns or not o > 0.0:
            return LOST_SIGHT, 0.0, span_ns, _NAN
        entry_price = o
    final = o
    if close_ns <= end_ns:
        adverse, best = (low, h) if side > 0 else (h, low)
        touched, gross = _touch(o, adverse, best, entry_price, side, win, loss)
        if touched:
            return TOUCHED, entry_price, span_ns, gross
        if close_ns + grace_ns < end_ns:
            return HELD, entry_price, span_ns, _NAN
        final = c
    elif open_ns < end_ns - grace_ns:
        return HELD, entry_price, span_ns, _NAN
    elif first or open_ns - end_ns > span_ns:
        return LOST_SIGHT, entry_price, span_ns, _NAN
    if not final > 0.0:
        return LOST_SIGHT, entry_price, span_ns, _NAN
    return ENDED, entry_price, span_ns, side * (final - entry_price) / entry_price


@stage
def verdict(phase: Any, gross: Any, win: Any, cost: Any) -> Any:
    """(y, net return) of a case that is over."""
    if phase == LOST_SIGHT:
        return UNRESOLVED, _NAN
    won = gross >= win if phase == TOUCHED else gross - cost > 0.0
    return (WON if won else LOST), gross - cost


@entry
def label(
    open_ns: np.ndarray, close_ns: np.ndarray, o: np.ndarray, h: np.ndarray, l: np.ndarray,  # noqa: E741
    c: np.ndarray, at_ns: int, side: int, horizon_ns: int, sigma_h: float, a: float, b: float, cost: float,
    grace_ns: int,
) -> tuple[int, float, int]:  # fmt: skip
    """(y, net_return, resolved_at_ns) of one decision on the bars of its asset.

    open_ns, close_ns i8[n] ascending; o, h, l, c f8[n] contiguous; side +1 or -1; sigma_h the standard deviation
    of the return over the horizon and cost the round trip, as fractions of the entry; a, b in sigma_h; grace_ns
    how long after a bar's open that open still counts as after the decision (the settle delay). All times on one
    clock; a market with sessions passes trading time. y is 1, 0 or -1 with a net return of NaN; resolved_at_ns is
    the close of the last bar that was needed (when it could be known), 0 where later bars may still resolve it.
    """
    if not sound(side, sigma_h, a, b, cost):
        return -1, _NAN, at_ns
    win, loss, end_ns = b * sigma_h + cost, a * sigma_h, at_ns + horizon_ns
    price, span_ns = 0.0, 0
    for k in range(_first_at(open_ns, at_ns - grace_ns), len(open_ns)):
        phase, price, span_ns, gross = follow(
            price, span_ns, open_ns[k], close_ns[k], o[k], h[k], l[k], c[k], at_ns, end_ns, side, win, loss, grace_ns
        )
        if phase > HELD:
            y, net = verdict(phase, gross, win, cost)
            return y, net, close_ns[k]
    return -1, _NAN, 0


@entry
def labels(
    open_ns: np.ndarray,
    close_ns: np.ndarray,
    o: np.ndarray,
    h: np.ndarray,
    l: np.ndarray,  # noqa: E741
    c: np.ndarray,
    at_ns: np.ndarray,
    side: np.ndarray,
    horizon_ns: int,
    sigma_h: np.ndarray,
    a: float,
    b: float,
    cost: np.ndarray,
    grace_ns: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`label` of m decisions on one asset: (y i8[m], net_return f8[m], resolved_at_ns i8[m]).

    at_ns, side i8[m]; sigma_h, cost f8[m]; horizon_ns, a, b, grace_ns are one for all.
    """
    m = len(at_ns)
    y, net, resolved = np.empty(m, np.int64), np.empty(m, np.float64), np.empty(m, np.int64)
    for j in range(m):
        y[j], net[j], resolved[j] = label(
            open_ns, close_ns, o, h, l, c, at_ns[j], side[j], horizon_ns, sigma_h[j], a, b, cost[j], grace_ns
        )
    return y, net, resolved
