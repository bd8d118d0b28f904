"""All parameters of the kernel: one field a stage, each declared at the head of its stage's file."""

from __future__ import annotations

from typing import NamedTuple

from confidence_engine.kernel import (
    algos,
    confidence,
    conviction,
    crowd,
    divergence,
    exits,
    feed,
    feedback,
    gates,
    horizons,
    market,
    narrative,
    price,
    ranking,
    regime,
    risk,
    sizing,
    sources,
    thresholds,
)

__all__ = ["Params"]


class Params(NamedTuple):
    """The tree that `domain.params.params_record` turns into the record a step reads."""

    price: price.Params = price.Params()
    narrative: narrative.Params = narrative.Params()
    divergence: divergence.Params = divergence.Params()
    horizons: horizons.Params = horizons.Params()
    market: market.Params = market.Params()
    crowd: crowd.Params = crowd.Params()
    confidence: confidence.Params = confidence.Params()
    conviction: conviction.Params = conviction.Params()
    feed: feed.Params = feed.Params()
    gates: gates.Params = gates.Params()
    ranking: ranking.Params = ranking.Params()
    sizing: sizing.Params = sizing.Params()
    risk: risk.Params = risk.Params()
    algos: algos.Params = algos.Params()
    exits: exits.Params = exits.Params()
    regime: regime.Params = regime.Params()
    feedback: feedback.Params = feedback.Params()
    sources: sources.Params = sources.Params()
    thresholds: thresholds.Params = thresholds.Params()
