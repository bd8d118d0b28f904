"""The account has the last word: limits cut towards zero, every refusal has its bit, and a halt needs a person."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kernel.money import priced
from tests.kernel.world import START, command, decision, make_params, make_state

from confidence_engine.domain.decision import gate_names
from confidence_engine.domain.order import CMD_FLATTEN, CMD_HALT, CMD_LIMIT, CMD_RESUME
from confidence_engine.domain.units import DAY_NS, HOUR_NS
from confidence_engine.kernel import risk
from confidence_engine.kernel.ledger import mark

ONE = 0.001 * 100.0  # quote a lot


def account(**head: float) -> Any:
    """A state with a price of 100 and the account's figures given."""
    state = make_state(2)
    priced(state, 100.0)
    priced(state, 100.0, 1)
    h = state.head[0]
    h.day_equity = h.peak_equity = h.equity = 100_000.0
    for name, value in head.items():
        h[name] = value
    return state


def allowed(state: Any, lots: int, **limits: float) -> tuple[int, list[str]]:
    """What is left of the lots, and the bits that refused."""
    d = decision(side=1 if lots > 0 else -1, price=100.0)
    found = risk.limit(state, 0, d, lots, make_params(risk=limits).risk)
    return int(found), gate_names(int(d.gates))


@given(
    lots=st.integers(1, 3_000_000), side=st.sampled_from([1, -1]), gross=st.floats(0, 3e5), net=st.floats(-3e5, 3e5),
    equity=st.floats(-1e4, 1e6), limits=st.tuples(st.floats(0, 5), st.floats(0, 5), st.floats(0, 5)),
    operator=st.sampled_from([math.nan, 0.0, 1e4, 1e6]),
)  # fmt: skip
def test_room_is_the_smallest_of_single_gross_and_net(
    lots: int, side: int, gross: float, net: float, equity: float, limits: tuple[float, float, float], operator: float
) -> None:
    single, gross_max, net_max = limits
    state = account(gross=gross, net_usd=net, equity=equity, day_equity=min(equity, 2 * equity), gross_limit=operator)
    found, bits = allowed(state, side * lots, single_max=single, gross_max=gross_max, net_max=net_max)
    whole = gross_max * equity if math.isnan(operator) else min(gross_max * equity, operator)
    room = min(single * equity, whole - gross, net_max * equity - side * net)
    want = min(lots, max(math.floor(room / ONE), 0))
    assert found == side * want
    assert bits == ([] if want else ["EXPOSURE"])


@given(lots=st.integers(1, 10**6), more=st.integers(0, 10**6), gross=st.floats(0, 2e5), added=st.floats(0, 1e5))
def test_more_wanted_is_never_less_allowed_and_more_held_is_never_more(
    lots: int, more: int, gross: float, added: float
) -> None:
    here = allowed(account(gross=gross), lots)[0]
    assert here <= allowed(account(gross=gross), lots + more)[0]
    assert here >= allowed(account(gross=gross + added), lots)[0]
    assert 0 <= here <= lots


@pytest.mark.parametrize(
    ("head", "limits", "bits"),
    [
        ({"halted": risk.HALT_OPERATOR}, {}, ["HALTED"]),
        ({"halted": risk.HALT_FLATTEN}, {}, ["HALTED"]),
        ({"halted": risk.HALT_DRAWDOWN}, {}, ["DRAWDOWN"]),
        ({"equity": 96_999.0}, {}, ["DAILY_LOSS"]),
        ({"equity": 97_000.0}, {}, []),
        ({"day_trades": 8}, {}, ["TRADE_LIMIT"]),
        ({"day_trades": 7}, {}, []),
        ({"week_trades": 40}, {}, ["TRADE_LIMIT"]),
        ({"open_positions": 5}, {}, ["POSITION_LIMIT"]),
        ({"open_positions": 4}, {}, []),
        ({}, {"max_positions": 0}, ["POSITION_LIMIT"]),
        ({"gross": 100_000.0}, {}, ["EXPOSURE"]),
        ({"net_usd": 80_000.0}, {}, ["EXPOSURE"]),
        ({"net_usd": -80_000.0}, {}, []),
        ({"halted": 7, "day_trades": 8, "equity": 1.0}, {}, ["HALTED", "DAILY_LOSS", "DRAWDOWN", "TRADE_LIMIT"]),
    ],
)
def test_each_limit_refuses_by_its_name(head: dict[str, float], limits: dict[str, float], bits: list[str]) -> None:
    found, told = allowed(account(**head), 10, **limits)
    assert sorted(told) == sorted(bits)
    assert found == (0 if bits else 10)


