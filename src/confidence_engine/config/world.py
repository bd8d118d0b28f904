"""A world file: what a simulated world is made with, every key with its unit and range, unknown ones refused.

    [world]    how large, how long, from when, how much of it warms up
    [market]   noise, volume, spread, funding
    [events]   what happens and what the price makes of it
    [stories]  what is printed about it, and how well
    [faults]   how the feed of a paper run misbehaves; a replay sees the world as the store keeps it

Every key may be left out and has then its default; two defaults are the file's own: its words are apart from those of
the readers, and a short world warms up for a third of its days. `inherits = "other.toml"` works as in an agent's file.
Whatever is refused, is refused with the file, the line and the key.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from confidence_engine.config.source import Leaf, Spot, read_sheet
from confidence_engine.config.values import build, declared_spots, plain, refuse_unknown
from confidence_engine.domain.errors import ConfigError, UsageError
from confidence_engine.domain.units import DAY_NS, parse_time
from confidence_engine.feeds.faults import Params as Faults
from confidence_engine.feeds.world import Params, Shape, World, assets, generate
from confidence_engine.feeds.world.params import faults

__all__ = ["SECTIONS", "WorldFile", "load_world", "made"]

SECTIONS: Final[dict[str, str]] = {
    "world": "confidence_engine.feeds.world.params:Shape",
    "market": "confidence_engine.feeds.world.params:Market",
    "events": "confidence_engine.feeds.world.params:Events",
    "stories": "confidence_engine.feeds.world.params:Stories",
    "faults": "confidence_engine.feeds.faults:Params",
}
"""Section of the file -> where its parameters are declared. A new section is a line here; `sections` holds it."""

_WARMUP_NS: Final = 15 * DAY_NS


class WorldFile(NamedTuple):
    """One world file, checked. `sections` holds the parameters of every section by name."""

    path: Path
    shape: Shape
    params: Params
    start_ns: int
    sections: Mapping[str, Any]

    @property
    def faults(self) -> Faults | None:
        """How its feed misbehaves, None where it does not."""
        found: Faults = self.sections["faults"]
        return None if found == Faults() else found

    @property
    def begin_ns(self) -> int:
        """First moment that is decided."""
        return self.start_ns + self.shape.warmup_ns

    @property
    def end_ns(self) -> int:
        """First moment after the world."""
        return self.start_ns + self.shape.days * DAY_NS

    def tree(self) -> dict[str, Any]:
        """The resolved values as they would be written."""
        return {name: plain(one) for name, one in self.sections.items()}


def load_world(path: Path, start_ns: int | None = None) -> WorldFile:
    """Read and check a world file; `start_ns` comes before the file's own start.

    Without a `warmup` of its own a short world warms up for a third of its days, without a `wording` its words are
    apart. Raises ConfigError.
    """
    leaves = read_sheet(path)
    declared = {name: _declared(target) for name, target in SECTIONS.items()}
    known: set[Spot] = set()
    for name, params in declared.items():
        known |= declared_spots(params, (name,))
    refuse_unknown(leaves, known)
    built = {name: build(params, leaves, (name,)) for name, params in declared.items()}
    shape: Shape = built["world"]
    if ("world", "warmup") not in leaves:
        shape = shape._replace(warmup_ns=min(_WARMUP_NS, shape.days // 3 * DAY_NS))
        built["world"] = shape
    if ("stories", "wording") not in leaves:  # words that no reader was made with: an answer they cannot know
        built["stories"] = built["stories"]._replace(wording="apart")
    params = Params(built["market"], built["events"], built["stories"])
    for fault in faults(shape, params):  # the first of its keys that the file has: defaults are sound
        section, key = next((one for one in fault.spots if one in leaves), fault.spots[0])
        raise ConfigError(f"{_place(leaves, path, section, key)}: [{section}] {key}: {fault.why}")
    begins = _start(leaves, path, shape.start) if start_ns is None else start_ns
    return WorldFile(path, shape, params, begins, built)


def made(file: WorldFile, seed: int) -> World:
    """The world of a file and a seed. Raises ConfigError where chance makes prices that no number holds."""
    shape = file.shape
    try:
        return generate(
            seed, assets(shape.assets), file.start_ns, shape.days, shape.interval_ns, params=file.params
        )  # fmt: skip
    except UsageError as error:
        raise ConfigError(f"{file.path}: seed {seed}: {error}") from error


def _declared(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def _place(leaves: Mapping[Spot, Leaf], path: Path, section: str, key: str) -> str:
    """File and line of a key, else the file."""
    leaf = leaves.get((section, key))
    return str(path) if leaf is None else leaf.at


def _start(leaves: Mapping[Spot, Leaf], path: Path, text: str) -> int:
    """The file's start, a whole UTC day. Raises ConfigError."""
    try:
        start_ns = parse_time(text)
    except UsageError as error:
        raise ConfigError(f"{_place(leaves, path, 'world', 'start')}: [world] start: {error}") from error
    if start_ns % DAY_NS or not 0 <= start_ns < 150 * 365 * DAY_NS:
        where = _place(leaves, path, "world", "start")
        raise ConfigError(f"{where}: [world] start = {text!r} is refused: wanted a whole UTC day from 1970 to 2119")
    return start_ns
