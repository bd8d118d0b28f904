"""Timers one after another are those of the whole tape, with sessions and without, however time passes."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.domain import event as ev
from confidence_engine.domain.trading import SESSION_ROW
from confidence_engine.feeds.assemble import timers
from confidence_engine.feeds.ticker import NEVER, Ticker
from confidence_engine.feeds.timing import Params

CLOCK = Params(1, 3, 2, 100, 7, 5)
END = 2_500
TIMES = st.lists(st.integers(50, 2_400), max_size=40)


def table(edges: list[int]) -> np.ndarray:
    """Sessions between each pair of edges."""
    rows = np.zeros(len(edges) // 2, SESSION_ROW)
    edges = sorted(edges)[: 2 * len(rows)]
    rows["open_ns"], rows["close_ns"] = edges[::2], edges[1::2]
    return rows


SESSIONS = st.lists(
    st.sets(st.integers(1, 2_400), min_size=2, max_size=12).map(lambda one: table(list(one))), max_size=2
)


def one_by_one(said: list[int], passes: set[int], sessions: list[np.ndarray], whole: bool, load: int) -> np.ndarray:
    """Evidence at `said`, time looked at whenever it comes and at `passes`, a new process at every third of those."""
    ticker, fired = Ticker(CLOCK, load, 300, sessions, whole), []
    for k, at in enumerate(sorted({*said, *passes, END - 1})):
        fired.append(ticker.until(at - 1))
        for _ in range(said.count(at)):
            ticker.hear(at)
        fired.append(ticker.until(at))
        if k % 3 == 0:
            after = Ticker(CLOCK, load, 300, sessions, whole)
            after.remember(ticker.memory())
            ticker = after
    return np.concatenate(fired)


@given(TIMES, st.sets(st.integers(0, END - 1)), SESSIONS, st.booleans(), st.integers(1, 50))
def test_timers_one_by_one_are_those_of_the_tape(
    said: list[int], passes: set[int], sessions: list[np.ndarray], whole: bool, load: int
) -> None:
    evidence = np.zeros(len(said), ev.EVENT)
    evidence["kind"], evidence["ts_known"] = ev.SIGNAL, sorted(said)
    wanted = timers(evidence, load, END, CLOCK.grid_ns, CLOCK.settle_ns, CLOCK.coalesce_ns, 300, sessions, whole)
    assert one_by_one(said, passes, sessions, whole, load).tobytes() == wanted.tobytes()


def test_it_says_when_it_fires_next_and_fires_once() -> None:
    ticker = Ticker(CLOCK, 1, 0)
    assert ticker.due_ns == 7
    ticker.hear(4)
    ticker.hear(8)
    assert [int(one["ts_known"]) for one in ticker.until(20)] == [7, 9]
    assert ticker.due_ns == 107
    assert not len(ticker.until(106))
    assert Ticker(CLOCK, 1, 0, [table([])], True).due_ns == NEVER
    assert next(itertools.pairwise(Ticker(CLOCK, 1, 0).until(1_000)["ts_known"])) == (7, 107)
