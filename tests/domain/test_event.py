"""The one record: 64 bytes, writers and readers that agree, ranks that put judging last."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from confidence_engine.domain import event as ev

X = ("x0", "x1", "x2", "x3", "x4")


def plain(reader: Any) -> Any:
    """The Python function behind a compiled reader."""
    return getattr(reader, "py_func", reader)


def test_the_record_is_64_bytes_without_holes() -> None:
    assert ev.EVENT.itemsize == 64
    assert ev.EVENT.fields is not None
    ends = [(offset, offset + kind.itemsize) for kind, offset, *_ in ev.EVENT.fields.values()]
    assert [start for start, _ in ends] == [0, *(end for _, end in ends[:-1])]


def test_kind_numbers_are_part_of_the_format() -> None:
    assert {name: kind for kind, name in ev.KIND_NAMES.items()} == {
        "ACK": 1, "REJECT": 2, "CANCELLED": 3, "FILL": 4, "ADL": 5, "LIQUIDATION": 6, "TRANSFER": 7,
        "CORPORATE": 10, "FUNDING": 11, "MARK": 12, "BAR": 13, "QUOTE": 14, "BOOK": 15, "TRADE": 16,
        "SIGNAL": 20, "SCORE": 21, "SESSION": 22,
        "INSTRUMENT": 30, "PARAMS": 31, "FEED": 32, "COMMAND": 33, "TIMER": 34,
    }  # fmt: skip


def test_ranks_order_what_happened_to_us_the_market_the_words_the_operator_and_judging() -> None:
    order = (ev.FILL, ev.CORPORATE, ev.FUNDING, ev.MARK, ev.BAR, ev.QUOTE, ev.SIGNAL, ev.SCORE, ev.SESSION, ev.COMMAND,
             ev.TIMER)  # fmt: skip
    ranks = [int(ev.KIND_RANK[kind]) for kind in order]
    assert ranks == sorted(set(ranks))
    known = [int(ev.KIND_RANK[kind]) for kind in ev.KIND_NAMES]
    assert len(set(known)) == len(known)
    assert max(known) == ev.KIND_RANK[ev.TIMER]
    assert all(ev.KIND_RANK[n] == 255 for n in range(64) if n not in ev.KIND_NAMES)


def test_an_empty_event_is_missing_everything_and_says_so_in_one_bit_pattern() -> None:
    events = ev.empty(3, ev.MARK)
    assert (events["asset"] == ev.NO_ASSET).all()
    for name in X:
        assert events[name].tobytes() == np.full(3, np.nan).tobytes()


def columns(count: int, width: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(7)
    return tuple(rng.normal(size=count) for _ in range(width))


def test_bars_are_read_back_under_their_own_names() -> None:
    ohlcv = columns(4, 5)
    bars = ev.bar_events(np.arange(4), np.arange(4) + 9, 3, 8, ohlcv, ev.BACKFILL)
    readers = (ev.bar_open, ev.bar_high, ev.bar_low, ev.bar_close, ev.bar_volume)
    for reader, column in zip(readers, ohlcv, strict=True):
        assert [plain(reader)(bar) for bar in bars] == column.tolist()
    assert set(bars["kind"]) == {ev.BAR}
    assert bars["ts_event"].tolist() == [0, 1, 2, 3]
    assert bars["ts_known"].tolist() == [9, 10, 11, 12]
    assert (set(bars["asset"]), set(bars["source"]), set(bars["marks"])) == ({3}, {8}, {ev.BACKFILL})


def test_signals_are_read_back_under_their_own_names() -> None:
    reading = columns(4, 5)
    ids = np.arange(4)
    signals = ev.signal_events(ids, ids, ids, ids + 1, reading)  # type: ignore[arg-type]
    readers = (ev.signal_polarity, ev.signal_certainty, ev.signal_novelty, ev.signal_relevance, ev.signal_cluster)
    for reader, column in zip(readers, reading, strict=True):
        assert [plain(reader)(signal) for signal in signals] == column.tolist()
    assert signals["asset"].tolist() == ids.tolist()
    assert signals["source"].tolist() == (ids + 1).tolist()


def test_scores_funding_timers_and_commands_are_read_back() -> None:
    mean, std, horizon = columns(2, 3)
    score = ev.score_events(np.arange(2), np.array([4, 5]), 6, mean, std, horizon)
    for reader, column in ((ev.score_mean, mean), (ev.score_std, std), (ev.score_horizon, horizon)):
        assert [plain(reader)(one) for one in score] == column.tolist()
    funding = ev.funding_events(np.arange(2), np.arange(2) + 1, 0, 1, mean)
    assert [plain(ev.funding_rate)(one) for one in funding] == mean.tolist()
    assert np.isnan([plain(ev.funding_mark)(one) for one in funding]).all()
    timers = ev.timer_events(np.array([5, 6]), grid=True, missed=2)
    assert [plain(ev.timer_is_grid)(one) for one in timers] == [1.0, 1.0]
    assert [plain(ev.timer_missed)(one) for one in timers] == [2.0, 2.0]
    command = ev.command_event(9, 4, 0.5)[0]
    assert (plain(ev.command_code)(command), plain(ev.command_value)(command)) == (4.0, 0.5)
    assert command.asset == ev.NO_ASSET


def test_the_fill_readers_cover_all_five_numbers() -> None:
    fill = ev.empty(1, ev.FILL)
    for value, name in enumerate(X):
        fill[name] = value
    readers = (ev.fill_order, ev.fill_ticks, ev.fill_lots, ev.fill_fee, ev.fill_leaves)
    assert [plain(reader)(fill[0]) for reader in readers] == [0, 1, 2, 3, 4]


def test_columns_of_the_wrong_number_are_refused() -> None:
    with pytest.raises(ValueError, match="argument"):
        ev.bar_events(np.arange(2), np.arange(2), 0, 0, columns(2, 4))


def test_sessions_and_corporate_actions_are_read_as_they_were_written() -> None:
    """Times of whole seconds pass through a float without loss."""
    opened = np.array([1_389_000_600_000_000_000, 4_102_444_799_000_000_000])
    closed, offset, span = opened + 23_400_000_000_000, np.array([-18_000 * 10**9, 0]), np.array([86_400 * 10**9, 1])
    written = ev.session_events(opened, closed, offset, span, 3)
    readers = (ev.session_open, ev.session_close, ev.session_offset, ev.session_span)
    for reader, column in zip(readers, (opened, closed, offset, span), strict=True):
        assert plain(reader)(written.view(np.recarray)).astype(np.int64).tolist() == column.tolist()
    assert written["ts_known"].tolist() == opened.tolist()
    assert (written["asset"] == 3).all()
    done = ev.corporate_events(opened, 5, 2, np.array([1.0, 2.0]), np.array([7.0, 0.47])).view(np.recarray)
    assert plain(ev.corporate_what)(done).tolist() == [ev.SPLIT, ev.DIVIDEND]
    assert plain(ev.corporate_value)(done).tolist() == [7.0, 0.47]


def test_what_a_feed_did_is_read_back_and_every_code_has_a_name() -> None:
    event = ev.feed_event(5, 9, ev.FEED_GAP, 3, 7, 12.0, ev.BAR)[0]
    readers = (ev.feed_what, ev.feed_value, ev.feed_of)
    assert [plain(reader)(event) for reader in readers] == [ev.FEED_GAP, 12.0, ev.BAR]
    assert (event.ts_event, event.ts_known, event.asset, event.source) == (5, 9, 3, 7)
    assert ev.X_NAMES[ev.FEED] == ("what", "value", "of")
    clock = ev.feed_event(5, 5, ev.FEED_CLOCK, value=-3.6e12)[0]
    assert (clock.asset, plain(ev.feed_of)(clock)) == (ev.NO_ASSET, 0.0)
    assert ev.FEED_NAMES == {
        1: "STALE", 2: "GAP", 3: "BACK", 4: "DUPLICATE", 5: "LATE", 6: "REVISED", 7: "CLOCK", 8: "UNSOUND",
    }  # fmt: skip


def test_a_few_bars_are_the_bars_of_the_columns() -> None:
    close, marks = np.array([10, 20]), (ev.ADJUSTED, 0)
    columns = tuple(np.array([k + 0.5, np.nan]) for k in range(5))
    wide = ev.bar_events(close, np.array([25, 25]), 3, 0, columns)
    wide["marks"] = marks
    rows = [
        (at, 3, mark, tuple(c[k] for c in columns)) for k, (at, mark) in enumerate(zip((10, 20), marks, strict=True))
    ]
    assert ev.few_bars(25, rows).tobytes() == wide.tobytes()


def test_joined_is_the_parts_end_to_end_in_memory_of_its_own() -> None:
    parts = [ev.timer_events(np.arange(n) + 1, True) for n in (2, 0, 3)]
    whole = ev.joined(parts)
    assert whole.dtype == ev.EVENT
    assert whole.tobytes() == np.concatenate(parts).tobytes()
    whole["marks"] = ev.BACKFILL
    assert not any(one["marks"].any() for one in parts)
    for nothing in ([], [parts[1]]):
        assert len(ev.joined(nothing)) == 0
        assert ev.joined(nothing).dtype == ev.EVENT
