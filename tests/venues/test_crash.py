"""Forced liquidations at 25x through recorded crashes: orders injected by the test, the ledger checked by another.

Hourly bars of the BTC perpetual. March 2020 has no recorded funding; May and June 2022 have it. The positions are
opened by hand with the least margin the venue takes, so that the crash takes them; the kernel adopts the fills.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.ledger_reference import curve

from confidence_engine.domain.event import FUNDING, LIQUIDATION, bar_events, funding_events, timer_events
from confidence_engine.domain.instrument import CLASSES, Instrument, Tier, instrument_rows
from confidence_engine.domain.order import INTENT, INTENT_SUBMIT, ORDER_MARKET
from confidence_engine.domain.params import params_record
from confidence_engine.domain.units import DAY_NS, HOUR_NS, SECOND_NS, parse_time
from confidence_engine.drivers.loop import run
from confidence_engine.feeds.merge import merge
from confidence_engine.kernel.out import new_out
from confidence_engine.kernel.params import Params
from confidence_engine.kernel.state import new_state
from confidence_engine.venues import sim

pytestmark = pytest.mark.realdata

START_USD = 1_000_000.0
PERP = Instrument(
    symbol="BTC/USDT", venue="binance-perp", underlying="BTC", klass="crypto", quote="USDT", tick=0.01, lot=0.001,
    min_notional=100.0, taker=5e-4, maker=2e-4, half_spread=1e-4, max_leverage=25.0, can_short=True,
    liquidation_fee=0.0125, funding_ns=8 * HOUR_NS, tiers=(Tier(50e3, 0.004), Tier(250e3, 0.005), Tier(1e9, 0.01)),
)  # fmt: skip


class Crash:
    """A tape of hourly bars that is played piece by piece, with orders in between."""

    def __init__(self, data: Path, start: str, end: str) -> None:
        first, last = parse_time(start), parse_time(end)
        bars = pl.read_parquet(data / "market/crypto_perp_1h/BTCUSDT_2019-09_2022-07.parquet")
        paid = pl.read_parquet(data / "market/funding/BTCUSDT_8h_2021-08_2022-07.parquet")
        close = bars["date"].dt.epoch("ns").to_numpy() + HOUR_NS
        use = (close > first) & (close <= last)
        ohlcv = tuple(bars[name].to_numpy()[use] for name in ("open", "high", "low", "close", "volume"))
        close = close[use]
        at = paid["date"].dt.epoch("ns").to_numpy()
        inside = (at > first) & (at <= last)
        funded = funding_events(at[inside], at[inside] + 2 * SECOND_NS, 0, 2, paid["funding_rate"].to_numpy()[inside])
        grid = timer_events(close + 2 * SECOND_NS, grid=True)
        self.events = merge([bar_events(close, close + SECOND_NS, 0, 1, ohlcv), funded, grid])
        rows, tiers = instrument_rows([PERP], ["BTC"], HOUR_NS)
        self.state = new_state(rows, tiers, [0], np.tile([0.8, 0.5, 365 * 86400.0], (len(CLASSES), 1)), START_USD)
        self.venue = sim.new_venue(len(self.state.asset), START_USD)
        self.records = params_record(Params()), params_record(sim.Params())
        self.out = new_out(1, 200_000)
        self.at, self.order = 0, 10_000

    def until(self, moment_ns: int) -> None:
        """Play up to a moment."""
        stop = int(np.searchsorted(self.events["ts_known"], moment_ns, side="right"))
        self.at = run(self.state, self.venue, self.events[:stop], self.at, *self.records, self.out)
        assert self.at == stop
        assert self.out.head[0].status == 0

    def order_now(self, usd: float) -> None:
        """A market order for `usd` of notional (negative sells) at 25x, sent now."""
        price = float(self.venue.pos[0].price)
        intent: Any = np.zeros(1, INTENT)[0]
        self.order += 1
        intent.ts_ns, intent.action, intent.order_id, intent.kind = (
            int(self.events["ts_known"][self.at - 1]), INTENT_SUBMIT, self.order, ORDER_MARKET
        )  # fmt: skip
        intent.lots = round(usd / price / PERP.lot)
        intent.margin_usd = abs(intent.lots) * PERP.lot * price / PERP.max_leverage * 1.0001
        sim.accept(self.venue, self.state, intent, self.records[1][0])

    @property
    def entries(self) -> np.ndarray:
        """What happened to the money."""
        return self.out.entries[: self.out.head[0].entries]

    def check(self) -> None:
        """Another ledger, in Decimal, from the entries and the marks, at every hour and so at every day's end."""
        head = self.out.head[0]
        equity, marks = self.out.equities[: head.equities], self.out.marks[: head.marks]
        found = curve(START_USD, {0: ("0.01", "0.001")}, self.entries, marks, equity["ts_ns"].tolist())
        worst = max(abs(one - Decimal(repr(two))) for one, two in zip(found, equity["equity"].tolist(), strict=True))
        assert worst < Decimal("1e-6")
        assert len(np.unique(equity["ts_ns"] // DAY_NS)) > 5
        assert float(self.venue.head[0].balance) == pytest.approx(float(self.state.head[0].balance), abs=1e-6)


def _play(crash: Crash, first: str, every_h: int, usd: list[float], last: str) -> None:
    moment = parse_time(first)
    for amount in usd:
        crash.until(moment)
        crash.order_now(amount)
        moment += every_h * HOUR_NS
    crash.until(parse_time(last))


def test_through_the_twelfth_of_march_2020(shared_data: Path) -> None:
    crash = Crash(shared_data, "2020-03-05", "2020-03-20")
    _play(
        crash, "2020-03-07T12:00Z", 24, [200_000.0, 150_000.0, -60_000.0, 300_000.0, 250_000.0, 200_000.0], "2020-03-20"
    )
    taken = crash.entries[crash.entries["kind"] == LIQUIDATION]
    assert len(taken) >= 2
    assert crash.venue.head[0].liquidations == len(taken)
    assert (taken["fee_usd"] >= 0.0).all()
    crash.check()


def test_through_the_spring_of_2022_with_its_funding(shared_data: Path) -> None:
    crash = Crash(shared_data, "2022-05-01", "2022-06-25")
    sizes = [400_000.0, -200_000.0, 300_000.0, -300_000.0, 500_000.0, 400_000.0, -250_000.0, 300_000.0]
    _play(crash, "2022-05-03T03:00Z", 150, sizes, "2022-06-25")
    kinds = crash.entries["kind"]
    assert (kinds == LIQUIDATION).sum() >= 2
    assert (kinds == FUNDING).sum() >= 20
    crash.check()


def test_a_liquidation_never_costs_more_than_the_margin(shared_data: Path) -> None:
    crash = Crash(shared_data, "2020-03-05", "2020-03-20")
    crash.until(parse_time("2020-03-11T12:00Z"))
    before = float(crash.venue.head[0].balance)
    crash.order_now(500_000.0)
    crash.until(parse_time("2020-03-14"))
    kinds = crash.entries["kind"].tolist()
    assert kinds.count(LIQUIDATION) == 1
    posted = 500_000.0 / PERP.max_leverage
    fees = float(crash.entries["fee_usd"][crash.entries["kind"] != LIQUIDATION].sum())
    lost = before - float(crash.venue.head[0].balance) - fees
    assert 0.8 * posted < lost < 1.05 * posted
