"""How much a source's word counts, learnt from what came of its stories.

Hedge (Freund and Schapire, J. Comp. Sys. Sci. 55, 1997, p. 119): a source's weight is multiplied by exp(-rate loss),
losses in [0, 1]. With rate sqrt(8 ln K / T) the regret against the best of K sources after T outcomes is at most
sqrt(T ln K / 2) (Cesa-Bianchi and Lugosi, Prediction, Learning, and Games, 2006, p. 16). A source that did not speak
is charged what stories lose on average, so its weight stands still (Chernov and Vovk, UAI 2009, p. 117). What acts is
the weight over the mean weight of all sources with `min_obs` outcomes, in steps of a hundredth, within [low, high]:
a source counts as that many witnesses, and one that has nobody to be compared with counts as one. Inside the band the
ratios are Hedge's; at its edge a weight is held and the bound is no longer promised. Rate 0 leaves every factor at 1.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

import numpy as np

from confidence_engine.domain.jit import stage
from confidence_engine.domain.params import Bound
from confidence_engine.kernel.state import SOURCES

__all__ = ["Params", "act", "credit", "hear", "hedge", "learn", "mean_weight", "unsaid"]


class Params(NamedTuple):
    """How fast a source's weight moves, how far, and after how many outcomes it acts."""

    rate: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.02
    low: Annotated[float, Bound("ratio", 0.1, 1.0)] = 0.5
    high: Annotated[float, Bound("ratio", 1.0, 3.0)] = 1.5
    min_obs: Annotated[int, Bound("count", 0, 100_000)] = 30


@stage
def hedge(log_weight, loss, reference, rate):
    """Log weight after one loss in [0, 1]; `reference` is the loss that moves nothing, common to all."""
    return log_weight - rate * (loss - reference)


@stage
def hear(s, stream):
    """A source spoke; two streams that share a slot share their weight, and that is marked."""
    r = s.tally[stream % SOURCES]
    if r.documents == 0:
        r.stream = stream
    elif r.stream != stream:
        r.shared = 1
    r.documents += 1


@stage
def unsaid(s, stream, share):
    """What doubt one witness leaves: 1 - share for a source of factor 1, as much as `factor` witnesses for others."""
    factor = s.tally[stream % SOURCES].factor
    if factor == 1.0 or share >= 1.0:  # the plain number to its last bit while nothing is learnt
        return 1.0 - share
    return math.exp(factor * math.log(1.0 - share))


@stage
def credit(s, publishers):
    """Sum of the factors of the sources in a set: what their credit is divided by."""
    total = 0.0
    for j in range(SOURCES):
        if (publishers >> np.uint64(j)) & np.uint64(1):
            total += s.tally[j].factor
    return total


@stage
def learn(s, j, share, loss, reference, p):
    """One outcome of which the source in slot j bears `share`."""
    r = s.tally[j]
    moved = hedge(r.log_weight, reference + share * (loss - reference), reference, p.rate)
    r.log_weight = min(max(moved, math.log(p.low)), math.log(p.high))


@stage
def mean_weight(s, p):
    """Mean weight of the sources that have been seen often enough; 0 where there is none."""
    total, rated = 0.0, 0
    for j in range(SOURCES):
        if s.tally[j].outcomes >= max(p.min_obs, 1):
            total += math.exp(s.tally[j].log_weight)
            rated += 1
    return total / rated if rated > 0 else 0.0


@stage
def act(s, j, mean, p):
    """Set the factor of slot j from its weight and the mean weight; the factor before."""
    r = s.tally[j]
    before = r.factor
    if r.outcomes >= max(p.min_obs, 1):
        r.factor = min(max(math.floor(100.0 * math.exp(r.log_weight) / mean + 0.5) / 100.0, p.low), p.high)
    return before
