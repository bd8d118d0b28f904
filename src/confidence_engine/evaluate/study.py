"""What the price does after a story, before any rule of ours: is there anything to trade at all?

For each story (its first telling with a direction) s and each horizon h the signed move s ln(P(t0 + h) / P(t0)) in
units of the volatility known before, sigma sqrt(h in bars). P(t0) is the first open at or after the story was known:
a price that could be had. Horizons below zero are the moves before it, up to that open: what was anticipated.
The interval of a mean is clustered by stretches as long as the horizon, a UTC day at least. The null band comes from
the same stories moved together by a random number of days around the circle of the period: number, sides, clustering,
hours and the market's drift stay, only the tie between story and move is cut. p is adjusted for all groups and
horizons at once by each draw's largest |z|.
Sources: event windows, MacKinlay, J. Economic Literature 35 (1997), p. 13; the step-down's first step, Westfall and
Young, Resampling-Based Multiple Testing (1993), ch. 2. What cannot be seen (a missing bar, the end) is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from confidence_engine.config import Config
from confidence_engine.domain.errors import DataMissing, UsageError
from confidence_engine.domain.instrument import CLASSES
from confidence_engine.drivers.sources import Sources
from confidence_engine.evaluate.comparable import comparable
from confidence_engine.evaluate.share import cluster_error
from confidence_engine.text.reading import Readings

__all__ = [
    "DRAWS", "LEAST", "STORY", "Cell", "Market", "Study", "default_horizons", "longest", "markets_of", "moves",
    "study", "told_stories",
]  # fmt: skip

DRAWS: Final = 500
LEAST: Final = 20
"""Fewest stories of a group that get a curve; smaller groups are counted and left out."""
_Z95: Final = 1.959963984540054
_DAY_NS: Final = 86_400_000_000_000
_NEAR_NS: Final = 7_200_000_000_000
"""Moved stories keep their hour of the day to within this: volatility has a daily shape."""

STORY: Final = np.dtype([("known_ns", "i8"), ("asset", "i8"), ("sign", "i8"), ("publisher", "i8"), ("klass", "i8")])
"""One story about one asset: when it was known, its direction (+1, -1), who told it first."""


class Market(NamedTuple):
    """Bars of one asset (open_ns, close_ns, o, c ascending), their length in ns, the half-life of volatility in bars,
    and whether missing bars are time (round the clock) or not (sessions)."""

    bars: np.ndarray
    interval_ns: int
    half_life_bars: float
    round_the_clock: bool


class Cell(msgspec.Struct, frozen=True):
    """One group at one horizon: n stories in n_days stretches, mean signed move in sigma, 95 % interval, the null's
    middle 95 %, and p adjusted for every cell of the study; None where there is no figure."""

    horizon: int
    n: int
    n_days: int
    mean: float | None
    ci95: tuple[float, float] | None
    null95: tuple[float, float] | None
    p_adjusted: float | None


class Study(msgspec.Struct, frozen=True):
    """Cells by group name; `small` counts the stories of each group that is too small for a curve."""

    horizons: tuple[int, ...]
    stories: int
    draws: int
    seed: int
    groups: dict[str, tuple[Cell, ...]]
    small: dict[str, int]


def default_horizons(interval_ns: int) -> tuple[int, ...]:
    """Horizons in bars: two before the story, then from one bar to two days, or to twenty sessions of daily bars."""
    if interval_ns >= _DAY_NS:
        return (-5, -1, 1, 2, 3, 5, 10, 20)
    per_hour = max(3_600_000_000_000 // interval_ns, 1)
    after = (1, per_hour // 4, per_hour // 2, per_hour, 2 * per_hour, 6 * per_hour, 12 * per_hour, 24 * per_hour)
    return (-6 * per_hour, -per_hour, *sorted({k for k in after if k >= 1}), 48 * per_hour)


def told_stories(config: Config, sources: Sources, readings: Readings) -> np.ndarray:
    """STORY[n]: the first telling with a direction of every story, for each traded asset it is about."""
    rows = readings.rows[np.abs(readings.rows["polarity"]) >= config.text.direction_band]
    _, first = np.unique(rows[["cluster", "underlying"]], return_index=True)
    rows = rows[np.sort(first)]
    names = [one.name for one in config.universe.underlyings]
    found = []
    for asset, one in enumerate(sources.instruments):
        mine = rows[rows["underlying"] == names.index(one.underlying)]
        stories = np.zeros(len(mine), STORY)
        stories["known_ns"], stories["asset"], stories["publisher"] = mine["known_ns"], asset, mine["publisher"]
        stories["sign"], stories["klass"] = np.sign(mine["polarity"]), CLASSES.index(one.klass)
        found.append(stories)
    return np.concatenate(found)


def markets_of(config: Config, sources: Sources) -> dict[int, Market]:
    """The markets of a run's instruments by asset."""
    step = config.agent.interval_ns
    half_life = max(config.kernel.price.vol_half_life_ns / step, 10.0)
    year = {one.name: one.trading_seconds_per_year for one in config.universe.classes}
    return {
        asset: Market(comparable(sources, one), step, half_life, not one.calendar and year[one.klass] >= 365 * 86_400)
        for asset, one in enumerate(sources.instruments)
    }


