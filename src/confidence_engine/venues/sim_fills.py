"""What an execution does at the simulated venue: its price, its money, and what it ends.

Prices are rounded to ticks against the side that trades. Within a bar what hurts comes first:
liquidation or stop, the nearer of the two, and the target only if neither came and no limit entry was filled in it:
the best price may have been there before the entry. Whatever ends
a position ends what was left of its entry too, as a bracket does, so that nothing is
ever held without its protection. A liquidation costs at most the margin that was posted.
"""

from __future__ import annotations

import math

from confidence_engine.domain.event import CANCELLED, FILL, LIQUIDATION, bar_high, bar_low, bar_open
from confidence_engine.domain.jit import stage
from confidence_engine.domain.order import ORDER_MARKET, ORDER_STOP, ORDER_TARGET
from confidence_engine.kernel import orders
from confidence_engine.kernel.ledger import blend
from confidence_engine.kernel.margin import liquidation_price, unit

__all__ = ["allowed", "arm", "drop", "fill", "free", "liquidate_gap", "protect", "slip", "tell"]


@stage
def free(v, s):
    """Balance that no position has posted."""
    rest = v.head[0].balance
    for i in range(s.head[0].n_assets):
        rest -= v.pos[i].margin
    return rest


@stage
def tell(v, kind, i, ts_event, ts_known, order_id, ticks, lots, fee, last):
    """Queue one event for the owner, in order of ts_known; a full queue is counted and stops the run."""
    h = v.head[0]
    if h.queued >= len(v.queue):
        h.lost += 1
        return
    k = h.queued
    while k > 0 and v.queue[k - 1].ts_known > ts_known:
        v.queue[k] = v.queue[k - 1]
        k -= 1
    e = v.queue[k]
    e.ts_event, e.ts_known, e.kind, e.asset, e.source, e.marks = ts_event, ts_known, kind, i, 0, 0
    e.x0, e.x1, e.x2, e.x3, e.x4 = float(order_id), float(ticks), float(lots), fee, float(last)
    h.queued += 1


@stage
def drop(v, i, k, known_ns, spoken):
    """An order stops working, `spoken` as CANCELLED unless it was filled; children it never woke go with it."""
    order = v.work[i, k].order_id
    if spoken:
        tell(v, CANCELLED, i, known_ns, known_ns, order, 0, 0, 0.0, 0)
    v.work[i, k].order_id = 0
    v.pos[i].works -= 1
    for c in range(v.work.shape[1]):
        w = v.work[i, c]
        if w.order_id != 0 and w.parent == order and w.armed == 0:
            w.order_id = 0
            v.pos[i].works -= 1


@stage
def allowed(v, s, i, w, lots, price, p):
    """Of `lots` of an order, those that the position, the ban on shorts and the free balance allow at this price."""
    pos, inst = v.pos[i], s.inst[i]
    side = 1 if w.lots > 0 else -1
    if w.reduce_only:
        return min(lots, abs(pos.lots)) if pos.lots * side < 0 else 0
    one = unit(inst) * price
    posted = one if inst.max_leverage <= 1.0 else w.margin_a_lot
    lots = min(lots, int(math.floor(max(free(v, s), 0.0) / (posted + one * inst.taker * p.fee_factor))))
    if side < 0 and inst.can_short == 0:
        lots = min(lots, max(pos.lots, 0))
    return lots


@stage
def arm(v, i, order_id):
    """The first fill of an entry puts its children to work, in the same bar."""
    for k in range(v.work.shape[1]):
        w = v.work[i, k]
        if w.order_id != 0 and w.parent == order_id:
            w.armed = 1


@stage
def slip(v, s, i, lots, p):
    """Half the spread and the impact of `lots`, as a fraction of price."""
    pos, inst = v.pos[i], s.inst[i]
    impact = 0.0
    if pos.volume > 0.0:
        impact = p.impact * pos.sigma * math.sqrt(abs(lots) * unit(inst) / pos.volume)
    return inst.half_spread * p.spread_factor + impact


@stage
def fill(v, s, i, order_id, lots, ticks, fee_rate, margin_a_lot, ts_event, ts_known, leaves):
    """Book one execution at the venue and tell it."""
    pos, inst = v.pos[i], s.inst[i]
    price = ticks * inst.tick
    fee = abs(lots) * unit(inst) * price * fee_rate
    _move(v, s, i, lots, price, fee, margin_a_lot)
    pos.room -= abs(lots)
    tell(v, FILL, i, ts_event, ts_known, order_id, ticks, lots, fee, leaves)


@stage
def _move(v, s, i, lots, price, fee, margin_a_lot):
    """Position, posted margin and balance after one execution."""
    pos, inst = v.pos[i], s.inst[i]
    after, entry, closed = blend(pos.lots, pos.entry_price, lots, price)
    v.head[0].balance += closed * unit(inst) * (price - pos.entry_price) - fee
    if closed != 0:
        pos.margin *= 1.0 - abs(closed) / abs(pos.lots)
    opened = abs(lots) - abs(closed)
    pos.margin += opened * (unit(inst) * price if inst.max_leverage <= 1.0 else margin_a_lot)
    pos.lots, pos.entry_price = after, entry
    if after == 0:
        pos.margin = 0.0


