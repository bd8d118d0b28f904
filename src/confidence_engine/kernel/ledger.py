"""What is held and what it cost: average cost, linear profit, fees, funding, isolated margin.

Profit of a closed quantity is q (exit - entry), signed; leverage appears nowhere, because it
is not part of profit. Balance = start + realised - fees + funding; equity = balance + q (mark -
entry) over all positions. A funding payment is -q mark rate: longs pay shorts when it is
positive. Spot is the same ledger with the whole notional as margin.
Sources: weighted average cost, IAS 2.25; linear contracts and funding, Binance, "USD-M futures: profit and loss" and
"funding rates".
"""

from __future__ import annotations

import math

from confidence_engine.domain.event import (
    FUNDING,
    LIQUIDATION,
    fill_fee,
    fill_lots,
    fill_order,
    fill_ticks,
    funding_mark,
    funding_rate,
)
from confidence_engine.domain.jit import stage
from confidence_engine.domain.order import (
    INTENT_CANCEL,
    ORDER_STOP,
    ORDER_TARGET,
    WHY_ENTRY,
    WHY_LIQUIDATED,
    WHY_NONE,
    WHY_STOP,
    WHY_TARGET,
    WHY_TRAIL,
)
from confidence_engine.kernel import orders, session
from confidence_engine.kernel.margin import unit

__all__ = ["blend", "book", "close", "fund", "mark", "note", "snapshot"]


@stage
def blend(lots, entry_price, fill, price):
    """(lots, entry price, lots closed with the sign they had) after `fill` lots at `price`, average cost."""
    after = lots + fill
    if lots == 0 or lots * fill > 0:
        return after, (abs(lots) * entry_price + abs(fill) * price) / abs(after), 0
    closed = lots if abs(fill) >= abs(lots) else -fill
    if after == 0:
        return 0, 0.0, closed
    if lots * after > 0:
        return after, entry_price, closed
    return after, price, closed


@stage
def book(s, event, out):
    """A FILL or LIQUIDATION: position, margin, realised profit, fee, and the entry row."""
    i = event.asset
    b, inst, h = s.book[i], s.inst[i], s.head[0]
    fill, fee, order = int(fill_lots(event)), fill_fee(event), int(fill_order(event))
    price = fill_ticks(event) * inst.tick
    why = _why(b, event, order)
    held = b.lots
    b.lots, entry, closed = blend(held, b.entry_price, fill, price)
    gain = closed * unit(inst) * (price - b.entry_price)
    if closed != 0:
        b.margin *= 1.0 - abs(closed) / abs(held)
    b.entry_price = entry
    opened = abs(fill) - abs(closed)
    if opened > 0:
        b.margin += opened * _margin_a_lot(b, inst, price)
        if closed != 0 or held == 0:
            b.opened_ns, b.best = event.ts_event, math.nan
        if why == WHY_ENTRY and b.deadline_ns == 0:  # too late: its plan is gone, so it leaves at the next review
            b.deadline_ns = session.clock(s, inst.calendar, event.ts_known)
    b.realised += gain
    b.fees += fee
    h.realised += gain
    h.fees += fee
    h.balance += gain - fee
    h.turnover += abs(fill) * unit(inst) * price
    b.mark_price = price
    row = note(s, i, event, out)
    row.order_id, row.ticks, row.lots, row.price, row.fee_usd = order, int(fill_ticks(event)), fill, price, fee
    row.amount_usd, row.why = gain, why
    if b.lots == 0:
        close(s, i, event, out)


@stage
def _margin_a_lot(b, inst, price):
    """Quote posted for one lot: notional for spot, the plan's share, or the venue's least for a foreign position."""
    if inst.max_leverage <= 1.0:
        return unit(inst) * price
    if b.plan_margin > 0.0:
        return b.plan_margin
    return unit(inst) * price / inst.max_leverage


