"""Money against an independent Decimal ledger, the venue's own books, and figures worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kernel.money import fill, liquidated, priced, said
from tests.kernel.world import PERP, START, funding, make_state, new_out
from tests.ledger_reference import Reference, curve

from confidence_engine.domain.event import FUNDING
from confidence_engine.domain.order import EXIT_NAMES, WHY_ENTRY, WHY_NONE
from confidence_engine.kernel import ledger
from confidence_engine.venues import sim, sim_fills

TICK, LOT = "0.01", "0.001"
moves = st.lists(
    st.one_of(
        st.tuples(st.just("fill"), st.integers(-5000, 5000).filter(bool), st.integers(5_000, 20_000), st.floats(0, 5)),
        st.tuples(st.just("fund"), st.just(0), st.integers(5_000, 20_000), st.floats(-0.01, 0.01)),
    ),
    min_size=1, max_size=30,
)  # fmt: skip


def play(history: list[tuple[str, int, int, float]], **row: Any) -> tuple[Any, Any]:
    """State and output after the history; the mark before a funding is its ticks."""
    state = make_state(1, **row)
    out = new_out(1, 4096)
    for k, (kind, lots, ticks, amount) in enumerate(history):
        if kind == "fill":
            ledger.book(state, fill(0, ticks, lots, amount, at=START + k), out)
        else:
            state.book[0].mark_price = ticks * 0.01
            ledger.fund(state, funding(0, START + k, amount), out)
    return state, out


@given(history=moves)
def test_it_is_the_decimal_ledger_to_a_millionth(history: list[tuple[str, int, int, float]]) -> None:
    state, out = play(history, **PERP)
    entries = out.entries[: int(out.head[0].entries)]
    reference = Reference(100_000.0, {0: (TICK, LOT)})
    for row in entries:
        reference.take(row)
    h, b = state.head[0], state.book[0]
    assert reference.lots.get(0, 0) == b.lots
    for mine, theirs in (
        (h.balance, reference.balance), (h.realised, reference.realised), (h.fees, reference.fees),
        (h.funding, reference.funding), (b.realised, reference.realised), (b.fees, reference.fees),
    ):  # fmt: skip
        assert mine == pytest.approx(float(theirs), abs=1e-6)
    ledger.mark(state)
    assert h.equity == pytest.approx(float(reference.equity({0: b.mark_price})), abs=1e-6)
    marks = [{"ts_ns": START + 99, "asset": 0, "price": b.mark_price}]
    assert h.equity == pytest.approx(
        float(curve(100_000.0, {0: (TICK, LOT)}, entries, marks, [START + 99])[0]), abs=1e-6
    )


@given(history=moves)
def test_start_and_realised_less_fees_and_funding_is_the_balance(history: list[tuple[str, int, int, float]]) -> None:
    state, _ = play(history, **PERP)
    h = state.head[0]
    assert h.balance == pytest.approx(h.start_equity + h.realised - h.fees + h.funding, abs=1e-6)


@given(history=moves)
def test_the_venue_keeps_the_same_books_to_the_bit(history: list[tuple[str, int, int, float]]) -> None:
    state, _ = play(history, **PERP)
    venue = sim.new_venue(64, 100_000.0)
    for k, (kind, lots, ticks, amount) in enumerate(history):
        if kind == "fill":
            one = ticks * 0.01 * 0.001 / 125.0
            sim_fills._move(venue, state, 0, lots, ticks * 0.01, amount, one)
        else:
            venue.pos[0].price = ticks * 0.01
            sim.fund(venue, state, funding(0, START + k, amount))
    assert venue.head[0].balance == state.head[0].balance
    assert venue.pos[0].lots == state.book[0].lots
    assert venue.pos[0].entry_price == state.book[0].entry_price


@given(history=moves)
def test_the_mirrored_history_earns_the_opposite(history: list[tuple[str, int, int, float]]) -> None:
    plain = [(kind, lots, ticks, amount if kind == "fund" else 0.0) for kind, lots, ticks, amount in history]
    there, _ = play(plain, **PERP)
    here, _ = play([(kind, -lots, ticks, amount) for kind, lots, ticks, amount in plain], **PERP)
    assert here.head[0].realised == -there.head[0].realised
    assert here.head[0].funding == -there.head[0].funding
    assert here.book[0].entry_price == there.book[0].entry_price


@given(lots=st.integers(2, 5000), ticks=st.integers(5_000, 20_000), at=st.integers(5_000, 20_000), data=st.data())
def test_it_does_not_matter_in_how_many_pieces_one_leaves(lots: int, ticks: int, at: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, lots - 1))
    whole, _ = play([("fill", lots, ticks, 0.0), ("fill", -lots, at, 0.0)])
    pieces, _ = play([("fill", lots, ticks, 0.0), ("fill", -first, at, 0.0), ("fill", first - lots, at, 0.0)])
    assert pieces.head[0].balance == pytest.approx(whole.head[0].balance, abs=1e-9)
    assert pieces.book[0].lots == 0


def test_average_cost_and_realised_by_hand() -> None:
    state, _ = play([("fill", 1000, 10_000, 0.1), ("fill", 3000, 12_000, 0.3)], **PERP)
    b, h = state.book[0], state.head[0]
    assert (b.lots, b.entry_price) == (4000, pytest.approx(115.0))
    ledger.book(state, fill(0, 12_500, -1000), new_out(1, 64))
    assert (b.lots, b.entry_price, b.realised) == (3000, pytest.approx(115.0), pytest.approx(10.0))
    assert h.turnover == pytest.approx(100.0 + 360.0 + 125.0)
    ledger.mark(state)
    assert h.equity == pytest.approx(100_000.0 - 0.4 + 10.0 + 3 * (125.0 - 115.0))


def test_a_turn_through_zero_realises_the_old_side_and_opens_the_new_at_the_fill() -> None:
    state, out = play([("fill", 1000, 10_000, 0.0), ("fill", -3000, 11_000, 0.0)], **PERP)
    b = state.book[0]
    assert (b.lots, b.entry_price, b.realised) == (-2000, 110.0, pytest.approx(10.0))
    assert b.margin == pytest.approx(2 * 110.0 / 125.0)
    assert out.entries[1].amount_usd == pytest.approx(10.0)


def test_leverage_is_not_part_of_profit() -> None:
    for leverage in (1.0, 5.0, 125.0):
        state, _ = play(
            [("fill", 1000, 10_000, 0.0), ("fill", -1000, 11_000, 0.0)], **(PERP | {"max_leverage": leverage})
        )
        assert state.head[0].realised == pytest.approx(10.0)


@given(lots=st.integers(1, 5000), parts=st.lists(st.floats(0.05, 0.95), max_size=5))
def test_margin_comes_back_in_proportion_and_all_of_it_in_the_end(lots: int, parts: list[float]) -> None:
    state, out = make_state(1, **PERP), new_out(1, 256)
    b = state.book[0]
    b.entry_id, b.plan_margin = 7, 0.02
    ledger.book(state, fill(7, 10_000, lots), out)
    for part in parts:
        close = int(b.lots * part)
        if close:
            ledger.book(state, fill(0, 10_000, -close), out)
        assert b.margin == pytest.approx(0.02 * b.lots)
    ledger.book(state, fill(0, 10_000, -int(b.lots)), out)
    assert b.margin == 0.0


def test_spot_posts_what_it_costs() -> None:
    state, _ = play([("fill", 1000, 10_000, 0.0), ("fill", 1000, 11_000, 0.0)])
    assert state.book[0].margin == pytest.approx(210.0)


@pytest.mark.parametrize(("lots", "rate", "paid"), [(1000, 0.001, -0.1), (1000, -0.001, 0.1), (-1000, 0.001, 0.1)])
def test_longs_pay_shorts_when_funding_is_positive(lots: int, rate: float, paid: float) -> None:
    state, out = play([("fill", lots, 10_000, 0.0), ("fund", 0, 10_000, rate)], **PERP)
    b, row = state.book[0], out.entries[1]
    assert (b.funding, state.head[0].funding) == (pytest.approx(paid), pytest.approx(paid))
    assert (row.kind, row.lots, row.price, row.rate, row.amount_usd) == (
        FUNDING,
        lots,
        100.0,
        rate,
        pytest.approx(paid),
    )
    assert b.margin == pytest.approx(100.0 / 125.0 + paid)


def test_funding_takes_the_mark_it_is_given_and_is_noted_without_a_position() -> None:
    state, out = make_state(1, **PERP), new_out(1, 64)
    ledger.fund(state, funding(0, START, 0.01), out)
    assert (out.head[0].entries, state.asset[0].funding_ns) == (0, START)
    ledger.book(state, fill(0, 10_000, 1000), out)
    event = funding(0, START, 0.01)
    event.x1 = 50.0
    ledger.fund(state, event, out)
    assert state.head[0].funding == pytest.approx(-0.5)


def test_every_fill_is_told_whose_it_was() -> None:
    state, out = make_state(1, **PERP), new_out(1, 256)
    b = state.book[0]
    b.entry_id, b.stop_id, b.target_id, b.exit_id, b.exit_why, b.deadline_ns = 11, 12, 13, 14, 5, 1
    ledger.book(state, fill(11, 100, 100), out)
    for order in (12, 13, 14, 99, 0):
        ledger.book(state, fill(order, 100, -1), out)
    b.trailed = 1
    ledger.book(state, fill(12, 100, -1), out)
    b.entry_id = 0
    ledger.book(state, fill(0, 100, 1), out)
    ledger.book(state, liquidated(100, -10), out)
    told = [EXIT_NAMES[int(w)] for w in out.entries["why"][: int(out.head[0].entries)]]
    assert told == ["entry", "stop", "target", "time", "none", "none", "trailing stop", "none", "liquidated"]
    assert WHY_NONE != WHY_ENTRY


def test_flat_takes_back_what_still_works_and_nothing_that_is_done() -> None:
    state, out = make_state(1), new_out(1, 64)
    b = state.book[0]
    b.entry_id, b.stop_id, b.target_id, b.plan_lots, b.deadline_ns = 1, 2, 3, 50, 9
    ledger.book(state, fill(1, 10_000, 100, leaves=50), out)
    ledger.book(state, fill(2, 9_000, -100, at=START + 5), out)
    assert said(out) == [("cancel market", 1, 0), ("cancel target", 3, 0)]
    assert (b.stop_id, b.target_id, b.stop_ticks, b.plan_lots, b.margin, b.deadline_ns) == (0, 0, 0, 0, 0.0, 0)
    assert b.closed_ns == START + 5


def test_an_entry_that_fills_after_its_plan_is_gone_is_to_leave_at_once() -> None:
    state, out = make_state(1), new_out(1, 64)
    b = state.book[0]
    b.entry_id = 4
    ledger.book(state, fill(4, 10_000, 100, at=START + 7), out)
    assert b.deadline_ns == START + 7


def test_exposure_counts_what_is_held_what_works_and_what_is_planned() -> None:
    state = make_state(3, **PERP)
    h = state.head[0]
    for i, (lots, leaves, plan) in enumerate([(1000, 500, 0), (-2000, 0, 0), (0, -300, -700)]):
        priced(state, 100.0, i)
        b = state.book[i]
        b.lots, b.entry_leaves, b.plan_lots, b.entry_price, b.margin, b.plan_margin = (
            lots,
            leaves,
            plan,
            90.0,
            7.0,
            0.01,
        )
    ledger.mark(state)
    assert h.gross == pytest.approx(150.0 + 200.0 + 100.0)
    assert h.net_usd == pytest.approx(150.0 - 200.0 - 100.0)
    assert h.used_margin == pytest.approx(21.0 + 0.01 * (500 + 1000))
    assert h.open_positions == 3
    assert h.equity == pytest.approx(100_000.0 + 1.0 * 10.0 - 2.0 * 10.0)


def test_a_snapshot_is_the_account_and_the_price_of_everything_held() -> None:
    state, out = make_state(2), new_out(2, 64)
    for i in (0, 1):
        priced(state, 100.0, i)
    state.book[1].lots, state.book[1].entry_price, state.head[0].now_ns = 5, 90.0, START
    ledger.mark(state)
    ledger.snapshot(state, out)
    row, mark = out.equities[0], out.marks[0]
    h = state.head[0]
    assert (row.ts_ns, row.equity, row.balance, row.gross, row.net_usd, row.used_margin, row.open_positions) == (
        START, h.equity, h.balance, h.gross, h.net_usd, h.used_margin, 1,
    )  # fmt: skip
    assert (out.head[0].marks, mark.ts_ns, mark.asset, mark.lots, mark.price) == (1, START, 1, 5, 100.0)


def test_ten_thousand_fills_leave_less_than_a_millionth() -> None:
    rng = np.random.default_rng(7)
    history = [("fill", int(x), int(t), float(f)) for x, t, f in zip(
        rng.integers(1, 900, 10_000) * rng.choice([-1, 1], 10_000), rng.integers(2_000_000, 7_000_000, 10_000),
        rng.uniform(0, 40, 10_000), strict=True)]  # fmt: skip
    state = make_state(1, **PERP)
    out = new_out(1, 16_384)
    reference = Reference(100_000.0, {0: (TICK, LOT)})
    for _, lots, ticks, fee in history:
        ledger.book(state, fill(0, ticks, lots, fee), out)
        reference.take(out.entries[int(out.head[0].entries) - 1])
    assert state.head[0].balance == pytest.approx(float(reference.balance), abs=1e-6)
    assert math.isfinite(state.head[0].balance)
