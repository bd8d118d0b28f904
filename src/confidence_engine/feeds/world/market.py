"""The market without its news: shocks, bars, volume, spread and funding.

Shocks are Student-t with unit variance, a common part, a sector's part and an own part; the volatility changes regime
and has the shape of the day; jumps come by a Poisson count. A bar's extremes are those of a Brownian bridge from its
open to its close. Volume has the shape of the week, rises with the move and is lognormal round it. The half spread is
wider where volatility is high against volume, and the depth falls with it: s = s0 (sigma / usual)^(1/2) e^noise.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS
from confidence_engine.feeds.world.params import Market

__all__ = [
    "BAR_COLUMNS", "BOOK_COLUMNS", "FUNDING_COLUMNS", "bars_of", "book_of", "busy", "decimals", "funding_of", "jumps",
    "noise", "volatility",
]  # fmt: skip

BAR_COLUMNS: Final = np.dtype(
    [("open_ns", "i8"), ("close_ns", "i8"), ("o", "f8"), ("h", "f8"), ("l", "f8"), ("c", "f8"), ("v", "f8")]
)
FUNDING_COLUMNS: Final = np.dtype([("ts_ns", "i8"), ("rate", "f8")])
BOOK_COLUMNS: Final = np.dtype([("close_ns", "i8"), ("half_spread", "f8"), ("depth_usd", "f8")])
_START: Final = (40.0, 2.5, 700.0, 0.9)


def decimals(asset: int) -> int:
    """Decimals of the price, so that it has about five digits."""
    return 4 - math.floor(math.log10(_START[asset % len(_START)]))


def busy(open_ns: np.ndarray, swing: float) -> np.ndarray:
    """Factor f8[n] of the hour of day, 1 on average."""
    hour = (open_ns % DAY_NS) / DAY_NS
    found: np.ndarray = 1.0 + swing * np.sin(2 * np.pi * (hour - 0.4))
    return found


def volatility(rng: np.random.Generator, open_ns: np.ndarray, interval_ns: int, p: Market) -> np.ndarray:
    """Standard deviation f8[n] of a bar's log return: regimes of exponential length times the hour of day."""
    span = int(open_ns[-1] - open_ns[0]) + interval_ns
    count = 2 * math.ceil(span / p.regime_ns) + 50
    edges = open_ns[0] + np.cumsum(rng.exponential(p.regime_ns, count))
    level = np.array(p.regimes)[rng.integers(0, len(p.regimes), count + 1)]
    regime = level[np.searchsorted(edges, open_ns)]
    scaled: np.ndarray = p.daily_vol * math.sqrt(interval_ns / DAY_NS) * regime * busy(open_ns, p.vol_swing)
    return scaled


def noise(
    rng: np.random.Generator, fresh: np.random.Generator, sectors: np.ndarray, sigma: np.ndarray, p: Market
) -> np.ndarray:
    """Log returns f8[assets, n]: unit Student-t shocks, shares of the variance common to all and to a sector.

    sectors i8[assets]: the number of each asset's sector.
    """
    unit = math.sqrt((p.shock_df - 2.0) / p.shock_df)
    common = rng.standard_t(p.shock_df, len(sigma)) * unit
    own = rng.standard_t(p.shock_df, (len(sectors), len(sigma))) * unit
    rest = max(1.0 - p.common_share - p.sector_share, 0.0)
    mixed: np.ndarray = math.sqrt(p.common_share) * common + math.sqrt(rest) * own
    if p.sector_share > 0.0:
        shared = fresh.standard_t(p.shock_df, (int(sectors.max()) + 1, len(sigma))) * unit
        mixed = mixed + math.sqrt(p.sector_share) * shared[sectors]
    return sigma * mixed


def jumps(rng: np.random.Generator, assets: int, bars: int, interval_ns: int, p: Market) -> np.ndarray | None:
    """Jumps f8[assets, n] of the log price, normal; None where there are none."""
    if p.jumps_a_day <= 0.0 or p.jump_size <= 0.0:
        return None
    count = rng.poisson(p.jumps_a_day * interval_ns / DAY_NS, (assets, bars))
    found: np.ndarray = p.jump_size * np.sqrt(count) * rng.standard_normal((assets, bars))
    return found


