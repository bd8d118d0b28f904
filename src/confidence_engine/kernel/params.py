"""All parameters of the kernel: one field a stage, each declared at the head of its stage's file."""

from __future__ import annotations

from typing import NamedTuple

from confidence_engine.kernel import (
    algos,
    confidence,
    divergence,
    exits,
    gates,
    narrative,
    price,
    ranking,
    risk,
    sizing,
)

__all__ = ["Params"]


class Params(NamedTuple):
    """The tree that `domain.params.params_record` turns into the record a step reads."""

    price: price.Params = price.Params()
    narrative: narrative.Params = narrative.Params()
    divergence: divergence.Params = divergence.Params()
    confidence: confidence.Params = confidence.Params()
    gates: gates.Params = gates.Params()
    ranking: ranking.Params = ranking.Params()
    sizing: sizing.Params = sizing.Params()
    risk: risk.Params = risk.Params()
    algos: algos.Params = algos.Params()
    exits: exits.Params = exits.Params()