def test_the_net_limit_binds_on_the_side_that_adds_to_it() -> None:
    for net, side in ((80_000.0, 1), (-80_000.0, -1)):
        assert allowed(account(net_usd=net), side * 10) == (0, ["EXPOSURE"])
        assert allowed(account(net_usd=net), -side * 10) == (-side * 10, [])


def test_limits_count_what_works() -> None:
    state = account()
    b = state.book[1]
    b.entry_leaves, b.plan_lots, b.plan_margin = 300_000, 600_000, 0.01
    mark(state)
    assert state.head[0].gross == pytest.approx(90_000.0)
    assert allowed(state, 10**6, single_max=1.0, net_max=1.0)[0] == 100_000


def test_the_day_and_the_week_are_utc_and_start_from_the_equity_of_the_moment() -> None:
    state = account(equity=90_000.0, day_trades=3, week_trades=9)
    h = state.head[0]
    monday = START + DAY_NS  # 2023-01-02
    risk.roll(state, monday)
    h.day_trades, h.week_trades = 3, 9
    h.equity = 80_000.0
    risk.roll(state, monday + DAY_NS - 1)
    assert (h.day_equity, h.day_trades, h.week_trades) == (90_000.0, 3, 9)
    risk.roll(state, monday + DAY_NS)
    assert (h.day_equity, h.day_trades, h.week_trades) == (80_000.0, 0, 9)
    risk.roll(state, monday + 7 * DAY_NS - 1)
    assert h.week_trades == 9
    risk.roll(state, monday + 7 * DAY_NS)
    assert h.week_trades == 0


@given(path=st.lists(st.floats(5e4, 2e5), min_size=1, max_size=30))
def test_drawdown_is_from_the_peak_of_marked_equity_and_the_halt_stays(path: list[float]) -> None:
    state = account()
    h, p = state.head[0], make_params().risk
    seen = [100_000.0, *path]
    for equity in path:
        h.equity = equity
        risk.watch(state, p)
    assert h.peak_equity == max(seen)
    peaks = np.maximum.accumulate(seen)
    assert h.halted == (risk.HALT_DRAWDOWN if (np.array(seen) < peaks * (1.0 - 0.1)).any() else 0)


def test_a_resume_lifts_every_halt_and_counts_drawdown_from_here() -> None:
    state = account(equity=50_000.0)
    h, p = state.head[0], make_params().risk
    risk.watch(state, p)
    assert h.halted == risk.HALT_DRAWDOWN
    risk.command(state, command(START, CMD_FLATTEN))
    assert h.halted == risk.HALT_DRAWDOWN | risk.HALT_OPERATOR | risk.HALT_FLATTEN
    risk.command(state, command(START + HOUR_NS, CMD_RESUME))
    risk.watch(state, p)
    assert (h.halted, h.peak_equity) == (0, 50_000.0)


def test_an_operators_limit_is_one_more_limit() -> None:
    state = account()
    risk.command(state, command(START, CMD_LIMIT, 1_000.0))
    assert allowed(state, 10**6)[0] == 10_000
    risk.command(state, command(START, CMD_LIMIT, -1.0))
    assert state.head[0].gross_limit == 1_000.0
    risk.command(state, command(START, CMD_LIMIT, math.nan))
    assert allowed(state, 10**6) == allowed(account(), 10**6)
    risk.command(state, command(START, CMD_LIMIT, 0.0))
    assert allowed(state, 10) == (0, ["EXPOSURE"])


def test_a_halt_blocks_entries_until_it_is_lifted() -> None:
    state = account()
    risk.command(state, command(START, CMD_HALT))
    assert allowed(state, 10) == (0, ["HALTED"])
    risk.command(state, command(START, CMD_RESUME))
    assert allowed(state, 10) == (10, [])
