"""A short paper run on the small world, through a feed with faults, and the parity of it.

Three days are decided after a day of warm-up; an agent may be changed while it holds something. Nothing here is a test.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from tests import simulated

from confidence_engine.config import Config, load
from confidence_engine.domain.units import DAY_NS, parse_time
from confidence_engine.drivers.agent import Agent, Cast, start
from confidence_engine.drivers.epochs import Epoch
from confidence_engine.drivers.feed import deliveries
from confidence_engine.drivers.paper import Heard, agent_of, feed_of, run
from confidence_engine.drivers.parity import Parity, parity
from confidence_engine.drivers.sources import Sources, gather
from confidence_engine.feeds import faults
from confidence_engine.feeds.assemble import Window
from confidence_engine.feeds.delivery import Moment
from confidence_engine.feeds.store import Store
from confidence_engine.journal.reader import Place, place_of
from confidence_engine.text.cues import CueReader

__all__ = [
    "BEGIN_NS", "END_NS", "WINDOW", "begun", "cast", "changed", "compared", "config", "lived", "others", "sources",
]  # fmt: skip

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


def others(trigger: float = 0.6, symbols: Sequence[str] | None = None) -> Config:
    """The small world's agent with another trigger, or with other symbols."""
    made, gap = config(), config().kernel.divergence._replace(trigger=trigger)
    made = msgspec.structs.replace(made, kernel=made.kernel._replace(divergence=gap))
    return made if symbols is None else msgspec.structs.replace(made, agent=made.agent._replace(symbols=tuple(symbols)))


def changed(
    folder: Path, lives: Sequence[Config], params: faults.Params, seed: int = 1, end_ns: int = END_NS
) -> tuple[Place, list[int]]:  # fmt: skip
    """(place of a run that had each of these configs in turn, when each but the first began); all but the last for half
    a day, and on until the agent holds something that has a stop, a day at most.
    """
    place, began = place_of(folder, "simulated"), list[int]()
    for k, one in enumerate(lives):
        agent = agent_of(place, one, _heard(one, params, seed, end_ns), CueReader())
        coming = feed_of(one, _heard(one, params, seed, end_ns), agent.intake.at_ns)
        if k:
            began.append(agent.now_ns)
        if k + 1 < len(lives):
            _until_held(agent, coming, max(agent.now_ns, BEGIN_NS) + DAY_NS // 2)
        while k + 1 == len(lives) and (some := list(itertools.islice(coming, 64))):
            agent.take(some)
        agent.stop("changed")
    return place, began


def _until_held(agent: Agent, coming: Iterator[Moment], from_ns: int) -> None:
    for one in coming:
        agent.take([one])
        book = agent.state.book
        held = ((book["lots"] != 0) & (book["stop_id"] != 0)).any()
        if agent.now_ns >= from_ns + (0 if held else DAY_NS // 2):
            return


def _heard(made: Config, params: faults.Params, seed: int, end_ns: int) -> Heard:
    """The feed of an agent that knows of its own symbols alone."""
    kept = tuple(one for one in sources().instruments if one.symbol in made.agent.symbols)
    rows = [{one.key: of[one.key] for one in kept} for of in (sources().bars, sources().funding)]
    said = sources()._replace(instruments=kept, bars=rows[0], funding=rows[1])
    return Heard(said, WINDOW._replace(end_ns=end_ns), {"feed": "store"}, params, seed)


def compared(place: Place, given: Config | None = None, said: Sources | None = None) -> Parity:
    """The parity of such a run with the store, or with what is `said` to be in it."""

    def stored(made: Config, epoch: Epoch, end_ns: int) -> Sources:
        symbols = [one.symbol for one in epoch.instruments]
        return said or gather(made, Store(simulated.home()), BEGIN_NS, end_ns, symbols, epoch.window.load_ns)

    return parity(place, stored, lambda _: CueReader(), given)
