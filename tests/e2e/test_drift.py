"""Rounding does not add up: estimators that ran for long agree with sums over the whole history, made anew."""

from __future__ import annotations

import pytest
from benchmarks.drift import errors

NAMES = {
    "price variance", "price ATR", "price silence", "volume centres", "volume deviations", "regime posterior",
    "regime level", "regime switch", "regime home", "regime seen", "regime sums to one", "regime middle home",
    "regime middle seen", "regime middle sums to one", "regime long home", "regime long seen",
    "regime long sums to one", "narrative centre", "narrative spread", "market means", "market spread", "market joint",
    "hour of the week", "tally counts", "tally sums", "class loss", "source weight", "trigger level",
    "documents heard", "documents expected",
}  # fmt: skip


@pytest.mark.parametrize("bars", [300_000, pytest.param(20_000_000, marks=pytest.mark.nightly)])
def test_no_estimator_drifts(bars: int) -> None:
    found = errors(bars)
    assert set(found) == NAMES
    assert {name: error for name, error in found.items() if not error <= 1e-9} == {}
