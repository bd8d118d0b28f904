"""Stamps: one reading or none."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.domain.errors import DataRefused, UsageError
from confidence_engine.domain.units import DAY_NS, HOUR_NS
from confidence_engine.feeds.stamps import place, zone_named

AT = 1_672_531_500_000_000_000  # 2023-01-01T00:05Z


def placed(values: list[Any], zone: str | None = None, dates: bool = False) -> list[int | None]:
    return place(pl.Series("t", values, strict=False), zone, dates).ns.to_list()


@pytest.mark.parametrize(
    "value",
    [
        "2023-01-01T00:05:00Z",
        "2023-01-01 00:05",
        "2023-01-01 00:05:00.000",
        "2023-01-01T05:35+05:30",
        "2022-12-31 19:05:00-0500",
        "2023-01-01 00:05 UTC",
        "1672531500",
        "1672531500000",
        1672531500,
        1672531500.0,
        1672531500000,
        1672531500000000,
        AT,
        datetime(2023, 1, 1, 0, 5, tzinfo=UTC),
        datetime(2023, 1, 1, 0, 5),
    ],
)
def test_all_these_are_one_time(value: Any) -> None:
    assert placed([value], zone="UTC") == [AT]


def test_time_of_day_without_zone_is_refused_and_a_daily_midnight_is_a_date() -> None:
    for column in (["2023-01-01 00:05"], [datetime(2023, 1, 1, 0, 5)]):
        with pytest.raises(DataRefused, match="zone"):
            placed(column)
    for column in ([datetime(2023, 1, 1)], ["2023-01-01 00:00:00"], ["2023-01-01"], [date(2023, 1, 1)]):
        assert placed(column, dates=True) == [AT - 5 * 60 * 10**9]
    with pytest.raises(DataRefused):
        placed([datetime(2023, 1, 1)], dates=False)


@pytest.mark.parametrize(
    "column",
    [
        ["2023-01-01T00:05Z", "2023-01-01T00:10"],
        ["2023-01-01T00:05+01:00", "2023-01-01T00:10+02:00", "2023-01-01T00:10"],
        [1672531500, 1672531500000],
        ["1672531500", "2023-01-01"],
        [1, 2, 3],
        ["01/02/2023"],
        ["soon"],
        [True],
    ],
)
def test_mixed_or_unreadable_columns_are_refused(column: list[Any]) -> None:
    with pytest.raises(DataRefused):
        placed(column)


def test_offsets_that_change_with_daylight_saving_are_each_their_own() -> None:
    column = ["2023-11-05T01:55:00-04:00", "2023-11-05T01:00:00-05:00", "2023-11-05 06:05 UTC", "2023-11-05T06:10:00Z"]
    first = 1_699_163_700_000_000_000
    assert placed(column) == [first + i * 5 * 60 * 10**9 for i in range(4)]
    got = place(pl.Series("t", ["2023-03-11T00:00-05:00", "2023-03-13T00:00-04:00", "2023-03-13T04:00Z"]), None)
    assert got.midnight.to_list() == [True, True, False]
    assert got.ns[1] == got.ns[2]


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(-14 * 60, 14 * 60)), min_size=1, max_size=8))
def test_any_mixture_of_offsets_is_the_same_instants(stamps: list[tuple[int, int]]) -> None:
    base = datetime(2023, 1, 1, tzinfo=UTC)
    at = [base + timedelta(seconds=seconds) for seconds, _ in stamps]
    texts = [t.astimezone(timezone(timedelta(minutes=m))).isoformat() for t, (_, m) in zip(at, stamps, strict=True)]
    assert placed(texts) == [1_672_531_200_000_000_000 + seconds * 10**9 for seconds, _ in stamps]


def test_an_offset_that_no_zone_has_costs_its_row() -> None:
    assert placed(["2023-01-01T00:05Z", "2023-01-01T00:05+25:00", "2023-01-01T00:05+01:75"]) == [AT, None, None]


def test_one_bad_stamp_costs_one_row() -> None:
    got = place(pl.Series("t", ["2023-01-01T00:05Z", "2023-02-30T00:00Z", None, "x"]), None)
    assert got.ns.to_list() == [AT, None, None, None]
    assert got.why.null_count() == 1


def test_a_clock_reading_that_does_not_exist_or_exists_twice_is_not_placed() -> None:
    column = ["2023-03-12 02:30", "2023-11-05 01:30", "2023-07-01 00:00"]
    assert placed(column, zone="America/New_York") == [None, None, 1_688_184_000_000_000_000]


def test_years_out_of_range_do_not_wrap_round() -> None:
    got = place(pl.Series("t", [date(9999, 1, 1), date(1800, 1, 1), date(2023, 1, 1)]), None)
    assert got.ns.to_list() == [None, None, 1_672_531_200_000_000_000]


@given(st.datetimes(datetime(1976, 1, 1), datetime(2099, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_written_with_any_offset_it_is_the_same_instant(at: datetime, minutes: int) -> None:
    aware = at.replace(tzinfo=UTC)
    there = aware.astimezone(timezone(timedelta(minutes=minutes)))
    expected = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
    assert placed([there.isoformat()]) == [expected]
    assert placed([aware]) == [expected]
    assert placed([expected]) == [expected]


@given(st.integers(0, 365 * 50))
def test_midnight_is_midnight_of_its_own_zone(day: int) -> None:
    at = 10 * 365 * DAY_NS + day * DAY_NS
    text = (datetime(1970, 1, 1) + timedelta(microseconds=at // 1000)).strftime("%Y-%m-%dT%H:%M:%S")
    east = place(pl.Series("t", [text + "+09:00"]), None)
    assert east.midnight.to_list() == [True]
    assert east.ns.to_list() == [at - 9 * HOUR_NS]
    assert place(pl.Series("t", [text[:11] + "00:01:00Z"]), None).midnight.to_list() == [False]


def test_zone_named() -> None:
    assert zone_named("America/New_York") == "America/New_York"
    for wrong in ("Mars/Olympus", "", "../etc"):
        with pytest.raises(UsageError):
            zone_named(wrong)