def bars_of(
    rng: np.random.Generator, open_ns: np.ndarray, interval_ns: int, path: np.ndarray, sigma: np.ndarray, asset: int,
    p: Market,
) -> np.ndarray:  # fmt: skip
    """BAR_COLUMNS of a log path at the closes. Extremes are those of a Brownian bridge between open and close:
    M = (r + sqrt(r^2 - 2 s^2 ln U)) / 2 (Beghin and Orsingher 1999), its minimum likewise; prices to five digits.
    """
    n = len(path)
    before = np.concatenate([[0.0], path[:-1]])
    move = path - before
    top = 0.5 * (move + np.sqrt(move**2 - 2 * sigma**2 * np.log1p(-rng.random(n))))
    bottom = 0.5 * (move - np.sqrt(move**2 - 2 * sigma**2 * np.log1p(-rng.random(n))))
    start, digits = _START[asset % len(_START)], decimals(asset)
    bars = np.zeros(n, BAR_COLUMNS)
    bars["open_ns"], bars["close_ns"] = open_ns, open_ns + interval_ns
    for name, log_price in (("o", before), ("h", before + top), ("l", before + bottom), ("c", path)):
        bars[name] = np.maximum(np.round(start * np.exp(log_price), digits), 10.0**-digits)
    week = _week(open_ns, p)
    active = 0.4 + 0.6 * np.abs(move) / sigma
    dollars = p.volume_usd * interval_ns / (5 * MINUTE_NS) * week * active * rng.lognormal(0.0, 0.5, n)
    bars["v"] = np.round(dollars / bars["c"], 3)
    return bars


def _week(open_ns: np.ndarray, p: Market) -> np.ndarray:
    """Factor f8[n] on the volume: hour of day and weekend."""
    day = open_ns // DAY_NS
    weekend = np.where((day + 4) % 7 % 6 == 0, p.weekend, 1.0)  # 1970-01-01 was a Thursday: 0 is Sunday, 6 is Saturday
    found: np.ndarray = weekend * busy(open_ns, p.volume_swing)
    return found


def book_of(rng: np.random.Generator, bars: np.ndarray, sigma: np.ndarray, p: Market) -> np.ndarray:
    """BOOK_COLUMNS at the closes: half spread as a fraction, median p.half_spread, and the depth at the touch."""
    n = len(bars)
    strain = np.sqrt(sigma / np.median(sigma)) * rng.lognormal(0.0, 0.3, n) / np.sqrt(_week(bars["open_ns"], p))
    strain /= np.median(strain)
    book = np.zeros(n, BOOK_COLUMNS)
    book["close_ns"], book["half_spread"] = bars["close_ns"], p.half_spread * strain
    book["depth_usd"] = p.depth_usd / strain * rng.lognormal(0.0, 0.3, n)
    return book


def funding_of(
    rng: np.random.Generator, open_ns: np.ndarray, interval_ns: int, path: np.ndarray, p: Market
) -> np.ndarray:
    """FUNDING_COLUMNS every 8 hours: the mean, more where the last day rose, clipped at ten times 1 bp or the mean."""
    step = 8 * HOUR_NS
    first = -(-int(open_ns[0]) // step) * step
    at = np.arange(first, int(open_ns[-1]) + interval_ns, step, dtype=np.int64)
    now = np.maximum(np.searchsorted(open_ns + interval_ns, at, side="right") - 1, 0)
    day = np.maximum(now - DAY_NS // interval_ns, 0)
    most = max(1e-3, 10.0 * abs(p.funding))
    found = np.zeros(len(at), FUNDING_COLUMNS)
    found["ts_ns"] = at
    rate = p.funding + p.funding_trend * (path[now] - path[day]) + rng.normal(0, 3e-5, len(at))
    found["rate"] = np.clip(rate, -most, most)
    return found
