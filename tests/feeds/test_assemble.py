"""The tape of a run: timers that look back only, ids that the future cannot change, marks where they belong."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.domain import event as ev
from confidence_engine.domain.errors import DataRefused
from confidence_engine.feeds.assemble import (
    Piece,
    Tape,
    Window,
    assemble,
    bar_piece,
    funding_piece,
    score_piece,
    timers,
)
from confidence_engine.feeds.clean import BAR_ROW, FUNDING_ROW, SCORE_ROW
from confidence_engine.feeds.timing import Params

GRID, SETTLE, COALESCE = 100, 7, 5
CLOCK = Params(1, 3, 2, GRID, SETTLE, COALESCE)
times = st.lists(st.integers(1, 2_000), max_size=40)


def evidence(at: list[int], kind: int = ev.SIGNAL) -> np.ndarray:
    out = np.zeros(len(at), ev.EVENT)
    out["kind"], out["ts_known"], out["ts_event"] = kind, at, at
    out["x1"] = out["x2"] = 1.0
    out["x4"] = np.arange(len(at))
    return out


def ticks(at: list[int], start: int = 0, end: int = 2_500, before: int = 0) -> np.ndarray:
    return timers(evidence(sorted(at)), start, end, GRID, SETTLE, COALESCE, before)


def test_grid_timers_stand_at_k_grid_plus_settle() -> None:
    assert ticks([], 0, 308)["ts_known"].tolist() == [7, 107, 207, 307]
    assert ticks([], 7, 307)["ts_known"].tolist() == [7, 107, 207]
    assert ticks([], 8, 307)["ts_known"].tolist() == [107, 207]
    assert timers(evidence([]), 0, 30, 10, 12, 1, 0)["ts_known"].tolist() == [2, 12, 22]


@pytest.mark.parametrize(
    ("at", "fired"),
    [
        ([50], [55]),
        ([50, 52, 55], [55]),  # what arrives at the very time shares it: a TIMER is last at its time
        ([50, 56], [55, 61]),
        ([102], []),  # 107 is on the grid, and the grid wins
        ([102, 103, 108], [113]),
    ],
)
def test_evidence_is_judged_once_a_burst(at: list[int], fired: list[int]) -> None:
    got = ticks(at, 0, 200)
    assert got["ts_known"][got["x0"] == 0.0].tolist() == fired
    assert len(np.unique(got["ts_known"])) == len(got)


@given(times, st.integers(1, 2_000))
def test_timers_depend_on_nothing_that_comes_after_them(at: list[int], cut: int) -> None:
    everything = ticks(at)
    before = ticks([t for t in at if t <= cut])
    assert everything[everything["ts_known"] <= cut].tobytes() == before[before["ts_known"] <= cut].tobytes()


@given(times)
def test_every_piece_of_evidence_is_judged_within_the_delay(at: list[int]) -> None:
    fired = ticks(at)["ts_known"]
    for t in at:
        assert ((fired >= t) & (fired <= t + COALESCE)).any()


def test_scores_are_evidence_and_bars_are_not() -> None:
    for kind, n in ((ev.SCORE, 1), (ev.SIGNAL, 1), (ev.BAR, 0), (ev.FUNDING, 0)):
        got = timers(evidence([50], kind), 0, 100, GRID, SETTLE, COALESCE, 0)
        assert int((got["x0"] == 0.0).sum()) == n


def bar_rows(n: int = 20) -> np.ndarray:
    out = np.empty(n, BAR_ROW)
    out["open_ns"] = 100 * np.arange(n)
    out["close_ns"] = out["open_ns"] + 100
    out["o"], out["h"], out["l"], out["c"], out["v"] = 10.0, 20.0, 5.0, 12.0 + np.arange(n) % 3, 1.0
    return out


WINDOW = Window(250, 801, 1_700)  # the bar that is over at 800 is known at 801: decided upon


def tape(chance: random.Random | None = None, news: list[tuple[int, int]] | None = None, last: int = 20) -> Tape:
    told = [(t, p) for t, p in (news or [(300, 1), (900, 0), (950, 1), (1_500, 2)])]
    heard = evidence([t for t, _ in told])
    heard["source"] = [p for _, p in told]
    pay = np.array([(t, 1e-4) for t in range(0, 2_000, 400) if t < 100 * last], FUNDING_ROW)
    told_scores = np.array([(t, 60, 0.1, 1.0) for t in (310, 1_200) if t < 100 * last], SCORE_ROW)
    pieces = [
        bar_piece(bar_rows(last), 0, "perp", 60 * 10**9, 1, WINDOW),
        bar_piece(bar_rows(last), 1, "perp", 60 * 10**9, 1, WINDOW),
        bar_piece(bar_rows(last), 2, "spot", 60 * 10**9, 1, WINDOW),
        funding_piece(pay, 0, "perp", 2, WINDOW),
        score_piece(told_scores, 0, "", WINDOW),
    ]
    if chance is not None:
        chance.shuffle(pieces)
        heard = heard[chance.sample(range(len(heard)), len(heard))]
        pieces = [Piece(p.stream, p.events[chance.sample(range(len(p.events)), len(p.events))]) for p in pieces]
    return assemble(pieces, heard, ["x", "y", "z"], WINDOW, CLOCK, assets=3, underlyings=1)


@given(st.randoms())
def test_any_order_of_pieces_and_rows_gives_the_same_bytes(chance: random.Random) -> None:
    plain, shuffled = tape(), tape(chance)
    assert shuffled.events.tobytes() == plain.events.tobytes()
    assert shuffled.streams == plain.streams


def test_latency_window_and_marks() -> None:
    got = tape()
    events = got.events
    assert events["ts_known"].min() >= WINDOW.load_ns
    assert events["ts_known"].max() < WINDOW.end_ns
    bars = events[(events["kind"] == ev.BAR) & (events["asset"] == 0)]
    assert bars["ts_known"].tolist() == [c + 1 for c in range(300, 1_700, 100)]
    assert (bars["ts_event"] == bars["ts_known"] - 1).all()
    assert ((events["marks"] & ev.BACKFILL > 0) == (events["ts_known"] < WINDOW.start_ns)).all()
    assert (
        assemble([], evidence([900]), ["x"], WINDOW, CLOCK, marks=ev.SYNTHETIC).events["marks"] & ev.SYNTHETIC
    ).all()


def test_streams_are_numbered_as_they_are_first_heard() -> None:
    names = tape().streams.names
    assert names == ("news:y", "bars:perp:1m", "bars:spot:1m", "scores:any", "funding:perp", "news:x", "news:z")
    assert tape().streams.id_of("news:x") == 5
    with pytest.raises(DataRefused):
        tape().streams.id_of("news:w")


@given(st.integers(260, 1_650), st.lists(st.tuples(st.integers(1, 1_600), st.integers(0, 2)), max_size=10))
def test_what_comes_later_changes_nothing_that_was_known(cut: int, news: list[tuple[int, int]]) -> None:
    news = list(dict.fromkeys(sorted(news)))
    full = tape(news=[*news, (cut + 1, 2)]).events
    past = tape(news=[*[n for n in news if n[0] <= cut], (1_690, 0)], last=cut // 100 + 1).events
    a, b = full[full["ts_known"] <= cut].copy(), past[past["ts_known"] <= cut].copy()
    # The cluster ids come from the test's own numbering of the items, which is by position and so the same.
    assert a.tobytes() == b.tobytes()


def test_a_tape_is_validated() -> None:
    with pytest.raises(DataRefused, match="does not exist"):
        assemble([bar_piece(bar_rows(), 3, "perp", 60, 1, WINDOW)], evidence([]), [], WINDOW, CLOCK, assets=3)
    wrong = bar_rows()
    wrong["h"] = 1.0
    with pytest.raises(DataRefused, match="high and low"):
        assemble([bar_piece(wrong, 0, "perp", 60, 1, WINDOW)], evidence([]), [], WINDOW, CLOCK)


def test_a_repeated_record_is_counted() -> None:
    twice = [bar_piece(bar_rows(), 0, "perp", 60 * 10**9, 1, WINDOW) for _ in range(2)]
    got = assemble(twice, evidence([]), [], WINDOW, CLOCK)
    assert got.repeated == 14
