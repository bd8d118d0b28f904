"""Orders, fills and trades: what was asked for, what happened to the money, and round trips from flat to flat.

A trade is a round trip at average prices; a fill across zero ends one and begins the next, its fee shared by lots. Net
profit = sign x (out - in) x base - fees + funding, dividends and paid-out broken lots counted with funding. A
position's entry price is its average cost (IAS 2.25), which a partial exit leaves alone.
"""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from confidence_engine.domain.event import ADL, CORPORATE, FILL, FUNDING, LIQUIDATION
from confidence_engine.domain.order import (
    EXIT_NAMES,
    INTENT_AMEND,
    INTENT_SUBMIT,
    ORDER_NAMES,
    client_order_id,
    execution_id,
)
from confidence_engine.domain.regime import TREND_WORDS, VOLATILITY_WORDS
from confidence_engine.domain.units import DAY_NS
from confidence_engine.journal.carry import Carry, Chosen, Held, Traded, Trip
from confidence_engine.journal.chain import Record
from confidence_engine.journal.periods import closed
from confidence_engine.journal.sheet import Sheet, number, quantity, stamp

__all__ = ["entered", "intended"]

_KINDS: Final = {FILL: "fill", LIQUIDATION: "liquidation", ADL: "adl", FUNDING: "funding", CORPORATE: "corporate"}
_MINUTE_NS: Final = 60e9


def intended(c: Carry, sheet: Sheet, record: Record, e: Any) -> None:
    """One INTENT: a new order, another price for one, or the wish to cancel it."""
    one = c.instruments[e.asset]
    price = e.trigger_ticks * one.tick if e.trigger_ticks else None
    if e.action != INTENT_SUBMIT:
        known = sheet.order(e.order_id)
        if known is None:
            return
        status = "amended" if e.action == INTENT_AMEND else "cancel sent"
        if known["status"] == "part filled" and e.action == INTENT_AMEND:
            status = "part filled"
        changed: dict[str, Any] = {"price": price} if e.action == INTENT_AMEND else {}
        if known["status"] != "filled":
            sheet.change("orders", known["id"], status=status, last_updated=stamp(e.ts_ns), **changed)
        return
    parent = sheet.order(e.parent_id) if e.parent_id else None
    sheet.put(
        "orders", record.id, e.ts_ns, client_order_id=client_order_id(c.run_id, e.order_id), order_number=e.order_id,
        symbol=one.symbol, side=_side(e.lots), order_type=ORDER_NAMES[e.kind], lots=abs(e.lots),
        quantity=quantity(e.lots, one.lot, one.multiplier), price=price, reduce_only=int(e.reduce_only != 0),
        parent=None if parent is None else parent["id"], margin=number(e.margin_usd), reason=EXIT_NAMES[e.why],
        decision_id=_decision(sheet, e.decision), filled_lots=0, status="sent", last_updated=stamp(e.ts_ns),
    )  # fmt: skip


def entered(c: Carry, sheet: Sheet, record: Record, e: Any) -> None:
    """One ENTRY: a line of the ledger, the trade and the position it moves."""
    order = sheet.order(e.order_id) if e.order_id else None
    before = c.trips.get(e.asset)
    if e.kind == FUNDING:
        began, share = None, 0.0
        c.funding += e.amount_usd
        if before is not None:
            before.funding += e.amount_usd
    elif e.kind == CORPORATE:
        began, share = None, 0.0
        c.funding += e.amount_usd
        if before is not None:
            _adjust(before, e)
    else:
        c.fees += e.fee_usd
        began, share = _fill(c, sheet, record, e, order)
        if order is not None:
            _filled(sheet, order, e, c.trips.get(e.asset) is None)
    _line(c, sheet, record, e, order, before, began)
    if before is not None:
        fee = e.fee_usd * share if e.kind in (FILL, LIQUIDATION, ADL) else 0.0
        _settle(c, sheet, record, e, before, e.amount_usd - fee, order)
    if began is not None:
        _settle(c, sheet, record, e, began, -e.fee_usd * (1.0 - share), order)


def _side(lots: int) -> str | None:
    return None if lots == 0 else "buy" if lots > 0 else "sell"


def _decision(sheet: Sheet, seq: int) -> str | None:
    return f"{sheet.name}:{seq}" if seq else None


