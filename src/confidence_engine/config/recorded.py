"""The config of a past run, built again from the resolved values that its journal holds.

A config shows as a tree of values (`Config.tree`); this is the way back. The hash says whether it is the same one.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from confidence_engine.config.agent import ASIDE, DERIVED, REPEATED, SECTIONS, Config, built
from confidence_engine.config.source import Leaf, Spot
from confidence_engine.config.universe import Universe
from confidence_engine.config.values import build, key_of
from confidence_engine.config.world import SECTIONS as WORLD_SECTIONS
from confidence_engine.config.world import WorldFile
from confidence_engine.domain.errors import ConfigError
from confidence_engine.feeds.world import Params

__all__ = ["recorded", "recorded_world"]


def recorded(tree: Mapping[str, Any], wanted: str | None, where: Path) -> Config:
    """The config of a tree whose hash was `wanted` (None: of another program, whose parameters may have been others);
    `where` is what messages call its file.

    Raises ConfigError where this program makes another config of it: its parameters are not those of then.
    """
    follow = {("kernel", stage, key_of(key)) for stage, key, *_ in (*DERIVED, *REPEATED)}
    follow |= {("kernel", stage, key) for stage, key, *_ in DERIVED}
    values = {name: one for name, one in tree.items() if name in SECTIONS and name not in ASIDE}
    leaves = {spot: Leaf(value, where, 0) for spot, value in _leaves(values, ()) if spot not in follow}
    try:
        universe = msgspec.convert(tree["universe"], Universe)
    except (KeyError, msgspec.ValidationError) as error:
        raise ConfigError(f"{where}: its universe cannot be read: {error}") from error
    config = built(where, leaves, universe)
    if wanted is not None and config.hash != wanted:
        raise ConfigError(f"{where}: the parameters {wanted} read as {config.hash} by this program")
    return config


def recorded_world(tree: Mapping[str, Any], start_ns: int, where: Path) -> WorldFile:
    """The world file of a tree as `WorldFile.tree` gives it. Raises ConfigError where this program reads it otherwise.

    `where` is what messages call its file.
    """
    leaves = {spot: Leaf(value, where, 0) for spot, value in _leaves(tree, ())}
    made: dict[str, Any] = {}
    for name, target in WORLD_SECTIONS.items():
        module, _, attribute = target.partition(":")
        made[name] = build(getattr(importlib.import_module(module), attribute), leaves, (name,))
    file = WorldFile(where, made["world"], Params(made["market"], made["events"], made["stories"]), start_ns, made)
    if any(one != tree.get(name, one) for name, one in file.tree().items()):
        raise ConfigError(f"{where}: the world that is recorded reads as another by this program")
    return file


def _leaves(value: Any, spot: Spot) -> Iterator[tuple[Spot, Any]]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _leaves(one, (*spot, name))
    elif value != "":  # a name that nobody gave
        yield spot, value
