"""domain.outcome against a slow plain reference, and the properties a label must have."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confidence_engine.domain.outcome import LOST, UNRESOLVED, WON, label, labels
from confidence_engine.domain.units import HOUR_NS, MINUTE_NS, SECOND_NS

BAR = 5 * MINUTE_NS
GRACE = 5 * SECOND_NS
T0 = 1_700_000_100 * SECOND_NS // BAR * BAR


class Bars(NamedTuple):
    open_ns: np.ndarray
    close_ns: np.ndarray
    o: np.ndarray
    h: np.ndarray
    l: np.ndarray  # noqa: E741
    c: np.ndarray

    def cut(self, count: int) -> Bars:
        return Bars(*(column[:count].copy() for column in self))


def flat(count: int = 100, price: float = 100.0) -> Bars:
    open_ns = T0 + BAR * np.arange(count, dtype=np.int64)
    return Bars(open_ns, open_ns + BAR, *(np.full(count, price) for _ in range(4)))


def walk(seed: int, count: int = 120, missing: float = 0.0, vol: float = 0.004, gap: float = 0.002) -> Bars:
    rng = np.random.default_rng(seed)
    keep = np.flatnonzero(rng.random(count) >= missing)
    close = 100 * np.exp(np.cumsum(rng.normal(0, vol, count)))
    opened = np.concatenate([[100.0], close[:-1]]) * np.exp(rng.normal(0, gap, count))
    high = np.maximum(opened, close) * (1 + rng.exponential(vol / 2, count))
    low = np.minimum(opened, close) * (1 - np.minimum(rng.exponential(vol / 2, count), 0.5))
    open_ns = T0 + BAR * np.arange(count, dtype=np.int64)
    return Bars(open_ns[keep], open_ns[keep] + BAR, opened[keep], high[keep], low[keep], close[keep])


def ask(bars: Bars, at: int, side: int = 1, **changed: float) -> tuple[int, float, int]:
    given_ = {"horizon_ns": HOUR_NS, "sigma_h": 0.01, "a": 1.0, "b": 1.0, "cost": 0.001, "grace_ns": GRACE, **changed}
    y, net, known = label(*bars, at, side, *given_.values())
    return int(y), float(net), int(known)


def slow(bars: Bars, at: int, side: int, horizon: int, sigma: float, a: float, b: float, cost: float, grace: int):
    """The definition read aloud, one plain Python row at a time."""
    rows = [dict(zip(Bars._fields, row, strict=True)) for row in zip(*(x.tolist() for x in bars), strict=True)]
    end = at + horizon
    later = [r for r in rows if r["open_ns"] + grace >= at]
    if not later:
        return UNRESOLVED, math.nan, 0
    start = later[0]
    if start["open_ns"] > at + (start["close_ns"] - start["open_ns"]):
        return UNRESOLVED, math.nan, start["close_ns"]
    entered = start["o"]

    def gain(price: float) -> float:
        return side * (price - entered) / entered

    held = [r for r in later if r["close_ns"] <= end]
    for r in held:
        path = [r["o"], r["l"], r["h"]] if side > 0 else [r["o"], r["h"], r["l"]]
        for k, price in enumerate(path):
            if gain(price) <= -a * sigma:
                return LOST, (gain(price) if k == 0 else -a * sigma) - cost, r["close_ns"]
            if gain(price) >= b * sigma + cost:
                return WON, (gain(price) - cost if k == 0 else b * sigma), r["close_ns"]
    if held and held[-1]["close_ns"] + grace >= end:
        net, known = gain(held[-1]["c"]) - cost, held[-1]["close_ns"]
    else:
        leaving = [r for r in later if r["open_ns"] + grace >= end]
        if not leaving:
            return UNRESOLVED, math.nan, 0
        last = leaving[0]
        if last is start or last["open_ns"] > end + (start["close_ns"] - start["open_ns"]):
            return UNRESOLVED, math.nan, last["close_ns"]
        net, known = gain(last["o"]) - cost, last["close_ns"]
    return (WON if net > 0 else LOST), net, known


cases = st.tuples(
    st.integers(0, 10_000),
    st.integers(-3 * BAR, 123 * BAR),
    st.sampled_from([1, -1]),
    st.integers(MINUTE_NS, 8 * HOUR_NS),
    st.floats(1e-4, 0.05),
    st.floats(0.2, 3.0),
    st.floats(0.2, 3.0),
    st.floats(0.0, 0.01),
    st.sampled_from([0, 2 * SECOND_NS, GRACE]),
    st.sampled_from([0.0, 0.1, 0.5]),
)


@settings(max_examples=400, deadline=None)
@given(cases)
def test_label_is_the_definition(case: tuple) -> None:
    seed, at, side, horizon, sigma, a, b, cost, grace, missing = case
    bars = walk(seed, missing=missing)
    got = label(*bars, T0 + at, side, horizon, sigma, a, b, cost, grace)
    want = slow(bars, T0 + at, side, horizon, sigma, a, b, cost, grace)
    assert (got[0], got[2]) == (want[0], want[2])
    assert got[1] == pytest.approx(want[1], abs=1e-12, nan_ok=True)


@settings(max_examples=200, deadline=None)
@given(cases)
def test_nothing_after_the_resolution_matters(case: tuple) -> None:
    """Bars that close after resolved_at are replaced by nonsense, or cut off: the resolved label stays."""
    seed, at, side, horizon, sigma, a, b, cost, grace, missing = case
    bars = walk(seed, missing=missing)
    got = label(*bars, T0 + at, side, horizon, sigma, a, b, cost, grace)
    if got[0] == UNRESOLVED:
        return
    assert got[2] <= T0 + at + horizon + 2 * BAR
    used = int(np.searchsorted(bars.close_ns, got[2], side="right"))
    wild = Bars(*(column.copy() for column in bars))
    for column in wild[2:]:
        column[used:] *= 7.0
    for other in (wild, bars.cut(used)):
        assert label(*other, T0 + at, side, horizon, sigma, a, b, cost, grace) == got


@settings(max_examples=150, deadline=None)
@given(cases)
def test_only_the_exit_open_may_lie_beyond_the_horizon(case: tuple) -> None:
    """Highs, lows and closes of bars that end after t + H are never looked at."""
    seed, at, side, horizon, sigma, a, b, cost, grace, missing = case
    bars = walk(seed, missing=missing)
    wild = Bars(*(column.copy() for column in bars))
    beyond = bars.close_ns > T0 + at + horizon
    for column in wild[3:]:
        column[beyond] *= 5.0
    args = (T0 + at, side, horizon, sigma, a, b, cost, grace)
    assert np.array_equal(label(*bars, *args), label(*wild, *args), equal_nan=True)


@settings(max_examples=150, deadline=None)
@given(cases, st.sampled_from([0.125, 2.0, 1024.0]))
def test_scale_of_price_does_not_matter(case: tuple, scale: float) -> None:
    seed, at, *rest, missing = case
    bars = walk(seed, missing=missing)
    scaled = Bars(bars.open_ns, bars.close_ns, *(column * scale for column in bars[2:]))
    assert np.array_equal(label(*bars, T0 + at, *rest), label(*scaled, T0 + at, *rest), equal_nan=True)


@settings(max_examples=150, deadline=None)
@given(cases, st.floats(0.0, 0.02))
def test_more_cost_never_makes_a_win(case: tuple, more: float) -> None:
    seed, at, side, horizon, sigma, a, b, cost, grace, missing = case
    bars = walk(seed, missing=missing)
    cheap = label(*bars, T0 + at, side, horizon, sigma, a, b, cost, grace)
    dear = label(*bars, T0 + at, side, horizon, sigma, a, b, cost + more, grace)
    if UNRESOLVED not in (cheap[0], dear[0]):
        assert dear[0] <= cheap[0]


@settings(max_examples=150, deadline=None)
@given(cases)
def test_the_mirrored_path_is_the_other_side(case: tuple) -> None:
    """Prices reflected at the entry: what the long sees there is what the short sees here."""
    seed, at, side, horizon, sigma, a, b, cost, grace, missing = case
    bars = walk(seed, missing=missing, vol=0.002)
    first = int(np.searchsorted(bars.open_ns, T0 + at - grace))
    if first >= len(bars.o):
        return
    turn = 2 * bars.o[first]
    mirrored = Bars(bars.open_ns, bars.close_ns, turn - bars.o, turn - bars.l, turn - bars.h, turn - bars.c)
    here = label(*bars, T0 + at, side, horizon, sigma, a, b, cost, grace)
    there = label(*mirrored, T0 + at, -side, horizon, sigma, a, b, cost, grace)
    assert there[0] == here[0]
    assert there[2] == here[2]
    assert there[1] == pytest.approx(here[1], abs=1e-9, nan_ok=True)


def test_barriers_and_their_net_return() -> None:
    at = T0 + 10 * BAR + 2 * SECOND_NS
    bars = flat()
    bars.h[14] = 101.2
    assert ask(bars, at) == (WON, pytest.approx(0.01), bars.close_ns[14])
    assert ask(bars, at, b=1.3)[0] == LOST  # 1.3 % and the cost is not reached; flat at the end, the cost is lost
    bars.l[14] = 98.9
    assert ask(bars, at) == (LOST, pytest.approx(-0.011), bars.close_ns[14])  # both in one bar: the adverse one first
    assert ask(bars, at, side=-1) == (LOST, pytest.approx(-0.011), bars.close_ns[14])
    bars.l[10] = 98.9  # the entry bar is held from its open
    assert ask(bars, at)[2] == bars.close_ns[10]


def test_a_gap_settles_at_the_open_it_jumped_to() -> None:
    at = T0 + 10 * BAR
    bars = flat()
    bars.o[12], bars.l[12] = 95.0, 94.0
    assert ask(bars, at) == (LOST, pytest.approx(-0.051), bars.close_ns[12])
    assert ask(bars, at, side=-1) == (WON, pytest.approx(0.049), bars.close_ns[12])


def test_the_end_of_the_horizon() -> None:
    at = T0 + 10 * BAR + 2 * SECOND_NS
    bars = flat()
    bars.c[21] = 100.5  # ends at t + H but for the settle delay: its close is the exit
    assert ask(bars, at) == (WON, pytest.approx(0.004), bars.close_ns[21])
    assert ask(bars.cut(22), at) == ask(bars, at)
    assert ask(bars.cut(21), at) == (UNRESOLVED, pytest.approx(math.nan, nan_ok=True), 0)
    assert ask(flat(), at, cost=0.0)[:2] == (LOST, 0.0)  # nothing gained is not a win
    odd = at + 100 * SECOND_NS  # between two bars: the next open enters, and the next open leaves
    bars.o[23] = 100.5
    assert ask(bars, odd) == (WON, pytest.approx(0.004), bars.close_ns[23])


def test_what_cannot_be_seen_is_unresolved() -> None:
    bars = flat()
    at = T0 + 10 * BAR
    gap = Bars(*(np.delete(column, [10, 11]) for column in bars))
    assert ask(gap, at)[::2] == (UNRESOLVED, gap.close_ns[10])  # entry more than a bar away
    one = Bars(*(np.delete(column, [10]) for column in bars))
    assert ask(one, at)[0] == LOST  # exactly one bar late is still a price
    hole = Bars(*(np.delete(column, [20, 21, 22, 23]) for column in bars))
    assert ask(hole, at)[::2] == (UNRESOLVED, hole.close_ns[20])
    assert ask(bars, T0 + 200 * BAR)[::2] == (UNRESOLVED, 0)
    assert ask(bars, at + MINUTE_NS, horizon_ns=MINUTE_NS)[0] == UNRESOLVED  # over before a bar could be entered
    for bad in ({"sigma_h": math.nan}, {"sigma_h": 0.0}, {"cost": -0.1}, {"cost": math.nan}, {"sigma_h": math.inf}):
        assert ask(bars, at, **bad)[::2] == (UNRESOLVED, at)
    assert ask(bars, at, side=0)[0] == UNRESOLVED
    bars.o[10] = math.nan
    assert ask(bars, at)[0] == UNRESOLVED


def test_labels_are_label_row_by_row() -> None:
    bars = walk(5, missing=0.05)
    rng = np.random.default_rng(1)
    at = T0 + rng.integers(0, 130 * BAR, 60)
    side = rng.choice([-1, 1], 60)
    sigma, cost = rng.uniform(0.001, 0.02, 60), rng.uniform(0, 0.003, 60)
    y, net, known = labels(*bars, at, side, HOUR_NS, sigma, 1.0, 1.5, cost, GRACE)
    for j in range(60):
        one = label(*bars, at[j], side[j], HOUR_NS, sigma[j], 1.0, 1.5, cost[j], GRACE)
        assert np.array_equal((y[j], net[j], known[j]), one, equal_nan=True)
    assert {UNRESOLVED, LOST, WON} == set(y.tolist())


def test_a_fair_game_is_won_as_often_as_theory_says() -> None:
    """Driftless walk, a = b, no cost, horizon long enough to touch: half is won, less what both-in-one-bar takes."""
    wins = []
    for seed in range(40):
        bars = walk(seed, count=2000, vol=0.001, gap=0.0)
        at = T0 + BAR * np.arange(0, 1500, 50, dtype=np.int64)
        ones = np.ones(len(at))
        y, _, _ = labels(*bars, at, ones.astype(np.int64), 400 * BAR, 0.01 * ones, 1.0, 1.0, 0.0 * ones, GRACE)
        wins.append(np.mean(y == WON))
    mean, error = np.mean(wins), np.std(wins) / math.sqrt(len(wins))
    assert abs(mean - 0.5) < 4 * error


@settings(max_examples=150, deadline=None)
@given(cases, st.sampled_from([GRACE, 7 * MINUTE_NS]))
def test_a_label_is_known_at_one_bar_and_never_changes_after(case: tuple, grace: int) -> None:
    """Unresolved with 0 before the bar that decides it, and the same ever after, whatever the grace."""
    seed, at, side, horizon, sigma, a, b, cost, _, missing = case
    bars = walk(seed, missing=missing)
    args = (T0 + at, side, horizon, sigma, a, b, cost, grace)
    final = label(*bars, *args)
    n = int(np.searchsorted(bars.close_ns, final[2], side="right")) if final[2] else len(bars.o)
    if n:
        assert label(*bars.cut(n - 1), *args)[::2] == (UNRESOLVED, 0)
    for count in range(n, len(bars.o) + 1, 7):
        assert np.array_equal(label(*bars.cut(count), *args), final, equal_nan=True)
