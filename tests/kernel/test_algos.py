"""Release: never more than the share of volume in a bar, all of the target in the end, and nothing after patience."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kernel.money import ended, fill, intents, priced, said
from tests.kernel.world import BAR_NS, PERP, START, make_params, make_state, new_out

from confidence_engine.domain.order import INTENT_SUBMIT, ORDER_MARKET
from confidence_engine.domain.units import HOUR_NS, MINUTE_NS
from confidence_engine.kernel import algos, ledger, orders

PRICE, UNIT = 100.0, 0.001


def begun(lots: int, volume: float, style: str = "participation", **more: Any) -> tuple[Any, Any, Any]:
    """State, output and parameters after the first parcel of a target."""
    state, out = make_state(1, min_notional=5.0), new_out(1, 4096)
    priced(state, PRICE, volume=volume)
    state.head[0].now_ns = START
    p = make_params(algos={"style": style, "participation": 0.02, **more}).algos
    algos.first(state, 0, out, lots, abs(lots) * UNIT * PRICE, p)
    return state, out, p


def parcels(out: Any) -> list[int]:
    """Lots of every entry order sent."""
    rows = intents(out)
    sent = (rows["action"] == INTENT_SUBMIT) & (rows["kind"] == ORDER_MARKET) & (rows["reduce_only"] == 0)
    return [int(x) for x in rows["lots"][sent]]


def filled(state: Any, out: Any) -> None:
    """The parcel that works is filled."""
    b = state.book[0]
    event = fill(int(b.entry_id), 10_000, int(b.entry_leaves))
    ledger.book(state, event, out)
    orders.filled(state, event, out)


def next_bar(state: Any, volume: float, bars: int = 1) -> None:
    """Time goes on and the recent volume is `volume`."""
    state.asset[0].close_ns += bars * BAR_NS
    state.head[0].now_ns = state.asset[0].close_ns + 1
    state.ring["volume"][0, :12] = volume


@given(lots=st.integers(50, 10**7).map(lambda x: x * 2 - 10**7).filter(lambda x: abs(x) >= 50))
def test_immediate_is_all_at_once(lots: int) -> None:
    state, out, p = begun(lots, 1000.0, "immediate")
    assert parcels(out) == [lots]
    filled(state, out)
    next_bar(state, 1000.0)
    algos.release(state, 0, out, p)
    assert parcels(out) == [lots]
    assert [x[0] for x in said(out)] == ["submit market", "submit stop", "submit target"]


@given(
    lots=st.integers(50, 50_000), side=st.sampled_from([1, -1]),
    volumes=st.lists(st.sampled_from([0.0, math.nan, 0.1, 10.0, 100.0, 3333.3]), min_size=1, max_size=40),
)  # fmt: skip
def test_no_bar_takes_more_than_its_share_and_the_sum_is_the_target(lots: int, side: int, volumes: list[float]) -> None:
    state, out, p = begun(side * lots, volumes[0], patience_ns=24 * 60 * MINUTE_NS)
    floor = math.ceil(5.0 / (UNIT * PRICE))
    used, left = volumes[0], lots
    for count, volume in enumerate([*volumes[1:], *[3333.3] * 100]):
        sent = parcels(out)
        assert len(sent) == count + 1  # a parcel a bar, while there is something left
        share = math.floor(0.02 * used / UNIT) if used > 0.0 else 0
        cap = max(share, floor)
        # a rest too small to be sent alone goes with the parcel before it
        assert side * sent[-1] == (cap if left - cap >= floor else left)
        left -= side * sent[-1]
        filled(state, out)
        if left == 0:
            break
        next_bar(state, volume)
        used = volume
        algos.release(state, 0, out, p)
    assert sum(parcels(out)) == side * lots
    assert state.book[0].lots == side * lots
    assert all(abs(x) >= floor for x in parcels(out))


def test_margin_goes_out_in_proportion() -> None:
    state, out, p = begun(5000, 100.0)
    filled(state, out)
    next_bar(state, 50.0)
    algos.release(state, 0, out, p)
    rows = intents(out)[intents(out)["margin_usd"] > 0]
    assert rows["lots"].tolist() == [2000, 1000]
    assert rows["margin_usd"].tolist() == pytest.approx([200.0, 100.0])


def test_one_parcel_a_bar_and_only_after_the_last_is_done() -> None:
    state, out, p = begun(5000, 100.0)
    next_bar(state, 100.0)
    algos.release(state, 0, out, p)  # the first still works
    assert parcels(out) == [2000]
    filled(state, out)
    algos.release(state, 0, out, p)
    algos.release(state, 0, out, p)
    assert parcels(out) == [2000, 2000]
    filled(state, out)
    algos.release(state, 0, out, p)  # the same bar
    assert parcels(out) == [2000, 2000]


def test_a_gap_is_worth_trading_only_while_it_is_open() -> None:
    state, out, p = begun(50_000, 100.0, patience_ns=30 * MINUTE_NS)
    for _ in range(20):
        filled(state, out)
        next_bar(state, 100.0)
        algos.release(state, 0, out, p)
        if state.book[0].plan_lots == 0:
            break
    assert len(parcels(out)) == 6  # at the decision and five bars later; the sixth is beyond half an hour
    assert state.book[0].plan_lots == 0
    assert state.book[0].lots == 12_000


@pytest.mark.parametrize("how", ["flat", "leaving", "refused"])
def test_the_rest_is_given_up_with_the_position(how: str) -> None:
    state, out, p = begun(50_000, 100.0)
    b = state.book[0]
    if how == "refused":
        orders.settle(state, ended(int(b.entry_id), True), True)
    else:
        filled(state, out)
    if how == "flat":
        b.lots = 0
    if how == "leaving":
        b.exit_id = 99
    next_bar(state, 100.0)
    algos.release(state, 0, out, p)
    assert (parcels(out), b.plan_lots) == ([2000], 0)


# Limit entries.


def rested(lots: int = 5000, at: float = PRICE, **more: Any) -> tuple[Any, Any, Any]:
    """A limit entry that was just posted, a stop and a target 3.00 and 6.00 away."""
    state, out = make_state(1, min_notional=5.0, **more.pop("row", {})), new_out(1, 4096)
    priced(state, at)
    b, side = state.book[0], 1 if lots > 0 else -1
    b.stop_ticks, b.target_ticks = round((at - 3 * side) * 100), round((at + 6 * side) * 100)
    b.deadline_ns = START + 6 * HOUR_NS
    state.head[0].now_ns = START
    p = make_params(algos={"style": "limit", **more}).algos
    algos.first(state, 0, out, lots, abs(lots) * UNIT * at * 0.2, p)
    return state, out, p


@given(
    lots=st.integers(-10**6, 10**6).filter(lambda x: abs(x) > 50), share=st.floats(0.0, 5.0),
    at=st.floats(50.0, 70_000.0),
)  # fmt: skip
def test_a_limit_entry_rests_away_from_the_market_by_a_share_of_the_range(lots: int, share: float, at: float) -> None:
    state, out, _ = rested(lots, at, limit_atr=share)
    entry = intents(out)[0]
    assert [x[0] for x in said(out)] == ["submit limit", "submit stop", "submit target"]
    assert entry.lots == state.book[0].entry_leaves == lots
    side = 1 if lots > 0 else -1
    exact = (at - side * share) * 100.0
    assert -1e-5 <= side * (exact - entry.trigger_ticks) <= 1.0 + 1e-5
    assert entry.margin_usd == pytest.approx(abs(lots) * UNIT * at * 0.2)


def later(state: Any, out: Any, p: Any, minutes: float, price: float = PRICE) -> None:
    """Time goes on, the price is another, and what waits may go."""
    state.head[0].now_ns = START + int(minutes * MINUTE_NS)
    state.asset[0].price = price
    algos.release(state, 0, out, p)


def test_a_limit_entry_is_taken_back_at_the_end_of_patience_once() -> None:
    state, out, p = rested()
    for minutes in (5, 29.9, 30, 35, 40):
        later(state, out, p, minutes)
    assert said(out)[3:] == [("cancel limit", 1, 0)]
    assert int(intents(out)[3].ts_ns) == START + 30 * MINUTE_NS
    orders.settle(state, ended(1), False)
    later(state, out, p, 45)
    assert len(said(out)) == 4
    assert (state.book[0].stop_ticks, state.book[0].plan_lots) == (0, 0)


def crossed(price: float, lots: int = 5000, part: int = 0, why: str = "late", **row: Any) -> tuple[Any, Any]:
    """A limit entry that ended, `part` of it filled, and is crossed with the price where it is."""
    state, out, p = rested(lots, cross=True, row=row)
    b = state.book[0]
    if part:
        event = fill(1, int(b.limit_ticks), part, leaves=lots - part)
        ledger.book(state, event, out)
        orders.filled(state, event, out)
    later(state, out, p, 30, price)
    orders.settle(state, ended(1), False)
    later(state, out, p, 35, price)
    later(state, out, p, 40, price)
    return state, out


@pytest.mark.parametrize("side", [1, -1])
def test_crossing_takes_the_rest_at_market_cut_to_the_risk_first_wanted(side: int) -> None:
    for run, lots in ((0.0, 5000), (1.0, 3750), (3.0, 2500), (-1.0, 5000)):
        _, out = crossed(PRICE + side * run, side * 5000)
        new = said(out)[4:]
        assert new == [("submit market", 4, side * lots), ("submit stop", 5, 0), ("submit target", 6, 0)]
        rows = intents(out)[4:]
        assert rows["trigger_ticks"].tolist() == [0, *intents(out)["trigger_ticks"][1:3].tolist()]
        assert rows["parent_id"].tolist() == [0, 4, 4]
        assert rows[0].margin_usd == pytest.approx(lots * UNIT * PRICE * 0.2)


def test_crossing_what_is_left_of_a_part_leaves_its_protection_alone() -> None:
    state, out = crossed(PRICE + 0.5, part=2000)
    assert said(out)[4:] == [("submit market", 4, 2571)]
    assert (state.book[0].stop_id, state.book[0].target_id) == (2, 3)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("run", [-3.0, -4.0, 6.0, 7.0])
def test_nothing_is_crossed_beyond_the_stop_or_the_target(run: float, side: int) -> None:
    state, out = crossed(PRICE + side * run, side * 5000)
    b = state.book[0]
    assert len(said(out)) == 4
    assert (b.plan_lots, b.stop_ticks, b.target_ticks, b.deadline_ns, b.plan_margin) == (0, 0, 0, 0, 0.0)


def test_nothing_is_crossed_that_would_be_liquidated_before_its_stop() -> None:
    state, out, p = rested(cross=True, row=PERP)
    state.book[0].plan_margin = 0.0035  # 3.5 a coin: enough from here, not from higher up
    later(state, out, p, 30, PRICE + 1.0)
    orders.settle(state, ended(1), False)
    later(state, out, p, 35, PRICE + 1.0)
    assert len(said(out)) == 4
    state, out, p = rested(cross=True, row=PERP)
    state.book[0].plan_margin = 0.0055
    later(state, out, p, 30, PRICE + 1.0)
    orders.settle(state, ended(1), False)
    later(state, out, p, 35, PRICE + 1.0)
    assert len(said(out)) == 7


def test_a_rest_below_the_minimum_is_not_crossed() -> None:
    _, out = crossed(PRICE + 1.0, part=4950)
    assert len(said(out)) == 4
