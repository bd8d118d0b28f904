"""Declarations of parameters and the record the kernel reads them from."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.domain.params import UNITS, Bound, bounds_of, params_dtype, params_record


class Inner(NamedTuple):
    stop_atr: Annotated[float, Bound("ratio", 0.2, 20.0)] = 2.5
    style: Annotated[str, Bound("name", choices=("market", "patient"))] = "market"


class Outer(NamedTuple):
    hold_ns: Annotated[int, Bound("duration", 0, 10)] = 3
    exits: Inner = Inner()
    on: Annotated[bool, Bound("flag")] = True


def test_a_declaration_is_read_in_order_with_its_bounds() -> None:
    found = bounds_of(Outer)
    assert list(found) == ["hold_ns", "exits", "on"]
    assert found["hold_ns"] == (int, Bound("duration", 0, 10))
    assert found["exits"] == (Inner, None)


@given(st.integers(-(2**62), 2**62), st.floats(allow_nan=False), st.sampled_from(("market", "patient")), st.booleans())
def test_every_value_reaches_the_record_under_its_name(hold: int, stop: float, style: str, on: bool) -> None:
    record = params_record(Outer(hold, Inner(stop, style), on))
    assert record.shape == (1,)
    row = record[0]
    assert row.hold_ns == hold
    assert row.exits.stop_atr == stop
    assert row.exits.style == ("market", "patient").index(style)
    assert row.on == on


def test_every_field_is_eight_bytes() -> None:
    assert params_dtype(Outer).itemsize == 8 * 4
    assert params_dtype(Inner).fields is not None
    assert [kind[0] for kind in params_dtype(Inner).fields.values()] == [np.dtype("f8"), np.dtype("i8")]


def test_a_name_outside_its_choices_is_no_parameter() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        params_record(Inner(style="both"))


def test_units_are_the_documented_ones() -> None:
    assert UNITS == ("ratio", "fraction", "duration", "count", "usd", "flag", "name", "names")
