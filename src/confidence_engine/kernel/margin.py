"""Isolated margin and the price at which a venue liquidates.

A position of q base at entry E with margin M is liquidated when M + q (P - E) falls to the
maintenance requirement rate |q| P - deduction, so P_liq = (q E - M - deduction) / (q - rate |q|),
with q signed (Binance, "Liquidation price of USD-M futures", isolated mode). The tier is the one that
holds the notional at P_liq, not at entry. Rates rise from tier to tier, so the requirement is the
largest over all tiers and the tier that liquidates first is the right one. Leverage appears once,
as the smallest margin a venue accepts for a notional; it is never a size.
"""

from __future__ import annotations

import math

from confidence_engine.domain.instrument import MAX_TIERS
from confidence_engine.domain.jit import stage

__all__ = ["liquidation_price", "maintenance", "margin_for", "unit"]


@stage
def unit(inst):
    """Base quantity that one lot stands for."""
    return inst.lot * inst.multiplier


@stage
def maintenance(s, i, notional):
    """(rate, deduction in quote) of the tier that holds `notional`; the last tier has no end."""
    inst = s.inst[i]
    for k in range(MAX_TIERS):
        t = s.tier[i, k]
        if k == inst.n_tiers - 1 or notional <= t.cap_usd:
            return t.rate, t.deduction
    return s.tier[i, MAX_TIERS - 1].rate, s.tier[i, MAX_TIERS - 1].deduction


@stage
def liquidation_price(s, i, lots, entry_price, margin):
    """Mark price at which the position is taken; NaN for spot, which nobody can take."""
    inst = s.inst[i]
    if inst.max_leverage <= 1.0 or lots == 0:
        return math.nan
    q = lots * unit(inst)
    first = (q * entry_price - margin - s.tier[i, 0].deduction) / (q - s.tier[i, 0].rate * abs(q))
    for k in range(1, inst.n_tiers):
        t = s.tier[i, k]
        price = (q * entry_price - margin - t.deduction) / (q - t.rate * abs(q))
        first = max(first, price) if lots > 0 else min(first, price)
    return first


@stage
def margin_for(s, i, lots, entry_price, liquidation, leverage):
    """Margin in quote that puts liquidation at the price given, at least notional / leverage; notional for spot."""
    inst = s.inst[i]
    q = lots * unit(inst)
    notional = abs(q) * entry_price
    if inst.max_leverage <= 1.0:
        return notional
    rate, deduction = maintenance(s, i, abs(q) * liquidation)
    wanted = q * (entry_price - liquidation) + rate * abs(q) * liquidation - deduction
    return max(wanted, notional / min(leverage, inst.max_leverage))
