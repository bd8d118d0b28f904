"""kernel.sizing: what is lost at the stop, and the margin that keeps liquidation beyond it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.kernel.world import BAR_NS, PERP, YEAR_S, decision, make_params, make_state

from confidence_engine.domain.decision import gate_names
from confidence_engine.domain.units import DAY_NS, HOUR_NS
from confidence_engine.kernel import sizing
from confidence_engine.kernel.margin import liquidation_price, margin_for, unit

SHARE = st.floats(0, 1)
EQUITY = st.floats(1.0, 1e8)
PRICE = 20_000.0
HOLD = 6 * HOUR_NS
STOPS = st.floats(1.0, 8_000.0)
SIDES = st.sampled_from([-1, 1])


def sized(s: Any, p: Any, stop: float, **values: float) -> tuple[int, Any]:
    good = {"side": 1, "strength": 0.5, "warmth": 1.0, "equity": 100_000.0, "price": PRICE}
    d = decision(**(good | values))
    return int(sizing.target(s, 0, d, stop, p.sizing)), d


@given(SHARE, SHARE, EQUITY, STOPS, SIDES)
def test_what_is_lost_at_the_stop_is_the_risk_wanted(
    strength: float, warmth: float, equity: float, stop: float, side: int
) -> None:
    s, p = make_state(), make_params()
    lots, d = sized(s, p, stop, strength=strength, warmth=warmth, equity=equity, side=side)
    r_unit = 0.005 * equity
    lost = abs(lots) * unit(s.inst[0]) * stop
    assert d.size_r == pytest.approx(0.25 * strength * warmth, rel=1e-12)
    assert lost <= 0.25 * r_unit * (1 + 1e-12)
    assert lost <= d.size_r * r_unit * (1 + 1e-12)
    one_more = (abs(lots) + 1) * unit(s.inst[0]) * stop
    assert d.size_r * r_unit < one_more * (1 + 1e-12)
    assert lots * side >= 0
    assert gate_names(int(d.gates)) == ([] if lots else ["TOO_SMALL"])


@given(SHARE, SHARE, SHARE, SHARE, EQUITY, EQUITY, STOPS, STOPS)
def test_size_never_falls_with_strength_warmth_or_equity_nor_rises_with_the_stop(
    a: float, b: float, c: float, e: float, small: float, large: float, near: float, far: float
) -> None:
    s, p = make_state(), make_params()
    (a, b), (c, e), (small, large), (near, far) = (sorted(x) for x in ((a, b), (c, e), (small, large), (near, far)))
    less, _ = sized(s, p, far, strength=a, warmth=c, equity=small)
    for one in ({"strength": b}, {"warmth": e}, {"equity": large}):
        assert sized(s, p, far, **({"strength": a, "warmth": c, "equity": small} | one))[0] >= less
    assert sized(s, p, near, strength=a, warmth=c, equity=small)[0] >= less


@given(SHARE, SHARE, EQUITY, STOPS)
def test_an_uncalibrated_confidence_sizes_no_real_money(s1: float, warmth: float, equity: float, stop: float) -> None:
    p = make_params(sizing={"real_money": True})
    lots, d = sized(make_state(), p, stop, strength=s1, warmth=warmth, equity=equity)
    assert (lots, d.size_r) == (0, 0.0)
    assert gate_names(int(d.gates)) == ["UNCALIBRATED"]


def test_no_warmth_no_strength_no_equity_no_size() -> None:
    for nothing in ({"strength": 0.0}, {"warmth": 0.0}, {"equity": 0.0}, {"equity": -5_000.0}):
        assert sized(make_state(), make_params(), 500.0, **nothing)[0] == 0


def test_leverage_is_never_a_size() -> None:
    sizes = {
        sized(make_state(**(PERP | {"max_leverage": venue})), make_params(sizing={"leverage": setting}), 400.0)[0]
        for venue in (2.0, 125.0)
        for setting in (1.0, 25.0, 125.0)
    }
    assert len(sizes) == 1


def afforded(s: Any, p: Any, lots: int, stop: float) -> tuple[int, float, Any]:
    d = decision(side=1 if lots > 0 else -1, price=PRICE, equity=float(s.head[0].equity))
    got, margin = sizing.afford(s, 0, d, lots, stop, HOLD, p.sizing)
    return int(got), float(margin), d


@given(st.integers(1, 200_000), SIDES, STOPS, st.floats(0, 60_000.0), st.floats(1.0, 6.0))
def test_margin_keeps_liquidation_beyond_the_stop_and_within_the_budget(
    lots: int, side: int, stop: float, used: float, stops: float
) -> None:
    s, p = make_state(**PERP), make_params(sizing={"liquidation_stops": stops})
    s.head[0].used_margin = used
    got, margin, d = afforded(s, p, side * lots, stop)
    free = 0.5 * 100_000.0 - used
    assert 0 <= got * side <= lots
    if got == 0:
        assert margin == 0.0
        assert gate_names(int(d.gates)) == ["MARGIN"]
        return
    assert margin <= free * (1 + 1e-9)
    beyond = (PRICE - liquidation_price(s, 0, got, PRICE, margin)) * side
    assert beyond >= stops * stop * (1 - 1e-9) or (side > 0 and stops * stop >= PRICE)
    assert margin <= abs(got) * unit(s.inst[0]) * max(PRICE, stops * stop * 1.03 + PRICE * 0.03) * (1 + 1e-9)


@given(st.integers(1, 200_000), SIDES, STOPS, st.floats(0, 49_000.0))
def test_size_is_cut_only_as_far_as_the_budget_asks(lots: int, side: int, stop: float, used: float) -> None:
    s = make_state(**(PERP | {"tiers": ()}))  # without tiers margin is in proportion to lots
    p = make_params(sizing={"funding_reserve": 0.0})
    s.head[0].used_margin = used
    got, _, _ = afforded(s, p, side * lots, stop)
    assume(abs(got) < lots)
    more = side * (abs(got) + 1)
    needed = margin_for(s, 0, more, PRICE, max(PRICE - side * 2.0 * stop, 0.0), 25.0)
    fee = abs(more) * unit(s.inst[0]) * PRICE * s.inst[0].taker
    assert needed + fee > (50_000.0 - used) * (1 - 1e-9)


def test_a_long_that_cannot_be_liquidated_posts_no_more_than_it_costs() -> None:
    s, p = make_state(**PERP), make_params()
    got, margin, _ = afforded(s, p, 100, 15_000.0)  # two stops away is below zero
    assert got == 100
    assert margin == pytest.approx(100 * unit(s.inst[0]) * PRICE)


@given(st.integers(1, 20_000), st.floats(0, 120_000.0))
def test_spot_spends_what_is_there_and_no_more(lots: int, used: float) -> None:
    s, p = make_state(), make_params()
    s.head[0].used_margin = used
    got, margin, d = afforded(s, p, lots, 400.0)
    cost = unit(s.inst[0]) * PRICE
    assert got == min(lots, max(0, math.floor((100_000.0 - used) / (cost * (1.0 + s.inst[0].taker)) + 1e-9)))
    assert margin == pytest.approx(got * cost)
    assert (d.gates == 0) == (got > 0)


def test_a_loss_not_yet_realised_and_cash_not_there_both_shrink_the_budget() -> None:
    for equity, balance, room in ((60_000.0, 100_000.0, 30_000.0), (100_000.0, 20_000.0, 20_000.0)):
        s = make_state(**(PERP | {"tiers": ()}))
        s.head[0].equity, s.head[0].balance = equity, balance
        lots, margin, _ = afforded(s, make_params(), 100_000, 400.0)
        fee = lots * unit(s.inst[0]) * PRICE * s.inst[0].taker
        assert margin + fee == pytest.approx(room, rel=1e-3)


# The volatility target.


def volatile(annual: float, target: float = 1.0, bar_ns: int = BAR_NS, year_s: float = YEAR_S) -> float:
    """R-units of a case at full strength where the class moves 80 % a year and the asset `annual`."""
    s = make_state(bar_ns=bar_ns, year_s=year_s)
    bars = 252.0 if bar_ns >= DAY_NS and year_s < YEAR_S else year_s * 1e9 / bar_ns
    d = decision(side=1, strength=1.0, warmth=1.0, equity=1e6, price=PRICE, sigma=annual / math.sqrt(bars))
    sizing.target(s, 0, d, 500.0, make_params(sizing={"target_volatility": target}).sizing)
    return float(d.size_r)


@given(st.floats(0.01, 10.0), st.floats(0.01, 10.0), st.floats(0.1, 5.0))
def test_risk_falls_with_volatility_above_the_target_and_never_rises(a: float, b: float, target: float) -> None:
    calm, wild = sorted((a, b))
    assert volatile(wild, target) <= volatile(calm, target) <= 0.25
    assert volatile(wild, target) == pytest.approx(0.25 * min(1.0, target * 0.8 / wild), rel=1e-9)
    assert volatile(wild, 0.0) == 0.25  # off


@pytest.mark.parametrize(("bar_ns", "year_s"), [(DAY_NS, 5_896_800.0), (BAR_NS, 5_896_800.0), (DAY_NS, YEAR_S)])
def test_a_year_is_the_trading_time_of_the_class(bar_ns: int, year_s: float) -> None:
    assert volatile(1.6, 1.0, bar_ns, year_s) == pytest.approx(0.125)


# Liquidation, through everything that may happen until the stop.


@given(
    lots=st.integers(60, 400_000), side=SIDES, stop=st.floats(0.003, 0.9), paid=st.floats(0.0, 0.003),
    leverage=st.sampled_from([1.0, 5.0, 25.0, 125.0]), venue=st.sampled_from([5.0, 25.0, 125.0]),
    stops=st.floats(1.0, 6.0), tiers=st.integers(1, 4), hours=st.integers(1, 72),
)  # fmt: skip
def test_liquidation_stays_beyond_the_stop_when_funding_has_been_paid(
    lots: int, side: int, stop: float, leverage: float, venue: float, stops: float, paid: float, tiers: int, hours: int
) -> None:
    s = make_state(equity=1e9, **(PERP | {"max_leverage": venue, "tiers": PERP["tiers"][:tiers]}))
    p = make_params(sizing={"liquidation_stops": stops, "leverage": leverage, "margin_budget": 1.0}).sizing
    d = decision(side=side, price=PRICE, equity=1e9)
    got, margin = sizing.afford(s, 0, d, side * lots, stop * PRICE, hours * HOUR_NS, p)
    notional = lots * unit(s.inst[0]) * PRICE
    assert got == side * lots
    assert margin >= notional / min(leverage, venue) * (1 - 1e-9)
    payments = math.ceil(hours / 8)
    left = margin - payments * paid * notional
    beyond = (PRICE - liquidation_price(s, 0, got, PRICE, left)) * side
    if side > 0 and stops * stop >= 1.0:  # posts all it costs: only its funding can be missing
        assert beyond >= PRICE * (1.0 - payments * paid / (1.0 - 0.025)) * (1 - 1e-9)
    else:
        assert beyond >= stops * stop * PRICE * (1 - 1e-9)


@given(st.floats(1.0, 1.5), st.floats(1.0, 6.0), st.sampled_from([5.0, 25.0, 125.0]))
def test_a_long_without_a_stop_above_zero_is_refused(stop: float, stops: float, leverage: float) -> None:
    s = make_state(**(PERP | {"max_leverage": leverage}))
    got, margin, d = afforded(s, make_params(sizing={"liquidation_stops": stops}), 100, stop * PRICE)
    assert (got, margin, gate_names(int(d.gates))) == (0, 0.0, ["MARGIN"])


@given(st.integers(1, 20_000), SIDES, st.floats(10.0, 5_000.0))
def test_a_stop_beyond_liquidation_is_refused_whatever_was_asked_for(lots: int, side: int, stop: float) -> None:
    s = make_state(**PERP)
    p = make_params(sizing={"funding_reserve": 0.0})
    p.sizing.liquidation_stops = 0.9  # less than a config may ask for
    got, margin, d = afforded(s, p, side * lots, stop)
    if got != 0:  # the least margin of 25x reaches farther than a near stop
        assert (PRICE - liquidation_price(s, 0, got, PRICE, margin)) * side > stop
    else:
        assert gate_names(int(d.gates)) == ["MARGIN"]
        assert stop > 100.0


def test_a_reserve_is_kept_for_every_payment_that_may_fall_due() -> None:
    s = make_state(**(PERP | {"tiers": ()}))
    for hold, payments in ((HOUR_NS, 1), (8 * HOUR_NS, 1), (9 * HOUR_NS, 2), (72 * HOUR_NS, 9)):
        d = decision(side=1, price=PRICE, equity=1e5)
        more = sizing.afford(s, 0, d, 100, 400.0, hold, make_params().sizing)[1]
        less = sizing.afford(s, 0, d, 100, 400.0, hold, make_params(sizing={"funding_reserve": 0.0}).sizing)[1]
        assert more - less == pytest.approx(payments * 0.003 * 100 * unit(s.inst[0]) * PRICE)
