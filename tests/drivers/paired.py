"""A short paper run on the small world, through a feed with faults, and the parity of it.

Three days are decided after a day of warm-up. Nothing here is a test.
"""

from __future__ import annotations

import functools
import itertools
from pathlib import Path

from tests import simulated

from confidence_engine.config import Config, load
from confidence_engine.domain.units import DAY_NS, parse_time
from confidence_engine.drivers.agent import Agent, Cast, start
from confidence_engine.drivers.epochs import Epoch
from confidence_engine.drivers.feed import deliveries
from confidence_engine.drivers.paper import run
from confidence_engine.drivers.parity import Parity, parity
from confidence_engine.drivers.sources import Sources, gather
from confidence_engine.feeds import faults
from confidence_engine.feeds.assemble import Window
from confidence_engine.feeds.store import Store
from confidence_engine.journal.reader import Place, place_of
from confidence_engine.text.cues import CueReader

__all__ = ["BEGIN_NS", "END_NS", "WINDOW", "begun", "cast", "compared", "config", "lived", "sources"]

BEGIN_NS, END_NS = parse_time("2025-01-08"), parse_time("2025-01-11")
WINDOW = Window(BEGIN_NS - DAY_NS, BEGIN_NS, END_NS)


@functools.cache
def config() -> Config:
    """The small world's."""
    return load(simulated.home() / "config/simulated.toml")


@functools.cache
def sources(end_ns: int = END_NS) -> Sources:
    """What is stored of the period."""
    return gather(config(), Store(simulated.home()), BEGIN_NS, end_ns, load_ns=WINDOW.load_ns)


def cast() -> Cast:
    """Who lives."""
    return Cast(config(), sources().instruments, CueReader(), WINDOW, sources().sessions, True)


def begun(folder: Path) -> Agent:
    """A new agent."""
    return start(place_of(folder, "simulated"), cast(), clock=lambda: 1, feed={"feed": "store"}, reserve=0)


def lived(
    folder: Path, params: faults.Params, seed: int = 1, size: int = 64, end_ns: int = END_NS,
    said: Sources | None = None,
) -> tuple[Place, list[faults.Fault]]:  # fmt: skip
    """(place of a run through a feed with faults, the truth about them); `size` 0 is the live loop, fast."""
    agent = begun(folder)
    window = WINDOW._replace(end_ns=end_ns)
    coming, truth = faults.spoil(deliveries(said or sources(), config().timing, window), params, seed)
    if size == 0:
        run(agent, coming, 0.0)
        return agent.journal.place, truth
    while some := list(itertools.islice(coming, size)):
        agent.take(some)
    agent.stop("end of the feed")
    return agent.journal.place, truth


def compared(place: Place, given: Config | None = None, said: Sources | None = None) -> Parity:
    """The parity of such a run with the store, or with what is `said` to be in it."""

    def stored(made: Config, epoch: Epoch, end_ns: int) -> Sources:
        return said or gather(made, Store(simulated.home()), BEGIN_NS, end_ns, load_ns=epoch.window.load_ns)

    return parity(place, stored, lambda _: CueReader(), given)