@stage
def _why(b, event, order):
    """Which of our orders this fill belongs to; WHY_NONE is somebody else's."""
    if event.kind == LIQUIDATION:
        return WHY_LIQUIDATED
    if order == 0:
        return WHY_NONE
    if order == b.entry_id:
        return WHY_ENTRY
    if order == b.exit_id:
        return b.exit_why
    if order == b.stop_id:
        return WHY_TRAIL if b.trailed else WHY_STOP
    if order == b.target_id:
        return WHY_TARGET
    return WHY_NONE


@stage
def note(s, i, event, out):
    """One row of what happened to the money."""
    h, head = s.head[0], out.head[0]
    row = out.entries[head.entries]
    head.entries += 1
    h.entry_seq += 1
    row.seq, row.event = h.entry_seq, head.event
    row.ts_event, row.ts_known, row.kind = event.ts_event, event.ts_known, event.kind
    row.asset, row.order_id, row.ticks, row.lots, row.why = i, 0, 0, 0, WHY_NONE
    row.price, row.fee_usd, row.rate, row.amount_usd = math.nan, 0.0, math.nan, 0.0
    row.decision = s.book[i].decision
    return row


@stage
def close(s, i, event, out):
    """Flat again: no margin, no protection, no rest of an entry; the pause starts."""
    b = s.book[i]
    b.margin, b.closed_ns, b.deadline_ns = 0.0, event.ts_known, 0
    b.plan_lots = 0
    if b.entry_id == 0:  # what is still under way posts what it was sent with
        b.plan_margin = 0.0
    orders.stand_down(s, i, out)
    if b.stop_id != 0 and b.stop_id != fill_order(event):
        orders.emit(s, i, out, INTENT_CANCEL, ORDER_STOP, b.stop_id, 0, 0, WHY_NONE)
    if b.target_id != 0 and b.target_id != fill_order(event):
        orders.emit(s, i, out, INTENT_CANCEL, ORDER_TARGET, b.target_id, 0, 0, WHY_NONE)
    b.stop_id, b.target_id, b.stop_ticks, b.target_ticks = 0, 0, 0, 0


@stage
def fund(s, event, out):
    """A FUNDING payment on what is held, at the mark given or else the last known price."""
    i = event.asset
    a, b, h = s.asset[i], s.book[i], s.head[0]
    a.funding_ns = event.ts_event
    if b.lots == 0:
        return
    price = funding_mark(event)
    if not price > 0.0:
        price = b.mark_price
    amount = -b.lots * unit(s.inst[i]) * price * funding_rate(event)
    b.funding += amount
    b.margin += amount
    h.funding += amount
    h.balance += amount
    row = note(s, i, event, out)
    row.kind, row.lots, row.price, row.rate, row.amount_usd = FUNDING, b.lots, price, funding_rate(event), amount


@stage
def mark(s):
    """Equity, exposure (held and working) and margin at the last known prices."""
    h = s.head[0]
    h.equity, h.gross, h.net_usd, h.used_margin, h.open_positions = h.balance, 0.0, 0.0, 0.0, 0
    for i in range(h.n_assets):
        b = s.book[i]
        lots = b.lots + b.entry_leaves + b.plan_lots
        if b.lots == 0 and lots == 0:
            continue
        one = unit(s.inst[i])
        h.equity += b.lots * one * (b.mark_price - b.entry_price)
        h.gross += abs(lots) * one * b.mark_price
        h.net_usd += lots * one * b.mark_price
        h.used_margin += b.margin + abs(lots - b.lots) * b.plan_margin
        h.open_positions += 1


@stage
def snapshot(s, out):
    """The equity row of this moment and the price of everything held."""
    h, head = s.head[0], out.head[0]
    row = out.equities[head.equities]
    head.equities += 1
    row.event, row.ts_ns = head.event, h.now_ns
    row.equity, row.balance, row.gross = h.equity, h.balance, h.gross
    row.net_usd, row.used_margin, row.open_positions = h.net_usd, h.used_margin, h.open_positions
    for i in range(h.n_assets):
        b = s.book[i]
        if b.lots != 0:
            m = out.marks[head.marks]
            head.marks += 1
            m.event, m.ts_ns, m.asset, m.lots, m.price = head.event, h.now_ns, i, b.lots, b.mark_price
