"""Rows: what cannot be placed honestly is dropped and counted, and the rest does not depend on their order."""

from __future__ import annotations

import random
from datetime import date, time

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.domain.errors import DataRefused, UsageError
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, format_interval, parse_time
from confidence_engine.feeds import clean
from confidence_engine.feeds.columns import guess

FIVE = 5 * MINUTE_NS
START = parse_time("2023-01-01T00:00Z")


def table(n: int = 6, **columns: list[object]) -> pl.DataFrame:
    at = [START + i * FIVE for i in range(n)]
    plain: dict[str, list[object]] = {
        "ts": list(at),
        "open": [10.0] * n,
        "high": [12.0] * n,
        "low": [9.0] * n,
        "close": [11.0] * n,
        "volume": [1.0 + i for i in range(n)],
    }
    return pl.DataFrame({**plain, **columns}, strict=False)


def bars(raw: pl.DataFrame, interval_ns: int = FIVE, **how: object) -> clean.Clean:
    return clean.bars(raw, guess("bars", raw.columns, {}), interval_ns, **{"symbol": "BTC/USDT", **how})  # type: ignore[arg-type]


def lost(got: clean.Clean) -> int:
    return sum(n for counts in got.dropped.values() for n in counts.values())


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("close", float("nan")),
        ("close", float("inf")),
        ("close", None),
        ("open", -1.0),
        ("low", 0.0),
        ("high", 10.5),
        ("low", 10.5),
        ("volume", -1.0),
        ("volume", float("nan")),
        ("ts", START + 3 * FIVE + 1),
        ("ts", None),
        ("ts", START + 2 * FIVE),
    ],
)
def test_one_bad_cell_costs_one_row(column: str, value: object) -> None:
    raw = table()
    cells = raw[column].to_list()
    cells[3] = value
    got = bars(raw.with_columns(pl.Series(column, cells, strict=False)))
    assert lost(got) == 1
    assert got.rows["BTC/USDT"]["open_ns"].tolist() == [START + i * FIVE for i in (0, 1, 2, 4, 5)]


def test_a_bar_closes_one_interval_after_it_opened_and_volume_may_be_unknown() -> None:
    rows = bars(table().drop("volume")).rows["BTC/USDT"]
    assert (rows["close_ns"] - rows["open_ns"] == FIVE).all()
    assert np.isnan(rows["v"]).all()


def test_close_stamps_place_bars_and_disagreeing_ones_do_not() -> None:
    raw = table()
    ends = [at + FIVE - 1_000_000 for at in raw["ts"].to_list()]
    both = raw.with_columns(close_time=pl.Series(ends))
    assert lost(bars(both)) == 0
    assert bars(both.drop("ts")).rows["BTC/USDT"].tobytes() == bars(raw).rows["BTC/USDT"].tobytes()
    ends[2] += HOUR_NS
    assert lost(bars(raw.with_columns(close_time=pl.Series(ends)))) == 1


def test_the_same_stamp_twice_keeps_the_first_and_says_which_kind() -> None:
    raw = pl.concat([table(3), table(3), table(3).with_columns(close=pl.lit(9.5))])
    got = bars(raw)
    assert got.dropped["BTC/USDT"] == {clean.DUPLICATE: 3, clean.CONFLICT: 3}
    assert (got.rows["BTC/USDT"]["c"] == 11.0).all()
    assert got.out_of_order["BTC/USDT"] == 4


@given(st.permutations(range(12)))
def test_rows_in_any_order_give_the_same_bytes(order: list[int]) -> None:
    raw = table(12)
    assert bars(raw[order]).rows["BTC/USDT"].tobytes() == bars(raw).rows["BTC/USDT"].tobytes()


def test_daily_bars_are_over_at_the_session_close_in_summer_and_winter() -> None:
    raw = table(2).with_columns(ts=pl.Series([date(2023, 1, 3), date(2023, 7, 3)]))
    session = clean.Session(time(16, 0), "America/New_York")
    rows = bars(raw, DAY_NS, session=session).rows["BTC/USDT"]
    assert rows["close_ns"].tolist() == [parse_time("2023-01-03T21:00Z"), parse_time("2023-07-03T20:00Z")]
    rows = bars(raw, DAY_NS).rows["BTC/USDT"]
    assert rows["close_ns"].tolist() == [parse_time("2023-01-04"), parse_time("2023-07-04")]
    with pytest.raises(UsageError):
        bars(table(), FIVE, session=session)


