"""evaluate.randomness: luck must look like luck, foresight must not, and the draws must keep what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest

from confidence_engine.domain.errors import DataMissing, DataRefused
from confidence_engine.domain.units import HOUR_NS, MINUTE_NS
from confidence_engine.evaluate.performance import TRADE
from confidence_engine.evaluate.randomness import _holdings, _place, random_entry_percentile

BAR = 5 * MINUTE_NS
BARS = np.dtype([("open_ns", "i8"), ("close_ns", "i8"), ("o", "f8")])


def market(rng: np.random.Generator, count: int = 4000, drift: float = 0.0) -> np.ndarray:
    bars = np.zeros(count, BARS)
    bars["open_ns"] = BAR * np.arange(count)
    bars["close_ns"] = bars["open_ns"] + BAR
    bars["o"] = 100 * np.exp(np.cumsum(rng.normal(drift, 0.002, count)))
    return bars


def trade_at(bars: np.ndarray, first: np.ndarray, held: np.ndarray, side: np.ndarray, cost: float = 0.0) -> np.ndarray:
    trades = np.zeros(len(first), TRADE)
    trades["side"], trades["notional_usd"], trades["fees_usd"] = side, 1000.0, cost
    trades["entry_ns"], trades["exit_ns"] = bars["open_ns"][first], bars["open_ns"][first + held]
    trades["pnl_usd"] = side * 1000.0 * (bars["o"][first + held] / bars["o"][first] - 1) - cost
    return trades


def by_lot(rng: np.random.Generator, bars: np.ndarray, count: int = 25) -> np.ndarray:
    """Random trades placed by trial and error, not by the code under test."""
    held = rng.integers(1, 60, count)
    while True:
        first = rng.integers(0, len(bars) - 61, count)
        order = np.argsort(first)
        if np.all(first[order][1:] >= (first + held)[order][:-1]):
            return trade_at(bars, first, held, rng.choice([-1, 1], count), 2.0)


def test_on_a_random_strategy_the_percentile_is_uniform() -> None:
    got = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        bars = market(rng, 6000)
        trades = by_lot(rng, bars)
        one = random_entry_percentile(trades, {0: bars}, 0, BAR * 6000, {0: 0.0}, draws=300, seed=seed)
        got.append(one.percentile / 100)
    assert kstest(got, "uniform").pvalue > 0.01


def test_foresight_is_seen_and_costs_are_charged() -> None:
    rng = np.random.default_rng(8)
    bars = market(rng)
    first, held = np.arange(50, 3900, 100), np.full(39, 40)
    side = np.sign(bars["o"][first + held] - bars["o"][first]).astype(np.int64)
    seer = random_entry_percentile(trade_at(bars, first, held, side), {0: bars}, 0, BAR * 4000, {0: 0.0})
    assert seer.percentile == 100.0
    assert seer.p_value == pytest.approx(1 / 501)
    fool = random_entry_percentile(trade_at(bars, first, held, -side), {0: bars}, 0, BAR * 4000, {0: 0.0})
    assert fool.percentile == 0.0
    assert fool.p_value == 1.0
    free = random_entry_percentile(trade_at(bars, first, held, side), {0: bars}, 0, BAR * 4000, {0: 0.0})
    paid = random_entry_percentile(trade_at(bars, first, held, side, 3.0), {0: bars}, 0, BAR * 4000, {0: 0.001})
    assert free.mean_usd - paid.mean_usd == pytest.approx(39 * (3.0 + 2.0), rel=0.02)
    assert free == seer


def test_the_mean_of_luck_is_the_drift_of_the_market() -> None:
    rng = np.random.default_rng(4)
    bars = market(rng)
    bars["o"] = 100 * np.exp(1e-4 * np.arange(4000))
    trades = trade_at(bars, np.array([10, 500]), np.array([20, 100]), np.array([1, -1]))
    trades["funding_usd"], trades["notional_usd"] = 0.5, [1000.0, 3000.0]
    got = random_entry_percentile(trades, {0: bars}, 0, BAR * 4000, {0: 0.0})
    assert got.mean_usd == pytest.approx(1000 * np.expm1(0.002) - 3000 * np.expm1(0.01) + 1.0)
    assert got.sd_usd == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.integers(0, 500), st.integers(0, 99))
def test_placed_trades_never_overlap_and_keep_their_lengths(held_: list[int], free: int, seed: int) -> None:
    held = np.array(held_, np.int64)
    order, first = _place(held, free, 20, np.random.default_rng(seed))
    spans = held[order]
    assert np.all(first[:, 1:] >= (first + spans)[:, :-1])
    assert np.all(first >= 0)
    assert np.all(first + spans <= held.sum() + free)
    assert np.array_equal(np.sort(order, axis=1), np.tile(np.arange(len(held)), (20, 1)))


def test_entries_are_spread_over_the_whole_period() -> None:
    order, first = _place(np.full(5, 10, np.int64), 10_000, 4000, np.random.default_rng(0))
    one_each = np.random.default_rng(1).permuted(first, axis=1)[:, 0]
    assert kstest(one_each / 10_050, "uniform").pvalue > 0.01
    assert chisquare(np.bincount(order[:, 0])).pvalue > 0.01  # each trade comes first as often as any other


def test_holding_is_counted_in_bars_and_is_at_least_one() -> None:
    bars = market(np.random.default_rng(0), 10)
    trades = np.zeros(3, TRADE)
    trades["exit_ns"] = [MINUTE_NS, BAR, 12 * MINUTE_NS]
    assert _holdings(trades, bars).tolist() == [1, 1, 2]


def test_several_assets_add_up_and_the_seed_decides() -> None:
    rng = np.random.default_rng(6)
    bars = {0: market(rng), 3: market(rng)}
    trades = np.concatenate([by_lot(rng, bars[0], 10), by_lot(rng, bars[3], 10)])
    trades["asset"][10:] = 3
    slip = {0: 0.0, 3: 0.0}
    one = random_entry_percentile(trades, bars, 0, BAR * 4000, slip, seed=1)
    assert one == random_entry_percentile(trades, bars, 0, BAR * 4000, slip, seed=1)
    assert one.mean_usd != random_entry_percentile(trades, bars, 0, BAR * 4000, slip, seed=2).mean_usd
    assert one.trades == 20
    with pytest.raises(DataMissing):
        random_entry_percentile(trades, {0: bars[0]}, 0, BAR * 4000, slip)
    with pytest.raises(DataMissing):
        random_entry_percentile(trades, bars, -20 * BAR, -BAR, slip)


def test_entries_fall_into_live_hours_only_and_all_of_them_alike() -> None:
    """The price jumps in dead hours alone: drawn from the live ones luck earns nothing, from all it earns the jumps."""
    bars = market(np.random.default_rng(3))
    hour = bars["open_ns"] // HOUR_NS
    live = np.flatnonzero(np.arange(hour.max() + 1) // 24 % 2 == 0)  # every other day
    inside = np.isin(hour, live)
    bars["o"] = 100 * np.exp(np.cumsum(np.where(inside, 0.0, 1e-3)))
    trades = trade_at(bars, np.array([10, 600]), np.array([1, 1]), np.array([1, 1]))
    every = random_entry_percentile(trades, {0: bars}, 0, BAR * 4000, {0: 0.0}, live={0: live})
    whole = random_entry_percentile(trades, {0: bars}, 0, BAR * 4000, {0: 0.0}, live={0: np.arange(hour.max() + 1)})
    assert every.mean_usd == pytest.approx(0.0, abs=0.05)  # the last bar of a live day earns the first jump
    assert whole.mean_usd == pytest.approx(2 * 1000 * 1e-3 * (~inside).mean(), rel=0.1)
    assert whole == random_entry_percentile(trades, {0: bars}, 0, BAR * 4000, {0: 0.0})


def test_what_cannot_be_drawn_is_refused_and_no_trade_is_no_percentile() -> None:
    bars = market(np.random.default_rng(0), 100)
    full = trade_at(bars, np.array([0, 50]), np.array([50, 49]), np.array([1, 1]))
    assert random_entry_percentile(full, {0: bars}, 0, BAR * 100, {0: 0.0}).trades == 2
    tight = random_entry_percentile(full, {0: bars}, 0, BAR * 90, {0: 0.0})
    assert (tight.percentile, tight.mean_usd, tight.trades) == (None, None, 2)
    assert "do not fit" in str(tight.reason)
    few = random_entry_percentile(full, {0: bars}, 0, BAR * 100, {0: 0.0}, live={0: np.arange(4)})
    assert few.percentile is None
    nowhere = random_entry_percentile(full, {0: bars}, 0, BAR * 100, {0: 0.0}, live={})
    assert "do not fit" in str(nowhere.reason)
    broken = bars.copy()
    broken["o"][5] = np.nan
    with pytest.raises(DataRefused, match="open"):
        random_entry_percentile(full, {0: broken}, 0, BAR * 100, {0: 0.0})
    none = random_entry_percentile(full[:0], {}, 0, BAR * 100, {})
    assert (none.percentile, none.p_value, none.actual_usd) == (None, None, 0.0)
