"""What can be talked about and what can be traded, read from universe.toml.

    [class.crypto]          annual_volatility = 0.8        the priors an estimator shrinks to
    [underlying.BTC]        names = ["bitcoin"]            what a story can be about
    [venue.binance-perp]    taker = "5bps"                 what all instruments of a venue share
    [[instrument]]          symbol = "BTC/USDT"            one contract; its own keys win over the venue's

A symbol that trades at two venues is ambiguous until the venue is named: "BTC/USDT@binance-perp".
"""

from __future__ import annotations

import difflib
import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec

from confidence_engine.config.source import Leaf, Spot, flatten
from confidence_engine.config.values import build, declared_spots, refuse_unknown
from confidence_engine.domain.errors import ConfigError, UsageError
from confidence_engine.domain.instrument import CLASSES, MAX_TIERS, Instrument, Tier, Underlying
from confidence_engine.domain.params import Bound
from confidence_engine.domain.units import DAY_NS, parse_fraction

__all__ = ["AssetClass", "Universe", "read_universe"]

Name = Annotated[str, Bound("name")]
Names = Annotated[tuple[str, ...], Bound("name")]
Rate = Annotated[float, Bound("fraction", -0.01, 0.1)]


class AssetClass(msgspec.Struct, frozen=True):
    """Priors of a class: volatility a year, spread of story readings, seconds a year it trades."""

    name: str
    annual_volatility: float
    story_spread: float
    trading_seconds_per_year: float


class Universe(msgspec.Struct, frozen=True):
    """All underlyings, instruments and classes of one file; ids are positions elsewhere, names here."""

    underlyings: tuple[Underlying, ...]
    instruments: tuple[Instrument, ...]
    classes: tuple[AssetClass, ...]

    def find(self, symbol: str, venue: str | None = None) -> Instrument:
        """The instrument meant by "BTC/USDT", an alias, or "BTC/USDT@binance-perp".

        Raises UsageError when nothing or more than one instrument fits.
        """
        name, _, named = symbol.partition("@")
        place = named or venue
        fits = [one for one in self.instruments if name in (one.symbol, *one.aliases) and place in (None, one.venue)]
        if len(fits) == 1:
            return fits[0]
        if fits:
            raise UsageError(f"{symbol!r} is ambiguous: say {' or '.join(one.key for one in fits)}")
        known = [one.key if place is None else one.symbol for one in self.instruments if place in (None, one.venue)]
        if not known:
            raise UsageError(f"unknown venue {place!r}; known: {', '.join(self.venues())}")
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        where = f" at {place}" if place else ""
        raise UsageError(
            f"unknown symbol {name!r}{where}; " + (f"nearest: {', '.join(near)}" if near else f"{len(known)} are known")
        )

    def venues(self) -> tuple[str, ...]:
        """Venue names in the order of the file."""
        return tuple(dict.fromkeys(one.venue for one in self.instruments))

    def underlying(self, name: str) -> Underlying:
        """The underlying of that name. Raises UsageError where there is none."""
        for one in self.underlyings:
            if one.name == name:
                return one
        raise UsageError(f"unknown underlying {name!r}")

    def asset_class(self, name: str) -> AssetClass:
        """The class of that name. Raises UsageError where there is none."""
        for one in self.classes:
            if one.name == name:
                return one
        raise UsageError(f"unknown asset class {name!r}")


class _Class(NamedTuple):
    annual_volatility: Annotated[float, Bound("ratio", 0.001, 20.0)]
    story_spread: Annotated[float, Bound("ratio", 0.001, 10.0)]
    trading_seconds_per_year: Annotated[float, Bound("ratio", 3600.0, 366 * 86400.0)]


class _Underlying(NamedTuple):
    klass: Annotated[str, Bound("name", choices=CLASSES)]
    sector: Name
    names: Names = ()
    tickers: Names = ()
    not_after: Names = ()
    market: Annotated[bool, Bound("flag")] = False


class _Instrument(NamedTuple):
    symbol: Name
    venue: Name
    underlying: Name
    tick: Annotated[float, Bound("ratio", 1e-12, 1e6)]
    lot: Annotated[float, Bound("ratio", 1e-12, 1e9)]
    min_notional: Annotated[float, Bound("usd", 0.0, 1e6)]
    taker: Rate
    maker: Rate
    half_spread: Annotated[float, Bound("fraction", 0.0, 0.1)]
    multiplier: Annotated[float, Bound("ratio", 1e-9, 1e9)] = 1.0
    max_leverage: Annotated[float, Bound("ratio", 1.0, 125.0)] = 1.0
    can_short: Annotated[bool, Bound("flag")] = False
    liquidation_fee: Annotated[float, Bound("fraction", 0.0, 0.1)] = 0.0
    funding_ns: Annotated[int, Bound("duration", 0, 7 * DAY_NS)] = 0
    aliases: Names = ()
    calendar: Name = ""


