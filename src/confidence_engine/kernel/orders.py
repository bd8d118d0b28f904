"""From a target to orders: integer lots, integer ticks, ids that are never reused.

An entry goes out with its protection: a stop and a target for the whole position, children of
the entry that live at the venue from its first fill. An order counts as working from the
moment it is decided until the venue says it is done. A limit entry that ends unfilled is given up, or
crossed (`cross`: 1 once it ends, 2 now) by `algos`.
Source for the life of an order: FIX 4.4, volume 4, order state changes.
"""

from __future__ import annotations

import math

from confidence_engine.domain.decision import GATE_TOO_SMALL
from confidence_engine.domain.event import fill_leaves, fill_order, reject_order, reject_reason
from confidence_engine.domain.jit import stage
from confidence_engine.domain.order import (
    INTENT_AMEND,
    INTENT_CANCEL,
    INTENT_SUBMIT,
    ORDER_LIMIT,
    ORDER_MARKET,
    ORDER_STOP,
    ORDER_TARGET,
    REJ_WOULD_TAKE,
    WHY_ENTRY,
    WHY_NONE,
    WHY_TRAIL,
)
from confidence_engine.kernel.margin import unit

__all__ = [
    "amend_stop", "diff", "emit", "filled", "forget", "parcel", "post", "protect", "recall", "reduce", "settle",
    "stand_down", "ticks_of",
]  # fmt: skip


@stage
def emit(s, i, out, action, kind, order_id, lots, trigger_ticks, why):
    """One intent row; returns it so that the caller can add what only it knows."""
    head = out.head[0]
    row = out.intents[head.intents]
    head.intents += 1
    row.event, row.ts_ns, row.action, row.order_id = head.event, s.head[0].now_ns, action, order_id
    row.asset, row.kind = i, kind
    row.lots, row.trigger_ticks, row.reduce_only, row.parent_id = lots, trigger_ticks, 1, 0
    row.margin_usd, row.why, row.decision = 0.0, why, s.book[i].decision
    return row


@stage
def _next_id(s):
    """A new order id, counted from 1."""
    h = s.head[0]
    h.order_seq += 1
    return h.order_seq


@stage
def ticks_of(inst, price, side):
    """Price in ticks, rounded up for side > 0 and down else; at least one."""
    exact = price / inst.tick
    nearest = math.floor(exact + 0.5)
    if abs(exact - nearest) < 1e-6:  # a price that is a tick but for the last bits of its float
        return max(int(nearest), 1)
    return max(int(math.ceil(exact)) if side > 0 else int(math.floor(exact)), 1)


@stage
def diff(s, i, d, target_lots):
    """Lots to trade towards the target after what is held and working; 0 and a bit below the minimum notional."""
    b, inst = s.book[i], s.inst[i]
    lots = target_lots - b.lots - b.entry_leaves
    if abs(lots) * unit(inst) * d.price < inst.min_notional:
        d.gates |= 1 << GATE_TOO_SMALL
        return 0
    return lots


@stage
def parcel(s, i, out, lots, margin):
    """Send one entry order of `lots` at market that posts `margin` quote."""
    _enter(s, i, out, ORDER_MARKET, lots, margin, 0)


@stage
def post(s, i, out, lots, margin, limit_ticks):
    """Rest one entry order of `lots` at a price; it posts `margin` quote."""
    _enter(s, i, out, ORDER_LIMIT, lots, margin, limit_ticks)


@stage
def _enter(s, i, out, kind, lots, margin, limit_ticks):
    """One entry order, and what the book has to know of it."""
    b = s.book[i]
    b.entry_id, b.entry_leaves, b.limit_ticks = _next_id(s), lots, limit_ticks
    b.plan_lots -= lots
    row = emit(s, i, out, INTENT_SUBMIT, kind, b.entry_id, lots, limit_ticks, WHY_ENTRY)
    row.reduce_only, row.margin_usd = 0, margin


