"""evaluate.thirds: the cut and the fit see the first half only, and the figures are those of the second."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from confidence_engine.domain.errors import DataMissing
from confidence_engine.evaluate.planted import CASE
from confidence_engine.evaluate.thirds import fit_logistic, log_loss, thirds


def cases(n: int, seed: int, slope: float) -> np.ndarray:
    """Cases whose chance is 1/2 +- slope (quality - 5) / 20: the better the evidence, the surer."""
    rng = np.random.default_rng(seed)
    rows = np.zeros(n, CASE)
    rows["ts_ns"], rows["quality"], rows["strength"] = np.arange(n), rng.uniform(0, 10, n), rng.uniform(0, 1, n)
    rows["confidence"] = 0.5 + 0.25 * rows["strength"]
    rows["y"] = rng.random(n) < 0.5 + slope * rows["quality"] / 20
    rows["net_sigma"] = np.where(rows["y"] == 1, 1.0, -1.1)
    return rows


def test_log_loss_falls_where_the_score_knows_and_not_where_it_does_not() -> None:
    low, middle, high = thirds(cases(30_000, 1, 0.9), "quality")
    assert low.log_loss > middle.log_loss + 0.02 > high.log_loss + 0.04
    assert low.won < middle.won < high.won
    flat = thirds(cases(30_000, 2, 0.0), "quality")
    assert max(one.log_loss for one in flat) - min(one.log_loss for one in flat) < 0.01


def test_terciles_and_fit_come_from_the_first_half() -> None:
    rows = cases(4_000, 3, 0.9)
    found = thirds(rows, "quality")
    changed = rows.copy()
    changed["y"][2_000:] = 1 - changed["y"][2_000:]
    changed["quality"][2_000:] += 100.0
    with pytest.raises(DataMissing, match="third 1 of quality holds 667 and 0"):
        thirds(changed, "quality")
    changed["quality"] = rows["quality"]
    other = thirds(changed, "quality")
    assert [(one.low, one.high, one.fitted, one.n) for one in other] == [
        (one.low, one.high, one.fitted, one.n) for one in found
    ]
    assert all(a.won == pytest.approx(1 - b.won) for a, b in zip(other, found, strict=True))
    assert sum(one.n for one in found) == 2_000
    assert found[0].high <= found[1].low <= found[1].high <= found[2].low


@settings(max_examples=20)
@given(st.integers(0, 2**31), st.integers(5, 200))
def test_the_fit_is_the_maximum_of_its_likelihood(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 1, n), rng.integers(0, 2, n)

    def loss(at: np.ndarray) -> float:
        z = at[0] + at[1] * x
        return float(np.sum(np.logaddexp(0.0, z) - y * z) + 0.5 * at @ at)

    best = minimize(loss, np.zeros(2), method="BFGS", options={"gtol": 1e-8}).x
    assert fit_logistic(x, y) == pytest.approx(tuple(best), abs=1e-5)


def test_log_loss_by_hand() -> None:
    found = log_loss(np.array([0.5, 0.8, 0.8]), np.array([1, 1, 0]))
    assert found == pytest.approx(-(math.log(0.5) + math.log(0.8) + math.log(0.2)) / 3, rel=1e-12)


def test_too_few_cases_are_refused() -> None:
    for n in (0, 1, 59):
        with pytest.raises(DataMissing, match="are needed"):
            thirds(cases(n, 4, 0.0), "quality")
