"""The simulated venue: what a real one would have done with an order, on the pessimistic side.

Only bars are known, so every assumption is stated, has a parameter and stands in
docs/simulation.md. A market order fills from the open of the first bar that opens after it
arrives (an order that arrives within `grace` of an open counts as in time for it), at the open
moved against it by half a bar's sigma sqrt(latency / bar), plus half the spread, plus impact
Y sigma sqrt(q / V) (square-root law, Toth et al., Phys. Rev. X 1, 021006, 2011), and never more
than a share of what trades. A limit order waits in a queue (`sim_queue`). Within a bar what hurts comes first. It
refuses what a venue refuses.
"""

from __future__ import annotations

import math
from typing import Annotated, Final, NamedTuple

import numpy as np

from confidence_engine.domain.event import (
    EVENT,
    REJECT,
    SPLIT,
    bar_close,
    bar_open,
    bar_volume,
    corporate_value,
    corporate_what,
    funding_mark,
    funding_rate,
)
from confidence_engine.domain.jit import stage
from confidence_engine.domain.order import (
    INTENT_AMEND,
    INTENT_CANCEL,
    ORDER_LIMIT,
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
    REJ_WOULD_TAKE,
)
from confidence_engine.domain.params import Bound
from confidence_engine.domain.record import record_of
from confidence_engine.domain.units import MILLI_NS, MINUTE_NS, SECOND_NS
from confidence_engine.kernel import corporate, orders, session
from confidence_engine.kernel.margin import unit
from confidence_engine.venues.sim_fills import (
    allowed,
    arm,
    drop,
    fill,
    free,
    liquidate_gap,
    protect,
    slip,
    tell,
)
from confidence_engine.venues.sim_queue import rest, taken_back

__all__ = ["PAST", "QUEUE", "WORK", "WORKS", "Params", "Venue", "accept", "adjust", "fund", "match", "new_venue"]

PAST: Final = 12
WORKS: Final = 8
QUEUE: Final = 1024


class Params(NamedTuple):
    """The assumptions; docs/simulation.md explains each."""

    latency_ns: Annotated[int, Bound("duration", 0, 10 * MINUTE_NS)] = 500 * MILLI_NS
    grace_ns: Annotated[int, Bound("duration", 0, 10 * MINUTE_NS)] = 3 * SECOND_NS
    drift: Annotated[float, Bound("ratio", 0.0, 5.0)] = 0.5
    spread_factor: Annotated[float, Bound("ratio", 0.0, 20.0)] = 1.0
    impact: Annotated[float, Bound("ratio", 0.0, 5.0)] = 0.7
    volume_share: Annotated[float, Bound("fraction", 0.0001, 1.0)] = 0.25
    bar_share: Annotated[float, Bound("fraction", 0.0001, 1.0)] = 0.5
    fee_factor: Annotated[float, Bound("ratio", 0.0, 20.0)] = 1.0
    order_bars: Annotated[int, Bound("count", 1, 1000)] = 3
    mark_noise: Annotated[float, Bound("ratio", 0.0, 5.0)] = 0.1
    touch_share: Annotated[float, Bound("fraction", 0.0, 1.0)] = 0.0


