"""The simulated venue: what a real one would have done with an order, on the pessimistic side.

Only bars are known, so every assumption is stated, has a parameter and stands in
docs/simulation.md. A market order fills from the open of the first bar that opens after it
arrives (an order that arrives within `grace` of an open counts as in time for it), at the open
moved against it by half a bar's sigma sqrt(latency / bar), plus half the spread, plus impact
Y sigma sqrt(q / V) (square-root law, Toth et al., Phys. Rev. X 1, 021006, 2011), and never more
than a share of what trades. Within a bar what hurts comes first. It refuses what a venue refuses.
"""

from __future__ import annotations

import math
from typing import Annotated, Final, NamedTuple

import numpy as np

from confidence_engine.domain.event import (
    CANCELLED,
    EVENT,
    FILL,
    LIQUIDATION,
    REJECT,
    bar_close,
    bar_high,
    bar_low,
    bar_open,
    bar_volume,
    funding_mark,
    funding_rate,
)
from confidence_engine.domain.jit import stage
from confidence_engine.domain.order import (
    INTENT_AMEND,
    INTENT_CANCEL,
    ORDER_MARKET,
    ORDER_STOP,
    ORDER_TARGET,
    REJ_LOT,
    REJ_MARGIN,
    REJ_MIN_NOTIONAL,
    REJ_NONE,
    REJ_REDUCE_ONLY,
    REJ_SHORT,
    REJ_TICK,
    REJ_UNKNOWN_ORDER,
)
from confidence_engine.domain.params import Bound
from confidence_engine.domain.units import MILLI_NS, MINUTE_NS, SECOND_NS
from confidence_engine.kernel.ledger import blend
from confidence_engine.kernel.margin import liquidation_price, unit
from confidence_engine.kernel.state import record_of

__all__ = ["PAST", "QUEUE", "WORK", "WORKS", "Params", "Venue", "accept", "fund", "match", "new_venue"]

PAST: Final = 12
WORKS: Final = 8
QUEUE: Final = 1024


class Params(NamedTuple):
    """The assumptions; docs/simulation.md explains each."""

    latency_ns: Annotated[int, Bound("duration", 0, 10 * MINUTE_NS)] = 500 * MILLI_NS
    grace_ns: Annotated[int, Bound("duration", 0, 10 * MINUTE_NS)] = 5 * SECOND_NS
    drift: Annotated[float, Bound("ratio", 0.0, 5.0)] = 0.5
    spread_factor: Annotated[float, Bound("ratio", 0.0, 20.0)] = 1.0
    impact: Annotated[float, Bound("ratio", 0.0, 5.0)] = 0.7
    volume_share: Annotated[float, Bound("fraction", 0.0001, 1.0)] = 0.25
    bar_share: Annotated[float, Bound("fraction", 0.0001, 1.0)] = 0.5
    fee_factor: Annotated[float, Bound("ratio", 0.0, 20.0)] = 1.0
    order_bars: Annotated[int, Bound("count", 1, 1000)] = 3
    mark_noise: Annotated[float, Bound("ratio", 0.0, 5.0)] = 0.1


VENUE_HEAD: Final = record_of("balance", "queued:i", "lost:i", "liquidations:i")
POSITION: Final = record_of(
    "lots:i", "entry_price", "margin", "price", "close_ns:i", "n_bars:i", "works:i", "sigma", "volume", "room:i"
)
TRADED: Final = record_of("volume", "move2")
WORK: Final = record_of(
    "order_id:i", "kind:i", "lots:i", "trigger:i", "reduce_only:i", "parent:i", "margin_a_lot", "active_ns:i",
    "waited:i", "next_trigger:i", "next_ns:i", "armed:i", "hit:i",
)  # fmt: skip


class Venue(NamedTuple):
    """The venue's own books: it never reads the engine's beliefs, only instrument rows."""

    head: np.ndarray  # VENUE_HEAD [1]
    pos: np.ndarray  # POSITION [A]
    past: np.ndarray  # TRADED [A, PAST]
    work: np.ndarray  # WORK [A, WORKS]
    queue: np.ndarray  # EVENT [QUEUE], in order of ts_known


def new_venue(assets: int, balance: float) -> Venue:
    """An account of `balance` quote, no positions, no orders, for a state of capacity `assets`."""
    venue = Venue(
        np.zeros(1, VENUE_HEAD), np.zeros(assets, POSITION), np.zeros((assets, PAST), TRADED),
        np.zeros((assets, WORKS), WORK), np.zeros(QUEUE, EVENT),
    )  # fmt: skip
    venue.head[0].balance = balance
    return venue


