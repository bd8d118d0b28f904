"""A limit order that rests: the last of its queue at its price, filled only by what trades through it.

Bars do not show the queue. So everybody at the price is taken to stand before us: the order is filled when the
price trades at least one tick beyond it, at a mere touch with no more than `touch_share` of the volume (0 by
default), at its own price and never a better one, under the volume limits of every order, for the maker's fee.
It is post-only: where the last price is beyond its limit as it arrives it is refused. In the bar in which it
arrives only the close tells that the price went through it afterwards; the extreme may have come before.
Queue position and the price that runs on after a fill: Moallemi and Yuan, "A model for queue position valuation in a
limit order book" (2016); the rule of "traded through" is the usual upper bound on a queue nobody sees.
"""

from __future__ import annotations

import math

from confidence_engine.domain.event import REJECT, bar_close, bar_high, bar_low, bar_open
from confidence_engine.domain.jit import stage
from confidence_engine.domain.order import ORDER_LIMIT, REJ_WOULD_TAKE
from confidence_engine.venues.sim_fills import allowed, arm, drop, fill, tell

__all__ = ["rest", "taken_back"]


@stage
def rest(v, s, event, opened, p):
    """One bar against every limit order of its asset that has arrived; whether any was filled."""
    i = event.asset
    came = False
    for k in range(v.work.shape[1]):
        w = v.work[i, k]
        if w.order_id != 0 and w.kind == ORDER_LIMIT and w.active_ns < event.ts_event:
            if w.rested == 0:
                _arrive(v, s, i, k, event)
            if w.order_id != 0 and _queue(v, s, i, k, event, opened, p):
                came = True
    return came


@stage
def _arrive(v, s, i, k, event):
    """A post-only order that would take at the open of its first bar is refused."""
    w = v.work[i, k]
    w.rested = 1
    if (w.trigger * s.inst[i].tick - bar_open(event)) * w.lots > 0.0:
        tell(v, REJECT, i, event.ts_event, event.ts_known, w.order_id, 0, 0, 0.0, REJ_WOULD_TAKE)
        drop(v, i, k, event.ts_known, False)


@stage
def _queue(v, s, i, k, event, opened, p):
    """Fill what trades through the order, or a share of what touches it; whether anything was filled."""
    w, pos, inst = v.work[i, k], v.pos[i], s.inst[i]
    side = 1 if w.lots > 0 else -1
    reached = bar_low(event) if side > 0 else bar_high(event)
    if opened < w.active_ns:
        reached = bar_close(event)
    beyond = _beyond(inst, w, reached)
    room = pos.room
    if beyond < 1.0:
        room = int(math.floor(p.touch_share * pos.room)) if beyond >= 0.0 else 0
    lots = allowed(v, s, i, w, min(abs(w.lots), room), w.trigger * inst.tick, p)
    if lots <= 0:
        return False
    w.lots -= side * lots
    fill(v, s, i, w.order_id, side * lots, w.trigger, inst.maker * p.fee_factor, w.margin_a_lot,
         event.ts_event, event.ts_known, w.lots)  # fmt: skip
    arm(v, i, w.order_id)
    if w.lots == 0:
        drop(v, i, k, event.ts_known, False)
    return True


@stage
def _beyond(inst, w, price):
    """Ticks by which a price lies beyond the limit of an order, rounded where it is a tick but for its last bits."""
    side = 1 if w.lots > 0 else -1
    ticks = side * (w.trigger - price / inst.tick)
    nearest = math.floor(ticks + 0.5)
    return nearest if abs(ticks - nearest) < 1e-6 else ticks


@stage
def taken_back(s, w, event, opened, grace_ns):
    """Whether a cancellation holds for this bar: it arrived before the open, or within `grace` of it.

    A limit order that the open has passed was filled before a cancellation that came after the open.
    """
    if w.kind == ORDER_LIMIT and w.gone_ns > opened and w.active_ns <= opened:
        if _beyond(s.inst[event.asset], w, bar_open(event)) >= 1.0:
            return False
    return opened + grace_ns >= w.gone_ns
