"""How wide a gap must be, learnt from how often cases that passed came to nothing.

Adaptive conformal inference (Gibbs and Candes, NeurIPS 34, 2021, eq. 2): after each case that passed the trigger
level += rate (allowed - missed). Where level 0 lets nothing through, the share missed differs from the share allowed
by at most (max(level, 1 - level) + rate) / (rate T) whatever the cases do (proposition 4.1). The level is kept per
asset class in [0, 1] and 1/2 is the trigger as configured: factor = reach^(1 - 2 level). The factor is bounded, so the
share is steered and not promised once the level stands at an end. Rate 0 leaves the factor at 1.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from confidence_engine.domain.jit import stage
from confidence_engine.domain.params import Bound

__all__ = ["Params", "adapt", "learn", "scaled"]


class Params(NamedTuple):
    """The share of cases that should come true, how fast the trigger follows, and how far."""

    rate: Annotated[float, Bound("ratio", 0.0, 0.2)] = 0.005
    target: Annotated[float, Bound("ratio", 0.05, 0.95)] = 0.5
    reach: Annotated[float, Bound("ratio", 1.0, 2.0)] = 1.25


@stage
def adapt(level, missed, allowed, rate):
    """The level after one case: down by rate (1 - allowed) on a miss, up by rate allowed on a hit."""
    return level + rate * (allowed - missed)


@stage
def learn(s, k, won, p):
    """One settled case of class k that had passed the trigger; the factor before."""
    r = s.klass[k]
    before = r.factor
    r.level = min(max(adapt(r.level, 0.0 if won else 1.0, 1.0 - p.target, p.rate), 0.0), 1.0)
    r.factor = math.exp(math.log(p.reach) * (1.0 - 2.0 * r.level))
    return before


@stage
def scaled(s, i, trigger, alone):
    """The trigger of asset i; lowered at most to `alone`, the gap that the price could make without a story."""
    factor = s.klass[s.inst[i].klass].factor
    if factor < 1.0:
        return max(trigger * factor, min(trigger, alone))
    return trigger * factor
