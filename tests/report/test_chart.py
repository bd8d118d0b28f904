"""report.chart: thinning loses no extreme, and every odd run still gives a picture of the stated size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from confidence_engine.domain.units import HOUR_NS, MINUTE_NS, parse_time
from confidence_engine.evaluate.performance import TRADE
from confidence_engine.report.chart import Picture, band, broken, chart, thin

T0 = parse_time("2023-01-01")


def picture(hours: int = 400, trades: int = 6, synthetic: bool = False) -> Picture:
    rng = np.random.default_rng(0)
    ts = T0 + HOUR_NS * np.arange(hours)
    price_ns = T0 + 5 * MINUTE_NS * np.arange(hours * 12)
    price = 20_000 * np.exp(np.cumsum(rng.normal(0, 0.001, len(price_ns))))
    made = np.zeros(trades, TRADE)
    first = np.sort(rng.integers(0, len(price) - 80, trades))
    made["side"], made["pnl_usd"] = rng.choice([-1, 1], trades), rng.normal(0, 10, trades)
    made["entry_ns"], made["exit_ns"] = price_ns[first], price_ns[first + 70]
    made["entry_price"], made["exit_price"] = price[first], price[first + 70]
    gap = rng.normal(0, 0.4, len(price))
    gap[rng.random(len(gap)) < 0.5] = np.nan
    return Picture(
        "futures", "BTC/USDT", synthetic, ts, 1e4 * np.exp(np.cumsum(rng.normal(0, 1e-3, hours))),
        1e4 * price[::12] / price[0], price_ns, price, made, price_ns, gap, np.full(len(gap), 0.8), "a note",
    )  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(arrays(np.float64, st.integers(0, 600), elements=st.floats(-1e6, 1e6) | st.just(np.nan)), st.integers(1, 20))
def test_thinning_keeps_the_extremes_the_ends_and_the_order(y: np.ndarray, buckets: int) -> None:
    x = np.arange(len(y))
    at, kept = thin(x, y, buckets)
    seen = y[np.isfinite(y)]
    assert len(kept) <= max(4 * buckets, 0) or len(seen) <= 4 * buckets
    assert np.all(np.diff(at) > 0)
    assert np.array_equal(kept, y[at])
    if len(seen):
        assert (kept.min(), kept.max(), kept[0], kept[-1]) == (seen.min(), seen.max(), seen[0], seen[-1])


def test_a_band_holds_the_middle_of_each_span_of_time() -> None:
    rng = np.random.default_rng(4)
    ns = T0 + 5 * MINUTE_NS * np.sort(rng.choice(100_000, 20_000, replace=False))
    y = 0.8 + 0.1 * rng.random(len(ns))
    y[rng.random(len(y)) < 0.1] = np.nan
    at, levels = band(ns, y, 50)
    assert len(at) == len(levels) == 50
    assert np.all(np.diff(at) > 0)
    assert np.all(np.diff(levels, axis=1) > 0)
    np.testing.assert_allclose(levels.mean(axis=0), [0.81, 0.85, 0.89], atol=0.003)
    assert [len(part) for part in band(ns[:0], y[:0])] == [0, 0]
    assert band(ns[:1], np.ones(1))[1].tolist() == [[1.0, 1.0, 1.0]]


def test_a_line_breaks_where_nothing_was_recorded_and_nowhere_else() -> None:
    hours = np.arange(24 * 60) / 24.0
    recorded = np.concatenate([hours, hours + 200.0, hours + 300.0])
    x, y = thin(recorded, np.sin(recorded), 40)  # its own steps are longer than a day
    assert np.diff(x).max() > 1.0
    cut, _ = broken(x, y, recorded)
    assert np.isnan(cut).sum() == 2
    for part in np.split(cut, np.flatnonzero(np.isnan(cut))):
        seen = part[np.isfinite(part)]
        assert seen[-1] - seen[0] < 61
    plain, _ = broken(*thin(hours, np.sin(hours), 40), hours)
    assert not np.isnan(plain).any()
    days = np.arange(0.0, 400.0)
    assert not np.isnan(broken(days, days, days)[0]).any()


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.size == (1800, 1500)
        return np.asarray(image.convert("RGB")).astype(int)


def test_a_picture_is_drawn_the_same_twice_and_shows_what_changed(tmp_path: Path) -> None:
    one = chart(picture(), tmp_path / "one.png")
    two = chart(picture(), tmp_path / "two.png")
    assert one.read_bytes() == two.read_bytes()
    plain, flagged = pixels(one), pixels(chart(picture(synthetic=True), tmp_path / "world.png"))
    changed = np.flatnonzero(np.any(plain != flagged, axis=(1, 2)))
    assert len(changed) > 0
    assert changed.max() < 120  # only the title says SYNTHETIC
    without = pixels(chart(picture()._replace(trades=picture().trades[:0]), tmp_path / "none.png"))
    rows = np.flatnonzero(np.any(plain != without, axis=(1, 2)))
    assert rows.min() > 700
    assert rows.max() < 1300  # only the price strip shows trades


@pytest.mark.parametrize(
    "odd",
    [
        {"hold": None},
        {"price": np.zeros(0), "price_ns": np.zeros(0, np.int64)},
        {"gap": np.full(4800, np.nan)},
        {"decision_ns": np.zeros(0, np.int64), "gap": np.zeros(0), "trigger": np.zeros(0)},
        {"ts_ns": np.array([T0]), "equity": np.array([100.0]), "hold": np.array([100.0])},
        {"equity": np.linspace(100.0, -10.0, 400)},
    ],
    ids=["no hold", "no bars", "no reading", "no decisions", "one point", "ruin"],
)
def test_an_odd_run_still_has_its_picture(odd: dict, tmp_path: Path) -> None:
    assert pixels(chart(picture()._replace(**odd), tmp_path / "odd.png")).std() > 1.0
