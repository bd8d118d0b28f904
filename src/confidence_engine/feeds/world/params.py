"""What a simulated world can be told: its market, its events, its stories, and its size.

Every key has a unit and a range; in the defaults everything that came later is off. Three ways lead to a world in which
no story is worth anything (null worlds): `information` 0 (the words are coins), `closing` 0 (what the price has
not taken at once it never takes), `impact` 0 (a random walk).
"""

from __future__ import annotations

import math
from typing import Annotated, Final, NamedTuple

from confidence_engine.domain.params import Bound
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

__all__ = [
    "LEAST_BARS",
    "MOST_BARS",
    "MOST_STORIES",
    "WORDINGS",
    "Events",
    "Fault",
    "Market",
    "Params",
    "Shape",
    "Stories",
    "faults",
]

WORDINGS: Final = ("plain", "apart")
"""Books of sentences: with the words that a lexicon has, or without one of them."""

LEAST_BARS: Final = 5
"""Bars that a world must have beyond its warm-up: something to enter at, to hold and to leave after."""
MOST_BARS: Final = 20_000_000
MOST_STORIES: Final = 400_000
_WIDEST: Final = 12.0
"""Standard deviations of the log price over the whole world that a float price still bears with its ticks."""


class Shape(NamedTuple):
    """How large a world is and when it begins; `warmup` of its days teach and are not decided."""

    assets: Annotated[int, Bound("count", 1, 128)] = 4
    days: Annotated[int, Bound("count", 2, 2000)] = 45
    interval_ns: Annotated[int, Bound("duration", MINUTE_NS, DAY_NS)] = 5 * MINUTE_NS
    warmup_ns: Annotated[int, Bound("duration", 0, 1999 * DAY_NS)] = 15 * DAY_NS
    start: Annotated[str, Bound("name")] = "2025-01-01"


class Market(NamedTuple):
    """Noise, volume, spread and funding. Volatilities of a day as a fraction; sizes in USD for five minutes."""

    daily_vol: Annotated[float, Bound("fraction", 0.0005, 0.5)] = 0.03
    regimes: Annotated[tuple[float, ...], Bound("ratio", 0.05, 20.0)] = (0.6, 1.0, 2.0)  # factors on daily_vol
    regime_ns: Annotated[int, Bound("duration", 10 * MINUTE_NS, 400 * DAY_NS)] = 30 * HOUR_NS  # mean length
    vol_swing: Annotated[float, Bound("ratio", 0.0, 0.95)] = 0.35  # of volatility over the day
    shock_df: Annotated[float, Bound("ratio", 2.1, 1000.0)] = 4.0  # Student-t degrees of freedom
    common_share: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.5  # of the variance, common to all
    sector_share: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.0  # of the variance, common to a sector
    jumps_a_day: Annotated[float, Bound("ratio", 0.0, 50.0)] = 0.0  # of an asset, without news
    jump_size: Annotated[float, Bound("fraction", 0.0, 0.5)] = 0.01  # standard deviation of a jump
    volume_usd: Annotated[float, Bound("usd", 1.0, 1e12)] = 4e5
    volume_swing: Annotated[float, Bound("ratio", 0.0, 0.95)] = 0.6  # of volume over the day
    weekend: Annotated[float, Bound("ratio", 0.01, 5.0)] = 0.6  # factor on volume, Saturday and Sunday
    half_spread: Annotated[float, Bound("fraction", 0.0, 0.02)] = 1e-4  # median
    depth_usd: Annotated[float, Bound("usd", 1.0, 1e12)] = 2e5  # at the touch, median
    funding: Annotated[float, Bound("fraction", -0.005, 0.005)] = 1e-4  # every eight hours
    funding_trend: Annotated[float, Bound("ratio", 0.0, 1.0)] = 2e-3  # times the last day's return


class Events(NamedTuple):
    """What happens, in rates a day and asset, and what the price makes of it.

    The price takes `at_once` of an impact at once (above 1 it overshoots) and comes to the rest with the half-life.
    """

    events_a_day: Annotated[float, Bound("ratio", 0.0, 50.0)] = 1.2
    rumours_a_day: Annotated[float, Bound("ratio", 0.0, 50.0)] = 0.3  # stories without an event
    hype_a_day: Annotated[float, Bound("ratio", 0.0, 20.0)] = 0.0  # stories without an event that all houses shout
    impact: Annotated[float, Bound("fraction", 0.0, 0.5)] = 0.016  # median jump of the log fundamental
    impact_spread: Annotated[float, Bound("ratio", 0.0, 1.5)] = 0.4  # lognormal
    at_once: Annotated[float, Bound("ratio", 0.0, 3.0)] = 0.25
    closing: Annotated[float, Bound("ratio", 0.0, 1.0)] = 1.0  # share of the gap that ever closes
    half_life_ns: Annotated[int, Bound("duration", MINUTE_NS, 60 * DAY_NS)] = 3 * HOUR_NS


