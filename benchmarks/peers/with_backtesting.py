"""The turn of backtesting.py: a Python method is called at every bar, orders are matched bar by bar.

Amounts are whole, so prices are those of a hundred-thousandth of a coin. Its averages are arrays, made before the
first bar and shown up to the present one.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy
from backtesting.lib import crossover
from work import CASH, FAST, FEE, FIRST, NOTIONAL, SLOW, STOP, Found, serve

PART = 1e-5


class Cross(Strategy):
    """Long from a cross upward to the next one downward, or to the stop."""

    def init(self) -> None:
        close = pd.Series(self.data.Close)
        self.fast = self.I(lambda: close.ewm(span=FAST, adjust=False).mean().to_numpy())
        self.slow = self.I(lambda: close.ewm(span=SLOW, adjust=False).mean().to_numpy())
        self.entered = 0

    def next(self) -> None:
        if crossover(self.slow, self.fast):
            self.position.close()
        elif crossover(self.fast, self.slow) and len(self.data) > FIRST and not self.position:
            close = self.data.Close[-1]
            self.buy(size=round(NOTIONAL / close), sl=close * (1.0 - STOP))
            self.entered += 1


def lay(bars: np.ndarray) -> pd.DataFrame:
    """The columns it wants, under a time index."""
    named = {"Open": "o", "High": "h", "Low": "l", "Close": "c"}
    index = pd.DatetimeIndex(bars["open_ns"])
    frame = pd.DataFrame({column: bars[name] * PART for column, name in named.items()}, index=index)
    return frame.assign(Volume=bars["v"] / PART)


def run(frame: pd.DataFrame) -> Found:
    """One backtest with its statistics, which it always makes."""
    made = Backtest(frame, Cross, cash=CASH, commission=FEE, trade_on_close=False)
    said = made.run()
    return Found(said["_strategy"].entered, float(said["Equity Final [$]"]))


if __name__ == "__main__":
    serve(lay, run)
