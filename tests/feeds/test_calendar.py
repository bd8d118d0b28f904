"""feeds.calendar: known days of known exchanges, and bars placed on them."""

from __future__ import annotations

import numpy as np
import pytest

from confidence_engine.domain.errors import UsageError
from confidence_engine.domain.trading import SESSION_ROW
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, parse_time
from confidence_engine.feeds.calendar import on_sessions, sessions
from confidence_engine.feeds.clean import BAR_ROW


def hours(name: str, first: str, last: str, bar_ns: int = DAY_NS) -> list[tuple[str, str, float]]:
    """(open, close, offset in hours) of each session, times as ISO minutes."""
    rows = sessions(name, parse_time(first), parse_time(last), bar_ns)
    return [
        (str(np.datetime64(int(r["open_ns"]), "ns"))[:16], str(np.datetime64(int(r["close_ns"]), "ns"))[11:16],
         r["offset_ns"] / HOUR_NS)
        for r in rows
    ]  # fmt: skip


def test_thanksgiving_2014_is_closed_and_the_day_after_is_half_a_day() -> None:
    assert hours("XNYS", "2014-11-26", "2014-12-02") == [
        ("2014-11-26T14:30", "21:00", -5.0),
        ("2014-11-28T14:30", "18:00", -5.0),
        ("2014-12-01T14:30", "21:00", -5.0),
    ]


def test_summer_time_moves_the_open_in_utc_and_not_on_the_spot() -> None:
    assert hours("XNYS", "2014-03-07", "2014-03-11") == [
        ("2014-03-07T14:30", "21:00", -5.0),
        ("2014-03-10T13:30", "20:00", -4.0),
    ]
    assert hours("XNYS", "2014-10-31", "2014-11-04") == [
        ("2014-10-31T13:30", "20:00", -4.0),
        ("2014-11-03T14:30", "21:00", -5.0),
    ]


def test_closures_that_nobody_foresaw_are_closures() -> None:
    days = {one[0][:10] for one in hours("XNYS", "2012-10-25", "2012-11-02")}
    assert days == {"2012-10-25", "2012-10-26", "2012-10-31", "2012-11-01"}  # the storm Sandy


def test_a_year_has_its_number_of_sessions() -> None:
    assert len(sessions("XNYS", parse_time("2014-01-01"), parse_time("2015-01-01"), DAY_NS)) == 252


def test_other_exchanges_have_their_own_hours() -> None:
    assert hours("XLON", "2014-03-06", "2014-03-07") == [("2014-03-06T08:00", "16:30", 0.0)]
    assert hours("XTKS", "2014-03-06", "2014-03-07") == [("2014-03-06T00:00", "06:00", 9.0)]


def test_a_session_is_worth_a_day_in_daily_bars_and_its_length_in_others() -> None:
    for bar_ns, worth in ((DAY_NS, [DAY_NS] * 2), (5 * MINUTE_NS, [390 * MINUTE_NS, 210 * MINUTE_NS])):
        rows = sessions("XNYS", parse_time("2014-11-26"), parse_time("2014-11-29"), bar_ns)
        assert rows.dtype == SESSION_ROW
        assert rows["span_ns"].tolist() == worth


def test_an_unknown_exchange_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="XNYS"):
        sessions("XNYSE", parse_time("2014-01-01"), parse_time("2014-02-01"), DAY_NS)


def bars(*opens: str, bar_ns: int = DAY_NS) -> np.ndarray:
    rows = np.ones(len(opens), BAR_ROW)
    rows["open_ns"] = [parse_time(one) for one in opens]
    rows["close_ns"] = rows["open_ns"] + bar_ns
    return rows


def test_a_daily_bar_opened_and_closed_with_its_date_s_session() -> None:
    """Stored as a date, known at the half day's own close; the holiday's and the Sunday's bars are left out."""
    placed, outside = on_sessions(bars("2014-11-26", "2014-11-27", "2014-11-28", "2014-11-30"), "XNYS", DAY_NS)
    assert outside == 2
    assert placed["open_ns"].tolist() == [parse_time("2014-11-26T14:30Z"), parse_time("2014-11-28T14:30Z")]
    assert placed["close_ns"].tolist() == [parse_time("2014-11-26T21:00Z"), parse_time("2014-11-28T18:00Z")]


def test_an_intraday_bar_stands_whole_inside_a_session() -> None:
    times = ("2014-11-28T14:25Z", "2014-11-28T14:30Z", "2014-11-28T17:55Z", "2014-11-28T18:00Z", "2014-11-29T15:00Z")
    placed, outside = on_sessions(bars(*times, bar_ns=5 * MINUTE_NS), "XNYS", 5 * MINUTE_NS)
    assert outside == 3
    assert placed["open_ns"].tolist() == [parse_time(times[1]), parse_time(times[2])]
    assert on_sessions(bars()[:0], "XNYS", DAY_NS).outside == 0
