"""Nothing that is not a sound event touches the state, whatever its numbers are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kernel.money import ended, fill, liquidated
from tests.kernel.world import PERP, START, bar, command, funding, make_params, make_state, new_out, signal, timer

from confidence_engine.domain.event import EVENT, KIND_NAMES, empty, score_events
from confidence_engine.domain.order import CMD_HALT
from confidence_engine.kernel import step
from confidence_engine.kernel.door import sound
from confidence_engine.kernel.out import STATUS_NAMES, STATUS_OK, STATUS_UNKNOWN_KIND, STATUS_UNSOUND
from confidence_engine.kernel.state import state_hash

NAMES = ("x0", "x1", "x2", "x3", "x4")
STATE = make_state(2, **PERP)
at = np.array([START])
SCORE = score_events(at, np.array([1]), 3, np.array([0.01]), np.array([0.02]), np.array([3.6e12]))[0]
BAR = bar(STATE, 1, START, 100.0, 101.0, 99.0, 100.5, 5.0)
GOOD = [BAR, signal(1, START), fill(4, 100, -3), liquidated(100, 5), funding(1, START, 0.001), SCORE, ended(3),
        ended(3, True), command(START, CMD_HALT), timer(START)]  # fmt: skip
BAD = (math.nan, math.inf, -math.inf)


def with_number(event: Any, name: str, value: float) -> Any:
    """A copy with one number changed."""
    copy = np.array([event], EVENT)[0]
    copy[name] = value
    return copy


@pytest.mark.parametrize("event", GOOD, ids=lambda e: KIND_NAMES[int(e.kind)])
def test_a_sound_event_enters(event: Any) -> None:
    assert sound(STATE, event)


@pytest.mark.parametrize("event", GOOD[:-2], ids=lambda e: KIND_NAMES[int(e.kind)])
def test_an_asset_that_does_not_exist_has_no_events(event: Any) -> None:
    for asset in (2, 64, 65_535):
        assert not sound(STATE, with_number(event, "asset", asset))


def test_no_number_may_be_missing_but_a_volume_and_a_mark() -> None:
    used = {13: NAMES, 20: NAMES, 4: NAMES, 6: NAMES, 11: ("x0", "x1"), 21: ("x0", "x1", "x2"), 2: ("x0",), 3: ("x0",),
            33: ("x0",)}  # fmt: skip
    for event in GOOD[:-1]:
        for name in used[int(event.kind)]:
            free = {(13, "x4"): [math.nan], (11, "x1"): [math.nan, -math.inf]}.get((int(event.kind), name), [])
            for value in BAD:
                allowed = any(value == x or (math.isnan(value) and math.isnan(x)) for x in free)
                assert bool(sound(STATE, with_number(event, name, value))) == allowed, (int(event.kind), name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("x0", 102.0), ("x0", 98.0), ("x3", 102.0), ("x3", 98.0), ("x2", 0.0), ("x2", -1.0), ("x4", -1.0)],
)
def test_a_bar_holds_its_open_and_close_above_zero(name: str, value: float) -> None:
    assert not sound(STATE, with_number(BAR, name, value))


def test_a_bar_without_trade_is_a_bar() -> None:
    assert sound(STATE, with_number(BAR, "x4", 0.0))


@pytest.mark.parametrize(("name", "value"), [("x0", 1.1), ("x1", -0.1), ("x2", 1.1), ("x3", 2.0), ("x4", 1e300)])
def test_a_reading_stays_in_its_range(name: str, value: float) -> None:
    assert not sound(STATE, with_number(signal(0, START), name, value))


@pytest.mark.parametrize(("name", "value"), [("x1", 0.0), ("x1", -1.0), ("x2", 0.0), ("x2", 1e19)])
def test_a_score_has_a_deviation_and_a_horizon(name: str, value: float) -> None:
    assert not sound(STATE, with_number(SCORE, name, value))


def test_a_fill_of_nothing_and_an_unknown_command_are_refused() -> None:
    assert not sound(STATE, with_number(fill(1, 100, 1), "x2", 0.0))
    assert not sound(STATE, with_number(fill(1, 100, 1), "x1", 0.0))
    assert not sound(STATE, command(START, 9))


numbers = st.one_of(st.sampled_from([*BAD, 0.0, -1.0, 1.0, 1e308, 5e-324]), st.floats())


@given(
    kind=st.integers(0, 65_535) | st.sampled_from(sorted(KIND_NAMES)), asset=st.integers(0, 3) | st.just(65_535),
    xs=st.tuples(numbers, numbers, numbers, numbers, numbers), marks=st.integers(0, 7),
)  # fmt: skip
def test_no_event_makes_a_step_raise_and_a_refused_one_changes_nothing(
    kind: int, asset: int, xs: tuple[float, ...], marks: int
) -> None:
    state, out, p = make_state(2, **PERP), new_out(2, 64), make_params()
    event = empty(1, kind)[0]
    event.ts_event = event.ts_known = START
    event.asset, event.marks = asset, marks
    for name, x in zip(NAMES, xs, strict=True):
        event[name] = x
    before = state_hash(state)
    with np.errstate(all="ignore"):
        step.step(state, event, p, out)
    status = int(out.head[0].status)
    assert status in STATUS_NAMES
    if status == STATUS_UNSOUND:
        assert state_hash(state) == before
    known = kind in (2, 3, 4, 6, 10, 11, 13, 20, 21, 22, 32, 33, 34)
    assert (status == STATUS_UNKNOWN_KIND) == (not known)
    assert status in (STATUS_OK, STATUS_UNSOUND, STATUS_UNKNOWN_KIND)
