"""evaluate.skill: the area under the curve, the two scores, their intervals, and the table of confidence and truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from confidence_engine.evaluate.skill import auc, buckets, ratio_of_skill, skill

RNG = np.random.default_rng(5)


@given(hnp.arrays(np.int64, 30, elements=st.integers(-5, 5)), hnp.arrays(np.int64, 30, elements=st.integers(0, 1)))
def test_auc_is_the_share_of_pairs_in_order(score: np.ndarray, y: np.ndarray) -> None:
    won, lost = score[y == 1], score[y == 0]
    if not len(won) or not len(lost):
        assert math.isnan(auc(score, y))
        return
    pairs = np.sign(won[:, None] - lost[None, :])
    assert auc(score, y) == pytest.approx(0.5 + 0.5 * pairs.mean())
    assert auc(-score, y) == pytest.approx(1.0 - auc(score, y))


def case(n: int, noise: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    p = RNG.uniform(0.2, 0.8, n)
    y = (RNG.random(n) < p).astype(np.int64)
    return p, np.clip(p + noise * RNG.normal(size=n), 0.0, 1.0), y, RNG.integers(0, 40, n)


def test_scores_are_their_formulas_and_intervals_hold_them() -> None:
    p, _, y, cluster = case(3000, 0.0)
    found = skill(p, y, cluster)
    assert found.brier.value == pytest.approx(np.mean((p - y) ** 2))
    assert found.log_loss.value == pytest.approx(-np.mean(np.where(y == 1, np.log(p), np.log1p(-p))))
    assert found.auc.value == pytest.approx(auc(p, y))
    for one in (found.auc, found.brier, found.log_loss):
        assert one.ci95 is not None
        assert one.ci95[0] < one.value < one.ci95[1]
    assert (found.n, found.n_clusters) == (3000, 40)
    assert skill(p, y, cluster) == found
    ranked = skill(p, y, cluster, score=-p)
    assert ranked.auc.value == pytest.approx(1.0 - auc(p, y))
    assert ranked.brier == found.brier


def test_nothing_is_no_figure_and_one_cluster_no_interval_to_speak_of() -> None:
    none = skill(np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64))
    assert (none.n, none.auc.value, none.auc.ci95) == (0, None, None)
    alike = skill(np.full(5, 0.6), np.ones(5, np.int64), np.arange(5))
    assert alike.auc.value is None
    assert alike.brier.value == pytest.approx(0.16)


def test_clusters_that_agree_widen_the_interval() -> None:
    p, _, y, _ = case(400, 0.0)
    wide = skill(np.tile(p, 5), np.tile(y, 5), np.tile(np.arange(400), 5)).auc.ci95
    narrow = skill(np.tile(p, 5), np.tile(y, 5), np.arange(2000)).auc.ci95
    assert wide is not None
    assert narrow is not None
    assert wide[1] - wide[0] > 1.8 * (narrow[1] - narrow[0])


def test_the_share_of_what_could_be_known() -> None:
    p, worse, y, cluster = case(6000, 0.3)
    same, less = ratio_of_skill(p, p, y, cluster), ratio_of_skill(worse, p, y, cluster)
    assert same.value == pytest.approx(1.0)
    assert less.value == pytest.approx((auc(worse, y) - 0.5) / (auc(p, y) - 0.5))
    assert less.ci95 is not None
    assert 0.0 < less.ci95[0] < less.value < less.ci95[1] < 1.0
    assert ratio_of_skill(p, np.zeros(6000), y, cluster).value is None


def test_buckets_hold_every_case_once_beside_truth_and_claim() -> None:
    p, _, y, cluster = case(5000, 0.0)
    claimed = 0.5 + 0.25 * (p - 0.2) / 0.6
    edges = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.9, 1.0)
    rows = buckets(claimed, p, y, cluster, edges)
    assert sum(one.n for one in rows) == 5000
    assert len(rows) == 5  # the last two are empty
    for one in rows:
        assert one.low <= one.confidence <= one.high
        assert one.ci95[0] <= one.realised <= one.ci95[1]
        assert one.oracle == pytest.approx(one.realised, abs=0.06)
    assert buckets(np.array([0.75]), np.array([0.5]), np.array([1]), np.array([0]), edges[:6])[0].n == 1
