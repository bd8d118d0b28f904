"""domain.trading: the clock that runs only while a market trades."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.domain.trading import SESSION_ROW, spans, trading_time, wall_time
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS

OPEN = 16_071 * DAY_NS + 14 * HOUR_NS + 30 * MINUTE_NS  # 2014-01-01T14:30Z
WEEK = (0, 1, 2, 5, 6, 7)  # a weekend after the third day


def table(days: tuple[int, ...] = WEEK, bar_ns: int = DAY_NS, short: int = -1) -> np.ndarray:
    """Sessions of 6.5 hours on the days given; the one at index `short` lasts 3.5 hours."""
    rows = np.zeros(len(days), SESSION_ROW)
    rows["open_ns"] = OPEN + np.array(days) * DAY_NS
    rows["close_ns"] = rows["open_ns"] + 390 * MINUTE_NS
    if short >= 0:
        rows["close_ns"][short] -= 3 * HOUR_NS
    rows["span_ns"] = spans(rows["open_ns"], rows["close_ns"], bar_ns)
    return rows


def since(rows: np.ndarray, start: int, end: int) -> int:
    at = trading_time(rows, np.array([start, end]))
    return int(at[1] - at[0])


def test_a_weekend_is_no_time_at_all() -> None:
    rows = table()
    friday_evening, monday_open = int(rows["close_ns"][2]) + 3 * HOUR_NS, int(rows["open_ns"][3])
    assert since(rows, friday_evening, monday_open) == 0
    assert monday_open - friday_evening > 2 * DAY_NS


def test_a_session_is_a_day_for_daily_bars_and_its_own_length_for_others() -> None:
    for bar, worth in ((DAY_NS, DAY_NS), (5 * MINUTE_NS, 390 * MINUTE_NS)):
        rows = table(bar_ns=bar)
        assert since(rows, int(rows["open_ns"][0]), int(rows["close_ns"][0])) == worth
        assert since(rows, int(rows["open_ns"][0]), int(rows["close_ns"][-1])) == worth * len(rows)


def test_a_half_day_is_a_whole_daily_bar_and_half_the_hours() -> None:
    for bar, worth in ((DAY_NS, DAY_NS), (HOUR_NS, 210 * MINUTE_NS)):
        rows = table(bar_ns=bar, short=1)
        assert since(rows, int(rows["open_ns"][1]), int(rows["close_ns"][1])) == worth


def test_the_clock_runs_evenly_inside_a_session() -> None:
    rows = table()
    at = int(rows["open_ns"][4]) + 390 * MINUTE_NS // 4
    assert since(rows, int(rows["open_ns"][4]), at) == DAY_NS // 4


def test_without_sessions_it_is_the_wall_clock() -> None:
    at = np.array([1, OPEN])
    assert trading_time(table()[:0], at).tolist() == at.tolist()
    assert wall_time(table()[:0], OPEN, HOUR_NS) == OPEN + HOUR_NS


@given(st.lists(st.integers(-2 * DAY_NS, 12 * DAY_NS), min_size=2, max_size=30), st.sampled_from([DAY_NS, HOUR_NS]))
def test_it_never_runs_backwards_nor_faster_than_its_sessions(moments: list[int], bar_ns: int) -> None:
    rows = table(bar_ns=bar_ns, short=2)
    at = np.sort(np.array(moments)) + OPEN
    found = trading_time(rows, at)
    assert (np.diff(found) >= 0).all()
    total = int(rows["span_ns"].sum())
    assert found[-1] - found[0] <= total
    if bar_ns == HOUR_NS:
        assert (np.diff(found) <= np.diff(at)).all()


@given(st.integers(0, 7 * DAY_NS), st.integers(1, 3 * DAY_NS))
def test_wall_time_is_the_first_moment_at_which_that_much_has_passed(after: int, later: int) -> None:
    rows = table(short=1)
    due = wall_time(rows, OPEN + after, later)
    left = int(rows["span_ns"].sum()) - since(rows, OPEN, OPEN + after)
    if due is None:
        assert later > left
        return
    assert since(rows, OPEN + after, due) == pytest.approx(later, abs=10)
    assert since(rows, OPEN + after, due - MINUTE_NS) < later


def test_beyond_the_known_sessions_there_is_no_time() -> None:
    assert wall_time(table(), OPEN, 7 * DAY_NS) is None
