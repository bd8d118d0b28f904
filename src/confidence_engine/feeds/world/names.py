"""Who writes and who is written about: fictional houses and fictional coins, with names that no headline holds.

Four coins are the demonstration's; from there on names are put together from syllables, in a fixed order, each with
a ticker of its own. No name is a word of a reader's lexicon or stands in the headlines a reader was trained on.
"""

from __future__ import annotations

import itertools
from typing import Final, NamedTuple

from confidence_engine.domain.instrument import Underlying

__all__ = ["PUBLISHERS", "WORLD_ASSETS", "Publisher", "assets"]


class Publisher(NamedTuple):
    """Mean delay behind the event in minutes, the chance to pick up a story that another house broke, and the chance
    to be the one that breaks it."""

    name: str
    delay_min: float
    echo: float
    breaks: float


PUBLISHERS: Final = (
    Publisher("Harbour Wire", 3.0, 0.35, 0.55),
    Publisher("The Ninth Ledger", 9.0, 0.55, 0.2),
    Publisher("Quayside Markets", 18.0, 0.65, 0.15),
    Publisher("Tern and Anvil", 35.0, 0.45, 0.1),
)

WORLD_ASSETS: Final = (
    Underlying("VLT", "crypto", "layer1", ("Veltra",), ("VLT",)),
    Underlying("KVX", "crypto", "exchange", ("Korvex",), ("KVX",)),
    Underlying("ODR", "crypto", "defi", ("Ondira",), ("ODR",)),
    Underlying("PGS", "crypto", "payments", ("Pelagos",), ("PGS",)),
)
"""Coins that do not exist, with names that no real headline holds."""

_SECTORS: Final = ("layer1", "exchange", "defi", "payments", "storage", "gaming", "oracle", "privacy")
_HEADS: Final = ("Zelv", "Mordr", "Quarn", "Trebb", "Vosk", "Hulm", "Jarv", "Nyrr", "Brixt", "Fenw", "Skarv", "Oltr",
                 "Wyst", "Dramm", "Kelp", "Ruvv")  # fmt: skip
_TAILS: Final = ("ane", "ith", "ova", "uun", "esk", "ora", "yll", "ost")


def assets(count: int) -> tuple[Underlying, ...]:
    """The first `count` coins, at most 128 made ones beside the four."""
    made = [
        Underlying(ticker, "crypto", _SECTORS[k % len(_SECTORS)], (f"{head}{tail}",), (ticker,))
        for k, (tail, head) in enumerate(itertools.product(_TAILS, _HEADS))
        for ticker in (f"{head[0]}{head[-1]}{tail[:2]}".upper(),)
    ]
    return (*WORLD_ASSETS, *made)[:count]
