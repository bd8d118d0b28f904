"""NautilusTrader's turn: its low-level BacktestEngine, bars that it turns into prices of a book, orders at a venue.

    with_nautilus.py BARS TICK

Averages are its own indicators. A market order sent at a bar's close fills at that close, not at the next open; the
stop is a stop-market order at the venue from then on. Risk engine, cache, portfolio and account work as they do live.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.config import BacktestEngineConfig, LoggingConfig, StrategyConfig
from nautilus_trader.indicators import ExponentialMovingAverage
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TraderId, Venue
from nautilus_trader.model.instruments import CurrencyPair
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.trading.strategy import Strategy
from work import CASH, FAST, FEE, FIRST, NOTIONAL, SLOW, STOP, Found, argument, serve

VENUE = Venue("PEERS")
ID = InstrumentId(Symbol("BTCUSDT"), VENUE)
BARS = BarType.from_str(f"{ID}-5-MINUTE-LAST-EXTERNAL")


def instrument(decimals: int) -> CurrencyPair:
    """BTC/USDT with `decimals` of price and the common fee."""
    return CurrencyPair(
        instrument_id=ID, raw_symbol=ID.symbol, base_currency=BTC, quote_currency=USDT, price_precision=decimals,
        size_precision=5, price_increment=Price(10.0**-decimals, decimals), size_increment=Quantity(1e-5, 5),
        ts_event=0, ts_init=0, margin_init=Decimal(1), margin_maint=Decimal(1), maker_fee=Decimal(str(FEE)),
        taker_fee=Decimal(str(FEE)),
    )  # fmt: skip


class Cross(Strategy):  # type: ignore[misc]
    """Long from a cross upward to the next one downward, or to the stop."""

    def __init__(self, pair: CurrencyPair) -> None:
        super().__init__(StrategyConfig())
        self.pair = pair
        self.fast = ExponentialMovingAverage(FAST)
        self.slow = ExponentialMovingAverage(SLOW)
        self.seen = self.entered = 0
        self.was_above = False
        self.level = 0.0
        self.close = 0.0

    def on_start(self) -> None:
        self.register_indicator_for_bars(BARS, self.fast)
        self.register_indicator_for_bars(BARS, self.slow)
        self.subscribe_bars(BARS)

    def on_bar(self, bar: Bar) -> None:
        above = self.fast.value > self.slow.value
        turned = above != self.was_above
        self.was_above = above
        self.seen += 1
        self.close = bar.close.as_double()
        if not turned or self.seen <= FIRST:
            return
        if not above:
            self.cancel_all_orders(ID)
            self.close_all_positions(ID)
        elif self.portfolio.is_flat(ID):
            self.level = self.close * (1.0 - STOP)
            amount = self.pair.make_qty(NOTIONAL / self.close)
            self.submit_order(self.order_factory.market(ID, OrderSide.BUY, amount))
            self.entered += 1

    def on_position_opened(self, event) -> None:
        stop = self.order_factory.stop_market(
            ID, OrderSide.SELL, event.quantity, self.pair.make_price(self.level), reduce_only=True
        )
        self.submit_order(stop)


def lay(bars: np.ndarray, decimals: int) -> list[Bar]:
    """Bars as its own objects, stamped at their close."""
    named = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
    index = pd.DatetimeIndex(bars["close_ns"], tz="UTC")
    frame = pd.DataFrame(np.stack([bars[name] for name in named.values()], axis=1), index, list(named))
    return BarDataWrangler(BARS, instrument(decimals)).process(frame)


def run(laid: list[Bar], decimals: int) -> Found:
    """A new engine, one run."""
    config = BacktestEngineConfig(trader_id=TraderId("PEERS-001"), logging=LoggingConfig(bypass_logging=True))
    engine = BacktestEngine(config)
    engine.add_venue(VENUE, OmsType.NETTING, AccountType.MARGIN, [Money(CASH, USDT)], base_currency=USDT)
    pair = instrument(decimals)
    engine.add_instrument(pair)
    engine.add_data(laid)
    strategy = Cross(pair)
    engine.add_strategy(strategy)
    engine.run()
    equity = engine.portfolio.account(VENUE).balance_total(USDT).as_double()
    for position in engine.cache.positions_open():
        equity += position.unrealized_pnl(pair.make_price(strategy.close)).as_double()
    engine.dispose()
    return Found(strategy.entered, equity)


if __name__ == "__main__":
    decimals = max(-round(np.log10(float(argument(0)))), 0)
    serve(lambda bars: lay(bars, decimals), lambda laid: run(laid, decimals))
