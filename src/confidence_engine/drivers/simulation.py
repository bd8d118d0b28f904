"""A run in a simulated world, from a world file and a seed: config, rows and window, without a store.

The agent is the one that worlds come with, or one of the user's: then its kernel, text and venue sections hold, while
universe, symbols, bars and warm-up are the world's. Its files are written, so that what ran can be read and run again.
SYNTHETIC from the first event to the last artefact; an agent that trades real money is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from confidence_engine.config import Config, load
from confidence_engine.config.simulated import SPOT, VENUE, write_simulated, write_world
from confidence_engine.config.world import WorldFile, load_world, made
from confidence_engine.domain.errors import DataRefused, UsageError
from confidence_engine.domain.units import DAY_NS
from confidence_engine.drivers.replay import window_of
from confidence_engine.drivers.sources import Sources, of_world, used_hash
from confidence_engine.feeds.assemble import Window
from confidence_engine.feeds.world import World

__all__ = ["Simulation", "begin_of", "folder_of", "simulate"]


class Simulation(NamedTuple):
    """What a run needs, and the world behind it."""

    config: Config
    sources: Sources
    window: Window
    world: World
    file: WorldFile
    seed: int


def folder_of(home: Path, path: Path, seed: int, config: Path | None = None) -> Path:
    """Where the config of a world of that file and seed is written, each agent's apart: two may run at a time."""
    return home / "worlds" / (f"{path.stem}-{seed}" + ("" if config is None else f"-{config.stem}"))


def begin_of(path: Path, end_ns: int) -> int:
    """When the world of a file begins that shall end then, on the grid of its bars. Raises ConfigError, UsageError."""
    shape = load_world(path).shape
    begin = end_ns // shape.interval_ns * shape.interval_ns - shape.days * DAY_NS
    if begin < 0:
        raise UsageError(f"a world of {shape.days} days that ends then would begin before 1970")
    return begin


def simulate(
    path: Path, seed: int, folder: Path, config: Path | None = None, start_ns: int | None = None
) -> Simulation:  # fmt: skip
    """The world of a file and a seed, with the agent of `config` (default: the one that worlds come with) in it.

    `folder` takes the agent's files; `start_ns` comes before the file's own start. Raises ConfigError for either
    file, DataRefused for an agent that trades real money.
    """
    file = load_world(path, start_ns)
    given = None if config is None else load(config)
    if given is not None and given.agent.real_money:
        raise DataRefused(f"{config}: the agent {given.agent.name} trades real money; a simulated world is not for it")
    world = made(file, seed)
    days = max(file.shape.warmup_ns // DAY_NS, 0)
    below = write_simulated(folder, world.underlyings, world.ticks, days, file.params.market.half_spread)
    spot = given is not None and not any(one.can_short for one in given.instruments())
    origin = below if config is None else config
    shape, venue = file.shape, SPOT if spot else VENUE
    own = load(write_world(folder, origin, venue, world.ticks, shape.interval_ns, shape.warmup_ns))
    sources = of_world(own, world)
    if "news" not in own.agent.evidence:
        sources = sources._replace(documents=[])
    sources = sources._replace(data_hash=used_hash(sources))
    return Simulation(own, sources, window_of(own, file.begin_ns, file.end_ns), world, file, seed)
