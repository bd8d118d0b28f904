"""No fill could not have been had: every one is held to the bar it fell in and to what had reached the venue by then.

The future inside a bar is invisible to perturbation, because all of a bar becomes known at once. So, with the bars and
the orders alone and without the venue's code: an order fills in no bar that opened before it arrived (GRACE aside),
never better than that bar's open; a stop only where the bar came to a level that had arrived before the bar opened,
never better than that level or the open; a target only at its own price, where the bar went beyond it, in a bar that
did not come to the stop and brought no limit entry; a limit entry only at its own price, in a bar that went beyond it
(or came to it, where `touch_share` says so), and its stop in that very bar, which hurts and never helps.
Assets that had a split or a dividend are left out: their orders are restated.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from confidence_engine.domain.event import FILL
from confidence_engine.domain.order import (
    INTENT_AMEND,
    INTENT_SUBMIT,
    ORDER_LIMIT,
    ORDER_MARKET,
    ORDER_STOP,
    ORDER_TARGET,
)
from confidence_engine.domain.units import SECOND_NS, format_time
from confidence_engine.drivers.replay import Result
from confidence_engine.evaluate.leaks.found import Check
from confidence_engine.evaluate.leaks.rebuilt import Rebuilt

__all__ = ["FILLS", "GRACE_NS", "fills"]

FILLS: Final = "fills"
GRACE_NS: Final = 3 * SECOND_NS
"""The most that an order may come after an open that it gets, whatever `[sim] grace` says: more is a bar's inside."""


class _Said(NamedTuple):
    """What was sent and what came of it."""

    intents: np.ndarray
    orders: dict[int, Any]  # submissions by order id
    first: dict[int, int]  # ts_known of an order's first fill
    limits: set[tuple[int, int]]  # (asset, ts_known) of bars in which a limit entry was filled


def fills(run: Rebuilt, result: Result, check: Check) -> None:
    """Every fill of `result`, which came of `run`."""
    with check.timed():
        said, latency_ns = _said(result), run.config.timing.bar_latency_ns
        sim = run.config.sim._replace(grace_ns=min(run.config.sim.grace_ns, GRACE_NS))
        for entry in result.entries:
            one = run.sources.instruments[int(entry["asset"])]
            if entry["kind"] != FILL or entry["order_id"] == 0 or one.key in run.sources.corporate:
                continue
            rows = run.sources.bars[one.key]
            at = int(np.searchsorted(rows["close_ns"], entry["ts_known"] - latency_ns))
            check.n += 1
            told = "it fell in no bar"
            if at < len(rows) and rows["close_ns"][at] == entry["ts_known"] - latency_ns:
                told = _fault(entry, rows, at, one.tick, sim, latency_ns, said)
            if told:
                check.leak(f"{one.symbol} at {format_time(int(entry['ts_known']))}, order {entry['order_id']}: {told}")


def _said(result: Result) -> _Said:
    orders = {int(one["order_id"]): one for one in result.intents[result.intents["action"] == INTENT_SUBMIT]}
    first: dict[int, int] = {}
    limits = set()
    for one in result.entries[result.entries["kind"] == FILL]:
        number, known = int(one["order_id"]), int(one["ts_known"])
        first.setdefault(number, known)
        if number in orders and orders[number]["kind"] == ORDER_LIMIT:
            limits.add((int(one["asset"]), known))
    return _Said(result.intents, orders, first, limits)


