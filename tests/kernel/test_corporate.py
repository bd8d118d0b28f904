"""kernel.corporate: a split changes the measure of everything and no return, a dividend moves cash and no return."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kernel.exchange import corporate, events, new_york, share
from tests.kernel.world import bar, feed, make_params, walk

from confidence_engine.domain.event import CORPORATE, DIVIDEND, SPLIT
from confidence_engine.kernel import ledger, price
from confidence_engine.kernel.corporate import lower, rescale, whole
from confidence_engine.kernel.out import STATUS_OK, STATUS_UNSOUND
from confidence_engine.kernel.state import DAYS, RING_BARS, SLOTS, State

N, AT = 40, 25
P = make_params(price={"min_obs": 20, "full_obs": 21})


def played(what: int, value: float, told: bool = True) -> tuple[State, Any]:
    """40 sessions of which the last 15 are in the new measure; without `told` the engine is not told of it."""
    rows, columns = new_york(N), walk(np.random.default_rng(5), N, 100.0, 0.01)
    state = share()
    last = columns[AT - 1, 3]
    factor = 1.0 / value if what == SPLIT else (last - value) / last
    columns[AT:, :4] *= factor
    columns[AT:, 4] *= value if what == SPLIT else 1.0
    tape: list[Any] = []
    for k, (at, row) in enumerate(zip(events(rows), rows, strict=True)):
        if k == AT and told:
            tape.append(corporate(0, int(row["open_ns"]), what, value))
        tape += [at, bar(state, 0, int(row["close_ns"]), *columns[k].tolist())]
    return state, feed(state, tape, P)


@pytest.mark.parametrize(("what", "value"), [(SPLIT, 2.0), (SPLIT, 0.1), (SPLIT, 1.5), (DIVIDEND, 3.0)])
def test_no_false_return_is_seen(what: int, value: float) -> None:
    plain, _ = played(SPLIT, 1.0)
    state, out = played(what, value)
    assert out.head[0].status == STATUS_OK
    for name in ("sigma", "variance", "volume_z", "warmth"):
        assert state.asset[0][name] == pytest.approx(plain.asset[0][name], rel=1e-9), name
    unit = state.asset[0].price / plain.asset[0].price
    for name in ("atr", "frame_prior", "high", "low"):
        assert state.asset[0][name] == pytest.approx(plain.asset[0][name] * unit, rel=1e-9), name
    for ns in new_york(N)["close_ns"][5::7].tolist():  # reactions from before and after the ex-date
        here, there = (float(price.since(s, 0, ns, 50.0)) for s in (state, plain))
        assert here == pytest.approx(there, rel=1e-9)
    ignorant, _ = played(what, value, told=False)
    assert ignorant.asset[0].sigma != pytest.approx(plain.asset[0].sigma, rel=0.005)


def holding(lots: int, entry: float = 90.0) -> State:
    """A state that holds lots at a last price of 100, with stop and target."""
    state = share(new_york(2))
    b, h = state.book[0], state.head[0]
    b.lots, b.entry_price, b.mark_price, b.stop_ticks, b.target_ticks = lots, entry, 100.0, 9_500, 11_001
    b.margin, b.trail_from, b.trail_by, b.best, b.stop_id = abs(lots) * entry, 8.0, 6.0, 102.0, 2
    b.entry_leaves = 10 * (1 if lots > 0 else -1)
    state.asset[0].price, state.asset[0].n_bars = 100.0, 1
    state.ring[0, 0].price = 100.0
    h.balance = 100_000.0
    state.book[0].notional = abs(lots) * entry
    return state


PRICES = {
    "asset": ("open", "high", "low", "price", "atr", "frame_high", "frame_low", "frame_close", "frame_prior"),
    "regime": ("last", "price"), "beta": ("price",), "ring": ("price",), "pending": ("entry_price",),
    "trend": ("close",),
}  # fmt: skip
"""What is a price of the past, by array: all else there is a ratio, a time or a count."""


def filled(n_bars: int, frames: int) -> State:
    """A state in which every past price of two assets is a number of its own; asset 1 is another share."""
    state, rng = share(new_york(2)), np.random.default_rng(7)
    for name, fields in PRICES.items():
        rows = getattr(state, name)
        for field in fields:
            rows[field][:2] = rng.uniform(50.0, 150.0, rows[field][:2].shape)
    state.asset["price"], state.asset["n_bars"] = 100.0, n_bars
    state.ring["volume"][:2] = rng.uniform(1e3, 1e4, (2, RING_BARS))
    state.slot["centre"][:2], state.slot["count"][:2] = 9.0, rng.integers(0, 2, (2, SLOTS))
    state.day["log_close"][:2], state.trend["frames"] = rng.uniform(4.0, 5.0, (2, DAYS)), frames
    return state


@pytest.mark.parametrize(
    ("what", "value", "f", "g"), [(SPLIT, 2.0, 0.5, 2.0), (SPLIT, 0.1, 10.0, 0.1), (DIVIDEND, 3.0, 0.97, 1.0)]
)
@pytest.mark.parametrize(("n_bars", "frames"), [(7, 5), (RING_BARS, DAYS), (3 * RING_BARS + 9, 2 * DAYS + 4)])
def test_every_past_price_and_volume_is_in_the_new_measure_and_nothing_else(
    what: int, value: float, f: float, g: float, n_bars: int, frames: int
) -> None:
    state, before = filled(n_bars, frames), filled(n_bars, frames)
    feed(state, [corporate(0, int(new_york(2)["open_ns"][1]), what, value)], P)
    kept, days = min(n_bars, RING_BARS), min(frames, DAYS)
    for name, fields in PRICES.items():
        n = kept if name == "ring" else None
        for field in fields:
            new, old = getattr(state, name)[field][0], getattr(before, name)[field][0]
            np.testing.assert_allclose(new[:n] if n else new, old[:n] * f if n else old * f, rtol=1e-12, err_msg=field)
    np.testing.assert_allclose(state.ring["volume"][0, :kept], before.ring["volume"][0, :kept] * g, rtol=1e-12)
    np.testing.assert_allclose(state.day["log_close"][0, :days], before.day["log_close"][0, :days] + math.log(f))
    seen = before.slot["count"][0] > 0
    np.testing.assert_allclose(state.slot["centre"][0], np.where(seen, 9.0 + math.log(g), 9.0), rtol=1e-12)
    for name in ("sigma", "close_ns"):
        np.testing.assert_array_equal(state.ring[name], before.ring[name])
    for part in (*PRICES, "slot", "day", "book"):
        assert getattr(state, part)[1:].tobytes() == getattr(before, part)[1:].tobytes(), part


def test_an_asset_without_a_bar_stays_without_a_price() -> None:
    state, before = share(new_york(2)), share(new_york(2))
    feed(state, [corporate(0, int(new_york(2)["open_ns"][1]), DIVIDEND, 3.0)], P)
    for part in (*PRICES, "slot", "day"):
        assert getattr(state, part).tobytes() == getattr(before, part).tobytes(), part


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("ratio", [2.0, 1.5, 0.5])
def test_a_split_puts_everything_that_works_or_waits_into_new_shares(side: int, ratio: float) -> None:
    state = holding(side * 600)
    b = state.book[0]
    b.exit_leaves, b.plan_lots, b.limit_ticks, b.plan_price, b.plan_margin = -side * 40, side * 80, 9_700, 98.0, 50.0
    feed(state, [corporate(0, int(new_york(2)["open_ns"][1]), SPLIT, ratio)], P)
    assert (b.lots, b.entry_leaves) == (side * 600 * ratio, side * 10 * ratio)
    assert (b.exit_leaves, b.plan_lots) == (-side * 40 * ratio, side * 80 * ratio)
    for name, was in (("plan_price", 98.0), ("plan_margin", 50.0), ("trail_from", 8.0), ("trail_by", 6.0)):
        assert b[name] == pytest.approx(was / ratio), name
    assert b.margin == pytest.approx(600 * 90.0)  # the same money for other shares
    for name, ticks in (("stop_ticks", 9_500), ("target_ticks", 11_001), ("limit_ticks", 9_700)):
        assert abs(b[name] * ratio - ticks) <= ratio / 2 + 1e-9, name


@pytest.mark.parametrize(("lots", "ratio", "paid"), [(15, 0.1, 0.5), (7, 1.5, 0.5), (7, 2.0, 0.0)])
def test_a_broken_lot_is_realised_with_its_margin(lots: int, ratio: float, paid: float) -> None:
    state = holding(lots)
    feed(state, [corporate(0, int(new_york(2)["open_ns"][1]), SPLIT, ratio)], P)
    b, gain = state.book[0], paid * (100.0 - 90.0) / ratio
    assert (b.realised, state.head[0].realised) == (pytest.approx(gain), pytest.approx(gain))
    assert b.margin == pytest.approx(b.lots * 90.0 / ratio)


def equity(state: State) -> float:
    ledger.mark(state)
    return float(state.head[0].equity)


@given(st.integers(1, 10**6), st.sampled_from([-1, 1]), st.sampled_from([2.0, 3.0, 7.0, 1.5, 0.1, 1.25]))
def test_a_split_leaves_equity_as_it_was(lots: int, side: int, ratio: float) -> None:
    state = holding(side * lots)
    before = equity(state)
    out = feed(state, [corporate(0, int(new_york(2)["open_ns"][1]), SPLIT, ratio)], P)
    b = state.book[0]
    assert equity(state) == pytest.approx(before, rel=1e-12)
    assert b.lots == side * math.floor(lots * ratio + 1e-9)
    assert b.lots * side >= 0
    row = out.entries[0]
    assert (row.kind, row.lots, row.rate) == (CORPORATE, b.lots - side * lots, ratio)
    if b.lots != 0:
        assert (b.entry_price, b.mark_price, b.best) == (90.0 / ratio, 100.0 / ratio, 102.0 / ratio)
        assert abs(b.stop_ticks * ratio - 9_500) <= ratio
        assert b.entry_leaves == side * math.floor(10 * ratio + 1e-9)


def test_a_position_that_a_reverse_split_dissolves_is_closed() -> None:
    state = holding(3)
    before = equity(state)
    out = feed(state, [corporate(0, int(new_york(2)["open_ns"][1]), SPLIT, 0.1)], P)
    assert (state.book[0].lots, state.book[0].stop_id, state.book[0].margin) == (0, 0, 0.0)
    assert equity(state) == pytest.approx(before)
    assert out.entries[0].amount_usd == pytest.approx(3 * 10.0)


@given(st.integers(1, 10**6), st.sampled_from([-1, 1]), st.floats(0.01, 60.0))
def test_a_dividend_pays_longs_and_costs_shorts_what_the_price_will_fall(lots: int, side: int, paid: float) -> None:
    state = holding(side * lots)
    before = equity(state)
    out = feed(state, [corporate(0, int(new_york(2)["open_ns"][1]), DIVIDEND, paid)], P)
    assert state.head[0].balance == pytest.approx(100_000.0 + side * lots * paid)
    assert equity(state) == pytest.approx(before, abs=1e-6)
    assert (out.entries[0].kind, out.entries[0].lots) == (CORPORATE, 0)
    assert out.entries[0].amount_usd == pytest.approx(side * lots * paid, rel=1e-12)
    b = state.book[0]
    assert (b.entry_price, b.best) == (90.0, pytest.approx(102.0 - paid))
    assert b.realised == state.head[0].realised == pytest.approx(side * lots * paid, rel=1e-12)
    for ticks, was in ((b.stop_ticks, 9_500), (b.target_ticks, 11_001)):
        assert abs(ticks - (was - paid * 100)) <= 0.5 + 1e-6


@given(st.sampled_from([-1, 1]), st.floats(0.01, 60.0))
def test_a_dividend_lowers_what_waits(side: int, paid: float) -> None:
    """The price first wanted keeps its distance to the stop, and the ratchet its distance to where it begins."""
    ex = int(new_york(2)["open_ns"][1])
    for lots in (side * 10, 0):
        state = holding(lots)
        b = state.book[0]
        b.plan_price, b.limit_ticks, b.plan_lots = 98.0, 9_700, side * 4
        risked, begun = b.plan_price - b.stop_ticks * 0.01, (b.best - b.entry_price) * side - b.trail_from
        feed(state, [corporate(0, ex, DIVIDEND, paid)], P)
        assert b.plan_price == pytest.approx(98.0 - paid)
        assert b.plan_price - b.stop_ticks * 0.01 == pytest.approx(risked, abs=0.005 + 1e-6)
        assert abs(b.limit_ticks - (9_700 - paid * 100)) <= 0.5 + 1e-6
        assert (b.trail_by, b.plan_lots, b.entry_price) == (6.0, side * 4, 90.0)
        if lots:
            assert (b.best - b.entry_price) * side - b.trail_from == pytest.approx(begun)
        else:
            assert b.trail_from == 8.0  # an entry to come is filled at the new prices


@pytest.mark.parametrize(
    ("what", "value"), [(3, 1.0), (SPLIT, 0.0), (SPLIT, 5000.0), (DIVIDEND, 0.0), (DIVIDEND, 100.0)]
)
def test_what_cannot_be_stops_the_run(what: int, value: float) -> None:
    state = holding(10)
    out = feed(state, [corporate(0, int(new_york(2)["open_ns"][1]), what, value)], P)
    assert out.head[0].status == STATUS_UNSOUND
    assert state.book[0].lots == 10


def test_without_a_position_nothing_is_booked() -> None:
    state = share(new_york(2))
    at = int(new_york(2)["open_ns"][1])
    out = feed(state, [corporate(0, at, SPLIT, 2.0), corporate(0, at, DIVIDEND, 1.0)], P)
    assert (out.head[0].status, out.head[0].entries) == (STATUS_OK, 0)


def test_broken_lots_go_towards_zero_and_no_level_stays_none() -> None:
    assert [whole(x, 1.5) for x in (3, -3, 2, 0)] == [4, -4, 3, 0]
    assert whole(49, 1 / 49) == 1 > 49 * (1 / 49)  # the last bit of the ratio breaks no lot
    assert [rescale(0, 2.0), rescale(1, 100.0), rescale(9, 2.0)] == [0, 1, 5]
    assert [lower(0, 0.01, 1.0), lower(50, 0.01, 1.0), lower(500, 0.01, 1.0)] == [0, 1, 400]
