"""kernel.thresholds: the bound of adaptive conformal inference on any stream, and the bounded form the engine uses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kernel.world import decision, make_params, make_state

from confidence_engine.kernel import divergence, thresholds


def share_missed(rng: np.random.Generator, kind: int, level: float, allowed: float, rate: float, count: int) -> float:
    """Share of misses of one stream; beyond its ends a level admits nothing, or everything."""
    missed_before, total, drift = 0.0, 0.0, 0.0
    for t in range(count):
        if kind == 0:
            missed = float(rng.random() < level)  # calibrated scores
        elif kind == 1:
            drift += rng.normal(0.0, 0.05)
            missed = float(rng.random() < min(max(level + drift, 0.0), 1.0))
        elif kind == 2:
            missed = 1.0 - missed_before
        elif kind == 3:
            missed = float((t // 50) % 2)  # good times, bad times
        else:
            missed = float(total / (t + 1) > allowed)  # away from the target, always
        if level < 0.0:
            missed = 0.0
        elif level > 1.0:
            missed = 1.0
        missed_before = missed
        total += missed
        level = thresholds.adapt(level, missed, allowed, rate)
    return total / count


def test_the_share_missed_is_within_the_bound_on_a_thousand_streams() -> None:
    violations, tight = 0, 0.0
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        level, allowed, rate = rng.random(), rng.uniform(0.05, 0.95), float(rng.choice([0.005, 0.02, 0.1, 0.5]))
        count = int(rng.integers(20, 300))
        bound = (max(level, 1.0 - level) + rate) / (rate * count)
        gap = abs(share_missed(rng, seed % 5, level, allowed, rate, count) - allowed)
        violations += gap > bound + 1e-12
        tight = max(tight, gap / bound)
    assert violations == 0
    assert tight > 0.6


def test_a_level_that_does_not_move_breaks_the_bound() -> None:
    level, allowed, rate, count = 0.5, 0.1, 0.1, 1000
    missed = np.random.default_rng(0).random(count) < level
    assert abs(missed.mean() - allowed) > (max(level, 1.0 - level) + rate) / (rate * count)


def factor_after(wons: list[bool], **params: float) -> float:
    state, p = make_state(), make_params(thresholds=params).thresholds
    for won in wons:
        before = thresholds.learn(state, 0, won, p)
        assert 1.0 / p.reach - 1e-12 <= state.klass[0].factor <= p.reach + 1e-12
        if p.rate:
            assert state.klass[0].factor >= before if not won else state.klass[0].factor <= before
    return float(state.klass[0].factor)


def test_misses_widen_and_hits_narrow_up_to_the_reach() -> None:
    assert factor_after([False] * 1000) == pytest.approx(1.25)
    assert factor_after([True] * 1000) == pytest.approx(0.8)
    assert factor_after([]) == 1.0
    one = factor_after([False])
    assert 1.0 < one < 1.002  # slow
    assert factor_after([False, True]) == pytest.approx(1.0)
    assert factor_after([False] * 3 + [True] * 7, target=0.7) == pytest.approx(1.0, abs=1e-12)


@given(st.lists(st.booleans(), max_size=60))
def test_rate_zero_and_reach_one_are_neutral(wons: list[bool]) -> None:
    assert factor_after(wons, rate=0.0) == 1.0
    assert factor_after(wons, reach=1.0) == 1.0


def test_the_trigger_is_scaled_but_never_to_where_the_price_alone_could_pass() -> None:
    state, p = make_state(), make_params().divergence
    alone = p.kappa * p.reaction_clip
    found = {}
    for factor in (0.8, 1.0, 1.25):
        state.klass[0].factor = factor
        for volume_z in (0.0, 4.0, -4.0):
            d = decision(volume_z=volume_z)
            divergence.measure(state, 0, 0, d, p)
            found[factor, volume_z] = float(d.trigger)
    assert found[1.0, 0.0] == p.trigger
    assert found[1.25, 0.0] == pytest.approx(1.25 * p.trigger)
    assert found[0.8, 0.0] == pytest.approx(0.8 * p.trigger)
    assert found[1.0, 4.0] == pytest.approx(0.8 * p.trigger)
    assert found[0.8, 4.0] == alone == pytest.approx(0.6)
    assert found[0.8, -4.0] == pytest.approx(0.96 * p.trigger)
    assert min(found.values()) >= alone


@given(st.floats(0.5, 2.0), st.floats(0.05, 3.0), st.floats(0.0, 3.0))
def test_a_narrower_trigger_stays_between_what_was_set_and_the_price_alone(
    factor: float, trigger: float, alone: float
) -> None:
    state = make_state()
    state.klass[0].factor = factor
    got = float(thresholds.scaled(state, 0, trigger, alone))
    if factor >= 1.0:
        assert got == trigger * factor
    else:
        assert trigger * factor <= got <= trigger  # also where the price alone goes beyond what was set
        assert got >= min(trigger, alone)
        assert got in (trigger * factor, trigger, alone)


def test_classes_learn_apart() -> None:
    state, p = make_state(), make_params().thresholds
    thresholds.learn(state, 1, False, p)
    assert state.klass["factor"][1] > 1.0
    assert (np.delete(state.klass["factor"], 1) == 1.0).all()
