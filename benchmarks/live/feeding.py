"""A simulated world as a live feed for the benches: an agent that is warm, and what it hears next, event by event.

A world says all bars of a moment at once; markets do not, they trickle in. So each delivery is a moment of its own
here, some nanoseconds behind the last, which is the hardest case: nothing is shared by the events of a bar's close.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from confidence_engine.config import load
from confidence_engine.domain.ports import Reader
from confidence_engine.domain.units import DAY_NS
from confidence_engine.drivers.agent import Agent, Cast, start
from confidence_engine.drivers.feed import deliveries
from confidence_engine.drivers.simulation import simulate
from confidence_engine.drivers.sources import Sources
from confidence_engine.feeds.delivery import Moment
from confidence_engine.journal.reader import Place
from confidence_engine.text.cues import CueReader

__all__ = ["SEED", "WARMUP_DAYS", "Feeding", "after", "days_for", "feeding", "trickle", "warm"]

SEED: Final = 7
WARMUP_DAYS: Final = 2
_BARS_A_DAY: Final = 288
_BULK: Final = 512

_BUSY: Final = """
inherits = "world.toml"

[kernel.divergence]
trigger = 0.02
kappa = 0.0
reaction_clip = 1.0

[kernel.exits]
stop_atr = 0.5
target_atr = 0.5
min_stop = "0.01%"
hold = "5m"

[kernel.gates]
min_strength = 0.0
min_volume_z = -5.0
cooldown = "0s"
waived = {waived}

[kernel.ranking]
top = 256
cost_factor = 0.0

[kernel.risk]
gross_max = 25.0
net_max = 25.0
single_max = 0.05
max_drawdown = 1.0
daily_loss = 1.0
trades_a_day = 10_000
trades_a_week = 50_000
max_positions = 256
"""
"""An agent that trades whenever it can, which nobody should: for orders a second."""


_TALK: Final = """
echo_factor = 0.0

[events]
events_a_day = 6.0
"""
"""A world in which every coin always has a story."""


class Feeding(NamedTuple):
    """Who is fed, and from what."""

    cast: Cast
    sources: Sources

    def moments(self, together: bool = False) -> Iterator[Moment]:
        """All there is, one delivery a moment, or `together` what the world says at one time."""
        said = deliveries(self.sources, self.cast.config.timing, self.cast.window)
        return said if together else trickle(said)


def days_for(assets: int, events: int) -> int:
    """Days of a world that has so many bars behind its warm-up."""
    return WARMUP_DAYS + max(-(-events // (assets * _BARS_A_DAY)), 1) + 1


def feeding(folder: Path, assets: int, days: int, busy: bool = False, reader: Reader | None = None) -> Feeding:
    """A world of five-minute bars, funding and stories; its files are written into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "bench.toml"
    told = f'[world]\nassets = {assets}\ndays = {days}\nwarmup = "{WARMUP_DAYS}d"\n[stories]\nwording = "plain"\n'
    file.write_text(told + (_TALK if busy else ""), encoding="utf-8")
    made = simulate(file, SEED, folder)
    config = made.config
    if busy:
        path = folder / "busy.toml"
        path.write_text(_BUSY.format(waived='["SMALL_GAP", "WEAK_STRENGTH", "SAME_STORY", "COOLDOWN"]'), "utf-8")
        config = load(path)
    sources = made.sources
    cast = Cast(config, sources.instruments, reader or CueReader(), made.window, sources.sessions, True)
    return Feeding(cast, sources)


def trickle(source: Iterator[Moment]) -> Iterator[Moment]:
    """Every delivery as a moment of its own, never two at one nanosecond."""
    last = 0
    for moment in source:
        last = max(moment.at_ns, last + 1)
        if not moment.said:
            yield Moment(last, (), moment.commands)
        for k, one in enumerate(moment.said):
            last += k > 0
            yield Moment(last, (one._replace(at_ns=last),))


def warm(fed: Feeding, place: Place, full: bool, together: bool = False) -> tuple[Agent, Iterator[Moment]]:
    """A new agent that has heard the warm-up and half a day, and what comes next."""
    agent = start(place, fed.cast, clock=time.time_ns, full=full, reserve=0)
    coming, until = fed.moments(together), fed.cast.window.start_ns + DAY_NS // 2
    while agent.now_ns < until:
        agent.take(list(itertools.islice(coming, _BULK)))
    return agent, coming


def after(fed: Feeding, now_ns: int) -> Iterator[Moment]:
    """What comes after a time."""
    return (one for one in fed.moments() if one.at_ns > now_ns)
