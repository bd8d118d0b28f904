"""kernel.session and what counts on it: ages, pauses, deadlines and frames in trading time; closed markets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernel.exchange import LENGTH, MONDAY, YEAR_S, events, new_york, share
from tests.kernel.world import bar, decision, feed, make_params, make_state, signal, timer

from confidence_engine.domain.decision import GATE_ADJUSTED, GATE_COOLDOWN, GATE_MARKET_CLOSED, GATE_PRICE_STALE
from confidence_engine.domain.event import ADJUSTED
from confidence_engine.domain.trading import trading_time
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS
from confidence_engine.kernel import exits, gates, narrative, price, session
from confidence_engine.kernel.out import STATUS_UNSOUND
from confidence_engine.kernel.state import SESSIONS, new_state

FIVE = 5 * MINUTE_NS


@settings(max_examples=60)
@given(st.lists(st.integers(0, 30 * DAY_NS), min_size=1, max_size=8), st.sampled_from([DAY_NS, FIVE]))
def test_the_kernel_and_the_evaluation_have_one_clock(moments: list[int], bar_ns: int) -> None:
    rows = new_york(25, bar_ns, dst_from=9)
    state = share(rows, bar_ns)
    at = MONDAY + np.array(moments)
    assert [int(session.clock(state, 1, int(ns))) for ns in at] == trading_time(rows, at).tolist()


def test_round_the_clock_is_the_wall_clock() -> None:
    state = make_state()
    assert state.calendar.shape == (1,)
    assert int(session.clock(state, 0, MONDAY)) == MONDAY
    assert session.enterable(state, 0, MONDAY)
    assert int(session.opened(state, 0, MONDAY)) == MONDAY - FIVE


def test_the_ring_of_sessions_wraps_and_the_clock_goes_on() -> None:
    rows = new_york(SESSIONS + 30)
    state = share(rows)
    newest = rows["close_ns"][-20:]
    assert [int(session.clock(state, 1, int(ns))) for ns in newest] == trading_time(rows, newest).tolist()
    assert int(session.clock(state, 1, MONDAY)) == int(session.clock(state, 1, int(rows["open_ns"][30])))


def test_a_session_said_again_only_moves_its_end() -> None:
    rows = new_york(3)
    state = share(rows)
    early = rows[-1:].copy()
    early["close_ns"] -= 3 * HOUR_NS
    (event,) = events(early)
    assert session.orderly(state, event)
    session.begin(state, event)
    assert state.calendar[1].sessions == 3
    assert state.session[1, 2].close_ns == early["close_ns"][0]
    assert int(session.clock(state, 1, int(rows["close_ns"][-1]))) == int(rows["open_ns"][0]) + 3 * DAY_NS


@pytest.mark.parametrize(
    "change",
    [
        {"close_ns": -LENGTH}, {"close_ns": 2 * DAY_NS}, {"span_ns": -DAY_NS}, {"span_ns": 2 * DAY_NS},
        {"open_ns": -4 * DAY_NS}, {"open_ns": HOUR_NS - DAY_NS}, {"offset_ns": 40 * HOUR_NS},
    ],
)  # fmt: skip
def test_a_session_that_cannot_be_stops_the_run(change: dict[str, int]) -> None:
    rows = new_york(3)
    state, wrong = share(rows[:2]), rows[2:].copy()
    for name, by in change.items():
        wrong[name] += by
    out = feed(state, events(wrong), make_params())
    assert out.head[0].status == STATUS_UNSOUND
    assert state.calendar[1].sessions == 2
    for calendar in (0, 2):
        assert feed(state, events(rows[2:], calendar), make_params()).head[0].status == STATUS_UNSOUND
    (late,) = events(rows[2:])
    late.ts_event += MINUTE_NS  # a session is told as it opens
    assert not session.orderly(state, late)
    assert not state.calendar[0].sessions


# What waits for a market.


def told(state: Any, at_ns: int, half_life: str = "1d") -> float:
    p = make_params(narrative={"half_life_ns": DAY_NS})
    narrative.measure(state, 0, at_ns, p.narrative)
    return float(state.told[0].amount)


def test_a_story_of_friday_evening_is_fresh_on_monday() -> None:
    rows = new_york(8)
    friday, monday = int(rows["close_ns"][4]) + 3 * HOUR_NS, int(rows["open_ns"][5])
    state = share(rows[:5])
    state.head[0].now_ns = friday
    narrative.hear(state, signal(0, friday), make_params(narrative={"half_life_ns": DAY_NS}).narrative)
    before = told(state, friday)
    session.begin(state, events(rows[5:6])[0])
    assert told(state, monday) == before > 0.0
    assert told(state, int(rows["close_ns"][5])) == pytest.approx(before / 2.0)


def listed(calendars: list[int], market: bool) -> Any:
    """Assets of one class on these calendars, and one more underlying: the market of the class, or nobody's."""
    one, n = share(), len(calendars)
    rows, klass = np.repeat(one.inst[:1], n), int(one.inst[0].klass)
    rows["underlying"], rows["calendar"] = np.arange(n), calendars
    priors = np.tile([0.3, 0.5, YEAR_S], (len(one.klass), 1))
    told_of = {klass: n} if market else None
    return new_state(rows, np.repeat(one.tier[:1], n, axis=0), [klass] * (n + 1), priors, 1e5, told_of)