def _filled(sheet: Sheet, order: dict[str, Any], e: Any, flat: bool) -> None:
    """Lots of a child are those of the position, so it is done when that is flat."""
    done = order["filled_lots"] + abs(e.lots)
    whole = done >= order["lots"] if order["lots"] else flat
    status = "filled" if whole else order["status"] if order["status"] == "cancel sent" else "part filled"
    sheet.change("orders", order["id"], filled_lots=done, status=status, last_updated=stamp(e.ts_known))


def _fill(
    c: Carry, sheet: Sheet, record: Record, e: Any, order: dict[str, Any] | None
) -> tuple[Trip | None, float]:  # fmt: skip
    """Move the sums; (the trade that begins or None, share of the fill that went to the trade before)."""
    trip, sign, left = c.trips.get(e.asset), (1 if e.lots > 0 else -1), abs(e.lots)
    share = 1.0 if trip is not None else 0.0
    if trip is not None and trip.side != sign:
        closing = min(left, trip.left)
        share = closing / left
        trip.lots_out += closing
        trip.cash_out += closing * e.price
        trip.fees += e.fee_usd * share
        if trip.left == 0:
            del c.trips[e.asset]
        left -= closing
        if left == 0:
            return None, 1.0
        trip = None
    began = None
    if trip is None:
        trip = began = c.trips[e.asset] = _begin(c, sheet, record, e, order, sign)
    trip.cost = (trip.left * trip.cost + left * e.price) / (trip.left + left)
    trip.lots_in += left
    trip.cash_in += left * e.price
    trip.fees += e.fee_usd * left / abs(e.lots)
    return began, share


def _begin(c: Carry, sheet: Sheet, record: Record, e: Any, order: dict[str, Any] | None, side: int) -> Trip:
    """A new trade and its row, which `_settle` completes."""
    one = c.instruments[e.asset]
    found = [x for x in c.chosen.get(e.asset, []) if x.seq == e.decision]
    why = found[-1] if found else None
    order_id = None if order is None else order["client_order_id"]
    row = sheet.put(
        "enhanced_trades", record.id, e.ts_known, event_timestamp=stamp(e.ts_event), symbol=one.symbol,
        action=_side(side), status="open", quantity="0", lots=0, leverage=_leverage(one, e, order),
        signal_quality=why and why.quality, conviction_score=why and why.conviction,
        confidence=why and why.confidence, regime_state=_regime(why), platform=one.venue, order_id=order_id,
        decision_id=_decision(sheet, e.decision), entry_reason=why.reason if why else EXIT_NAMES[e.why],
    )  # fmt: skip
    return Trip(row, side, e.ts_event, e.decision, order_id)


def _regime(why: Chosen | None) -> str | None:
    return None if why is None else f"{VOLATILITY_WORDS[why.regime & 7]}/{TREND_WORDS[why.regime >> 3 & 3]}"


def _leverage(one: Traded, e: Any, order: dict[str, Any] | None) -> float | None:
    """Notional over the margin posted with the order; 1 where there is no other, unknown without the order."""
    if one.max_leverage <= 1.0:
        return 1.0
    if order is None or not order["margin"] or not order["lots"]:
        return None
    return float(order["lots"] * one.base * e.price / order["margin"])


def _adjust(trip: Trip, e: Any) -> None:
    """A split changes the count of lots and not the money; what is paid out for a broken lot takes its cost along."""
    left = trip.left + trip.side * e.lots
    if math.isfinite(e.rate):
        broken = trip.left * e.rate - left
        trip.cash_in -= broken * trip.cash_in / (trip.lots_in * e.rate)
        trip.lots_in = max(round(trip.lots_in * e.rate - broken), left)
        trip.lots_out = trip.lots_in - left
        trip.cost /= e.rate
    trip.funding += e.amount_usd


def _line(
    c: Carry, sheet: Sheet, record: Record, e: Any, order: dict[str, Any] | None, before: Trip | None,
    began: Trip | None,
) -> None:  # fmt: skip
    """The row of `fills`."""
    one = c.instruments[e.asset]
    moved = before or began
    sheet.put(
        "fills", record.id, e.ts_known, event_timestamp=stamp(e.ts_event),
        execution_id=execution_id(c.run_id, e.seq), kind=_KINDS[e.kind], symbol=one.symbol,
        order_row=order and order["id"], order_id=order and order["client_order_id"],
        trade_id=moved and moved.row, next_trade_id=began.row if before is not None and began is not None else None,
        side=None if e.kind in (FUNDING, CORPORATE) else _side(e.lots), lots=e.lots,
        quantity=quantity(e.lots, one.lot, one.multiplier), price=number(e.price), fee=number(e.fee_usd),
        rate=number(e.rate), amount=number(e.amount_usd), reason=EXIT_NAMES[e.why],
        decision_id=_decision(sheet, e.decision),
    )  # fmt: skip