def read_universe(path: Path) -> Universe:
    """Read and check universe.toml. Raises ConfigError with file and line."""
    leaves = flatten(path)
    refuse_unknown(leaves, _known(leaves))
    classes = tuple(AssetClass(str(n), *build(_Class, leaves, ("class", n))) for n in _under(leaves, "class"))
    underlyings = tuple(_underlying(leaves, n, classes) for n in _under(leaves, "underlying"))
    _one_market_a_class(leaves, underlyings)
    instruments = tuple(_instrument(leaves, i, underlyings) for i in _under(leaves, "instrument"))
    seen: dict[str, int] = {}
    for i, one in enumerate(instruments):
        if one.key in seen:
            raise ConfigError(f"{leaves['instrument', i, 'symbol'].at}: {one.key} stands twice")
        seen[one.key] = i
    if not instruments:
        raise ConfigError(f"{path}: no [[instrument]] is declared")
    return Universe(underlyings, instruments, classes)


def _under(leaves: Mapping[Spot, Leaf], table: str) -> list[str | int]:
    return list(dict.fromkeys(spot[1] for spot in leaves if spot[0] == table and len(spot) > 1))


def _known(leaves: Mapping[Spot, Leaf]) -> set[Spot]:
    shared: set[Spot] = declared_spots(_Instrument, ()) | {("tiers",)}
    known = {("instrument", i, *spot) for i in _under(leaves, "instrument") for spot in shared}
    known |= {("venue", n, *spot) for n in _under(leaves, "venue") for spot in shared if spot[0] not in _OWN}
    for table, declared in (("class", _Class), ("underlying", _Underlying)):
        for name in _under(leaves, table):
            known |= declared_spots(declared, (table, name))
    return known


_OWN = ("symbol", "venue", "underlying", "aliases", "tiers")
"""What a venue's instruments cannot share."""


def _underlying(leaves: Mapping[Spot, Leaf], name: str | int, classes: tuple[AssetClass, ...]) -> Underlying:
    prefix: Spot = ("underlying", name)
    one = build(_Underlying, leaves, prefix)
    if one.klass not in [c.name for c in classes]:
        raise ConfigError(f"{leaves[*prefix, 'class'].at}: there is no [class.{one.klass}] in this file")
    return Underlying(str(name), **one._asdict())


def _one_market_a_class(leaves: Mapping[Spot, Leaf], underlyings: tuple[Underlying, ...]) -> None:
    """Raises ConfigError where a class has two markets."""
    seen: dict[str, str] = {}
    for one in underlyings:
        if one.market and (other := seen.setdefault(one.klass, one.name)) != one.name:
            at = leaves["underlying", one.name, "market"].at
            raise ConfigError(f"{at}: {other} is the market of class {one.klass} already")


def _instrument(leaves: Mapping[Spot, Leaf], index: str | int, underlyings: tuple[Underlying, ...]) -> Instrument:
    prefix: Spot = ("instrument", index)
    place = leaves.get((*prefix, "venue"))
    one = build(_Instrument, leaves, prefix, ("venue", place.value if place else ""))
    about = next((u for u in underlyings if u.name == one.underlying), None)
    if about is None:
        raise ConfigError(f"{leaves[*prefix, 'underlying'].at}: there is no [underlying.{one.underlying}] in this file")
    _, slash, quote = one.symbol.partition("/")
    if not slash or not quote:
        raise ConfigError(f'{leaves[*prefix, "symbol"].at}: {one.symbol!r} is not BASE/QUOTE, as in "BTC/USDT"')
    tiers = _tiers(leaves.get((*prefix, "tiers")))
    if one.max_leverage > 1.0 and not tiers:
        raise ConfigError(f"{leaves[*prefix, 'symbol'].at}: {one.symbol} has leverage but no maintenance tiers")
    return Instrument(klass=about.klass, quote=quote, tiers=tiers, **one._asdict())


def _tiers(leaf: Leaf | None) -> tuple[Tier, ...]:
    """Pairs [upper notional in USD, maintenance rate], both rising. Raises ConfigError."""
    if leaf is None:
        return ()
    try:
        tiers = tuple(Tier(float(cap), parse_fraction(rate)) for cap, rate in leaf.value)
    except (TypeError, ValueError, UsageError) as error:
        raise ConfigError(
            f'{leaf.at}: tiers wants pairs [cap in USD, rate], as in [[50_000, "0.4%"]] ({error})'
        ) from error
    rising = all(a.cap_usd < b.cap_usd and a.rate < b.rate for a, b in itertools.pairwise(tiers))
    sane = all(t.cap_usd > 0 and math.isfinite(t.cap_usd) and 0 < t.rate < 1 for t in tiers)
    if not tiers or len(tiers) > MAX_TIERS or not rising or not sane:
        raise ConfigError(f"{leaf.at}: tiers wants 1 to {MAX_TIERS} pairs, caps and rates above zero and rising")
    return tiers
