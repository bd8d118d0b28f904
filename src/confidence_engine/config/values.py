"""Values as people write them, checked against what the parameter declares.

The declaration (`domain.params.Bound`) says type, unit and range; a value that does not fit is
refused with its file and line, what was given and what is wanted. A duration needs its unit, a
fraction may carry % or bps. Nothing is rounded into range and no unknown key is passed over.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Any, get_origin

from confidence_engine.config.source import Leaf, Spot
from confidence_engine.domain.errors import ConfigError, UsageError
from confidence_engine.domain.params import Bound, bounds_of
from confidence_engine.domain.units import format_interval, parse_duration, parse_fraction

__all__ = ["build", "declared_spots", "key_of", "plain", "refuse_unknown", "spelled", "wanted"]


def key_of(field: str) -> str:
    """TOML key of a field: a duration loses its `_ns`, because the value carries the unit; `klass` is a class."""
    return "class" if field == "klass" else field.removesuffix("_ns")


def spelled(spot: Spot) -> str:
    """ "[kernel.exits] stop_atr" as a reader finds it in the file."""
    section = ".".join(str(part) for part in spot[:-1])
    return f"[{section}] {spot[-1]}" if section else str(spot[-1])


def declared_spots(declared: Any, prefix: Spot) -> set[Spot]:
    """Paths of all keys that a Params tree declares under `prefix`."""
    found: set[Spot] = set()
    for field, (kind, _) in bounds_of(declared).items():
        spot = (*prefix, key_of(field))
        found |= declared_spots(kind, spot) if hasattr(kind, "_fields") else {spot}
    return found


def build(declared: Any, leaves: Mapping[Spot, Leaf], prefix: Spot, default: Spot = ()) -> Any:
    """An instance of a Params tree from the keys under `prefix`, else under `default`, else its own defaults.

    Raises ConfigError for a wrong type, unit or range, and for a missing key that has no default.
    """
    _section_only(prefix, leaves)
    values: dict[str, Any] = {}
    for field, (kind, bound) in bounds_of(declared).items():
        spot = (*prefix, key_of(field))
        if hasattr(kind, "_fields"):
            values[field] = build(kind, leaves, spot)
            continue
        if default and spot not in leaves:
            spot = (*default, key_of(field))
        if spot in leaves:
            values[field] = _checked(leaves[spot], spot, kind, bound)
        elif field not in declared._field_defaults:
            missing = spelled((*prefix, key_of(field)))
            raise ConfigError(f"{_near(leaves, prefix)}: {missing} is missing and has no default")
    return declared(**values)


def _section_only(prefix: Spot, leaves: Mapping[Spot, Leaf]) -> None:
    leaf = leaves.get(prefix)
    if leaf is not None and leaf.value != {}:
        section = ".".join(map(str, prefix))
        raise ConfigError(f"{leaf.at}: {section} is a section, not a value; write [{section}]")


def _near(leaves: Mapping[Spot, Leaf], prefix: Spot) -> str:
    """File and line of the section a key is missing from, else the file."""
    inside = [leaf for spot, leaf in leaves.items() if spot[: len(prefix)] == prefix]
    if inside:
        return inside[0].at
    return str(next(iter(leaves.values())).file) if leaves else "empty config"


def _checked(leaf: Leaf, spot: Spot, kind: Any, bound: Bound | None) -> Any:
    if bound is None:
        raise TypeError(f"{spelled(spot)} is declared without a Bound")
    try:
        if bound.unit == "names":
            return _bits(leaf.value, bound)
        return _list(leaf.value, bound) if get_origin(kind) is tuple else _one(leaf.value, bound)
    except (UsageError, ValueError) as error:
        reason = f" ({error})" if str(error) else ""
        shown = f"{leaf.value!r:.80}" if not isinstance(leaf.value, bool) else str(leaf.value).lower()
        raise ConfigError(
            f"{leaf.at}: {spelled(spot)} = {shown} is refused: wanted {wanted(bound, kind)}{reason}"
        ) from error


def _list(value: Any, bound: Bound) -> tuple[Any, ...]:
    if isinstance(value, list) and bound.unit == "ratio":
        return tuple(_one(one, bound) for one in value)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError
    names = tuple(_one(one, bound) for one in value)
    if len(set(names)) < len(names):
        raise ValueError("one of them stands twice")
    return names


def _bits(value: Any, bound: Bound) -> int:
    """A list of names as bits, each by its place among the choices."""
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError
    strange = [one for one in value if not one or one not in bound.choices]
    if strange:
        raise ValueError(f"{strange[0]!r:.40} is none of them")
    if len(set(value)) < len(value):
        raise ValueError("one of them stands twice")
    return sum(1 << bound.choices.index(one) for one in value)


def _one(value: Any, bound: Bound) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if bound.unit == "flag":
        if isinstance(value, bool):
            return value
        raise ValueError
    if bound.unit == "name":
        if isinstance(value, str) and value.strip() and (not bound.choices or value in bound.choices):
            return value
        raise ValueError
    if bound.unit == "duration" and isinstance(value, str):
        result: float = parse_duration(value)
    elif bound.unit == "fraction" and isinstance(value, str):
        result = parse_fraction(value)
    elif bound.unit == "count" and number and isinstance(value, int):
        result = value
    elif bound.unit in ("ratio", "usd", "fraction") and number:
        result = float(value)
    else:
        raise ValueError
    if not math.isfinite(result) or not bound.low <= result <= bound.high:
        raise ValueError
    return result


_FORMS = {
    "duration": 'a duration with its unit, as in "90s" or "5m",',
    "fraction": 'a fraction, as in "0.5%", "50bps" or 0.005,',
    "ratio": "a bare number",
    "count": "a whole number",
    "usd": "an amount in USD, a bare number,",
    "flag": "true or false",
}


def wanted(bound: Bound, kind: Any = None) -> str:
    """What a parameter takes, in words: its unit and the allowed range."""
    if bound.unit == "names":
        return f"a list of names, each one of {', '.join(filter(None, bound.choices))}"
    if bound.unit == "name":
        words = f"one of {', '.join(bound.choices)}" if bound.choices else "a name in quotes"
        return f"a list of names, each {words}" if get_origin(kind) is tuple else words
    if bound.unit == "ratio" and get_origin(kind) is tuple:
        return f"a list of numbers, each {wanted(bound)}"
    form = _FORMS[bound.unit]
    if bound.unit == "flag":
        return form
    low, high = _edge(bound.low, bound.unit), _edge(bound.high, bound.unit)
    if math.isinf(bound.low) and math.isinf(bound.high):
        return form.rstrip(",")
    if math.isinf(bound.high):
        return f"{form} of at least {low}"
    return f"{form} of at most {high}" if math.isinf(bound.low) else f"{form} from {low} to {high}"


def _edge(value: float, unit: str) -> str:
    if math.isinf(value):
        return ""
    if unit == "duration":
        return format_interval(int(value))
    return f"{value * 100:.10g}%" if unit == "fraction" else f"{value:.15g}"


def plain(params: Any) -> dict[str, Any]:
    """A Params tree as it would be written: TOML keys, durations with their unit, fractions as numbers."""
    tree: dict[str, Any] = {}
    for field, (_, bound) in bounds_of(type(params)).items():
        value = getattr(params, field)
        if hasattr(value, "_fields"):
            tree[key_of(field)] = plain(value)
        elif bound is not None and bound.unit == "duration":
            many = isinstance(value, tuple)
            tree[key_of(field)] = [format_interval(one) for one in value] if many else format_interval(value)
        elif bound is not None and bound.unit == "names":
            tree[key_of(field)] = [name for k, name in enumerate(bound.choices) if name and value >> k & 1]
        else:
            tree[key_of(field)] = list(value) if isinstance(value, tuple) else value
    return tree


def refuse_unknown(leaves: Mapping[Spot, Leaf], known: Iterable[Spot]) -> None:
    """Raise ConfigError at the first key, by file and line, that nothing declares; name the nearest that exist.

    The value is not repeated: what does not belong in a config may be a secret.
    """
    spots = set(known)
    prefixes = {spot[:n] for spot in spots for n in range(len(spot))}
    strange = [(leaf.line, spot, leaf) for spot, leaf in leaves.items() if spot not in spots and spot not in prefixes]
    if not strange:
        return
    _, spot, leaf = min(strange, key=lambda found: found[0])
    depth = next(n for n in range(len(spot)) if spot[: n + 1] not in prefixes)
    valid = sorted({str(one[depth]) for one in spots if len(one) > depth and one[:depth] == spot[:depth]})
    near = difflib.get_close_matches(str(spot[depth]), valid, n=3, cutoff=0.5)
    section = ".".join(map(str, spot[: depth + 1]))
    is_key = depth == len(spot) - 1 and leaf.value != {}
    what = f"unknown key {spelled(spot)}" if is_key else f"unknown section [{section}]"
    hint = f"nearest: {', '.join(near)}" if near else f"valid here: {', '.join(valid) or 'nothing'}"
    raise ConfigError(f"{leaf.at}: {what}; {hint}")
