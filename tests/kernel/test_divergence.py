"""kernel.divergence: the gap by its formula, the story's side, and what no future or unit can change."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernel.world import BAR_NS, START, bar, decision, feed, make_params, make_state, signal, timer, walk

from confidence_engine.domain.decision import GATE_NO_EVIDENCE, GATE_PRICE_COLD
from confidence_engine.domain.event import score_events
from confidence_engine.domain.units import HOUR_NS, MINUTE_NS, SECOND_NS
from confidence_engine.kernel import divergence, narrative, price

SEEDS = st.integers(0, 2**32 - 1)
Z = st.floats(-4, 4)
WEIGHT = st.floats(0.01, 0.99)


def placed(reaction: float, bars: int = 6, sigma: float = 0.002) -> Any:
    """A state whose price moved by `reaction` sigma over `bars` bars; the story begins with the first of them."""
    s = make_state()
    a = s.asset[0]
    a.n_bars, a.close_ns = bars + 1, START + bars * BAR_NS
    a.price = 100.0 * math.exp(reaction * sigma * math.sqrt(bars))
    for k in range(bars + 1):
        r = s.ring[0, k]
        r.close_ns, r.price, r.sigma = START + k * BAR_NS, 100.0 if k == 0 else a.price, sigma
    return s


def tell(s: Any, weight: float, z: float, since_ns: int = START) -> None:
    """What the narrative would have left behind."""
    told = s.told[0]
    told.live, told.weight, told.z_story, told.since_ns, told.lead = 1, weight, z, since_ns, 9
    told.story, told.amount, told.newest_ns = z / 4, weight / (1 - weight), START


def score(s: Any, mean: float, std: float, at_ns: int = START, horizon_ns: int = 6 * HOUR_NS) -> None:
    """A model's own word."""
    columns = (np.array([x]) for x in (mean, std, horizon_ns))
    divergence.hear_score(s, score_events(np.array([at_ns]), np.array([0]), 3, *columns)[0])


def measured(s: Any, p: Any, now_ns: int = START + 6 * BAR_NS, volume_z: float = 0.0) -> tuple[Any, bool]:
    d = decision(volume_z=volume_z)
    return d, bool(divergence.measure(s, 0, now_ns, d, p.divergence))


@given(WEIGHT, Z, st.floats(-6, 6), st.floats(0, 1), st.integers(1, 60))
def test_gap_is_the_formula(w: float, z: float, reaction: float, kappa: float, bars: int) -> None:
    s, p = placed(reaction, bars), make_params(divergence={"kappa": kappa})
    tell(s, w, z)
    d, evidence = measured(s, p)
    seen = min(max(reaction, -4.0), 4.0)
    assert evidence
    assert d.reaction == pytest.approx(seen, rel=1e-9, abs=1e-9)
    assert d.gap == pytest.approx(w * (z - kappa * seen), rel=1e-9, abs=1e-9)
    assert d.side == np.sign(z)
    assert (d.stories, d.lead, d.since_ns, d.newest_ns) == (1, 9, START, START)


@given(WEIGHT, Z, Z, st.floats(-4, 4), st.floats(0.01, 0.99))
def test_news_and_score_speak_at_once(w: float, z: float, score_z: float, reaction: float, age: float) -> None:
    s, p = placed(reaction), make_params(divergence={"use_score": True})
    horizon = int(6 * BAR_NS / age)
    score(s, score_z * 0.01, 0.01, START, horizon)
    tell(s, w, z)
    d, _ = measured(s, p)
    fade = 0.25 ** (6 * BAR_NS / horizon)
    assert d.score_weight == pytest.approx(fade, rel=1e-9)
    together = 1 - (1 - w) * (1 - fade)  # both saw the same move since the same moment: it counts once
    expected = w * z + fade * score_z - 0.15 * together * reaction
    assert d.gap == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert d.side == np.sign(w * z + d.score_weight * d.score_z)


