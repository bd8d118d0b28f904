"""The study of what follows a story: against a plain computation, with a planted edge, and with none."""

from __future__ import annotations

import numpy as np
import pytest

from confidence_engine.domain.errors import DataMissing, UsageError
from confidence_engine.evaluate import study as st
from confidence_engine.evaluate.share import cluster_error

MINUTE = 60_000_000_000
STEP = 5 * MINUTE
DAY = 86_400_000_000_000
BAR = np.dtype([("open_ns", "i8"), ("close_ns", "i8"), ("o", "f8"), ("h", "f8"), ("l", "f8"), ("c", "f8")])


def walk(seed: int, n: int = 6000, drift: np.ndarray | None = None) -> np.ndarray:
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal(n) * 0.001 + (0.0 if drift is None else drift)
    close = 100.0 * np.exp(np.cumsum(steps))
    bars = np.zeros(n, BAR)
    bars["open_ns"] = np.arange(n) * STEP
    bars["close_ns"] = bars["open_ns"] + STEP
    bars["c"], bars["o"] = close, np.concatenate([[100.0], close[:-1]])
    return bars


def market(bars: np.ndarray, round_the_clock: bool = True) -> st.Market:
    return st.Market(bars, STEP, 100.0, round_the_clock)


def told(at: np.ndarray, sign: np.ndarray | int, publisher: int = 0) -> np.ndarray:
    found = np.zeros(len(at), st.STORY)
    found["known_ns"], found["sign"], found["publisher"] = at, sign, publisher
    return found


def test_moves_are_those_of_a_plain_loop_and_know_missing_bars() -> None:
    bars = np.delete(walk(1, 900), [400, 401, 700])
    found = st.moves(market(bars), (-3, 1, 6))
    half = 0.5 ** (1 / 100.0)
    closes = dict(zip(bars["close_ns"].tolist(), np.log(bars["c"]).tolist(), strict=True))
    for i in (150, 398, 399, 400, 500, 690, 700, 895):
        squares, weights = 0.0, 0.0
        for j in range(1, i):
            gap = round((bars["close_ns"][j] - bars["close_ns"][j - 1]) / STEP)
            r2 = np.log(bars["c"][j] / bars["c"][j - 1]) ** 2 / gap
            squares, weights = squares * half + r2, weights * half + 1.0
        sigma = np.sqrt(squares / weights)
        opened = int(bars["open_ns"][i])
        for k, h in enumerate((-3, 1, 6)):
            end = closes.get(opened + h * STEP)
            if end is None:
                assert np.isnan(found[i, k])
            else:
                move = (end - np.log(bars["o"][i])) * (1 if h > 0 else -1)
                assert found[i, k] == pytest.approx(move / (sigma * np.sqrt(abs(h))), rel=1e-9)
    assert np.isnan(found[:100]).all()  # nothing is known of the volatility yet


def test_later_bars_change_no_earlier_move() -> None:
    bars = walk(2, 600)
    before = st.moves(market(bars), (1, 12))
    bars["c"][400:] *= 3.0
    bars["o"][401:] *= 3.0
    after = st.moves(market(bars), (1, 12))
    assert np.array_equal(before[:388], after[:388], equal_nan=True)
    assert not np.array_equal(before[388:400], after[388:400], equal_nan=True)


def test_sessions_count_bars_and_not_time() -> None:
    bars = walk(3, 400)
    whole = st.moves(market(bars, False), (1, 5))
    bars["open_ns"][200:] += 40 * STEP
    bars["close_ns"][200:] += 40 * STEP
    assert np.array_equal(st.moves(market(bars, False), (1, 5)), whole, equal_nan=True)
    assert np.isnan(st.moves(market(bars), (1, 5))[197, 1])


def planted(seed: int, edge: float) -> st.Study:
    """Sixty stories in twenty days; after each the price drifts its way for an hour."""
    rng = np.random.default_rng(seed)
    bar = np.sort(rng.choice(np.arange(200, 5900), 60, replace=False))
    sign = rng.choice((-1, 1), 60)
    drift = np.zeros(6000)
    for b, s in zip(bar, sign, strict=True):
        drift[b : b + 12] += s * edge
    stories = told(bar * STEP - MINUTE, sign)
    return st.study(stories, {0: market(walk(seed, drift=drift))}, (-12, 12, 24), ("paper",), ("crypto",), 200, 1)


