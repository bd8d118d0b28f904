"""How sure we are that the gap closes, and how strong the case is.

Until a calibration has been promoted there is no probability, only a rule that is named so:
strength = w clip((|D| - trigger) / trigger, 0, 1) times the factor of the crowd's findings, at most 1, and
confidence = floor + slope strength, with `calibrated` = 0. Nothing downstream may size real money on it. The rule is
ours and fitted to nothing.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from confidence_engine.domain.jit import stage
from confidence_engine.domain.params import Bound

__all__ = ["Params", "judge"]


class Params(NamedTuple):
    """The rule before a calibration exists."""

    floor: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.5
    slope: Annotated[float, Bound("ratio", 0.0, 0.5)] = 0.25


@stage
def judge(d, p):
    """Strength in [0, 1] and the uncalibrated confidence of decision `d`; no strength without a known gap."""
    d.calibrated = 0
    d.strength = 0.0
    if d.gap == d.gap:
        weight = 1.0 - (1.0 - d.weight) * (1.0 - d.score_weight)
        d.strength = weight * min(max((abs(d.gap) - d.trigger) / d.trigger, 0.0), 1.0)
        d.strength = min(d.strength * d.crowd, 1.0)
    d.confidence = p.floor + p.slope * d.strength
