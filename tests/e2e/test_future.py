"""Nothing that comes after t may change what was decided by t: raw rows replaced, everything rebuilt.

From files, with an empty home: import, clean, read, cluster, merge, kernel, venue all run again.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from confidence_engine.domain.units import DAY_NS, MINUTE_NS, parse_time
from confidence_engine.drivers import replay
from confidence_engine.feeds.intake import How, intake
from confidence_engine.feeds.store import Store

from .conftest import ROOT, case

pytestmark = pytest.mark.realdata

BEFORE, AFTER = 20 * DAY_NS, 10 * DAY_NS
BAR = 5 * MINUTE_NS


def _slice(frame: pl.DataFrame, column: str, t: int) -> pl.DataFrame:
    ns = frame[column].dt.epoch("ns")
    return frame.filter((ns >= t - BEFORE) & (ns < t + AFTER))


def _other_bars(frame: pl.DataFrame, t: int, rng: np.random.Generator) -> pl.DataFrame:
    """Every bar that is not closed by t becomes part of another path."""
    later = (frame["date"].dt.epoch("ns") + BAR > t).to_numpy()
    n = int(later.sum())
    close = frame["close"].to_numpy().copy()
    level = close[~later][-1]
    path = level * np.exp(np.cumsum(rng.standard_t(3, n) * 0.004))
    opened = np.concatenate([[level], path[:-1]])
    columns = {name: frame[name].to_numpy().copy() for name in ("open", "high", "low", "close", "volume")}
    columns["open"][later], columns["close"][later] = opened, path
    columns["high"][later] = np.maximum(opened, path) * 1.001
    columns["low"][later] = np.minimum(opened, path) * 0.999
    columns["volume"][later] *= rng.uniform(0.1, 10.0, n)
    return frame.with_columns(**{name: pl.Series(name, values) for name, values in columns.items()})


def _other_news(frame: pl.DataFrame, t: int, rng: np.random.Generator) -> pl.DataFrame:
    """Items published after t: half are dropped, the rest say something else at another time."""
    ns = frame["published_at"].dt.epoch("ns")
    past, later = frame.filter(ns <= t), frame.filter(ns > t)
    later = later.filter(pl.Series(rng.random(len(later)) < 0.5))
    words = rng.choice(
        ["Bitcoin soars to a record", "Bitcoin crashes after a hack", "Ethereum upgrade fails"], len(later)
    )
    shift = pl.Series(rng.integers(0, 3600, len(later))).cast(pl.Duration("us")) * 1_000_000
    changed = later.with_columns(title=pl.Series(words + rng.integers(0, 99, len(later)).astype(str)))
    return pl.concat([past, changed.with_columns(published_at=changed["published_at"] + shift)])


def _other_funding(frame: pl.DataFrame, t: int, rng: np.random.Generator) -> pl.DataFrame:
    """Every payment due after t has another rate."""
    later = (frame["date"].dt.epoch("ns") > t).to_numpy()
    rates = frame["funding_rate"].to_numpy().copy()
    rates[later] = rng.normal(0.0, 1e-3, int(later.sum()))
    return frame.with_columns(funding_rate=pl.Series(rates))


def _decided(home: Path, bars: pl.DataFrame, news: pl.DataFrame, funding: pl.DataFrame, t: int) -> np.ndarray:
    home.mkdir()
    for name, frame in (("bars", bars), ("news", news), ("funding", funding)):
        frame.write_parquet(home / f"{name}.parquet")
    store = Store(home)
    coin = ("BTC/USDT",)
    intake(store, "bars", home / "bars.parquet", How(symbols=coin, venue="binance-perp", interval_ns=BAR))
    intake(store, "funding", home / "funding.parquet", How(symbols=coin, venue="binance-perp"))
    intake(store, "news", home / "news.parquet", How())
    start = f"{np.datetime64(t - BEFORE, 'ns').astype('datetime64[s]')}Z"
    end = f"{np.datetime64(t + AFTER, 'ns').astype('datetime64[s]')}Z"
    made = case(store, ROOT / "config/futures.toml", start, end)
    tape = replay.compose(made.config, made.sources, made.readings, made.window)
    decisions = replay.play(made.config, made.sources.instruments, tape.events).decisions
    return decisions


def _moments(count: int) -> list[int]:
    rng = np.random.default_rng(20231)
    first, last = parse_time("2023-01-25"), parse_time("2023-12-10")
    return sorted(int(ns) for ns in rng.integers(first, last, count))


def _check(moments: list[int], data: Path, home: Path) -> None:
    bars = pl.read_parquet(data / "market/crypto_perp_5m/BTCUSDT_2023-01_2024-05.parquet")
    funding = pl.read_parquet(data / "market/funding/BTCUSDT_8h_2023-01_2024-05.parquet")
    news = pl.read_parquet(data / "news/btc_news_2021-11_2024-02.parquet")
    compared = changed = 0
    for k, t in enumerate(moments):
        rng = np.random.default_rng(k)
        b, f, n = _slice(bars, "date", t), _slice(funding, "date", t), _slice(news, "published_at", t)
        one = _decided(home / f"{k}a", b, n, f, t)
        two = _decided(home / f"{k}b", _other_bars(b, t, rng), _other_news(n, t, rng), _other_funding(f, t, rng), t)
        past, same = one[one["ts_ns"] <= t], two[two["ts_ns"] <= t]
        assert len(past) == len(same), k
        assert past.tobytes() == same.tobytes(), k
        compared += len(past)
        changed += one[one["ts_ns"] > t].tobytes() != two[two["ts_ns"] > t].tobytes()
    assert compared > 500 * len(moments)
    assert changed == len(moments)  # or the future had not been changed at all


def test_the_future_changes_no_past_decision(shared_data: Path, tmp_path: Path) -> None:
    _check(_moments(50)[::10], shared_data, tmp_path)


@pytest.mark.nightly
def test_the_future_changes_no_past_decision_at_fifty_moments(shared_data: Path, tmp_path: Path) -> None:
    _check(_moments(50), shared_data, tmp_path)
