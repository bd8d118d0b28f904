"""How much to risk. The unit is R: what is lost if the stop is hit.

R = equity risk_per_trade. Without a calibration there is no Kelly: at most `uncalibrated_r`
R-units times strength and warmth, and nothing at all with real money. The stop comes from the
market's range and is never moved for leverage; margin is chosen so that liquidation lies at
least `liquidation_stops` stop distances away, and where the budget does not allow it the size is cut.
Sources: fixed fractional risk, Vince, Portfolio Management Formulas (1990), ch. 2; R as its unit, Tharp, Trade Your
Way to Financial Freedom (1998), ch. 6.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from confidence_engine.domain.decision import GATE_MARGIN, GATE_TOO_SMALL, GATE_UNCALIBRATED
from confidence_engine.domain.jit import stage
from confidence_engine.domain.params import Bound
from confidence_engine.kernel import conviction
from confidence_engine.kernel.margin import margin_for, unit

__all__ = ["Params", "afford", "taken", "target"]


class Params(NamedTuple):
    """Risk a trade and the margin behind it."""

    risk_per_trade: Annotated[float, Bound("fraction", 0.0, 0.05)] = 0.005
    uncalibrated_r: Annotated[float, Bound("ratio", 0.0, 0.25)] = 0.25
    real_money: Annotated[bool, Bound("flag")] = False
    liquidation_stops: Annotated[float, Bound("ratio", 1.0, 20.0)] = 2.0
    leverage: Annotated[float, Bound("ratio", 1.0, 125.0)] = 25.0
    margin_budget: Annotated[float, Bound("fraction", 0.0, 1.0)] = 0.5
    dynamic: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.0  # 1: times the smaller of quality and conviction


@stage
def target(s, i, d, stop_distance, p):
    """Signed lots that lose the risk wanted at the stop; sets `size_r` and gate bits of `d`."""
    if p.real_money and d.calibrated == 0:
        d.gates |= 1 << GATE_UNCALIBRATED
        return 0
    d.size_r = p.uncalibrated_r * d.strength * d.warmth * conviction.share(d, p.dynamic)
    risk_usd = d.equity * p.risk_per_trade * d.size_r
    lots = int(math.floor(risk_usd / (stop_distance * unit(s.inst[i]))))
    if lots < 1:
        d.gates |= 1 << GATE_TOO_SMALL
        return 0
    return d.side * lots


@stage
def afford(s, i, d, lots, stop_distance, p):
    """Lots whose margin fits the budget, and that margin in quote; sets GATE_MARGIN where none does."""
    h = s.head[0]
    liquidation = max(d.price - d.side * p.liquidation_stops * stop_distance, 0.0)
    needed = margin_for(s, i, lots, d.price, liquidation, p.leverage)
    budget = h.equity if s.inst[i].max_leverage <= 1.0 else h.equity * p.margin_budget
    free = min(budget, h.balance) - h.used_margin
    fee = abs(lots) * unit(s.inst[i]) * d.price * s.inst[i].taker  # a venue takes it from the same cash
    if needed + fee > free:
        lots = d.side * int(math.floor(abs(lots) * max(free, 0.0) / (needed + fee)))
        if lots == 0:
            d.gates |= 1 << GATE_MARGIN
            return 0, 0.0
        needed = margin_for(s, i, lots, d.price, liquidation, p.leverage)
    return lots, needed


@stage
def taken(s, i, d, lots, stop_distance, p):
    """R-units that the lots really risk at the stop, after rounding, limits and margin."""
    return abs(lots) * unit(s.inst[i]) * stop_distance / (d.equity * p.risk_per_trade)
