"""Is it better than luck? The same trades at random times, on the same bars, at the same cost.

A result is compared with what its own turnover would have earned had the entries been drawn by lot: per symbol the
same number of trades, sides, holding times (in bars), notionals, fees, funding and slippage, laid without overlap and
uniformly over the hours in which the agent could have traded, or over the whole period. The first asks whether it
chose well among the hours in which there was anything to go by; the second also counts which hours those were.
Hours are laid end to end before drawing, so that an entry falls into a live hour while its holding may leave it.
percentile = share of draws below the actual net, ties by half; p = (1 + draws at or
above) / (1 + draws), Davison and Hinkley, Bootstrap Methods (1997), ch. 4.
Not kept: stops and targets inside the holding (a random trade is held for the time the real one was), the joint
timing across symbols, the clustering of entries, and the funding of the other hours (each keeps its own).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np

from confidence_engine.domain.errors import DataMissing, DataRefused
from confidence_engine.domain.units import HOUR_NS

__all__ = ["DRAWS", "RandomEntries", "random_entry_percentile"]

DRAWS: Final = 500
_CELLS: Final = 2_000_000
"""Most trades times draws in memory at once."""
_WRONG_FIT: Final = "the holdings do not fit into the hours that entries may be drawn from"


class RandomEntries(msgspec.Struct, frozen=True):
    """Where the actual net profit stands among random entries: percentile 0..100, one-sided p, USD.

    None where there is no figure, and `reason` says why.
    """

    percentile: float | None
    p_value: float | None
    actual_usd: float
    mean_usd: float | None
    sd_usd: float | None
    trades: int
    draws: int
    seed: int
    reason: str | None = None


def random_entry_percentile(
    trades: np.ndarray,
    bars: Mapping[int, np.ndarray],
    start_ns: int,
    end_ns: int,
    slippage: Mapping[int, float],
    draws: int = DRAWS,
    seed: int = 0,
    live: Mapping[int, np.ndarray] | None = None,
) -> RandomEntries:
    """Percentile of the net profit of trades (TRADE[k]) among `draws` random timings from PCG64(seed).

    bars: asset -> array with open_ns, close_ns, o; slippage: asset -> fraction of price that a fill loses to the
    open on each side (half spread and latency), which the actual prices already hold; live: asset -> UTC hours
    (i8, hours since 1970) that entries are drawn from, all of the period without it. No figure but a reason where
    the holdings do not fit. Raises DataMissing for a traded asset without bars in the period.
    """
    actual = float(trades["pnl_usd"].sum())
    if len(trades) == 0:
        return RandomEntries(None, None, actual, None, None, 0, draws, seed, "no trades")
    rng = np.random.Generator(np.random.PCG64(seed))
    total = np.zeros(draws)
    for asset in np.unique(trades["asset"]).tolist():
        if asset not in bars:
            raise DataMissing(f"asset {asset} was traded, but there are no bars to draw random entries from")
        rows = bars[asset]
        rows = rows[(rows["open_ns"] >= start_ns) & (rows["open_ns"] <= end_ns)]
        if len(rows) == 0:
            raise DataMissing("a traded asset has no bars in the period to draw random entries from")
        some = None if live is None else _live_bars(rows, live.get(asset, np.zeros(0, np.int64)))
        mine = trades[trades["asset"] == asset]
        net = _draw(mine, rows, _holdings(mine, bars[asset]), some, slippage[asset], draws, rng)
        if net is None:
            return RandomEntries(None, None, actual, None, None, len(trades), draws, seed, _WRONG_FIT)
        total += net
    below = int((total < actual).sum()) + 0.5 * int((total == actual).sum())
    reached = int((total >= actual).sum())
    return RandomEntries(
        percentile=100.0 * below / draws,
        p_value=(1 + reached) / (1 + draws),
        actual_usd=actual,
        mean_usd=float(total.mean()),
        sd_usd=float(total.std(ddof=1)) if draws > 1 else None,
        trades=len(trades),
        draws=draws,
        seed=seed,
    )


def _live_bars(bars: np.ndarray, hours: np.ndarray) -> np.ndarray:
    """Indices of the bars that open in one of the hours."""
    return np.flatnonzero(np.isin(bars["open_ns"] // HOUR_NS, hours))


def _draw(
    trades: np.ndarray, bars: np.ndarray, held: np.ndarray, live: np.ndarray | None, slippage: float, draws: int,
    rng: np.random.Generator,
) -> np.ndarray | None:  # fmt: skip
    """Net USD f8[draws] of one asset's trades at random times; entry and exit at opens; None if they do not fit.

    held: bars each trade was held; live: indices of the bars to enter at. Two entries that are k of them apart are at
    least k bars apart, so what does not overlap among them does not overlap among all, and no exit lies beyond the
    last of them.
    """
    opens = bars["o"].astype(np.float64)
    if not np.all(opens > 0.0):
        raise DataRefused("bars with an open that is missing or not above zero")
    at = np.arange(len(bars)) if live is None else live
    free = len(at) - 1 - int(held.sum())
    if free < 0:
        return None
    kept = float((trades["funding_usd"] - trades["fees_usd"]).sum())
    net = np.full(draws, kept)
    step = max(1, _CELLS // len(trades))
    for begin in range(0, draws, step):
        rows = min(step, draws - begin)
        order, place = _place(held, free, rows, rng)
        first = at[place]
        side, notional = trades["side"][order], trades["notional_usd"][order]
        paid_in = opens[first] * (1.0 + side * slippage)
        paid_out = opens[first + held[order]] * (1.0 - side * slippage)
        net[begin : begin + rows] += (side * notional * (paid_out / paid_in - 1.0)).sum(axis=1)
    return net


def _holdings(trades: np.ndarray, bars: np.ndarray) -> np.ndarray:
    """Bars i8[k] of its market that each trade was held, at least one: nights and weekends are none."""
    first, last = (np.searchsorted(bars["open_ns"], trades[name], side="right") for name in ("entry_ns", "exit_ns"))
    whole: np.ndarray = (last - first).astype(np.int64)
    whole[whole < 1] = 1
    return whole


def _place(held: np.ndarray, free: int, rows: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(order, first bar), both i8[rows, k]: trades in random order, `free` bars shared out between them at random."""
    order = np.argsort(rng.random((rows, len(held))), axis=1)
    gaps = np.sort(rng.integers(0, free + 1, (rows, len(held))), axis=1)
    spans = held[order]
    return order, gaps + np.cumsum(spans, axis=1) - spans
