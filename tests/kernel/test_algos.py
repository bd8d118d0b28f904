"""Release: never more than the share of volume in a bar, all of the target in the end, and nothing after patience."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kernel.money import ended, fill, intents, priced, said
from tests.kernel.world import BAR_NS, START, make_params, make_state, new_out

from confidence_engine.domain.order import INTENT_SUBMIT, ORDER_MARKET
from confidence_engine.domain.units import MINUTE_NS
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
