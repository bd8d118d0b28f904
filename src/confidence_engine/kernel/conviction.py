"""How large the edge of a decision is, 0 to 10: nothing here looks at how good the evidence is beyond its weight.

C = 10 (G S E)^(1/3), the geometric mean of three legs in [0, 1], so that a missing one is not bought back:
  G gap       x / (x + trigger), x = max(side D, 0): one half at the trigger, 0 for an overreaction
  S strength  as `confidence` judges it: weight times how far beyond the trigger, 0 at it
  E odds      won / (won + lost) of the event that confidence p predicts, won = p b sigma_H,
              lost = (1 - p)(a sigma_H + cost): one half where the trade breaks even, 0 where costs are all
cost is the round trip (fees and half spreads), sigma_H = sigma sqrt(H / bar), a, b, H as in domain/outcome. Ours and
FROZEN: fitted to nothing. E is the profit factor as a share (its expectation: Lopez de Prado 2018, ch. 15.2, of
symmetric and asymmetric payouts). It is only as good as p, which is a rule as long as `calibrated` is 0.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from confidence_engine.domain.jit import stage
from confidence_engine.domain.params import Bound
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS
from confidence_engine.kernel.quality import TOP, rooted

__all__ = ["Params", "judge", "share"]


class Params(NamedTuple):
    """The event whose odds are taken, which [outcome] decides."""

    horizon_ns: Annotated[int, Bound("duration", MINUTE_NS, 365 * DAY_NS)] = 6 * HOUR_NS
    win_sigma: Annotated[float, Bound("ratio", 0.05, 20.0)] = 1.0
    loss_sigma: Annotated[float, Bound("ratio", 0.05, 20.0)] = 1.0


@stage
def judge(s, i, d, p):
    """Conviction of decision `d` on asset i; NaN where it has no side or its gap is not known."""
    d.conviction = math.nan
    if d.side == 0 or math.isnan(d.gap):
        return
    ahead = max(d.side * d.gap, 0.0)
    d.conviction = TOP * rooted(ahead / (ahead + d.trigger) * d.strength * _odds(s, i, d, p), 3.0)


@stage
def _odds(s, i, d, p):
    """Share of what is expected to be won in all that is expected to be won or lost, costs counted as lost."""
    inst = s.inst[i]
    sigma_h = d.sigma * math.sqrt(float(p.horizon_ns) / float(inst.bar_ns))
    cost = 2.0 * (inst.taker + inst.half_spread)
    won = d.confidence * p.win_sigma * sigma_h
    lost = (1.0 - d.confidence) * (p.loss_sigma * sigma_h + cost)
    if not won > 0.0:
        return 0.0
    return won / (won + lost)


@stage
def share(d, dynamic):
    """Share of a size that is taken: 1 - dynamic (1 - m), m = min(quality, conviction) / 10; all of it at dynamic 0.

    The smaller of the two, so that neither buys the other back; what is not known is not sized.
    """
    if dynamic == 0.0:
        return 1.0
    if not (d.quality >= 0.0 and d.conviction >= 0.0):
        return 0.0
    return 1.0 - dynamic * (1.0 - min(d.quality, d.conviction) / TOP)
