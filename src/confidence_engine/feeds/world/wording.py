"""A headline out of a book of sentences: kind of event, direction, wording, name and number."""

from __future__ import annotations

from confidence_engine.feeds.world import apart, plain

__all__ = ["sentence", "wordings"]

_BOOKS = {
    "plain": (plain.RISING, plain.FALLING, plain.EMPTY),
    "apart": (apart.RISING, apart.FALLING, apart.EMPTY),
}


def sentence(kind: int, direction: int, wording: int, name: str, number: int, book: str = "plain") -> str:
    """Headline for a kind of event told as rising (+1), falling (-1) or empty (0); the wording wraps round."""
    rising, falling, empty = _BOOKS[book]
    family = empty if direction == 0 else (rising if direction > 0 else falling)[plain.KINDS[kind]]
    return family[wording % len(family)].format(name=name, n=number)


def wordings(kind: int, book: str = "plain") -> int:
    """How many ways there are to tell a kind of event."""
    return len(_BOOKS[book][0][plain.KINDS[kind]])
