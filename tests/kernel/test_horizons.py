"""kernel.horizons: D_h by its formula from every story, the alignment bits, and the move before the story."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernel import exchange
from tests.kernel.world import BAR_NS, START, bar, decision, feed, make_params, make_state, signal, timer, walk

from confidence_engine.domain.finding import finding_names
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS
from confidence_engine.kernel import divergence, horizons, narrative, price, session

SEEDS = st.integers(0, 2**32 - 1)
HORIZONS = (("gap_short", HOUR_NS), ("gap_mid", 3 * HOUR_NS), ("gap_long", 6 * HOUR_NS))


def world(seed: int, p: Any, stories: int = 6) -> tuple[Any, list[Any]]:
    """A day of bars with stories in its last seven hours."""
    rng, s = np.random.default_rng(seed), make_state()
    told = []
    events: list[Any] = []
    rows = walk(rng, 288)
    when = set(rng.integers(288 - 84, 288, stories).tolist())
    for k, row in enumerate(rows):
        close = START + (k + 1) * BAR_NS
        events.append(bar(s, 0, close, *row))
        if k in when:
            told.append(
                signal(0, close, float(rng.uniform(-1, 1)), *rng.uniform(0.5, 1.0, 3), cluster=k, publisher=k % 3)
            )
            events.append(told[-1])
    feed(s, events, p)
    return s, told


def measured(s: Any, at_ns: int, p: Any, side: int = 1) -> Any:
    narrative.measure(s, 0, at_ns, p.narrative)
    nan = math.nan
    d = decision(side=side, gap_short=nan, gap_mid=nan, gap_long=nan, anticipation=nan)
    horizons.measure(s, 0, at_ns, d, p.horizons, p.narrative, p.divergence)
    return d


def slow_gap(s: Any, told: list[Any], at_ns: int, h: int, p: Any) -> float:
    """D_h from every document, each its own story."""
    live = []
    for e in told:
        w = e.x1 * e.x2 * e.x3 * p.narrative.publisher_weight * 0.5 ** ((at_ns - int(e.ts_known)) / (h / 2))
        if at_ns - int(e.ts_known) <= h and w >= p.narrative.w_min:
            live.append((w, float(e.x0), int(e.ts_known)))
    if not live:
        return math.nan
    total = sum(w for w, *_ in live)
    story = sum(w * x for w, x, _ in live) / total
    age = sum(w * (at_ns - t) for w, _, t in live) / total
    clip = float(p.narrative.z_clip)
    z = min(max(story / 0.5, -clip), clip)  # nothing is learnt yet: the class prior, centred
    moved = price.since(s, 0, at_ns - int(age), p.divergence.reaction_clip)
    return total / (total + p.narrative.amount_half) * (z - p.divergence.kappa * moved)


@settings(max_examples=20)
@given(SEEDS, st.integers(0, 400), st.booleans())
def test_the_gap_of_a_horizon_is_the_formula(seed: int, later: int, tight: bool) -> None:
    p = make_params()
    if tight:  # clips that bind, and no parameter where it stands by default
        news = {"z_clip": 0.7, "amount_half": 0.3, "w_min": 0.1}
        p = make_params(narrative=news, divergence={"kappa": 0.4, "reaction_clip": 0.5})
    s, told = world(seed, p)
    at = START + 288 * BAR_NS + later * MINUTE_NS
    d = measured(s, at, p)
    for name, h in HORIZONS:
        assert float(d[name]) == pytest.approx(slow_gap(s, told, at, h, p), rel=1e-9, abs=1e-9, nan_ok=True), name


@settings(max_examples=15)
@given(SEEDS, st.sampled_from([-1, 1]))
def test_the_bits_say_which_horizons_have_the_sides_sign(seed: int, side: int) -> None:
    p = make_params()
    s, _ = world(seed, p)
    d = measured(s, START + 288 * BAR_NS, p, side)
    gaps = {
        name: float(d[f"gap_{name.split('_')[1].lower()}"]) for name in ("ALIGNED_SHORT", "ALIGNED_MID", "ALIGNED_LONG")
    }
    wanted = [name for name, gap in gaps.items() if gap * side > 0]
    wanted += ["OPPOSED"] * any(gap * side < 0 for gap in gaps.values())
    assert finding_names(int(d.findings)) == wanted


def test_a_young_story_speaks_in_every_horizon_and_an_old_one_only_in_the_long() -> None:
    p = make_params()
    for age, known in ((30, 3), (120, 2), (300, 1), (361, 0)):
        s = make_state()
        feed(s, [bar(s, 0, START, 100, 100, 100, 100, 1)], p)
        narrative.hear(s, signal(0, START, 1.0), p.narrative)
        d = measured(s, START + age * MINUTE_NS, p)
        assert sum(math.isfinite(d[name]) for name, _ in HORIZONS) == known, age


def test_a_horizon_counts_the_time_of_sessions() -> None:
    """Told on Friday evening: young on Monday morning, gone when its hours have traded."""
    bar_ns = 30 * MINUTE_NS
    rows, p = exchange.new_york(7, bar_ns), make_params(narrative={"half_life_ns": DAY_NS})
    friday, found = int(rows["close_ns"][4]) + 3 * HOUR_NS, []
    s = exchange.share(rows[:5], bar_ns)
    for k in range(13):
        feed(s, [bar(s, 0, int(rows["open_ns"][4]) + (k + 1) * bar_ns, 100, 100, 100, 100, 1)], p)
    narrative.hear(s, signal(0, friday), p.narrative)
    for k, minutes in ((5, 30), (5, 120), (5, 300), (6, 30)):
        if minutes == 30:
            session.begin(s, exchange.events(rows[k : k + 1])[0])
        d = measured(s, int(rows["open_ns"][k]) + minutes * MINUTE_NS, p)
        found.append(sum(math.isfinite(d[name]) for name, _ in HORIZONS))
    assert found == [3, 2, 1, 0]


def test_a_gap_that_is_nought_or_a_case_without_a_side_is_neither_aligned_nor_opposed() -> None:
    p = make_params()
    s, _ = world(5, p)
    assert finding_names(int(measured(s, START + 288 * BAR_NS, p, side=0).findings)) == []
    flat = make_state()
    feed(flat, [bar(flat, 0, START, 100, 100, 100, 100, 1), signal(0, START, 0.0)], p)
    d = measured(flat, START + MINUTE_NS, p)
    assert d.gap_short == d.gap_long == 0.0
    assert d.findings == 0


def test_anticipation_reaches_back_one_bar_at_least() -> None:
    p, s = make_params(), make_state(bar_ns=DAY_NS)
    feed(s, [bar(s, 0, START + (k + 1) * DAY_NS, *row) for k, row in enumerate(walk(np.random.default_rng(1), 9))], p)
    told = START + 9 * DAY_NS
    narrative.hear(s, signal(0, told), p.narrative)
    first, last = s.ring[0, 7], s.ring[0, 8]
    assert measured(s, told + HOUR_NS, p).anticipation == pytest.approx(
        math.log(last.price / first.price) / first.sigma, rel=1e-12
    )
    tight = make_params(divergence={"reaction_clip": 0.01})
    assert abs(measured(s, told + HOUR_NS, tight).anticipation) == pytest.approx(0.01)


def test_with_horizons_like_the_narratives_own_half_life_the_gap_is_the_gap() -> None:
    """Half-life h / 2 = 90 min and every live story within 180 min: D_mid is D."""
    p = make_params()
    s, _ = world(5, p, stories=0)
    now = START + 288 * BAR_NS
    for k, polarity in enumerate((0.9, 0.4, -0.2)):
        narrative.hear(s, signal(0, now + k, polarity, cluster=k, publisher=k), p.narrative)
    at = now + 40 * MINUTE_NS
    d = measured(s, at, p)
    divergence.measure(s, 0, at, d, p.divergence)
    assert d.gap_mid == pytest.approx(d.gap, rel=1e-12)


def test_anticipation_is_the_move_before_the_story_in_what_was_expected_then() -> None:
    p = make_params()
    s, _ = world(9, p, stories=0)
    now = START + 288 * BAR_NS
    narrative.hear(s, signal(0, now, 1.0), p.narrative)
    d = measured(s, now + 10 * MINUTE_NS, p)
    ring = s.ring[0]
    first, last = ring[288 - 1 - 72], ring[287]
    assert last.close_ns - first.close_ns == 6 * HOUR_NS
    assert d.anticipation == pytest.approx(
        math.log(last.price / first.price) / (first.sigma * math.sqrt(72)), rel=1e-12
    )
    far = make_params(horizons={"anticipation_ns": 48 * HOUR_NS})
    assert math.isnan(measured(s, now + 20 * MINUTE_NS, far).anticipation)  # the history does not reach that far


def test_what_comes_after_the_story_is_no_anticipation() -> None:
    p, found = make_params(), []
    for later in (0.5, 1.0, 2.0):
        s, _ = world(9, p, stories=0)
        now = START + 288 * BAR_NS
        narrative.hear(s, signal(0, now, 1.0), p.narrative)
        last = float(s.asset[0].price) * later
        feed(s, [bar(s, 0, now + BAR_NS, last, last, last, last, 1)], p)
        found.append(float(measured(s, now + BAR_NS, p).anticipation))
    assert found[0] == found[1] == found[2]


def test_an_agent_that_does_not_listen_to_news_has_no_horizons() -> None:
    p = make_params(divergence={"use_news": False})
    s, _ = world(3, p)
    d = measured(s, START + 288 * BAR_NS, p)
    assert math.isnan(d.gap_long)
    assert math.isnan(d.anticipation)
    assert d.findings == 0


def test_a_longer_list_of_events_changes_nothing_before_it() -> None:
    p = make_params(price={"min_obs": 20})
    rng = np.random.default_rng(8)
    rows = walk(rng, 120)
    kept = []
    for n in (80, 120):
        s, events = make_state(), []
        for k, row in enumerate(rows[:n]):
            close = START + (k + 1) * BAR_NS
            events.append(bar(s, 0, close, *row))
            if k % 9 == 0:
                events.append(signal(0, close, (-1.0) ** k * 0.7, cluster=k, publisher=k % 2))
            events.append(timer(close + 1))
        out = feed(s, events, p)
        d = out.decisions[: out.head[0].decisions]
        kept.append(d[d["ts_ns"] <= START + 80 * BAR_NS + 1].tobytes())
    assert kept[0] == kept[1]
    assert len(kept[0]) > 0
