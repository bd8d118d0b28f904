"""Exits: levels frozen at the entry, a ratchet that only tightens and only from closed bars, a time, and a halt."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kernel.money import intents, priced, said
from tests.kernel.world import BAR_NS, START, command, decision, make_params, make_state, new_out

from confidence_engine.domain.order import CMD_FLATTEN, CMD_HALT, INTENT_AMEND, WHY_FLATTEN, WHY_STOP, WHY_TIME
from confidence_engine.domain.units import HOUR_NS
from confidence_engine.kernel import exits, risk

TICK = 0.01
prices = st.floats(90.0, 110.0)


def held(side: int, price: float = 100.0, atr: float = 1.0, **more: Any) -> tuple[Any, Any]:
    """State and output with a position of ours, planned at `price`, entered there, its stop at the venue."""
    state, out = make_state(1), new_out(1, 4096)
    priced(state, price, atr=atr)
    h, b = state.head[0], state.book[0]
    h.now_ns = START
    d = decision(side=side, price=price)
    p = make_params(exits=more).exits
    exits.plan(state, 0, d, exits.distance(state, 0, d, p), p)
    b.lots, b.entry_price, b.stop_id, b.target_id, b.opened_ns = side * 1000, price, 2, 3, START
    h.order_seq = 3
    b.best = math.nan
    return state, out


def bar(state: Any, high: float, low: float) -> None:
    """A closed bar, as `step` would show it to the exits."""
    a = state.asset[0]
    a.high, a.low = high, low
    a.close_ns += BAR_NS
    state.head[0].now_ns = a.close_ns + 1
    exits.reach(state, 0)


@given(side=st.sampled_from([1, -1]), price=prices, atr=st.floats(0.001, 5.0))
def test_levels_are_multiples_of_the_range_rounded_away_from_the_price(side: int, price: float, atr: float) -> None:
    state, _ = held(side, price, atr)
    b = state.book[0]
    distance = max(2.5 * atr, 0.003 * price)
    assert exits.distance(state, 0, decision(side=side, price=price), make_params().exits) == distance
    stop, target = price - side * distance, price + side * 4.0 * distance / 2.5
    assert 0.0 <= side * (stop - b.stop_ticks * TICK) + 1e-9 < TICK + 2e-9
    assert 0.0 <= side * (b.target_ticks * TICK - target) + 1e-9 < TICK + 2e-9
    assert (b.trail_from, b.trail_by) == (pytest.approx(0.8 * distance), pytest.approx(0.8 * distance))
    assert b.deadline_ns == START + 6 * HOUR_NS


@given(price=st.integers(5_000, 20_000), atr=st.integers(1, 500))
def test_long_and_short_are_mirrors(price: int, atr: int) -> None:
    long, short = (held(side, price * TICK, atr * TICK)[0].book[0] for side in (1, -1))
    assert long.stop_ticks + short.stop_ticks == 2 * price
    assert long.target_ticks + short.target_ticks == 2 * price
    assert (long.trail_from, long.trail_by) == (short.trail_from, short.trail_by)


def test_a_level_is_at_least_one_tick() -> None:
    state, _ = held(-1, 0.02, 5.0)
    assert state.book[0].target_ticks == 1


def test_levels_stay_whatever_the_range_becomes() -> None:
    state, out = held(1)
    before = state.book[0].copy()
    state.asset[0].atr = 50.0
    for _ in range(5):
        bar(state, 100.5, 99.5)
        exits.review(state, 0, out)
    b = state.book[0]
    assert said(out) == []
    assert (b.stop_ticks, b.target_ticks, b.deadline_ns) == (before.stop_ticks, before.target_ticks, before.deadline_ns)


@given(
    side=st.sampled_from([1, -1]),
    moves=st.lists(st.floats(-1.5, 1.5), min_size=1, max_size=30),
    seed=st.integers(0, 9),
    ratchet=st.sampled_from([(2.0, 2.0), (0.5, 5.0), (0.1, 0.1), (3.0, 1.0)]),
)
def test_the_ratchet_is_the_best_closed_price_less_the_trail_however_seldom_it_is_asked(
    side: int, moves: list[float], seed: int, ratchet: tuple[float, float]
) -> None:
    rng = np.random.default_rng(seed)
    begin, trail = ratchet
    state, out = held(side, trail_from_atr=begin, trail_atr=trail)
    b = state.book[0]
    first = int(b.stop_ticks)
    path, best, stops = 100.0, -math.inf, [first]
    for k, move in enumerate(moves):
        path += move
        high, low = path + 0.3, path - 0.2
        bar(state, high, low)
        best = max(best, side * (high if side > 0 else low))
        if rng.random() < 0.4 or k == len(moves) - 1:
            exits.review(state, 0, out)
            stops.append(int(b.stop_ticks))
            level, want = (side * best - side * trail) / TICK, first
            if best - side * 100.0 >= begin:
                want = math.floor(level + 1e-6) if side > 0 else math.ceil(level - 1e-6)
            assert b.stop_ticks == (max(first, want) if side > 0 else min(first, want))
    assert (np.diff(stops) * side >= 0).all()
    rows = intents(out)
    assert (rows["action"] == INTENT_AMEND).all()
    assert rows["trigger_ticks"].tolist() == sorted(set(stops[1:]) - {first}, key=lambda x: side * x)
    assert b.trailed == (len(rows) > 0)


def test_prices_before_the_entry_do_not_move_the_ratchet() -> None:
    state, out = held(1)
    state.book[0].opened_ns = START + BAR_NS
    bar(state, 150.0, 99.0)  # closed when the entry opened
    exits.review(state, 0, out)
    assert said(out) == []
    bar(state, 150.0, 99.0)
    exits.review(state, 0, out)
    assert said(out) == [("amend stop", 2, 14_800)]


def test_a_bar_without_a_position_is_no_reach() -> None:
    state, _ = held(1)
    state.book[0].lots = 0
    bar(state, 150.0, 99.0)
    assert math.isnan(state.book[0].best)


def test_the_time_is_up_once() -> None:
    state, out = held(1)
    for after, sent in ((6 * HOUR_NS - 1, 0), (6 * HOUR_NS, 1), (7 * HOUR_NS, 1)):
        state.head[0].now_ns = START + after
        exits.review(state, 0, out)
        assert len(said(out)) == sent
    assert intents(out)[0].why == WHY_TIME


def test_a_position_that_is_leaving_is_not_trailed() -> None:
    state, out = held(1)
    bar(state, 110.0, 109.0)
    state.book[0].exit_id = 9
    exits.review(state, 0, out)
    assert said(out) == []


def test_a_position_of_ours_without_its_stop_leaves() -> None:
    state, out = held(1)
    state.book[0].stop_id = 0
    exits.review(state, 0, out)
    exits.review(state, 0, out)
    assert [(x[0], x[2]) for x in said(out)] == [("submit market", -1000)]
    assert intents(out)[0].why == WHY_STOP


def test_a_position_that_is_not_ours_is_left_alone() -> None:
    state, out = held(1)
    state.book[0].stop_id = state.book[0].deadline_ns = 0
    state.head[0].now_ns = START + 10 * HOUR_NS
    exits.review(state, 0, out)
    assert said(out) == []


def test_a_halt_gives_up_the_rest_of_entries_and_keeps_protection_and_time() -> None:
    state, out = held(1)
    b = state.book[0]
    b.entry_id, b.plan_lots = 1, 300
    risk.command(state, command(START, CMD_HALT))
    exits.obey(state, 0, out)
    assert said(out) == [("cancel market", 1, 0)]
    assert b.plan_lots == 0
    b.entry_id = 0
    bar(state, 110.0, 109.0)
    exits.review(state, 0, out)
    assert said(out)[1:] == [("amend stop", 2, 10_800)]
    state.head[0].now_ns = START + 7 * HOUR_NS
    exits.review(state, 0, out)
    assert said(out)[2:] == [("submit market", 4, -1000)]


def test_flatten_leaves_at_market_once_and_names_itself() -> None:
    state, out = held(-1)
    state.book[0].entry_id = 1
    risk.command(state, command(START, CMD_FLATTEN))
    exits.obey(state, 0, out)
    assert said(out) == [("cancel market", 1, 0), ("submit market", 4, 1000)]
    assert intents(out)[1].why == WHY_FLATTEN
    state.book[0].entry_id = 0
    exits.review(state, 0, out)
    assert len(said(out)) == 2


@pytest.mark.parametrize("code", [CMD_HALT, CMD_FLATTEN])
@pytest.mark.parametrize("lots", [0, 400])
def test_a_halt_ends_a_plan_between_two_orders(code: int, lots: int) -> None:
    """A limit entry has ended and was to be crossed: nothing works that could end the plan, unless a part is held."""
    state, out = held(1)
    b = state.book[0]
    b.lots, b.stop_id, b.target_id, b.plan_lots, b.plan_margin, b.cross = lots, 0, 0, 600, 0.1, 2
    frozen = (int(b.stop_ticks), int(b.target_ticks), int(b.deadline_ns), 0.1)
    risk.command(state, command(START, code))
    exits.obey(state, 0, out)
    assert (b.plan_lots, b.cross) == (0, 0)
    assert (b.stop_ticks, b.target_ticks, b.deadline_ns, b.plan_margin) == (frozen if lots else (0, 0, 0, 0.0))
    leaves = [("submit market", 4, -400)] if lots and code == CMD_FLATTEN else []
    assert said(out) == leaves