@stage
def accept(v, s, intent, p):
    """An intent arrives: placed, amended, cancelled, or refused with a REJECT after the latency."""
    i = intent.asset
    reason = REJ_NONE
    if intent.action == INTENT_CANCEL:
        k = _find(v, i, intent.order_id)
        if k >= 0:
            _drop(v, i, k, intent.ts_ns + p.latency_ns, True)
        return
    if intent.action == INTENT_AMEND:
        k = _find(v, i, intent.order_id)
        if k < 0:
            reason = REJ_UNKNOWN_ORDER
        elif intent.trigger_ticks < 1:
            reason = REJ_TICK
        else:
            v.work[i, k].next_trigger, v.work[i, k].next_ns = intent.trigger_ticks, intent.ts_ns + p.latency_ns
    else:
        reason = _refuse(v, s, intent, p)
        if reason == REJ_NONE:
            reason = _place(v, i, intent, p)
    if reason != REJ_NONE:
        _tell(v, REJECT, i, intent.ts_ns, intent.ts_ns + p.latency_ns, intent.order_id, 0, 0, 0.0, reason)


@stage
def _refuse(v, s, intent, p):
    """Reason code of a venue's refusal, REJ_NONE where it accepts."""
    i = intent.asset
    inst, pos = s.inst[i], v.pos[i]
    if intent.kind != ORDER_MARKET:
        return REJ_TICK if intent.trigger_ticks < 1 else REJ_NONE
    if intent.lots == 0 or not pos.price > 0.0:
        return REJ_LOT
    if intent.reduce_only:
        return REJ_REDUCE_ONLY if pos.lots * intent.lots >= 0 else REJ_NONE
    notional = abs(intent.lots) * unit(inst) * pos.price
    if notional < inst.min_notional:
        return REJ_MIN_NOTIONAL
    if inst.can_short == 0 and pos.lots + intent.lots < 0:
        return REJ_SHORT
    needed = notional
    if inst.max_leverage > 1.0:
        needed = intent.margin_usd
        if needed < notional / inst.max_leverage * (1.0 - 1e-9):
            return REJ_MARGIN
    if pos.lots * intent.lots >= 0 and needed + notional * inst.taker * p.fee_factor > _free(v, s):
        return REJ_MARGIN
    return REJ_NONE


@stage
def _free(v, s):
    """Balance that no position has posted."""
    free = v.head[0].balance
    for i in range(s.head[0].n_assets):
        free -= v.pos[i].margin
    return free


@stage
def _place(v, i, intent, p):
    """Into a free slot; a venue has a limit of open orders too, and says so as insufficient margin would."""
    for k in range(WORKS):
        w = v.work[i, k]
        if w.order_id == 0:
            w.order_id, w.kind, w.lots, w.trigger = intent.order_id, intent.kind, intent.lots, intent.trigger_ticks
            w.reduce_only, w.parent, w.waited, w.next_ns, w.next_trigger = intent.reduce_only, intent.parent_id, 0, 0, 0
            w.margin_a_lot = intent.margin_usd / abs(intent.lots) if intent.lots != 0 else 0.0
            w.active_ns, w.hit = intent.ts_ns + p.latency_ns, 0
            w.armed = 1 if intent.parent_id == 0 or v.pos[i].lots != 0 else 0
            v.pos[i].works += 1
            return REJ_NONE
    return REJ_LOT


@stage
def _find(v, i, order_id):
    """Slot of a working order, -1 where there is none."""
    for k in range(WORKS):
        if v.work[i, k].order_id == order_id and order_id != 0:
            return k
    return -1


@stage
def _drop(v, i, k, known_ns, tell):
    """An order stops working; told to its owner as CANCELLED unless it was filled."""
    w = v.work[i, k]
    if tell:
        _tell(v, CANCELLED, i, known_ns, known_ns, w.order_id, 0, 0, 0.0, 0)
    w.order_id = 0
    v.pos[i].works -= 1


@stage
def _tell(v, kind, i, ts_event, ts_known, order_id, ticks, lots, fee, last):
    """Queue one event for the owner, in order of ts_known; a full queue is counted and stops the run."""
    h = v.head[0]
    if h.queued >= QUEUE:
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
def fund(v, s, event):
    """Funding comes out of (or into) the isolated margin of the position."""
    i = event.asset
    pos = v.pos[i]
    if pos.lots == 0:
        return
    mark = funding_mark(event)
    if not mark > 0.0:
        mark = pos.price
    amount = -pos.lots * unit(s.inst[i]) * mark * funding_rate(event)
    pos.margin += amount
    v.head[0].balance += amount


