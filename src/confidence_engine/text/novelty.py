"""Which documents tell the same story, decided in the order in which they became known.

We believe a story told again is no new evidence. A document joins the story of the last days that it most
probably echoes (`echo`), if that is probable enough and both are about a common asset; else it opens one.
Word for word the same text is the same story whatever else, and still the voice of the house that had it first:
a copy is not an independent publisher. A story without a direction takes the direction of the first document that
brings one. A story is compared by its first document and takes no more documents once its window has passed, so
it cannot drift or live for ever; then it is forgotten, so that a year takes no more memory than a week.
Novelty = 1 - similarity to what was known in the window, where similarity is the larger of the likeness of words and
the probability of an echo; an opposite direction is not similar.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from confidence_engine.domain.document import UNKNOWN_PUBLISHER
from confidence_engine.text.echo import compare, opposed, probability
from confidence_engine.text.facts import MARKET, Facts
from confidence_engine.text.similarity import Rarity

__all__ = ["Novelty", "Placed"]

_COMMON: Final = 40
"""A word that is already in this many live stories does not propose candidates by itself."""
_COMPARED: Final = 12
"""Candidates that are looked at closely: those that share most with the document."""
_COPIED: Final = 80
"""Characters of two texts, words only, that must be the same for one to be a copy of the other."""


class Placed(NamedTuple):
    """Where a document belongs: its story, whether it opened it, whose words they are, novelty per asset [0, 1]."""

    cluster: int
    opened: bool
    house: str
    novelty: dict[int, float]


class _Story:
    """One live story; `sign` is the direction it was first told in."""

    __slots__ = ("assets", "face", "house", "known_ns", "sign")

    def __init__(self, known_ns: int, face: Facts, house: str, assets: set[int], sign: int) -> None:
        self.known_ns, self.face, self.house, self.assets, self.sign = known_ns, face, house, assets, sign


class Novelty:
    """Places documents one after another; the caller feeds them in order of (known, published, id).

    `echo_from` is the probability from which a document joins; at 1 every document is its own story.
    """

    def __init__(self, window_ns: int, echo_from: float, floor: float, half_life_ns: int) -> None:
        self._window, self._echo_from, self._floor = window_ns, echo_from, floor
        self._rarity = Rarity(half_life_ns, MARKET)
        self._stories: dict[int, _Story] = {}
        self._opened = 0
        self._swept_ns = 0
        self._by_word: dict[str, list[int]] = {}
        self._titles: dict[str, tuple[int, str]] = {}
        self._ledes: dict[str, tuple[int, str]] = {}

    def place(self, face: Facts, assets: Iterable[int], sign: int, known_ns: int, house: str = "") -> Placed:
        """Story of one document by `house`. `sign` is the direction of its reading: -1, 0 (none) or 1."""
        of = frozenset(assets)
        if known_ns - self._swept_ns > self._window // 4:
            self._sweep(known_ns)
        copied = self._copied(face, of, known_ns)
        placed = copied or self._told(face, of, sign, known_ns, house or UNKNOWN_PUBLISHER)
        for told, text in ((self._titles, face.title), (self._ledes, face.lede)):
            if text and self._live(told.get(text[:_COPIED]), known_ns) is None:
                told[text[:_COPIED]] = placed.cluster, placed.house
        if copied is None:  # saying it again in the same words makes no word common
            self._rarity.count(face.words, known_ns)
        return placed

    def _copied(self, face: Facts, assets: frozenset[int], known_ns: int) -> Placed | None:
        """The story of a text that is a known title, or a known opening of a text, word for word."""
        if self._echo_from >= 1.0:
            return None
        title, lede = face.title[:_COPIED], face.lede[:_COPIED]
        for told in (self._titles.get(title), self._ledes.get(title), self._titles.get(lede)):
            found = self._live(told, known_ns)
            if found is not None and assets & self._stories[found[0]].assets:
                return self._join(found[0], found[1], assets, 1.0)
        return None

    def _live(self, told: tuple[int, str] | None, known_ns: int) -> tuple[int, str] | None:
        story = self._stories.get(told[0]) if told else None
        return told if story and story.known_ns >= known_ns - self._window else None

    def _sweep(self, known_ns: int) -> None:
        """Forget what no later document can be compared with; nothing that is placed later depends on when."""
        since, self._swept_ns = known_ns - self._window, known_ns
        gone = [cluster for cluster, story in self._stories.items() if story.known_ns < since]
        words = {word for cluster in gone for word in self._stories.pop(cluster).face.words}
        for word in words:
            left = [cluster for cluster in self._by_word[word] if cluster in self._stories]
            if left:
                self._by_word[word] = left
            else:
                del self._by_word[word]
        for told in (self._titles, self._ledes):
            for text in [text for text, (cluster, _) in told.items() if cluster not in self._stories]:
                del told[text]
        self._rarity.sweep(known_ns)

    def _told(self, face: Facts, assets: frozenset[int], sign: int, known_ns: int, house: str) -> Placed:
        """The story that the document most probably echoes, or a new one."""
        best, surest = -1, 0.0
        nearest = dict.fromkeys(assets, 0.0)
        candidates, rarity = self._candidates(face, assets, known_ns)
        for cluster in candidates:
            story = self._stories[cluster]
            if opposed(story.face, face, story.sign, sign):
                continue
            one_house = house == story.house != UNKNOWN_PUBLISHER
            pair = compare(story.face, face, rarity, known_ns - story.known_ns, one_house)
            sure = probability(pair)
            for asset in story.assets & assets:
                nearest[asset] = max(nearest[asset], pair.alike, sure)
            if sure > surest:
                best, surest = cluster, sure
        if best >= 0 and surest >= self._echo_from:
            self._stories[best].sign = self._stories[best].sign or sign
            return self._join(best, house, assets, max(surest, *nearest.values()))
        return self._open(face, assets, sign, known_ns, house, nearest)

    def _join(self, cluster: int, house: str, assets: frozenset[int], similarity: float) -> Placed:
        """A retelling; an asset that the story did not name before has at least the floor."""
        held = self._stories[cluster].assets
        left = 1.0 - similarity
        novelty = {asset: left if asset in held else max(self._floor, left) for asset in assets}
        held |= assets
        return Placed(cluster, False, house, novelty)

    def _open(
        self, face: Facts, assets: frozenset[int], sign: int, known_ns: int, house: str, nearest: dict[int, float]
    ) -> Placed:
        cluster, self._opened = self._opened, self._opened + 1
        self._stories[cluster] = _Story(known_ns, face, house, set(assets), sign)
        for word in face.words:
            self._by_word.setdefault(word, []).append(cluster)
        novelty = {asset: max(self._floor, 1.0 - similarity) for asset, similarity in nearest.items()}
        return Placed(cluster, True, house, novelty)

    def _candidates(self, face: Facts, assets: frozenset[int], known_ns: int) -> tuple[list[int], dict[str, float]]:
        """Live stories about a common asset that share most of the rare words, oldest first; all words' rarities."""
        since = known_ns - self._window
        rarity = self._rarity.of(face.words, known_ns)
        lists: dict[str, list[int]] = {}
        for word in sorted(face.words):
            live = self._by_word.get(word)
            if live:
                if self._stories[live[0]].known_ns < since:
                    live = [cluster for cluster in live if self._stories[cluster].known_ns >= since]
                    self._by_word[word] = live
                lists[word] = live
        rare = [word for word, live in lists.items() if len(live) <= _COMMON] or list(lists)
        shared: dict[int, float] = {}
        for word in rare:
            for cluster in lists[word]:
                shared[cluster] = shared.get(cluster, 0.0) + rarity[word]
        about = [cluster for cluster in shared if not assets.isdisjoint(self._stories[cluster].assets)]
        chosen = sorted(sorted(about, key=lambda cluster: (-shared[cluster], cluster))[:_COMPARED])
        words = frozenset[str]().union(*(self._stories[cluster].face.words for cluster in chosen))
        return chosen, rarity | self._rarity.of(words - face.words, known_ns)

    def memory(self) -> dict[str, Any]:
        """All that is remembered, as msgspec can say it; `remember` takes it back."""
        stories = [
            [cluster, one.known_ns, one.face, one.house, sorted(one.assets), one.sign]
            for cluster, one in self._stories.items()
        ]
        told = [self._titles, self._ledes]
        return {"stories": stories, "opened": self._opened, "swept_ns": self._swept_ns,
                "told": [[[text, *at] for text, at in one.items()] for one in told],
                "rarity": self._rarity.memory()}  # fmt: skip

    def remember(self, memory: dict[str, Any], numbers: Mapping[int, int] | None = None) -> None:
        """Go on from what another of the same parameters remembered; `numbers`: its asset -> the one of now, where
        they are others. A story about none of now is forgotten.
        """
        self._stories, self._by_word = {}, {}
        for cluster, known_ns, face, house, assets, sign in memory["stories"]:
            about = set(assets) if numbers is None else {numbers[one] for one in assets if one in numbers}
            if not about:
                continue
            story = self._stories[cluster] = _Story(known_ns, msgspec.convert(face, Facts), house, about, sign)
            for word in story.face.words:
                self._by_word.setdefault(word, []).append(cluster)
        self._opened, self._swept_ns = memory["opened"], memory["swept_ns"]
        for one, rows in zip((self._titles, self._ledes), memory["told"], strict=True):
            one.clear()
            one.update((text, (cluster, house)) for text, cluster, house in rows)
        self._rarity.remember(memory["rarity"])
