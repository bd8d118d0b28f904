"""`confidence config show`: a config file as the engine will read it.

The tree is the resolved one: inherited keys, defaults and all. The hash is over exactly this tree
and the universe, so two files that show the same tree are the same config. Secrets are environment
variables and are shown as set or unset, never by value.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from confidence_engine.cli.show import Json, emit, grid

__all__ = ["rows", "show_config"]


def show_config(
    file: Annotated[Path, typer.Argument(help="Config file, as config/spot.toml.")], as_json: Json = False
) -> None:
    """Print a config file as it resolves, with its hash; secrets only as set or unset."""
    from confidence_engine.config import load, secrets_shown

    config = load(file)
    secrets = secrets_shown(config)
    tree = config.tree()
    universe = tree.pop("universe")
    payload = {"path": file, "hash": config.hash, **tree, "universe": universe, "secrets": secrets}

    def table() -> Any:
        listed = [*rows(tree), ("universe", "instruments", len(universe["instruments"]))]
        listed += [("environment", name, state) for name, state in secrets.items()]
        return grid(("section", "key", "value"), listed, title=f"{file}  hash {config.hash}")

    emit(as_json, payload, table)


def rows(tree: dict[str, Any], section: str = "") -> Iterator[tuple[str, str, Any]]:
    """(section, key, value) of a nested tree, in its order; lists as one line."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from rows(value, f"{section}.{key}" if section else key)
        else:
            yield section, key, ", ".join(map(str, value)) if isinstance(value, list) else value