def _settle(
    c: Carry, sheet: Sheet, record: Record, e: Any, trip: Trip, gain: float, order: dict[str, Any] | None
) -> None:  # fmt: skip
    """Bring the rows of a trade and of its position up to now; `gain` is what this line earned it, net."""
    one = c.instruments[e.asset]
    over = trip.left == 0
    values: dict[str, Any] = {
        "lots": trip.lots_in, "quantity": quantity(trip.lots_in, one.lot, one.multiplier), "fees": trip.fees,
        "entry_price": trip.cash_in / trip.lots_in if trip.lots_in else None, "funding": trip.funding,
    }  # fmt: skip
    if over:
        values |= _over(c, sheet, record, e, trip, order, values["entry_price"])
    sheet.change("enhanced_trades", trip.row, **values)
    _position(c, sheet, record, e, trip, gain)
    if over and c.trips.get(e.asset) is trip:  # a reverse split paid all of it out
        del c.trips[e.asset]


def _over(
    c: Carry, sheet: Sheet, record: Record, e: Any, trip: Trip, order: dict[str, Any] | None, entry: float | None
) -> dict[str, Any]:  # fmt: skip
    """What an ended trade has besides, and its row in the archive."""
    one = c.instruments[e.asset]
    gross = trip.side * (trip.cash_out - trip.cash_in) * one.base
    pnl = gross - trip.fees + trip.funding
    closed(c, sheet, record, e.ts_known, pnl > 0.0)
    mean_out = trip.cash_out / trip.lots_in if trip.lots_in else None
    found = [x for x in c.chosen.get(e.asset, []) if x.seq == trip.decision]
    told = {
        "entry_price": entry, "entry_event_timestamp": stamp(trip.entry_ns), "entry_order_id": trip.order,
        "exit_reason": EXIT_NAMES[e.why],
    }  # fmt: skip
    sheet.put(
        "trades", record.id, e.ts_known, event_timestamp=stamp(e.ts_event), symbol=one.symbol,
        action=_side(trip.side), price=mean_out, quantity=quantity(trip.lots_in, one.lot, one.multiplier),
        lots=trip.lots_in, confidence=found[-1].confidence if found else None, gross_pnl=gross, fees=trip.fees,
        funding=trip.funding, pnl=pnl, decision_id=_decision(sheet, trip.decision),
        metadata=msgspec.json.encode(told).decode(), trade_id=trip.row,
    )  # fmt: skip
    return {
        "status": "closed", "exit_price": mean_out, "exit_timestamp": stamp(e.ts_known),
        "exit_event_timestamp": stamp(e.ts_event), "exit_order_id": order and order["client_order_id"],
        "gross_pnl": gross, "pnl": pnl, "win_loss": "win" if pnl > 0.0 else "loss" if pnl < 0.0 else "even",
        "hold_duration_minutes": (e.ts_event - trip.entry_ns) / _MINUTE_NS, "exit_reason": EXIT_NAMES[e.why],
    }  # fmt: skip


def _position(c: Carry, sheet: Sheet, record: Record, e: Any, trip: Trip, gain: float) -> None:
    """The row of this symbol and side."""
    one, day = c.instruments[e.asset], e.ts_known // DAY_NS
    side = "long" if trip.side > 0 else "short"
    key = f"{e.asset}:{side}"
    held = c.held.get(key)
    values: dict[str, Any] = {
        "timestamp": stamp(e.ts_known), "lots": trip.left, "position_entry_price": trip.cost if trip.left else None,
        "position_qty": quantity(trip.left, one.lot, one.multiplier), "last_entry_time": stamp(trip.entry_ns),
        "order_id": trip.order, "last_updated": stamp(e.ts_known), "params_hash": c.params_hash,
    }  # fmt: skip
    if held is None:
        which = 0 if trip.side > 0 else 1
        row = sheet.put(
            "positions", record.id, e.ts_known, which, symbol=one.symbol, position_side=side, position_qty="0", lots=0,
            last_entry_time=stamp(trip.entry_ns), last_updated=stamp(e.ts_known),
        )  # fmt: skip
        held = c.held[key] = Held(row, day)
    held.today = held.today + gain if held.day == day else gain
    held.day = day
    held.total += gain
    sheet.change("positions", held.row, **values, pnl_today=held.today, pnl_total=held.total)
