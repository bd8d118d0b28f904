"""The config of a past run, built again from the resolved values that its journal holds.

A config shows as a tree of values (`Config.tree`); this is the way back. The hash says whether it is the same one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from confidence_engine.config.agent import ASIDE, DERIVED, REPEATED, SECTIONS, Config, built
from confidence_engine.config.source import Leaf, Spot
from confidence_engine.config.universe import Universe
from confidence_engine.config.values import key_of
from confidence_engine.domain.errors import ConfigError

__all__ = ["recorded"]


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


def _leaves(value: Any, spot: Spot) -> Iterator[tuple[Spot, Any]]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _leaves(one, (*spot, name))
    elif value != "":  # a name that nobody gave
        yield spot, value
