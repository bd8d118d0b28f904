"""An instrument is what can be traded; an underlying is what can be talked about.

BTC spot and the BTC perpetual are two instruments of one underlying: a story about bitcoin
reaches both. From the kernel's orders on, quantities are integer lots and prices integer
ticks of the instrument. The row form (`INSTRUMENT_ROW`) is what the kernel and the simulated
venue see; the struct form is what people configure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
import numpy as np

__all__ = [
    "CLASSES", "INSTRUMENT_ROW", "MAX_TIERS", "TIER_ROW", "Instrument", "Tier", "Underlying", "calendars_of",
    "instrument_rows",
]  # fmt: skip

CLASSES: Final = ("crypto", "equity", "fx", "commodity", "index")
"""Asset classes; the position is the class id, append only."""

MAX_TIERS: Final = 8


class Tier(msgspec.Struct, frozen=True):
    """Maintenance margin of isolated positions up to `cap_usd` of notional."""

    cap_usd: float
    rate: float


class Underlying(msgspec.Struct, frozen=True):
    """What a story can be about: names and tickers are matched at word boundaries; `market` is a whole class."""

    name: str
    klass: str
    sector: str
    names: tuple[str, ...] = ()
    tickers: tuple[str, ...] = ()
    not_after: tuple[str, ...] = ()
    market: bool = False


class Instrument(msgspec.Struct, frozen=True):
    """One tradable contract at one venue. Prices in quote per base, fees and rates as fractions."""

    symbol: str
    venue: str
    underlying: str
    klass: str
    quote: str
    tick: float
    lot: float
    min_notional: float
    taker: float
    maker: float
    half_spread: float
    multiplier: float = 1.0
    max_leverage: float = 1.0
    can_short: bool = False
    liquidation_fee: float = 0.0
    funding_ns: int = 0
    tiers: tuple[Tier, ...] = ()
    aliases: tuple[str, ...] = ()
    calendar: str = ""  # exchange calendar, as XNYS; none trades round the clock

    @property
    def key(self) -> str:
        """Name that is unique over venues: "BTC/USDT@binance-perp"."""
        return f"{self.symbol}@{self.venue}"


INSTRUMENT_ROW: Final = np.dtype(
    (
        np.record,
        [
            ("underlying", "i8"),
            ("klass", "i8"),
            ("tick", "f8"),
            ("lot", "f8"),
            ("min_notional", "f8"),
            ("multiplier", "f8"),
            ("taker", "f8"),
            ("maker", "f8"),
            ("half_spread", "f8"),
            ("max_leverage", "f8"),
            ("can_short", "i8"),
            ("liquidation_fee", "f8"),
            ("funding_ns", "i8"),
            ("bar_ns", "i8"),
            ("n_tiers", "i8"),
            ("calendar", "i8"),  # 0 = round the clock
        ],
    )
)

TIER_ROW: Final = np.dtype((np.record, [("cap_usd", "f8"), ("rate", "f8"), ("deduction", "f8")]))


def calendars_of(instruments: Iterable[Instrument]) -> list[str]:
    """Names of the calendars of these instruments; the position + 1 is the id a SESSION carries."""
    return sorted({one.calendar for one in instruments} - {""})


def instrument_rows(
    instruments: list[Instrument], underlyings: list[str], bar_ns: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows [n] and tiers [n, MAX_TIERS] as the kernel reads them.

    The deduction of a tier makes maintenance continuous at its edge (Binance calls it the
    maintenance amount): deduction_k = deduction_{k-1} + cap_{k-1} (rate_k - rate_{k-1}).
    """
    rows = np.zeros(len(instruments), INSTRUMENT_ROW)
    calendars = ["", *calendars_of(instruments)]
    tiers = np.zeros((len(instruments), MAX_TIERS), TIER_ROW)
    for i, one in enumerate(instruments):
        for name in ("tick", "lot", "min_notional", "multiplier", "taker", "maker", "half_spread", "max_leverage"):
            rows[i][name] = getattr(one, name)
        rows[i].can_short, rows[i].liquidation_fee = one.can_short, one.liquidation_fee
        rows[i].funding_ns, rows[i].bar_ns, rows[i].n_tiers = one.funding_ns, bar_ns, len(one.tiers)
        rows[i].underlying, rows[i].klass = underlyings.index(one.underlying), CLASSES.index(one.klass)
        rows[i].calendar = calendars.index(one.calendar)
        floor, rate, deduction = 0.0, 0.0, 0.0
        for k, tier in enumerate(one.tiers):
            deduction += floor * (tier.rate - rate)
            tiers[i, k].cap_usd, tiers[i, k].rate, tiers[i, k].deduction = tier.cap_usd, tier.rate, deduction
            floor, rate = tier.cap_usd, tier.rate
    return rows, tiers
