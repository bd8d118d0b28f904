"""Findings: each fault is planted and counted, and a clean series has none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.domain.document import UNKNOWN_PUBLISHER, Document
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, parse_time
from confidence_engine.feeds.clean import BAR_ROW
from confidence_engine.feeds.quality import check, check_documents, check_stamps

FIVE = 5 * MINUTE_NS
MONDAY = parse_time("2023-01-02")


def clean_bars(n: int = 3000, step: int = FIVE, seed: int = 5) -> np.ndarray:
    chance = np.random.default_rng(seed)
    out = np.empty(n, BAR_ROW)
    out["open_ns"] = MONDAY + np.arange(n) * step
    out["close_ns"] = out["open_ns"] + step
    out["c"] = 100 * np.exp(np.cumsum(chance.normal(0, 1e-3, n)))
    out["o"] = np.append(100.0, out["c"][:-1])
    out["h"], out["l"] = np.maximum(out["o"], out["c"]) * 1.001, np.minimum(out["o"], out["c"]) * 0.999
    out["v"] = chance.uniform(1, 2, n)
    return out


def test_a_clean_series_has_no_finding() -> None:
    got = check(clean_bars(), FIVE)
    faults = ("gaps", "duplicates", "out_of_order", "ohlc_violations", "spikes", "stale_runs", "missing_bars")
    assert {name: got[name] for name in faults} == dict.fromkeys(faults, 0)
    assert got["coverage"] == 1.0
    assert got["zero_volume_share"] == 0.0
    assert json.loads(json.dumps(got)) == got


@given(st.sets(st.integers(1, 2998), max_size=40))
def test_gaps_are_runs_of_missing_bars(gone: set[int]) -> None:
    keep = np.array([i not in gone for i in range(3000)])
    got = check(clean_bars()[keep], FIVE)
    runs = sum(1 for i in gone if i - 1 not in gone)
    assert (got["gaps"], got["missing_bars"]) == (runs, len(gone))
    assert got["coverage"] == pytest.approx(1 - len(gone) / 3000, abs=1e-6)


def test_the_longest_gap_is_named() -> None:
    bars = np.delete(clean_bars(), [10, 11, 12, 500])
    got = check(bars, FIVE)
    assert got["gap_examples"][0] == {"after": "2023-01-02T00:45:00Z", "missing": 3}
    assert got["longest_gap"] == "15 min"


def test_order_and_duplicates_and_broken_rows() -> None:
    bars = clean_bars(100)
    bars = np.concatenate([bars[:50], bars[20:21], bars[50:]])
    bars["h"][3] = bars["l"][3] / 2
    bars["c"][7] = np.nan
    bars["v"][10:20] = 0.0
    got = check(bars, FIVE)
    assert (got["duplicates"], got["out_of_order"], got["ohlc_violations"]) == (1, 1, 2)
    assert got["zero_volume_share"] == pytest.approx(10 / 101, abs=1e-6)
    assert got["gaps"] == 0


def test_a_bad_print_is_a_spike_and_a_crash_is_not() -> None:
    bars = clean_bars()
    bars["c"][1000] *= 1.2
    bars["c"][2000:] *= 0.8
    got = check(bars, FIVE)
    assert got["spikes"] == 1
    assert got["spike_examples"] == ["2023-01-05T11:20:00Z"]
    assert got["large_moves"] == 3


@pytest.mark.parametrize(("bars_flat", "runs"), [(11, 0), (12, 1), (40, 1)])
def test_stale_runs(bars_flat: int, runs: int) -> None:
    bars = clean_bars()
    bars["c"][100 : 100 + bars_flat] = bars["c"][100]
    bars["v"][100 : 100 + bars_flat] = 0.0
    got = check(bars, FIVE)
    assert got["stale_runs"] == runs
    assert got["longest_stale_bars"] == (bars_flat if runs else 0)


def test_weekends_of_a_market_that_closes_stand_apart() -> None:
    bars = clean_bars(60, DAY_NS)
    day = (bars["open_ns"] // DAY_NS + 4) % 7
    week = bars[(day != 6) & (day != 0)]
    got = check(week, DAY_NS)
    assert (got["gaps"], got["weekend_closures"]) == (0, 8)
    got = check(np.delete(week, 7), DAY_NS)
    assert (got["gaps"], got["missing_bars"], got["weekend_closures"]) == (1, 1, 8)


def test_an_empty_series_is_no_crash() -> None:
    assert check(clean_bars(0), FIVE)["rows"] == 0
    assert check_documents([])["rows"] == 0
    assert check_stamps(np.zeros(0, np.int64), 1)["rows"] == 0


def test_documents() -> None:
    rows = ((0, UNKNOWN_PUBLISHER, "A", True), (1, "x", "a", False), (30, "y", "b", False), (31, "y", "c", False))
    items = [Document(str(i), "s", p, t, i * HOUR_NS, date_only=d) for i, p, t, d in rows]
    got = check_documents(items)
    assert (got["midnight_stamps"], got["midnight_share"], got["publishers"]) == (1, 0.25, 3)
    assert (got["unknown_publisher_share"], got["repeated_titles"], got["longest_silence"]) == (0.25, 1, "1 d 5 h")


def test_stamps() -> None:
    stamps = np.arange(0, 100) * 8 * HOUR_NS + np.arange(100) % 3 * 1_000_000
    got = check_stamps(np.delete(stamps, [50, 51]), MINUTE_NS)
    assert (got["usual_step"], got["gaps"]) == ("8 h", 1)


@pytest.mark.realdata
def test_the_spot_hours_have_27_gaps(shared_data: Path) -> None:
    from confidence_engine.feeds import clean
    from confidence_engine.feeds.columns import guess
    from confidence_engine.feeds.read import read

    raw = read(shared_data / "market/crypto_spot_1h/BTCUSDT_2017-08_2022-10.parquet").rows
    got = check(clean.bars(raw, guess("bars", raw.columns, {}), HOUR_NS, "BTC/USDT").rows["BTC/USDT"], HOUR_NS)
    assert got["gaps"] == 27
    assert got["missing_bars"] == 127