@stage
def match(v, s, event, p):
    """One bar of asset i against everything that works there; fills are known when the bar is."""
    i = event.asset
    pos, inst = v.pos[i], s.inst[i]
    if pos.lots != 0 or pos.works > 0:
        opened = event.ts_event - inst.bar_ns
        _conditions(v, s, event, p)
        _wake(v, i, opened, p)
        _liquidate_gap(v, s, event, p)
        for reduce_only in (1, 0):
            for k in range(WORKS):
                w = v.work[i, k]
                if w.order_id != 0 and w.kind == ORDER_MARKET and w.reduce_only == reduce_only:
                    if opened + p.grace_ns >= w.active_ns:
                        _market(v, s, i, k, event, opened, p)
        if pos.lots != 0:
            _protect(v, s, event, opened, p)
    _remember(v, i, event)


@stage
def _conditions(v, s, event, p):
    """What the 12 bars before say of volatility and volume, and how many lots may trade in this one."""
    i = event.asset
    pos = v.pos[i]
    count = min(pos.n_bars, PAST)
    volume, move2 = 0.0, 0.0
    for k in range(count):
        volume += v.past[i, k].volume
        move2 += v.past[i, k].move2
    pos.volume, pos.sigma, pos.room = 0.0, 0.0, 0
    if count > 0:
        pos.volume, pos.sigma = volume / count, math.sqrt(move2 / count)
        cap = min(p.volume_share * pos.volume, p.bar_share * bar_volume(event))
        pos.room = int(math.floor(cap / unit(s.inst[i])))


@stage
def _wake(v, i, opened, p):
    """Amended triggers hold from the first bar that opens after they arrived."""
    for k in range(WORKS):
        w = v.work[i, k]
        if w.order_id != 0 and w.next_ns != 0 and opened + p.grace_ns >= w.next_ns:
            w.trigger, w.next_ns = w.next_trigger, 0


@stage
def _slip(v, s, i, lots, p):
    """Half the spread and the impact of `lots`, as a fraction of price."""
    pos, inst = v.pos[i], s.inst[i]
    impact = 0.0
    if pos.volume > 0.0:
        impact = p.impact * pos.sigma * math.sqrt(abs(lots) * unit(inst) / pos.volume)
    return inst.half_spread * p.spread_factor + impact


@stage
def _ticks(inst, price, side):
    """Price in ticks, rounded against the side that trades; at least one."""
    exact = price / inst.tick
    nearest = math.floor(exact + 0.5)
    if abs(exact - nearest) < 1e-6:  # a price that is a tick but for the last bit of its float
        return max(int(nearest), 1)
    return max(int(math.ceil(exact)) if side > 0 else int(math.floor(exact)), 1)


@stage
def _market(v, s, i, k, event, opened, p):
    """Fill what may be filled of a market order from the open; give an entry up after `order_bars`."""
    w, pos, inst = v.work[i, k], v.pos[i], s.inst[i]
    side = 1 if w.lots > 0 else -1
    wanted = min(abs(w.lots), pos.room)
    late = max(p.latency_ns, w.active_ns - opened)
    drift = p.drift * pos.sigma * math.sqrt(late / inst.bar_ns)
    price = bar_open(event) * (1.0 + side * (drift + _slip(v, s, i, wanted, p)))
    ticks = _ticks(inst, price, side)
    if w.reduce_only:
        wanted = min(wanted, abs(pos.lots)) if pos.lots * side < 0 else 0
    else:
        wanted = min(wanted, _affordable(v, s, i, w, ticks * inst.tick, p))
    w.waited += 1
    if wanted > 0:
        w.lots -= side * wanted
        _fill(v, s, i, w.order_id, side * wanted, ticks, inst.taker * p.fee_factor, w.margin_a_lot,
              opened + late, event.ts_known, w.lots)  # fmt: skip
        _arm(v, i, w.order_id)
    if w.lots == 0:
        _drop(v, i, k, event.ts_known, False)
    elif (w.reduce_only and pos.lots == 0) or (not w.reduce_only and w.waited >= p.order_bars):
        _drop(v, i, k, event.ts_known, True)


@stage
def _affordable(v, s, i, w, price, p):
    """Lots of an entry that the free balance carries at this price."""
    inst = s.inst[i]
    one = unit(inst) * price
    posted = one if inst.max_leverage <= 1.0 else w.margin_a_lot
    return int(math.floor(max(_free(v, s), 0.0) / (posted + one * inst.taker * p.fee_factor)))