def _fault(entry: Any, rows: np.ndarray, at: int, tick: float, sim: Any, latency_ns: int, said: _Said) -> str:
    """What this fill could not have been; "" where it could."""
    order, bar, side = said.orders[int(entry["order_id"])], rows[at], 1 if entry["lots"] > 0 else -1
    arrived = int(order["ts_ns"]) + sim.latency_ns
    if order["kind"] == ORDER_LIMIT:
        return _limit(entry, order, bar, side, arrived, tick, sim.touch_share)
    came = (int(entry["asset"]), int(entry["ts_known"])) in said.limits
    hurt = came and order["kind"] == ORDER_STOP and arrived < bar["close_ns"]  # it came with the entry it ends
    if arrived > bar["open_ns"] + sim.grace_ns and not hurt:
        return f"its bar opened {format_time(int(bar['open_ns']))}, and it arrived {format_time(arrived)}"
    if order["kind"] == ORDER_MARKET:
        better = side * (float(bar["o"]) - float(entry["price"])) > tick / 2
        return f"{entry['price']:g} is better than the open of its bar, {bar['o']:g}" if better else ""
    stop = order if order["kind"] == ORDER_STOP else _sibling(order, said.orders)
    awake = _awake(stop, rows, sim, latency_ns, said)
    level, touched = _stop_level(stop, rows, min(awake, at), at, said.intents, tick, sim, -side)
    if order["kind"] == ORDER_TARGET:
        return _target(entry, order, bar, side, tick, touched, came)
    if not touched:
        return f"the bar did not come to {level:g}, the stop that had arrived before it opened"
    worst = min(float(bar["o"]), level) if side < 0 else max(float(bar["o"]), level)
    if side * (worst - float(entry["price"])) > tick / 2:
        return f"{entry['price']:g} is better than its stop at {level:g} and the open, {bar['o']:g}"
    return ""


def _limit(entry: Any, order: Any, bar: Any, side: int, arrived: int, tick: float, touch_share: float) -> str:
    """A limit entry: its own price, gone beyond; in the bar in which it arrived by the close alone."""
    price = float(order["trigger_ticks"]) * tick
    if arrived >= bar["close_ns"]:
        return "it arrived when its bar was over"
    reached = float(bar["l"] if side > 0 else bar["h"]) if arrived <= bar["open_ns"] else float(bar["c"])
    if side * (price - reached) < (-tick if touch_share > 0.0 else tick) / 2:
        return f"the bar did not go beyond {price:g} after it had arrived"
    return "" if abs(float(entry["price"]) - price) < tick / 2 else f"{entry['price']:g} is not its price, {price:g}"


def _target(entry: Any, order: Any, bar: Any, side: int, tick: float, touched: bool, came: bool) -> str:
    """A target: its own price, gone beyond, and nothing that hurts came first."""
    price = float(order["trigger_ticks"]) * tick
    best = float(bar["h"] if side < 0 else bar["l"])
    if touched:
        return "its bar came to the stop as well, which is taken to come first"
    if came:
        return "its bar brought a limit entry, and the best price may have been there before"
    if -side * (best - price) <= 0.0:
        return f"the bar did not go beyond {price:g}"
    return "" if abs(float(entry["price"]) - price) < tick / 2 else f"{entry['price']:g} is not its price, {price:g}"


def _sibling(order: Any, orders: dict[int, Any]) -> Any:
    """The stop that was sent with this target."""
    return next(
        (one for one in orders.values() if one["parent_id"] == order["parent_id"] and one["kind"] == ORDER_STOP), order
    )


def _awake(stop: Any, rows: np.ndarray, sim: Any, latency_ns: int, said: _Said) -> int:
    """The first bar that a stop works in: that of its entry's first fill, or the next one where it came later."""
    parent = int(stop["parent_id"])
    filled = int(np.searchsorted(rows["close_ns"], said.first.get(parent, 0) - latency_ns))
    if parent in said.orders and said.orders[parent]["kind"] == ORDER_LIMIT:
        return filled
    return max(filled, int(np.searchsorted(rows["open_ns"], int(stop["ts_ns"]) + sim.latency_ns - sim.grace_ns)))


def _stop_level(
    stop: Any, rows: np.ndarray, awake: int, at: int, intents: np.ndarray, tick: float, sim: Any, held: int
) -> tuple[float, bool]:
    """(level in force when bar `at` opened, whether that bar or one from `awake` on came to the stop).

    `held` is the side of the position. A stop that was hit goes on until it is done.
    """
    moves = intents[(intents["order_id"] == stop["order_id"]) & (intents["action"] == INTENT_AMEND)]
    level, touched = float("nan"), False
    for k in range(awake, at + 1):
        there = moves[moves["ts_ns"] + sim.latency_ns <= rows["open_ns"][k] + sim.grace_ns]
        level = float(there["trigger_ticks"][-1] if len(there) else stop["trigger_ticks"]) * tick
        worst = float(rows["l"][k] if held > 0 else rows["h"][k])
        touched = touched or (worst - level) * held <= 0.0
    return level, touched
