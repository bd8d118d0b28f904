"""How a target is released: all at once, never more than a share of what trades, or resting at a better price.

The participation cap is the plain form of what Kissell and Glantz (Optimal Trading Strategies,
2003) call POV: at each bar at most `participation` of the mean volume of the last 12 bars. A limit
entry rests `limit_atr` of the range better than the last price: it saves the spread and pays the maker's
fee, and is filled rather when the price goes on against it (Handa and Schwartz, J. Finance 51, 1996, p. 1835).
What is not out by `patience` is given up, or crossed: a gap is worth trading only while it is open.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from confidence_engine.domain.jit import stage
from confidence_engine.domain.params import Bound
from confidence_engine.domain.units import HOUR_NS, MINUTE_NS
from confidence_engine.kernel import orders, price, session
from confidence_engine.kernel.margin import liquidation_price, unit

__all__ = ["IMMEDIATE", "LIMIT", "PARTICIPATION", "VOLUME_BARS", "Params", "first", "release"]

IMMEDIATE, PARTICIPATION, LIMIT = 0, 1, 2
VOLUME_BARS = 12


class Params(NamedTuple):
    """Style and its limits."""

    style: Annotated[str, Bound("name", choices=("immediate", "participation", "limit"))] = "immediate"
    participation: Annotated[float, Bound("fraction", 0.0001, 1.0)] = 0.02
    patience_ns: Annotated[int, Bound("duration", MINUTE_NS, 24 * HOUR_NS)] = 30 * MINUTE_NS
    limit_atr: Annotated[float, Bound("ratio", 0.0, 5.0)] = 0.1
    cross: Annotated[bool, Bound("flag")] = False


@stage
def first(s, i, out, lots, margin, p):
    """Start a target of `lots` with `margin` quote behind all of it, and its protection."""
    b = s.book[i]
    b.plan_lots, b.plan_margin, b.plan_price = lots, margin / abs(lots), s.asset[i].price
    b.plan_until_ns = session.clock(s, s.inst[i].calendar, s.head[0].now_ns) + p.patience_ns
    if p.style == LIMIT:
        _rest(s, i, out, p)
    else:
        _next(s, i, out, p)
    orders.protect(s, i, out)


@stage
def release(s, i, out, p):
    """The next parcel of asset i, when the one before is done and a new bar has come; or the end of patience."""
    b, now_ns = s.book[i], session.clock(s, s.inst[i].calendar, s.head[0].now_ns)
    if b.limit_ticks != 0:
        if now_ns >= b.plan_until_ns:
            orders.recall(s, i, out)
        return
    if b.cross == 2:
        _cross(s, i, out)
        return
    if b.plan_lots == 0 or b.entry_id != 0 or s.asset[i].close_ns <= b.release_ns:
        return
    if now_ns > b.plan_until_ns or b.lots == 0 or b.exit_id != 0:
        b.plan_lots = 0
        return
    _next(s, i, out, p)


@stage
def _next(s, i, out, p):
    """Send what may go now; a rest below the minimum notional goes with it rather than being stranded."""
    b, inst = s.book[i], s.inst[i]
    side = 1 if b.plan_lots > 0 else -1
    lots = abs(b.plan_lots)
    if p.style == PARTICIPATION:
        volume = price.recent_volume(s, i, VOLUME_BARS)
        cap = int(math.floor(p.participation * volume / unit(inst))) if volume > 0.0 else 0  # NaN is unknown
        floor = int(math.ceil(inst.min_notional / (unit(inst) * s.asset[i].price)))
        cap = max(cap, max(floor, 1))
        if lots - cap >= floor:
            lots = cap
    b.release_ns = s.asset[i].close_ns
    orders.parcel(s, i, out, side * lots, b.plan_margin * lots)


@stage
def _rest(s, i, out, p):
    """Post the whole target at a better price than the last, rounded away from the market."""
    a, b = s.asset[i], s.book[i]
    lots = b.plan_lots
    side = 1 if lots > 0 else -1
    ticks = orders.ticks_of(s.inst[i], a.price - side * p.limit_atr * a.atr, -side)
    b.cross = p.cross
    orders.post(s, i, out, lots, b.plan_margin * abs(lots), ticks)


@stage
def _cross(s, i, out):
    """Take at market what did not come, cut to the risk first wanted: the frozen stop is farther from here.

    Given up where the price is beyond its stop or its target by now, where the margin planned would be liquidated
    before the stop, and where what is left is below the venue's minimum.
    """
    b, inst, now = s.book[i], s.inst[i], s.asset[i].price
    side = 1 if b.plan_lots > 0 else -1
    stop = b.stop_ticks * inst.tick
    wanted, risked = abs(b.plan_price - stop), (now - stop) * side
    lots = 0
    if risked > 0.0 and (b.target_ticks * inst.tick - now) * side > 0.0:
        lots = int(math.floor(abs(b.plan_lots) * min(wanted / risked, 1.0)))
    level = liquidation_price(s, i, side * lots, now, b.plan_margin * lots)  # NaN for spot, which nobody takes
    b.cross, b.plan_lots = 0, side * lots
    if lots * unit(inst) * now < inst.min_notional or lots == 0 or (stop - level) * side <= 0.0:
        b.plan_lots = 0
        if b.lots == 0:
            orders.forget(s, i)
        return
    orders.parcel(s, i, out, side * lots, b.plan_margin * lots)
    if b.lots == 0:
        orders.protect(s, i, out)
