"""A simulated world whose truth is known, out of a seed. SYNTHETIC, all of it.

Prices are exp(noise + absorbed news) (market, events); four houses print what happened, and what did not (stories).
`information` changes the words only: the bars of one seed are the same at every value. Each thing that chance decides
has a stream of its own, so that a knob that is off leaves every byte of the rest as it was.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from confidence_engine.domain.document import Document
from confidence_engine.domain.errors import UsageError
from confidence_engine.domain.instrument import Underlying
from confidence_engine.domain.units import DAY_NS, MINUTE_NS, SECOND_NS
from confidence_engine.feeds.world import events as happening
from confidence_engine.feeds.world import market, stories
from confidence_engine.feeds.world.names import WORLD_ASSETS
from confidence_engine.feeds.world.params import Params

__all__ = ["World", "generate", "symbol_of"]


class World(NamedTuple):
    """Bars, funding and tick size by symbol, documents as they become known, and the truth nobody in it knows.

    `book` is half spread and depth by symbol and bar (BOOK_COLUMNS): the config of a world takes its median spread,
    the simulated venue fills against the bars' volumes. `sigma` f8[n] is the true volatility of each bar.
    """

    underlyings: tuple[Underlying, ...]
    ticks: dict[str, float]
    bars: dict[str, np.ndarray]
    funding: dict[str, np.ndarray]
    documents: list[Document]
    truth: np.ndarray
    tellings: np.ndarray
    book: dict[str, np.ndarray]
    sigma: np.ndarray
    params: Params


def symbol_of(underlying: Underlying) -> str:
    """Symbol that an underlying trades under in the world."""
    return f"{underlying.name}/USDT"


def generate(
    seed: int,
    assets: tuple[Underlying, ...] = WORLD_ASSETS,
    start_ns: int = 0,
    days: int = 45,
    interval_ns: int = 5 * MINUTE_NS,
    information: float | None = None,
    params: Params = Params(),  # noqa: B008 (a NamedTuple is immutable)
) -> World:
    """The world of a seed: bars of interval_ns over whole days from start_ns; `information` overrides the params'.

    Raises UsageError where a share is outside [0, 1], an asset has no name in words, the interval does not divide a
    day, or the params lead to prices that no float holds.
    """
    p = params if information is None else params._replace(stories=params.stories._replace(information=information))
    _refuse(p, assets, days, interval_ns)
    streams = [np.random.Generator(np.random.PCG64(s)) for s in np.random.SeedSequence(seed).spawn(9)]
    trade, happen, telling, chatter, doubting, jumping, quoting, shouting, disputing = streams
    truth = happening.occur(happen, shouting, len(assets), start_ns, days, p.events)
    truth["clarity"] = stories.clarities(doubting, truth, p.stories)
    open_ns = start_ns + interval_ns * np.arange(days * (DAY_NS // interval_ns), dtype=np.int64)
    sigma = market.volatility(trade, open_ns, interval_ns, p.market)
    names = sorted({one.sector for one in assets})
    sectors = np.array([names.index(one.sector) for one in assets])
    moves = market.noise(trade, jumping, sectors, sigma, p.market)
    leaps = market.jumps(jumping, len(assets), len(open_ns), interval_ns, p.market)
    moves = moves if leaps is None else moves + leaps
    bars, funding, book = {}, {}, {}
    for k, one in enumerate(assets):
        mine = truth[truth["asset"] == k]
        path = np.cumsum(moves[k]) + happening.absorbed(mine, open_ns + interval_ns, p.events)
        bars[symbol_of(one)] = _sound(market.bars_of(trade, open_ns, interval_ns, path, sigma, k, p.market))
        funding[symbol_of(one)] = market.funding_of(trade, open_ns, interval_ns, path, p.market)
        book[symbol_of(one)] = market.book_of(quoting, bars[symbol_of(one)], sigma, p.market)
    truth["told"] = stories.told(telling, truth, p.stories.information, p.stories)
    chance = stories.Chance(telling, chatter, doubting, disputing)
    documents, tellings = stories.printed(chance, truth, assets, start_ns, days, p.stories)
    ticks = {symbol_of(one): float(f"1e-{market.decimals(k)}") for k, one in enumerate(assets)}
    return World(assets, ticks, bars, funding, documents, truth, tellings, book, sigma, p)


def _refuse(p: Params, assets: tuple[Underlying, ...], days: int, interval_ns: int) -> None:
    """Raises UsageError for what no world can be made of."""
    for name in ("information", "corroboration", "wrong_share", "contradiction", "copies"):
        if not 0.0 <= getattr(p.stories, name) <= 1.0:
            raise UsageError(f"{name} is a share in [0, 1], not {getattr(p.stories, name)}")
    if days < 1 or interval_ns < SECOND_NS or DAY_NS % interval_ns:
        raise UsageError(f"{days} days in bars of {interval_ns} ns: a world has whole days and whole bars in them")
    if not assets or any(not one.names for one in assets):
        raise UsageError("a world needs assets, each with a name to write about")


def _sound(bars: np.ndarray) -> np.ndarray:
    """The bars, if every number in them is one. Raises UsageError."""
    if not all(np.isfinite(bars[name]).all() for name in "ohlcv"):
        raise UsageError("the params lead to prices that no number holds: less daily_vol, impact or jump_size")
    return bars
