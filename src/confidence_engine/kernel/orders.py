"""From a target to orders: integer lots, integer ticks, ids that are never reused.

An entry goes out with its protection: a stop and a target for the whole position, children of
the entry that live at the venue from its first fill. An order counts as working from the
moment it is decided until the venue says it is done.
Source for the life of an order: FIX 4.4, volume 4, order state changes.
"""

from __future__ import annotations

import math

from confidence_engine.domain.decision import GATE_TOO_SMALL
from confidence_engine.domain.event import fill_leaves, fill_order, reject_order
from confidence_engine.domain.jit import stage
from confidence_engine.domain.order import (
    INTENT_AMEND,
    INTENT_CANCEL,
    INTENT_SUBMIT,
    ORDER_MARKET,
    ORDER_STOP,
    ORDER_TARGET,
    WHY_ENTRY,
    WHY_NONE,
    WHY_TRAIL,
)
from confidence_engine.kernel.margin import unit

__all__ = ["amend_stop", "diff", "emit", "filled", "parcel", "protect", "reduce", "settle", "stand_down", "ticks_of"]


@stage
def emit(s, i, out, action, kind, order_id, lots, trigger_ticks, why):
    """One intent row; returns it so that the caller can add what only it knows."""
    head = out.head[0]
    row = out.intents[head.intents]
    head.intents += 1
    row.ts_ns, row.action, row.order_id, row.asset, row.kind = s.head[0].now_ns, action, order_id, i, kind
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
    """Send one entry order of `lots` that posts `margin` quote."""
    b = s.book[i]
    b.entry_id, b.entry_leaves = _next_id(s), lots
    b.plan_lots -= lots
    row = emit(s, i, out, INTENT_SUBMIT, ORDER_MARKET, b.entry_id, lots, 0, WHY_ENTRY)
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
    b.plan_lots = 0
    if b.entry_id != 0 and b.cancelled_id != b.entry_id:
        b.cancelled_id = b.entry_id
        emit(s, i, out, INTENT_CANCEL, ORDER_MARKET, b.entry_id, 0, 0, WHY_NONE)


@stage
def amend_stop(s, i, out, stop_ticks):
    """Move the protective stop; only `exits` calls this and only in the position's favour."""
    b = s.book[i]
    b.stop_ticks, b.trailed = stop_ticks, 1
    emit(s, i, out, INTENT_AMEND, ORDER_STOP, b.stop_id, 0, stop_ticks, WHY_TRAIL)


@stage
def settle(s, event, rejected):
    """The venue ended an order (CANCELLED or REJECT): it no longer works, and what it still wanted is dropped.

    An entry that ends without a fill takes its protection with it.
    """
    b = s.book[event.asset]
    order = int(reject_order(event))
    if rejected:
        b.rejected += 1
    if order == 0:
        return
    if order == b.entry_id:
        b.entry_id, b.entry_leaves, b.plan_lots = 0, 0, 0
        if b.lots == 0:
            b.stop_id, b.target_id, b.stop_ticks, b.target_ticks = 0, 0, 0, 0
            b.plan_margin, b.deadline_ns = 0.0, 0
    elif order == b.exit_id:
        b.exit_id, b.exit_leaves = 0, 0
    elif order == b.stop_id:
        b.stop_id = 0
    elif order == b.target_id:
        b.target_id = 0


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
            b.entry_id = 0
    elif order == b.exit_id:
        b.exit_leaves = leaves
        if leaves == 0:
            b.exit_id = 0
            reduce(s, i, out, b.exit_why)  # what an entry added while the exit was on its way leaves too
    elif order == b.stop_id or order == b.target_id:
        stand_down(s, i, out)