def longest(markets: Mapping[int, Market]) -> int:
    """Bars between the first and the last of the market that has the most; round the clock missing ones count too."""
    return max(
        int(one.bars["close_ns"][-1] - one.bars["open_ns"][0]) // one.interval_ns
        if one.round_the_clock
        else len(one.bars)
        for one in markets.values()
    )


def moves(market: Market, horizons: Sequence[int]) -> np.ndarray:
    """f8[n, h]: move from the open of each bar over each horizon (bars), in sigma known before that open; NaN unknown.

    Below zero the move that led up to that open. sigma is the root of the decayed mean square of earlier log returns.
    """
    bars, n = market.bars, len(market.bars)
    opened, closed = bars["open_ns"], bars["close_ns"]
    o, c = np.log(bars["o"]), np.log(bars["c"])
    sigma = _sigma_before(c, market)
    found = np.full((n, len(horizons)), np.nan)
    for k, h in enumerate(horizons):
        if h == 0:
            raise UsageError("a horizon of no bars")
        at = np.arange(n) + (h - 1 if h > 0 else h)
        if market.round_the_clock:
            wanted = opened + h * market.interval_ns
            at = np.searchsorted(closed, wanted, side="right") - 1
            seen = (at >= 0) & (wanted - closed[np.maximum(at, 0)] < market.interval_ns)
            seen &= (at >= np.arange(n)) if h > 0 else (at < np.arange(n))
        else:
            seen = (at >= 0) & (at < n)
        at = np.clip(at, 0, n - 1)
        move = (c[at] - o) if h > 0 else (o - c[at])
        found[:, k] = np.where(seen & (sigma > 0.0), move / (sigma * np.sqrt(abs(h))), np.nan)
    return found


def _sigma_before(log_close: np.ndarray, market: Market) -> np.ndarray:
    """f8[n]: volatility of one bar from the returns that end before each bar; NaN in the first half-life."""
    import polars as pl

    step = np.diff(log_close)
    if market.round_the_clock:
        passed = np.diff(market.bars["close_ns"]) / market.interval_ns
        step = step / np.sqrt(np.maximum(np.round(passed), 1.0))
    mean = pl.Series(step**2).ewm_mean(half_life=market.half_life_bars, adjust=True).to_numpy()
    sigma = np.full(len(log_close), np.nan)
    sigma[2:] = np.sqrt(mean[:-1])
    sigma[: int(market.half_life_bars)] = np.nan
    return sigma


def study(
    stories: np.ndarray, markets: Mapping[int, Market], horizons: Sequence[int], publishers: Sequence[str],
    classes: Sequence[str], draws: int = DRAWS, seed: int = 0,
) -> Study:  # fmt: skip
    """The curves of all stories, per class, per polarity and per source.

    stories STORY[n]; markets by asset; horizons in bars, not zero; publishers and classes name the ids in the
    stories. PCG64(seed) moves the stories. Raises DataMissing where fewer than LEAST stories are about the markets.
    """
    known = np.array([int(a) in markets for a in stories["asset"]], bool)
    stories = np.sort(stories[known], order=["known_ns", "asset"])
    if len(stories) == 0:
        raise DataMissing("no story with a direction falls into the period of the bars")
    if len(stories) < LEAST:
        told = "story" if len(stories) == 1 else "stories"
        raise DataMissing(f"{len(stories)} {told} with a direction in the period; a curve needs at least {LEAST}")
    table = {asset: moves(market, horizons) for asset, market in markets.items()}
    groups, small = _groups(stories, publishers, classes)
    seen = _signed(stories, stories["known_ns"], markets, table)
    step = next(iter(markets.values()))
    blocks = [_block_ns(h, step) for h in horizons]
    chance = _chance(stories, markets, table, groups, draws, np.random.Generator(np.random.PCG64(seed)))
    cells = _cells(seen, stories["known_ns"], blocks, horizons, groups, chance)
    return Study(tuple(horizons), len(stories), draws, seed, cells, small)


