"""Instruments as rows: units kept, maintenance continuous at the edges of its tiers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.domain.instrument import CLASSES, MAX_TIERS, Instrument, Tier, instrument_rows
from confidence_engine.domain.units import HOUR_NS, MINUTE_NS


def instrument(tiers: tuple[Tier, ...] = (), underlying: str = "BTC") -> Instrument:
    return Instrument(
        symbol=f"{underlying}/USDT", venue="binance-perp", underlying=underlying, klass="crypto", quote="USDT",
        tick=0.1, lot=0.001, min_notional=100.0, taker=5e-4, maker=2e-4, half_spread=1e-4, max_leverage=125.0,
        can_short=True, liquidation_fee=0.0125, funding_ns=8 * HOUR_NS, tiers=tiers,
    )  # fmt: skip


ladders = st.integers(1, MAX_TIERS).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(1, 10**9), min_size=n, max_size=n, unique=True).map(sorted),
        st.lists(st.integers(1, 900), min_size=n, max_size=n, unique=True).map(sorted),
    )
)


@given(ladders)
def test_maintenance_is_continuous_and_equals_the_sum_over_slices(ladder: tuple[list[int], list[int]]) -> None:
    tiers = tuple(Tier(float(cap), rate / 1000) for cap, rate in zip(*ladder, strict=True))
    rows, table = instrument_rows([instrument(tiers)], ["BTC"], 5 * MINUTE_NS)
    floor, slices = 0.0, 0.0
    for k, tier in enumerate(tiers):
        at_floor = floor * table[0, k].rate - table[0, k].deduction
        assert np.isclose(at_floor, slices, rtol=1e-9, atol=1e-6)
        slices += (tier.cap_usd - floor) * tier.rate
        at_cap = tier.cap_usd * table[0, k].rate - table[0, k].deduction
        assert np.isclose(at_cap, slices, rtol=1e-9, atol=1e-6)
        floor = tier.cap_usd
    assert rows[0].n_tiers == len(tiers)


def test_a_row_holds_what_the_struct_says_and_ids_are_positions() -> None:
    rows, tiers = instrument_rows([instrument(), instrument(underlying="ETH")], ["SOL", "ETH", "BTC"], MINUTE_NS)
    assert rows["underlying"].tolist() == [2, 1]
    assert rows["klass"].tolist() == [CLASSES.index("crypto")] * 2
    assert rows["tick"].tolist() == [0.1, 0.1]
    assert rows["liquidation_fee"].tolist() == [0.0125, 0.0125]
    assert rows["can_short"].tolist() == [1, 1]
    assert rows["bar_ns"].tolist() == [MINUTE_NS] * 2
    assert tiers.shape == (2, MAX_TIERS)
    assert instrument().key == "BTC/USDT@binance-perp"


def test_an_instrument_of_an_unlisted_underlying_has_no_row() -> None:
    with pytest.raises(ValueError, match="not in list"):
        instrument_rows([instrument()], ["ETH"], MINUTE_NS)


def test_class_ids_are_append_only() -> None:
    assert CLASSES[:5] == ("crypto", "equity", "fx", "commodity", "index")
