"""News of an archive: who said it, when it may be used, and one item however often it is listed."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.domain.document import UNKNOWN_PUBLISHER, Document, known_at
from confidence_engine.domain.errors import DataRefused
from confidence_engine.domain.units import DAY_NS, MINUTE_NS, format_time, parse_time
from confidence_engine.feeds.archive import Items, items, publisher_of
from confidence_engine.feeds.columns import guess


def read(raw: pl.DataFrame, **how: object) -> Items:
    return items(raw, guess("news", raw.columns, {}), **how)  # type: ignore[arg-type]


def news(**columns: list[object]) -> pl.DataFrame:
    return pl.DataFrame({"published_at": ["2023-01-01T10:00Z"], "title": ["Bitcoin rises"], **columns}, strict=False)


def test_publisher_from_source_then_host_then_unknown() -> None:
    assert publisher_of("CoinDesk ", "https://www.reuters.com/x") == "CoinDesk"
    assert publisher_of(None, "https://www.reuters.com/x") == "reuters.com"
    assert publisher_of(" ", "not an address") == UNKNOWN_PUBLISHER
    assert {publisher_of(name, None) for name in (None, "", "Unknown", "N/A", "none", "NaN ")} == {UNKNOWN_PUBLISHER}
    assert publisher_of(None, "http://[broken") == UNKNOWN_PUBLISHER


def test_midnight_counts_at_the_end_of_its_day_and_a_minute_later_does_not() -> None:
    raw = pl.DataFrame(
        {"date": ["2023-01-01T00:00:00Z", "2023-01-01T00:01:00Z", "2023-01-02"], "title": ["a", "b", "c"]}
    )
    got = read(raw)
    assert got.midnight == 2
    known = {d.title: known_at(d, 5 * MINUTE_NS) for d in got.documents}
    assert known == {
        "a": parse_time("2023-01-02T00:05Z"),
        "b": parse_time("2023-01-01T00:06Z"),
        "c": parse_time("2023-01-03T00:05Z"),
    }


def test_midnight_of_another_zone_is_never_known_before_that_day_is_over() -> None:
    (one,) = read(news(published_at=["2023-01-01T00:00:00-05:00"])).documents
    assert known_at(one, 0) == parse_time("2023-01-02T05:00Z")
    (one,) = read(news(published_at=["2023-01-01 00:00:00"]), zone="America/New_York").documents
    assert known_at(one, 0) == parse_time("2023-01-02T05:00Z")


def test_rows_of_one_item_join_their_symbols() -> None:
    raw = pl.concat([news(symbol=[s]) for s in ("GOOG", "AAPL", "GOOG")])
    got = read(raw)
    assert [d.symbols for d in got.documents] == [("AAPL", "GOOG")]
    assert sum(got.dropped.values()) == 2


def test_words_stay_as_they_are_and_empty_titles_are_counted() -> None:
    raw = pl.concat([news(title=["the \x9cmerge\x9d"]), news(title=["  "]), news(title=[None])])
    got = read(raw)
    assert [d.title for d in got.documents] == ["the \x9cmerge\x9d"]
    assert got.dropped == {"title missing or empty": 2}


def test_first_seen_is_kept_and_may_not_precede_publication() -> None:
    raw = pl.concat(
        [news(first_seen=["2023-01-01T10:07Z"]), news(title=["too early"], first_seen=["2023-01-01T09:00Z"])]
    )
    (one,) = read(raw).documents
    assert known_at(one, DAY_NS) == parse_time("2023-01-01T10:07Z")


@pytest.mark.parametrize("stamp", ["2023-01-02", "2023-01-02T00:00:00Z"])
def test_a_first_sight_without_a_time_of_day_counts_at_the_end_of_its_day(stamp: str) -> None:
    (one,) = read(news(first_seen=[stamp])).documents
    assert known_at(one, 5 * MINUTE_NS) == parse_time("2023-01-03T00:05Z")


def test_a_first_sight_at_midnight_of_another_zone_waits_for_the_end_of_that_day() -> None:
    (one,) = read(news(first_seen=["2023-01-02T00:00:00-05:00"])).documents
    assert known_at(one, 0) >= parse_time("2023-01-03T05:00Z")
    (one,) = read(news(published_at=["2023-01-01 10:00"], first_seen=["2023-01-02 00:00"]), zone="Asia/Tokyo").documents
    assert known_at(one, 0) >= parse_time("2023-01-02T15:00Z")


def test_a_date_of_first_sight_precedes_publication_only_where_the_whole_day_does() -> None:
    raw = pl.concat([news(first_seen=["2023-01-01"]), news(title=["too early"], first_seen=["2022-12-31"])])
    got = read(raw)
    assert [d.title for d in got.documents] == ["Bitcoin rises"]
    assert got.dropped == {"first seen before it was published": 1}


def test_what_a_clock_of_ours_saw_at_midnight_is_known_at_midnight() -> None:
    one = Document("1", "wire", "p", "t", DAY_NS - 9, first_seen_ns=DAY_NS, fetched_ns=DAY_NS)
    assert known_at(one, MINUTE_NS) == DAY_NS


@given(st.integers(0, 2 * 24 * 60), st.integers(0, 2 * 24 * 60), st.integers(0, 60))
def test_whatever_first_sight_is_cut_to_its_date_is_never_known_earlier_than_it(sight: int, age: int, lag: int) -> None:
    seen = parse_time("2023-01-02") + sight * MINUTE_NS
    published = format_time(seen - age * MINUTE_NS)
    (one,) = read(news(published_at=[published], first_seen=[format_time(seen)[:10]])).documents
    assert known_at(one, lag * MINUTE_NS) >= seen


def test_a_naive_time_of_day_is_refused() -> None:
    with pytest.raises(DataRefused):
        read(news(published_at=["2023-01-01 10:00"]))


@given(st.permutations(range(8)))
def test_any_order_of_rows_gives_the_same_documents(order: list[int]) -> None:
    raw = pl.DataFrame(
        {
            "published_at": [f"2023-01-0{1 + i // 3}T10:00Z" for i in range(8)],
            "title": [f"title {i % 5}" for i in range(8)],
            "ticker": ["A", "B"] * 4,
        }
    )
    assert read(raw[order]).documents == read(raw).documents