def test_a_market_s_stories_are_told_on_the_clock_of_its_class() -> None:
    assert listed([1, 1], market=True).told["calendar"][:3].tolist() == [1, 1, 1]
    assert listed([1, 1], market=False).told["calendar"][:3].tolist() == [1, 1, 0]
    assert listed([1, 2], market=True).told["calendar"][:3].tolist() == [1, 2, 0]  # two clocks are none
    assert listed([0, 0], market=True).told["calendar"][:3].tolist() == [0, 0, 0]
    rows, p = new_york(8), make_params(narrative={"half_life_ns": DAY_NS}).narrative
    friday, state = int(rows["close_ns"][4]) + 3 * HOUR_NS, listed([1], market=True)
    for event in events(rows[:5]):
        session.begin(state, event)
    amounts = []
    narrative.hear(state, signal(1, friday), p)
    for k in (5, 6):
        session.begin(state, events(rows[k : k + 1])[0])
        narrative.measure(state, 1, int(rows["open_ns"][k]), p)
        amounts.append(float(state.told[1].amount))
    assert amounts[1] == pytest.approx(amounts[0] / 2.0)
    narrative.measure(state, 1, friday, p)
    assert state.told[1].amount == amounts[0] > 0.0  # the weekend is no time


def test_a_price_of_friday_is_not_stale_on_monday_and_is_after_its_sessions() -> None:
    rows = new_york(12)
    state = share(rows)
    state.asset[0].close_ns, state.asset[0].n_bars, state.asset[0].atr_n = int(rows["close_ns"][4]), 100, 5
    p = make_params().gates
    stale = [
        bool(gates.data(state, 0, int(ns), 20, 3.0, p) >> GATE_PRICE_STALE & 1) for ns in rows["close_ns"][5:9] + 1
    ]
    assert stale == [False, False, False, True]


def test_a_pause_and_a_holding_count_sessions() -> None:
    rows = new_york(12)
    state, p = share(rows), make_params(gates={"cooldown_ns": DAY_NS}, exits={"hold_ns": 3 * DAY_NS})
    friday = int(rows["close_ns"][4]) + 2
    b = state.book[0]
    b.closed_ns = friday
    asked = decision(side=1, stories=0)
    pauses = [
        gates._timely(state, 0, int(ns), asked, p.gates) >> GATE_COOLDOWN & 1
        for ns in (rows["open_ns"][5], rows["close_ns"][5])
    ]
    assert pauses == [1, 0]
    state.head[0].now_ns = friday
    exits.plan(state, 0, decision(side=1, price=100.0), 2.0, p.exits)
    reached = [int(session.clock(state, 1, int(ns))) >= b.deadline_ns for ns in rows["close_ns"][5:9]]
    assert reached == [False, False, True, True]


@pytest.mark.parametrize(("bar_ns", "expected"), [(FIVE, [1, 0, 0, 1, 1]), (DAY_NS, [0, 0, 0, 0, 0])])
def test_nothing_intraday_is_entered_while_the_market_is_closed(bar_ns: int, expected: list[int]) -> None:
    """An order for a whole-session bar is meant for the open, so it may be decided while the market is closed."""
    rows = new_york(5, bar_ns)
    state, p = share(rows, bar_ns), make_params().gates
    opened, closed = int(rows["open_ns"][1]), int(rows["close_ns"][1])
    moments = (opened - 1, opened, closed - 1, closed, closed + 9 * HOUR_NS)
    asked = decision(side=1, stories=0)
    assert [gates._timely(state, 0, at, asked, p) >> GATE_MARKET_CLOSED & 1 for at in moments] == expected


def test_before_the_first_session_the_market_is_closed() -> None:
    assert not session.enterable(share(bar_ns=FIVE), 0, MONDAY)


