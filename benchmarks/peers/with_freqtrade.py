"""freqtrade's turn: arrays for indicators and signals, then a Python loop over candles for orders and stops.

    with_freqtrade.py BARS WORK TICK

It wants the exchange's list of markets even for a backtest and has no way to work without a network, so the exchange is
made unvalidated and given one market by hand, as its own tests do; no request is made. Orders, stop, wallet and trade
records are its own. A signal fills at the next open; the stop is its own `stoploss`, a share below the fill and not
below the close before it (`custom_stoploss` could be exact and makes it nearly three times as slow). Its report is not
made.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from freqtrade.data.history.datahandlers import get_datahandler
from freqtrade.enums import CandleType, RunMode
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.resolvers import ExchangeResolver
from freqtrade.strategy import IStrategy
from work import CASH, FAST, FEE, FIRST, NOTIONAL, SLOW, STOP, Found, argument, serve

PAIR = "BTC/USDT"


class Cross(IStrategy):  # type: ignore[misc]
    """Long from a cross upward to the next one downward, or to the stop."""

    INTERFACE_VERSION = 3
    timeframe = "5m"
    stoploss = -STOP
    minimal_roi = {}  # noqa: RUF012  (its interface)
    startup_candle_count = 0
    process_only_new_candles = True

    def populate_indicators(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        fast = dataframe["close"].ewm(span=FAST, adjust=False).mean()
        slow = dataframe["close"].ewm(span=SLOW, adjust=False).mean()
        above = fast > slow
        before = above.shift(1, fill_value=bool(above.iloc[0]))
        dataframe["up"], dataframe["down"] = above & ~before, before & ~above
        dataframe.loc[dataframe.index < FIRST, "up"] = False
        self.closes = dict(zip(dataframe["date"].array[1:], dataframe["close"].to_numpy(), strict=False))
        return dataframe

    def populate_entry_trend(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        dataframe.loc[dataframe["up"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        dataframe.loc[dataframe["down"], "exit_long"] = 1
        return dataframe

    def custom_stake_amount(self, current_time: Any, current_rate: float, **kwargs: Any) -> float:
        return NOTIONAL / self.closes[current_time] * current_rate


def config_of(folder: Path) -> dict[str, Any]:
    """What a config file and the command line would say."""
    return {
        "exchange": {"name": "binance", "pair_whitelist": [PAIR], "pair_blacklist": [], "enable_ws": False},
        "stake_currency": "USDT", "stake_amount": NOTIONAL, "dry_run": True, "dry_run_wallet": CASH,
        "max_open_trades": 1, "timeframe": "5m", "fee": FEE, "strategy": "Cross",
        "strategy_path": str(folder / "strategies"), "user_data_dir": folder, "datadir": folder / "data",
        "runmode": RunMode.BACKTEST, "trading_mode": "spot", "margin_mode": "", "candle_type_def": CandleType.SPOT,
        "dataformat_ohlcv": "feather", "pairlists": [{"method": "StaticPairList"}], "export": "none",
        "backtest_cache": "none", "tradable_balance_ratio": 1.0, "internals": {},
        "entry_pricing": {"price_side": "other", "use_order_book": False},
        "exit_pricing": {"price_side": "other", "use_order_book": False},
        "order_types": {"entry": "market", "exit": "market", "stoploss": "market", "stoploss_on_exchange": False},
        "unfilledtimeout": {"entry": 10, "exit": 10, "exit_timeout_count": 0, "unit": "minutes"},
    }  # fmt: skip


def market(tick: float) -> dict[str, Any]:
    """The one market, as the exchange would describe it."""
    return {
        "id": "BTCUSDT", "symbol": PAIR, "base": "BTC", "quote": "USDT", "active": True, "spot": True, "type": "spot",
        "swap": False, "future": False, "linear": None, "contractSize": None, "taker": FEE, "maker": FEE,
        "precision": {"amount": 1e-5, "price": tick}, "info": {},
        "limits": {"amount": {"min": 1e-5, "max": 1e4}, "cost": {"min": 5.0, "max": None},
                   "price": {"min": tick, "max": None}, "leverage": {"min": None, "max": None}},
    }  # fmt: skip


def lay(bars: np.ndarray, folder: Path) -> Path:
    """Candles in its own store."""
    named = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
    frame = pd.DataFrame({"date": pd.DatetimeIndex(bars["open_ns"], tz="UTC").as_unit("ms")})
    for column, name in named.items():
        frame[column] = bars[name]
    (folder / "data").mkdir(parents=True, exist_ok=True)
    get_datahandler(folder / "data", "feather").ohlcv_store(PAIR, "5m", frame, CandleType.SPOT)
    return folder


def run(folder: Path, tick: float) -> Found:
    """Engine, candles from its store, signals, backtest."""
    config = config_of(folder)
    exchange = ExchangeResolver.load_exchange(config, validate=False)
    exchange._markets = {PAIR: market(tick)}
    engine = Backtesting(config, exchange)
    data, span = engine.load_bt_data()
    (strategy,) = engine.strategylist
    engine.backtest_one_strategy(strategy, data, span)
    made = engine.all_bt_content["Cross"]
    Backtesting.cleanup()
    return Found(len(made["results"]), float(made["final_balance"]))


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    folder, tick = Path(argument(0)), float(argument(1))
    (folder / "strategies").mkdir(parents=True, exist_ok=True)
    shutil.copy(__file__, folder / "strategies")
    serve(lambda bars: lay(bars, folder), lambda where: run(where, tick))
