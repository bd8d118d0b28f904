"""Words for a packed regime, shared by the kernel, which packs it, and by whoever tells people of it.

Bits, lowest first: confirmed volatility (3), confirmed trend (2), then both of each timeframe, shortest first.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["FRAMES", "TREND_WORDS", "VOLATILITY_WORDS", "words"]

FRAMES: Final = 3
VOLATILITY_WORDS: Final = ("unknown", "low", "medium", "high", "extreme")
TREND_WORDS: Final = ("unknown", "down", "sideways", "up")


def words(bits: int) -> dict[str, Any]:
    """A packed regime for people: confirmed volatility and trend, and both of every timeframe, shortest first."""
    frames = [bits >> (5 + 5 * f) & 31 for f in range(FRAMES)]
    return {
        "volatility": VOLATILITY_WORDS[bits & 7],
        "trend": TREND_WORDS[bits >> 3 & 3],
        "frames": [{"volatility": VOLATILITY_WORDS[b & 7], "trend": TREND_WORDS[b >> 3]} for b in frames],
    }