def _groups(
    stories: np.ndarray, publishers: Sequence[str], classes: Sequence[str]
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Name -> bool[n] of the groups that are large enough, and the sizes of the others."""
    found = {"all": np.ones(len(stories), bool)}
    for k in np.unique(stories["klass"]).tolist():
        found[f"class {classes[k]}"] = stories["klass"] == k
    found["bullish"], found["bearish"] = stories["sign"] > 0, stories["sign"] < 0
    for k in np.unique(stories["publisher"]).tolist():
        found[f"source {publishers[k] or '(unnamed)'}"] = stories["publisher"] == k
    found = {name: mask for name, mask in found.items() if name == "all" or not mask.all()}
    sizes = {name: int(mask.sum()) for name, mask in found.items()}
    small = {name: size for name, size in sizes.items() if size < LEAST}
    return {name: mask for name, mask in found.items() if name not in small}, small


def _signed(
    stories: np.ndarray, known_ns: np.ndarray, markets: Mapping[int, Market], table: Mapping[int, np.ndarray]
) -> np.ndarray:
    """f8[n, h]: signed moves of the stories as if they had been known at `known_ns`; NaN beyond the bars."""
    width = next(iter(table.values())).shape[1]
    found = np.full((len(stories), width), np.nan)
    for asset, market in markets.items():
        mine = np.flatnonzero(stories["asset"] == asset)
        opened = market.bars["open_ns"]
        first = np.searchsorted(opened, known_ns[mine], side="left")
        inside = first < len(opened)
        if market.round_the_clock:
            late = opened[np.minimum(first, len(opened) - 1)] - known_ns[mine]
            inside &= late <= market.interval_ns
        found[mine[inside]] = stories["sign"][mine[inside], None] * table[asset][first[inside]]
    return found


def _chance(
    stories: np.ndarray, markets: Mapping[int, Market], table: Mapping[int, np.ndarray],
    groups: Mapping[str, np.ndarray], draws: int, rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """f8[draws, groups, h]: means of the same stories, all moved by the same time around the circle of the period."""
    begin, end = int(stories["known_ns"].min()), int(stories["known_ns"].max()) + 1
    days = max((end - begin) // _DAY_NS + 1, 3)
    span = days * _DAY_NS
    masks = np.array(list(groups.values()), np.float64)
    found = np.empty((draws, len(groups), next(iter(table.values())).shape[1]))
    for k in range(draws):
        shift = int(rng.integers(1, days)) * _DAY_NS + int(rng.integers(-_NEAR_NS, _NEAR_NS + 1))
        moved = begin + (stories["known_ns"] - begin + shift) % span
        signed = _signed(stories, moved, markets, table)
        there = np.isfinite(signed)
        count = masks @ there
        total = masks @ np.where(there, signed, 0.0)
        found[k] = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return found


def _block_ns(horizon: int, market: Market) -> int:
    """Length of a stretch whose stories share their moves: the horizon in calendar time, at least a day."""
    span = abs(horizon) * market.interval_ns
    if not market.round_the_clock:  # five sessions are a week
        span = -(-abs(horizon) * 7 // 5) * max(market.interval_ns, 1)
    return max(_DAY_NS, span)


def _cells(
    seen: np.ndarray,
    known_ns: np.ndarray,
    blocks: Sequence[int],
    horizons: Sequence[int],
    groups: Mapping[str, np.ndarray],
    chance: np.ndarray,
) -> dict[str, tuple[Cell, ...]]:
    """Means, intervals, bands and adjusted p of every group and horizon."""
    count = np.array([np.isfinite(seen[mask]).sum(axis=0) for mask in groups.values()])
    total = np.array([np.nansum(seen[mask], axis=0) for mask in groups.values()])
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    z, extreme, low, high = _against(mean, chance)
    found: dict[str, tuple[Cell, ...]] = {}
    for g, (name, mask) in enumerate(groups.items()):
        row: list[Cell] = []
        for k, h in enumerate(horizons):
            value, day = seen[mask, k], known_ns[mask] // blocks[k]
            there = np.isfinite(value)
            n_days = len(np.unique(day[there]))
            if count[g, k] < LEAST or n_days < 2 or not np.isfinite(z[g, k]):
                row.append(Cell(h, int(count[g, k]), n_days, None, None, None, None))
                continue
            half = _Z95 * cluster_error(value[there], day[there])
            p = float((1 + (extreme >= z[g, k]).sum()) / (1 + len(extreme)))
            at = float(mean[g, k])
            band = (float(low[g, k]), float(high[g, k]))
            row.append(Cell(h, int(count[g, k]), n_days, at, (at - half, at + half), band, p))
        found[name] = tuple(row)
    return found


def _against(mean: np.ndarray, chance: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """|z| of the means f8[groups, h], each draw's largest |z| f8[draws], and the band's ends; NaN where no band is.

    There is none where fewer than half of the draws see the cell: a horizon about as long as the bars.
    """
    groups, width = mean.shape
    reached = np.isfinite(chance).sum(axis=0) * 2 >= len(chance)
    drawn = chance[:, reached]
    z, low, high = (np.full((groups, width), np.nan) for _ in range(3))
    if not reached.any():
        return z, np.full(len(chance), np.nan), low, high
    centre, spread = np.nanmean(drawn, axis=0), np.nanstd(drawn, axis=0, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        far = np.abs((drawn - centre) / spread)
        z[reached] = np.abs((mean[reached] - centre) / spread)
    extreme = np.max(far, axis=1, initial=0.0, where=np.isfinite(far))
    low[reached], high[reached] = np.nanquantile(drawn, (0.025, 0.975), axis=0)
    return z, extreme, low, high