def test_adjusted_prices_are_refused_for_orders_and_only_for_those() -> None:
    rows = new_york(3)
    state = share(rows)
    close = int(rows["close_ns"][0])
    event = bar(state, 0, close, 10.0, 11.0, 9.0, 10.0, 5.0, marks=ADJUSTED)
    price.observe(state, 0, event, make_params().price)
    asked = decision(side=1, stories=0)
    found = [
        gates._timely(state, 0, close, asked, make_params(gates={"refuse_adjusted": flag}).gates) >> GATE_ADJUSTED & 1
        for flag in (False, True)
    ]
    assert found == [0, 1]


def test_the_mark_of_adjusted_prices_stays_on_every_decision() -> None:
    rows = new_york(30)
    state, p = share(), make_params(price={"min_obs": 20, "full_obs": 21})
    tape: list[Any] = []
    for at, end in zip(events(rows), rows["close_ns"], strict=True):
        tape += [at, bar(state, 0, int(end), 10.0, 11.0, 9.0, 10.0, 5.0, marks=ADJUSTED), timer(int(end) + 2)]
    out = feed(state, tape, p)
    made = out.decisions[: out.head[0].decisions]
    assert len(made) > 0
    assert ((made["marks"] & ADJUSTED) > 0).all()
    assert state.asset[0].seen_marks & ADJUSTED


def test_where_one_session_follows_another_without_a_break_a_close_belongs_to_the_one_that_ends() -> None:
    rows = new_york(2)
    rows["close_ns"][0] = rows["open_ns"][1]
    state, close = share(rows), int(rows["close_ns"][0])
    assert session.number(state, 1, close) == (0, rows["open_ns"][0])
    assert session.number(state, 1, close + 1) == (1, close)
    assert session.number(share(), 1, close) == (-1, 0)
    assert int(session.opened(state, 0, close)) == int(rows["open_ns"][0])
    assert int(session.offset(share(), 0, close)) == 0


# Frames and hours.


def test_frames_start_anew_at_the_open() -> None:
    rows = new_york(6, FIVE)
    state = share(rows, FIVE)
    ends = [int(o) + k * FIVE for o in rows["open_ns"] for k in range(1, LENGTH // FIVE + 1)]
    for frame_ns, each in ((HOUR_NS, 7), (4 * HOUR_NS, 2), (FIVE, 78)):
        ids = [int(price.frame_of(state, 0, end, frame_ns)) for end in ends]
        assert ids == sorted(ids)
        assert len(set(ids)) == each * len(rows)
        first = [int(price.frame_of(state, 0, int(o) + FIVE, frame_ns)) for o in rows["open_ns"]]
        last = [int(price.frame_of(state, 0, int(c), frame_ns)) for c in rows["close_ns"]]
        assert all(a > b for a, b in zip(first[1:], last, strict=False))  # no frame goes over a night
    assert len({int(price.frame_of(state, 0, end, DAY_NS)) for end in ends}) == len(rows)
    assert len({int(price.frame_of(state, 0, end, 2 * DAY_NS)) for end in ends}) == len(rows) / 2


def test_frames_round_the_clock_are_multiples_of_their_length() -> None:
    state = make_state()
    for close in (MONDAY, MONDAY + 1, MONDAY + 7 * HOUR_NS):
        assert int(price.frame_of(state, 0, close, HOUR_NS)) == (close - 1) // HOUR_NS


def filled_slots(bar_ns: int, dst_from: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the slots of hour and of hour of week that 20 sessions fill."""
    rows = new_york(20, bar_ns, dst_from)
    state, p = share(rows, bar_ns), make_params().price
    for o, c in zip(rows["open_ns"], rows["close_ns"], strict=True):
        for end in range(int(o) + min(bar_ns, LENGTH), int(c) + 1, min(bar_ns, LENGTH)):
            price.observe(state, 0, bar(state, 0, end, 10.0, 11.0, 9.0, 10.0, 5.0), p)
    used = np.flatnonzero(state.slot[0]["count"])
    return used[(used > 0) & (used < 25)] - 1, used[used >= 25] - 25


def test_hours_of_a_session_are_local_so_summer_time_shifts_none() -> None:
    for dst_from in (10**6, 10):
        hours, week = filled_slots(HOUR_NS // 2, dst_from)
        assert hours.tolist() == [9, 10, 11, 12, 13, 14, 15]
        assert len(week) == 7 * 5


def test_whole_sessions_are_compared_with_their_weekday() -> None:
    hours, week = filled_slots(DAY_NS, 10)
    assert hours.tolist() == [0]
    assert len(week) == 5


def test_a_whole_session_opened_when_the_exchange_did() -> None:
    rows = new_york(3)
    state = share(rows)
    assert int(session.opened(state, 0, int(rows["close_ns"][1]))) == int(rows["open_ns"][1])
    intraday = share(rows, FIVE)
    assert int(session.opened(intraday, 0, int(rows["close_ns"][1]))) == int(rows["close_ns"][1]) - FIVE
