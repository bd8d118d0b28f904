"""How a target is released: all at once, or never more than a share of what trades.

The participation cap is the plain form of what Kissell and Glantz (Optimal Trading Strategies,
2003) call POV: at each bar at most `participation` of the mean volume of the last 12 bars. What
is not out by `patience` is given up: a gap is worth trading only while it is open.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from confidence_engine.domain.jit import stage
from confidence_engine.domain.params import Bound
from confidence_engine.domain.units import HOUR_NS, MINUTE_NS
from confidence_engine.kernel import orders, price, session
from confidence_engine.kernel.margin import unit

__all__ = ["IMMEDIATE", "PARTICIPATION", "VOLUME_BARS", "Params", "first", "release"]

IMMEDIATE, PARTICIPATION = 0, 1
VOLUME_BARS = 12


class Params(NamedTuple):
    """Style and its limits."""

    style: Annotated[str, Bound("name", choices=("immediate", "participation"))] = "immediate"
    participation: Annotated[float, Bound("fraction", 0.0001, 1.0)] = 0.02
    patience_ns: Annotated[int, Bound("duration", MINUTE_NS, 24 * HOUR_NS)] = 30 * MINUTE_NS


@stage
def first(s, i, out, lots, margin, p):
    """Start a target of `lots` with `margin` quote behind all of it, and its protection."""
    b = s.book[i]
    b.plan_lots, b.plan_margin = lots, margin / abs(lots)
    b.plan_until_ns = session.clock(s, s.inst[i].calendar, s.head[0].now_ns) + p.patience_ns
    _next(s, i, out, p)
    orders.protect(s, i, out)


@stage
def release(s, i, out, p):
    """The next parcel of asset i, when the one before is done and a new bar has come."""
    b = s.book[i]
    if b.plan_lots == 0 or b.entry_id != 0 or s.asset[i].close_ns <= b.release_ns:
        return
    if session.clock(s, s.inst[i].calendar, s.head[0].now_ns) > b.plan_until_ns or b.lots == 0 or b.exit_id != 0:
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
