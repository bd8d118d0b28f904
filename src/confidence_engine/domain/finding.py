"""What is noticed about a case besides its gap, as bits of `decision.findings`, with the words for people.

The first four say how the horizons of `kernel/horizons` stand to the side; the others are those of `kernel/crowd`.
The words stand here once, so that the command line, the artefacts and the chat say the same.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "ALIGNED_LONG", "ALIGNED_MID", "ALIGNED_SHORT", "BROAD", "FINDINGS", "FINDING_NAMES", "FINDING_WORDS", "HYPE",
    "IGNORED", "NARROW", "OPPOSED", "SPENT", "finding_names",
]  # fmt: skip

ALIGNED_SHORT, ALIGNED_MID, ALIGNED_LONG, OPPOSED, BROAD, NARROW, HYPE, SPENT, IGNORED = range(9)
FINDINGS: Final = 9

FINDING_WORDS: Final = {
    "ALIGNED_SHORT": "the gap of the short horizon points the same way",
    "ALIGNED_MID": "the gap of the middle horizon points the same way",
    "ALIGNED_LONG": "the gap of the long horizon points the same way",
    "OPPOSED": "the gap of a horizon points the other way",
    "BROAD": "independent publishers carry it",
    "NARROW": "one publisher carries nearly all of it, though others report here",
    "HYPE": "it is repeated more than is usual at this hour, and neither price nor volume goes with it",
    "SPENT": "everyone says the same, and the price has moved far already",
    "IGNORED": "everyone says the same, and the price does not move",
}
FINDING_NAMES: Final = tuple(FINDING_WORDS)
assert len(FINDING_NAMES) == FINDINGS


def finding_names(bits: int) -> list[str]:
    """Names of the set bits in the order of the findings."""
    return [name for i, name in enumerate(FINDING_NAMES) if bits >> i & 1]
