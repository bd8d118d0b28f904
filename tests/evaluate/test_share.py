"""evaluate.share: cases of one day count for less than as many days, and the interval covers what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confidence_engine.evaluate.performance import wilson
from confidence_engine.evaluate.share import share_by_day


def drawn(rng: np.random.Generator, days: int = 40, a_day: int = 12, common: float = 0.6) -> tuple:
    """Cases with a fair coin each, of which a share follows the coin of their day."""
    day = np.repeat(np.arange(days), a_day)
    own, shared = rng.random(len(day)) < 0.5, (rng.random(days) < 0.5)[day]
    return np.where(rng.random(len(day)) < common, shared, own), day


def test_the_interval_covers_the_truth_where_the_plain_one_does_not() -> None:
    rng = np.random.default_rng(1)
    by_day = plain = 0
    for _ in range(400):
        hit, day = drawn(rng)
        low, high = share_by_day(hit, day).ci95
        by_day += low <= 0.5 <= high
        low, high = wilson(float(hit.mean()), len(hit))
        plain += low <= 0.5 <= high
    assert by_day / 400 > 0.92
    assert plain / 400 < 0.8


def test_a_case_a_day_is_the_plain_interval_or_a_little_wider() -> None:
    hit = np.random.default_rng(2).random(200) < 0.4
    found = share_by_day(hit, np.arange(200))
    assert (found.n, found.n_days) == (200, 200)
    assert found.ci95 == pytest.approx(wilson(float(hit.mean()), 200), abs=1e-3)


def test_one_day_is_one_case_and_no_case_is_no_share() -> None:
    hit = np.array([True] * 30 + [False] * 30)
    one = share_by_day(hit, np.full(60, 19_000))
    assert (one.value, one.n, one.n_days) == (0.5, 60, 1)
    assert one.ci95 == wilson(0.5, 1.0)
    none = share_by_day(hit[:0], np.zeros(0, np.int64))
    assert (none.value, none.ci95, none.n, none.n_days) == (None, None, 0, 0)
    sure = share_by_day(np.ones(60, bool), np.arange(60) // 20)
    assert sure.ci95 == wilson(1.0, 3.0)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=1, max_size=80), st.randoms())
def test_it_is_never_surer_than_independent_cases_and_the_order_is_nothing(cases: list, random: object) -> None:
    hit, day = np.array([a for a, _ in cases]), np.array([b for _, b in cases])
    found = share_by_day(hit, day)
    low, high = wilson(float(hit.mean()), len(hit))
    assert found.ci95[0] <= low + 1e-12
    assert found.ci95[1] >= high - 1e-12
    random.shuffle(cases)  # type: ignore[attr-defined]
    again = share_by_day(np.array([a for a, _ in cases]), np.array([b for _, b in cases]) + 19_000)
    assert again.ci95 == pytest.approx(found.ci95)
