"""Bars that can be compared backwards: what a holder of one share had, splits and dividends taken out.

Prices before a split of g are divided by g, before a dividend D multiplied by (P - D) / P with P the close before
the ex-date, volumes before a split multiplied by g (CRSP, Data Descriptions Guide: factor to adjust prices). This is
for measuring only: orders are dealt at the prices as they were.
"""

from __future__ import annotations

import numpy as np

from confidence_engine.domain.event import SPLIT
from confidence_engine.domain.instrument import Instrument
from confidence_engine.drivers.sources import Sources

__all__ = ["comparable"]


def comparable(sources: Sources, one: Instrument) -> np.ndarray:
    """BAR_ROW [n] of an instrument on the basis of its last bar; the stored rows where nothing happened to it."""
    rows = sources.bars[one.key]
    if one.key not in sources.corporate:
        return rows
    price, volume = np.ones(len(rows)), np.ones(len(rows))
    for action in sources.corporate[one.key]:
        first = int(np.searchsorted(rows["close_ns"], action["ex_ns"], side="right"))
        if not 0 < first < len(rows):
            continue
        value, last = float(action["value"]), float(rows["c"][first - 1])
        price[:first] *= 1.0 / value if action["what"] == SPLIT else (last - value) / last
        volume[:first] *= value if action["what"] == SPLIT else 1.0
    found = rows.copy()
    for name in "ohlc":
        found[name] = rows[name] * price
    found["v"] = rows["v"] * volume
    return found
