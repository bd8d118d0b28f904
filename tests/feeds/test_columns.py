"""Guessing columns: whole names only, never between two that fit, and symbols read in one way or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.domain.errors import DataRefused, UsageError
from confidence_engine.feeds.columns import FIELDS, canonical_symbol, guess, mention, parse_map

OHLC = ["Open", "High", "Low", "Close"]


def test_guess_takes_whole_names_and_not_the_adjusted_close() -> None:
    found = guess("bars", ["Date", *OHLC, "Adj Close", "Volume"], {})
    assert found == {"time": "Date", "open": "Open", "high": "High", "low": "Low", "close": "Close", "volume": "Volume"}


def test_two_times_are_asked_for_with_the_candidates() -> None:
    columns = ["timestamp", "date", *OHLC]
    with pytest.raises(UsageError, match="timestamp, date"):
        guess("bars", columns, {})
    assert guess("bars", columns, {}, ask=lambda field, names: names[1])["time"] == "date"
    assert guess("bars", columns, {"time": "timestamp"})["time"] == "timestamp"
    with pytest.raises(UsageError):
        guess("bars", columns, {}, ask=lambda field, names: "nonsense")


def test_a_chosen_column_settles_the_others() -> None:
    found = guess("news", ["published", "date", "title"], {"published": "date"})
    assert found["published"] == "date"


@pytest.mark.parametrize(
    ("chosen", "error"),
    [({"opne": "Open"}, UsageError), ({"open": "nowhere"}, UsageError)],
)
def test_a_map_of_what_is_not_there_is_refused(chosen: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        guess("bars", ["date", *OHLC], chosen)


@pytest.mark.parametrize("kind", FIELDS)
def test_missing_columns_are_named(kind: str) -> None:
    with pytest.raises(DataRefused, match="a, b"):
        guess(kind, ["a", "b"], {})


def test_parse_map() -> None:
    assert parse_map(["open=Open Price", "time = t"]) == {"open": "Open Price", "time": "t"}
    with pytest.raises(UsageError):
        parse_map(["open"])


@pytest.mark.parametrize(
    ("text", "quote", "symbol"),
    [
        ("btc/usdt", None, "BTC/USDT"),
        ("BTCUSDT", None, "BTC/USDT"),
        ("BTCUSD", None, "BTC/USD"),
        ("BTC-USDT", None, "BTC/USDT"),
        ("BTC_USD", None, "BTC/USD"),
        ("1000PEPEUSDT", None, "1000PEPE/USDT"),
        ("AAPL", "usd", "AAPL/USD"),
        ("BRK-B", "USD", "BRK-B/USD"),
        ("BTCB-USD", None, "BTCB/USD"),
    ],
)
def test_symbols_that_read_in_one_way(text: str, quote: str | None, symbol: str) -> None:
    assert canonical_symbol(text, quote) == symbol


@pytest.mark.parametrize(
    "text", ["BTCBUSD", "AAPL", "", "/", "BTC/", "A/B/C", "BTC/USDT:USDT", "../USDT", "B TC/USD", "BRK-B"]
)
def test_symbols_that_do_not(text: str) -> None:
    with pytest.raises(UsageError):
        canonical_symbol(text)


@given(st.text(max_size=12))
def test_whatever_is_read_reads_as_itself(text: str) -> None:
    try:
        symbol = canonical_symbol(text)
    except UsageError:
        return
    assert canonical_symbol(symbol) == symbol
    assert symbol == symbol.upper()
    assert not set(symbol) & set("\\. \n") or "." in symbol.split("/")[0]


def test_a_mention_may_be_a_bare_ticker() -> None:
    assert mention("$aapl") == "AAPL"
    assert mention("btc/usdt") == "BTC/USDT"
    assert mention("BTCUSDT") == "BTC/USDT"
    assert mention("aapl", "USD") == "AAPL/USD"