@stage
def protect(v, s, event, opened, came, p):
    """Stop and liquidation, the nearer first; then the target, only if neither came and no limit entry did (`came`)."""
    i = event.asset
    pos = v.pos[i]
    side = 1 if pos.lots > 0 else -1
    worst = bar_low(event) if side > 0 else bar_high(event)
    best = bar_high(event) if side > 0 else bar_low(event)
    stop, target = _child(v, i, ORDER_STOP), _child(v, i, ORDER_TARGET)
    tick = s.inst[i].tick
    level = liquidation_price(s, i, pos.lots, pos.entry_price, pos.margin)
    if stop >= 0 and (v.work[i, stop].hit == 1 or (worst - v.work[i, stop].trigger * tick) * side <= 0.0):
        # the level is NaN for spot: no liquidation to fear
        if v.work[i, stop].hit == 1 or not (v.work[i, stop].trigger * tick - level) * side < 0.0:
            _stop_out(v, s, i, stop, side, event, opened, p)
    if pos.lots != 0 and (worst * (1.0 - side * p.mark_noise * pos.sigma) - level) * side <= 0.0:
        _liquidate(v, s, i, side, level, bar_open(event), event, p)
    if pos.lots != 0 and not came and target >= 0 and v.work[i, target].order_id != 0:
        if (best - v.work[i, target].trigger * tick) * side > 0.0:
            _take(v, s, i, target, side, event, opened, p)
    if pos.lots == 0:
        _clear(v, i, event.ts_known)


@stage
def _child(v, i, kind):
    """Slot of the armed order of this kind, -1 where there is none."""
    for k in range(v.work.shape[1]):
        w = v.work[i, k]
        if w.order_id != 0 and w.kind == kind and w.armed == 1:
            return k
    return -1


@stage
def _stop_out(v, s, i, k, side, event, opened, p):
    """A stop is a market order from its trigger, or from the open where the bar gapped over it or it was hit before."""
    w, pos, inst = v.work[i, k], v.pos[i], s.inst[i]
    trigger = w.trigger * inst.tick
    touched = min(bar_open(event), trigger) if side > 0 else max(bar_open(event), trigger)
    if w.hit == 1:
        touched = bar_open(event)
    w.hit = 1
    _give_up(v, i, event.ts_known)
    lots = min(abs(pos.lots), pos.room)
    if lots == 0:
        return
    ticks = orders.ticks_of(inst, touched * (1.0 - side * slip(v, s, i, lots, p)), -side)
    fill(v, s, i, w.order_id, -side * lots, ticks, inst.taker * p.fee_factor, 0.0,
          opened + p.latency_ns, event.ts_known, side * lots - pos.lots)  # fmt: skip


@stage
def _take(v, s, i, k, side, event, opened, p):
    """A target is a limit order: traded through by more than its price, filled at its price, maker fee."""
    w, pos, inst = v.work[i, k], v.pos[i], s.inst[i]
    lots = min(abs(pos.lots), pos.room)
    if lots > 0:
        fill(v, s, i, w.order_id, -side * lots, w.trigger, inst.maker * p.fee_factor, 0.0,
              opened + p.latency_ns, event.ts_known, side * lots - pos.lots)  # fmt: skip
        _give_up(v, i, event.ts_known)


@stage
def liquidate_gap(v, s, event, p):
    """A bar that opens beyond the liquidation price takes the position before anything else can act."""
    i = event.asset
    pos = v.pos[i]
    if pos.lots == 0:
        return
    side = 1 if pos.lots > 0 else -1
    level = liquidation_price(s, i, pos.lots, pos.entry_price, pos.margin)
    if (bar_open(event) - level) * side <= 0.0:
        _liquidate(v, s, i, side, level, bar_open(event), event, p)
        _clear(v, i, event.ts_known)


@stage
def _liquidate(v, s, i, side, level, opening, event, p):
    """The venue closes the position; the loss with its fee ends at the posted margin (the fund takes the rest)."""
    pos, inst = v.pos[i], s.inst[i]
    size = abs(pos.lots) * unit(inst)
    price = min(opening, level) if side > 0 else max(opening, level)
    bankrupt = pos.entry_price - side * pos.margin / size
    price = max(price, bankrupt) if side > 0 else min(price, bankrupt)
    ticks = orders.ticks_of(inst, price, side)  # towards the owner: the margin is all that can be lost
    price = ticks * inst.tick
    left = max(pos.margin + side * size * (price - pos.entry_price), 0.0)
    fee = min(size * price * inst.liquidation_fee * p.fee_factor, left)
    lots = -pos.lots
    _move(v, s, i, lots, price, fee, 0.0)
    v.head[0].liquidations += 1
    tell(v, LIQUIDATION, i, event.ts_event, event.ts_known, 0, ticks, lots, fee, 0)
    _give_up(v, i, event.ts_known)


@stage
def _give_up(v, i, known_ns):
    """What was left of an entry is cancelled: it would come without its protection."""
    for k in range(v.work.shape[1]):
        w = v.work[i, k]
        if w.order_id != 0 and not w.reduce_only:
            drop(v, i, k, known_ns, True)


@stage
def _clear(v, i, known_ns):
    """Flat: protection goes with the position, and a reduction has nothing left to reduce."""
    for k in range(v.work.shape[1]):
        w = v.work[i, k]
        if w.order_id != 0 and w.reduce_only:
            drop(v, i, k, known_ns, w.kind == ORDER_MARKET)
