"""Is a simulated world like the recorded one? The same figures of both, side by side.

    python benchmarks/realism.py HOME [WORLD_FILE ...]    # HOME holds imported bars and news, as of BTC/USDT

Of prices: kurtosis of log returns, autocorrelation of their size, correlation of two assets. Of volume: how it differs
over the hours of the day and at the weekend, and how it goes with the move. Of headlines: how many a day and asset,
how many retell (by the text stage's own judgement, reader cues), how long the gaps are. Without a file the worlds are
that of the defaults, in plain words, and two of config/worlds, seed 7. A figure that a world has too little for, as of
hours in daily bars, is left out. It measures; nothing is claimed to be alike.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import kurtosis

from confidence_engine.config import load
from confidence_engine.config.world import load_world, made
from confidence_engine.domain.document import Document
from confidence_engine.domain.errors import ConfidenceError
from confidence_engine.domain.instrument import Underlying
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS
from confidence_engine.feeds.store import Store
from confidence_engine.feeds.world import World, generate, symbol_of
from confidence_engine.text import reading
from confidence_engine.text.cues import CueReader
from confidence_engine.text.reading import read_documents

ROOT = Path(__file__).resolve().parent.parent
STEP = 5 * MINUTE_NS
LAGS = (1, 12, 72, 288)
SEED = 7
NEWS_LAG_NS = MINUTE_NS


def of_prices(bars: np.ndarray, step_ns: int) -> dict[str, float]:
    """Figures of one asset's bars of `step_ns`."""
    r, found = _returns(bars, 1), {}
    size = np.abs(r) - np.abs(r).mean()
    found["kurtosis of 5 min returns" if step_ns == STEP else "kurtosis of a bar's returns"] = kurtosis(r, fisher=False)
    if step_ns < HOUR_NS:
        found["kurtosis of 1 h returns"] = float(kurtosis(_returns(bars, HOUR_NS // step_ns), fisher=False))
    for lag in (one for one in LAGS if one < len(size)):
        name = f"autocorrelation of size, lag {lag * step_ns // MINUTE_NS} min"
        found[name] = float(np.mean(size[lag:] * size[:-lag]) / np.mean(size * size))
    found["autocorrelation of returns, lag 1"] = float(np.corrcoef(r[1:], r[:-1])[0, 1])
    found["daily volatility"] = float(r.std() * np.sqrt(DAY_NS / step_ns))
    return found | of_volume(bars, step_ns)


def of_volume(bars: np.ndarray, step_ns: int) -> dict[str, float]:
    """Over the day, over the week, and with the move."""
    at, v, found = bars["open_ns"], bars["v"] * bars["c"], dict[str, float]()
    if step_ns <= HOUR_NS and len(bars) * step_ns >= DAY_NS:
        of_day = np.array([v[at % DAY_NS // HOUR_NS == k].mean() for k in range(24)])
        found["volume, busiest hour over quietest"] = float(of_day.max() / of_day.min())
        found["volume, busiest hour (UTC)"] = float(of_day.argmax())
    weekend = (at // DAY_NS + 4) % 7 % 6 == 0
    if weekend.any() and not weekend.all():
        found["volume, weekend over week"] = float(v[weekend].mean() / v[~weekend].mean())
    moved, traded = np.abs(np.log(bars["c"] / bars["o"])), np.log(np.maximum(v, 1e-9))
    found["correlation of size and log volume"] = float(np.corrcoef(moved, traded)[0, 1])
    return found


def _returns(bars: np.ndarray, every: int) -> np.ndarray:
    closes = np.log(bars["c"][every - 1 :: every])
    found: np.ndarray = np.diff(closes)
    return found


def of_headlines(
    documents: Sequence[Document], underlyings: Sequence[Underlying], about: str, first_ns: int, last_ns: int
) -> dict[str, float]:
    """Figures of what is said of one underlying between two moments."""
    inside = [one for one in documents if first_ns <= one.published_ns < last_ns]
    found = read_documents(inside, underlyings, CueReader(), reading.Params(min_certainty=0.0), NEWS_LAG_NS, {})
    names = [one.name for one in underlyings]
    rows = found.rows[found.rows["underlying"] == names.index(about)]
    gaps = np.diff(np.sort(rows["published_ns"])) / HOUR_NS
    told = rows["certainty"] >= reading.Params().min_certainty
    a_day = {"headlines a day": len(rows) / ((last_ns - first_ns) / DAY_NS)}
    if len(gaps) < 2:
        return a_day
    return a_day | {
        "of which with a direction (cues)": float(told.mean()),
        "of which retell an earlier one": 1.0 - len(np.unique(rows["cluster"])) / len(rows),
        "median gap, hours": float(np.median(gaps)),
        "spread of the gaps over their mean": float(gaps.std() / gaps.mean()),
        "publishers": float(len(np.unique(rows["publisher"]))),
    }


def of_world(world: World, step_ns: int) -> dict[str, float]:
    """Figures of the first asset of a world."""
    one, other = world.underlyings[0], world.underlyings[1] if len(world.underlyings) > 1 else None
    bars = world.bars[symbol_of(one)]
    ends = int(bars["open_ns"][0]), int(bars["close_ns"][-1])
    found = of_prices(bars, step_ns)
    if other is not None and step_ns <= HOUR_NS:
        found["correlation of two assets, 1 h"] = _together(bars, world.bars[symbol_of(other)], step_ns)
    return found | of_headlines(world.documents, world.underlyings, one.name, *ends)


def _together(a: np.ndarray, b: np.ndarray, step_ns: int) -> float:
    _, i, j = np.intersect1d(a["open_ns"], b["open_ns"], return_indices=True)
    hour = HOUR_NS // step_ns
    return float(np.corrcoef(_returns(a[i], hour), _returns(b[j], hour))[0, 1])


def recorded(home: Path) -> tuple[str, dict[str, float]]:
    """Figures of BTC/USDT as stored, beside ETH/USDT."""
    store, config = Store(home), load(ROOT / "config" / "futures.toml")
    btc, eth = (store.bars(f"{name}/USDT", "binance-perp", STEP) for name in ("BTC", "ETH"))
    said = store.documents(int(btc["open_ns"][0]), int(btc["close_ns"][-1]))
    last = min(int(btc["close_ns"][-1]), max(one.published_ns for one in said))
    found = of_prices(btc, STEP) | {"correlation of two assets, 1 h": _together(btc, eth, STEP)}
    dated = [one for one in said if not one.date_only]
    return "BTC/USDT, recorded", found | of_headlines(
        dated, config.universe.underlyings, "BTC", int(btc["open_ns"][0]), last
    )


def main(arguments: list[str]) -> int:
    """Print the table; 1 where HOME does not hold what is compared with, 2 without a HOME."""
    if not arguments or arguments[0].startswith("-"):
        print("usage: python benchmarks/realism.py HOME [WORLD_FILE ...]", file=sys.stderr)
        return 2
    try:
        columns = dict([recorded(Path(arguments[0]))])
        if len(arguments) == 1:
            columns["the defaults, plain words"] = of_world(generate(SEED, days=180), STEP)
        ours = [str(ROOT / "config" / "worlds" / f"{name}.toml") for name in ("plain", "bitcoin")]
        for name in arguments[1:] or ours:
            file = load_world(Path(name))
            columns[Path(name).name] = of_world(made(file, SEED), file.shape.interval_ns)
    except ConfidenceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    rows = dict.fromkeys(name for one in columns.values() for name in one)
    print("| figure | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    for name in rows:
        print(
            f"| {name} | " + " | ".join(f"{one[name]:.3g}" if name in one else "-" for one in columns.values()) + " |"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