def test_a_planted_edge_is_seen_after_and_not_before() -> None:
    found = planted(4, 0.0006).groups["all"]
    before, hour, _ = found
    assert hour.mean is not None
    assert hour.ci95 is not None
    assert hour.null95 is not None
    assert hour.mean > 1.0
    assert hour.ci95[0] > 0.0
    assert hour.mean > hour.null95[1]
    assert hour.p_adjusted == 1 / 201
    assert before.p_adjusted is not None
    assert before.p_adjusted > 0.05
    assert hour.n == 60
    assert hour.n_days <= 21


def test_without_an_edge_hardly_any_study_finds_one() -> None:
    found = [planted(100 + k, 0.0) for k in range(40)]
    least = [min(c.p_adjusted for row in one.groups.values() for c in row if c.p_adjusted is not None) for one in found]
    assert sum(p < 0.05 for p in least) <= 6  # 2 expected; 7 or more of 40 has a chance of .003


def test_flipped_signs_flip_the_curve_and_groups_split_it() -> None:
    at = np.arange(300, 5000, 50) * STEP
    sign = np.where(np.arange(len(at)) % 3 == 0, -1, 1)
    stories = told(at, sign)
    stories["publisher"][:30] = 1
    stories["publisher"][30:35] = 2
    given = ({0: market(walk(5))}, (1, 6), ("a", "b", "c"), ("crypto",), 60)
    one = st.study(stories, *given)
    flipped = stories.copy()
    flipped["sign"] *= -1
    other = st.study(flipped, *given)
    assert [c.mean for c in other.groups["all"]] == [-c.mean for c in one.groups["all"] if c.mean is not None]
    assert [c.mean for c in other.groups["bearish"]] == [-c.mean for c in one.groups["bullish"] if c.mean is not None]
    assert set(one.groups) == {"all", "bullish", "bearish", "source a", "source b"}
    assert one.small == {"source c": 5}
    assert one.groups["source b"][0].n == 30


def test_refusals() -> None:
    with pytest.raises(DataMissing, match="no story"):
        st.study(told(np.array([1]), 1)[:0], {0: market(walk(6))}, (1,), ("a",), ("crypto",), 50)
    with pytest.raises(UsageError, match="no bars"):
        st.moves(market(walk(6)), (0,))


@pytest.mark.parametrize("count", [1, 5, st.LEAST - 1])
def test_too_few_stories_for_one_curve_are_refused_with_their_number(count: int) -> None:
    given = ({0: market(walk(6))}, (1,), ("a",), ("crypto",), 50)
    with pytest.raises(DataMissing, match=rf"^{count} stor.* at least {st.LEAST}"):
        st.study(told(np.arange(300, 300 + count) * STEP, 1), *given)
    enough = st.study(told(np.arange(300, 300 + st.LEAST) * STEP, 1), *given)
    assert list(enough.groups) == ["all"]


def test_a_horizon_that_no_story_reaches_has_no_figure_and_makes_no_noise() -> None:
    stories = told(np.arange(300, 5000, 50) * STEP, 1)
    found = st.study(stories, {0: market(walk(6))}, (-5999, 6, 5999, 700_000), ("a",), ("crypto",), 60)
    far, near, *later = found.groups["all"]
    assert near.mean is not None
    for cell in (far, *later):
        assert (cell.n, cell.mean, cell.null95, cell.p_adjusted) == (0, None, None, None)


def test_the_longest_market_is_counted_in_bars() -> None:
    bars = np.delete(walk(1, 900), [400, 401])
    assert st.longest({0: market(bars), 1: market(walk(2, 300))}) == 900
    assert st.longest({0: market(bars, False)}) == 898


def test_the_error_of_a_mean_knows_its_clusters() -> None:
    rng = np.random.default_rng(7)
    days = np.repeat(np.arange(400), 5)
    level = np.repeat(rng.standard_normal(400), 5)
    assert cluster_error(level, days) == pytest.approx(1.0 / 20.0, rel=0.1)  # 400 independent, not 2,000
    free = rng.standard_normal(2000)
    assert cluster_error(free, days) == pytest.approx(1.0 / np.sqrt(2000), rel=0.1)


def test_horizons_follow_the_bars() -> None:
    assert st.default_horizons(STEP) == (-72, -12, 1, 3, 6, 12, 24, 72, 144, 288, 576)
    assert st.default_horizons(DAY)[:4] == (-5, -1, 1, 2)
    assert st.default_horizons(12 * STEP) == (-6, -1, 1, 2, 6, 12, 24, 48)
