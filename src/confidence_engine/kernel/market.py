"""What is told of the whole market, and how much of it an asset shares: zN of the market times the asset's beta.

The market's narrative is an underlying of its own, one a class. The market's return is the mean return of the class's
assets over closed frames; beta is the decayed regression slope of the asset on it, shrunk to one by n:
    beta = (n c_om / v_m + k) / (n + k)
It is shown beside the gap; `[kernel.divergence] market_share` lets it lean on the gap of a case that has evidence of
its own. Running moments: Welford as in West, Comm. ACM 22 (1979), p. 532; shrinkage of betas to one: Vasicek,
J. Finance 28 (1973), p. 1233, with a fixed prior weight instead of his estimated one.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from confidence_engine.domain.jit import stage
from confidence_engine.domain.params import Bound
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS
from confidence_engine.kernel import price, session
from confidence_engine.kernel.state import RING_BARS

__all__ = ["Params", "measure", "settle"]

LN2 = math.log(2.0)


class Params(NamedTuple):
    """Frame and memory of the betas, and what they are shrunk to."""

    frame_ns: Annotated[int, Bound("duration", MINUTE_NS, 30 * DAY_NS)] = HOUR_NS
    half_life: Annotated[float, Bound("ratio", 10.0, 100_000.0)] = 720.0
    prior: Annotated[float, Bound("ratio", -5.0, 5.0)] = 1.0
    prior_obs: Annotated[float, Bound("ratio", 0.0, 100_000.0)] = 100.0


@stage
def measure(s, i, d):
    """Lean of the market's narrative on asset i: beta times weight times standardised reading; NaN where none lives."""
    u = s.klass[s.inst[i].klass].market
    if u >= 0 and s.told[u].live > 0:
        d.market = s.beta[i].beta * s.told[u].weight * s.told[u].z_story


@stage
def settle(s, now_ns, p):
    """Learn the return of every frame that is over; on the decision grid only, when its last bars are in."""
    frame = now_ns // p.frame_ns
    if frame > s.head[0].market_frame:
        s.head[0].market_frame = frame
        for k in range(len(s.klass)):
            _learn_frame(s, k, now_ns, p)


@stage
def _learn_frame(s, k, now_ns, p):
    """One observation of every asset of class k that has a price at both ends of the frame that is over."""
    frame_ns = p.frame_ns
    for i in range(s.head[0].n_assets):
        if s.inst[i].klass == k:  # a frame is not shorter than a bar
            frame_ns = max(frame_ns, s.inst[i].bar_ns)
    frame = now_ns // frame_ns
    before, edge_ns = s.klass[k].frame, frame * frame_ns
    if frame == before:
        return
    total, n = 0.0, 0
    for i in range(s.head[0].n_assets):
        own = _return(s, i, k, before, edge_ns)
        if own == own:
            total += own
            n += 1
    for i in range(s.head[0].n_assets):
        own = _return(s, i, k, before, edge_ns)
        if own == own:
            _observe(s.beta[i], own, total / n, p)
    for i in range(s.head[0].n_assets):
        _stamp(s, i, k, frame, edge_ns)


@stage
def _fresh(s, i, edge_ns):
    """Number of the bar that ends the frame at `edge_ns`; -1 where none closed in the last of its bars' time."""
    last = price.at(s, i, edge_ns)
    if last < 0 or session.ago(s, i, s.ring[i, last % RING_BARS].close_ns, edge_ns) >= s.inst[i].bar_ns:
        return -1
    return last


@stage
def _return(s, i, k, before, edge_ns):
    """Log return of asset i since the last frame in which class k traded; NaN where either price is missing."""
    b = s.beta[i]
    if s.inst[i].klass != k or b.frame != before or not b.price > 0.0:
        return math.nan
    last = _fresh(s, i, edge_ns)
    if last < 0:
        return math.nan
    return math.log(s.ring[i, last % RING_BARS].price / b.price)


@stage
def _stamp(s, i, k, frame, edge_ns):
    """The price that the next return is taken from; a frame in which nothing traded is passed over."""
    if s.inst[i].klass != k:
        return
    last = _fresh(s, i, edge_ns)
    if last >= 0:
        s.beta[i].price, s.beta[i].frame = s.ring[i, last % RING_BARS].price, frame
        s.klass[k].frame = frame


@stage
def _observe(b, own, market, p):
    """Decayed means, variance and covariance, exact while short, and the shrunk slope."""
    if own != own:
        return
    step = max(1.0 / (b.count + 1.0), LN2 / p.half_life)
    gap_own, gap_market = own - b.mean_own, market - b.mean_market
    b.mean_own += step * gap_own
    b.mean_market += step * gap_market
    b.spread2 = (1.0 - step) * (b.spread2 + step * gap_market * gap_market)
    b.joint = (1.0 - step) * (b.joint + step * gap_own * gap_market)
    b.count += 1
    if b.spread2 > 0.0:
        n = min(float(b.count), p.half_life / LN2)
        b.beta = (n * b.joint / b.spread2 + p.prior_obs * p.prior) / (n + p.prior_obs)
