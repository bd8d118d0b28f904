"""kernel.market: betas against a decayed regression over whole arrays, and the lean of the market's story."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernel import exchange
from tests.kernel.world import BAR_NS, START, bar, decision, feed, make_params, make_state, signal, timer, walk

from confidence_engine.domain.units import DAY_NS, HOUR_NS
from confidence_engine.kernel import divergence, market, narrative

SEEDS = st.integers(0, 2**32 - 1)
LN2 = math.log(2.0)


def world(closes: np.ndarray, p: Any, missing: np.ndarray | None = None, bar_ns: int = HOUR_NS) -> Any:
    """A state that saw the bars of closes [n, A]; a timer after each, with the markets of its class."""
    n, assets = closes.shape
    s = make_state(assets, bar_ns=bar_ns)
    for k in range(n):
        close = START + (k + 1) * bar_ns
        events = [
            bar(s, i, close, *[closes[k, i]] * 4, 1.0) for i in range(assets) if missing is None or not missing[k, i]
        ]
        feed(s, [*events, timer(close + 2)], p)
    return s


def paths(seed: int, n: int, betas: tuple[float, ...]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    common = rng.normal(0.0, 0.01, n)
    own = rng.normal(0.0, 0.005, (n, len(betas)))
    return 100.0 * np.exp(np.cumsum(common[:, None] * np.array(betas) + own, axis=0))


def slow_betas(closes: np.ndarray, half_life: float, prior_obs: float) -> np.ndarray:
    """Weighted least squares with the weights of the recursion written out, shrunk to one."""
    moves = np.diff(np.log(closes), axis=0)
    index = moves.mean(axis=1)
    n = len(moves)
    steps = np.maximum(1.0 / np.arange(1, n + 1), LN2 / half_life)
    weights = steps * np.concatenate([np.cumprod((1.0 - steps)[::-1])[::-1][1:], [1.0]])
    assert weights.sum() == pytest.approx(1.0)
    dx = index - weights @ index
    found = []
    for own in moves.T:
        slope = (weights * dx * (own - weights @ own)).sum() / (weights * dx * dx).sum()
        seen = min(n, half_life / LN2)
        found.append((seen * slope + prior_obs) / (seen + prior_obs))
    return np.array(found)


@settings(max_examples=6)
@given(SEEDS)
def test_betas_are_the_decayed_regression_on_the_equal_weight_return(seed: int) -> None:
    closes = paths(seed, 120, (0.5, 1.0, 1.8))
    p = make_params(market={"half_life": 40.0, "prior_obs": 20.0})
    s = world(closes, p)
    assert s.beta["beta"][:3] == pytest.approx(slow_betas(closes, 40.0, 20.0), rel=1e-9)
    assert s.beta["count"][:3].tolist() == [119] * 3


def test_betas_are_recovered_and_shrunk_while_little_is_known() -> None:
    wanted = np.array([0.5, 1.0, 1.5])
    closes = paths(7, 400, tuple(wanted))
    s = world(closes, make_params())
    short = world(closes[:12], make_params())
    assert np.abs(s.beta["beta"][:3] - wanted).max() < 0.2
    assert np.abs(short.beta["beta"][:3] - 1.0).max() < 0.15
    assert s.beta["beta"][:3].mean() == pytest.approx(1.0, abs=1e-9)  # the market is the mean of its assets


def test_one_asset_is_its_market() -> None:
    s = world(paths(3, 60, (2.0,)), make_params())
    assert s.beta[0].beta == pytest.approx(1.0, abs=1e-12)


@settings(max_examples=4)
@given(SEEDS)
def test_the_order_of_the_assets_does_not_matter(seed: int) -> None:
    closes = paths(seed, 60, (0.5, 1.0, 1.8))
    p = make_params()
    one, two = world(closes, p), world(closes[:, ::-1], p)
    assert one.beta["beta"][:3] == pytest.approx(two.beta["beta"][:3][::-1], rel=1e-9)


def test_a_missing_price_is_no_observation_and_frames_without_trade_are_passed_over() -> None:
    closes = paths(5, 80, (0.5, 1.5))
    p = make_params(market={"prior_obs": 0.0})
    missing = np.zeros(closes.shape, bool)
    missing[20, 1] = True  # one asset alone: no return of it into that frame, none out of it
    s = world(closes, p, missing)
    assert s.beta["count"][:2].tolist() == [79, 77]
    missing[:] = False
    missing[40:50] = True  # nobody trades: one return over the pause
    s = world(closes, p, missing)
    assert s.beta["count"][:2].tolist() == [69, 69]
    kept = np.delete(closes, np.s_[40:50], axis=0)
    assert s.beta["beta"][:2] == pytest.approx(slow_betas(kept, 720.0, 0.0), rel=1e-9)


def test_frames_are_an_hour_on_shorter_bars_and_a_bar_on_longer_ones() -> None:
    closes = paths(6, 120, (0.7, 1.3))
    p = make_params(market={"prior_obs": 10.0})
    fast = world(closes, p, bar_ns=BAR_NS)
    assert fast.beta["beta"][:2] == pytest.approx(slow_betas(closes[11::12], 720.0, 10.0), rel=1e-9)
    slow = world(closes[:40], p, bar_ns=DAY_NS)
    assert slow.beta["count"][:2].tolist() == [39, 39]


def test_classes_have_markets_of_their_own() -> None:
    """Two assets of each of two classes learn what they would learn without the others."""
    closes, p = paths(8, 40, (0.5, 1.5, 0.8, 1.2)), make_params()
    s = make_state(4, bar_ns=HOUR_NS)
    s.inst["klass"][2:4] = 1
    for k in range(len(closes)):
        close = START + (k + 1) * HOUR_NS
        there = range(4) if k % 7 else range(2)  # the second class trades less
        feed(s, [*(bar(s, i, close, *[closes[k, i]] * 4, 1.0) for i in there), timer(close + 2)], p)
    missing = np.zeros((len(closes), 2), bool)
    missing[::7] = True
    alone = world(closes[:, :2], p), world(closes[:, 2:], p, missing)
    for name in ("beta", "count", "mean_market"):
        assert s.beta[name][:4].tolist() == [*alone[0].beta[name][:2], *alone[1].beta[name][:2]]


def test_the_last_price_of_a_session_is_fresh_until_the_next() -> None:
    """Daily bars of weekdays: a weekend between two of them is no missing price."""
    n, rows = 30, exchange.new_york(30)
    s = make_state(2, bar_ns=DAY_NS, year_s=exchange.YEAR_S, klass="equity", calendar="XNYS", quote="USD")
    closes, p = paths(2, n, (0.7, 1.3)), make_params(market={"prior_obs": 1.0})
    for event, close, prices in zip(exchange.events(rows), rows["close_ns"].tolist(), closes, strict=True):
        feed(s, [event, *(bar(s, i, close, *[prices[i]] * 4, 1.0) for i in (0, 1)), timer(close + 2)], p)
    assert s.beta["count"][:2].tolist() == [n - 2] * 2  # the newest session ends its day with the next timer
    assert s.beta["beta"][:2] == pytest.approx(slow_betas(closes[: n - 1], 720.0, 1.0), rel=1e-9)


@given(SEEDS)
def test_the_running_moments_do_not_drift(seed: int) -> None:
    rng, p = np.random.default_rng(seed), make_params(market={"half_life": 50.0, "prior_obs": 0.0})
    b = make_state().beta[0]
    own, index = rng.normal(1e3, 1e-3, 400), rng.normal(-1e3, 1e-3, 400)  # far from zero: the hard case
    for x, y in zip(own, index, strict=True):
        market._observe(b, x, y, p.market)
    steps = np.maximum(1.0 / np.arange(1, 401), LN2 / 50.0)
    weights = steps * np.concatenate([np.cumprod((1.0 - steps)[::-1])[::-1][1:], [1.0]])
    dx, dy = index - weights @ index, own - weights @ own
    assert b.spread2 == pytest.approx((weights * dx * dx).sum(), rel=1e-6)
    assert b.joint == pytest.approx((weights * dx * dy).sum(), rel=1e-6, abs=1e-12)


# The lean.


def with_market(assets: int = 2) -> Any:
    """Assets whose class has a market: one more underlying, the last."""
    s = make_state(assets)
    s.head[0].n_underlyings = assets + 1
    s.klass[int(s.inst[0].klass)].market = assets
    return s


def lean(s: Any, p: Any, at_ns: int, i: int = 0) -> float:
    narrative.measure(s, s.klass[0].market, at_ns, p.narrative)
    d = decision(market=math.nan)
    market.measure(s, i, d)
    return float(d.market)


def test_the_lean_is_beta_times_weight_times_how_unusual_it_is() -> None:
    s, p = with_market(), make_params()
    s.beta["beta"][:2] = 0.5, 2.0
    assert math.isnan(lean(s, p, START))
    narrative.hear(s, signal(2, START, 0.6, 0.9, 0.8, 0.7), p.narrative)
    one, two = lean(s, p, START), lean(s, p, START, 1)
    w = 0.9 * 0.8 * 0.7 * p.narrative.publisher_weight
    assert one == pytest.approx(0.5 * w / (w + 1.0) * 0.6 / 0.5)
    assert two == pytest.approx(4.0 * one)
    assert math.isnan(lean(s, p, START + 30 * HOUR_NS))


def test_without_a_market_there_is_no_lean() -> None:
    s, p = make_state(2), make_params()
    narrative.hear(s, signal(1, START), p.narrative)
    narrative.measure(s, 1, START, p.narrative)
    d = decision(market=math.nan)
    market.measure(s, 0, d)
    assert math.isnan(d.market)


def test_what_is_said_of_the_market_is_no_prior_for_an_asset() -> None:
    p = make_params()
    for u, learnt in ((2, 0), (0, 1)):
        s = with_market()
        narrative.hear(s, signal(u, START, 0.9), p.narrative)
        narrative.measure(s, u, START + DAY_NS, p.narrative)
        narrative.settle(s, u, p.narrative)
        assert (s.told[u].readings, s.klass[0].readings) == (1, learnt)


def decided(share: float, own: float, told: float | None) -> np.ndarray:
    """Decisions of a few hours in which something is said of asset 0 and perhaps of the market."""
    p = make_params(price={"min_obs": 20}, divergence={"market_share": share})
    s, events = with_market(1), []
    for k, row in enumerate(walk(np.random.default_rng(4), 40)):
        close = START + (k + 1) * BAR_NS
        events.append(bar(s, 0, close, *row))
        if k == 30:
            events.append(signal(0, close, own, cluster=1))
            if told is not None:
                events.append(signal(1, close, told, cluster=2))
        events.append(timer(close + 1))
    out = feed(s, events, p)
    found: np.ndarray = out.decisions[: out.head[0].decisions].copy()
    return found


def test_at_share_nought_the_market_moves_nothing_but_its_own_field() -> None:
    one, two = decided(0.0, 0.4, None), decided(0.0, 0.4, -0.9)
    assert np.isnan(one["market"]).all()
    assert np.isfinite(two["market"]).any()
    one["market"] = two["market"] = 0.0
    assert one.tobytes() == two.tobytes()


def test_a_share_leans_on_a_case_and_makes_none() -> None:
    alone, leaning = decided(0.0, 0.4, 0.9), decided(0.5, 0.4, 0.9)
    told = np.isfinite(alone["market"])
    assert told.any()
    assert leaning["gap"][told] == pytest.approx(alone["gap"][told] + 0.5 * alone["market"][told], rel=1e-9)
    p = make_params(divergence={"market_share": 1.0})
    d = decision(market=0.9)
    assert not divergence.measure(with_market(1), 0, START, d, p.divergence)
    assert (d.side, d.gap) == (0, 0.0)
