"""kernel.crowd against plain counting: publishers, chatter by the hour of the week, and when each finding fires."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernel.exchange import events, new_york, share
from tests.kernel.world import BAR_NS, START, bar, decision, feed, make_params, make_state, signal, timer, walk

from confidence_engine.domain.finding import BROAD, FINDING_NAMES, HYPE, IGNORED, NARROW, SPENT, finding_names
from confidence_engine.domain.units import HOUR_NS, MINUTE_NS, WEEK_NS
from confidence_engine.kernel import crowd, narrative, session

SEEDS = st.integers(0, 2**32 - 1)
HALF = 3 * HOUR_NS


def stories(seed: int, n: int = 12) -> list[Any]:
    """Random stories within an hour; some are retold by others."""
    rng = np.random.default_rng(seed)
    at = START + np.sort(rng.integers(0, 60, n)) * MINUTE_NS
    return [
        signal(0, int(t), float(rng.uniform(-1, 1)), *rng.uniform(0.6, 1.0, 3), cluster=int(rng.integers(1, 7)),
               publisher=int(rng.integers(0, 5)))
        for t in at
    ]  # fmt: skip


def told(events: list[Any], p: Any, at_ns: int) -> Any:
    s = make_state()
    for event in events:
        narrative.hear(s, event, p.narrative)
    narrative.measure(s, 0, at_ns, p.narrative)
    return s


# Publishers.


@settings(max_examples=40)
@given(SEEDS)
def test_the_effective_number_is_the_inverse_herfindahl_of_the_live_weight(seed: int) -> None:
    p, now = make_params(), START + 2 * HOUR_NS
    s = told(stories(seed), p, now)
    shares: dict[int, float] = {}
    pull = push = 0.0
    documents, everyone = 0, set()
    for item in s.story[0]:
        if not item.n_documents:
            continue
        who = [b for b in range(64) if int(item.publishers) >> b & 1]
        everyone |= set(who)
        w = float(narrative._weight(s, 0, item, now, p.narrative))
        if w < p.narrative.w_min:
            continue
        documents += int(item.n_documents)
        pull, push = pull + w * item.polarity, push + w * abs(item.polarity)
        for b in who:
            shares[b] = shares.get(b, 0.0) + w / len(who)
    n_eff, sided, counted = crowd.publishers(s, 0)
    total = sum(shares.values())
    assert n_eff == pytest.approx(1.0 / sum((x / total) ** 2 for x in shares.values()), rel=1e-9)
    assert 1.0 - 1e-12 <= n_eff <= len(shares) + 1e-9
    assert sided == pytest.approx(abs(pull) / push, rel=1e-9)
    assert (counted, bool(crowd.several(s, 0, 0))) == (documents, len(everyone) > 1)


@given(st.integers(1, 12))
def test_equal_publishers_count_fully_and_one_counts_once(n: int) -> None:
    p = make_params()
    each = [signal(0, START, 0.5, cluster=k, publisher=k) for k in range(n)]
    same = [signal(0, START, 0.5, cluster=k, publisher=7) for k in range(n)]
    retold = [signal(0, START, 0.5, cluster=1, publisher=k) for k in range(n)]
    assert crowd.publishers(told(each, p, START), 0)[0] == pytest.approx(n)
    assert crowd.publishers(told(same, p, START), 0)[0] == pytest.approx(1)
    assert crowd.publishers(told(retold, p, START), 0)[0] == pytest.approx(n)


def test_a_story_that_has_fallen_asleep_is_nobody_s_share() -> None:
    p, later = make_params(), START + 12 * HOUR_NS
    s = told([signal(0, START, 0.5, cluster=1, publisher=1)], p, START)
    for cluster, publisher in ((2, 1), (3, 2)):
        narrative.hear(s, signal(0, later, 0.5, cluster=cluster, publisher=publisher), p.narrative)
    narrative.measure(s, 0, later, p.narrative)
    assert s.story["asleep"][0, :3].tolist() == [1, 0, 0]
    assert crowd.publishers(s, 0)[0] == pytest.approx(2.0)


def judged(s: Any, p: Any, at_ns: int, reaction: float = 0.8) -> tuple[list[str], float]:
    """Findings and factor at `at_ns` where the price has moved by `reaction` sigma."""
    narrative.measure(s, 0, at_ns, p.narrative)
    d = decision(weight=s.told[0].weight, reaction=reaction, crowd=1.0)
    crowd.measure(s, 0, at_ns, d, p.crowd, p.price, p.narrative.memory_ns)
    return finding_names(int(d.findings)), float(d.crowd)


def test_several_publishers_are_broad_and_one_among_others_is_narrow() -> None:
    p = make_params()
    broad = told([signal(0, START, 0.3, cluster=k, publisher=k) for k in range(3)], p, START)
    assert judged(broad, p, START) == (["BROAD"], pytest.approx(1.1))
    alone = [signal(0, START, 0.3, cluster=k, publisher=1) for k in range(3)]
    assert judged(told(alone, p, START), p, START) == ([], 1.0)  # nobody else reports here: that says nothing
    other = signal(0, START - 12 * HOUR_NS, 0.3, cluster=9, publisher=2)
    s = told([other, *alone], p, START)
    assert judged(s, p, START) == (["NARROW"], pytest.approx(0.8))
    assert judged(told([other, alone[0]], p, START), p, START) == ([], 1.0)  # a first story cannot be broad yet
    forgotten = signal(0, START - p.narrative.memory_ns - 1, 0.3, cluster=9, publisher=2)
    assert judged(told([forgotten, *alone], p, START), p, START) == ([], 1.0)  # its place is still there, unused


# Chatter.


def hourly(s: Any, p: Any, counts: Any) -> None:
    """An hour after another with so many documents at its half."""
    for k, count in enumerate(counts):
        crowd.settle(s, START + k * HOUR_NS, p.crowd)
        for _ in range(int(count)):
            crowd.hear(s, signal(0, START + k * HOUR_NS + 30 * MINUTE_NS), p.crowd)


@settings(max_examples=10)
@given(SEEDS)
def test_the_usual_rate_is_the_mean_by_hour_of_the_week_shrunk_to_the_day(seed: int) -> None:
    rng, s, p = np.random.default_rng(seed), make_state(), make_params()
    counts = rng.poisson(0.7, 5 * 168 + 1)
    hourly(s, p, counts)
    first = START // HOUR_NS
    past = np.arange(len(counts) - 1)
    k = p.crowd.prior_obs
    for hour in rng.integers(0, 168, 12).tolist():
        day, week = (past + first) % 24 == hour % 24, (past + first) % 168 == hour
        mine = counts[:-1]
        centre = (day.sum() * mine[day].mean() + k * mine.mean()) / (day.sum() + k)
        centre = (week.sum() * mine[week].mean() + k * centre) / (week.sum() + k)
        assert crowd._usual(s.talk, 0, hour, p.crowd) == pytest.approx(centre, rel=1e-9)


def test_what_is_usual_is_forgotten_at_its_own_pace() -> None:
    """An exact mean at first, then an exponential one of `memory_weeks`: of hours, of days, of weeks."""
    s, p = make_state(), make_params(crowd={"memory_weeks": 2.0})
    counts = np.random.default_rng(6).poisson(1.5, 6 * 168 + 1)
    hourly(s, p, counts)
    for slot, mine, obs in ((0, counts[:-1], 336.0), (1 + 5, counts[5:-1:24], 14.0), (25 + 40, counts[40:-1:168], 2.0)):
        centre = 0.0
        for n, x in enumerate(mine):
            centre += (x - centre) * max(1.0 / (n + 1), 1.0 / obs)
        got = s.talk[0, (START // HOUR_NS + slot - 25) % 168 + 25 if slot >= 25 else slot]
        assert (got.centre, got.count) == (pytest.approx(centre, rel=1e-12), len(mine))


@settings(max_examples=10)
@given(SEEDS)
def test_chatter_is_what_was_heard_against_the_rates_of_these_hours(seed: int) -> None:
    """A slow sum over all documents and all hours; the rates are frozen, so both sides know the same."""
    rng, s, p = np.random.default_rng(seed), make_state(), make_params()
    rates = rng.uniform(0.1, 2.0, 168)
    s.talk["count"], s.talk["centre"] = 10**9, 0.0
    for hour in range(168):
        s.talk["centre"][0, 25 + hour] = rates[hour]
    counts = rng.poisson(0.7, 100)
    hourly(s, p, counts)
    now = START + 99 * HOUR_NS + 45 * MINUTE_NS
    heard = sum(n * 2.0 ** (-((99 - k) * HOUR_NS + 15 * MINUTE_NS) / HALF) for k, n in enumerate(counts))
    minutes = START + np.arange(99 * 60 + 45) * MINUTE_NS
    fade = 2.0 ** (-(now - minutes - MINUTE_NS // 2) / HALF)
    expected = float((rates[(minutes // HOUR_NS) % 168] * fade).sum() / 60)
    slot0 = s.talk["count"][0, 0]
    assert slot0 >= 168
    got = crowd.chatter(s, 0, now, p.crowd)
    assert got == pytest.approx((heard - expected) / math.sqrt(0.5 * (expected + 1.0)), rel=1e-5, abs=1e-5)


def test_chatter_is_unknown_in_the_first_week_and_normal_in_a_steady_stream() -> None:
    rng, p = np.random.default_rng(4), make_params()
    s = make_state()
    hourly(s, p, rng.poisson(2.0, 100))
    assert math.isnan(crowd.chatter(s, 0, START + 100 * HOUR_NS, p.crowd))
    counts = rng.poisson(2.0, 2_000)
    s, seen = make_state(), []
    for k, count in enumerate(counts):
        at = START + k * HOUR_NS
        crowd.settle(s, at, p.crowd)
        seen.append(crowd.chatter(s, 0, at, p.crowd))
        for minute in np.sort(rng.integers(0, 60, int(count))):
            crowd.hear(s, signal(0, at + int(minute) * MINUTE_NS), p.crowd)
    assert abs(float(np.nanmean(seen[500:]))) < 0.15
    assert 0.8 < float(np.nanstd(seen[500:])) < 1.2


@settings(max_examples=20)
@given(SEEDS, st.integers(1, 168))
def test_silence_is_learnt_however_seldom_the_clock_is_looked_at(seed: int, every: int) -> None:
    """Timers by the hour or once a day or week: the same documents teach the same rates."""
    rng, p = np.random.default_rng(seed), make_params().crowd
    counts = rng.poisson(0.05, 400)
    often, seldom = make_state(), make_state()
    for k, count in enumerate(counts):
        at = START + k * HOUR_NS
        crowd.settle(often, at, p)
        if k % every == 0:
            crowd.settle(seldom, at, p)
        for s in (often, seldom):
            for _ in range(int(count)):
                crowd.hear(s, signal(0, at + 30 * MINUTE_NS), p)
    for s in (often, seldom):
        crowd.settle(s, START + len(counts) * HOUR_NS, p)
    assert often.talk.tobytes() == seldom.talk.tobytes()
    assert often.crowd.tobytes() == seldom.crowd.tobytes()
    assert often.talk[0, 0].count == len(counts)


@pytest.mark.parametrize(("gap", "taught"), [(168, 168), (169, 1), (1000, 1)])
def test_more_than_a_week_without_a_clock_is_no_silence(gap: int, taught: int) -> None:
    s, p = make_state(), make_params().crowd
    for hour in (0, gap):
        crowd.settle(s, START + hour * HOUR_NS, p)
    assert s.talk[0, 0].count == taught
    assert s.crowd[0].hour == START // HOUR_NS + gap


# Moves by the hour of the week.


def moving(p: Any, weeks: int = 3, wild: int = 14) -> Any:
    """Hourly bars that move three times as far in one hour of the day."""
    s = make_state(bar_ns=HOUR_NS)
    rng, price = np.random.default_rng(1), 100.0
    for k in range(weeks * 168):
        close = START + (k + 1) * HOUR_NS
        hour = (close - 1) // HOUR_NS % 24
        price *= math.exp(rng.choice([-1, 1]) * 0.002 * (3.0 if hour == wild else 1.0))
        feed(s, [bar(s, 0, close, price, price, price, price, 1.0)], p)
    return s


def test_an_hour_that_always_moves_far_is_known_for_it() -> None:
    p = make_params(crowd={"prior_obs": 0.1})
    s = moving(p)
    day = START + 3 * WEEK_NS
    wild = crowd.stirred(s, 0, day + 14 * HOUR_NS, day + 15 * HOUR_NS, p.crowd)
    calm = crowd.stirred(s, 0, day + 3 * HOUR_NS, day + 4 * HOUR_NS, p.crowd)
    assert wild / calm == pytest.approx(3.0, rel=0.15)
    assert calm < 1.0 < wild
    both = crowd.stirred(s, 0, day + 13 * HOUR_NS, day + 15 * HOUR_NS, p.crowd)
    assert both == pytest.approx(math.sqrt((wild**2 + calm**2) / 2), rel=0.1)
    assert crowd.stirred(make_state(), 0, START, START + HOUR_NS, p.crowd) == 1.0
    whole, longer = (crowd.stirred(s, 0, day - n * HOUR_NS, day + 24 * HOUR_NS, p.crowd) for n in (0, 100))
    assert whole == longer == pytest.approx(math.sqrt((wild**2 + 23 * calm**2) / 24), rel=0.1)  # a day at most


def test_an_hour_is_the_mean_of_its_bars_in_the_volatility_expected_for_the_time_they_took() -> None:
    p, s = make_params(), make_state()
    rows = walk(np.random.default_rng(3), 12 * 30)
    kept = [k for k in range(len(rows)) if k not in (200, 201, 203, 340, 341)]
    wanted: dict[int, list[float]] = {}
    for n, k in enumerate(kept):
        feed(s, [bar(s, 0, START + (k + 1) * BAR_NS, *rows[k])], p)
        if n:
            before, after = s.ring[0, n - 1], s.ring[0, n]
            passed = (int(after.close_ns) - int(before.close_ns)) // BAR_NS
            move = abs(after.price / before.price - 1.0) / (before.sigma * math.sqrt(passed))
            wanted.setdefault((int(after.close_ns) - 1) // HOUR_NS, []).append(move)
    last = max(wanted)
    assert s.asset[0].stir_n == len(wanted[last]) == 12
    assert s.asset[0].stir_sum == pytest.approx(sum(wanted.pop(last)))
    assert s.stir[0, 0].centre == pytest.approx(np.mean([np.mean(moves) for moves in wanted.values()]))
    assert s.stir[0, 0].count == len(wanted)


def test_the_hours_of_a_session_are_those_of_its_exchange() -> None:
    """In New York the first full hour is the wild one, winter and summer: an hour apart in UTC."""
    bar_ns, days, summer = 30 * MINUTE_NS, 29, 25
    rows = new_york(days, bar_ns, dst_from=35)
    s, p, price = share(bar_ns=bar_ns), make_params(crowd={"prior_obs": 0.1}), 100.0
    rng = np.random.default_rng(2)
    for event, row in zip(events(rows), rows, strict=True):
        feed(s, [event], p)
        for k in range(1, 14):
            price *= math.exp(rng.choice([-1, 1]) * 0.002 * (3.0 if k in (2, 3) else 1.0))
            feed(s, [bar(s, 0, int(row["open_ns"]) + k * bar_ns, *[price] * 4, 1.0)], p)
    seen = np.flatnonzero(s.stir["count"][0])
    assert (seen[(seen > 0) & (seen < 25)] - 1).tolist() == [9, 10, 11, 12, 13, 14, 15]
    assert len(seen[seen >= 25]) == 7 * 5
    for k in (summer - 1, summer, days - 1):
        ten = int(rows["open_ns"][k]) + 30 * MINUTE_NS
        assert rows["offset_ns"][k] == (-4 if k >= summer else -5) * HOUR_NS
        wild, calm = (crowd.stirred(s, 0, ten + n * HOUR_NS, ten + (n + 1) * HOUR_NS, p.crowd) for n in (0, 2))
        assert wild / calm == pytest.approx(3.0, rel=0.3)


# The findings.


def quiet_world() -> tuple[Any, int]:
    """A copy of the quiet world, and its end."""
    s, end = quiet()
    return type(s)(*(part.copy() for part in s)), end


@functools.cache
def quiet() -> tuple[Any, int]:
    """Two weeks of bars whose volume is always alike, and a document every twelve hours."""
    s, rng, p = make_state(bar_ns=HOUR_NS), np.random.default_rng(3), make_params()
    rows = walk(rng, 2 * 168, sigma=0.002)
    rows[:, 4] = np.exp(rng.normal(3.0, 0.1, len(rows)))
    for k, row in enumerate(rows):
        close = START + (k + 1) * HOUR_NS
        events = [bar(s, 0, close, *row)]
        if k % 12 == 0:
            events.append(signal(0, close, 0.1, 0.9, cluster=1000 + k, publisher=k % 2))
        feed(s, [*events, timer(close + MINUTE_NS)], p)
    return s, START + len(rows) * HOUR_NS


def loud(s: Any, at_ns: int, p: Any, copies: int, polarity: float = 0.4, publisher: int = 1) -> None:
    feed(s, [signal(0, at_ns + k * MINUTE_NS, polarity, cluster=5, publisher=publisher) for k in range(copies)], p)


def test_hype_is_loud_and_moves_neither_price_nor_volume() -> None:
    p = make_params(crowd={"extreme_z": 10.0})
    for volume, reaction, copies, found in (
        (18.0, 0.1, 8, True), (60.0, 0.1, 8, False), (18.0, 1.5, 8, False), (18.0, 0.1, 1, False),
    ):  # fmt: skip
        s, now = quiet_world()
        loud(s, now + 2 * MINUTE_NS, p, copies)
        for k in range(1, 3):
            last = s.asset[0].price
            feed(s, [bar(s, 0, now + k * HOUR_NS, last, last, last, last, volume)], p)
        names, factor = judged(s, p, now + 2 * HOUR_NS, reaction)
        assert ("HYPE" in names) is found, (volume, reaction, copies)
        assert factor == (0.5 if found else 1.0)


@pytest.mark.parametrize(
    ("heard", "expected", "documents", "known", "found"),
    [
        (1.0, 0.0, 2, True, False), (1.0, 0.0, 3, True, True), (2.0, 0.0, 2, True, True), (1.0, 50.0, 99, True, False),
        (9.0, 0.0, 99, False, False),
    ],
)  # fmt: skip
def test_loud_is_far_more_than_usual_or_the_same_again_when_it_is_not_quiet(
    heard: float, expected: float, documents: int, known: bool, found: bool
) -> None:
    s, p = make_state(), make_params().crowd
    c = s.crowd[0]
    c.heard, c.heard_ns, c.expected, c.expected_ns, c.hour = heard, START, expected, START, START // HOUR_NS
    s.talk["count"], s.told[0].live = 10**6 if known else 0, 2
    assert bool(crowd._loud(s, 0, START, documents, p)) is found


def test_unknown_volume_or_move_finds_no_hype() -> None:
    p = make_params()
    s, now = quiet_world()
    loud(s, now + 2 * MINUTE_NS, p, 8)
    assert judged(s, p, now + 10 * MINUTE_NS, math.nan) == ([], 1.0)
    assert judged(s, p, now + 10 * MINUTE_NS, 0.1) == ([], 1.0)  # no bar since
    last = s.asset[0].price
    feed(s, [bar(s, 0, now + HOUR_NS, last, last, last, last, math.nan)], p)
    assert judged(s, p, now + HOUR_NS, 0.1) == ([], 1.0)


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize(
    ("reaction", "age", "polarity", "found"),
    [
        (3.0, 10, 1.0, ["SPENT"]), (-3.0, 10, 1.0, ["SPENT"]), (0.05, 70, 1.0, ["IGNORED"]), (0.05, 10, 1.0, []),
        (0.8, 70, 1.0, []), (3.0, 10, 0.3, []),
    ],
)  # fmt: skip
def test_extremes_are_one_sided_unusual_and_spent_or_ignored(
    side: float, reaction: float, age: int, polarity: float, found: list[str]
) -> None:
    p = make_params()
    s = told([signal(0, START, side * polarity, cluster=k) for k in range(2)], p, START)
    names, factor = judged(s, p, START + age * MINUTE_NS, reaction)
    assert names == found
    assert factor == (0.7 if found else 1.0)


def test_a_move_counts_against_how_far_its_hours_usually_move() -> None:
    p = make_params(crowd={"prior_obs": 0.1})
    world, day = moving(p), START + 3 * WEEK_NS
    for hour, found in ((14, []), (3, ["SPENT"])):
        s = type(world)(*(part.copy() for part in world))
        at = day + hour * HOUR_NS
        for k in range(2):
            narrative.hear(s, signal(0, at, 1.0, cluster=k), p.narrative)
        s.asset[0].close_ns = at + HOUR_NS
        assert judged(s, p, at + HOUR_NS, 2.0)[0] == found


def test_nobody_ignores_a_story_while_the_market_is_closed() -> None:
    rows, p, found = new_york(6), make_params(), []
    friday, monday = int(rows["close_ns"][4]) + 3 * HOUR_NS, int(rows["open_ns"][5])
    s = share(rows[:5], bar_ns=30 * MINUTE_NS)
    for k in range(2):
        narrative.hear(s, signal(0, friday, 1.0, cluster=k), p.narrative)
    s.asset[0].close_ns = friday
    session.begin(s, events(rows[5:])[0])
    for minutes in (10, 70):
        found.append(judged(s, p, monday + minutes * MINUTE_NS, 0.05)[0])
    assert found == [[], ["IGNORED"]]


def test_an_agent_that_does_not_listen_finds_nothing() -> None:
    p = make_params()
    s = told([signal(0, START, 1.0, cluster=k, publisher=k) for k in range(3)], p, START)
    assert judged(s, p, START, 3.0)[0] == ["BROAD", "SPENT"]
    d = decision(weight=0.0, reaction=3.0, crowd=1.0)
    crowd.measure(s, 0, START, d, p.crowd, p.price, p.narrative.memory_ns)
    assert (d.findings, d.crowd) == (0, 1.0)


def test_a_divided_crowd_is_no_extreme() -> None:
    p = make_params(crowd={"extreme_z": 0.0})
    s = told([signal(0, START, 1.0, cluster=1), signal(0, START, -0.5, cluster=2)], p, START)
    assert judged(s, p, START, 3.0)[0] == []
    s = told([signal(0, START, 1.0, cluster=1), signal(0, START, 0.5, cluster=2)], p, START)
    assert judged(s, p, START, 3.0)[0] == ["SPENT"]


@pytest.mark.parametrize("finding", [BROAD, NARROW, HYPE, SPENT, IGNORED])
def test_a_factor_of_one_switches_a_finding_off_and_leaves_its_bit(finding: int) -> None:
    key = FINDING_NAMES[finding].lower()
    loose = {
        "narrow_at": 64.0, "narrow_stories": 1, "hype_move": 10.0, "hype_volume": 4.0, "hype_chatter": 0.0,
        "extreme_z": 0.0, "one_sided": 0.0, "spent_move": 0.0, "broad_at": 64.0,
    }  # fmt: skip
    if finding == BROAD:
        loose |= {"broad_at": 1.0}
    if finding == IGNORED:
        loose |= {"spent_move": 10.0, "ignored_move": 10.0, "ignored_after_ns": 0}
    other = dict.fromkeys(("broad", "narrow", "hype", "spent", "ignored"), 1.0)
    worth = 2.0 if finding == BROAD else 0.5
    found = {}
    for value in (worth, 1.0):
        p = make_params(crowd=loose | other | {key: value, "most": 2.0})
        s, now = quiet_world()
        loud(s, now + 2 * MINUTE_NS, p, 9)
        last = s.asset[0].price
        feed(s, [bar(s, 0, now + HOUR_NS, last, last, last, last, 18.0)], p)
        found[value] = judged(s, p, now + HOUR_NS, 0.1)
    assert all(FINDING_NAMES[finding] in names for names, _ in found.values())
    assert (found[worth][1], found[1.0][1]) == (worth, 1.0)


@settings(max_examples=20)
@given(st.floats(0.0, 1.0), st.floats(1.0, 2.0))
def test_the_product_stays_in_its_bounds(least: float, most: float) -> None:
    events = [signal(0, START, 1.0, cluster=k, publisher=k) for k in range(6)]
    p = make_params(crowd={"least": least, "most": most, "broad": 2.0, "spent": 0.0})
    assert judged(told(events, p, START), p, START, 3.0)[1] == least
    p = make_params(crowd={"least": least, "most": most, "broad": 2.0})
    assert judged(told(events, p, START), p, START, 0.8)[1] == most


def test_without_news_nothing_is_found() -> None:
    p = make_params(price={"min_obs": 20}, crowd={"extreme_z": 0.0, "spent_move": 0.0})
    s = make_state()
    rows = walk(np.random.default_rng(2), 60)
    events = [bar(s, 0, START + (k + 1) * BAR_NS, *row) for k, row in enumerate(rows)]
    out = feed(s, [e for one in events for e in (one, timer(int(one.ts_known) + 1))], p)
    d = out.decisions[: out.head[0].decisions]
    assert len(d)
    assert np.all(d["findings"] == 0)
    assert np.all(d["crowd"] == 1.0)
    assert out.head[0].judged == 60


@settings(max_examples=4)
@given(SEEDS)
def test_flipped_polarities_change_no_factor(seed: int) -> None:
    p = make_params(price={"min_obs": 20}, crowd={"hype_chatter": 0.0, "extreme_z": 0.5, "spent_move": 0.5})
    found = []
    for sign in (1.0, -1.0):
        s, rng = make_state(), np.random.default_rng(seed)
        events: list[Any] = []
        for k, row in enumerate(walk(rng, 60)):
            close = START + (k + 1) * BAR_NS
            events.append(bar(s, 0, close, *row))
            if rng.random() < 0.3:
                polarity = sign * float(rng.uniform(-1, 1))
                events.append(
                    signal(0, close, polarity, cluster=int(rng.integers(1, 20)), publisher=int(rng.integers(4)))
                )
            events.append(timer(close + 1))
        out = feed(s, events, p)
        found.append(out.decisions[: out.head[0].decisions].copy())
    one, two = found
    assert len(one) == len(two) > 20
    crowd_bits = sum(1 << b for b in (BROAD, NARROW, HYPE, SPENT, IGNORED))
    assert np.array_equal(one["findings"] & crowd_bits, two["findings"] & crowd_bits)
    assert np.array_equal(one["crowd"], two["crowd"])
    assert np.array_equal(one["side"], -two["side"])
