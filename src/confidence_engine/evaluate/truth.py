"""A confidence beside the known truth: what it claimed in simulated worlds, what oracle A knew, and what came true.

The world of a run, further worlds of the same file and other seeds, so that there are cases enough to say anything,
and a null world: the same prices, stories drawn without looking at them. What the engine earns in that one it earns by
luck. Each is a plain replay, so that the first also says what a run in it must come to, decision by decision.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np

from confidence_engine.config.world import made
from confidence_engine.domain.ports import Reader
from confidence_engine.domain.units import DAY_NS
from confidence_engine.drivers.simulation import Simulation
from confidence_engine.drivers.sources import of_world
from confidence_engine.evaluate.oracle import CONFIDENCE_EDGES, consult
from confidence_engine.evaluate.planted import Planted, cases_of, clarity_of, played_in
from confidence_engine.evaluate.skill import Bucket, Skill, buckets, skill
from confidence_engine.kernel.state import state_hash

__all__ = ["Truth", "beside_truth", "muted"]

_DAYS: Final = 100_000
"""Days of another world never count as days of this one: the interval draws (world, day)."""


class Truth(NamedTuple):
    """What was claimed and came true in some worlds; hashes and money are of the first."""

    worlds: int
    table: list[Bucket]
    confidence: Skill
    oracle: Skill | None
    won: float | None  # share of the cases that came true
    entries: int
    net_usd: float
    decisions_hash: str
    state_hash: str


def muted(found: Simulation) -> Simulation:
    """The same prices with stories that are drawn without looking at them."""
    p = found.file.params
    null = found.file._replace(params=p._replace(stories=p.stories._replace(information=0.0)))
    world = made(null, found.seed)
    return found._replace(sources=of_world(found.config, world), world=world, file=null)


def beside_truth(runs: Iterable[Simulation], reader: Reader, ask: bool = True) -> Truth:
    """Play simulations and judge their confidence; `ask` oracle A, who makes no sense where stories are coins."""
    told, days, first = [], [], None
    for k, one in enumerate(runs):
        played = played_in(one.world, one.config, one.sources, one.window, reader)
        first = played if first is None else first
        clear = clarity_of(played.made, played.readings)
        cases = cases_of(played.config, played.sources, played.result.decisions, Planted().age_ns, clear)
        rows = consult(played, cases, one.seed, listen=False)
        told.append(rows)
        days.append(rows["ts_ns"] // DAY_NS + k * _DAYS)
    if first is None:
        raise ValueError("no simulation to judge")
    rows = np.concatenate(told)
    y, day = rows["y"], np.concatenate(days)
    table = buckets(rows["confidence"], rows["a"], y, day, CONFIDENCE_EDGES)
    result, begun = first.result, first.config.agent.initial_equity_usd
    end = float(result.equities["equity"][-1]) if len(result.equities) else begun
    return Truth(
        len(told), table, skill(rows["confidence"], y, day), skill(rows["a"], y, day) if ask else None,
        float(np.mean(y)) if len(y) else None, int((result.decisions["gates"] == 0).sum()), end - begun,
        hashlib.sha256(result.decisions.tobytes()).hexdigest(), state_hash(result.state),
    )  # fmt: skip
