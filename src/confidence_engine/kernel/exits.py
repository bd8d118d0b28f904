"""When to get out: a stop and a target in multiples of the range, a ratchet, and a time.

All levels are frozen when the entry is decided; only the stop moves afterwards, only in the
position's favour, and only from prices of closed bars. Stop and target live at the venue. The
distance is the range of the exit frame (Wilder 1978): never a fixed percentage, never moved for leverage.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from confidence_engine.domain.jit import stage
from confidence_engine.domain.order import WHY_FLATTEN, WHY_STOP, WHY_TIME
from confidence_engine.domain.params import Bound
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS
from confidence_engine.kernel import orders, session
from confidence_engine.kernel.risk import HALT_FLATTEN

__all__ = ["Params", "distance", "obey", "plan", "reach", "review"]


class Params(NamedTuple):
    """Multiples of ATR, and the longest holding."""

    stop_atr: Annotated[float, Bound("ratio", 0.2, 20.0)] = 2.5
    target_atr: Annotated[float, Bound("ratio", 0.2, 50.0)] = 4.0
    trail_from_atr: Annotated[float, Bound("ratio", 0.1, 50.0)] = 2.0
    trail_atr: Annotated[float, Bound("ratio", 0.1, 50.0)] = 2.0
    min_stop: Annotated[float, Bound("fraction", 0.0001, 0.2)] = 0.003
    hold_ns: Annotated[int, Bound("duration", MINUTE_NS, 365 * DAY_NS)] = 6 * HOUR_NS


@stage
def distance(s, i, d, p):
    """Stop distance in quote, never below `min_stop` of the price."""
    return max(p.stop_atr * s.asset[i].atr, p.min_stop * d.price)


@stage
def plan(s, i, d, stop_distance, p):
    """Freeze stop, target, ratchet and deadline of the entry decided in `d`."""
    b, inst = s.book[i], s.inst[i]
    atr = stop_distance / p.stop_atr
    b.stop_ticks = orders.ticks_of(inst, d.price - d.side * stop_distance, -d.side)
    b.target_ticks = orders.ticks_of(inst, d.price + d.side * p.target_atr * atr, d.side)
    b.trail_from, b.trail_by = p.trail_from_atr * atr, p.trail_atr * atr
    b.deadline_ns = session.clock(s, inst.calendar, s.head[0].now_ns) + p.hold_ns
    b.trailed, b.best = 0, math.nan
    d.stop_ticks, d.target_ticks, d.deadline_ns = b.stop_ticks, b.target_ticks, b.deadline_ns


@stage
def review(s, i, out):
    """Get out first: a halt, a position of ours without its stop, the deadline, then the ratchet."""
    b, h = s.book[i], s.head[0]
    if h.halted != 0:
        obey(s, i, out)
    if b.lots == 0 or b.deadline_ns == 0:
        return
    if b.stop_id == 0:
        orders.reduce(s, i, out, WHY_STOP)
    elif session.clock(s, s.inst[i].calendar, h.now_ns) >= b.deadline_ns:
        orders.reduce(s, i, out, WHY_TIME)
    else:
        _ratchet(s, i, out)


@stage
def obey(s, i, out):
    """Told to halt or to stand down, what is left of entries is given up; an order to flatten leaves at market too."""
    b = s.book[i]
    if s.head[0].halted & HALT_FLATTEN and b.lots != 0 and b.exit_id == 0:
        orders.reduce(s, i, out, WHY_FLATTEN)
    elif b.plan_lots != 0 or b.entry_id != 0:
        orders.stand_down(s, i, out)
        if b.lots == 0 and b.entry_id == 0:  # a plan between two orders: nothing will come that could end it
            orders.forget(s, i)


@stage
def reach(s, i):
    """A bar has closed since the entry: the best price the position has seen, however seldom it is reviewed."""
    a, b = s.asset[i], s.book[i]
    if b.lots == 0 or a.close_ns <= b.opened_ns:
        return
    side = 1 if b.lots > 0 else -1
    price = a.high if side > 0 else a.low
    if not (b.best - price) * side >= 0.0:  # also when there is no best price yet
        b.best = price


@stage
def _ratchet(s, i, out):
    """Trail the stop behind the best price of closed bars since the entry, its own among them."""
    b = s.book[i]
    side = 1 if b.lots > 0 else -1
    if b.exit_id != 0 or not (b.best - b.entry_price) * side >= b.trail_from:  # also when there is no best price yet
        return
    ticks = orders.ticks_of(s.inst[i], b.best - side * b.trail_by, -side)
    if (ticks - b.stop_ticks) * side > 0:
        orders.amend_stop(s, i, out, ticks)
