"""A TOML file with the line of every key, its ancestors underneath.

tomllib keeps no positions, so the keys are found again in the text: table headers give the
prefix, a key ends at its first bare "=", and values are walked only to see where they end.
`inherits = "other.toml"` puts another file underneath, key by key; a key keeps the file and
line it was written on, because that is where its writer will look for it.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from confidence_engine.domain.errors import ConfigError

__all__ = ["Leaf", "Spot", "flatten", "key_lines", "read_sheet"]

Spot = tuple[str | int, ...]
"""Path of a key: ("kernel", "exits", "stop_atr"); an array of tables puts its index in between."""

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]\]?")
_KEY = re.compile(rf"\s*({_DOTTED})\s*=")
_WHERE = re.compile(r"\s*\(at line (\d+), column (\d+)\)|\s*\(at end of document\)")


class Leaf(NamedTuple):
    """A value as written, and where."""

    value: Any
    file: Path
    line: int

    @property
    def at(self) -> str:
        """ "spot.toml:12"."""
        return f"{self.file}:{self.line}"


def read_sheet(path: Path) -> dict[Spot, Leaf]:
    """Every key of a config file and of the files it inherits from; nearer files win.

    Raises ConfigError for a missing file, a TOML fault, or a circle of files.
    """
    return _read(path, ())


def _read(path: Path, below: tuple[Path, ...]) -> dict[Spot, Leaf]:
    if path.resolve() in below:
        raise ConfigError(f"{path}: inherits from itself, by way of {' <- '.join(p.name for p in below)}")
    leaves = flatten(path)
    parent = leaves.pop(("inherits",), None)
    if parent is None:
        return leaves
    if not isinstance(parent.value, str):
        raise ConfigError(f'{parent.at}: inherits takes the name of a file, as in inherits = "spot.toml"')
    other = path.parent / parent.value
    if not other.is_file():
        raise ConfigError(f"{parent.at}: inherits {parent.value!r}, but there is no file {other}")
    return _read(other, (*below, path.resolve())) | leaves


def flatten(path: Path) -> dict[Spot, Leaf]:
    """Every key of one file. An empty table stands as a leaf with the value {}."""
    try:
        text = path.read_text("utf-8")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise ConfigError(f"{path}: there is no such config file") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text: {error}") from error
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_syntax(path, text, str(error))) from error
    lines = key_lines(text)
    found: dict[Spot, Leaf] = {}
    _walk(tree, (), found, path, lines)
    return found


def _syntax(path: Path, text: str, message: str) -> str:
    where = _WHERE.search(message)
    line = where.group(1) if where and where.group(1) else text.count("\n") + 1
    return f"{path}:{line}: not valid TOML: {_WHERE.sub('', message)}"


def _walk(tree: dict[str, Any], prefix: Spot, found: dict[Spot, Leaf], path: Path, lines: dict[Spot, int]) -> None:
    for name, value in tree.items():
        spot = (*prefix, name)
        if isinstance(value, dict) and value:
            _walk(value, spot, found, path, lines)
        elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            for index, one in enumerate(value):
                _walk(one, (*spot, index), found, path, lines)
        else:
            found[spot] = Leaf(value, path, _nearest(spot, lines))


def _nearest(spot: Spot, lines: dict[Spot, int]) -> int:
    """Line of a key; a key inside an inline table stands on the line of the table."""
    while spot and spot not in lines:
        spot = spot[:-1]
    return lines.get(spot, 1)


def key_lines(text: str) -> dict[Spot, int]:
    """Line (from 1) of every key and table header of a valid TOML text."""
    lines: dict[Spot, int] = {}
    counts: dict[Spot, int] = {}
    prefix: Spot = ()
    depth, quote = 0, ""
    for number, line in enumerate(text.split("\n"), 1):
        if not depth and not quote:
            header, key = _HEADER.match(line), _KEY.match(line)
            if header:
                prefix = _indexed(_parts(header.group(2)), counts, array=header.group(1) == "[[")
                lines.setdefault(prefix, number)
                continue
            if not key:
                continue
            lines[(*prefix, *_parts(key.group(1)))] = number
            line = line[key.end() :]
        depth, quote = _value_end(line, depth, quote)
    return lines


def _parts(dotted: str) -> Spot:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))


def _indexed(parts: Spot, counts: dict[Spot, int], array: bool) -> Spot:
    """Put the index of the newest element behind every array of tables along the way."""
    spot: Spot = ()
    for position, part in enumerate(parts):
        spot = (*spot, part)
        if array and position == len(parts) - 1:
            counts[spot] = counts.get(spot, -1) + 1
        if spot in counts:
            spot = (*spot, counts[spot])
    return spot


def _value_end(line: str, depth: int, quote: str) -> tuple[int, str]:
    """Walk one line of a value: bracket depth and the open multi-line quote behind it."""
    at = 0
    while at < len(line):
        rest = line[at:]
        if quote:
            if rest.startswith("\\") and quote[0] == '"':
                at += 2
            elif rest.startswith(quote):
                at += len(quote)
                quote = ""
            else:
                at += 1
            continue
        mark = rest[0]
        if mark == "#":
            break
        if mark in "\"'":
            quote = mark * 3 if rest.startswith(mark * 3) else mark
            at += len(quote)
            continue
        depth += (mark in "[{") - (mark in "]}")
        at += 1
    return depth, quote if len(quote) == 3 else ""
