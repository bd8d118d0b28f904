"""vectorbt's turn: whole arrays at once, no order is judged event by event.

    with_vectorbt.py BARS numba|rust

Signals are made for the whole series and moved to the next bar, where they fill at the open; the stop is a share below
the fill, chosen so that its level is the common one. There is one order a bar, and where an exit at the open and the
stop fall into the same bar the stop goes first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt
from vectorbt.portfolio.enums import StopEntryPrice, StopExitPrice
from work import CASH, FAST, FEE, FIRST, NOTIONAL, SLOW, STOP, Found, argument, serve


def lay(bars: np.ndarray) -> pd.DataFrame:
    """Columns under a time index."""
    index = pd.DatetimeIndex(bars["open_ns"])
    return pd.DataFrame({name: bars[name] for name in "ohlcv"}, index=index)


def run(frame: pd.DataFrame) -> Found:
    """Averages, crosses and portfolio."""
    close = frame["c"]
    fast = vbt.MA.run(close, FAST, ewm=True)
    slow = vbt.MA.run(close, SLOW, ewm=True)
    entries = fast.ma_crossed_above(slow).shift(1, fill_value=False)
    exits = fast.ma_crossed_below(slow).shift(1, fill_value=False)
    entries.iloc[: FIRST + 1] = False
    seen = close.shift(1)
    made: dict[str, Any] = {
        "close": close, "entries": entries, "exits": exits, "price": frame["o"], "size": NOTIONAL / seen,
        "open": frame["o"], "high": frame["h"], "low": frame["l"], "sl_stop": 1.0 - (1.0 - STOP) * seen / frame["o"],
        "stop_entry_price": StopEntryPrice.FillPrice, "stop_exit_price": StopExitPrice.StopLimit, "fees": FEE,
        "init_cash": CASH, "direction": "longonly",
    }  # fmt: skip
    portfolio = vbt.Portfolio.from_signals(**made)
    bought = portfolio.orders.values["side"] == 0
    return Found(int(bought.sum()), float(portfolio.final_value()))


if __name__ == "__main__":
    vbt.settings["engine"] = argument(0, "numba")
    vbt.settings.array_wrapper["freq"] = "5min"
    serve(lay, run)