@stage
def _arm(v, i, order_id):
    """The first fill of an entry puts its children to work, in the same bar."""
    for k in range(WORKS):
        w = v.work[i, k]
        if w.order_id != 0 and w.parent == order_id:
            w.armed = 1


@stage
def _fill(v, s, i, order_id, lots, ticks, fee_rate, margin_a_lot, ts_event, ts_known, leaves):
    """Book one execution at the venue and tell it."""
    pos, inst = v.pos[i], s.inst[i]
    price = ticks * inst.tick
    fee = abs(lots) * unit(inst) * price * fee_rate
    _move(v, s, i, lots, price, fee, margin_a_lot)
    pos.room -= abs(lots)
    _tell(v, FILL, i, ts_event, ts_known, order_id, ticks, lots, fee, leaves)


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
def _protect(v, s, event, opened, p):
    """Stop and liquidation, the nearer first; then the target, only if neither came."""
    i = event.asset
    pos = v.pos[i]
    side = 1 if pos.lots > 0 else -1
    worst = bar_low(event) if side > 0 else bar_high(event)
    best = bar_high(event) if side > 0 else bar_low(event)
    stop, target = _child(v, i, ORDER_STOP), _child(v, i, ORDER_TARGET)
    tick = s.inst[i].tick
    level = liquidation_price(s, i, pos.lots, pos.entry_price, pos.margin)
    if stop >= 0 and (v.work[i, stop].hit == 1 or (worst - v.work[i, stop].trigger * tick) * side <= 0.0):
        if v.work[i, stop].hit == 1 or not (v.work[i, stop].trigger * tick - level) * side < 0.0:  # NaN for spot: no liquidation to fear
            _stop_out(v, s, i, stop, side, event, opened, p)
    if pos.lots != 0 and (worst * (1.0 - side * p.mark_noise * pos.sigma) - level) * side <= 0.0:
        _liquidate(v, s, i, side, level, bar_open(event), event, p)
    if pos.lots != 0 and target >= 0 and v.work[i, target].order_id != 0:
        if (best - v.work[i, target].trigger * tick) * side > 0.0:
            _take(v, s, i, target, side, event, opened, p)
    if pos.lots == 0:
        _clear(v, i, event.ts_known)


@stage
def _child(v, i, kind):
    """Slot of the armed order of this kind, -1 where there is none."""
    for k in range(WORKS):
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
    lots = min(abs(pos.lots), pos.room)
    if lots == 0:
        return
    ticks = _ticks(inst, touched * (1.0 - side * _slip(v, s, i, lots, p)), -side)
    _fill(v, s, i, w.order_id, -side * lots, ticks, inst.taker * p.fee_factor, 0.0,
          opened + p.latency_ns, event.ts_known, pos.lots - side * lots)  # fmt: skip


@stage
def _take(v, s, i, k, side, event, opened, p):
    """A target is a limit order: traded through by more than its price, filled at its price, maker fee."""
    w, pos, inst = v.work[i, k], v.pos[i], s.inst[i]
    lots = min(abs(pos.lots), pos.room)
    if lots > 0:
        _fill(v, s, i, w.order_id, -side * lots, w.trigger, inst.maker * p.fee_factor, 0.0,
              opened + p.latency_ns, event.ts_known, pos.lots - side * lots)  # fmt: skip


@stage
def _liquidate_gap(v, s, event, p):
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
    ticks = _ticks(inst, price, side)  # towards the owner: the margin is all that can be lost
    price = ticks * inst.tick
    left = max(pos.margin + side * size * (price - pos.entry_price), 0.0)
    fee = min(size * price * inst.liquidation_fee * p.fee_factor, left)
    lots = -pos.lots
    _move(v, s, i, lots, price, fee, 0.0)
    v.head[0].liquidations += 1
    _tell(v, LIQUIDATION, i, event.ts_event, event.ts_known, 0, ticks, lots, fee, 0)


@stage
def _clear(v, i, known_ns):
    """Flat: protection goes with the position, and a reduction has nothing left to reduce."""
    for k in range(WORKS):
        w = v.work[i, k]
        if w.order_id != 0 and w.reduce_only:
            _drop(v, i, k, known_ns, w.kind == ORDER_MARKET)


@stage
def _remember(v, i, event):
    """This bar becomes one of the twelve before the next."""
    pos = v.pos[i]
    r = v.past[i, pos.n_bars % PAST]
    r.volume, r.move2 = bar_volume(event), 0.0
    if pos.n_bars > 0:
        move = math.log(bar_close(event) / pos.price)
        r.move2 = move * move
    pos.price, pos.close_ns = bar_close(event), event.ts_event
    pos.n_bars += 1
