"""Every record type of the project: no field bears a name of NumPy's own, every field is eight bytes.

With the compiler on `row.size` is the field; with it off NumPy's attribute wins and the same source
gives other numbers. A field of another width would bring padding, whose bytes are nobody's.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import numpy as np
import pytest

import confidence_engine
from confidence_engine.domain.event import EVENT
from confidence_engine.domain.params import params_dtype

PARTS = ("domain", "kernel", "venues", "drivers", "feeds", "text", "evaluate")
TAKEN = frozenset(dir(np.record)) | frozenset(dir(np.recarray))


def records() -> Iterator[tuple[str, np.dtype]]:
    """Name and type of every record type that stands at the head of a module, each once."""
    seen: set[int] = set()
    for part in PARTS:
        package = importlib.import_module(f"confidence_engine.{part}")
        names = [m.name for m in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
        for name in [package.__name__, *names]:
            module = importlib.import_module(name)
            for attribute, value in vars(module).items():
                if isinstance(value, np.dtype) and value.type is np.record and id(value) not in seen:
                    seen.add(id(value))
                    yield f"{name.removeprefix('confidence_engine.')}.{attribute}", value
            declared = vars(module).get("Params")
            if part == "kernel" and declared is not None:
                yield f"{name.removeprefix('confidence_engine.')}.Params", params_dtype(declared)


def faults(kind: np.dtype) -> list[str]:
    """What is wrong with one record type, fields of nested ones included."""
    found = []
    assert kind.fields is not None
    end = 0
    for field, (inner, offset, *_) in kind.fields.items():
        base = inner.base  # an array field is its element, many times
        if field in TAKEN:
            found.append(f"{field} is a name of NumPy's own")
        if offset != end:
            found.append(f"padding before {field}")
        end = offset + inner.itemsize
        if base.fields is not None:
            found += [f"{field}.{fault}" for fault in faults(base)]
        elif base.itemsize != 8 and kind is not EVENT:
            found.append(f"{field} is {base.itemsize} bytes wide")
    return found if end == kind.itemsize else [*found, "padding at the end"]


def test_all_record_types_are_sound() -> None:
    found = dict(records())
    assert {"domain.event.EVENT", "domain.order.INTENT", "domain.instrument.INSTRUMENT_ROW"} <= set(found)
    assert {name: faults(kind) for name, kind in found.items() if faults(kind)} == {}


@pytest.mark.parametrize(
    "fields",
    [[("size", "f8")], [("flags", "i8")], [("item", "i8")], [("ok", "i4")], [("ok", np.dtype([("mean", "f8")]))]],
)
def test_an_unsound_type_is_found(fields: list[tuple[str, object]]) -> None:
    assert faults(np.dtype((np.record, fields)))


def test_padding_is_found() -> None:
    assert faults(np.dtype((np.record, np.dtype([("a", "i4"), ("b", "f8")], align=True))))


def test_the_package_is_the_one_beside_the_tests(project_root: object) -> None:
    assert str(confidence_engine.__path__[0]).startswith(str(project_root))
