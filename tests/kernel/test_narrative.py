"""kernel.narrative against a reader that keeps every document and works everything out anew."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernel.world import START, make_params, make_state, signal

from confidence_engine.domain.units import HOUR_NS, MINUTE_NS
from confidence_engine.kernel import narrative
from confidence_engine.kernel.state import ITEMS

SEEDS = st.integers(0, 2**32 - 1)
HALF = 90 * MINUTE_NS
READ = ("live", "amount", "weight", "story", "z_story", "since_ns", "lead", "readings", "centre", "spread2")


def measured(s: Any, at_ns: int, p: Any, u: int = 0) -> dict[str, float]:
    """What underlying u reads at `at_ns`."""
    narrative.measure(s, u, at_ns, p.narrative)
    narrative.settle(s, u, p.narrative)
    return {name: float(s.told[u][name]) for name in READ}


def documents(seed: int, n: int = 18, publishers: int = 60) -> list[Any]:
    """Random documents over half a day; clusters repeat, some stories are too weak to count."""
    rng = np.random.default_rng(seed)
    at, found = START, []
    for _ in range(n):
        at += int(rng.integers(1, 50)) * MINUTE_NS
        certainty, novelty, relevance = rng.uniform(0.1, 1.0, 3)
        cluster, publisher = int(rng.integers(1, n)), int(rng.integers(0, publishers))
        found.append(signal(0, at, rng.uniform(-1, 1), certainty, novelty, relevance, cluster, publisher))
    return found


class SlowReader:
    """Keeps all documents; readings of stories are the only thing it remembers."""

    def __init__(self, p: Any, prior_spread: float) -> None:
        self.p, self.prior2 = p.narrative, prior_spread**2
        self.told: list[Any] = []
        self.readings: dict[int, tuple[int, float]] = {}
        self.learnt: list[float] = []
        self.folded: set[int] = set()

    def stories(self, at_ns: int) -> dict[int, tuple[int, float, float]]:
        """Live stories: cluster -> (first known, polarity, weight)."""
        found = {}
        for cluster in dict.fromkeys(e.x4 for e in self.told):
            first_of: dict[int, Any] = {}
            for e in self.told:
                if e.x4 == cluster:
                    first_of.setdefault(int(e.source), e)
            heard = list(first_of.values())
            q = 1 - (1 - self.p.publisher_weight) ** len(heard)
            w = np.mean([e.x1 for e in heard]) * heard[0].x2 * max(e.x3 for e in heard) * q
            w *= 0.5 ** ((at_ns - heard[0].ts_known) / self.p.half_life_ns)
            if w >= self.p.w_min:
                found[int(cluster)] = (int(heard[0].ts_known), float(np.mean([e.x0 for e in heard])), float(w))
        return found

    def hear(self, e: Any) -> None:
        self.told.append(e)
        live = self.stories(int(e.ts_known))
        if int(e.x4) in live and int(e.x4) not in self.readings:
            self.readings[int(e.x4)] = int(e.ts_known), self.reading(live)

    @staticmethod
    def reading(live: dict[int, tuple[int, float, float]]) -> float:
        return sum(w * pol for _, pol, w in live.values()) / sum(w for *_, w in live.values())

    def measure(self, at_ns: int) -> dict[str, float]:
        live = self.stories(at_ns)
        oldest = min((since for since, *_ in live.values()), default=math.inf)
        for cluster, (read_ns, reading) in self.readings.items():
            if cluster not in live and cluster not in self.folded and read_ns < oldest:
                self.folded.add(cluster)
                self.learnt.append(reading)
        n, k = len(self.learnt), self.p.readings_prior
        mean, var = (float(np.mean(self.learnt)), float(np.var(self.learnt))) if n else (0.0, 0.0)
        total = sum(w for *_, w in live.values())
        read = {"live": len(live), "amount": total, "weight": total / (total + self.p.amount_half), "readings": n}
        if n:
            read |= {"centre": mean, "spread2": var}
        if live:
            m_class, s2_class = n * mean / (n + k), (n * var + k * self.prior2) / (n + k)
            m, s2 = (n * mean + k * m_class) / (n + k), (n * var + k * s2_class) / (n + k)
            story = self.reading(live)
            read |= {"story": story, "z_story": float(np.clip((story - m) / math.sqrt(s2), -4, 4))}
            read["since_ns"] = sum(w * since for since, _, w in live.values()) / total
            read["lead"] = max(live, key=lambda c: abs(live[c][2] * live[c][1]))
        return read


@settings(max_examples=30)
@given(SEEDS)
def test_matches_a_reader_that_keeps_every_document(seed: int) -> None:
    s, p = make_state(), make_params()
    slow, rng = SlowReader(p, 0.5), np.random.default_rng(seed + 1)
    told = documents(seed)
    for k, event in enumerate(told):
        narrative.hear(s, event, p.narrative)
        slow.hear(event)
        until = int(told[k + 1].ts_known) if k + 1 < len(told) else int(event.ts_known) + 30 * HALF
        at = int(rng.integers(event.ts_known, until))
        got = measured(s, at, p)
        for name, expected in slow.measure(at).items():
            if name == "since_ns":  # in whole nanoseconds and from a float of some 1e18
                assert abs(got[name] - expected) < 1e4
            else:
                assert got[name] == pytest.approx(expected, rel=1e-9, abs=1e-9), name


def test_the_worked_example_of_two_stories() -> None:
    p = make_params(narrative={"publisher_weight": 1.0})
    s, now = make_state(prior_spread=0.693 / 1.4), START + 60 * MINUTE_NS
    narrative.hear(s, signal(0, START, 0.5, certainty=0.38 * 2 ** (60 / 90), cluster=1), p.narrative)
    narrative.hear(s, signal(0, now - 20 * MINUTE_NS, 0.8, certainty=0.69 * 2 ** (20 / 90), cluster=2), p.narrative)
    got = measured(s, now, p)
    assert got["amount"] == pytest.approx(1.07, abs=1e-9)
    assert got["weight"] == pytest.approx(0.52, abs=0.005)
    assert got["story"] == pytest.approx(0.69, abs=0.005)
    assert got["z_story"] == pytest.approx(1.4, abs=0.005)
    assert (now - got["since_ns"]) / MINUTE_NS == pytest.approx(34.2, abs=0.05)
    later = measured(s, now + HOUR_NS, p)
    assert later["amount"] == pytest.approx(0.43 + 0.24, abs=0.01)
    assert later["weight"] == pytest.approx(0.40, abs=0.005)
    assert later["story"] == pytest.approx(got["story"], rel=1e-12)  # both fade alike


@given(SEEDS)
def test_half_the_evidence_is_left_after_a_half_life(seed: int) -> None:
    rng, s, p = np.random.default_rng(seed), make_state(), make_params()
    for cluster in range(3):
        narrative.hear(s, signal(0, START, *rng.uniform(0.8, 1.0, 4), cluster=cluster), p.narrative)
    fresh = measured(s, START, p)
    half = measured(s, START + HALF, p)
    assert half["amount"] == pytest.approx(fresh["amount"] / 2, rel=1e-12)
    assert half["weight"] < fresh["weight"]
    assert half["since_ns"] == fresh["since_ns"] == START


@given(SEEDS, st.integers(0, 65_535))
def test_the_same_publisher_again_changes_nothing(seed: int, publisher: int) -> None:
    rng, p = np.random.default_rng(seed), make_params()
    first = signal(0, START, *rng.uniform(0.3, 1.0, 4), publisher=publisher)
    once, often = make_state(), make_state()
    narrative.hear(once, first, p.narrative)
    narrative.hear(often, first, p.narrative)
    for k in range(1, 6):
        narrative.hear(often, signal(0, START + k, *rng.uniform(-1, 1, 4), publisher=publisher), p.narrative)
    for later in (10, HALF, 20 * HALF):
        assert measured(once, START + later, p) == pytest.approx(measured(often, START + later, p), nan_ok=True, abs=0)
    assert often.told[0].newest_ns == START + 5  # heard all the same


@given(SEEDS)
def test_an_independent_publisher_never_weakens_a_story(seed: int) -> None:
    rng, s, p = np.random.default_rng(seed), make_state(), make_params()
    c, v, r = rng.uniform(0.5, 1.0, 3)
    before, q_before = 0.0, 0.0
    for publisher in rng.permutation(64)[:12]:  # ids beyond 16 bits once lost their place in the set
        narrative.hear(s, signal(0, START, 0.5, c, v, r, publisher=int(publisher)), p.narrative)
        now = measured(s, START, p)
        item = s.story[0, 0]
        q = now["amount"] / (c * v * r)
        assert now["amount"] >= before
        assert q >= q_before
        assert now["story"] == pytest.approx(0.5)
        before, q_before = now["amount"], q
    assert item.n_publishers == 12
    assert q == pytest.approx(1.0 - 0.2**12, rel=1e-12)


def test_what_independent_publishers_say_is_averaged() -> None:
    s, p = make_state(), make_params()
    for k, (polarity, certainty, relevance) in enumerate([(0.9, 0.6, 0.5), (0.3, 0.9, 0.4), (-0.6, 0.3, 0.8)]):
        narrative.hear(s, signal(0, START + k, polarity, certainty, 0.7, relevance, publisher=k), p.narrative)
    item = s.story[0, 0]
    assert (item.polarity, item.certainty) == pytest.approx((0.2, 0.6))
    assert (item.relevance, item.novelty, item.since_ns) == (0.8, 0.7, START)  # it was known from its first telling on


@settings(max_examples=30)
@given(SEEDS)
def test_polarities_flipped_flip_the_reading_and_nothing_else(seed: int) -> None:
    p, plain, flipped = make_params(), make_state(), make_state()
    for event in documents(seed):
        narrative.hear(plain, event, p.narrative)
        event.x0 = -event.x0
        narrative.hear(flipped, event, p.narrative)
        one, two = (measured(s, int(event.ts_known) + MINUTE_NS, p) for s in (plain, flipped))
        for name in READ:
            sign = -1.0 if name in ("story", "z_story", "centre") else 1.0
            assert two[name] == pytest.approx(sign * one[name], rel=1e-12, abs=1e-12, nan_ok=True)


@given(SEEDS)
def test_no_story_alive_is_no_reading(seed: int) -> None:
    s, p = make_state(), make_params()
    empty = measured(s, START, p)
    for event in documents(seed):
        narrative.hear(s, event, p.narrative)
    over = measured(s, START + 100 * HALF, p)
    for read in (empty, over):
        assert math.isnan(read["story"])
        assert math.isnan(read["z_story"])
        assert (read["live"], read["amount"], read["weight"], read["since_ns"], read["lead"]) == (0, 0, 0, 0, -1)


def test_a_neutral_story_is_a_reading() -> None:
    s, p = make_state(), make_params()
    narrative.hear(s, signal(0, START, 0.0, cluster=7), p.narrative)
    got = measured(s, START, p)
    assert (got["live"], got["story"], got["z_story"], got["lead"]) == (1, 0.0, 0.0, 7)


@settings(max_examples=30)
@given(SEEDS)
def test_one_reading_a_story(seed: int) -> None:
    s, p, slow = make_state(), make_params(), SlowReader(make_params(), 0.5)
    for event in documents(seed):
        narrative.hear(s, event, p.narrative)
        slow.hear(event)
    assert measured(s, START + 200 * HALF, p)["readings"] == len(slow.readings)
    assert s.klass[0].readings == len(slow.readings)


def test_a_story_that_only_a_second_publisher_brings_to_life_is_a_reading_too() -> None:
    s, p = make_state(), make_params()
    narrative.hear(s, signal(0, START, 0.4, certainty=0.06, publisher=1), p.narrative)
    assert measured(s, START, p)["live"] == 0
    narrative.hear(s, signal(0, START + 1, 0.4, certainty=0.06, publisher=2), p.narrative)
    assert measured(s, START + 2, p)["live"] == 1
    over = measured(s, START + 10 * HALF, p)
    assert (over["readings"], over["centre"]) == (1, pytest.approx(0.4))


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.1, 0.6))
def test_a_story_is_not_in_its_own_yardstick(one: float, other: float, weak: float) -> None:
    """A weaker story comes and goes while the first lives; its reading holds the first and must wait for it."""
    yardsticks = []
    for polarity in (one, other):
        s, p = make_state(), make_params()
        narrative.hear(s, signal(0, START, -0.3, certainty=0.1, cluster=1), p.narrative)
        narrative.hear(s, signal(0, START + 3 * HALF, polarity, cluster=2), p.narrative)
        narrative.hear(s, signal(0, START + 3 * HALF + 1, 0.2, certainty=weak, cluster=3), p.narrative)
        at = START + 3 * HALF
        while measured(s, at, p)["live"] and s.story[0, 1].asleep == 0:
            yardsticks.append((polarity, at, s.told[0].centre, s.told[0].spread2, s.klass[0].centre))
            at += HALF // 2
        assert measured(s, at + 20 * HALF, p)["readings"] == 3
    half = len(yardsticks) // 2
    assert [y[1:] for y in yardsticks[:half]] == [y[1:] for y in yardsticks[half:]]


def test_a_story_that_slept_is_woken_by_another_publisher_and_read_once() -> None:
    s, p = make_state(), make_params()
    narrative.hear(s, signal(0, START, 0.5, certainty=0.1, publisher=1), p.narrative)
    at = START + HALF  # w = .1 x .8 / 2 = .04 sleeps
    assert (measured(s, at, p)["live"], s.told[0].readings) == (0, 1)
    narrative.hear(s, signal(0, at, 0.5, certainty=0.2, publisher=1), p.narrative)
    assert measured(s, at + 1, p)["live"] == 0
    narrative.hear(s, signal(0, at + 2, 0.5, certainty=0.3, publisher=2), p.narrative)  # mean .2 x .96 / 2 = .096
    assert measured(s, at + 3, p)["live"] == 1
    assert measured(s, at + 20 * HALF, p)["readings"] == 1


def test_after_its_memory_it_is_another_story() -> None:
    s, p = make_state(), make_params(narrative={"memory_ns": 14 * HALF})
    narrative.hear(s, signal(0, START, 0.5), p.narrative)
    measured(s, START + 14 * HALF, p)
    narrative.hear(s, signal(0, START + 14 * HALF, -1.0), p.narrative)
    assert s.story[0, 0].n_documents == 2
    measured(s, START + 14 * HALF + 2, p)
    measured(s, START + 15 * HALF, p)
    narrative.hear(s, signal(0, START + 15 * HALF, -1.0), p.narrative)
    assert measured(s, START + 15 * HALF, p)["story"] == -1.0
    assert s.told[0].readings == 1


def test_a_story_told_again_two_days_later_is_no_new_one() -> None:
    s, p = make_state(), make_params()
    narrative.hear(s, signal(0, START, 0.5, cluster=1), p.narrative)
    measured(s, START + 20 * HALF, p)
    narrative.hear(s, signal(0, START + 32 * HALF, 0.5, cluster=1), p.narrative)
    narrative.hear(s, signal(0, START + 32 * HALF, 0.5, cluster=1, publisher=9), p.narrative)
    assert measured(s, START + 33 * HALF, p)["live"] == 0
    assert (s.told[0].readings, s.told[0].awake, s.story[0, 0].n_publishers) == (1, 0, 2)
    assert int((s.story[0]["n_documents"] > 0).sum()) == 1


def test_a_forgotten_story_leaves_a_free_place_and_the_others_alone() -> None:
    s, p = make_state(), make_params(narrative={"memory_ns": 14 * HALF})
    narrative.hear(s, signal(0, START, -1.0, cluster=1), p.narrative)
    narrative.hear(s, signal(0, START + 13 * HALF, 1.0, cluster=2), p.narrative)
    measured(s, START + 14 * HALF + 1, p)
    assert measured(s, START + 15 * HALF, p)["story"] == 1.0
    narrative.hear(s, signal(0, START + 15 * HALF, 0.0, cluster=3), p.narrative)
    assert s.story[0, 0].cluster == 3
    got = measured(s, START + 15 * HALF, p)
    assert (got["live"], got["amount"]) == (2, pytest.approx(0.8 + 0.8 / 4))


def test_when_memory_is_full_the_weakest_gives_way_and_is_counted() -> None:
    rng, s, p = np.random.default_rng(4), make_state(), make_params()
    certainty, polarity = rng.uniform(0.3, 1.0, ITEMS + 1), rng.uniform(-1, 1, ITEMS + 1)
    for k in range(ITEMS + 1):
        narrative.hear(s, signal(0, START + k, polarity[k], certainty[k], cluster=100 + k), p.narrative)
    kept = np.delete(np.arange(ITEMS + 1), np.argmin(certainty[:ITEMS]))
    got = measured(s, START + ITEMS, p)
    w = 0.8 * certainty[kept] * 0.5 ** ((ITEMS - kept) / HALF)
    assert (got["live"], s.head[0].clusters_full) == (ITEMS, 1)
    assert got["amount"] == pytest.approx(w.sum(), rel=1e-12)
    assert got["story"] == pytest.approx((w * polarity[kept]).sum() / w.sum(), rel=1e-12)
    assert got["lead"] == 100 + kept[np.argmax(np.abs(w * polarity[kept]))]
    assert measured(s, START + 20 * HALF, p)["readings"] == ITEMS + 1


def test_underlyings_share_a_class_yardstick_and_nothing_else() -> None:
    s, p = make_state(2), make_params()
    narrative.hear(s, signal(0, START, 1.0), p.narrative)
    assert measured(s, START, p, u=1)["live"] == 0
    assert measured(s, START + 10 * HALF, p)["readings"] == 1
    assert (s.told[1].readings, s.klass[0].readings, s.klass[0].centre) == (0, 1, 1.0)
    narrative.hear(s, signal(1, START + 11 * HALF, 1.0, cluster=2), p.narrative)
    m, s2 = 1 / 21, (1 * 0.0 + 20 * 0.25) / 21
    assert measured(s, START + 11 * HALF, p, u=1)["z_story"] == pytest.approx((1.0 - m) / math.sqrt(s2), rel=1e-12)


@given(SEEDS, st.integers(1, 60))
def test_old_readings_fade_by_half_after_their_half_life(seed: int, n: int) -> None:
    x = np.random.default_rng(seed).normal(size=n)
    p = make_params(narrative={"readings_half_life": 5.0}).narrative
    centre = spread2 = 0.0
    for k in range(n):
        centre, spread2 = narrative._learn(centre, spread2, k, x[k], p)
    step = np.maximum(1.0 / np.arange(1, n + 1), math.log(2) / 5.0)
    w = step * np.append(np.cumprod((1.0 - step)[::-1])[::-1][1:], 1.0)
    assert centre == pytest.approx(w @ x, rel=1e-9, abs=1e-12)
    assert spread2 == pytest.approx(w @ (x - w @ x) ** 2, rel=1e-9, abs=1e-12)


@settings(max_examples=30)
@given(SEEDS, st.integers(0, 17))
def test_the_future_changes_nothing(seed: int, cut: int) -> None:
    p, plain, other = make_params(), make_state(), make_state()
    told = documents(seed)
    for event in told[:cut]:
        for s in (plain, other):
            narrative.hear(s, event, p.narrative)
            measured(s, int(event.ts_known) + MINUTE_NS, p)
    now = int(told[cut].ts_known) - 1
    before = measured(plain, now, p)
    for event in told[cut:]:
        narrative.hear(plain, event, p.narrative)
    assert measured(other, now, p) == pytest.approx(before, nan_ok=True, abs=0)
    assert measured(other, now, p) == pytest.approx(before, nan_ok=True, abs=0)  # looking twice changes nothing