def test_of_two_readings_of_a_session_close_the_later_is_safe() -> None:
    raw = table(2).with_columns(ts=pl.Series([date(2023, 11, 5), date(2023, 3, 12)]))
    got = bars(raw, DAY_NS, session=clean.Session(time(1, 30), "America/New_York"))
    closes = [parse_time("2023-03-12T06:30Z"), parse_time("2023-11-05T06:30Z")]
    assert got.rows["BTC/USDT"]["close_ns"].tolist() == closes
    got = bars(raw, DAY_NS, session=clean.Session(time(2, 30), "America/New_York"))
    assert lost(got) == 1


def test_bare_dates_are_no_stamps_of_five_minute_bars() -> None:
    raw = table(2).with_columns(ts=pl.Series([date(2023, 1, 3), date(2023, 7, 3)]))
    assert lost(bars(raw)) == 2


@pytest.mark.parametrize(("said", "real"), [(MINUTE_NS, FIVE), (HOUR_NS, FIVE), (FIVE, MINUTE_NS), (FIVE, HOUR_NS)])
def test_bars_of_another_length_than_said_are_refused(said: int, real: int) -> None:
    raw = table(40).with_columns(ts=pl.Series([START + i * real for i in range(40)]))
    assert lost(bars(raw, real)) == 0
    with pytest.raises(DataRefused) as refusal:
        bars(raw, said)
    for interval in (said, real):
        assert format_interval(interval) in str(refusal.value)


def test_one_symbol_of_another_length_is_enough_and_two_stamps_say_nothing() -> None:
    good = table(6).with_columns(symbol=pl.lit("ETH/USDT"))
    slow = good.with_columns(ts=pl.Series([START + i * HOUR_NS for i in range(6)]), symbol=pl.lit("BTC/USDT"))
    with pytest.raises(DataRefused, match="BTC/USDT"):
        bars(pl.concat([good, slow]), symbol=None)
    assert sorted(bars(pl.concat([good, slow[:2]]), symbol=None).rows) == ["BTC/USDT", "ETH/USDT"]


@given(st.sets(st.integers(0, 60), max_size=12), st.randoms(use_true_random=False))
def test_gaps_and_disorder_do_not_change_the_interval(gone: set[int], chance: random.Random) -> None:
    kept = [i for i in range(61) if i not in gone]
    chance.shuffle(kept)
    assert len(bars(table(61)[kept]).rows["BTC/USDT"]) == len(kept)


def scores(*said: tuple[int, str, str]) -> clean.Clean:
    raw = pl.DataFrame(
        {
            "ts_known": [START + at * HOUR_NS for at, _, _ in said],
            "symbol": [symbol for _, symbol, _ in said],
            "horizon": [horizon for _, _, horizon in said],
            "mean": [0.1] * len(said),
            "std": [0.2] * len(said),
        }
    )
    return clean.scores(raw, guess("scores", raw.columns, {}))


def test_of_two_horizons_at_one_time_the_first_of_the_file_stands() -> None:
    got = scores((0, "BTC/USDT", "6h"), (0, "BTC/USDT", "1h"), (0, "ETH/USDT", "1h"), (1, "BTC/USDT", "1h"))
    assert got.rows["BTC/USDT"]["horizon_ns"].tolist() == [6 * HOUR_NS, HOUR_NS]
    assert got.rows["ETH/USDT"]["horizon_ns"].tolist() == [HOUR_NS]
    assert got.dropped == {"BTC/USDT": {clean.SECOND_HORIZON: 1}}
    got = scores((0, "BTC/USDT", "1h"), (0, "BTC/USDT", "6h"), (0, "BTC/USDT", "1h"))
    assert got.rows["BTC/USDT"]["horizon_ns"].tolist() == [HOUR_NS]
    assert got.dropped == {"BTC/USDT": {clean.SECOND_HORIZON: 1, clean.DUPLICATE: 1}}
    got = scores((0, "BTC/USDT", "soon"), (0, "BTC/USDT", "6h"))
    assert got.rows["BTC/USDT"]["horizon_ns"].tolist() == [6 * HOUR_NS]