class Stories(NamedTuple):
    """What the houses make of events: shares in [0, 1], items without content a day and asset."""

    information: Annotated[float, Bound("ratio", 0.0, 1.0)] = 1.0  # chance that a story looks at its event at all
    wrong_share: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.1
    corroboration: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.0
    contradiction: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.0  # echoes that say the opposite
    copies: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.0  # echoes in the very words
    echo_factor: Annotated[float, Bound("ratio", 0.0, 5.0)] = 1.0  # on each house's chance to take a story up
    empty_a_day: Annotated[float, Bound("ratio", 0.0, 50.0)] = 1.5
    delay_factor: Annotated[float, Bound("ratio", 0.01, 100.0)] = 1.0  # on each house's delay
    ingest_ns: Annotated[int, Bound("duration", 0, DAY_NS)] = 20 * SECOND_NS  # from print to us
    wording: Annotated[str, Bound("name", choices=WORDINGS)] = "plain"


class Params(NamedTuple):
    """The tree; one section of a world file each."""

    market: Market = Market()
    events: Events = Events()
    stories: Stories = Stories()


class Fault(NamedTuple):
    """Keys that contradict each other as (section, key), those first that say most, and why they cannot be."""

    spots: tuple[tuple[str, str], ...]
    why: str


def faults(shape: Shape, p: Params) -> list[Fault]:
    """What one key cannot know of another; empty where a world can be made."""
    return [*_of_size(shape, p), *_of_prices(shape, p)]


def _of_size(shape: Shape, p: Params) -> list[Fault]:
    """Too few bars, or too many."""
    found = []
    if DAY_NS % shape.interval_ns:
        found.append(Fault(_at("world", "interval"), "must divide a day: a world has whole bars in whole days"))
    if shape.warmup_ns + LEAST_BARS * shape.interval_ns > shape.days * DAY_NS:
        why = f"leaves fewer than {LEAST_BARS} bars to decide of {shape.days} days"
        found.append(Fault(_at("world", "warmup", "days", "interval"), why))
    if shape.assets * shape.days * (DAY_NS / shape.interval_ns) > MOST_BARS:
        found.append(Fault(_at("world", "days", "assets", "interval"), f"more than {MOST_BARS:,} bars in all"))
    rates = {("events", key): float(getattr(p.events, key)) for key in ("events_a_day", "rumours_a_day", "hype_a_day")}
    rates[("stories", "empty_a_day")] = p.stories.empty_a_day
    if shape.assets * shape.days * sum(rates.values()) > MOST_STORIES:
        largest, *others = sorted(rates, key=lambda spot: -rates[spot])
        spots = (largest, *_at("world", "days", "assets"), *others)
        found.append(Fault(spots, f"more than {MOST_STORIES:,} stories in all"))
    return found


def _of_prices(shape: Shape, p: Params) -> list[Fault]:
    """Prices that no number holds."""
    found, wide = [], "so large that prices would leave every range within the world"
    days, length = shape.days, ("world", "days")
    if not p.market.regimes:
        found.append(Fault(_at("market", "regimes"), "wanted at least one factor"))
    elif p.market.daily_vol * max(p.market.regimes) * math.sqrt(days) > _WIDEST:
        found.append(Fault((*_at("market", "daily_vol", "regimes"), length), wide))
    if p.market.common_share + p.market.sector_share > 1.0:
        found.append(Fault(_at("market", "sector_share", "common_share"), "more than common_share leaves"))
    loudest = p.events.impact * math.exp(0.5 * p.events.impact_spread**2) * max(1.0, p.events.at_once)
    if loudest * math.sqrt(max(p.events.events_a_day * days, 1.0)) > _WIDEST:
        spots = _at("events", "impact", "at_once", "impact_spread", "events_a_day")
        found.append(Fault((*spots, length), wide))
    if p.market.jump_size * math.sqrt(max(p.market.jumps_a_day * days, 1.0)) > _WIDEST:
        found.append(Fault((*_at("market", "jump_size", "jumps_a_day"), length), wide))
    return found


def _at(section: str, *keys: str) -> tuple[tuple[str, str], ...]:
    return tuple((section, key) for key in keys)
