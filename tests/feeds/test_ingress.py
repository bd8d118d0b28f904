"""The one door: order kept, faults said, memory restorable; a clean feed leaves no trace of itself."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.domain import event as ev
from confidence_engine.domain.errors import DataRefused
from confidence_engine.domain.instrument import Instrument
from confidence_engine.domain.trading import SESSION_ROW
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from confidence_engine.feeds import health, timing
from confidence_engine.feeds.assemble import Piece
from confidence_engine.feeds.clean import BAR_ROW, CORPORATE_ROW, FUNDING_ROW, SCORE_ROW
from confidence_engine.feeds.delivery import BARS, CORPORATE, DOCUMENTS, FUNDING, SCORES, SESSIONS, Delivery
from confidence_engine.feeds.ingress import FEED_STREAM, Ingress
from confidence_engine.feeds.merge import merge, validate

BAR = 5 * MINUTE_NS
START = 19_000 * DAY_NS
LAG = SECOND_NS
PLAIN = health.Params()
DEGRADED = ev.DEGRADED | ev.BACKFILL


def instrument(name: str = "BTC", klass: str = "crypto", calendar: str = "") -> Instrument:
    return Instrument(
        symbol=f"{name}/USDT", venue="v", underlying=name, klass=klass, quote="USDT", tick=0.01, lot=0.001,
        min_notional=1.0, taker=0.0, maker=0.0, half_spread=0.0, calendar=calendar,
    )  # fmt: skip


BTC, ETH = instrument(), instrument("ETH")


def door(params: health.Params = PLAIN, *instruments: Instrument, interval_ns: int = BAR) -> Ingress:
    return Ingress(instruments or (BTC, ETH), interval_ns, timing.Params(), params)


def bar(k: int, c: float = 100.0, **more: float) -> tuple[Any, ...]:
    """The k-th bar since START."""
    row = {"o": 100.0, "h": max(101.0, c), "l": min(99.0, c), "c": c, "v": 5.0} | more
    return (START + k * BAR, START + (k + 1) * BAR, *(row[name] for name in "ohlcv"))


def tenfold(row: tuple[Any, ...], by: float = 10.0) -> tuple[Any, ...]:
    """The bar at other prices."""
    return (*row[:2], *(x * by for x in row[2:6]), row[6])


def at(k: int, late_ns: int = 0) -> int:
    """When the k-th bar is known."""
    return START + (k + 1) * BAR + LAG + late_ns


def bars(known_ns: int, *rows: tuple[Any, ...], key: str = BTC.key) -> Delivery:
    return Delivery(known_ns, BARS, key, np.array(list(rows), BAR_ROW))


def said(pieces: list[Piece]) -> list[tuple[str, int, float]]:
    """(what, asset, value) of the FEED events, NaN as None."""
    events = [one for piece in pieces if piece.stream == FEED_STREAM for one in piece.events]
    return [
        (ev.FEED_NAMES[int(e["x0"])], int(e["asset"]), None if math.isnan(e["x1"]) else float(e["x1"]))
        for e in events
    ]  # fmt: skip


def closes(pieces: list[Piece], kind: int = ev.BAR) -> list[tuple[int, int]]:
    """(ts_event, marks) of what was taken."""
    return [(int(e["ts_event"]), int(e["marks"])) for p in pieces for e in p.events if e["kind"] == kind]


def fed(ingress: Ingress, *ks: int, key: str = BTC.key) -> list[Piece]:
    """Whole bars in time."""
    return [piece for k in ks for piece in ingress.take([bars(at(k), bar(k), key=key)], at(k))]


# Order.


def test_whole_bars_in_time_are_bars_and_nothing_else() -> None:
    pieces = fed(door(), *range(9))
    assert said(pieces) == []
    assert closes(pieces) == [(START + (k + 1) * BAR, 0) for k in range(9)]
    assert {piece.stream for piece in pieces} == {"bars:v:5m"}
    assert [int(piece.events["ts_known"][0]) for piece in pieces] == [at(k) for k in range(9)]


@given(st.permutations([0, 1, 2, 3]))
def test_the_order_inside_a_moment_does_not_matter(order: list[int]) -> None:
    ingress = door()
    fed(ingress, 0)
    items = [
        bars(at(2), bar(1)), bars(at(2), bar(2)), bars(at(2), bar(2), key=ETH.key),
        Delivery(at(2), FUNDING, BTC.key, np.array([(START + 2 * BAR, 0.01)], FUNDING_ROW)),
    ]  # fmt: skip
    pieces = ingress.take([items[k] for k in order], at(2))
    assert [piece.stream for piece in pieces] == ["bars:v:5m", "funding:v", FEED_STREAM][: len(pieces)]
    assert [(int(e["asset"]), int(e["ts_event"])) for e in pieces[0].events] == [
        (0, START + 2 * BAR), (0, START + 3 * BAR), (1, START + 3 * BAR),
    ]  # fmt: skip


def test_the_same_bar_again_is_a_duplicate() -> None:
    ingress = door()
    fed(ingress, 0, 1, 2)
    nan = bar(3, v=math.nan)
    ingress.take([bars(at(3), nan)], at(3))
    for row, behind in ((nan, 0), (bar(1), 2 * BAR)):
        pieces = ingress.take([bars(at(3) + 9, row)], at(3) + 9)
        assert said(pieces) == [("DUPLICATE", 0, float(behind))]
        assert closes(pieces) == []


def test_other_numbers_of_a_known_stamp_are_revised_and_the_first_stands() -> None:
    ingress = door()
    fed(ingress, 0, 1, 2)
    pieces = ingress.take([bars(at(2) + 9, bar(1, 102.0))], at(2) + 9)
    assert said(pieces) == [("REVISED", 0, pytest.approx(0.02))]
    assert closes(pieces) == []
    assert said(ingress.take([bars(at(2) + 19, bar(1))], at(2) + 19)) == [("DUPLICATE", 0, float(BAR))]


def test_what_is_older_than_the_newest_and_unknown_is_late() -> None:
    ingress = door()
    fed(ingress, 0)
    pieces = fed(ingress, 2)
    assert said(pieces) == [("GAP", 0, 1.0)]
    assert closes(pieces) == [(START + 3 * BAR, 0)]
    pieces = ingress.take([bars(at(2) + 9, bar(1))], at(2) + 9)
    assert said(pieces) == [("LATE", 0, float(BAR))]
    assert closes(pieces) == []


# Holes and silence.


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_a_hole_is_over_after_some_whole_bars_in_time(n: int) -> None:
    ingress = door(PLAIN._replace(back_bars=n))
    fed(ingress, 0, 1)
    pieces = fed(ingress, *range(3, 3 + n))
    assert said(pieces) == [("GAP", 0, 1.0), ("BACK", 0, float((n - 1) * BAR))]
    assert said(fed(ingress, 3 + n)) == []


def test_another_hole_starts_the_count_anew() -> None:
    ingress = door()
    fed(ingress, 0)
    names = [what for what, _, _ in said(fed(ingress, 2, 3, 5, 6, 7))]
    assert names == ["GAP", "GAP", "BACK"]


def test_a_thin_market_may_leave_bars_out() -> None:
    ingress = door(PLAIN._replace(missing=2, patience=5.0))
    fed(ingress, 0)
    assert said(fed(ingress, 3)) == []
    assert said(fed(ingress, 7)) == [("GAP", 0, 3.0)]


@pytest.mark.parametrize("patience", [0.5, 1.0, 3.0])
def test_silence_is_said_when_it_is_due_and_once(patience: float) -> None:
    ingress = door(PLAIN._replace(patience=patience))
    assert ingress.due() is None
    fed(ingress, 0)
    due = START + 2 * BAR + LAG + int(patience * BAR) + 1
    assert ingress.due() == due
    assert ingress.watch(due - 1) == []
    pieces = ingress.watch(due)
    assert said(pieces) == [("STALE", 0, float(due - START - BAR))]
    assert pieces[0].events["ts_event"][0] == START + 2 * BAR
    assert pieces[0].events["x2"][0] == ev.BAR
    assert ingress.due() is None
    assert ingress.watch(due + HOUR_NS) == []


def test_what_was_missed_and_comes_at_once_teaches_and_is_marked() -> None:
    ingress = door()
    fed(ingress, 0)
    now = at(5)
    pieces = ingress.take([bars(now, *(bar(k) for k in range(1, 6)))], now)
    assert said(pieces) == [("STALE", 0, float(now - START - BAR))]
    marks = [mark for _, mark in closes(pieces)]
    assert marks == [DEGRADED, DEGRADED, DEGRADED, 0, 0]  # one interval late is in time
    assert set(pieces[0].events["ts_known"]) == {now}
    assert said(fed(ingress, 6)) == [("BACK", 0, float(at(6) - now))]


def test_a_stream_that_stays_late_is_not_back() -> None:
    ingress = door()
    fed(ingress, 0)
    for k in range(1, 9):
        now = at(k, 2 * BAR)
        pieces = ingress.take([bars(now, bar(k))], now)
        assert [mark for _, mark in closes(pieces)] == [DEGRADED]
        assert said(pieces) == ([("STALE", 0, float(now - START - BAR))] if k == 1 else [])


def test_one_asset_is_not_another() -> None:
    ingress = door()
    fed(ingress, 0)
    fed(ingress, 0, key=ETH.key)
    fed(ingress, 1, 2, key=ETH.key)
    assert said(ingress.watch(at(2) + 1)) == [("STALE", 0, float(2 * BAR + LAG + 1))]
    assert said(fed(ingress, 3, key=ETH.key)) == []
    assert ingress.due() == at(4, BAR) + 1


# Rows that cannot be.

BROKEN = [
    (bar(1, c=math.nan), health.PRICE_MISSING),
    (bar(1, h=math.inf), health.PRICE_MISSING),
    (bar(1, l=0.0), health.PRICE_ZERO),
    (bar(1, o=-1.0), health.PRICE_ZERO),
    (bar(1, h=99.5), health.RANGE),
    (bar(1, l=100.5), health.RANGE),
    (bar(1, v=-1.0), health.VOLUME),
    (bar(1, v=math.inf), health.VOLUME),
    ((START + BAR + 1, START + 2 * BAR + 1, *bar(1)[2:]), health.STAMP),
    ((START + BAR, START + 3 * BAR, *bar(1)[2:]), health.STAMP),
    ((0, BAR, *bar(1)[2:]), health.STAMP),
    (bar(2), health.UNFINISHED),
    (tenfold(bar(1)), health.SPIKE),
    (bar(1, h=501.0), health.SPIKE),
    (bar(1, l=19.9), health.SPIKE),
]


@pytest.mark.parametrize(("row", "rule"), BROKEN)
def test_a_row_that_cannot_be_is_refused_whole_and_said(row: tuple[Any, ...], rule: int) -> None:
    ingress = door()
    fed(ingress, 0)
    pieces = ingress.take([bars(at(1), row)], at(1))
    assert said(pieces) == [("UNSOUND", 0, float(rule))]
    assert closes(pieces) == []
    pieces = ingress.take([bars(at(1) + 9, bar(1))], at(1) + 9)  # the right one may still come
    assert said(pieces) == []
    assert closes(pieces) == [(START + 2 * BAR, 0)]


def test_a_price_that_the_next_bar_confirms_is_the_market() -> None:
    ingress = door()
    fed(ingress, 0)
    far = [tenfold(bar(n)) for n in (1, 2)]
    assert said(ingress.take([bars(at(1), far[0])], at(1))) == [("UNSOUND", 0, float(health.SPIKE))]
    pieces = ingress.take([bars(at(2), far[1])], at(2))
    assert said(pieces) == [("GAP", 0, 1.0)]
    assert closes(pieces) == [(START + 3 * BAR, 0)]


def test_a_split_is_no_spike() -> None:
    ingress = door()
    fed(ingress, 0)
    split = Delivery(at(0) + 9, CORPORATE, BTC.key, np.array([(START + BAR, ev.SPLIT, 10.0)], CORPORATE_ROW))
    assert closes(ingress.take([split], at(0) + 9), ev.CORPORATE) == [(START + BAR, 0)]
    tenth = tenfold(bar(1), 0.1)
    assert said(ingress.take([bars(at(1), tenth)], at(1))) == []


# Funding, scores, sessions, corporate actions.


@pytest.mark.parametrize(
    ("kind", "dtype", "first", "other", "bad", "of"),
    [
        (FUNDING, FUNDING_ROW, (START, 0.01), (START, 0.02), (START + 9, math.nan), ev.FUNDING),
        (FUNDING, FUNDING_ROW, (START, 0.01), (START, 0.02), (START + 9, 0.6), ev.FUNDING),
        (SCORES, SCORE_ROW, (START, 60, 0.01, 1.0), (START, 60, 0.02, 1.0), (START + 9, 60, 0.1, 0.0), ev.SCORE),
        (SCORES, SCORE_ROW, (START, 60, 0.01, 1.0), (START, 60, 0.02, 1.0), (START + 9, 0, 0.1, 1.0), ev.SCORE),
    ],
)
def test_stamped_rows(kind: str, dtype: Any, first: Any, other: Any, bad: Any, of: int) -> None:
    ingress = door()

    def take(row: Any) -> list[Piece]:
        return ingress.take([Delivery(START + HOUR_NS, kind, ETH.key, np.array([row], dtype))], START + HOUR_NS)

    assert closes(take(first), of) == [(START, 0)]
    assert said(take(first)) == [("DUPLICATE", 1, 0.0)]
    assert said(take(other)) == [("REVISED", 1, pytest.approx(1.0))]
    assert said(take((START - 1, *first[1:]))) == [("LATE", 1, 1.0)]
    assert said(take((START + 2 * HOUR_NS, *first[1:]))) == [("UNSOUND", 1, float(health.UNFINISHED))]
    assert [what for what, _, _ in said(take(bad))] == ["UNSOUND"]
    assert closes(take((START + 9, *first[1:])), of) == [(START + 9, 0)]


STOCK = instrument("AAPL", "equity", "XNYS")
OPEN = START + 14 * HOUR_NS


def session(day: int, close_ns: int = 6 * HOUR_NS, at_ns: int = 0) -> Delivery:
    opened = OPEN + day * DAY_NS
    row = (opened, opened + close_ns, -5 * HOUR_NS, close_ns)
    return Delivery(at_ns or opened, SESSIONS, "XNYS", np.array([row], SESSION_ROW))


def test_sessions_are_known_once_and_may_end_at_another_time() -> None:
    ingress = door(PLAIN, STOCK)
    assert closes(ingress.take([session(0)], OPEN), ev.SESSION) == [(OPEN, 0)]
    assert said(ingress.take([session(0)], OPEN + 1)) == [("DUPLICATE", ev.NO_ASSET, 0.0)]
    assert closes(ingress.take([session(0, 3 * HOUR_NS)], OPEN + 2), ev.SESSION) == [(OPEN, 0)]
    assert said(ingress.take([session(1, at_ns=OPEN + 3)], OPEN + 3)) == [
        ("UNSOUND", ev.NO_ASSET, float(health.UNFINISHED))
    ]
    assert closes(ingress.take([session(1)], OPEN + DAY_NS), ev.SESSION) == [(OPEN + DAY_NS, 0)]
    assert said(ingress.take([session(0, at_ns=OPEN + DAY_NS)], OPEN + DAY_NS)) == [
        ("LATE", ev.NO_ASSET, float(DAY_NS))
    ]


def test_a_night_makes_no_stock_stale_and_a_silent_morning_does() -> None:
    ingress = door(PLAIN, STOCK)
    ingress.take([session(0)], OPEN)
    last = (OPEN + 6 * HOUR_NS - BAR, OPEN + 6 * HOUR_NS, *bar(0)[2:])
    ingress.take([bars(OPEN + 6 * HOUR_NS + LAG, last, key=STOCK.key)], OPEN + 6 * HOUR_NS + LAG)
    assert ingress.due() is None
    ingress.take([session(1)], OPEN + DAY_NS)
    assert ingress.due() == OPEN + DAY_NS + 2 * BAR + LAG + 1
    assert [what for what, _, _ in said(ingress.watch(OPEN + DAY_NS + HOUR_NS))] == ["STALE"]


def test_a_corporate_action_waits_for_its_session_and_is_late_once_that_was_traded() -> None:
    ingress = door(PLAIN, STOCK)
    ingress.take([session(0)], OPEN)
    ex = START + DAY_NS
    told = Delivery(OPEN, CORPORATE, STOCK.key, np.array([(ex, ev.DIVIDEND, 1.5)], CORPORATE_ROW))
    assert ingress.take([told], OPEN + 1) == []
    assert said(ingress.take([told], OPEN + 2)) == [("DUPLICATE", 0, 0.0)]
    pieces = ingress.take([session(1)], OPEN + DAY_NS)
    assert [piece.stream for piece in pieces] == ["corporate:v", "sessions:XNYS"]
    assert closes(pieces, ev.CORPORATE) == [(OPEN + DAY_NS, 0)]
    traded = (OPEN + DAY_NS, OPEN + DAY_NS + BAR, *bar(0)[2:])
    now = OPEN + DAY_NS + BAR + LAG
    ingress.take([bars(now, traded, key=STOCK.key)], now)
    late = Delivery(now, CORPORATE, STOCK.key, np.array([(ex, ev.SPLIT, 2.0)], CORPORATE_ROW))
    assert said(ingress.take([late], now)) == [("LATE", 0, float(BAR + LAG))]
    broken = Delivery(now, CORPORATE, STOCK.key, np.array([(ex, ev.SPLIT, 0.0)], CORPORATE_ROW))
    assert said(ingress.take([broken], now)) == [("UNSOUND", 0, float(health.ACTION))]


@pytest.mark.parametrize(
    "one", [bars(at(0), bar(0), key="X/Y@z"), session(0), Delivery(at(0), "gossip", BTC.key, None)]
)
def test_what_is_not_of_this_run_is_refused(one: Delivery) -> None:
    with pytest.raises(DataRefused):
        door().take([one], at(0))


# News and the clock.


def news(known_ns: int) -> Delivery:
    return Delivery(known_ns, DOCUMENTS, "")


def test_silence_of_the_news_is_of_no_asset_and_ends_with_the_next_word() -> None:
    ingress = door(PLAIN._replace(news_silence_ns=HOUR_NS))
    ingress.take([news(START)], START)
    assert ingress.due() == START + HOUR_NS + 1
    assert said(ingress.watch(START + HOUR_NS)) == []
    assert said(ingress.watch(START + HOUR_NS + 1)) == [("STALE", ev.NO_ASSET, float(HOUR_NS + 1))]
    pieces = ingress.take([news(START + 2 * HOUR_NS)], START + 2 * HOUR_NS)
    assert said(pieces) == [("BACK", ev.NO_ASSET, float(HOUR_NS))]
    assert pieces[0].events["x2"][0] == ev.SIGNAL


@pytest.mark.parametrize("step", [5 * SECOND_NS, -5 * SECOND_NS, HOUR_NS, -HOUR_NS])
def test_a_step_of_the_clock_is_seen_beside_a_steady_one_and_is_over_when_it_settled(step: int) -> None:
    ingress = door()
    known, rows = 0, []
    for minute in range(140):
        steady = minute * MINUTE_NS
        clock = START + steady + (step if minute >= 20 else 0)
        known = max(known, clock)
        rows += [(minute, *one) for one in said(ingress.watch(known, clock, steady))]
    (first, what, asset, value), (last, back, _, _) = rows
    assert (first, what, asset, value, back) == (20, "CLOCK", ev.NO_ASSET, float(step), "BACK")
    assert last == (80 if step == -HOUR_NS else 22)  # a minute's settling, and not while it is behind what is known


def test_without_a_steady_clock_only_a_step_back_is_seen() -> None:
    ingress = door()
    assert ingress.watch(START, START) == []
    assert ingress.watch(START + HOUR_NS, START + HOUR_NS) == []
    assert said(ingress.watch(START + HOUR_NS, START)) == [("CLOCK", ev.NO_ASSET, float(-HOUR_NS))]


def test_small_steps_are_tolerated_and_lift_what_is_just_over() -> None:
    ingress = door()
    close = START + BAR
    pieces = ingress.take([bars(close - SECOND_NS, bar(0))], close - SECOND_NS)
    assert said(pieces) == []
    assert pieces[0].events["ts_known"].tolist() == [close]
    pieces = ingress.take([bars(close + BAR - SECOND_NS - 1, bar(1))], close + BAR - SECOND_NS - 1)
    assert said(pieces) == [("UNSOUND", 0, float(health.UNFINISHED))]


# Everything together.

steps = st.lists(
    st.tuples(
        st.integers(0, 3), st.integers(-3, 3), st.sampled_from([0, 1]), st.sampled_from([0, 0, 0, 0, 1, 2, 3]),
        st.sampled_from([0, 0, 0, 5 * SECOND_NS, -HOUR_NS]),
    ),
    max_size=40,
)  # fmt: skip


def wander(moves: list[tuple[int, int, int, int, int]]) -> list[tuple[int, int, list[Delivery]]]:
    """(known, steady, deliveries) of feeds that do anything."""
    found, newest, steady, known = [], [0, 0], 0, 0
    for wait, ahead, asset, how, off in moves:
        steady += wait * BAR + SECOND_NS
        clock = START + 9 * BAR + steady + off
        known = max(known, clock)
        k = max(newest[asset] + ahead, 0)
        newest[asset] = max(newest[asset], k)
        row = [bar(k), bar(k, 102.0), bar(k, math.nan), tenfold(bar(k))][how]
        found.append((known, steady, [bars(clock, row, key=(BTC, ETH)[asset].key), news(clock)]))
    return found


def walked(ingress: Ingress, moments: list[tuple[int, int, list[Delivery]]]) -> list[Piece]:
    return [piece for known, steady, items in moments for piece in ingress.take(items, known, steady)]


RESTLESS = PLAIN._replace(back_bars=1, news_silence_ns=10 * MINUTE_NS, clock_settle_ns=MINUTE_NS)


@given(steps, st.integers(0, 40))
def test_cut_anywhere_and_restored_it_says_the_same(moves: list[Any], cut: int) -> None:
    moments = wander(moves)
    whole = [(p.stream, p.events.tobytes()) for p in walked(door(RESTLESS), moments)]
    first = door(RESTLESS)
    parts = walked(first, moments[:cut])
    second = door(RESTLESS)
    second.restore(json.loads(json.dumps(first.state(), allow_nan=False)))
    assert second.due() == first.due()
    parts += walked(second, moments[cut:])
    assert [(p.stream, p.events.tobytes()) for p in parts] == whole


@given(steps)
def test_the_total_order_keeps_what_was_said_and_is_valid(moves: list[Any]) -> None:
    """A journal may be merged anew: bits stand as they stood when the events were said."""
    pieces = walked(door(RESTLESS), wander(moves))
    events = merge([piece.events for piece in pieces])
    validate(events, 2)
    stops = (ev.FEED_STALE, ev.FEED_GAP, ev.FEED_CLOCK)

    def bits(rows: Any) -> list[tuple[int, dict[tuple[int, float], bool]]]:
        state: dict[tuple[int, float], bool] = {}
        turns = []
        for e in rows:
            if e["kind"] == ev.FEED and e["x0"] in (*stops, ev.FEED_BACK):
                state[int(e["asset"]), float(e["x2"])] = e["x0"] in stops
                turns.append((int(e["ts_known"]), dict(state)))
        return [turns[k] for k in range(len(turns)) if k + 1 == len(turns) or turns[k][0] != turns[k + 1][0]]

    as_said = bits([e for piece in pieces for e in piece.events])
    assert bits(events) == as_said


@given(steps)
def test_no_bar_enters_twice_or_goes_back(moves: list[Any]) -> None:
    last = {0: 0, 1: 0}
    for piece in walked(door(RESTLESS), wander(moves)):
        for e in piece.events[piece.events["kind"] == ev.BAR]:
            assert e["ts_event"] > last[int(e["asset"])]
            assert e["ts_known"] >= e["ts_event"]
            last[int(e["asset"])] = int(e["ts_event"])


@given(steps)
def test_neutral_parameters_stop_nothing(moves: list[Any]) -> None:
    named = {what for what, _, _ in said(walked(door(health.NEUTRAL), wander(moves)))}
    assert named <= {"DUPLICATE", "REVISED", "LATE", "UNSOUND"}


def test_what_is_known_from_elsewhere_is_remembered() -> None:
    ingress = door()
    ingress.prime(BTC.key, np.array([bar(k) for k in range(5)], BAR_ROW))
    assert ingress.due() == at(5, BAR) + 1
    assert said(fed(ingress, 4)) == [("DUPLICATE", 0, 0.0)]
    assert said(fed(ingress, 6)) == [("GAP", 0, 1.0)]