@pytest.mark.parametrize("interval", [0, 7 * MINUTE_NS, 2 * DAY_NS, SECOND_NS // 2])
def test_odd_intervals_are_refused(interval: int) -> None:
    with pytest.raises(UsageError):
        bars(table(), interval)


def test_a_symbol_column_takes_the_file_apart() -> None:
    raw = pl.concat([table(3).with_columns(symbol=pl.lit(s)) for s in ("AAPL", "MSFT", "  ", "BRK-B")])
    got = bars(raw, symbol=None, quote="USD")
    assert sorted(got.rows) == ["AAPL/USD", "BRK-B/USD", "MSFT/USD"]
    assert lost(got) == 3
    with pytest.raises(UsageError):
        bars(raw, symbol=None)
    with pytest.raises(UsageError):
        bars(table(), symbol=None)


def test_text_cells_are_numbers_or_cost_their_row() -> None:
    raw = table().with_columns(close=pl.Series([" 11 ", "11.0", "eleven", "", "11,0", "1.1e1"]))
    assert lost(bars(raw)) == 3
    with pytest.raises(DataRefused):
        bars(table().with_columns(close=pl.lit(True)))


def test_funding_and_scores() -> None:
    raw = pl.DataFrame({"date": [START, START + 8 * HOUR_NS, START + 16 * HOUR_NS], "funding_rate": [1e-4, 0.9, None]})
    got = clean.funding(raw, guess("funding", raw.columns, {}), symbol="BTC/USDT")
    assert got.rows["BTC/USDT"].tolist() == [(START, 1e-4)]
    assert lost(got) == 2
    raw = pl.DataFrame(
        {
            "ts_known": [START] + [START + HOUR_NS] * 6,
            "symbol": ["BTC/USDT"] * 7,
            "horizon": ["6h", "3600", "60min", "soon", "1h", "2h", "3h"],
            "mean": [0.1, 0.2, 0.2, 0.1, 0.1, 0.1, None],
            "std": [1.0, 1.0, 1.0, 1.0, 0.0, float("nan"), 1.0],
        }
    )
    got = clean.scores(raw, guess("scores", raw.columns, {}))
    rows = got.rows["BTC/USDT"]
    assert rows["horizon_ns"].tolist() == [6 * HOUR_NS, HOUR_NS]  # 3600 s and 60 min are one row said twice
    assert lost(got) == 5


def actions(raw: pl.DataFrame, **how: object) -> clean.Clean:
    mapping = guess("corporate", raw.columns, {})
    return clean.corporate(raw, mapping, **{"symbol": "AAPL/USD", **how})  # type: ignore[arg-type]


def test_splits_and_dividends_come_from_one_table_and_none_of_them_is_none() -> None:
    days = [date(2014, 5, 8), date(2014, 6, 9), date(2014, 8, 7), date(2014, 9, 1)]
    raw = pl.DataFrame({"ex_date": days, "split": [1.0, 7.0, None, 1.0], "dividend": [3.29, 0.0, 0.47, None]})
    rows = actions(raw).rows["AAPL/USD"]
    assert rows.dtype == clean.CORPORATE_ROW
    assert rows["ex_ns"].tolist() == [parse_time(d) for d in ("2014-05-08", "2014-06-09", "2014-08-07")]
    assert rows["what"].tolist() == [2, 1, 2]
    assert rows["value"].tolist() == [3.29, 7.0, 0.47]


def test_an_action_that_cannot_be_is_dropped_and_counted() -> None:
    raw = pl.DataFrame(
        {"date": ["2014-06-09", "2014-06-10", "2014-06-11", "soon", "2014-06-12"], "split": [-2.0, 5e6, 2.0, 2.0, 3.0]}
    )
    got = actions(raw)
    assert got.rows["AAPL/USD"]["value"].tolist() == [2.0, 3.0]
    assert sum(got.dropped["AAPL/USD"].values()) == 3
    with pytest.raises(DataRefused, match="split or dividend"):
        actions(pl.DataFrame({"date": ["2014-06-09"]}))