def test_the_worked_example_and_the_same_an_hour_later() -> None:
    p = make_params(narrative={"publisher_weight": 1.0})
    s, now = make_state(prior_spread=0.69 / 1.4), START + 24 * BAR_NS
    first, second = now - 60 * MINUTE_NS, now - 20 * MINUTE_NS
    for k in range(1, 25 + 12):  # flat until t0, then .9 of a sigma up, then flat for an hour
        level = 100.0 if START + k * BAR_NS <= now - 34 * MINUTE_NS else 100.0 * math.exp(0.9 * sigma_since(s, 7))
        price.observe(s, 0, bar(s, 0, START + k * BAR_NS, level, level, level, level, 1.0), p.price)
        if k == 12:
            narrative.hear(s, signal(0, first, 0.5, certainty=0.38 * 2 ** (60 / 90), cluster=1), p.narrative)
        if k == 20:
            narrative.hear(s, signal(0, second, 0.8, certainty=0.69 * 2 ** (20 / 90), cluster=2), p.narrative)
        if k in (24, 36):
            narrative.measure(s, 0, START + k * BAR_NS, p.narrative)
            d, _ = measured(s, p, START + k * BAR_NS)
            gap, weight, reaction = {24: (0.66, 0.52, 0.9), 36: (0.53, 0.40, 0.5)}[k]
            assert d.reaction == pytest.approx(reaction, abs=0.07)
            assert d.weight == pytest.approx(weight, abs=0.005)
            assert d.gap == pytest.approx(gap, abs=0.015)


def sigma_since(s: Any, bars: int) -> float:
    """What `bars` bars were expected to move when the price was last flat."""
    flat = [s.ring[0, k].sigma for k in range(int(s.asset[0].n_bars)) if s.ring[0, k].price == 100.0]
    return float(flat[-1] * math.sqrt(bars)) if flat else 0.0


@given(WEIGHT, Z, st.floats(-4, 4))
def test_polarity_flipped_flips_the_side_and_with_the_price_the_gap(w: float, z: float, reaction: float) -> None:
    p, gaps = make_params(), {}
    for story, move in ((1, 1), (-1, 1), (-1, -1)):
        s = placed(move * reaction)
        tell(s, w, story * z)
        d, _ = measured(s, p)
        gaps[story, move] = d.gap
        assert d.side == np.sign(story * z)
    assert gaps[-1, -1] == pytest.approx(-gaps[1, 1], rel=1e-9, abs=1e-12)
    assert gaps[-1, 1] + gaps[1, 1] == pytest.approx(-2 * w * 0.15 * reaction, rel=1e-9, abs=1e-9)  # kappa R stays


@given(st.floats(-4, 4), st.floats(-4, 4))
def test_no_evidence_is_no_reading(reaction: float, volume_z: float) -> None:
    s, p = placed(reaction), make_params(divergence={"use_score": True})
    s.told[0].weight = 0.7  # left over from a story that is no more
    d, evidence = measured(s, p, volume_z=volume_z)
    assert not evidence
    assert (d.side, d.gap, d.weight, d.score_weight) == (0, 0.0, 0.0, 0.0)
    assert math.isnan(d.reaction)
    assert math.isnan(d.score_z)


def test_each_kind_of_evidence_can_be_left_out() -> None:
    s = placed(1.0)
    tell(s, 0.5, 2.0)
    score(s, -0.01, 0.01)
    for news, scores, side in ((True, False, 1), (False, True, -1), (False, False, 0)):
        d, evidence = measured(s, make_params(divergence={"use_news": news, "use_score": scores}))
        assert (evidence, d.side) == (news or scores, side)
        assert (d.weight > 0.0, d.score_weight > 0.0) == (news, scores)


def test_a_reaction_nobody_knows_leaves_the_gap_unknown() -> None:
    s, p = placed(1.0), make_params(divergence={"use_score": True})
    tell(s, 0.5, 2.0, since_ns=START - 1)
    d, evidence = measured(s, p)
    assert evidence
    assert d.side == 1
    assert math.isnan(d.gap)
    assert math.isnan(d.reaction)
    score(s, 0.01, 0.01)  # a second voice does not make the first one's reaction known
    assert math.isnan(measured(s, p)[0].gap)


def test_the_price_beyond_the_story_turns_the_gap_against_it() -> None:
    s, p = placed(4.0), make_params(divergence={"kappa": 0.5})
    tell(s, 0.5, 1.5)
    d, _ = measured(s, p)
    assert d.side == 1
    assert d.gap == pytest.approx(0.5 * (1.5 - 2.0), rel=1e-9)