VENUE_HEAD: Final = record_of("balance", "queued:i", "lost:i", "liquidations:i")
POSITION: Final = record_of(
    "lots:i", "entry_price", "margin", "price", "close_ns:i", "n_bars:i", "works:i", "sigma", "volume", "room:i"
)
TRADED: Final = record_of("volume", "move2")
WORK: Final = record_of(
    "order_id:i", "kind:i", "lots:i", "trigger:i", "reduce_only:i", "parent:i", "margin_a_lot", "active_ns:i",
    "waited:i", "next_trigger:i", "next_ns:i", "gone_ns:i", "armed:i", "hit:i", "rested:i",
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
            if v.work[i, k].gone_ns == 0:  # asking again does not put it off
                v.work[i, k].gone_ns = intent.ts_ns + p.latency_ns
            if v.pos[i].lots == 0 and v.work[i, k].reduce_only:
                drop(v, i, k, intent.ts_ns + p.latency_ns, True)
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
        tell(v, REJECT, i, intent.ts_ns, intent.ts_ns + p.latency_ns, intent.order_id, 0, 0, 0.0, reason)


@stage
def _refuse(v, s, intent, p):
    """Reason code of a venue's refusal, REJ_NONE where it accepts."""
    i = intent.asset
    inst, pos = s.inst[i], v.pos[i]
    if intent.kind == ORDER_STOP or intent.kind == ORDER_TARGET:
        if intent.parent_id != 0 and pos.lots == 0 and _find(v, i, intent.parent_id) < 0:
            return REJ_UNKNOWN_ORDER
        return REJ_TICK if intent.trigger_ticks < 1 else REJ_NONE
    if intent.lots == 0 or not pos.price > 0.0:
        return REJ_LOT
    if intent.reduce_only:
        return REJ_REDUCE_ONLY if pos.lots * intent.lots >= 0 else REJ_NONE
    price = pos.price
    if intent.kind == ORDER_LIMIT:
        price = intent.trigger_ticks * inst.tick
        if intent.trigger_ticks < 1:
            return REJ_TICK
        if (price - pos.price) * intent.lots > 0.0:
            return REJ_WOULD_TAKE
    notional = abs(intent.lots) * unit(inst) * price
    if notional < inst.min_notional:
        return REJ_MIN_NOTIONAL
    if inst.can_short == 0 and pos.lots + intent.lots < 0:
        return REJ_SHORT
    needed = notional
    if inst.max_leverage > 1.0:
        needed = intent.margin_usd
        if needed < notional / inst.max_leverage * (1.0 - 1e-9):
            return REJ_MARGIN
    if pos.lots * intent.lots >= 0 and needed + notional * inst.taker * p.fee_factor > free(v, s):
        return REJ_MARGIN
    return REJ_NONE


@stage
def _place(v, i, intent, p):
    """Into a free slot; a venue has a limit of open orders too, and says so as insufficient margin would."""
    for k in range(WORKS):
        w = v.work[i, k]
        if w.order_id == 0:
            w.order_id, w.kind, w.lots, w.trigger = intent.order_id, intent.kind, intent.lots, intent.trigger_ticks
            w.reduce_only, w.parent, w.waited, w.next_ns, w.next_trigger = intent.reduce_only, intent.parent_id, 0, 0, 0
            w.margin_a_lot = intent.margin_usd / abs(intent.lots) if intent.lots != 0 else 0.0
            w.active_ns, w.gone_ns, w.hit, w.rested = intent.ts_ns + p.latency_ns, 0, 0, 0
            w.armed = 1 if intent.parent_id == 0 or v.pos[i].lots != 0 else 0
            v.pos[i].works += 1
            return REJ_NONE
    return REJ_MARGIN


@stage
def _find(v, i, order_id):
    """Slot of a working order, -1 where there is none."""
    for k in range(WORKS):
        if v.work[i, k].order_id == order_id and order_id != 0:
            return k
    return -1


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
def adjust(v, s, event):
    """A split or dividend at the open of its ex-date: position, past bars and working orders in new measure."""
    i, value = event.asset, corporate_value(event)
    pos, inst = v.pos[i], s.inst[i]
    split = corporate_what(event) == SPLIT
    if split:
        _split(v, i, value, unit(inst))
    else:
        v.head[0].balance += pos.lots * unit(inst) * value
        pos.price = pos.price - value if pos.price > value else pos.price
    for k in range(WORKS):
        w = v.work[i, k]
        if w.order_id == 0:
            continue
        if split:
            lots = w.lots
            w.lots, w.margin_a_lot = corporate.whole(w.lots, value), w.margin_a_lot / value
            w.trigger, w.next_trigger = corporate.rescale(w.trigger, value), corporate.rescale(w.next_trigger, value)
            if lots != 0 and w.lots == 0:  # nothing whole is left of it, and its owner must know
                drop(v, i, k, event.ts_known, True)
        else:
            w.trigger = corporate.lower(w.trigger, inst.tick, value)
            w.next_trigger = corporate.lower(w.next_trigger, inst.tick, value)


@stage
def _split(v, i, g, one):
    """The position in new shares, a broken lot paid out at the last price; past volumes in new shares."""
    pos = v.pos[i]
    pos.price, pos.entry_price = pos.price / g, pos.entry_price / g
    if pos.lots != 0:
        kept = corporate.whole(pos.lots, g)
        broken = pos.lots * g - kept
        if abs(broken) > 1e-9:
            v.head[0].balance += broken * one * (pos.price - pos.entry_price)
        pos.margin *= kept / (pos.lots * g)
        pos.lots = kept
    for k in range(min(pos.n_bars, PAST)):
        v.past[i, k].volume *= g


@stage
def match(v, s, event, p):
    """One bar of asset i against everything that works there; fills are known when the bar is."""
    i = event.asset
    pos = v.pos[i]
    if pos.lots != 0 or pos.works > 0:
        opened = session.opened(s, i, event.ts_event)
        _conditions(v, s, event, p)
        _wake(v, s, event, opened, p)
        liquidate_gap(v, s, event, p)
        for reduce_only in (1, 0):
            for k in range(WORKS):
                w = v.work[i, k]
                if w.order_id != 0 and w.kind == ORDER_MARKET and w.reduce_only == reduce_only:
                    if opened + p.grace_ns >= w.active_ns:
                        _market(v, s, i, k, event, opened, p)
        came = rest(v, s, event, opened, p)
        if pos.lots != 0:
            protect(v, s, event, opened, came, p)
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
        if pos.volume > 0.0 and bar_volume(event) > 0.0:  # NaN is a volume nobody knows: nothing trades against it
            cap = min(p.volume_share * pos.volume, p.bar_share * bar_volume(event))
            pos.room = int(math.floor(cap / unit(s.inst[i])))


@stage
def _wake(v, s, event, opened, p):
    """Changed triggers and cancellations hold from the first bar that opens after they arrived."""
    i = event.asset
    for k in range(WORKS):
        w = v.work[i, k]
        if w.order_id != 0 and w.gone_ns != 0 and taken_back(s, w, event, opened, p.grace_ns):
            drop(v, i, k, event.ts_known, True)
        if w.order_id != 0 and w.next_ns != 0 and opened + p.grace_ns >= w.next_ns:
            w.trigger, w.next_ns = w.next_trigger, 0


@stage
def _market(v, s, i, k, event, opened, p):
    """Fill what may be filled of a market order from the open; give an entry up after `order_bars`."""
    w, pos, inst = v.work[i, k], v.pos[i], s.inst[i]
    side = 1 if w.lots > 0 else -1
    wanted = min(abs(w.lots), pos.room)
    late = max(p.latency_ns, w.active_ns - opened)
    drift = p.drift * pos.sigma * math.sqrt(late / inst.bar_ns)
    price = bar_open(event) * (1.0 + side * (drift + slip(v, s, i, wanted, p)))
    ticks = orders.ticks_of(inst, price, side)
    wanted = allowed(v, s, i, w, wanted, ticks * inst.tick, p)
    w.waited += 1
    if wanted > 0:
        w.lots -= side * wanted
        fill(v, s, i, w.order_id, side * wanted, ticks, inst.taker * p.fee_factor, w.margin_a_lot,
              opened + late, event.ts_known, w.lots)  # fmt: skip
        arm(v, i, w.order_id)
    if w.lots == 0:
        drop(v, i, k, event.ts_known, False)
    elif (w.reduce_only and pos.lots * side >= 0) or (not w.reduce_only and w.waited >= p.order_bars):
        drop(v, i, k, event.ts_known, True)


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
