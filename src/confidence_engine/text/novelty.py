"""Which documents tell the same story, decided in the order in which they became known.

We believe that likeness of words is not sameness: "Apple beats" and "Apple misses" differ in one word.
So a document joins a story only where topic, direction, numbers and assets all agree. Amounts agree when
one side has none or they share one; so do the other numbers where there are no amounts. A document
without a direction may join a story that has one, and a story without one takes the direction of the
first document that brings it. A story is compared by its first document and takes no more documents once
its window has passed, so it cannot drift or live for ever. Word weights (how rare a word is) come from
earlier documents alone: nothing here looks ahead.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from confidence_engine.text.lexicon import STOPWORDS
from confidence_engine.text.plain import normalised, plain

__all__ = ["Fingerprint", "Novelty", "Placed", "fingerprint"]

_TOKEN = re.compile(r"\d+/\d+|\$?\d[\d,]*(?:\.\d+)?\s?(?:million|billion|trillion|[kmb]n?\b)?|[^\W\d_]+")
_CLOCK = re.compile(r"\b\d{1,2}:\d\d\b|\b\d+[ -]?(?:hours?|hrs?|minutes?|days?|weeks?|months?|h|d)\b")
_SCALE: Final = {"k": 1e3, "m": 1e6, "mn": 1e6, "million": 1e6, "b": 1e9, "bn": 1e9, "billion": 1e9, "trillion": 1e12}
_ENDINGS: Final = ("ing", "ed", "es", "s", "ly", "e")
_COMMON: Final = 24
"""A word that is already in this many live stories does not propose candidates by itself."""


class Fingerprint(NamedTuple):
    """What two titles are compared by: the words as they stand, stems of content words, amounts
    (money, or from 1,000 on), other numbers.
    """

    title: str
    words: frozenset[str]
    amounts: frozenset[float]
    numbers: frozenset[float]


class Placed(NamedTuple):
    """Where a document belongs: its story, whether it opened it, and its novelty per asset [0, 1]."""

    cluster: int
    opened: bool
    novelty: dict[int, float]


class _Story(NamedTuple):
    cluster: int
    known_ns: int
    face: Fingerprint
    assets: frozenset[int]


def fingerprint(title: str) -> Fingerprint:
    """Fingerprint of a title; years, spans of time and counts below ten do not tell one story from another."""
    words: set[str] = set()
    amounts: set[float] = set()
    numbers: set[float] = set()
    for token in _TOKEN.findall(_CLOCK.sub(" ", plain(title).casefold())):
        if token[0] == "$" or token[0].isdigit():
            value = _value(token)
            if "/" in token:
                words.add(token)
                numbers.add(-value)
            elif token[0] == "$" or (value >= 1000 and not 1990 <= value <= 2040):
                amounts.add(value)
            elif 10 <= value < 1000:
                numbers.add(value)
        elif token not in STOPWORDS and len(token) > 1:
            words.add(_stem(token))
    return Fingerprint(normalised(title), frozenset(words), frozenset(amounts), frozenset(numbers))


def _value(token: str) -> float:
    """Number in a token: "$1.2bn" is 1.2e9, "5/11" (a date) 50011; any script's digits."""
    if "/" in token:
        month, day = token.split("/", 1)
        return float(int(month[:6]) * 10_000 + int(day[:4]))
    digits = "".join(str(int(c)) if c.isdecimal() else c for c in token if c.isdecimal() or c == ".")
    return float(digits[:40] or 0) * _SCALE.get(re.sub(r"[\W\d_]+", "", token), 1.0)


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


