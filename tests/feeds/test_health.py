"""Single rows: what ingress refuses is what an import drops."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.domain.event import DIVIDEND, SPLIT
from confidence_engine.domain.params import bounds_of
from confidence_engine.domain.units import DAY_NS, MINUTE_NS
from confidence_engine.feeds import clean, health

BAR = 5 * MINUTE_NS
START = 19_000 * DAY_NS
MAPPED = {name: name for name in ("time", "open", "high", "low", "close", "volume")}
prices = st.sampled_from([100.0, 99.0, 101.0, 0.0, -1.0, math.nan, math.inf])


@given(prices, prices, prices, prices, st.sampled_from([0.0, 5.0, -1.0, math.inf]), st.sampled_from([0, 0, 0, 1]))
def test_a_bar_is_refused_where_an_import_drops_it(
    o: float, h: float, l: float, c: float, v: float, off: int  # noqa: E741
) -> None:  # fmt: skip
    opened = START + off * MINUTE_NS
    row = (opened, opened + BAR, o, h, l, c, v)
    raw = pl.DataFrame(dict(zip(MAPPED, [[x] for x in (opened, *row[2:])], strict=True)))
    kept = clean.bars(raw, MAPPED, BAR, symbol="BTC/USDT").rows.get("BTC/USDT", np.zeros(0))
    assert (health.bar_fault(row, BAR) == 0) == (len(kept) == 1)


@given(st.sampled_from([0.0, 0.5, -0.5, 0.51, -0.51, math.nan, math.inf]))
def test_a_rate_is_refused_where_an_import_drops_it(rate: float) -> None:
    raw = pl.DataFrame({"time": [START], "rate": [rate]})
    kept = clean.funding(raw, {"time": "time", "rate": "rate"}, symbol="BTC/USDT").rows.get("BTC/USDT", np.zeros(0))
    assert (health.funding_fault((START, rate)) == 0) == (len(kept) == 1)


@given(
    st.sampled_from([0.1, math.nan, -math.inf]), st.sampled_from([1.0, 0.0, -1.0, math.inf]), st.sampled_from([60, 0])
)
def test_a_score_is_refused_where_an_import_drops_it(mean: float, std: float, seconds: int) -> None:
    raw = pl.DataFrame({"known": [START], "horizon": [seconds], "mean": [mean], "std": [std]})
    names = {name: name for name in ("known", "horizon", "mean", "std")}
    kept = clean.scores(raw, names, symbol="BTC/USDT").rows.get("BTC/USDT", np.zeros(0))
    assert (health.score_fault((START, seconds * 10**9, mean, std)) == 0) == (len(kept) == 1)


@pytest.mark.parametrize(
    ("row", "sound"),
    [
        ((START, SPLIT, 2.0), True),
        ((START, SPLIT, 1001.0), False),
        ((START, SPLIT, 0.0), False),
        ((START, SPLIT, math.nan), False),
        ((START, DIVIDEND, 0.5), True),
        ((START, DIVIDEND, 0.0), False),
        ((START, DIVIDEND, math.inf), False),
        ((START, 3, 1.0), False),
    ],
)
def test_a_corporate_action_has_a_sane_value(row: tuple[float, ...], sound: bool) -> None:
    assert (health.corporate_fault(row) == 0) == sound


def test_daily_bars_need_no_grid() -> None:
    assert health.bar_fault((START + 1, START + DAY_NS, 1.0, 1.0, 1.0, 1.0, 0.0), DAY_NS) == 0
    assert health.bar_fault((START, START, 1.0, 1.0, 1.0, 1.0, 0.0), DAY_NS) == health.STAMP


def test_neutral_is_inside_every_range_and_every_rule_has_its_sentence() -> None:
    for params in (health.Params(), health.NEUTRAL):
        for name, (_, bound) in bounds_of(health.Params).items():
            assert bound is not None
            assert bound.low <= getattr(params, name) <= bound.high
    assert sorted(health.UNSOUND_NAMES) == list(range(1, 12))
