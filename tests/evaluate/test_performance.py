"""evaluate.performance: closed forms, reference values, and a plain cash ledger as the judge of round trips."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from confidence_engine.domain.errors import DataRefused
from confidence_engine.domain.event import CORPORATE, FILL, FUNDING, LIQUIDATION, REJECT
from confidence_engine.domain.order import WHY_ENTRY, WHY_LIQUIDATED, WHY_REVERSED, WHY_STOP
from confidence_engine.domain.units import DAY_NS, HOUR_NS, parse_time
from confidence_engine.evaluate.performance import (
    DAYS_A_YEAR,
    ENTRY_COLUMNS,
    TRADE,
    daily_equity,
    drawdown,
    exposure,
    hold_curve,
    measure,
    minimum_track_days,
    payoff_ratio,
    session_equity,
    sharpe,
    trades_from_fills,
    win_rate,
)

T0 = parse_time("2023-01-01")


def ledger(*rows: dict) -> np.ndarray:
    lines = np.zeros(len(rows), ENTRY_COLUMNS)
    for i, row in enumerate(rows):
        lines[i]["seq"], lines[i]["kind"], lines[i]["ts_event"] = i, FILL, T0 + i * HOUR_NS
        for name, value in row.items():
            lines[i][name] = value
    return lines


def test_a_round_trip_with_partial_fills_and_funding() -> None:
    fills = ledger(
        {"lots": 10, "price": 100.0, "fee_usd": 1.0, "decision": 7, "why": WHY_ENTRY},
        {"lots": 30, "price": 104.0, "fee_usd": 3.0, "decision": 7, "why": WHY_ENTRY},
        {"kind": FUNDING, "amount_usd": -0.5},
        {"lots": -15, "price": 110.0, "fee_usd": 1.5, "why": WHY_STOP},
        {"lots": -25, "price": 102.0, "fee_usd": 2.5, "why": WHY_STOP},
    )
    (trade,) = trades_from_fills(fills, [0.1])
    assert (trade["side"], trade["lots"], trade["decision"], trade["why"]) == (1, 40, 7, WHY_STOP)
    assert (trade["entry_ns"], trade["exit_ns"]) == (T0, T0 + 4 * HOUR_NS)
    assert trade["entry_price"] == pytest.approx(103.0)
    assert trade["exit_price"] == pytest.approx(105.0)
    assert trade["qty"] == pytest.approx(4.0)
    assert trade["notional_usd"] == pytest.approx(412.0)
    assert trade["fees_usd"] == pytest.approx(8.0)
    assert trade["pnl_usd"] == pytest.approx(2.0 * 4.0 - 8.0 - 0.5)


def test_a_reversal_is_two_trades_that_share_the_fee_by_lots() -> None:
    fills = ledger(
        {"lots": 10, "price": 100.0, "decision": 1},
        {"lots": -25, "price": 90.0, "fee_usd": 5.0, "decision": 2, "why": WHY_REVERSED},
        {"lots": 15, "price": 80.0, "decision": 3, "why": WHY_LIQUIDATED, "kind": LIQUIDATION},
    )
    first, second = trades_from_fills(fills, {0: 1.0})
    assert (first["side"], first["pnl_usd"], first["fees_usd"], first["decision"]) == (1, -102.0, 2.0, 1)
    assert (second["side"], second["pnl_usd"], second["fees_usd"], second["decision"]) == (-1, 147.0, 3.0, 2)
    assert (first["why"], second["why"]) == (WHY_REVERSED, WHY_LIQUIDATED)


def test_open_positions_are_no_trades_and_bad_ledgers_are_refused() -> None:
    assert len(trades_from_fills(ledger({"lots": 3, "price": 1.0}), [1.0])) == 0
    assert trades_from_fills(ledger(), [1.0]).dtype == TRADE
    assert len(trades_from_fills(ledger({"kind": REJECT, "lots": 0}), [1.0])) == 0
    with pytest.raises(DataRefused, match="no position"):
        trades_from_fills(ledger({"kind": FUNDING, "amount_usd": 0.1}), [1.0])
    with pytest.raises(DataRefused, match="no lots"):
        trades_from_fills(ledger({"lots": 0, "price": 1.0}), [1.0])


moves = st.lists(
    st.tuples(st.integers(0, 2), st.integers(-20, 20).filter(bool), st.integers(1, 500), st.integers(0, 9)),
    min_size=1,
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(moves, st.booleans())
def test_trades_add_up_to_the_cash(rows: list[tuple[int, int, int, int]], shuffle: bool) -> None:
    """Close every position: the sum over trades is the cash that came in, whatever the order of partial fills."""
    base = [0.5, 1.0, 3.0]
    held = [0, 0, 0]
    lines = []
    for asset, lots, price, fee in rows:
        lines.append({"asset": asset, "lots": lots, "price": float(price), "fee_usd": fee / 7})
        held[asset] += lots
        if held[asset]:
            lines.append({"asset": asset, "kind": FUNDING, "amount_usd": fee / 3 - 1})
    lines += [{"asset": k, "lots": -n, "price": 50.0, "fee_usd": 0.2} for k, n in enumerate(held) if n]
    fills = ledger(*lines)
    cash = sum(-r["lots"] * base[r["asset"]] * r["price"] - r["fee_usd"] + r["amount_usd"] for r in fills)
    if shuffle:
        fills = np.random.default_rng(0).permutation(fills)
    trades = trades_from_fills(fills, base)
    assert trades["pnl_usd"].sum() == pytest.approx(cash, abs=1e-8)
    assert trades["fees_usd"].sum() == pytest.approx(fills["fee_usd"].sum())
    assert trades["funding_usd"].sum() == pytest.approx(fills["amount_usd"].sum(), abs=1e-9)
    gross = trades["side"] * (trades["exit_price"] - trades["entry_price"]) * trades["qty"]
    assert np.allclose(gross - trades["fees_usd"] + trades["funding_usd"], trades["pnl_usd"], atol=1e-7)
    assert np.all(trades["qty"] > 0)
    assert np.all(trades["exit_ns"] >= trades["entry_ns"])


def test_days_end_at_midnight_and_keep_every_profit() -> None:
    ts = T0 + HOUR_NS * np.arange(0, 24 * 10 + 1)
    equity = 1000.0 + np.arange(len(ts), dtype=float)
    ends, values = daily_equity(ts, equity)
    assert np.array_equal(ends, T0 + DAY_NS * np.arange(11))
    assert np.array_equal(values, 1000.0 + 24 * np.arange(11))
    # A start late in the day and an end early in one are joined to their neighbours, nothing is lost.
    ends, values = daily_equity(ts[20:-20], equity[20:-20])
    assert len(ends) == 9
    assert (values[0], values[-1]) == (equity[20], equity[-21])
    # Half a day is a day, an hour less is not.
    assert [len(daily_equity(ts[k:], equity[k:])[0]) - 1 for k in (12, 13)] == [10, 9]
    assert [len(daily_equity(ts[:-k], equity[:-k])[0]) - 1 for k in (12, 13)] == [10, 9]
    # A silent day carries the last value.
    keep = (ts <= T0 + 3 * DAY_NS) | (ts > T0 + 5 * DAY_NS)
    _, values = daily_equity(ts[keep], equity[keep])
    assert values[3] == values[4] == values[5] == 1072.0
    assert len(daily_equity(ts[:5], equity[:5])[0]) == 1
    for bad_ts, bad in ((ts[::-1], equity), (ts, equity * math.nan), (ts[:0], equity[:0]), (ts, equity[:5])):
        with pytest.raises(DataRefused):
            daily_equity(bad_ts, bad)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 400), st.integers(1, 40 * 3600))
def test_daily_returns_compound_to_the_whole(seed: int, count: int, gap_s: int) -> None:
    rng = np.random.default_rng(seed)
    ts = T0 + rng.integers(0, DAY_NS) + np.cumsum(rng.integers(1, gap_s * 1_000_000_000, count))
    equity = 1e4 * np.exp(np.cumsum(rng.normal(0, 0.01, count)))
    ends, values = daily_equity(ts, equity)
    assert np.all(np.diff(ends[1:]) == DAY_NS)
    if len(ends) > 1:
        assert np.prod(values[1:] / values[:-1]) == pytest.approx(equity[-1] / equity[0])
        assert abs(ends[-1] - ts[-1]) <= DAY_NS // 2


def test_sharpe_of_known_returns_and_when_it_is_withheld() -> None:
    returns = np.tile([0.02, -0.01], 30)
    got = sharpe(returns, 365.0)
    assert got.n == 60
    daily = 0.005 / np.std(returns, ddof=1)
    assert got.value == pytest.approx(daily * math.sqrt(365))
    # Skew 0 and kurtosis 1: the variance is that of the mean alone.
    assert got.ci95[1] - got.value == pytest.approx(1.959964 * math.sqrt(365 / 59), rel=1e-6)
    assert sharpe(returns[:19], 365.0).value is None
    assert sharpe(np.full(100, 0.001), 365.0).value is None
    assert sharpe(np.zeros(100), 365.0).ci95 is None
    assert sharpe(np.zeros(0), 365.0).n == 0


@pytest.mark.parametrize(("mean", "shape"), [(0.0, 5.0), (0.1, 5.0), (0.1, 30.0), (0.3, 30.0)])
def test_the_sharpe_interval_covers_as_often_as_it_says(mean: float, shape: float) -> None:
    """2,000 records of 300 days, half of them fat-tailed and half skewed: some 95 % of the intervals hold the truth."""
    rng = np.random.default_rng(3)
    hits = 0
    for k in range(2000):
        noise = rng.standard_t(shape, 300) / math.sqrt(shape / (shape - 2)) if k % 2 else 1 - rng.exponential(1, 300)
        got = sharpe(mean + noise, 1.0)
        hits += got.ci95[0] <= mean <= got.ci95[1]
    assert 0.925 <= hits / 2000 <= 0.97


def test_minimum_track_record_is_the_published_one() -> None:
    """Bailey and Lopez de Prado (2012): Sharpe 1.5, normal, 95 %: 1.2 years against 0, 10.9 against 1.0."""
    assert minimum_track_days(1.5, 0.0, 252.0) / 252 == pytest.approx(1.2, abs=0.02)
    assert minimum_track_days(1.5, 1.0, 252.0) / 252 == pytest.approx(10.9, abs=0.05)
    assert minimum_track_days(0.9, 1.0, 252.0) == math.inf
    # Where the record is exactly that long, the one-sided 95 % bound of the estimate touches the benchmark.
    daily, n = 1.5 / math.sqrt(252), minimum_track_days(1.5, 0.0, 252.0)
    assert daily == pytest.approx(1.644854 * math.sqrt((1 + daily**2 / 2) / (n - 1)), rel=1e-6)


def test_drawdown_is_on_the_marked_curve() -> None:
    ts = T0 + HOUR_NS * np.arange(6)
    fall = drawdown(ts, np.array([100.0, 120.0, 90.0, 110.0, 100.0, 130.0]))
    assert fall.fraction == pytest.approx(0.25)
    assert (fall.peak_ns, fall.trough_ns) == (ts[1], ts[2])
    assert drawdown(ts, np.arange(1.0, 7.0)).fraction == 0.0
    assert drawdown(ts[:2], np.array([10.0, -5.0])).fraction == pytest.approx(1.5)
    with pytest.raises(DataRefused):
        drawdown(ts[:1], np.zeros(1))


@pytest.mark.parametrize(("wins", "n"), [(0, 7), (1, 10), (30, 50), (92, 153), (40, 40)])
def test_wilson_interval_is_scipy_s(wins: int, n: int) -> None:
    pnl = np.concatenate([np.ones(wins), -np.ones(n - wins)])
    got = win_rate(pnl)
    want = binomtest(wins, n).proportion_ci(0.95, method="wilson")
    assert got.value == pytest.approx(wins / n)
    assert got.ci95 == (pytest.approx(want.low, abs=1e-12), pytest.approx(want.high, abs=1e-12))
    assert got.n == n


def test_win_rate_and_payoff_say_nothing_of_nothing() -> None:
    assert win_rate(np.zeros(0)).value is None
    assert payoff_ratio(np.array([1.0, 2.0])) is None
    assert payoff_ratio(np.array([-1.0])) is None
    assert payoff_ratio(np.array([3.0, 1.0, -1.0, 0.0])) == pytest.approx(2.0)


def test_exposure_counts_time_and_gross() -> None:
    ts = T0 + HOUR_NS * np.arange(11)
    fills = ledger(
        {"lots": 5, "price": 100.0, "ts_event": T0 + 2 * HOUR_NS},
        {"lots": -3, "price": 100.0, "ts_event": T0 + 4 * HOUR_NS, "asset": 1},
        {"lots": -5, "price": 130.0, "ts_event": T0 + 6 * HOUR_NS},
        {"lots": 3, "price": 90.0, "ts_event": T0 + 7 * HOUR_NS, "asset": 1},
    )
    got = exposure(ts, np.full(11, 1000.0), fills, [1.0, 2.0])
    assert got.time_share == pytest.approx(0.5)
    assert got.mean_gross == pytest.approx((4 * 0.5 + 3 * 0.6) / 10)
    assert exposure(ts, np.full(11, 1000.0), ledger(), [1.0]).mean_gross == 0.0
    still = exposure(ts, np.full(11, 1000.0), fills[:1], [1.0])
    assert still.time_share == pytest.approx(0.8)
    flipped = ledger(
        {"lots": 5, "price": 100.0, "ts_event": T0}, {"lots": -8, "price": 200.0, "ts_event": T0 + 5 * HOUR_NS}
    )
    assert exposure(ts, np.full(11, 1000.0), flipped, [1.0]).mean_gross == pytest.approx(0.5 * 0.5 + 0.5 * 0.6)


BARS = np.dtype([("open_ns", "i8"), ("close_ns", "i8"), ("o", "f8"), ("c", "f8")])


def price_bars(closes: np.ndarray, start_ns: int = T0) -> np.ndarray:
    bars = np.zeros(len(closes), BARS)
    bars["open_ns"] = start_ns + HOUR_NS * np.arange(len(closes))
    bars["close_ns"] = bars["open_ns"] + HOUR_NS
    bars["c"], bars["o"] = closes, np.concatenate([[100.0], closes[:-1]])
    return bars


def test_holding_is_bought_once_and_sold_once() -> None:
    one, two = price_bars(np.linspace(101, 150, 50)), price_bars(np.full(50, 100.0))
    ts = T0 + HOUR_NS * np.arange(51)
    curve = hold_curve(ts, [one, two], [0.001, 0.002], 10_000.0)
    want = 5000 / 1.001 * 1.5 * 0.999 + 5000 / 1.002 * 0.998
    assert curve[-1] == pytest.approx(want)
    assert curve[0] == pytest.approx(10_000.0)
    assert curve[10] == pytest.approx(5000 / 1.001 * 1.1 + 5000 / 1.002)
    late = price_bars(np.full(10, 200.0), T0 + 30 * HOUR_NS)
    curve = hold_curve(ts, [late], [0.0], 1000.0)
    assert curve[30] == 1000.0
    assert curve[-1] == pytest.approx(2000.0)
    with pytest.raises(DataRefused):
        hold_curve(ts + 90 * DAY_NS, [one], [0.0], 1000.0)


def test_measure_puts_the_figures_together() -> None:
    ts = T0 + HOUR_NS * np.arange(24 * 60 + 1)
    equity = 10_000 * np.exp(np.cumsum(np.random.default_rng(2).normal(1e-5, 1e-3, len(ts))))
    fills = ledger(
        {"lots": 10, "price": 100.0, "fee_usd": 1.0},
        {"kind": FUNDING, "amount_usd": 0.25},
        {"lots": -10, "price": 101.0, "fee_usd": 1.0},
        {"lots": 4, "price": 100.0, "fee_usd": 0.5},
    )
    got = measure(ts, equity, fills, [1.0])
    assert (got.days, got.trades) == (60, 1)
    assert got.net_pnl_usd == pytest.approx(equity[-1] - equity[0])
    assert (got.fees_usd, got.funding_usd, got.turnover_usd) == (2.5, 0.25, 2410.0)
    assert got.sharpe.n == 60
    assert measure(ts, equity, fills, [1.0], "equity").sharpe.value == pytest.approx(
        got.sharpe.value * math.sqrt(DAYS_A_YEAR["equity"] / 365.0)
    )
    ruined = measure(ts, np.linspace(100, -5, len(ts)), fills[:0], [1.0])
    assert ruined.sharpe.value is None
    assert ruined.max_drawdown.fraction > 1.0


def test_a_split_and_a_dividend_belong_to_the_trade_they_happen_in() -> None:
    """Ten shares at 100 become twenty, pay 20 in all and are sold at 55: 100 + 20 less nothing."""
    fills = ledger(
        {"lots": 10, "price": 100.0, "why": WHY_ENTRY},
        {"kind": CORPORATE, "lots": 10, "price": 52.0, "rate": 2.0},
        {"kind": CORPORATE, "lots": 0, "price": 51.0, "rate": math.nan, "amount_usd": 20.0},
        {"lots": -20, "price": 55.0, "why": WHY_STOP},
    )
    (trade,) = trades_from_fills(fills, [1.0])
    assert trade["pnl_usd"] == pytest.approx(120.0)
    assert (trade["entry_price"], trade["lots"]) == (50.0, 20)
    held = exposure(np.array([T0, T0 + 4 * HOUR_NS]), np.array([1e4, 1e4]), fills, [1.0])
    assert held.mean_gross == pytest.approx(0.75 * 0.1)


def test_a_broken_lot_of_a_split_is_money_of_the_trade() -> None:
    fills = ledger(
        {"lots": -5, "price": 100.0, "why": WHY_ENTRY},
        {"kind": CORPORATE, "lots": 3, "price": 200.0, "rate": 0.5, "amount_usd": -3.0},
        {"lots": 2, "price": 190.0, "why": WHY_STOP},
    )
    (trade,) = trades_from_fills(fills, [1.0])
    assert trade["pnl_usd"] == pytest.approx(2 * (200.0 - 190.0) - 3.0)


def test_a_day_of_a_market_with_sessions_is_a_session() -> None:
    """Friday's bar is known on Friday evening, so Saturday and Sunday are no days of zero return."""
    closes = T0 + np.array([0, 1, 4, 5]) * DAY_NS + 21 * HOUR_NS
    ts = np.sort(np.concatenate([[T0], closes + HOUR_NS, T0 + np.arange(6) * DAY_NS + HOUR_NS]))
    equity = 100.0 + np.searchsorted(closes, ts)
    ends, values = session_equity(ts, equity, closes)
    assert ends.tolist() == [T0, *closes.tolist()]
    assert values.tolist() == [100.0, 101.0, 102.0, 103.0, 104.0]
    assert len(daily_equity(ts, equity)[0]) > len(ends)
    assert session_equity(ts[:1], equity[:1], closes)[1].tolist() == [100.0]


def test_a_reverse_split_that_pays_all_of_it_out_ends_the_trade() -> None:
    fills = ledger(
        {"lots": 3, "price": 100.0, "why": WHY_ENTRY},
        {"kind": CORPORATE, "lots": -3, "price": 1100.0, "rate": 0.1, "amount_usd": 30.0},
        {"lots": 1, "price": 50.0, "why": WHY_ENTRY},
        {"lots": -1, "price": 60.0, "why": WHY_STOP},
    )
    first, second = trades_from_fills(fills, [1.0])
    assert (first["pnl_usd"], second["pnl_usd"]) == (30.0, 10.0)
    assert first["exit_ns"] == T0 + HOUR_NS
