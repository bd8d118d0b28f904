"""An agent that dies and goes on amid the faults of its feed is one that never died, and its shadow is equal."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.drivers import paired
from tests.drivers.faulty import CASES

from confidence_engine.domain.units import MINUTE_NS
from confidence_engine.drivers.agent import Agent, go_on
from confidence_engine.drivers.feed import deliveries
from confidence_engine.drivers.shadow import shadow
from confidence_engine.feeds import faults
from confidence_engine.feeds.delivery import Moment
from confidence_engine.kernel.state import state_hash
from confidence_engine.text.cues import CueReader

ALL = faults.Params(
    silent_a_day=0.3, deaths_a_day=0.3, late_share=0.01, late_by_ns=12 * MINUTE_NS, revised_share=0.01,
    duplicate_share=0.01, out_of_order_share=0.01, broken_share=0.01, contradiction_share=0.1, clock_jumps_a_day=2.0,
)  # fmt: skip
"""All ten at once, in every day."""
NIGHTLY = [pytest.param(name, marks=pytest.mark.nightly) for name in CASES if name != "none"]


def spoilt(params: faults.Params, after_ns: int = -1) -> Iterator[Moment]:
    coming, _ = faults.spoil(deliveries(paired.sources(), paired.config().timing, paired.WINDOW), params, 1)
    return (one for one in coming if one.at_ns > after_ns)


def lived(folder: Path, params: faults.Params, rng: np.random.Generator | None) -> Agent:
    """An agent to the end of its feed; with `rng` it dies and goes on a dozen times or more."""
    agent, deaths = paired.begun(folder), 0
    coming = spoilt(params)
    while some := list(itertools.islice(coming, 64 if rng is None else int(rng.integers(1, 80)))):
        agent.take(some)
        if rng is not None and rng.random() < 0.3:
            agent.checkpoint()
        if rng is not None and rng.random() < 0.25:
            agent.journal.abandon()
            agent, deaths = go_on(agent.journal.place, paired.cast(), clock=lambda: 1, reserve=0), deaths + 1
            coming = spoilt(params, agent.intake.at_ns)
    assert rng is None or deaths > 2
    return agent


@pytest.mark.parametrize("name", ["all", *NIGHTLY])
def test_whatever_the_feed_does_a_death_changes_nothing(name: str, tmp_path: Path) -> None:
    params = ALL if name == "all" else CASES[name]
    whole, killed = lived(tmp_path / "a", params, None), lived(tmp_path / "b", params, np.random.default_rng(3))
    assert state_hash(killed.state) == state_hash(whole.state)
    for one in (whole, killed):
        one.stop("the end")
        for deep in (None, lambda _: CueReader()):
            found = shadow(one.journal.place, deep)
            assert found.equal, (found.difference, found.cause)