def test_a_score_fades_and_is_dead_at_its_horizon() -> None:
    s, p = placed(0.0), make_params(divergence={"use_score": True})
    score(s, 0.02, 0.01, START, 4 * HOUR_NS)
    weights = [measured(s, p, START + hours * HOUR_NS)[0].score_weight for hours in (0, 2, 4)]
    assert weights == pytest.approx([1.0, 0.5, 0.0])
    assert measured(s, p, START + 4 * HOUR_NS - 1)[1]
    assert not measured(s, p, START + 4 * HOUR_NS)[1]
    score(s, 9.0, 0.01)  # the newest replaces the one before, and is clipped
    assert measured(s, p, START + 1)[0].score_z == 4.0
    assert s.asset[0].due == 1


@given(st.floats(-4, 4), st.floats(-4, 4), st.floats(0.1, 2.0))
def test_trigger_stays_within_a_fifth_and_falls_with_participation(one: float, other: float, base: float) -> None:
    p = make_params(divergence={"trigger": base})
    first, second = (measured(make_state(), p, volume_z=z)[0].trigger / base for z in (one, other))
    assert 0.8 - 1e-12 <= first <= 1.2 + 1e-12
    assert (first - second) * (one - other) <= 1e-12
    adj = 1 - min(0.2, 0.2 * (one - 0.5)) if one > 0.5 else 1 + min(0.2, 0.2 * (-0.5 - one)) if one < -0.5 else 1.0
    assert first == pytest.approx(adj, rel=1e-12)


def test_an_unknown_participation_leaves_the_trigger_alone() -> None:
    assert measured(make_state(), make_params(), volume_z=math.nan)[0].trigger == 0.8


def history(seed: int, n: int = 36) -> list[Any]:
    """Bars, stories and timers over three hours."""
    rng, s, found = np.random.default_rng(seed), make_state(), []
    for k, row in enumerate(walk(rng, n)):
        at = START + (k + 1) * BAR_NS
        found.append(bar(s, 0, at, *row))
        if rng.random() < 0.4:
            found.append(signal(0, at + SECOND_NS, *rng.uniform(-1, 1, 1), *rng.uniform(0.5, 1, 3), cluster=k))
        found.append(timer(at + 2 * SECOND_NS))
    return found


def decided(events: list[Any], until_ns: int, scale: float = 1.0) -> np.ndarray:
    s, p = make_state(), make_params(price={"min_obs": 20})
    if scale != 1.0:
        events = [e.copy() for e in events]
        for e in events:
            if e.kind == events[0].kind:
                e.x0, e.x1, e.x2, e.x3 = scale * e.x0, scale * e.x1, scale * e.x2, scale * e.x3
    out = feed(s, events, p)
    assert out.head[0].status == 0
    rows = out.decisions[: out.head[0].decisions]
    return rows[rows["ts_ns"] <= until_ns]


@settings(max_examples=15)
@given(SEEDS, st.integers(1, 34))
def test_the_future_changes_no_past_decision(seed: int, cut: int) -> None:
    until = START + cut * BAR_NS + 2 * SECOND_NS
    past = [e for e in history(seed) if e.ts_known <= until]
    other = [e for e in history(seed + 1) if e.ts_known > until]
    assert decided(history(seed), until).tobytes() == decided(past + other, until).tobytes()


@settings(max_examples=15)
@given(SEEDS)
def test_the_unit_of_price_changes_no_gap(seed: int) -> None:
    one, ten = decided(history(seed), 2**62), decided(history(seed), 2**62, 10.0)
    for name in ("gap", "reaction", "sigma", "volume_z", "trigger", "strength"):
        np.testing.assert_allclose(ten[name], one[name], rtol=1e-8, atol=1e-9)
    np.testing.assert_array_equal(ten["side"], one["side"])


def test_without_a_story_everything_is_refused_and_a_story_older_than_the_prices_too() -> None:
    rows = walk(np.random.default_rng(1), 30)
    s, p = make_state(), make_params(price={"min_obs": 20})
    events = [e for k, r in enumerate(rows) for e in (bar(s, 0, START + k * BAR_NS, *r), timer(START + k * BAR_NS))]
    out = feed(s, events, p)
    assert out.refusals[GATE_NO_EVIDENCE] == 30
    out = feed(make_state(), [signal(0, START - HOUR_NS), *events], p)
    assert out.refusals[GATE_NO_EVIDENCE] == 0
    assert out.refusals[GATE_PRICE_COLD] == 30
    rows = out.decisions[: out.head[0].decisions]
    assert np.isnan(rows["gap"]).all()
    assert (rows["strength"] == 0.0).all()
