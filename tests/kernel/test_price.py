"""kernel.price against formulas written out over the whole history, and what must hold of any history."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernel.world import BAR_NS, START, YEAR_S, bar, make_params, make_state, walk

from confidence_engine.domain.event import BACKFILL, DEGRADED
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS
from confidence_engine.kernel import price
from confidence_engine.kernel.state import RING_BARS

SEEDS = st.integers(0, 2**32 - 1)
SESSIONS = 252.0 * 6.5 * 3600.0
MEASURED = ("sigma", "atr", "volume_z", "warmth")


def observe(s: Any, p: Any, rows: np.ndarray, closes: np.ndarray, i: int = 0) -> np.ndarray:
    """Feed bars and return what was measured after each, [n, 4]."""
    seen = np.empty((len(rows), len(MEASURED)))
    for k, row in enumerate(rows):
        price.observe(s, i, bar(s, i, int(closes[k]), *row), p.price)
        seen[k] = [s.asset[i][name] for name in MEASURED]
    return seen


def times(n: int, bar_ns: int = BAR_NS, begin: int = START) -> np.ndarray:
    return begin + bar_ns * np.arange(1, n + 1)


# The slow reference: every number from the whole history, nothing carried over.


def weights(n: int, obs: float) -> np.ndarray:
    """Weight of each of n observations in a mean that is exact at first and exponential from `obs` on."""
    step = np.maximum(1.0 / np.arange(1, n + 1), 1.0 / obs)
    return step * np.append(np.cumprod((1.0 - step)[::-1])[::-1][1:], 1.0)


def slot(xs: list[float], obs: float) -> tuple[int, float, float]:
    """Count, centre and mean absolute deviation from the centre that stood before each observation."""
    if not xs:
        return 0, 0.0, 0.0
    x, w = np.array(xs), weights(len(xs), obs)
    before = [float(weights(k, obs) @ x[:k]) for k in range(1, len(xs))]
    return len(xs), float(w @ x), float(w[1:] @ np.abs(x[1:] - before))


def reference_sigma(rows: np.ndarray, closes: np.ndarray, p: Any, bar_ns: int, year_s: float = YEAR_S) -> float:
    """Exponentially weighted mean square of log returns a bar, shrunk to the prior by count."""
    prior = 0.8**2 * bar_ns / 1e9 / year_s
    r = np.diff(np.log(rows[:, 3]))
    if len(r) == 0:
        return math.sqrt(prior)
    bars = np.rint(np.diff(closes) / bar_ns) if year_s == YEAR_S else np.ones(len(r))
    half_life = max(p.price.vol_half_life_ns, 10 * bar_ns) / bar_ns
    w = 0.5 ** (np.arange(len(r))[::-1] / half_life)
    mean = float(w @ (r * r / bars) / w.sum())
    return math.sqrt((len(r) * mean + p.price.vol_prior_obs * prior) / (len(r) + p.price.vol_prior_obs))


def reference_atr(rows: np.ndarray, closes: np.ndarray, p: Any, bar_ns: int) -> float:
    """Wilder: mean true range of the first frames, then (13 ATR + TR) / 14; the last frame is not closed."""
    frame = (closes - 1) // max(p.price.atr_frame_ns, bar_ns)
    ids = np.unique(frame)[:-1]
    ranges, before = [], rows[0, 0]
    for one in ids:
        inside = rows[frame == one]
        high, low = inside[:, 1].max(), inside[:, 2].min()
        ranges.append(max(high - low, abs(high - before), abs(low - before)))
        before = inside[-1, 3]
    n = int(p.price.atr_obs)
    if not ranges:
        return math.nan
    atr = float(np.mean(ranges[:n]))
    for reach in ranges[n:]:
        atr = ((n - 1) * atr + reach) / n
    return atr


def reference_volume(rows: np.ndarray, closes: np.ndarray, p: Any, bar_ns: int) -> float:
    """Smoothed surprise of log volume against hour of week, shrunk to hour of day, shrunk to all hours."""
    obs, k = p.price.volume_obs, max(p.price.volume_prior_weeks * HOUR_NS / bar_ns, 1.0)
    hours, logs = (closes - 1) // HOUR_NS, np.log(np.maximum(rows[:, 4], 1e-300))
    z = math.nan
    for t, volume in enumerate(rows[:, 4]):
        score = -4.0 * (1.0 - slot([float(v == 0.0) for v in rows[:t, 4]], obs)[1])
        if volume > 0.0:
            before = (rows[:t, 4] > 0.0) & np.ones(t, bool)
            same_day, same_week = (hours[:t] - hours[t]) % 24 == 0, (hours[:t] - hours[t]) % 168 == 0
            _, centre, spread = slot(list(logs[:t][before]), obs)
            for some in (same_day, same_week):
                n, c, d = slot(list(logs[:t][before & some]), obs)
                centre, spread = (n * c + k * centre) / (n + k), (n * d + k * spread) / (n + k)
            score = float(np.clip((logs[t] - centre) / (math.sqrt(math.pi / 2) * spread), -4, 4)) if spread > 0 else 0.0
        z = score if t == 0 else z + p.price.volume_smooth * (score - z)
    return z


@given(SEEDS, st.sampled_from([BAR_NS, HOUR_NS]))
def test_matches_the_formulas_over_the_whole_history(seed: int, bar_ns: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 70))
    rows, closes = walk(rng, n), times(n + 40, bar_ns)
    rows[rng.random(n) < 0.1, 4] = 0.0
    closes = np.sort(rng.choice(closes, n, replace=False))  # bars are missing here and there
    short = {"volume_obs": 12.0, "vol_half_life_ns": 2 * HOUR_NS, "atr_frame_ns": 6 * BAR_NS, "atr_obs": 3.0}
    p = make_params(price=short)
    s = make_state(bar_ns=bar_ns)
    seen = observe(s, p, rows, closes)
    assert seen[-1, 0] == pytest.approx(reference_sigma(rows, closes, p, bar_ns), rel=1e-9)
    assert seen[-1, 1] == pytest.approx(reference_atr(rows, closes, p, bar_ns), rel=1e-9, nan_ok=True)
    assert seen[-1, 2] == pytest.approx(reference_volume(rows, closes, p, bar_ns), rel=1e-9, abs=1e-9)


@settings(max_examples=20)
@given(SEEDS)
def test_atr_is_wilders_on_closed_frames(seed: int) -> None:
    rows, p = walk(np.random.default_rng(seed), 12 * 6 + 5), make_params(price={"atr_obs": 4.0})
    s = make_state()
    observe(s, p, rows, times(len(rows)))
    assert s.asset[0].atr_n == 6
    assert s.asset[0].atr == pytest.approx(reference_atr(rows, times(len(rows)), p, BAR_NS), rel=1e-9)
    before = float(s.asset[0].atr)
    wild = bar(s, 0, int(times(len(rows) + 1)[-1]), 20_000, 90_000, 1, 20_000, 1.0)  # still inside the seventh frame
    price.observe(s, 0, wild, p.price)
    assert s.asset[0].atr == before
    for k in range(2, 9):  # the bar that ends the frame is in it; the one after closes it
        price.observe(s, 0, bar(s, 0, int(times(len(rows) + k)[-1]), 20_000, 20_001, 19_999, 20_000, 1.0), p.price)
        assert (s.asset[0].atr == before) == (k < 8)


@settings(max_examples=20)
@given(SEEDS, st.sampled_from([0.1, 10.0, 1e4]))
def test_units_of_price_and_volume_do_not_matter(seed: int, scale: float) -> None:
    rows, p = walk(np.random.default_rng(seed), 80), make_params(price={"full_obs": 300, "min_obs": 20})
    plain, scaled = make_state(), make_state()
    one = observe(plain, p, rows, times(80))
    two = observe(scaled, p, rows * np.array([scale, scale, scale, scale, 7.0]), times(80))
    np.testing.assert_allclose(two[:, [0, 2, 3]], one[:, [0, 2, 3]], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(two[:, 1], one[:, 1] * scale, rtol=1e-9)
    at = START + 33 * BAR_NS
    assert price.since(scaled, 0, at, 4.0) == pytest.approx(price.since(plain, 0, at, 4.0), rel=1e-8, abs=1e-9)


@settings(max_examples=20)
@given(SEEDS, st.integers(0, 60))
def test_the_future_changes_nothing(seed: int, cut: int) -> None:
    rng = np.random.default_rng(seed)
    rows, p = walk(rng, 61), make_params()
    other = rows.copy()
    other[cut:] = walk(rng, 61 - cut, price=1.0)
    np.testing.assert_array_equal(
        observe(make_state(), p, rows, times(61))[:cut], observe(make_state(), p, other, times(61))[:cut]
    )


def test_a_volume_is_not_part_of_its_own_yardstick() -> None:
    rng = np.random.default_rng(3)
    rows, p = walk(rng, 100), make_params(price={"volume_smooth": 1.0})
    rows[-1, 4] = math.exp(np.log(rows[:-1, 4]).mean() + 2.0 * np.log(rows[:-1, 4]).std())
    s = make_state()
    assert observe(s, p, rows, times(100))[-1, 2] == pytest.approx(2.0, abs=0.4)
    assert s.slot[0, 0]["count"] == 100


def test_no_trade_scores_minus_four_and_teaches_nothing() -> None:
    rows, p = walk(np.random.default_rng(3), 60), make_params(price={"volume_smooth": 1.0})
    s = make_state()
    observe(s, p, rows, times(60))
    before = s.slot.copy()
    price.observe(s, 0, bar(s, 0, int(times(61)[-1]), 1.0, 1.0, 1.0, 1.0, 0.0), p.price)
    assert s.asset[0].volume_z == -4.0
    assert s.slot.tobytes() == before.tobytes()


def test_an_unknown_volume_is_not_no_volume() -> None:
    s, p = make_state(), make_params(price={"volume_smooth": 1.0})
    rows = walk(np.random.default_rng(3), 60)
    rows[:, 4] = np.nan
    assert np.isnan(observe(s, p, rows, times(60))[:, 2]).all()
    rows[:, 4] = np.nan_to_num(rows[:, 4], nan=5.0) * np.linspace(1, 2, 60)
    last = observe(s, p, rows, times(60))[-1, 2]
    price.observe(s, 0, bar(s, 0, int(times(61)[-1]), 1.0, 1.0, 1.0, 1.0, math.nan), p.price)
    assert s.asset[0].volume_z == last


def test_volume_is_compared_with_its_own_hour_once_that_is_known() -> None:
    closes = times(24 * 7 * 5, HOUR_NS)
    hour, week = ((closes - 1) // HOUR_NS) % 24, ((closes - 1) // HOUR_NS) % 168
    rng, p = np.random.default_rng(5), make_params(price={"volume_smooth": 1.0, "volume_prior_weeks": 2.0})
    rows = walk(rng, len(closes))
    rows[:, 4] = np.exp(rng.normal(0, 0.1, len(closes)) + 2.0 * (hour == 12) + 2.0 * (week == 100))
    z = observe(make_state(bar_ns=HOUR_NS), p, rows, closes)[:, 2]
    day, first, later = 24, slice(0, 24), slice(24 * 28, None)
    assert z[first][hour[first] == 12].max() > 3.0  # all hours: an outlier
    assert np.abs(z[14 * day : 15 * day][hour[14 * day : 15 * day] == 12]).max() < 2.5  # hour of the day is known
    busy = week == 100
    assert z[busy][0] > 3.5
    assert np.abs(z[later][busy[later]]).max() < 2.5  # hour of the week is known


@given(st.integers(1, 20), st.booleans())
def test_missing_bars_are_time_round_the_clock_and_nothing_in_sessions(missing: int, sessions: bool) -> None:
    year_s, p = (SESSIONS if sessions else YEAR_S), make_params()
    rows = np.tile([100.0, 100.0, 100.0, 100.0, 1.0], (4, 1))
    rows[3, 3] = 101.0
    closes = times(4)
    closes[3] += missing * BAR_NS
    s = make_state(year_s=year_s)
    sigma = observe(s, p, rows, closes)[-1, 0]
    assert sigma == pytest.approx(reference_sigma(rows, closes, p, BAR_NS, year_s), rel=1e-12)
    bars = 1.0 if sessions else 1.0 + missing
    expected = math.log(1.01) / (s.ring[0, 2].sigma * math.sqrt(bars))
    assert price.since(s, 0, int(closes[2]), 40.0) == pytest.approx(expected, rel=1e-12)


def test_a_bar_as_long_as_a_session_has_the_volatility_of_a_session() -> None:
    s = make_state(bar_ns=DAY_NS, year_s=SESSIONS, annual_volatility=0.3)
    observe(s, make_params(), walk(np.random.default_rng(1), 1), times(1, DAY_NS))
    assert s.asset[0].sigma == pytest.approx(0.3 / math.sqrt(252))


@given(st.integers(1, RING_BARS + 40), st.integers(-20, RING_BARS + 60))
def test_the_bar_of_a_moment_is_the_last_one_closed_by_then(n: int, ago: int) -> None:
    s = make_state()
    closes = times(n)
    s.asset[0].n_bars = n
    for k in range(n):
        s.ring[0, k % RING_BARS].close_ns = closes[k]
    for nudge in (-1, 0, 1):
        moment = int(closes[-1] - ago * BAR_NS + nudge)
        known = [k for k in range(n) if closes[k] <= moment]
        expected = known[-1] if known and known[-1] > n - 1 - RING_BARS else -1
        assert price.at(s, 0, moment) == expected


@settings(max_examples=20)
@given(SEEDS, st.integers(0, 60), st.integers(0, BAR_NS - 1))
def test_reaction_counts_from_the_last_bar_closed_when_the_story_was_known(seed: int, k: int, late: int) -> None:
    rng = np.random.default_rng(seed)
    rows, closes, p = walk(rng, 61), times(61), make_params()
    s = make_state()
    sigmas = observe(s, p, rows, closes)[:, 0]
    moment = int(closes[k]) + late
    expected = math.log(rows[-1, 3] / rows[k, 3]) / (sigmas[k] * math.sqrt(max(1, 60 - k)))
    assert price.since(s, 0, moment, 4.0) == pytest.approx(np.clip(expected, -4, 4), rel=1e-9, abs=1e-9)
    assert math.isnan(price.since(s, 0, START, 4.0))  # before the first bar nothing is known


def test_reaction_is_unknown_beyond_the_ring() -> None:
    n, s, p = RING_BARS + 30, make_state(), make_params()
    observe(s, p, walk(np.random.default_rng(2), n), times(n))
    closes = times(n)
    assert math.isnan(price.since(s, 0, int(closes[29]), 4.0))
    assert math.isfinite(price.since(s, 0, int(closes[30]), 4.0))
    assert math.isnan(price.since(make_state(), 0, START, 4.0))


def test_without_a_volatility_no_reaction_is_known() -> None:
    s, p = make_state(annual_volatility=0.0), make_params()
    observe(s, p, np.full((3, 5), 100.0), times(3))
    assert s.asset[0].sigma == 0.0
    assert math.isnan(price.since(s, 0, START + BAR_NS, 4.0))


def test_reaction_is_clipped_on_both_sides() -> None:
    for jump, expected in ((2.0, 4.0), (0.5, -4.0)):
        s, p = make_state(), make_params()
        observe(s, p, np.array([[100, 100, 100, 100, 1.0], [100, 200, 50, 100 * jump, 1.0]]), times(2))
        assert price.since(s, 0, START + BAR_NS, 4.0) == expected


def test_warmth_rises_from_the_least_history_to_the_full() -> None:
    s, p = make_state(), make_params(price={"min_obs": 20, "full_obs": 60})
    warmth = observe(s, p, walk(np.random.default_rng(1), 80), times(80))[:, 3]
    np.testing.assert_allclose(warmth, np.clip((np.arange(1, 81) - 20) / 40, 0, 1))
    assert s.asset[0].first_warm_ns == times(20)[-1]


def test_what_a_bar_leaves_behind() -> None:
    s, p = make_state(2), make_params()
    known, marks = START + BAR_NS + MINUTE_NS, DEGRADED | BACKFILL
    event = bar(s, 1, START + BAR_NS, 5.0, 7.0, 4.0, 6.0, 3.0, known_ns=known, marks=marks)
    price.observe(s, 1, event, p.price)
    a = s.asset[1]
    assert (a.open, a.high, a.low, a.price, a.close_ns) == (5.0, 7.0, 4.0, 6.0, START + BAR_NS)
    assert (a.known_ns, a.n_bars, a.due) == (known, 1, 1)
    assert a.seen_marks == marks
    assert s.asset[0].n_bars == 0


@given(SEEDS, st.integers(1, 40), st.integers(1, 30))
def test_recent_volume_is_a_mean_over_what_there_is(seed: int, n: int, bars: int) -> None:
    rows, s, p = walk(np.random.default_rng(seed), n), make_state(), make_params()
    assert price.recent_volume(s, 0, bars) == 0.0
    observe(s, p, rows, times(n))
    assert price.recent_volume(s, 0, bars) == pytest.approx(rows[-bars:, 4].mean(), rel=1e-12)


def test_silence_says_the_less_the_more_usual_it_is() -> None:
    p = make_params(price={"volume_smooth": 1.0})
    rows = walk(np.random.default_rng(4), 200)
    scores = []
    for every in (1000, 4, 2):
        some = rows.copy()
        some[::every, 4] = 0.0
        some[-1, 4] = 0.0
        scores.append(float(observe(make_state(), p, some, times(200))[-1, 2]))
    assert scores == sorted(scores)
    assert scores[0] < -3.9
    assert scores[2] == pytest.approx(-2.0, abs=0.1)
