"""What a venue says, as events, and an asset that has a price: for the tests of the stages that handle money."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.kernel.world import START

from confidence_engine.domain.event import CANCELLED, FILL, LIQUIDATION, REJECT, empty
from confidence_engine.domain.order import INTENT_CANCEL, INTENT_NAMES, INTENT_SUBMIT, ORDER_NAMES
from confidence_engine.kernel.out import Out
from confidence_engine.kernel.state import State

__all__ = ["ended", "fill", "intents", "liquidated", "priced", "said"]


def _from_venue(kind: int, asset: int, at_ns: int, numbers: tuple[float, ...]) -> Any:
    event = empty(1, kind)[0]
    event.ts_event = event.ts_known = at_ns
    event.asset = asset
    event.x0, event.x1, event.x2, event.x3, event.x4 = numbers
    return event


def fill(order: int, ticks: int, lots: int, fee: float = 0.0, leaves: int = 0, asset: int = 0, at: int = START) -> Any:
    """A FILL."""
    return _from_venue(FILL, asset, at, (order, ticks, lots, fee, leaves))


def liquidated(ticks: int, lots: int, fee: float = 0.0, asset: int = 0, at: int = START) -> Any:
    """A LIQUIDATION."""
    return _from_venue(LIQUIDATION, asset, at, (0, ticks, lots, fee, 0))


def ended(order: int, rejected: bool = False, asset: int = 0, at: int = START) -> Any:
    """A CANCELLED or a REJECT."""
    return _from_venue(REJECT if rejected else CANCELLED, asset, at, (order, 0, 0, 0.0, 0))


def priced(
    state: State, price: float, asset: int = 0, volume: float = 1000.0, bars: int = 12, atr: float = 1.0
) -> None:
    """Give the asset a last price, a range and a recent volume without going through the price stage."""
    a = state.asset[asset]
    a.price = a.open = a.high = a.low = price
    a.atr, a.atr_n, a.n_bars, a.warmth, a.close_ns = atr, 20, bars, 1.0, START
    state.ring["volume"][asset, :bars] = volume
    state.ring["price"][asset, :bars] = price
    state.book[asset].mark_price = price


def intents(out: Out) -> np.ndarray:
    """What was decided so far."""
    return out.intents[: int(out.head[0].intents)]


def said(out: Out) -> list[tuple[str, int, int]]:
    """Intents in short: (action and kind, order id, lots), an amendment with its ticks."""
    rows = []
    for r in intents(out):
        name = INTENT_NAMES[int(r.action)] + " " + ORDER_NAMES[int(r.kind)]
        amount = r.lots if r.action in (INTENT_SUBMIT, INTENT_CANCEL) else r.trigger_ticks
        rows.append((name, int(r.order_id), int(amount)))
    return rows