class Novelty:
    """Places documents one after another; the caller feeds them in order of (known, published, id)."""

    def __init__(self, window_ns: int, similarity: float, floor: float) -> None:
        self._window, self._similarity, self._floor = window_ns, similarity, floor
        self._seen: dict[str, int] = {}
        self._documents = 0
        self._stories: list[_Story] = []
        self._signs: list[int] = []
        self._by_word: dict[str, list[int]] = {}
        self._by_title: dict[tuple[frozenset[int], str], int] = {}

    def place(self, face: Fingerprint, assets: Iterable[int], sign: int, known_ns: int) -> Placed:
        """Story of one document. `sign` is the direction of its reading: -1, 0 (none) or 1."""
        of = frozenset(assets)
        placed = self._verbatim(face, of, known_ns) or self._near(face, of, sign, known_ns)
        self._by_title[of, face.title] = placed.cluster
        if placed.opened:  # how rare a word is is counted over stories: saying it again makes no word common
            self._documents += 1
            for word in face.words:
                self._seen[word] = self._seen.get(word, 0) + 1
        return placed

    def _verbatim(self, face: Fingerprint, assets: frozenset[int], known_ns: int) -> Placed | None:
        cluster = self._by_title.get((assets, face.title))
        if cluster is None or self._stories[cluster].known_ns < known_ns - self._window:
            return None
        return Placed(cluster, False, dict.fromkeys(assets, 0.0))

    def _near(self, face: Fingerprint, assets: frozenset[int], sign: int, known_ns: int) -> Placed:
        best, likest = -1, 0.0
        nearest = dict.fromkeys(assets, 0.0)
        for cluster in self._candidates(face, known_ns):
            story = self._stories[cluster]
            shared_assets = story.assets & assets
            if not shared_assets or sign * self._signs[cluster] < 0:
                continue
            alike = self._alike(face.words, story.face.words)
            for asset in shared_assets:
                nearest[asset] = max(nearest[asset], alike)
            if story.assets == assets and alike > likest and _agree(face, story.face):
                best, likest = cluster, alike
        if likest >= self._similarity:
            self._signs[best] = self._signs[best] or sign
            return Placed(best, False, dict.fromkeys(assets, max(0.0, 1.0 - likest)))
        return self._open(face, assets, sign, known_ns, nearest)

    def _open(
        self, face: Fingerprint, assets: frozenset[int], sign: int, known_ns: int, nearest: dict[int, float]
    ) -> Placed:
        cluster = len(self._stories)
        self._stories.append(_Story(cluster, known_ns, face, assets))
        self._signs.append(sign)
        for word in face.words:
            self._by_word.setdefault(word, []).append(cluster)
        return Placed(cluster, True, {asset: max(self._floor, 1.0 - alike) for asset, alike in nearest.items()})

    def _candidates(self, face: Fingerprint, known_ns: int) -> list[int]:
        """Live stories that share a word, oldest first; common words propose only where no rarer one does."""
        since = known_ns - self._window
        lists: list[list[int]] = []
        for word in face.words:
            live = self._by_word.get(word)
            if live:
                if self._stories[live[0]].known_ns < since:
                    live = [cluster for cluster in live if self._stories[cluster].known_ns >= since]
                    self._by_word[word] = live
                lists.append(live)
        rare = [live for live in lists if len(live) <= _COMMON]
        return sorted({cluster for live in rare or lists for cluster in live})

    def _alike(self, a: frozenset[str], b: frozenset[str]) -> float:
        """Cosine of two sets of words, each weighted by how rare it has been; in [0, 1]."""
        shared = a & b
        if not shared:
            return 0.0
        return min(1.0, self._weight(shared) / math.sqrt(self._weight(a) * self._weight(b)))

    def _weight(self, words: frozenset[str]) -> float:
        top = self._documents + 2
        return math.fsum(math.log(top / (self._seen.get(word, 0) + 1)) for word in words)


def _agree(a: Fingerprint, b: Fingerprint) -> bool:
    """No contradiction of numbers between two titles."""
    if a.amounts and b.amounts:
        return bool(a.amounts & b.amounts)
    return not a.numbers or not b.numbers or bool(a.numbers & b.numbers)
