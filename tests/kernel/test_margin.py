"""kernel.margin against the maintenance equation solved by bisection, in the tier that holds at that price."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.kernel.world import PERP, TIERS, make_state

from confidence_engine.domain.instrument import Tier
from confidence_engine.kernel.margin import liquidation_price, maintenance, margin_for, unit

LOTS = st.integers(1, 500_000)
SIDES = st.sampled_from([-1, 1])
LEVERAGES = st.floats(1.5, 120.0)
ENTRY = 20_000.0


def required(notional: float) -> float:
    """Maintenance in quote, tier by tier, each rate on its own slice of the notional."""
    total, floor = 0.0, 0.0
    for k, tier in enumerate(TIERS):
        cap = math.inf if k == len(TIERS) - 1 else tier.cap_usd
        total += max(0.0, min(notional, cap) - floor) * tier.rate
        floor = tier.cap_usd
    return total


def brute_force(s: Any, lots: int, entry: float, margin: float) -> float:
    """Price at which margin + profit equals maintenance, by bisection; NaN where no positive price does it."""
    q = lots * unit(s.inst[0])

    def excess(price: float) -> float:
        return margin + q * (price - entry) - required(abs(q) * price)

    low, high = (1e-9, entry) if lots > 0 else (entry, 10 * entry)
    if excess(low) * excess(high) > 0.0:
        return math.nan
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(low) * excess(middle) > 0.0 else (low, middle)
    return (low + high) / 2


@given(LOTS, SIDES, LEVERAGES)
def test_liquidation_is_where_maintenance_is_no_longer_met(lots: int, side: int, leverage: float) -> None:
    s = make_state(**PERP)
    margin = lots * unit(s.inst[0]) * ENTRY / leverage
    expected = brute_force(s, side * lots, ENTRY, margin)
    assume(math.isfinite(expected))
    assert liquidation_price(s, 0, side * lots, ENTRY, margin) == pytest.approx(expected, rel=1e-9)


@given(LOTS, SIDES, st.floats(0.01, 0.6))
def test_margin_and_liquidation_are_inverse(lots: int, side: int, away: float) -> None:
    s = make_state(**PERP)
    wanted = ENTRY * (1.0 - side * away)
    margin = margin_for(s, 0, side * lots, ENTRY, wanted, 1e9)
    least = lots * unit(s.inst[0]) * ENTRY / 125.0
    got = liquidation_price(s, 0, side * lots, ENTRY, margin)
    if margin > least * (1.0 + 1e-12):
        assert got == pytest.approx(wanted, rel=1e-9)
    else:  # the venue's least margin puts it further away, never nearer
        assert (wanted - got) * side >= -1e-9 * ENTRY


@given(LOTS, SIDES, st.floats(0.01, 0.4), st.floats(0.001, 0.2))
def test_more_room_costs_more_margin(lots: int, side: int, away: float, more: float) -> None:
    s = make_state(**PERP)
    near, far = ENTRY * (1 - side * away), ENTRY * (1 - side * (away + more))
    assert margin_for(s, 0, side * lots, ENTRY, far, 25.0) >= margin_for(s, 0, side * lots, ENTRY, near, 25.0)


def test_tiers_are_continuous_at_their_edges_and_the_last_has_no_end() -> None:
    s = make_state(**PERP)
    for tier in TIERS[:-1]:
        below, above = (maintenance(s, 0, tier.cap_usd * (1 + nudge)) for nudge in (-1e-12, 1e-12))
        assert below[0] < above[0]
        assert tier.cap_usd * below[0] - below[1] == pytest.approx(tier.cap_usd * above[0] - above[1], rel=1e-9)
    for notional in (1.0, 49_999.0, 50_001.0, 1e6, 1e7, 1e9):
        rate, deduction = maintenance(s, 0, notional)
        assert notional * rate - deduction == pytest.approx(required(notional), rel=1e-12)


def test_eight_tiers_are_all_read() -> None:
    tiers = tuple(Tier(1000.0 * 2**k, 0.01 * (k + 1)) for k in range(8))
    s = make_state(**(PERP | {"tiers": tiers}))
    assert [round(float(maintenance(s, 0, 999.0 * 2**k)[0]), 9) for k in range(8)] == [0.01 * (k + 1) for k in range(8)]
    assert maintenance(s, 0, 1e12)[0] == pytest.approx(0.08)


def test_a_venue_without_tiers_liquidates_when_the_margin_is_gone() -> None:
    s = make_state(**(PERP | {"tiers": ()}))
    assert maintenance(s, 0, 1e6) == (0.0, 0.0)
    assert liquidation_price(s, 0, 100, ENTRY, 0.1 * 100 * unit(s.inst[0]) * ENTRY) == pytest.approx(0.9 * ENTRY)


@given(LOTS, st.floats(1.0, 1e6))
def test_spot_is_paid_in_full_and_cannot_be_taken(lots: int, price: float) -> None:
    s = make_state()
    assert margin_for(s, 0, lots, price, price / 2, 25.0) == pytest.approx(lots * 0.001 * price)
    assert math.isnan(liquidation_price(s, 0, lots, price, 1.0))
    assert math.isnan(liquidation_price(make_state(**PERP), 0, 0, price, 1.0))


@given(st.floats(1.0, 500.0), st.floats(1.0, 200.0))
def test_leverage_is_only_the_least_margin(setting: float, venue: float) -> None:
    assume(venue > 1.0)
    s = make_state(**(PERP | {"max_leverage": venue}))
    notional = 100 * unit(s.inst[0]) * ENTRY
    least = margin_for(s, 0, 100, ENTRY, ENTRY, setting)
    assert least == pytest.approx(max(notional / min(setting, venue), required(notional)), rel=1e-9)


def test_a_lot_is_its_size_times_the_multiplier() -> None:
    assert unit(make_state(lot=0.01, multiplier=5.0).inst[0]) == pytest.approx(0.05)
