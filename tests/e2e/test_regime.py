"""Regimes on compiled code: any cut of the history is no cut, and any other future leaves the past as it was."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

from confidence_engine.domain.event import bar_events
from confidence_engine.domain.params import params_record
from confidence_engine.domain.units import HOUR_NS
from confidence_engine.kernel import regime
from confidence_engine.kernel.params import Params
from confidence_engine.kernel.state import State
from tests.kernel.world import BAR_NS, START, make_state

BARS = 20_000


@numba.njit(error_model="numpy")  # type: ignore[misc]
def observe(s: Any, events: Any, params: Any, said: Any) -> None:
    for k in range(len(events)):
        regime.observe(s, 0, events[k], params[0].regime)
        said[k] = regime.packed(s, 0)


def tape(seed: int, bars: int = BARS) -> tuple[np.ndarray, np.ndarray]:
    """Events and closing times: volatility in spells, one bar in twenty missing."""
    rng = np.random.default_rng(seed)
    wild = np.repeat(np.exp(rng.normal(0.0, 0.7, bars // 100)), 100)
    moves = 0.002 * wild * rng.standard_t(4, bars)
    close = 100.0 * np.exp(np.cumsum(moves - moves.mean()))
    opened = np.append(100.0, close[:-1])
    at = START + BAR_NS * np.arange(1, bars + 1)
    rows = (opened, np.maximum(opened, close), np.minimum(opened, close), close, np.ones(bars))
    kept = rng.random(bars) > 0.05
    return bar_events(at, at, 0, 1, rows)[kept], at[kept]


def run(state: State, events: np.ndarray) -> np.ndarray:
    said = np.zeros(len(events), np.int64)
    observe(state, events, params_record(Params()), said)
    return said


def resumed(state: State) -> State:
    """A state made anew from the bytes of another."""
    return State(*(np.frombuffer(one.tobytes(), one.dtype).reshape(one.shape).copy() for one in state))


@pytest.mark.parametrize("cuts", [300, pytest.param(10_000, marks=pytest.mark.nightly)])
def test_a_history_cut_anywhere_says_the_same(cuts: int) -> None:
    events, at = tape(1)
    whole, pieces = make_state(), make_state()
    said = run(whole, events)
    assert len(set((said & 7).tolist())) == 5
    edges = np.unique(np.random.default_rng(2).integers(1, len(events), cuts))
    for begin, end in zip([0, *edges], [*edges, len(events)], strict=True):
        pieces = resumed(pieces)
        assert np.array_equal(run(pieces, events[begin:end]), said[begin:end])
    assert pieces.regime.tobytes() == whole.regime.tobytes()
    for f, frame_ns in ((1, HOUR_NS), (2, 4 * HOUR_NS)):
        changed = np.flatnonzero(np.diff(said >> 5 + 5 * f & 31)) + 1
        assert len(changed) > 50
        assert ((at[changed] - 1) // frame_ns != (at[changed - 1] - 1) // frame_ns).all()


@pytest.mark.parametrize("cuts", [20, pytest.param(10_000, marks=pytest.mark.nightly)])
def test_another_future_changes_nothing_before_it(cuts: int) -> None:
    events, _ = tape(1)
    other, _ = tape(9)
    count = min(len(events), len(other))
    said = run(make_state(), events)
    for cut in np.random.default_rng(4).integers(1, count, cuts):
        state = make_state()
        mixed = run(state, np.concatenate([events[:cut], other[other["ts_event"] > events["ts_event"][cut - 1]][:50]]))
        assert np.array_equal(mixed[:cut], said[:cut])
