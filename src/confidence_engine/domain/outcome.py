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

__all__ = ["LOST", "Params", "UNRESOLVED", "WON", "label", "labels"]

WON, LOST, UNRESOLVED = 1, 0, -1

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
def _exit(open_ns: Any, close_ns: Any, o: Any, c: Any, first: Any, after: Any, end_ns: Any, grace_ns: Any) -> Any:
    """(price, known_ns) at t + H; price NaN where there is none: for good if known_ns > 0, so far if it is 0.

    `after` is the first bar that closes later than t + H. The close of the bar that ends there comes first, so
    that the answer is the same whether or not the next bar has arrived; else the first open at or after t + H.
    """
    if after > first and close_ns[after - 1] + grace_ns >= end_ns:
        return c[after - 1], close_ns[after - 1]
    k = _first_at(open_ns, end_ns - grace_ns)
    if k >= len(open_ns):
        return _NAN, 0
    if k <= first or open_ns[k] - end_ns > close_ns[first] - open_ns[first]:
        return _NAN, close_ns[k]
    return o[k], close_ns[k]


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
def _held(
    open_ns: Any, close_ns: Any, o: Any, high: Any, low: Any, c: Any, first: Any, end_ns: Any, side: Any, win: Any,
    loss: Any, grace_ns: Any,
) -> Any:  # fmt: skip
    """(touched a barrier, gross return there or else at t + H, known_ns) of what was entered at the open of `first`.

    The return is NaN where the price at t + H is not to be had.
    """
    n, i, price = len(open_ns), first, o[first]
    while i < n and close_ns[i] <= end_ns:
        adverse, best = (low[i], high[i]) if side > 0 else (high[i], low[i])
        touched, gross = _touch(o[i], adverse, best, price, side, win, loss)
        if touched:
            return True, gross, close_ns[i]
        i += 1
    final, known_ns = _exit(open_ns, close_ns, o, c, first, i, end_ns, grace_ns)
    if not final > 0.0:
        return False, _NAN, known_ns
    return False, side * (final - price) / price, known_ns


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
    n = len(open_ns)
    sound = (side == 1 or side == -1) and sigma_h > 0.0 and a > 0.0 and b > 0.0 and cost >= 0.0
    if not sound or not math.isfinite(sigma_h + a + b + cost):
        return -1, _NAN, at_ns
    first = _first_at(open_ns, at_ns - grace_ns)
    if first >= n:
        return -1, _NAN, 0
    if open_ns[first] - at_ns > close_ns[first] - open_ns[first] or not o[first] > 0.0:
        return -1, _NAN, close_ns[first]
    win, loss = b * sigma_h + cost, a * sigma_h
    touched, gross, known_ns = _held(
        open_ns, close_ns, o, h, l, c, first, at_ns + horizon_ns, side, win, loss, grace_ns
    )
    if math.isnan(gross):
        return -1, _NAN, known_ns
    won = gross >= win if touched else gross - cost > 0.0
    return (1 if won else 0), gross - cost, known_ns


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
