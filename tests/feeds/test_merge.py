"""The total order: the same bytes from any order of parts and rows, and every fault named where it stands."""

from __future__ import annotations

import random
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.domain import event as ev
from confidence_engine.domain.errors import DataRefused
from confidence_engine.feeds import merge as merging
from confidence_engine.feeds.merge import merge, validate

_NAMES = ("ts_event", "ts_known", "kind", "asset", "source", "marks", "x0", "x1", "x2", "x3", "x4")


def _events(rows: list[tuple[int, int, int, int, int, float]]) -> np.ndarray:
    out = np.zeros(len(rows), ev.EVENT)
    for name, column in zip(
        ("ts_known", "kind", "source", "asset", "ts_event", "x0"), zip(*rows, strict=True), strict=True
    ):
        out[name] = column
    return out


def _slow(events: np.ndarray) -> list[bytes]:
    """The order as ARCHITECTURE.md writes it down, one tuple an event, equal bytes once."""
    keyed = {
        (
            int(e["ts_known"]),
            int(ev.KIND_RANK[e["kind"]]),
            int(e["source"]),
            int(e["asset"]),
            int(e["ts_event"]),
            e.tobytes(),
        )
        for e in events
    }
    return [key[-1] for key in sorted(keyed)]


small = st.tuples(
    st.integers(1, 4),
    st.sampled_from([ev.FILL, ev.BAR, ev.SIGNAL, ev.TIMER]),  # few of each, so that keys do tie
    st.integers(0, 1),
    st.sampled_from([0, ev.NO_ASSET]),
    st.integers(0, 1),
    st.sampled_from([0.0, 1.0, -1.0, float("nan")]),
)


@given(st.lists(small, min_size=1, max_size=60), st.integers(1, 5), st.randoms())
def test_merge_is_the_plain_sort_however_the_rows_are_dealt(rows: list[Any], parts: int, chance: random.Random) -> None:
    """Row by row, as a few are, and by columns, as many are."""
    events = _events(rows)
    expected = _slow(events)
    for few in (merging._FEW, merging._FEW, 0, 0, 0):
        shuffled = events[chance.sample(range(len(events)), len(events))]
        with mock.patch.object(merging, "_FEW", few):
            got = merge(np.array_split(shuffled, parts))
        assert [e.tobytes() for e in got] == expected
        got["marks"] |= 1  # its own memory, and writable
    assert not events["marks"].any()


def test_nothing_merges_to_nothing() -> None:
    assert len(merge([])) == 0
    assert merge([np.zeros(0, ev.EVENT)]).dtype == ev.EVENT


def bars(n: int = 5, asset: int = 0, source: int = 0, start: int = 100) -> np.ndarray:
    close = start + 10 * np.arange(n)
    one = np.ones(n)
    return ev.bar_events(close, close + 1, asset, source, (one * 10, one * 12, one * 9, one * 11, one))


def signals(n: int = 3, start: int = 101) -> np.ndarray:
    known = start + 10 * np.arange(n)
    half = np.full(n, 0.5)
    ids = np.zeros(n, np.uint16)
    return ev.signal_events(known - 5, known, ids, ids + 1, (half, half, half, half, np.arange(n) * 1.0))


def scores(n: int = 3) -> np.ndarray:
    one = np.ones(n)
    return ev.score_events(101 + np.arange(n), np.zeros(n, np.uint16), 2, one * 0.1, one, one * 60)


def whole() -> np.ndarray:
    pay = ev.funding_events(np.array([99]), np.array([101]), 0, 3, np.array([1e-4]))
    return merge([ev.timer_events(np.array([103, 113]), True), scores(), signals(), pay, bars(), bars(asset=1)])


def test_a_good_tape_passes_in_any_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    tape = whole()
    for chunk in (1, 2, 3, 1 << 19):
        monkeypatch.setattr(merging, "_CHUNK", chunk)
        validate(tape, assets=2, underlyings=1)
    validate(tape[:0])


_FAULTS = [
    (ev.BAR, "kind", 63, "no such kind"),
    (ev.BAR, "kind", 9_999, "no such kind"),
    (ev.BAR, "marks", 64, "no such mark"),
    (ev.BAR, "ts_event", 10**6, "known before it happened"),
    (ev.BAR, "x3", np.nan, "price is missing"),
    (ev.BAR, "x0", -10.0, "price is missing"),
    (ev.BAR, "x1", 10.5, "high and low"),
    (ev.BAR, "x4", -1.0, "volume"),
    (ev.BAR, "asset", 9, "does not exist"),
    (ev.BAR, "asset", ev.NO_ASSET, "does not exist"),
    (ev.FUNDING, "x0", np.nan, "rate missing"),
    (ev.SIGNAL, "x0", 1.5, "polarity"),
    (ev.SIGNAL, "x1", np.nan, "certainty"),
    (ev.SIGNAL, "x2", -0.1, "novelty"),
    (ev.SIGNAL, "x3", 2.0, "relevance"),
    (ev.SIGNAL, "x4", np.nan, "cluster"),
    (ev.SIGNAL, "asset", 1, "does not exist"),
    (ev.SCORE, "x0", np.inf, "mean"),
    (ev.SCORE, "x1", 0.0, "std"),
    (ev.SCORE, "x2", np.nan, "horizon"),
    (ev.TIMER, "x0", 0.5, "neither on the grid"),
]


