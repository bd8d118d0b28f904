"""hftbacktest's turn: a tick engine in Rust under a compiled strategy, given four ticks a bar.

    with_hftbacktest.py BARS TICK

A bar becomes open, low, high and close, each a bid and, one tick above, an ask; so it walks eight records a bar where
others walk one. It knows limit and market orders and no stop at the venue: the strategy looks at each of the four
prices and sells at market when one is at or below its stop, at that price, which is worse than the stop. What is
decided at a close is sent at the next open. No latency, no queue.
"""

from __future__ import annotations

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    GTC,
    LOCAL_EVENT,
    MARKET,
    SELL_EVENT,
    BacktestAsset,
    ROIVectorMarketDepthBacktest,
)
from hftbacktest.binding import event_dtype
from numba import njit
from work import CASH, FAST, FEE, FIRST, NOTIONAL, SLOW, STOP, Found, argument, serve

POINTS = ("o", "l", "h", "c")
AFTER_NS = (0, 100_000_000_000, 200_000_000_000, 299_000_000_000)
LOT = 1e-5


@njit  # type: ignore[misc]
def cross(hbt, stamps, first, cash, notional, share, fast_n, slow_n, lot):
    """Entries made and equity without fees: averages at closes, orders at the next price."""
    fast = slow = stop = price = 0.0
    was_above, wanted, order, entered = False, 0, 1, 0
    for k in range(len(stamps)):
        if hbt.elapse(stamps[k] - hbt.current_timestamp) > 1:
            break
        last, price = price, hbt.depth(0).best_bid
        held = hbt.position(0)
        if wanted > 0 and held == 0.0:
            amount = np.floor(notional / last / lot) * lot
            hbt.submit_buy_order(0, order, price, amount, GTC, MARKET, True)
            stop = last * (1.0 - share)
            order += 1
            entered += 1
        elif held > 0.0 and (wanted < 0 or price <= stop):
            hbt.submit_sell_order(0, order, price, held, GTC, MARKET, True)
            order += 1
        wanted = 0
        if k % 4 == 3:
            bar = k // 4
            if bar == 0:
                fast = slow = price
            fast += (price - fast) * 2.0 / (fast_n + 1.0)
            slow += (price - slow) * 2.0 / (slow_n + 1.0)
            above = fast > slow
            if bar >= first and above != was_above:
                wanted = 1 if above else -1
            was_above = above
            hbt.clear_inactive_orders(0)
    values = hbt.state_values(0)
    return entered, cash + values.balance + hbt.position(0) * price - values.fee


def lay(bars: np.ndarray, tick: float) -> tuple[np.ndarray, np.ndarray]:
    """Records [8 n] of bids and asks, and the times [4 n] of the four prices."""
    side = np.array([BUY_EVENT, SELL_EVENT], np.uint64)
    records = np.zeros((len(bars), 4, 2), event_dtype)
    for k, (name, after) in enumerate(zip(POINTS, AFTER_NS, strict=True)):
        records["px"][:, k, 0] = bars[name]
        records["px"][:, k, 1] = bars[name] + tick
        records["exch_ts"][:, k] = (bars["open_ns"] + after)[:, None]
    records["local_ts"] = records["exch_ts"]
    records["qty"] = 1e6
    records["ev"] = np.uint64(DEPTH_EVENT | EXCH_EVENT | LOCAL_EVENT) | side
    return records.reshape(-1), np.ascontiguousarray(records["exch_ts"][:, :, 0]).reshape(-1)


def run(laid: tuple[np.ndarray, np.ndarray], tick: float) -> Found:
    """One pass of the engine."""
    records, stamps = laid
    asset = (
        BacktestAsset().data([records]).linear_asset(1.0).constant_order_latency(0, 0).risk_adverse_queue_model()
        .no_partial_fill_exchange().trading_value_fee_model(FEE, FEE).tick_size(tick).lot_size(LOT)
        .roi_lb(0.0).roi_ub(float(records["px"].max()) * 1.1)
    )  # fmt: skip
    hbt = ROIVectorMarketDepthBacktest([asset])
    entered, equity = cross(hbt, stamps, FIRST, CASH, NOTIONAL, STOP, float(FAST), float(SLOW), LOT)
    hbt.close()
    return Found(int(entered), float(equity))


if __name__ == "__main__":
    tick = float(argument(0))
    serve(lambda bars: lay(bars, tick), lambda laid: run(laid, tick))
