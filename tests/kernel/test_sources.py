"""kernel.sources: the regret that Hedge promises, and what the bounded, slow form of it may and may not do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.kernel.world import START, feed, make_params, make_state, signal

from confidence_engine.kernel import sources
from confidence_engine.kernel.state import SOURCES, State


def play(losses: np.ndarray, rate: float) -> tuple[float, np.ndarray]:
    """(loss of the weighted mean, final log weights) of a stream [T, K]; the reference is the mean loss so far."""
    log_weight, paid, reference = np.zeros(losses.shape[1]), 0.0, 0.5
    for t, loss in enumerate(losses):
        weight = np.exp(log_weight - log_weight.max())
        paid += float(weight @ loss) / weight.sum()
        log_weight = sources.hedge(log_weight, loss, reference, rate)
        reference += (loss.mean() - reference) / (t + 2)
    return paid, log_weight


def stream(seed: int) -> np.ndarray:
    """Losses [T, K] of one of five kinds, drawn or chosen against the weights."""
    rng = np.random.default_rng(seed)
    count, k = int(rng.integers(20, 400)), int(rng.integers(2, 20))
    kind = seed % 5
    if kind == 0:
        return rng.random((count, k))
    if kind == 1:
        return (rng.random((count, k)) < rng.random(k)).astype(float)
    if kind == 2:  # who is good changes
        good = np.repeat(rng.integers(0, k, 5), -(-count // 5))[:count]
        losses = rng.random((count, k))
        losses[np.arange(count), good] *= 0.1
        return losses
    if kind == 3:  # all or nothing, in turn
        return np.eye(k)[np.arange(count) % k]
    losses, rate = np.zeros((count, k)), math.sqrt(8.0 * math.log(k) / count)
    log_weight = np.zeros(k)
    for t in range(count):  # whoever is believed most fails
        losses[t, int(np.argmax(log_weight))] = 1.0
        log_weight = sources.hedge(log_weight, losses[t], 0.0, rate)
    return losses


def test_regret_is_never_above_what_hedge_promises() -> None:
    tight = 0.0
    for seed in range(500):
        losses = stream(seed)
        count, k = losses.shape
        bound = math.sqrt(count * math.log(k) / 2.0)
        paid, _ = play(losses, math.sqrt(8.0 * math.log(k) / count))
        regret = paid - float(losses.sum(axis=0).min())
        assert regret <= bound + 1e-9, seed
        tight = max(tight, regret / bound)
    assert tight > 0.7  # or the streams would have been too kind to show anything


def test_without_learning_the_regret_is_above_it() -> None:
    losses = np.zeros((400, 4))
    losses[:, 1:] = 1.0
    paid, _ = play(losses, 0.0)
    assert paid - losses.sum(axis=0).min() > math.sqrt(400 * math.log(4) / 2.0)


def test_the_best_source_comes_to_the_top_within_500_signals() -> None:
    """Ten sources that say something every time; one is right in 65 of 100, the others in 50."""
    first = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        losses = (rng.random((500, 10)) < 0.5).astype(float)
        losses[:, 3] = rng.random(500) < 0.35
        _, log_weight = play(losses, make_params().sources.rate)
        first += int(np.argmax(log_weight)) == 3
    assert first >= 190


def teach(state: State, j: int, loss: float, p: object, share: float = 1.0, reference: float = 0.5) -> None:
    """One outcome of slot j, as feedback reports it."""
    state.tally[j].outcomes += 1
    sources.learn(state, j, share, loss, reference, p)
    mean = sources.mean_weight(state, p)
    for k in range(SOURCES):
        sources.act(state, k, mean, p)


def test_sources_that_speak_in_turn_are_told_apart() -> None:
    """Five sources, one outcome each in turn; in 95 of 100 worlds the best has the greatest weight after 500."""
    first = 0
    for seed in range(40):
        rng, state, p = np.random.default_rng(seed), make_state(), make_params().sources
        right = np.array([0.5, 0.5, 0.8, 0.5, 0.5])
        for t in range(500):
            j = t % 5
            state.tally[j].outcomes += 1
            sources.learn(state, j, 1.0, float(rng.random() > right[j]), 0.44, p)
        first += int(np.argmax(state.tally["log_weight"][:5])) == 2
    assert first >= 38


def test_factors_are_relative_bounded_and_wait_for_enough_outcomes() -> None:
    state, p = make_state(), make_params(sources={"rate": 0.1, "min_obs": 10}).sources
    for t in range(200):
        teach(state, 1, 0.0, p)
        teach(state, 2, 1.0, p)
        if t < 9:
            assert (state.tally["factor"] == 1.0).all()
        assert ((state.tally["factor"] >= p.low) & (state.tally["factor"] <= p.high)).all()
    good, bad = state.tally[1].factor, state.tally[2].factor
    assert (good, bad) == (1.5, 0.5)
    assert state.tally[0].factor == state.tally[3].factor == 1.0
    for _ in range(20):  # the band is the memory: what has turned good is believed again soon
        teach(state, 2, 0.0, p)
    assert state.tally[2].factor > bad


@pytest.mark.parametrize(("min_obs", "compared"), [(10, [1, 2]), (9, [1, 2, 3]), (0, [1, 2, 3])])
def test_a_source_is_compared_with_those_that_were_seen_as_often(min_obs: int, compared: list[int]) -> None:
    """From its `min_obs`th outcome on, and nobody is who has none."""
    state, p = make_state(), make_params(sources={"min_obs": min_obs}).sources
    weights = {1: 0.2, 2: -0.2, 3: 0.3}
    for j, log_weight in weights.items():
        state.tally[j].log_weight, state.tally[j].outcomes = log_weight, 9 if j == 3 else 10
    mean = sources.mean_weight(state, p)
    assert mean == pytest.approx(np.mean([math.exp(weights[j]) for j in compared]))
    for j in range(6):
        sources.act(state, j, mean, p)
        assert state.tally[j].factor == (round(math.exp(weights[j]) / mean, 2) if j in compared else 1.0)


def test_steps_are_slow_and_in_hundredths() -> None:
    state, p = make_state(), make_params(sources={"min_obs": 0}).sources
    rng = np.random.default_rng(1)
    for j in (1, 2):
        teach(state, j, 0.5, p)
    for _ in range(300):
        before = state.tally["factor"].copy()
        teach(state, int(rng.integers(1, 3)), float(rng.random() < 0.5), p)
        after = state.tally["factor"]
        assert np.abs(after - before).max() <= 0.02 + 1e-12
        np.testing.assert_allclose(after * 100.0, np.round(after * 100.0), atol=1e-9)


def test_a_source_with_nobody_beside_it_counts_as_one() -> None:
    state, p = make_state(), make_params(sources={"rate": 0.5, "min_obs": 1}).sources
    for _ in range(50):
        teach(state, 7, 1.0, p)
        assert state.tally[7].factor == 1.0


def test_rate_zero_is_neutral() -> None:
    state, p = make_state(), make_params(sources={"rate": 0.0, "min_obs": 0}).sources
    rng = np.random.default_rng(2)
    for _ in range(200):
        teach(state, int(rng.integers(0, SOURCES)), float(rng.random()), p)
    assert (state.tally["factor"] == 1.0).all()
    assert (state.tally["log_weight"] == 0.0).all()


def test_a_weighty_source_leaves_less_doubt() -> None:
    state = make_state()
    left = []
    for factor in (0.5, 1.0, 1.5):
        state.tally[9].factor = factor
        left.append(sources.unsaid(state, 9, 0.8))
    assert left == pytest.approx([0.2**0.5, 0.2, 0.2**1.5])
    assert left[1] == 1.0 - 0.8  # to the last bit
    assert sources.unsaid(state, 9, 1.0) == 0.0
    assert sources.unsaid(state, 9 + SOURCES, 0.8) == left[-1]  # two streams of one slot


def test_what_a_story_weighs_is_fixed_by_what_its_publishers_had_earned_when_they_told_it() -> None:
    state, p = make_state(), make_params()
    state.tally[4].factor = 0.5
    feed(state, [signal(0, START, publisher=4)], p)
    assert state.story[0, 0].unsaid == pytest.approx(0.2**0.5)
    state.tally[4].factor = 1.5
    feed(state, [signal(0, START + 1, publisher=4), signal(0, START + 2, publisher=5)], p)
    assert state.story[0, 0].unsaid == pytest.approx(0.2**1.5)  # 0.5 and 1 witnesses


def test_streams_that_share_a_slot_are_marked() -> None:
    state, p = make_state(), make_params()
    feed(state, [signal(0, START, publisher=3), signal(0, START, cluster=2, publisher=3)], p)
    assert tuple(int(state.tally[3][x]) for x in ("stream", "shared", "documents")) == (3, 0, 2)
    feed(state, [signal(0, START, cluster=3, publisher=3 + SOURCES)], p)
    assert tuple(int(state.tally[3][x]) for x in ("stream", "shared", "documents")) == (3, 1, 3)
