"""evaluate.planted: in worlds where it is known how good the evidence is, quality and conviction know it too.

A small run of benchmarks/quality.py: the planted worlds must show it, the null worlds must not.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest

from confidence_engine.evaluate.planted import Planted, planted_cases
from confidence_engine.evaluate.thirds import thirds
from confidence_engine.text.cues import CueReader

TELLING, NULL = Planted(days=160), Planted(days=160, information=0.0)
SCORING, BLIND = Planted(days=60, ic=0.2), Planted(days=60, ic=1e-9)
SEEDS = range(50, 55)


@functools.cache
def worlds(planted: Planted) -> tuple[np.ndarray, ...]:
    return tuple(planted_cases(seed, CueReader(), planted) for seed in SEEDS)


@functools.cache
def pooled(planted: Planted) -> np.ndarray:
    """All worlds as one, a half of each before and after the cut."""
    parts = [(one[: len(one) // 2], one[len(one) // 2 :]) for one in worlds(planted)]
    before, after = (np.concatenate(side) for side in zip(*parts, strict=True))
    least = min(len(before), len(after))
    return np.concatenate([before[:least], after[:least]])


def test_a_planted_case_is_a_case() -> None:
    short = Planted(days=30)
    assert planted_cases(9, CueReader(), short).tobytes() == planted_cases(9, CueReader(), short).tobytes()
    for planted in (TELLING, SCORING):
        one = worlds(planted)[0]
        assert len(one) > 80
        assert np.all(np.diff(one["ts_ns"]) >= 0)
        assert set(one["y"].tolist()) == {0, 1}
        for name in ("quality", "conviction"):
            assert np.all((one[name] >= 0.0) & (one[name] < 10.0))
    truth = worlds(TELLING)[0]["clarity"]
    assert np.mean(truth == 0.0) > 0.03  # rumours
    assert np.mean(truth > 0.5) > 0.1


def test_quality_knows_how_clear_a_story_is() -> None:
    rows = pooled(TELLING)
    assert np.corrcoef(rows["quality"], rows["clarity"])[0, 1] > 0.3


def test_log_loss_falls_over_thirds_of_quality_where_noise_depends_on_the_evidence() -> None:
    low, middle, high = thirds(pooled(TELLING), "quality")
    assert high.log_loss < middle.log_loss < low.log_loss - 0.02
    assert high.log_loss_rule < low.log_loss_rule - 0.01
    assert high.won > low.won + 0.05
    assert high.net_sigma > low.net_sigma + 0.1


def test_and_not_where_the_words_know_nothing() -> None:
    low, _, high = thirds(pooled(NULL), "quality")
    assert high.log_loss > low.log_loss - 0.03
    assert high.log_loss_rule > low.log_loss_rule - 0.01
    assert 0.42 < pooled(NULL)["y"].mean() < 0.52  # a coin less the costs


def test_the_edge_grows_over_thirds_of_conviction_where_the_score_knows() -> None:
    low, _, high = thirds(pooled(SCORING), "conviction")
    assert high.won > low.won + 0.04
    assert high.net_sigma > low.net_sigma + 0.08
    assert low.net_sigma < 0.05  # just beyond the trigger costs eat it
    low, _, high = thirds(pooled(BLIND), "conviction")
    assert abs(high.won - low.won) < 0.04
    assert high.net_sigma == pytest.approx(low.net_sigma, abs=0.08)
