"""backtrader's turn: a Python object at every bar, a broker that matches bar by bar.

Averages and crosses are its own indicators, computed for the whole series first (its `runonce`, the default and the
faster way). It starts an average from a simple mean; after the warm-up nothing of that is left. Entry and stop are
parent and child.
"""

from __future__ import annotations

import backtrader as bt
import numpy as np
import pandas as pd
from work import CASH, FAST, FEE, FIRST, NOTIONAL, SLOW, STOP, Found, serve


class Cross(bt.Strategy):  # type: ignore[misc]
    """Long from a cross upward to the next one downward, or to the stop."""

    def __init__(self) -> None:
        fast, slow = bt.ind.EMA(period=FAST), bt.ind.EMA(period=SLOW)
        self.cross = bt.ind.CrossOver(fast, slow)
        self.stop_order = None
        self.entered = 0

    def next(self) -> None:
        turn = self.cross[0]
        if turn < 0.0 and self.position:
            self.cancel(self.stop_order)
            self.close()
        elif turn > 0.0 and len(self) > FIRST and not self.position:
            close = self.data.close[0]
            amount = NOTIONAL / close
            entry = self.buy(size=amount, transmit=False)
            self.stop_order = self.sell(
                size=amount, exectype=bt.Order.Stop, price=close * (1.0 - STOP), parent=entry, transmit=True
            )
            self.entered += 1


def lay(bars: np.ndarray) -> pd.DataFrame:
    """The columns it wants, under a time index."""
    named = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
    index = pd.DatetimeIndex(bars["open_ns"])
    return pd.DataFrame({column: bars[name] for column, name in named.items()}, index=index)


def run(frame: pd.DataFrame) -> Found:
    """One run of the engine, without observers."""
    engine = bt.Cerebro(stdstats=False)
    engine.adddata(bt.feeds.PandasData(dataname=frame))
    engine.addstrategy(Cross)
    engine.broker.setcash(CASH)
    engine.broker.setcommission(commission=FEE)
    (strategy,) = engine.run()
    return Found(strategy.entered, float(engine.broker.getvalue()))


if __name__ == "__main__":
    serve(lay, run)
