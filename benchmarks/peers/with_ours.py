"""Our own turn: the averages become scores, the scores a file, the file is imported, and stored bars are replayed.

    with_ours.py BARS WORK cross|every TICK recorded|synthetic

`cross` tells a score only where the averages cross, `every` one at every bar (nought where nothing crosses), so that
each bar is judged and written with its evidence. Parameters take away what the others do not have (size by strength
and volatility, targets, ratchet, spread, impact), so that trades are alike; no stage is left out, what a stage
computes is computed. All of it is counted as work except the import of the bars, which is what lays them out.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from work import CASH, FAST, FEE, FIRST, NOTIONAL, SLOW, STOP, Found, argument, serve

from confidence_engine.config import Config, load
from confidence_engine.domain.units import MINUTE_NS, SECOND_NS
from confidence_engine.drivers import replay
from confidence_engine.drivers.sources import gather
from confidence_engine.feeds.intake import How, intake
from confidence_engine.feeds.store import Batch, Receipt, Store
from confidence_engine.text.cues import CueReader

__all__ = ["config_of", "lay", "run", "scores_of"]

SYMBOL: Final = "BTC/USDT"
VENUE: Final = "peers"
BAR: Final = 5 * MINUTE_NS

UNIVERSE: Final = """
[class.crypto]
annual_volatility = 0.8
story_spread = 0.5
trading_seconds_per_year = 31_536_000

[underlying.BTC]
class = "crypto"
sector = "store-of-value"
names = ["bitcoin"]

[[instrument]]
symbol = "{symbol}"
venue = "{venue}"
underlying = "BTC"
tick = {tick}
lot = 0.00001
min_notional = 5
taker = {fee}
maker = {fee}
half_spread = 0.0
"""

AGENT: Final = """
universe = "universe.toml"

[agent]
name = "peers"
venue = "{venue}"
symbols = ["{symbol}"]
initial_equity_usd = {cash}
warmup = "{warmup}m"
evidence = ["score"]

[kernel.price]
full_obs = {first}

[kernel.thresholds]
rate = 0.0

[kernel.gates]
cooldown = "0s"
min_volume_z = -5.0

[kernel.sizing]
risk_per_trade = "5%"
target_volatility = 0.0

[kernel.risk]
gross_max = "100%"
net_max = "100%"
single_max = "100%"
single_max_usd = {notional}
max_drawdown = "100%"
daily_loss = "100%"
trades_a_day = 10_000
trades_a_week = 50_000

[kernel.regime]
trigger_extreme = 1.0
stop_extreme = 1.0
size_high = 1.0
size_extreme = 1.0

[kernel.exits]
stop_atr = 0.2
min_stop = "{stop}%"
target_atr = 50.0
trail_from_atr = 50.0
hold = "365d"

[sim]
drift = 0.0
spread_factor = 0.0
impact = 0.0
volume_share = "100%"
bar_share = "100%"
"""


class SimulatedStore(Store):
    """A store of a simulated world: what is imported into it, scores included, is marked as such."""

    def add(self, batch: Batch) -> Receipt:
        return super().add(replace(batch, synthetic=True))


class Laid(NamedTuple):
    """A store that holds the bars, the config, and the bars' own span."""

    store: Store
    config: Config
    bars: np.ndarray
    folder: Path


def config_of(folder: Path, tick: float) -> Config:
    """The config of this work, written into `folder`, new or old."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {"symbol": SYMBOL, "venue": VENUE, "tick": tick, "fee": FEE, "cash": CASH, "notional": NOTIONAL}
    (folder / "universe.toml").write_text(UNIVERSE.format(**told), encoding="utf-8")
    agent = AGENT.format(**told, first=FIRST, stop=100 * STOP, warmup=FIRST * BAR // MINUTE_NS)
    (folder / "peers.toml").write_text(agent, encoding="utf-8")
    return load(folder / "peers.toml")


def lay(bars: np.ndarray, folder: Path, tick: float, synthetic: bool) -> Laid:
    """The bars in a new store."""
    if (folder / "home").exists():
        shutil.rmtree(folder / "home")
    store = (SimulatedStore if synthetic else Store)(folder / "home")
    store.add(Batch("bars", "bars", "bars", len(bars), VENUE, BAR, rows={SYMBOL: bars}))
    store.bars(SYMBOL, VENUE, BAR)
    return Laid(store, config_of(folder, tick), bars, folder)


def scores_of(bars: np.ndarray, every: bool) -> pl.DataFrame:
    """Scores as a person would write them: +2 where the averages cross upward, -2 downward, dead a bar later."""
    close = pl.Series(bars["c"])
    above = close.ewm_mean(span=FAST, adjust=False) > close.ewm_mean(span=SLOW, adjust=False)
    turned = above.cast(pl.Int8).diff().fill_null(0).cast(pl.Float64)
    known = pl.Series(bars["close_ns"]) + SECOND_NS
    frame = pl.DataFrame({"ts_known": known.cast(pl.Datetime("ns", "UTC")), "mean": 2.0 * turned})
    frame = frame.with_columns(symbol=pl.lit(SYMBOL), horizon=pl.lit("5m"), std=pl.lit(1.0))
    return frame if every else frame.filter(pl.col("mean") != 0.0)


def run(laid: Laid, every: bool) -> Found:
    """Scores, import, tape and replay, each with its share of the time."""
    marks = [time.process_time()]

    def mark() -> None:
        marks.append(time.process_time())

    file = laid.folder / "scores.parquet"
    scores_of(laid.bars, every).write_parquet(file)
    mark()
    intake(laid.store, "scores", file, How(venue=VENUE))
    mark()
    config = laid.config
    start_ns = int(laid.bars["open_ns"][FIRST])
    end_ns = int(laid.bars["close_ns"][-1]) + BAR
    sources = gather(config, laid.store, start_ns, end_ns)
    readings = replay.read(config, sources, CueReader())
    tape = replay.compose(config, sources, readings, replay.window_of(config, start_ns, end_ns))
    mark()
    result = replay.play(config, sources.instruments, tape.events)
    mark()
    steps: dict[str, Any] = dict(zip(("scores", "import", "tape", "replay"), np.diff(marks).tolist(), strict=True))
    steps["tape_events"] = tape.events
    entries = int((result.decisions["gates"] == 0).sum())
    return Found(entries, float(result.equities["equity"][-1]), steps)


def passed(found: Found) -> dict[str, Any]:
    """The steps, how many events there were, and the seconds of a plain sum over their bytes (fastest of 20)."""
    steps = dict(found.more)
    words = steps.pop("tape_events").view(np.uint64)
    times = []
    for _ in range(20):
        began = time.process_time()
        words.sum()
        times.append(time.process_time() - began)
    return steps | {"events": len(words) // 8, "pass": min(times)}


if __name__ == "__main__":
    folder, every = Path(argument(0)), argument(1) == "every"
    tick, synthetic = float(argument(2)), argument(3) == "synthetic"
    serve(lambda bars: lay(bars, folder, tick, synthetic), lambda laid: run(laid, every), passed)
