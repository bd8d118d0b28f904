"""kernel.confidence: the rule before a calibration, and that it never claims to be more."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kernel.world import decision, make_params

from confidence_engine.kernel import confidence

GAP = st.floats(-4, 4)
SHARE = st.floats(0, 0.999)
TRIGGER = st.floats(0.1, 2.0)


def judged(
    gap: float, trigger: float, weight: float, score_weight: float = 0.0, p: Any = None, crowd: float = 1.0
) -> Any:
    d = decision(gap=gap, trigger=trigger, weight=weight, score_weight=score_weight, strength=9.0, calibrated=9)
    d.crowd = crowd
    confidence.judge(d, (p or make_params()).confidence)
    return d


@given(GAP, TRIGGER, SHARE)
def test_strength_is_the_formula(gap: float, trigger: float, weight: float) -> None:
    d = judged(gap, trigger, weight)
    beyond = (abs(gap) - trigger) / trigger
    assert d.strength == pytest.approx(weight * (0.0 if beyond < 0 else 1.0 if beyond > 1 else beyond), rel=1e-9)
    assert d.confidence == pytest.approx(0.5 + 0.25 * d.strength, rel=1e-12)
    assert 0.0 <= d.strength < 1.0
    assert d.calibrated == 0


@given(GAP, GAP, TRIGGER, SHARE, SHARE)
def test_more_gap_and_more_evidence_never_weaken_a_case(one: float, two: float, t: float, w: float, v: float) -> None:
    assert (judged(one, t, w).strength - judged(two, t, w).strength) * (abs(one) - abs(two)) >= 0.0
    assert (judged(one, t, w).strength - judged(one, t, v).strength) * (w - v) >= 0.0
    assert judged(one, t, w).strength == judged(-one, t, w).strength


@given(GAP, TRIGGER, SHARE, SHARE)
def test_a_score_adds_its_evidence_to_the_news(gap: float, trigger: float, weight: float, score_weight: float) -> None:
    both = judged(gap, trigger, weight, score_weight)
    share = both.strength / (judged(gap, trigger, 0.5).strength * 2) if both.strength > 1e-9 else None
    if share is not None:
        assert share == pytest.approx(weight + score_weight - weight * score_weight, rel=1e-6)
    assert both.strength >= judged(gap, trigger, weight).strength - 1e-15


@given(GAP, TRIGGER, SHARE, st.floats(0.0, 2.0))
def test_the_crowd_multiplies_strength_and_never_beyond_one(gap: float, t: float, w: float, crowd: float) -> None:
    plain = judged(gap, t, w).strength
    assert judged(gap, t, w, crowd=crowd).strength == pytest.approx(min(plain * crowd, 1.0), rel=1e-12)


@given(TRIGGER, SHARE)
def test_an_unknown_gap_has_no_strength(trigger: float, weight: float) -> None:
    d = judged(math.nan, trigger, weight)
    assert (d.strength, d.confidence, d.calibrated) == (0.0, 0.5, 0)


@given(GAP, TRIGGER, SHARE, st.floats(0, 0.5), st.floats(0, 0.5))
def test_confidence_is_a_line_through_strength(gap: float, t: float, w: float, floor: float, slope: float) -> None:
    d = judged(gap, t, w, p=make_params(confidence={"floor": floor, "slope": slope}))
    assert d.confidence == pytest.approx(floor + slope * d.strength, rel=1e-12)
    assert 0.0 <= d.confidence <= 1.0
