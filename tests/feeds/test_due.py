"""When a bar is due and how many are missing, round the clock and in sessions."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS
from confidence_engine.feeds.due import NEVER, Hours

BAR = 5 * MINUTE_NS
OPEN, CLOSE = 1000 * DAY_NS + 14 * HOUR_NS + 30 * MINUTE_NS, 1000 * DAY_NS + 21 * HOUR_NS
WEEK = [(OPEN + k * DAY_NS, CLOSE + k * DAY_NS) for k in (0, 1, 4)]  # a weekend before the third


@given(st.integers(1, 10_000), st.integers(0, 50))
def test_round_the_clock_a_missing_bar_is_an_interval(k: int, lost: int) -> None:
    hours = Hours(BAR, None)
    assert hours.next_close(k * BAR) == (k + 1) * BAR
    assert hours.left_out(k * BAR, (k + lost) * BAR) == lost


@pytest.mark.parametrize(
    ("close_ns", "due_ns"),
    [
        (OPEN - DAY_NS, OPEN + BAR),
        (OPEN + BAR, OPEN + 2 * BAR),
        (CLOSE - BAR, CLOSE),
        (CLOSE, OPEN + DAY_NS + BAR),
        (CLOSE + DAY_NS, OPEN + 4 * DAY_NS + BAR),
        (CLOSE + 4 * DAY_NS, NEVER),
    ],
)
def test_in_sessions_the_next_bar_stands_inside_one(close_ns: int, due_ns: int) -> None:
    assert Hours(BAR, deque(WEEK)).next_close(close_ns) == due_ns


def test_bars_of_a_grid_that_begins_inside_a_session() -> None:
    hours = Hours(HOUR_NS, deque(WEEK))
    assert hours.next_close(OPEN - DAY_NS) == OPEN + 90 * MINUTE_NS  # 15:00 to 16:00
    assert hours.left_out(OPEN - DAY_NS, OPEN + 30 * MINUTE_NS) == 0
    assert hours.left_out(OPEN - DAY_NS, OPEN + 90 * MINUTE_NS) == 1
    assert hours.next_close(CLOSE) == OPEN + DAY_NS + 90 * MINUTE_NS


def test_where_a_bar_is_a_session_it_is_over_with_it() -> None:
    hours = Hours(DAY_NS, deque(WEEK))
    assert hours.next_close(CLOSE) == CLOSE + DAY_NS
    assert hours.left_out(CLOSE, OPEN + DAY_NS) == 0
    assert hours.left_out(CLOSE, OPEN + 4 * DAY_NS) == 1
    assert hours.next_close(CLOSE + 4 * DAY_NS) == NEVER


def test_a_night_is_no_hole_and_a_lost_afternoon_is() -> None:
    hours = Hours(BAR, deque(WEEK))
    assert hours.left_out(CLOSE, OPEN + DAY_NS) == 0
    assert hours.left_out(CLOSE - HOUR_NS, OPEN + DAY_NS) == 12
    assert hours.left_out(CLOSE - HOUR_NS, OPEN + DAY_NS + BAR) == 13


def test_hours_that_nobody_told_make_nothing_due_and_no_hole() -> None:
    hours = Hours(DAY_NS, None, known=False)
    assert hours.next_close(DAY_NS) == NEVER
    assert hours.left_out(DAY_NS, 9 * DAY_NS) == 0
