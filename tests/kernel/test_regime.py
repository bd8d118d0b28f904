"""kernel.regime against a filter with its matrices written out, and what must hold of any history."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernel.world import BAR_NS, START, YEAR_S, bar, decision, feed, make_params, make_state, timer, walk

from confidence_engine.domain.decision import GATE_TOO_SMALL
from confidence_engine.domain.units import DAY_NS, HOUR_NS, SECOND_NS
from confidence_engine.kernel import regime
from confidence_engine.kernel.state import LEVELS, REGIME_FRAMES

SEEDS = st.integers(0, 2**32 - 1)
CLASS = st.integers(0, 4)
YOUNG = {"min_age_ns": 0, "min_bars": 2}
BELIEFS = ("fat", "middle", "thin", "jumps", "home", "seen", "level", "switch", "rank", "volatility", "trend")
SESSIONS = 252.0 * 6.5 * 3600.0


def params(**changes: Any) -> Any:
    return make_params(regime={"follow": True} | changes)


def observe(s: Any, p: Any, moves: np.ndarray, closes: np.ndarray | None = None) -> np.ndarray:
    """Feed bars with these log returns; the packed regime after each."""
    closes = START + BAR_NS * np.arange(1, len(moves) + 1) if closes is None else closes
    last = s.regime[0, 0].last if s.regime[0, 0].last_ns else 100.0
    seen = np.zeros(len(moves), np.int64)
    for k, move in enumerate(moves):
        close = last * math.exp(move)
        regime.observe(s, 0, bar(s, 0, int(closes[k]), last, max(last, close), min(last, close), close, 1.0), p.regime)
        seen[k], last = regime.packed(s, 0), close
    return seen


def sigma(bar_ns: int = BAR_NS, year_s: float = YEAR_S) -> float:
    return 0.8 * math.sqrt(bar_ns / SECOND_NS / year_s)


# The slow reference: the hidden chain over (tail, level) with its whole transition matrix.

NU = np.array([4.0, 9.0, 39.0])


def density(x: float) -> np.ndarray:
    """Student t of unit variance times the level, [3, LEVELS]."""
    scale = np.exp(0.15 * (np.arange(LEVELS) - 24.0))
    front = [math.gamma((n + 1) / 2) / math.gamma(n / 2) / math.sqrt(math.pi * (n - 2)) for n in NU]
    inner = 1.0 + (x / scale) ** 2 / (NU[:, None] - 2.0)
    return np.array(front)[:, None] / scale * inner ** (-(NU[:, None] + 1.0) / 2.0)


def chain(switch: float, home: np.ndarray) -> np.ndarray:
    """Probability from every (tail, level) to every other, [3 * LEVELS, 3 * LEVELS]."""
    turn = (1.0 - 1e-4) * np.eye(3) + 1e-4 / 3.0
    target = 0.99 * home + 0.01 / LEVELS
    stay = np.kron(turn, np.eye(LEVELS))
    jump = np.kron(turn, np.tile(target, (LEVELS, 1)))
    return (1.0 - switch) * stay + switch * jump


@given(SEEDS)
@settings(max_examples=5, deadline=None)
def test_the_filter_is_bayes_rule(seed: int) -> None:
    rng = np.random.default_rng(seed)
    s, p = make_state(), params()
    z = (np.arange(LEVELS) - 24) * 0.15 / 1.2
    home = np.exp(-0.5 * z * z)
    home /= home.sum()
    known, jumps, switch, last = np.tile(home / 3.0, 3), np.full(LEVELS, 0.01), 0.01, 100.0
    for k, move in enumerate(rng.standard_t(4, 60) * sigma() * math.exp(rng.normal())):
        observe(s, p, np.array([move]), np.array([START + BAR_NS * (k + 1)]))
        before, x = known.reshape(3, LEVELS).sum(axis=0), math.log(s.regime[0, 0].last / last)
        target = 0.99 * home + 0.01 / LEVELS
        came = switch * target / ((1.0 - switch) * before + switch * target)
        step = max(2.0 / (k + 1.0 + 500.0), 2.0 / (365 * 288))
        jumps = (1.0 - step) * ((1.0 - came) * jumps + came * (before @ jumps)) + step * came
        known = (known @ chain(switch, home)) * density(x / sigma()).ravel()
        known /= known.sum()
        now = known.reshape(3, LEVELS).sum(axis=0)
        home = home + step * (now - home)
        switch = float(np.clip(now @ jumps, 1e-4, 0.2))
        r = s.regime[0, 0]
        last = r.last
        np.testing.assert_allclose([r.fat, r.middle, r.thin], known.reshape(3, LEVELS), rtol=1e-9, atol=1e-300)
        np.testing.assert_allclose(r.home, home, rtol=1e-10)
        np.testing.assert_allclose(r.jumps, jumps, rtol=1e-9)
        assert r.switch == pytest.approx(switch, rel=1e-9)
        assert r.level == pytest.approx(now @ np.arange(LEVELS), rel=1e-10)


@given(SEEDS, st.floats(1e-6, 1e6))
@settings(max_examples=5, deadline=None)
def test_probabilities_stay_probabilities_whatever_comes(seed: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    s = make_state()
    observe(s, params(), np.clip(rng.standard_t(2, 80) * sigma() * size, -2.0, 2.0) * (rng.random(80) > 0.3))
    r = s.regime[0, 0]
    for total in (r.fat.sum() + r.middle.sum() + r.thin.sum(), r.home.sum(), r.seen.sum(), r.down + r.calm + r.up):
        assert total == pytest.approx(1.0, abs=1e-12)
    assert 1e-4 <= r.switch <= 0.2
    assert 0.0 <= r.level <= LEVELS - 1
    assert 0.0 <= r.rank <= 1.0


@given(SEEDS, st.sampled_from([0.2, 3.0]))
@settings(max_examples=4, deadline=None)
def test_only_the_size_of_moves_relative_to_the_class_matters(seed: int, factor: float) -> None:
    moves = np.random.default_rng(seed).standard_t(4, 80) * sigma()
    one, other = make_state(), make_state(annual_volatility=0.8 * factor)
    observe(one, params(), moves)
    observe(other, params(), moves * factor)
    for name in ("fat", "home", "seen"):
        np.testing.assert_allclose(one.regime[0, 0][name], other.regime[0, 0][name], rtol=1e-7, atol=1e-12)


def test_no_class_before_its_time_and_one_from_then_on() -> None:
    s, p = make_state(), params(min_age_ns=100 * BAR_NS, min_bars=2)
    said = observe(s, p, np.random.default_rng(1).normal(0.0, sigma(), 130))
    base = said >> 5
    assert (base[:99] & 31 == 0).all()
    assert (base[99:] & 7 > 0).all()
    assert (base[99:] >> 3 & 3 > 0).all()
    assert s.regime[0, 0].warmth == pytest.approx(30 * BAR_NS / (365 * DAY_NS - 100 * BAR_NS))
    few = make_state()
    observe(few, params(min_age_ns=0, min_bars=50), np.zeros(49))
    assert few.regime[0, 0].volatility == regime.UNKNOWN


@given(st.floats(0.0, 1.0))
def test_the_class_is_the_percentile(rank: float) -> None:
    """A year old, so that nothing of the class prior is left; the level lies at `rank` of what was seen."""
    s, p = make_state(), params()
    regime._begin(s.regime[0, 0], 100.0, START, p.regime)
    r = s.regime[0, 0]
    r.n_bars, r.last_ns = 10_000, START + 366 * DAY_NS
    r.level, r.seen[10], r.seen[20], r.seen[30] = 20.0, rank, 0.0, 1.0 - rank
    regime._classify(r, 105_120.0, p.regime)
    assert r.rank == pytest.approx(rank, abs=1e-12)
    assert r.volatility == (1 if r.rank < 0.25 else 2 if r.rank <= 0.75 else 3 if r.rank <= 0.95 else 4)


def test_the_prior_fades_and_the_history_takes_over() -> None:
    ranks = []
    for days in (1, 14, 100, 365, 700):
        s, p = make_state(), params()
        regime._begin(s.regime[0, 0], 100.0, START, p.regime)
        r = s.regime[0, 0]
        r.n_bars, r.last_ns, r.level, r.seen[5] = days * 288, START + days * DAY_NS, 30.0, 1.0
        regime._classify(r, 105_120.0, p.regime)
        ranks.append(r.rank)
    prior = 1.0 / (1.0 + math.exp(-math.pi / math.sqrt(3.0) * 6 * 0.15 / 0.6))
    assert ranks[0] == pytest.approx((1.0 + 14 * 364 / 365 * prior) / (1.0 + 14 * 364 / 365))
    assert ranks == sorted(ranks)
    assert ranks[3:] == [1.0, 1.0]


@given(st.integers(2, 40), SEEDS)
@settings(max_examples=4, deadline=None)
def test_round_the_clock_a_gap_is_time_and_in_sessions_it_is_none(bars: int, seed: int) -> None:
    moves = np.random.default_rng(seed).normal(0.0, sigma(), 10)
    closes = START + BAR_NS * np.arange(1, 11)
    late = closes + np.where(np.arange(10) == 9, (bars - 1) * BAR_NS, 0)
    for year_s, passed in ((YEAR_S, bars), (SESSIONS, 1)):
        s, known = make_state(year_s=year_s), make_state(year_s=year_s)
        observe(s, params(), moves[:9], late[:9])
        known.regime[:] = s.regime
        r = known.regime[0, 0]
        close = r.last * math.exp(moves[9])
        x = math.log(close / r.last) / (sigma(year_s=year_s) * math.sqrt(passed))
        regime._filter(r, x, (1.0 - r.switch) ** passed, 2.0 / 510.0)
        observe(s, params(), moves[9:], late[9:])
        np.testing.assert_allclose(s.regime[0, 0].fat, r.fat, rtol=1e-9)


def test_a_frame_is_one_return_however_it_is_cut() -> None:
    """The hourly row of 5-minute bars is the base row of hourly bars."""
    rng = np.random.default_rng(8)
    moves = rng.standard_t(4, 12 * 40) * sigma()
    fine, coarse = make_state(), make_state(bar_ns=HOUR_NS)
    observe(fine, params(), moves)
    hourly = moves.reshape(-1, 12).sum(axis=1)[:-1]  # the last hour is closed by nothing
    observe(coarse, params(), hourly, START + HOUR_NS * np.arange(1, len(hourly) + 1))
    assert fine.regime[0, 1].n_bars == coarse.regime[0, 0].n_bars == 39
    np.testing.assert_allclose(fine.regime[0, 1].home, coarse.regime[0, 0].home, rtol=1e-9)
    assert fine.regime[0, 1].level == pytest.approx(coarse.regime[0, 0].level, rel=1e-9)


@given(SEEDS)
@settings(max_examples=2, deadline=None)
def test_higher_frames_change_only_when_one_of_them_closes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    s, p = make_state(), params(**YOUNG)
    closes = START + BAR_NS * np.flatnonzero(rng.random(260) > 0.1) + BAR_NS
    before = [b""] * REGIME_FRAMES
    changed = [0] * REGIME_FRAMES
    for k, close_ns in enumerate(closes):
        observe(s, p, rng.normal(0.0, sigma(), 1), closes[k : k + 1])
        for f, frame_ns in ((1, HOUR_NS), (2, 4 * HOUR_NS)):
            now = b"".join(np.asarray(s.regime[0, f][name]).tobytes() for name in BELIEFS)
            new = k == 0 or (int(close_ns) - 1) // frame_ns != (int(closes[k - 1]) - 1) // frame_ns
            assert new or now == before[f]
            changed[f] += now != before[f]
            before[f] = now
    assert changed[1] > 15
    assert changed[2] > 3


def test_a_cut_anywhere_is_no_cut() -> None:
    """State through its bytes at a cut, another future after it: what was said before stays as it was."""
    rng = np.random.default_rng(3)
    moves, p = rng.standard_t(4, 240) * sigma() * np.repeat([1.0, 3.0, 0.5], 80), params(**YOUNG)
    closes = START + BAR_NS * np.arange(1, 241)
    whole = make_state()
    said, bytes_at = np.zeros(240, np.int64), []
    for k in range(240):
        said[k] = observe(whole, p, moves[k : k + 1], closes[k : k + 1])[0]
        bytes_at.append(whole.regime.tobytes())
    for cut in rng.integers(1, 239, 4):
        s = make_state()
        first = observe(s, p, moves[:cut], closes[:cut])
        assert s.regime.tobytes() == bytes_at[cut - 1]
        assert np.array_equal(first, said[:cut])
        other = make_state()
        other.regime[:] = np.frombuffer(bytes_at[cut - 1], other.regime.dtype).reshape(other.regime.shape)
        rest = observe(other, p, moves[cut : cut + 20], closes[cut : cut + 20])
        assert other.regime.tobytes() == bytes_at[min(cut + 20, 240) - 1]
        assert np.array_equal(rest, said[cut : cut + 20])


def test_a_wilder_market_is_noticed_and_a_tame_one_too() -> None:
    rng = np.random.default_rng(2)
    s, p = make_state(), params(min_age_ns=BAR_NS, min_bars=2, full_age_ns=10 * DAY_NS)
    moves = rng.normal(0.0, sigma(), 450) * np.where(np.arange(450) < 400, 1.0, 4.0)
    base = observe(s, p, moves) >> 5 & 7
    assert (base[415:] >= regime.HIGH).all()
    assert (base[415:] == regime.EXTREME).mean() > 0.6
    assert (base[200:400] == regime.EXTREME).mean() < 0.2
    tame = observe(s, p, rng.normal(0.0, 0.2 * sigma(), 60), START + BAR_NS * np.arange(451, 511)) >> 5 & 7
    assert (tame[30:] == regime.LOW).all()


@pytest.mark.parametrize(("way", "word"), [(1.0, "up"), (-1.0, "down"), (0.0, "sideways")])
def test_a_strong_drift_is_a_trend(way: float, word: str) -> None:
    rng = np.random.default_rng(11)
    s = make_state()
    moves = rng.normal(0.0, sigma(), 300)
    said = observe(s, params(**YOUNG), moves - moves.mean() + way * 0.4 * sigma())
    named = [regime.words(int(one))["frames"][0]["trend"] for one in said[150:]]
    assert named.count(word) > 0.7 * len(named)


def test_a_trend_turned_upside_down_is_the_other_trend() -> None:
    moves = np.random.default_rng(5).standard_t(4, 120) * sigma()
    one, other = make_state(), make_state()
    observe(one, params(**YOUNG), moves)
    observe(other, params(**YOUNG), -moves)
    assert one.regime[0, 0].up == pytest.approx(other.regime[0, 0].down, rel=1e-6)
    assert one.regime[0, 0].level == pytest.approx(other.regime[0, 0].level, rel=1e-9)


@given(CLASS, CLASS, CLASS)
def test_two_timeframes_confirm(x: int, y: int, z: int) -> None:
    said = regime._confirmed(x, y, z, regime.MEDIUM)
    known = [k for k in (x, y, z) if k]
    assert said == regime._confirmed(z, x, y, regime.MEDIUM) == regime._confirmed(y, x, z, regime.MEDIUM)
    if len(known) < 2:
        assert said == regime.UNKNOWN
    elif len(known) == 3:
        assert said == sorted(known)[1]
    elif said != regime.MEDIUM:  # both lie at least that far out
        assert (min(known) >= said) if said > regime.MEDIUM else (max(known) <= said)


@given(st.lists(st.tuples(CLASS, st.integers(0, 3)), min_size=3, max_size=3))
def test_what_is_packed_can_be_read(classes: list[tuple[int, int]]) -> None:
    s = make_state()
    for r, (volatility, trend) in zip(s.regime[0], classes, strict=True):
        r.volatility, r.trend = volatility, trend
    bits = regime.packed(s, 0)
    told = regime.words(int(bits))
    assert [regime.VOLATILITY_WORDS.index(f["volatility"]) for f in told["frames"]] == [v for v, _ in classes]
    assert [regime.TREND_WORDS.index(f["trend"]) for f in told["frames"]] == [t for _, t in classes]
    assert told["volatility"] == regime.VOLATILITY_WORDS[regime.volatility(bits)]
    assert told["trend"] == regime.TREND_WORDS[regime.trend(bits)]
    assert regime.words(0)["volatility"] == "unknown"


@given(CLASS, st.floats(1.0, 1e4), st.integers(-10_000, 10_000).filter(bool))
def test_a_regime_only_ever_asks_for_more_and_risks_less(k: int, distance: float, lots: int) -> None:
    p, d = make_params().regime, decision(regime=k)
    assert regime.trigger(k, p) >= 1.0
    assert regime.widened(k, distance, p) >= distance
    left = regime.sized(d, lots, p)
    assert abs(left) <= abs(lots)
    assert left * lots >= 0
    assert (left == 0) == (int(d.gates) == 1 << GATE_TOO_SMALL)
    if k in (regime.UNKNOWN, regime.LOW, regime.MEDIUM):
        assert (regime.trigger(k, p), regime.widened(k, distance, p), left) == (1.0, distance, lots)


@given(CLASS, st.integers(-500, 500).filter(bool))
def test_factors_of_one_change_nothing(k: int, lots: int) -> None:
    names = [name for name in regime.Params._fields if name.split("_")[0] in ("trigger", "stop", "size")]
    assert len(names) == 12
    p = params(**dict.fromkeys(names, 1.0)).regime
    assert (regime.trigger(k, p), regime.widened(k, 2.5, p), regime.sized(decision(regime=k), lots, p)) == (
        1,
        2.5,
        lots,
    )


def test_a_regime_that_is_not_followed_is_unknown() -> None:
    s = make_state()
    assert not observe(s, params(follow=False, **YOUNG), np.full(40, 0.001)).any()
    assert not s.regime["n_bars"].any()


def test_a_decision_bears_its_regime_and_its_trigger_follows() -> None:
    rows = walk(np.random.default_rng(6), 80)
    triggers = []
    frames = {"middle_frame_ns": BAR_NS, "long_frame_ns": BAR_NS}
    for factor in (1.0, 2.0):
        names = {f"trigger_{c}": factor for c in ("low", "medium", "high", "extreme")}
        s, p = make_state(), params(**YOUNG, **names, **frames)
        tape = [bar(s, 0, START + BAR_NS * (k + 1), *row) for k, row in enumerate(rows)]
        out = feed(s, [*tape, timer(START + BAR_NS * 80 + SECOND_NS)], p)
        d = out.decisions[0]
        assert d.regime == regime.packed(s, 0) > 0
        triggers.append(float(d.trigger))
    assert triggers[1] == pytest.approx(2.0 * triggers[0])
