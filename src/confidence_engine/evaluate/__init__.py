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
from confidence_engine.evaluate.share import Share, share_by_day

__all__ = [
    "ENTRY_COLUMNS",
    "TRADE",
    "Drawdown",
    "Estimate",
    "Exposure",
    "Performance",
    "RandomEntries",
    "Share",
    "hold_curve",
    "measure",
    "random_entry_percentile",
    "share_by_day",
    "trades_from_fills",
]
