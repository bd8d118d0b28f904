"""What a run was worth: its figures with their intervals, and whether luck would have done as well."""

from confidence_engine.evaluate.performance import (
    ENTRY_COLUMNS,
    TRADE,
    Drawdown,
    Estimate,
    Exposure,
    Performance,
    hold_curve,
    measure,
    trades_from_fills,
)
from confidence_engine.evaluate.randomness import RandomEntries, random_entry_percentile

__all__ = [
    "ENTRY_COLUMNS",
    "TRADE",
    "Drawdown",
    "Estimate",
    "Exposure",
    "Performance",
    "RandomEntries",
    "hold_curve",
    "measure",
    "random_entry_percentile",
    "trades_from_fills",
]
