"""The pipeline: order, statuses, what is written, who goes first, and what a story against the position does."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kernel.money import ended, fill, intents, said
from tests.kernel.world import (
    BAR_NS,
    PERP,
    START,
    bar,
    command,
    feed,
    funding,
    make_params,
    make_state,
    new_out,
    signal,
    timer,
    walk,
)  # fmt: skip

from confidence_engine.domain.decision import GATE_NAMES, GATE_NO_EVIDENCE, gate_names
from confidence_engine.domain.event import BACKFILL, DEGRADED, SYNTHETIC, empty, score_events
from confidence_engine.domain.order import CMD_FLATTEN, CMD_HALT, CMD_RESUME, WHY_ENTRY, WHY_REVERSED
from confidence_engine.domain.units import HOUR_NS, SECOND_NS
from confidence_engine.kernel import algos
from confidence_engine.kernel.out import STATUS_NUMBER, STATUS_OK, STATUS_ORDER, STATUS_UNKNOWN_KIND
from confidence_engine.kernel.state import State, state_hash

EASY: dict[str, dict[str, Any]] = {
    "price": {"min_obs": 5, "full_obs": 6, "atr_frame_ns": BAR_NS},
    "divergence": {"trigger": 0.2},
    "gates": {"min_volume_z": -5.0, "cooldown_ns": 0},
    "sizing": {"risk_per_trade": 0.02},
}
"""Parameters under which a story is traded after a few bars."""
LAST = START + 20 * BAR_NS
WARM: dict[tuple[int, int, float, bool], State] = {}


def warm(assets: int = 1, seed: int = 1, sigma: float = 0.002, **row: Any) -> tuple[Any, Any, Any]:
    """State after twenty bars of each asset, its parameters, an empty output."""
    key = (assets, seed, sigma, bool(row))
    if key not in WARM:
        WARM[key] = _warm(assets, seed, sigma, **row)
    return State(*(array.copy() for array in WARM[key])), make_params(**EASY), new_out(assets, 4096)


def _warm(assets: int, seed: int, sigma: float, **row: Any) -> State:
    state, p = make_state(assets, **row), make_params(**EASY)
    bars = [walk(np.random.default_rng(seed + i), 20, 20_000.0, sigma) for i in range(assets)]
    events = [bar(state, i, START + (k + 1) * BAR_NS, *bars[i][k]) for k in range(20) for i in range(assets)]
    if row.get("funding_ns"):
        events += [funding(i, LAST, 0.0) for i in range(assets)]
    feed(state, events, p)
    return state


def told(state: Any, p: Any, out: Any, at: int, *stories: tuple[int, float, int], marks: int = 0) -> None:
    """Stories (underlying, polarity, cluster) at `at`, judged two seconds later."""
    feed(
        state, [signal(u, at, s, cluster=c) for u, s, c in stories] + [timer(at + 2 * SECOND_NS, False, marks)], p, out
    )


def decisions(out: Any) -> np.ndarray:
    """What was written."""
    return out.decisions[: int(out.head[0].decisions)]


def entered(state: Any, p: Any, out: Any, side: int = 1, fraction: float = 1.0) -> Any:
    """An entry was decided on a story and filled; the book."""
    told(state, p, out, LAST, (0, float(side), 1))
    b = state.book[0]
    lots = int(b.entry_leaves)
    assert lots * side > 0
    part = max(int(abs(lots) * fraction), 1) * side
    ticks = int(state.asset[0].price / 0.01)
    feed(state, [fill(int(b.entry_id), ticks, part, leaves=lots - part, at=LAST + BAR_NS)], p, out)
    return b


# Statuses.


def test_an_event_of_an_unknown_kind_ends_the_run() -> None:
    state, p, out = warm()
    event = empty(1, 99)[0]
    event.ts_event = event.ts_known = LAST + 1
    feed(state, [event], p, out)
    assert out.head[0].status == STATUS_UNKNOWN_KIND


def test_an_event_older_than_the_last_ends_the_run_and_changes_nothing() -> None:
    state, p, out = warm()
    before = state_hash(state)
    feed(state, [timer(LAST - 1)], p, out)
    assert out.head[0].status == STATUS_ORDER
    assert state_hash(state) == before
    out.head[0].status = STATUS_OK
    feed(state, [timer(LAST)], p, out)
    assert out.head[0].status == STATUS_OK


def test_an_account_that_is_no_number_ends_the_run() -> None:
    state, p, out = warm()
    state.head[0].balance = math.nan
    feed(state, [timer(LAST)], p, out)
    assert out.head[0].status == STATUS_NUMBER


# What is written.


def test_a_story_is_judged_and_entered_with_its_protection() -> None:
    state, p, out = warm()
    told(state, p, out, LAST, (0, 1.0, 7))
    (d,) = decisions(out)
    assert (d.gates, d.side, d.lead, d.seq, d.ts_ns) == (0, 1, 7, 1, LAST + 2 * SECOND_NS)
    b = state.book[0]
    assert [x[0] for x in said(out)] == ["submit market", "submit stop", "submit target"]
    assert intents(out)[0].lots == d.target_lots == b.entry_leaves > 0
    assert (intents(out)[0].why, intents(out)[0].decision) == (WHY_ENTRY, 1)
    assert b.decision == 1
    assert state.story[0, 0].traded == 1
    one_r = d.equity * p.sizing.risk_per_trade  # what is really risked, after whole lots and limits
    at_stop = b.entry_leaves * 0.001 * (d.price - d.stop_ticks * 0.01)
    assert d.size_r * one_r == pytest.approx(at_stop, rel=1e-3)
    assert (state.head[0].day_trades, state.head[0].week_trades) == (1, 1)
    assert d.stop_ticks < d.price / 0.01 < d.target_ticks
    assert state.head[0].gross == pytest.approx(b.entry_leaves * 0.001 * state.book[0].mark_price)


def test_a_row_is_written_when_evidence_lives_a_position_is_open_or_a_gate_flips_and_else_counted() -> None:
    state, p, out = warm()
    price = float(state.asset[0].price)
    quiet = []

    def tick(k: int) -> int:
        """One more bar and its timer; how many rows that wrote."""
        before = int(out.head[0].decisions)
        at = LAST + k * BAR_NS
        feed(state, [bar(state, 0, at, price, price, price, price, 20.0), timer(at + 2 * SECOND_NS)], p, out)
        return int(out.head[0].decisions) - before

    assert tick(1) == 1  # NO_EVIDENCE for the first time: the gate flips
    assert gate_names(int(decisions(out)[0].gates)) == ["NO_EVIDENCE"]
    counted = out.refusals[GATE_NO_EVIDENCE]
    quiet = [tick(k) for k in range(2, 6)]
    assert quiet == [0, 0, 0, 0]
    assert out.refusals[GATE_NO_EVIDENCE] == counted + 4
    told(state, p, out, LAST + 5 * BAR_NS + 60 * SECOND_NS, (0, 0.01, 1))
    rows = int(out.head[0].decisions)
    assert rows == 2
    assert tick(6) == 1  # the story lives, though nothing is entered
    assert state.book[0].lots == 0
    b = state.book[0]
    b.lots, b.entry_price = 10, price
    state.story["n_documents"], state.told["awake"] = 0, 0
    assert tick(7) == 1  # no story, but a position
    b.lots = 0
    assert tick(8) == 0  # the bits are those of before
    state.asset[0].seen_marks = DEGRADED
    assert tick(9) == 1  # a gate flips
    assert tick(10) == 1  # and flips back
    assert out.head[0].judged == 11


def test_refusals_count_every_bit_of_every_judgement() -> None:
    state, p, out = warm(2)
    for k in range(1, 4):
        at = LAST + k * BAR_NS
        told(state, p, out, at, (0, 1.0, k), (1, -1.0, 100 + k))
    bits = np.zeros(len(GATE_NAMES), int)
    for d in decisions(out):
        for g in range(len(GATE_NAMES)):
            bits[g] += (int(d.gates) >> g) & 1
    assert out.head[0].judged == len(decisions(out))
    assert out.refusals.tolist() == bits.tolist()
    assert bits.sum() > 0


def test_a_refusal_in_the_account_is_in_the_row() -> None:
    state, p, out = warm()
    feed(state, [command(LAST, CMD_HALT)], p, out)
    told(state, p, out, LAST, (0, 1.0, 1))
    assert gate_names(int(decisions(out)[0].gates)) == ["HALTED"]
    assert (decisions(out)[0].size_r, state.book[0].decision) == (0.0, 0)
    assert said(out) == []


@given(moves=st.lists(st.tuples(st.integers(0, 2), st.floats(-1, 1), st.booleans()), max_size=12))
def test_sequences_rise_by_one(moves: list[tuple[int, float, bool]]) -> None:
    state, p, out = warm(3)
    for k, (u, polarity, filling) in enumerate(moves):
        told(state, p, out, LAST + k * BAR_NS, (u, polarity, k))
        b = state.book[u]
        if filling and b.entry_id:
            feed(
                state, [fill(int(b.entry_id), 2_000_000, int(b.entry_leaves), asset=u, at=state.head[0].now_ns)], p, out
            )
    rows = decisions(out)
    assert rows["seq"].tolist() == list(range(1, len(rows) + 1))
    entries = out.entries[: int(out.head[0].entries)]
    assert entries["seq"].tolist() == list(range(1, len(entries) + 1))


# Backfill.


def test_backfill_learns_and_decides_nothing() -> None:
    state, p, out = warm()
    told(state, p, out, LAST, (0, 1.0, 1), marks=BACKFILL)
    head = out.head[0]
    assert (head.decisions, head.judged, head.intents, head.equities) == (0, 0, 0, 0)
    assert state.told[0].live == 1
    feed(state, [timer(LAST + 3 * SECOND_NS)], p, out)
    assert decisions(out)[0].gates == 0  # what was learnt is there


# Marks.


def test_a_synthetic_bar_marks_every_later_decision_and_a_degraded_one_the_next() -> None:
    state, p, out = warm()
    price = float(state.asset[0].price)
    at = LAST + BAR_NS
    feed(state, [bar(state, 0, at, price, price, price, price, 20.0, marks=SYNTHETIC | DEGRADED)], p, out)
    told(state, p, out, at, (0, 0.5, 1))
    told(state, p, out, at + HOUR_NS // 60, (0, 0.5, 2))
    assert decisions(out)["marks"].tolist() == [SYNTHETIC | DEGRADED, SYNTHETIC]
    assert "DEGRADED" in gate_names(int(decisions(out)[0].gates))


# Who goes first.


@given(order=st.permutations(range(4)), room=st.integers(1, 3))
def test_the_strongest_go_first_whatever_their_ids(order: list[int], room: int) -> None:
    polarity = {0: 0.9, 1: 0.7, 2: 0.5, 3: 0.3}
    state, p, out = warm(4, seed=5)
    for i in range(4):  # the same prices for all, so that only the story tells them apart
        for array in (state.asset, state.ring, state.slot, state.book):
            array[i] = array[0]
    p.risk.max_positions, p.ranking.top = room, 256
    told(state, p, out, LAST, *[(order[k], polarity[k], k) for k in range(4)])
    rows = decisions(out)
    went = {int(d.asset) for d in rows if d.gates == 0}
    assert went == {order[k] for k in range(room)}
    late = [d for d in rows if d.gates != 0]
    assert all(gate_names(int(d.gates)) == ["POSITION_LIMIT"] for d in late)
    by_story = {int(d.asset): (float(d.strength), abs(float(d.gap))) for d in rows}
    ranked = [by_story[order[k]] for k in range(4)]
    assert ranked == sorted(ranked, reverse=True)
    assert ranked[0][0] == ranked[1][0]  # strength is clipped: the gap had to decide


@given(order=st.permutations(range(4)), top=st.integers(1, 4))
def test_a_timer_takes_only_the_best(order: list[int], top: int) -> None:
    polarity = {0: 0.9, 1: 0.7, 2: 0.5, 3: 0.3}
    state, p, out = warm(4, seed=5)
    for i in range(4):
        for array in (state.asset, state.ring, state.slot, state.book):
            array[i] = array[0]
    p.ranking.top = top
    told(state, p, out, LAST, *[(order[k], polarity[k], k) for k in range(4)])
    rows = decisions(out)
    assert {int(d.asset) for d in rows if d.gates == 0} == {order[k] for k in range(top)}
    assert [gate_names(int(d.gates)) for d in rows if d.gates != 0] == [["NOT_RANKED"]] * (4 - top)
    assert (np.diff([float(d.edge) for d in sorted(rows, key=lambda d: order.index(int(d.asset)))]) <= 0.0).all()
    told(state, p, out, LAST + BAR_NS, *[(order[k], polarity[k], k) for k in range(4)])
    again = [d for d in decisions(out)[len(rows) :] if d.gates == 0]
    assert len(again) == min(top, 4 - top)  # a case that was one too many has its turn at the next timer


def test_a_case_that_the_account_refuses_makes_room_for_the_next() -> None:
    state, p, out = warm(3, seed=5)
    for i in range(3):
        for array in (state.asset, state.ring, state.slot, state.book):
            array[i] = array[0]
    p.ranking.top = 1
    state.inst[0].min_notional = 1e9
    told(state, p, out, LAST, (0, 0.9, 0), (1, 0.7, 1), (2, 0.5, 2))
    names = {int(d.asset): gate_names(int(d.gates)) for d in decisions(out)}
    assert names == {0: ["TOO_SMALL"], 1: [], 2: ["NOT_RANKED"]}


def test_costs_put_the_quiet_asset_behind() -> None:
    state, p, out = warm(2, seed=5)
    for array in (state.asset, state.ring, state.slot, state.book):
        array[1] = array[0]
    p.ranking.top = 1
    state.asset[0].sigma /= 3.0  # its move is a third, its costs are not
    told(state, p, out, LAST, (0, 0.8, 0), (1, 0.8, 1))
    first, second = decisions(out)
    assert first.strength >= second.strength
    assert first.edge < second.edge
    assert gate_names(int(first.gates)) == ["NOT_RANKED"]
    assert second.gates == 0


# Against the position.


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("fraction", [1.0, 0.5])
def test_a_strong_story_against_the_position_closes_it(side: int, fraction: float) -> None:
    state, p, out = warm(**PERP)
    b = entered(state, p, out, side, fraction)
    sent = len(said(out))
    told(state, p, out, LAST + BAR_NS, (0, -float(side), 2), (0, -float(side), 3))
    assert decisions(out)[-1].side == -side
    new = said(out)[sent:]
    assert new[-1] == ("submit market", int(b.exit_id), -int(b.lots))
    assert b.exit_why == WHY_REVERSED
    assert (new[0][0] == "cancel market") == (fraction < 1.0)
    told(state, p, out, LAST + BAR_NS + 60 * SECOND_NS, (0, -float(side), 4))
    assert len(said(out)) == sent + len(new)


def test_a_bearish_story_closes_a_spot_position_and_opens_no_short() -> None:
    state, p, out = warm()
    b = entered(state, p, out)
    told(state, p, out, LAST + BAR_NS, (0, -1.0, 2), (0, -1.0, 3))
    assert b.exit_why == WHY_REVERSED
    ticks = int(state.asset[0].price / 0.01)
    feed(state, [fill(int(b.exit_id), ticks, -int(b.lots), at=LAST + 2 * BAR_NS)], p, out)
    assert b.lots == 0
    told(state, p, out, LAST + 2 * BAR_NS, (0, -1.0, 4))
    assert "NO_SHORT" in gate_names(int(decisions(out)[-1].gates))
    assert b.entry_id == 0


def test_a_weak_story_against_the_position_does_not_close_it() -> None:
    state, p, out = warm(**PERP)
    b = entered(state, p, out)
    p.gates.min_strength = 0.99
    told(state, p, out, LAST + BAR_NS, (0, -1.0, 2), (0, -1.0, 3))
    assert decisions(out)[-1].side == -1
    assert b.exit_id == 0


def limited(side: int = 1, **row: Any) -> tuple[Any, Any, Any]:
    """A limit entry on a story that rests unfilled."""
    state, p, out = warm(**row)
    p.algos.style = algos.LIMIT
    told(state, p, out, LAST, (0, float(side), 1))
    assert [x[0] for x in said(out)] == ["submit limit", "submit stop", "submit target"]
    return state, p, out


@pytest.mark.parametrize("side", [1, -1])
def test_a_strong_story_against_an_entry_that_rests_takes_it_back(side: int) -> None:
    state, p, out = limited(side, **PERP)
    b = state.book[0]
    price, at = float(state.asset[0].price), LAST + BAR_NS
    feed(state, [bar(state, 0, at, price, price, price, price, 20.0)], p, out)
    told(state, p, out, at, (0, -float(side), 2), (0, -float(side), 3))
    assert said(out)[3:] == [("cancel limit", int(b.entry_id), 0)]
    assert "ORDER_WORKING" in gate_names(int(decisions(out)[-1].gates))
    told(state, p, out, at + 60 * SECOND_NS, (0, -float(side), 4))
    assert len(said(out)) == 4


def test_an_entry_that_rests_counts_as_held_and_ends_with_a_halt() -> None:
    state, p, out = limited()
    b = state.book[0]
    assert state.head[0].open_positions == 1
    assert state.head[0].gross == pytest.approx(b.entry_leaves * 0.001 * b.mark_price)
    feed(state, [command(LAST + 3 * SECOND_NS, CMD_HALT)], p, out)
    assert said(out)[3:] == [("cancel limit", int(b.entry_id), 0)]
    feed(state, [ended(int(b.entry_id), at=LAST + 4 * SECOND_NS), timer(LAST + 5 * SECOND_NS)], p, out)
    assert (state.head[0].open_positions, state.head[0].gross, b.stop_ticks) == (0, 0.0, 0)


# The operator.


def test_a_halt_takes_effect_with_the_command() -> None:
    state, p, out = warm()
    told(state, p, out, LAST, (0, 1.0, 1))
    b = state.book[0]
    sent = len(said(out))
    feed(state, [command(LAST + 3 * SECOND_NS, CMD_HALT)], p, out)
    assert said(out)[sent:] == [("cancel market", int(b.entry_id), 0)]
    feed(state, [ended(int(b.entry_id), at=LAST + 4 * SECOND_NS)], p, out)
    told(state, p, out, LAST + BAR_NS, (0, 1.0, 2))
    assert len(said(out)) == sent + 1
    feed(state, [command(LAST + BAR_NS + 5 * SECOND_NS, CMD_RESUME)], p, out)
    told(state, p, out, LAST + BAR_NS + 6 * SECOND_NS, (0, 1.0, 3))
    assert len(said(out)) > sent + 1


def test_flatten_takes_effect_with_the_command() -> None:
    state, p, out = warm()
    b = entered(state, p, out)
    sent = len(said(out))
    feed(state, [command(LAST + BAR_NS, CMD_FLATTEN)], p, out)
    assert said(out)[sent:] == [("submit market", int(b.exit_id), -int(b.lots))]


# A score of the user's own.


def test_a_score_is_evidence_where_the_agent_takes_it() -> None:
    for taken, sides in ((1, [1]), (0, [])):
        state, p, out = warm()
        p.divergence.use_score = taken
        now = np.array([LAST])
        score = score_events(now, np.array([0]), 3, np.array([0.02]), np.array([0.01]), np.array([float(HOUR_NS)]))[0]
        feed(state, [score, timer(LAST + SECOND_NS)], p, out)
        assert [int(d.side) for d in decisions(out) if d.gates == 0] == sides


# The account.


def test_equity_is_written_once_an_hour() -> None:
    state, p, out = warm()
    feed(state, [timer(LAST + k * BAR_NS) for k in range(36)], p, out)
    rows = out.equities[: int(out.head[0].equities)]
    assert len(rows) == 4
    assert len(set((rows["ts_ns"] // HOUR_NS).tolist())) == 4
    assert (rows["equity"] == 100_000.0).all()


def test_a_position_is_marked_at_the_last_close() -> None:
    state, p, out = warm()
    b = entered(state, p, out)
    close = float(b.entry_price) * 1.01
    feed(state, [bar(state, 0, LAST + 2 * BAR_NS, close, close, close, close, 20.0), timer(LAST + 2 * BAR_NS)], p, out)
    assert state.head[0].equity == pytest.approx(100_000.0 + b.lots * 0.001 * (close - b.entry_price))


def test_the_best_price_counts_though_nobody_asks_at_that_bar() -> None:
    state, p, out = warm()
    b = entered(state, p, out)
    far = float(b.entry_price) + 1.5 * float(b.trail_from)
    near = float(b.entry_price) * 1.0001
    stop = int(b.stop_ticks)
    feed(state, [bar(state, 0, LAST + 2 * BAR_NS, near, far, near, near, 20.0),
                 bar(state, 0, LAST + 3 * BAR_NS, near, near, near, near, 20.0),
                 timer(LAST + 3 * BAR_NS + 2 * SECOND_NS)], p, out)  # fmt: skip
    assert b.best == far
    assert b.stop_ticks > stop


def test_an_asset_takes_at_most_64_kilobytes_of_state() -> None:
    state = make_state(64)
    each = sum(array.nbytes for array in state) / 64  # what is held once is counted on them as well
    assert 32 * 1024 < each <= 64 * 1024