@stage
def protect(s, i, out):
    """Stop and target of the whole position, as children of the entry just sent."""
    b = s.book[i]
    b.stop_id = _next_id(s)
    row = emit(s, i, out, INTENT_SUBMIT, ORDER_STOP, b.stop_id, 0, b.stop_ticks, WHY_NONE)
    row.parent_id = b.entry_id
    b.target_id = _next_id(s)
    row = emit(s, i, out, INTENT_SUBMIT, ORDER_TARGET, b.target_id, 0, b.target_ticks, WHY_NONE)
    row.parent_id = b.entry_id


@stage
def reduce(s, i, out, why):
    """Leave the whole position at market, once; the rest of an entry is given up first."""
    b = s.book[i]
    if b.lots == 0 or b.exit_id != 0:
        return
    stand_down(s, i, out)
    b.exit_id, b.exit_leaves, b.exit_why = _next_id(s), -b.lots, why
    emit(s, i, out, INTENT_SUBMIT, ORDER_MARKET, b.exit_id, -b.lots, 0, why)


@stage
def stand_down(s, i, out):
    """Give up what is left of an entry: no further parcel, and cancel the one that works, once."""
    b = s.book[i]
    b.plan_lots, b.cross = 0, 0
    recall(s, i, out)


@stage
def recall(s, i, out):
    """Cancel the entry that works, once; what it wanted is not given up with it."""
    b = s.book[i]
    if b.entry_id != 0 and b.cancelled_id != b.entry_id:
        b.cancelled_id = b.entry_id
        kind = ORDER_LIMIT if b.limit_ticks != 0 else ORDER_MARKET
        emit(s, i, out, INTENT_CANCEL, kind, b.entry_id, 0, 0, WHY_NONE)


@stage
def amend_stop(s, i, out, stop_ticks):
    """Move the protective stop; only `exits` calls this and only in the position's favour."""
    b = s.book[i]
    b.stop_ticks, b.trailed = stop_ticks, 1
    emit(s, i, out, INTENT_AMEND, ORDER_STOP, b.stop_id, 0, stop_ticks, WHY_TRAIL)


@stage
def settle(s, event, rejected):
    """The venue ended an order (CANCELLED or REJECT): it no longer works, and what it still wanted is dropped.

    An entry that ends without a fill takes its protection with it. A limit entry that is to be crossed keeps its rest,
    unless it was refused for anything but its price.
    """
    b = s.book[event.asset]
    order = int(reject_order(event))
    if rejected:
        b.rejected += 1
    if order == 0:
        return
    if order == b.entry_id:
        crosses = b.cross == 1 and (not rejected or reject_reason(event) == REJ_WOULD_TAKE)
        b.plan_lots = b.entry_leaves if crosses else 0
        b.cross = 2 if crosses else 0
        b.entry_id, b.entry_leaves, b.limit_ticks = 0, 0, 0
        if b.lots == 0:
            b.stop_id, b.target_id = 0, 0
            if not crosses:
                forget(s, event.asset)
    elif order == b.exit_id:
        b.exit_id, b.exit_leaves = 0, 0
    elif order == b.stop_id:
        b.stop_id = 0
    elif order == b.target_id:
        b.target_id = 0


@stage
def forget(s, i):
    """Nothing is held and nothing works: the plan of the entry is over."""
    b = s.book[i]
    b.stop_ticks, b.target_ticks, b.plan_margin, b.deadline_ns = 0, 0, 0.0, 0


@stage
def filled(s, event, out):
    """A fill's effect on what works, after `ledger` has booked it; protection that fills ends the entry it protects."""
    i = event.asset
    b = s.book[i]
    order, leaves = int(fill_order(event)), int(fill_leaves(event))
    if order == 0:
        return
    if order == b.entry_id:
        b.entry_leaves = leaves
        if leaves == 0:
            b.entry_id, b.limit_ticks, b.cross = 0, 0, 0
    elif order == b.exit_id:
        b.exit_leaves = leaves
        if leaves == 0:
            b.exit_id = 0
            reduce(s, i, out, b.exit_why)  # what an entry added while the exit was on its way leaves too
    elif order == b.stop_id or order == b.target_id:
        stand_down(s, i, out)