@pytest.mark.parametrize("chunk", [1, 4, 1 << 19])
@pytest.mark.parametrize(("kind", "field", "value", "why"), _FAULTS)
def test_each_fault_is_named_where_it_stands(
    kind: int, field: str, value: float, why: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "_CHUNK", chunk)
    tape = whole()
    at = int(np.flatnonzero(tape["kind"] == kind)[-1])
    tape[field][at] = value
    with pytest.raises(DataRefused, match=f"event {at} .*{why}"):
        validate(tape, assets=2, underlyings=1)


@pytest.mark.parametrize("chunk", [1, 3, 1 << 19])
@given(data=st.data())
def test_two_events_changed_places_are_found(data: st.DataObject, chunk: int) -> None:
    tape = whole()
    i = data.draw(st.integers(0, len(tape) - 2))
    j = data.draw(st.integers(i + 1, len(tape) - 1))
    tape[[i, j]] = tape[[j, i]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merging, "_CHUNK", chunk)
        with pytest.raises(DataRefused, match=r"order|in front of it|two things"):
            validate(tape, assets=2, underlyings=1)


def test_two_different_bars_of_one_stream_at_one_time_are_refused_and_equal_ones_are_one() -> None:
    assert len(merge([bars(), bars()])) == 5
    other = bars()
    other["x4"][2] = 7.0
    with pytest.raises(DataRefused, match="two things"):
        validate(merge([bars(), other]))


def exchange() -> np.ndarray:
    """A session and a split on one tape."""
    hours = (np.array([1_000]), np.array([2_000]), np.array([0]), np.array([1_000]))
    split = ev.corporate_events(np.array([1_000]), 0, 1, np.array([float(ev.SPLIT)]), np.array([2.0]))
    return merge([ev.session_events(*hours, 1), split])


@pytest.mark.parametrize(
    ("kind", "field", "value", "why"),
    [
        (ev.SESSION, "x1", 900.0, "ends before it begins"),
        (ev.SESSION, "ts_event", 1_001, "known before it happened"),
        (ev.CORPORATE, "x0", 3.0, "neither a split nor a dividend"),
        (ev.CORPORATE, "x1", 0.0, "value missing"),
        (ev.CORPORATE, "asset", 2, "does not exist"),
    ],
)
def test_faults_of_sessions_and_of_corporate_actions_are_named(kind: int, field: str, value: float, why: str) -> None:
    tape = exchange()
    assert tape["kind"].tolist() == [ev.CORPORATE, ev.SESSION]
    validate(tape, assets=2, underlyings=1)
    tape[field][tape["kind"] == kind] = value
    with pytest.raises(DataRefused, match=why):
        validate(tape, assets=2, underlyings=1)


def _recorded() -> np.ndarray:
    """A recorded stretch with what feeds and an operator said."""
    said = [
        ev.feed_event(900, 1_000, ev.FEED_STALE, 1, 3, 50.0, ev.BAR),
        ev.feed_event(1_000, 1_000, ev.FEED_CLOCK, value=-5e9),
        ev.command_event(1_000, 1),
        ev.timer_events(np.array([1_000]), True),
    ]
    return merge(said)


def test_a_recorded_tape_holds_what_feeds_and_operators_said() -> None:
    events = _recorded()
    assert events["kind"].tolist() == [ev.FEED, ev.FEED, ev.COMMAND, ev.TIMER]
    validate(events, 2, 2)


@pytest.mark.parametrize(
    ("at", "field", "value", "why"),
    [
        (1, "x0", 0.0, "a feed did nothing that is known"),
        (1, "x2", 19.0, "a feed that brings no kind there is"),
        (1, "asset", 2, "does not exist"),
        (1, "ts_event", 1_001, "known before it happened"),
        (2, "x0", 9.0, "no such command"),
        (2, "x0", np.nan, "no such command"),
    ],
)
def test_faults_of_what_feeds_and_operators_said_are_named(at: int, field: str, value: float, why: str) -> None:
    events = _recorded()
    where = int(np.flatnonzero(events["asset"] == 1)[0]) if at == 1 else at
    events[field][where] = value
    with pytest.raises(DataRefused, match=why):
        validate(events, 2, 2)
