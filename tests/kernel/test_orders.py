"""Orders: ids once, an exit once, children of their entry, and whatever ends is no longer counted as working."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kernel.money import ended, fill, intents, priced, said
from tests.kernel.world import START, decision, make_state, new_out

from confidence_engine.domain.decision import GATE_TOO_SMALL
from confidence_engine.domain.order import (
    INTENT_SUBMIT,
    REJ_MARGIN,
    REJ_MIN_NOTIONAL,
    REJ_WOULD_TAKE,
    WHY_ENTRY,
    WHY_FLATTEN,
    WHY_TIME,
)
from confidence_engine.kernel import ledger, orders


def test_an_entry_brings_its_stop_and_target_as_children() -> None:
    state, out = make_state(1), new_out(1, 64)
    b = state.book[0]
    b.stop_ticks, b.target_ticks, b.plan_lots, b.decision = 9_000, 12_000, 500, 33
    state.head[0].now_ns = START
    orders.parcel(state, 0, out, 200, 40.0)
    orders.protect(state, 0, out)
    entry, stop, target = intents(out)
    assert said(out) == [("submit market", 1, 200), ("submit stop", 2, 0), ("submit target", 3, 0)]
    assert (entry.reduce_only, entry.margin_usd, entry.why, entry.parent_id) == (0, 40.0, WHY_ENTRY, 0)
    assert (stop.reduce_only, stop.parent_id, stop.trigger_ticks) == (1, 1, 9_000)
    assert (target.reduce_only, target.parent_id, target.trigger_ticks) == (1, 1, 12_000)
    assert {int(x) for x in intents(out)["decision"]} == {33}
    assert {int(x) for x in intents(out)["ts_ns"]} == {START}
    assert (b.entry_id, b.entry_leaves, b.stop_id, b.target_id, b.plan_lots) == (1, 200, 2, 3, 300)


@given(target=st.integers(-500, 500), lots=st.integers(-500, 500), leaves=st.integers(-500, 500))
def test_the_difference_counts_what_is_held_and_what_works(target: int, lots: int, leaves: int) -> None:
    state = make_state(1, min_notional=5.0)
    state.book[0].lots, state.book[0].entry_leaves = lots, leaves
    d = decision(price=100.0)
    found, want = orders.diff(state, 0, d, target), target - lots - leaves
    small = abs(want) * 0.001 * 100.0 < 5.0
    assert found == (0 if small else want)
    assert d.gates == (1 << GATE_TOO_SMALL if small else 0)


def test_an_exit_is_sent_once_for_all_that_is_held() -> None:
    state, out = make_state(1), new_out(1, 64)
    b = state.book[0]
    b.lots, b.entry_id, b.plan_lots = -70, 5, -30
    state.head[0].order_seq = 5
    orders.reduce(state, 0, out, WHY_TIME)
    assert said(out) == [("cancel market", 5, 0), ("submit market", 6, 70)]
    row = intents(out)[1]
    assert (row.reduce_only, row.why) == (1, WHY_TIME)
    assert (b.exit_id, b.exit_leaves, b.exit_why, b.plan_lots) == (6, 70, WHY_TIME, 0)
    orders.reduce(state, 0, out, WHY_FLATTEN)
    assert len(intents(out)) == 2
    assert b.exit_why == WHY_TIME


def test_nothing_held_is_nothing_to_leave() -> None:
    state, out = make_state(1), new_out(1, 64)
    orders.reduce(state, 0, out, WHY_TIME)
    assert said(out) == []


def test_an_entry_that_ends_unfilled_takes_its_plan_and_protection_with_it() -> None:
    for rejected in (True, False):
        state, out = make_state(1), new_out(1, 64)
        b = state.book[0]
        b.stop_ticks, b.target_ticks, b.deadline_ns, b.plan_margin, b.plan_lots = 90, 120, START, 0.5, 200
        orders.parcel(state, 0, out, 100, 50.0)
        orders.protect(state, 0, out)
        orders.settle(state, ended(1, rejected), rejected)
        assert (b.entry_id, b.entry_leaves, b.plan_lots, b.stop_id, b.target_id) == (0, 0, 0, 0, 0)
        assert (b.stop_ticks, b.target_ticks, b.deadline_ns, b.plan_margin) == (0, 0, 0, 0.0)
        assert b.rejected == rejected


def test_an_entry_that_ends_in_part_keeps_its_protection() -> None:
    state, out = make_state(1), new_out(1, 64)
    b = state.book[0]
    orders.parcel(state, 0, out, 100, 50.0)
    orders.protect(state, 0, out)
    event = fill(1, 10_000, 40, leaves=60)
    ledger.book(state, event, out)
    orders.filled(state, event, out)
    assert (b.entry_id, b.entry_leaves) == (1, 60)
    orders.settle(state, ended(1), False)
    assert (b.entry_id, b.entry_leaves, b.stop_id, b.target_id) == (0, 0, 2, 3)


def test_what_ends_no_longer_works() -> None:
    state = make_state(1)
    b = state.book[0]
    b.lots, b.exit_id, b.exit_leaves, b.stop_id, b.target_id = 10, 4, -10, 5, 6
    orders.settle(state, ended(99), False)
    assert (b.exit_id, b.stop_id, b.target_id) == (4, 5, 6)
    for order in (4, 5, 6):
        orders.settle(state, ended(order, True), True)
    assert (b.exit_id, b.exit_leaves, b.stop_id, b.target_id, b.rejected) == (0, 0, 0, 0, 3)


def test_an_order_without_an_id_is_nobodys() -> None:
    state, out = make_state(1), new_out(1, 64)
    b = state.book[0]
    b.lots, b.plan_lots = 10, 40
    orders.settle(state, ended(0), False)
    orders.filled(state, fill(0, 100, 10, leaves=7), out)
    assert (b.plan_lots, b.entry_leaves) == (40, 0)


def test_protection_that_fills_in_part_ends_the_entry_it_protects() -> None:
    state, out = make_state(1), new_out(1, 64)
    b = state.book[0]
    b.lots, b.entry_id, b.entry_leaves, b.stop_id, b.plan_lots = 100, 1, 50, 2, 80
    orders.filled(state, fill(2, 9_000, -40, leaves=-60), out)
    assert said(out) == [("cancel market", 1, 0)]
    assert b.plan_lots == 0


def test_a_filled_order_no_longer_works() -> None:
    state, out = make_state(1), new_out(1, 64)
    b = state.book[0]
    b.entry_id, b.entry_leaves = 1, 100
    orders.filled(state, fill(1, 100, 60, leaves=40), out)
    assert (b.entry_id, b.entry_leaves) == (1, 40)
    orders.filled(state, fill(1, 100, 40), out)
    assert (b.entry_id, b.entry_leaves) == (0, 0)
    b.exit_id, b.exit_leaves = 2, -100
    orders.filled(state, fill(2, 100, -60, leaves=-40), out)
    assert (b.exit_id, b.exit_leaves) == (2, -40)
    orders.filled(state, fill(2, 100, -40), out)
    assert (b.exit_id, b.exit_leaves) == (0, 0)


def test_what_an_entry_added_while_leaving_leaves_too() -> None:
    state, out = make_state(1), new_out(1, 64)
    b = state.book[0]
    b.lots, b.entry_id, b.entry_leaves = 100, 1, 40
    state.head[0].order_seq = 1
    orders.reduce(state, 0, out, WHY_TIME)
    for event in (fill(1, 10_000, 40), fill(2, 10_000, -100)):
        ledger.book(state, event, out)
        orders.filled(state, event, out)
    assert said(out) == [("cancel market", 1, 0), ("submit market", 2, -100), ("submit market", 3, -40)]
    assert intents(out)[2].why == WHY_TIME


@given(steps=st.lists(st.sampled_from(["enter", "leave", "fill", "settle", "amend", "down"]), max_size=40))
def test_ids_are_never_used_twice_and_always_rise(steps: list[str]) -> None:
    state, out = make_state(1), new_out(1, 256)
    priced(state, 100.0)
    b = state.book[0]
    for step in steps:
        if step == "enter" and b.entry_id == 0:
            orders.parcel(state, 0, out, 100, 10.0)
            orders.protect(state, 0, out)
        elif step == "leave":
            orders.reduce(state, 0, out, WHY_TIME)
        elif step == "fill" and b.entry_id:
            event = fill(int(b.entry_id), 10_000, int(b.entry_leaves))
            ledger.book(state, event, out)
            orders.filled(state, event, out)
        elif step == "settle":
            orders.settle(state, ended(int(b.exit_id)), False)
        elif step == "amend" and b.stop_id:
            orders.amend_stop(state, 0, out, 9_000)
        elif step == "down":
            orders.stand_down(state, 0, out)
    rows = intents(out)
    ids = rows["order_id"][rows["action"] == INTENT_SUBMIT].tolist()
    assert ids == list(range(1, len(ids) + 1))
    assert (rows["order_id"] > 0).all()
    assert set(rows["order_id"].tolist()) == set(ids)


# Limit entries.


def test_a_limit_entry_is_told_with_its_price_and_taken_back_by_its_kind() -> None:
    state, out = make_state(1), new_out(1, 64)
    b = state.book[0]
    b.stop_ticks, b.target_ticks, b.plan_lots = 9_000, 12_000, 200
    orders.post(state, 0, out, 200, 40.0, 9_990)
    orders.protect(state, 0, out)
    assert said(out) == [("submit limit", 1, 200), ("submit stop", 2, 0), ("submit target", 3, 0)]
    row = intents(out)[0]
    assert (row.trigger_ticks, row.reduce_only, row.margin_usd, row.why) == (9_990, 0, 40.0, WHY_ENTRY)
    assert (b.limit_ticks, b.entry_leaves, b.plan_lots) == (9_990, 200, 0)
    orders.stand_down(state, 0, out)
    orders.stand_down(state, 0, out)
    assert said(out)[3:] == [("cancel limit", 1, 0)]


def resting(cross: int, lots: int = 0) -> Any:
    """A limit entry for 100 that works, `lots` of it filled, and the state it works in."""
    state, out = make_state(1), new_out(1, 64)
    b = state.book[0]
    b.stop_ticks, b.target_ticks, b.plan_lots, b.plan_margin, b.deadline_ns = 9_000, 12_000, 100, 0.5, START
    orders.post(state, 0, out, 100, 50.0, 9_990)
    orders.protect(state, 0, out)
    b.cross = cross
    if lots:
        event = fill(1, 9_990, lots, leaves=100 - lots)
        ledger.book(state, event, out)
        orders.filled(state, event, out)
    return state, out


@pytest.mark.parametrize("lots", [0, 40])
def test_what_is_to_be_crossed_keeps_its_rest_and_its_plan(lots: int) -> None:
    state, out = resting(1, lots)
    b = state.book[0]
    orders.recall(state, 0, out)
    assert (b.cross, b.plan_lots) == (1, 0)
    orders.settle(state, ended(1), False)
    assert (b.entry_id, b.entry_leaves, b.limit_ticks, b.plan_lots, b.cross) == (0, 0, 0, 100 - lots, 2)
    assert (b.stop_ticks, b.target_ticks, b.plan_margin, b.deadline_ns) == (9_000, 12_000, 0.5, START)
    assert (b.stop_id, b.target_id) == ((2, 3) if lots else (0, 0))


@pytest.mark.parametrize(("reason", "kept"), [(REJ_WOULD_TAKE, 100), (REJ_MARGIN, 0), (REJ_MIN_NOTIONAL, 0)])
def test_a_refusal_for_its_price_is_crossed_and_any_other_is_the_end(reason: int, kept: int) -> None:
    state, _ = resting(1)
    event = ended(1, True)
    event.x4 = reason
    orders.settle(state, event, True)
    b = state.book[0]
    assert (b.plan_lots, b.cross, b.stop_ticks) == (kept, 2 if kept else 0, 9_000 if kept else 0)


@pytest.mark.parametrize("lots", [0, 40])
@pytest.mark.parametrize("how", ["not asked for", "given up"])
def test_what_is_not_to_be_crossed_is_over(how: str, lots: int) -> None:
    state, out = resting(0 if how == "not asked for" else 1, lots)
    if how == "given up":
        orders.stand_down(state, 0, out)
    orders.settle(state, ended(1), False)
    b = state.book[0]
    assert (b.entry_id, b.entry_leaves, b.limit_ticks, b.plan_lots, b.cross) == (0, 0, 0, 0, 0)
    assert b.stop_ticks == (9_000 if lots else 0)


def test_a_limit_entry_that_filled_is_no_longer_to_be_crossed() -> None:
    state, _ = resting(1, 100)
    b = state.book[0]
    assert (b.entry_id, b.limit_ticks, b.cross, b.plan_lots, b.lots) == (0, 0, 0, 0, 100)
