"""Times and durations as people write them, there and back."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.domain.errors import UsageError
from confidence_engine.domain.units import (
    DAY_NS,
    HOUR_NS,
    MINUTE_NS,
    SECOND_NS,
    WEEK_NS,
    format_duration,
    format_interval,
    format_time,
    parse_duration,
    parse_fraction,
    parse_time,
)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("5m", 5 * MINUTE_NS),
        ("90 min", 90 * MINUTE_NS),
        ("1.5h", 90 * MINUTE_NS),
        ("30d", 30 * DAY_NS),
        ("2w", 2 * WEEK_NS),
        ("250ms", SECOND_NS // 4),
        ("7ns", 7),
        ("0s", 0),
    ],
)
def test_durations_are_read(text: str, ns: int) -> None:
    assert parse_duration(text) == ns


@pytest.mark.parametrize("text", ["", "5", "m", "5 minutes", "-5m", "5mm", "1e3s", "5m 3s", "nan s"])
def test_a_duration_without_a_clear_unit_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a duration"):
        parse_duration(text)


@given(st.integers(0, 2**62))
def test_an_interval_comes_back_exactly(ns: int) -> None:
    assert parse_duration(format_interval(ns)) == ns


@pytest.mark.parametrize(
    ("text", "value"), [("0.5%", 0.005), ("50bps", 0.005), ("-1 %", -0.01), ("+3%", 0.03), ("0%", 0)]
)
def test_fractions_are_read(text: str, value: float) -> None:
    assert math.isclose(parse_fraction(text), value, rel_tol=1e-15, abs_tol=0)


@pytest.mark.parametrize("text", ["0.5", "5", "%", "5m", "1e-3%", "nan%", ""])
def test_a_bare_number_is_no_rate(text: str) -> None:
    with pytest.raises(UsageError, match="not a rate"):
        parse_fraction(text)


@given(st.integers(0, 4_000_000_000_000_000))
def test_a_time_comes_back_to_the_microsecond(micros: int) -> None:
    assert parse_time(format_time(micros * 1000)) == micros * 1000


@given(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_an_offset_is_taken_off(at: datetime, minutes: int) -> None:
    sign = "+" if minutes >= 0 else "-"
    zone = f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    assert parse_time(at.isoformat() + zone) == parse_time(at.isoformat() + "Z") - minutes * MINUTE_NS


def test_a_bare_date_is_its_midnight_utc() -> None:
    assert parse_time("2023-03-11") == round(datetime(2023, 3, 11, tzinfo=UTC).timestamp()) * SECOND_NS


@pytest.mark.parametrize("text", ["2023-03-11T05:00", "2023-03-11T00:00", "2023-03-11 00:00:00", "20230311T000000"])
def test_a_time_of_day_without_a_zone_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no time zone"):
        parse_time(text)


@pytest.mark.parametrize("text", ["", "yesterday", "11/03/2023", "2023-13-01", "2023-03-11T25:00Z"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not an ISO 8601 time"):
        parse_time(text)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 s"),
        (5 * HOUR_NS + 41 * MINUTE_NS, "5 h 41 min"),
        (DAY_NS + MINUTE_NS, "1 d 1 min"),
        (-90 * SECOND_NS, "-1 min 30 s"),
        (DAY_NS + HOUR_NS + MINUTE_NS, "1 d 1 h"),
    ],
)
def test_durations_are_told_in_their_two_largest_units(ns: int, text: str) -> None:
    assert format_duration(ns) == text
