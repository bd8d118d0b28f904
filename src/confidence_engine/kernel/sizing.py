"""How much to risk. The unit is R: what is lost if the stop is hit.

R = equity risk_per_trade. Without a calibration there is no Kelly: at most `uncalibrated_r`
R-units times strength and warmth, and nothing at all with real money. The stop comes from the
market's range and is never moved for leverage; margin is chosen so that liquidation lies at
least `liquidation_stops` stop distances away after all funding that may fall due meanwhile, and where the budget does
not allow it the size is cut. A case whose stop would still lie beyond liquidation is refused.
Size is also times min(1, target / sigma), both annual, the target in multiples of what is usual for the class: what a
trade risks falls when volatility is above it, and never rises (Moreira and Muir, J. Finance 72, 2017, p. 1611).
Sources: fixed fractional risk, Vince, Portfolio Management Formulas (1990), ch. 2; R as its unit, Tharp, Trade Your
Way to Financial Freedom (1998), ch. 6.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from confidence_engine.domain.decision import GATE_MARGIN, GATE_TOO_SMALL, GATE_UNCALIBRATED
from confidence_engine.domain.jit import stage
from confidence_engine.domain.params import Bound
from confidence_engine.domain.units import DAY_NS
from confidence_engine.kernel import conviction
from confidence_engine.kernel.margin import liquidation_price, margin_for, unit

__all__ = ["Params", "afford", "annual", "calm", "taken", "target"]


class Params(NamedTuple):
    """Risk a trade and the margin behind it."""

    risk_per_trade: Annotated[float, Bound("fraction", 0.0, 0.05)] = 0.005
    uncalibrated_r: Annotated[float, Bound("ratio", 0.0, 0.25)] = 0.25
    real_money: Annotated[bool, Bound("flag")] = False
    liquidation_stops: Annotated[float, Bound("ratio", 1.0, 20.0)] = 2.0
    leverage: Annotated[float, Bound("ratio", 1.0, 125.0)] = 25.0
    margin_budget: Annotated[float, Bound("fraction", 0.0, 1.0)] = 0.5
    dynamic: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.0  # 1: times the smaller of quality and conviction
    funding_reserve: Annotated[float, Bound("fraction", 0.0, 0.05)] = 0.003  # of the notional, a payment
    target_volatility: Annotated[float, Bound("ratio", 0.0, 20.0)] = 1.0  # times the usual of the class; 0 = off


@stage
def target(s, i, d, stop_distance, p):
    """Signed lots that lose the risk wanted at the stop; sets `size_r` and gate bits of `d`."""
    if p.real_money and d.calibrated == 0:
        d.gates |= 1 << GATE_UNCALIBRATED
        return 0
    d.size_r = p.uncalibrated_r * d.strength * d.warmth * calm(s, i, d.sigma, p.target_volatility)
    d.size_r *= conviction.share(d, p.dynamic)
    risk_usd = d.equity * p.risk_per_trade * d.size_r
    lots = int(math.floor(risk_usd / (stop_distance * unit(s.inst[i]))))
    if lots < 1:
        d.gates |= 1 << GATE_TOO_SMALL
        return 0
    return d.side * lots


@stage
def annual(s, i, sigma):
    """Annual volatility of one bar's sigma, by the trading time of the class; a bar of a day or more is a session."""
    inst = s.inst[i]
    year_s = s.klass[inst.klass].year_s
    if inst.bar_ns >= DAY_NS and year_s < 365 * 86400.0:
        return sigma * math.sqrt(252.0)
    return sigma * math.sqrt(year_s / (inst.bar_ns * 1e-9))


@stage
def calm(s, i, sigma, target_volatility):
    """Factor in (0, 1] on the size: 1 up to the target volatility, inverse to the volatility above it."""
    now = annual(s, i, sigma)
    wanted = target_volatility * math.sqrt(s.klass[s.inst[i].klass].annual_variance)
    return wanted / now if 0.0 < wanted < now else 1.0


@stage
def _needed(s, i, d, lots, liquidation, hold_ns, p):
    """Margin in quote for `lots`: it reaches to the liquidation price wanted, and pays the funding on the way.

    A long whose liquidation lies at zero posts what it costs, and nobody can take it.
    """
    inst = s.inst[i]
    margin = margin_for(s, i, lots, d.price, liquidation, p.leverage)
    if inst.max_leverage <= 1.0 or liquidation <= 0.0:
        return margin
    payments = 0.0
    if inst.funding_ns > 0:
        payments = math.ceil(hold_ns / inst.funding_ns)
    return margin + payments * p.funding_reserve * abs(lots) * unit(inst) * d.price


@stage
def afford(s, i, d, lots, stop_distance, hold_ns, p):
    """Lots whose margin fits the budget, and that margin in quote; sets GATE_MARGIN where none does.

    Refused as well where the position would be liquidated before its stop, which for a long is where no stop is above
    zero.
    """
    h = s.head[0]
    liquidation = max(d.price - d.side * p.liquidation_stops * stop_distance, 0.0)
    needed = _needed(s, i, d, lots, liquidation, hold_ns, p)
    budget = h.equity if s.inst[i].max_leverage <= 1.0 else h.equity * p.margin_budget
    free = min(budget, h.balance) - h.used_margin
    fee = abs(lots) * unit(s.inst[i]) * d.price * s.inst[i].taker  # a venue takes it from the same cash
    if needed + fee > free:
        lots = d.side * int(math.floor(abs(lots) * max(free, 0.0) / (needed + fee)))
        needed = _needed(s, i, d, lots, liquidation, hold_ns, p)
    level = liquidation_price(s, i, lots, d.price, needed)  # NaN for spot, which nobody can take
    if lots == 0 or (d.price - d.side * stop_distance - level) * d.side <= 0.0:
        d.gates |= 1 << GATE_MARGIN
        return 0, 0.0
    return lots, needed


@stage
def taken(s, i, d, lots, stop_distance, p):
    """R-units that the lots really risk at the stop, after rounding, limits and margin."""
    return abs(lots) * unit(s.inst[i]) * stop_distance / (d.equity * p.risk_per_trade)
