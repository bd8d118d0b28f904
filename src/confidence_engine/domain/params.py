"""How parameters are declared: a NamedTuple at the head of the file that uses them.

    class Params(NamedTuple):
        stop_atr: Annotated[float, Bound("ratio", 0.2, 20.0)] = 2.5   # stop distance in ATR
        horizon_ns: Annotated[int, Bound("duration", MINUTE_NS, 30 * DAY_NS)] = 6 * HOUR_NS

The annotation is the whole truth about a key: its type, unit and allowed range. The config
reader checks against it and names it in every refusal. In TOML a key loses its unit suffix
(`horizon = "6h"`, `max_loss = "3%"`): the value carries the unit.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np

__all__ = ["UNITS", "Bound", "bounds_of", "params_dtype", "params_record"]

UNITS: Final = ("ratio", "fraction", "duration", "count", "usd", "flag", "name", "names")
"""ratio: bare number | fraction: "0.5%", "50bps" or a bare fraction | duration: "90min" | count: integer | usd |
flag: true or false | name: one of `choices` | names: a list of them, held as bits by their place; "" is no name."""


class Bound(NamedTuple):
    """Unit and closed range of one parameter; `choices` for names only."""

    unit: str
    low: float = float("-inf")
    high: float = float("inf")
    choices: tuple[str, ...] = ()


def bounds_of(declared: type) -> dict[str, tuple[type, Bound | None]]:
    """Field -> (Python type, Bound) in order; a nested Params has no Bound."""
    found: dict[str, tuple[type, Bound | None]] = {}
    for name, hint in get_type_hints(declared, include_extras=True).items():
        if get_origin(hint) is Annotated:
            kind, *extras = get_args(hint)
            bound = next((e for e in extras if isinstance(e, Bound)), None)
            found[name] = (kind, bound)
        else:
            found[name] = (hint, None)
    return found


def params_dtype(declared: type) -> np.dtype[Any]:
    """Nested record type of a Params tree. Floats f8, everything else i8; every field 8 bytes wide."""
    fields: list[tuple[str, Any]] = []
    for name, (kind, _) in bounds_of(declared).items():
        if hasattr(kind, "_fields"):
            fields.append((name, params_dtype(kind)))
        else:
            fields.append((name, "f8" if kind is float else "i8"))
    return np.dtype((np.record, fields))


def params_record(params: Any) -> np.ndarray:
    """One-element array of the nested record that the kernel reads as `p.exits.stop_atr`.

    Names (unit "name") enter as the index into their choices.
    """
    record = np.zeros(1, params_dtype(type(params)))
    record[0] = _plain(params)
    return record


def _plain(params: Any) -> tuple[Any, ...]:
    values: list[Any] = []
    for name, (_, bound) in bounds_of(type(params)).items():
        value = getattr(params, name)
        if hasattr(value, "_fields"):
            values.append(_plain(value))
        elif bound is not None and bound.unit == "name":
            values.append(bound.choices.index(value))
        else:
            values.append(value)
    return tuple(values)
