"""How alike two sets of words are, by how rare each word has lately been.

We believe a shared word is worth what it tells: rarity(w) = ln((N + 2) / (n_w + 1)), the inverse document
frequency (Sparck Jones 1972, "A statistical interpretation of term specificity"), where N and n_w are counts of
earlier items that fade with a half-life: in the week in which everyone writes of one exchange its name stops
telling one story from another. Likeness is the cosine of the two sets, each word weighed by its rarity.
Counts hold only items that were known before, so nothing here looks ahead; a few imagined items stand for the
time before the first. On labelled pairs this sparse vector did as well as tables of static embeddings
(docs/echoes.md), so none is shipped; another embedding would take the place of these two functions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

__all__ = ["Rarity", "alike"]

_LEAST: Final = 0.05
"""So that two items of nothing but common words still have a likeness."""
_MOST: Final = 7.0
"""So that a dense stream of items does not make every word tell more: ln 1100."""
_IMAGINED: Final = 30.0
"""Items that count as seen before the first; each common word stands in a tenth of them."""
_FADED: Final = 2.0**-30
"""A word whose count has faded to this is as good as never seen."""


class Rarity:
    """Fading counts of words over items in the order in which they became known."""

    def __init__(self, half_life_ns: int, common: frozenset[str] = frozenset()) -> None:
        self._half_life = float(half_life_ns)
        self._common = common
        self._items = 0.0
        self._since = 0
        self._seen: dict[str, tuple[float, int]] = {}

    def count(self, words: Iterable[str], now_ns: int) -> None:
        """One more item with these words, known at `now_ns`, which never falls."""
        self._items = self._items * self._kept(self._since, now_ns) + 1.0
        self._since = now_ns
        for word in words:
            self._seen[word] = (self._now(word, now_ns) + 1.0, now_ns)

    def of(self, words: Iterable[str], now_ns: int) -> dict[str, float]:
        """Rarity in nats of each word, in [0.05, 7]."""
        top = self._items * self._kept(self._since, now_ns) + _IMAGINED + 2.0
        found = {}
        for word in words:
            seen = self._now(word, now_ns) + (0.1 * _IMAGINED if word in self._common else 0.0)
            found[word] = min(_MOST, max(_LEAST, math.log(top / (seen + 1.0))))
        return found

    def sweep(self, now_ns: int) -> None:
        """Forget words whose counts have faded away."""
        for word in [word for word in self._seen if self._now(word, now_ns) < _FADED]:
            del self._seen[word]

    def memory(self) -> dict[str, Any]:
        """All counts, as plain values."""
        seen = [[word, *held] for word, held in self._seen.items()]
        return {"items": self._items, "since": self._since, "seen": seen}

    def remember(self, memory: dict[str, Any]) -> None:
        """Go on from counts that `memory` told."""
        self._items, self._since = memory["items"], memory["since"]
        self._seen = {word: (count, at) for word, count, at in memory["seen"]}

    def _now(self, word: str, now_ns: int) -> float:
        held = self._seen.get(word)
        return 0.0 if held is None else held[0] * self._kept(held[1], now_ns)

    def _kept(self, since_ns: int, now_ns: int) -> float:
        return math.exp2((since_ns - now_ns) / self._half_life)


def alike(a: frozenset[str], b: frozenset[str], rarity: Mapping[str, float]) -> float:
    """Cosine in [0, 1] of two sets of words, each word weighed by its rarity."""
    shared = a & b
    if not shared:
        return 0.0
    return min(1.0, _square(shared, rarity) / math.sqrt(_square(a, rarity) * _square(b, rarity)))


def _square(words: Iterable[str], rarity: Mapping[str, float]) -> float:
    return math.fsum(rarity[word] * rarity[word] for word in words)
