"""What of an item tells its story from another: words, numbers, direction words, and how much of it is market talk.

We believe a story is known by what few other items say: a name, an amount, an unusual word. Words are taken
from the title and from the first sentence of the text, as rough stems, without the words of grammar. Years,
spans of time and counts below ten do not tell one story from another. Direction is kept as the cue words with
the signs that grammar gave them (`cues.scan`), so that two titles can be compared word by word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from confidence_engine.text.cues import scan
from confidence_engine.text.lexicon import STOPWORDS
from confidence_engine.text.plain import first_sentence, normalised, plain

__all__ = ["MARKET", "Facts", "contrast", "facts", "share_a_value", "stems"]

_TOKEN = re.compile(r"\d+/\d+|\$?\d[\d,]*(?:\.\d+)?\s?(?:million|billion|trillion|[kmb]n?\b)?|[^\W\d_]+")
_CLOCK = re.compile(r"\b\d{1,2}:\d\d\b|\b\d+[ -]?(?:hours?|hrs?|minutes?|days?|weeks?|months?|h|d)\b")
_SCALE: Final = {"k": 1e3, "m": 1e6, "mn": 1e6, "million": 1e6, "b": 1e9, "bn": 1e9, "billion": 1e9, "trillion": 1e12}
_ENDINGS: Final = ("ing", "ed", "es", "s", "ly", "e")
_NEGATION = re.compile(r"\b(?:not|no|never|without|den(?:y|ies|ied))\b|n't\b|n\u2019t\b", re.IGNORECASE)
_LEDE: Final = 300
"""Characters of the first sentence that are looked at."""
_NEAR: Final = 0.01
"""Two amounts within one per cent are one amount, rounded differently."""

_TALK: Final = """
price trad level resistanc support rally ralli dip surg usd drop fell fall declin bull bear bullish bearish gain loss
market analysi analyst btc bitcoin ethereum eth altcoin high low recover correct consolidat struggl technical trader
chart breakout mov averag hold share stock session clos open
"""
MARKET: Final = frozenset(_TALK.split())
"""Stems of talk about prices. Such items come every few hours and are alike in words without telling one event."""


_PAIRS: Final = """
up down, higher lower, high low, highs lows, above below, over under, bull bear, bulls bears, bullish bearish, rise
fall, rises falls, rose fell, rising falling, gain loss, gains losses, gain lose, gains loses, gained lost, gaining
losing, gain drop, gains drops, jump drop, jumps drops, jumped dropped, surge plunge, surges plunges, surged
plunged, climb slide, climbs slides, climbed slid, soar crash, soars crashes, soared crashed, rally tumble, rallies
tumbles, rallied tumbled, increase decrease, increases decreases, increased decreased, increasing decreasing,
recover decline, recovers declines, recovered declined, recovery decline, inflow outflow, inflows outflows, buy
sell, buys sells, bought sold, buying selling, beat miss, beats misses, approve reject, approves rejects, approved
rejected, approval rejection, upside downside, upward downward, upgrade downgrade, upgrades downgrades, win lose,
wins loses, won lost, strong weak, stronger weaker, strength weakness, optimistic pessimistic, positive negative,
best worst, more less, open close, opens closes, start stop, starts stops, resume halt, resumes halts, accept ban,
accepts bans, legal illegal, expand shrink, expands shrinks, support oppose, supports opposes, raise cut, raises
cuts, raised lowered, widen narrow, widens narrows, profit loss, profits losses, top bottom, support resistance
"""


def _opposites() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for pair in _PAIRS.replace("\n", " ").split(","):
        one, two = pair.split()
        found.setdefault(one, set()).add(two)
        found.setdefault(two, set()).add(one)
    return {word: frozenset(others) for word, others in found.items()}


_OPPOSITE: Final = _opposites()
"""Words that turn a title round when one takes the place of the other."""
_WORD = re.compile(r"[a-z]+")


class Facts(NamedTuple):
    """What two items are compared by.

    Normalised title and beginning of the text ("" where there is none), stems of the title, and of the title with the
    first sentence of the text, amounts (money, or from 1,000 on), other numbers (a date 5/11 is -50011), cue words of
    the title with their signs in their order, its words that have an opposite, whether it denies, and the share of
    market talk [0, 1].
    """

    title: str
    lede: str
    head: frozenset[str]
    words: frozenset[str]
    amounts: tuple[float, ...]
    numbers: frozenset[float]
    cues: tuple[tuple[str, int], ...]
    turns: tuple[str, ...]
    denies: bool
    market: float


def facts(title: str, text: str = "") -> Facts:
    """Facts of one item; where the title has no words the first sentence of the text stands for it."""
    title, lede = plain(title), plain(first_sentence(text))[:_LEDE]
    opening = normalised(text[:_LEDE])
    if not normalised(title):
        title, lede, opening = lede, "", ""
    head, amounts, numbers = stems(title)
    words = head
    if lede:
        more, lede_amounts, lede_numbers = stems(lede)
        words, amounts, numbers = head | more, amounts | lede_amounts, numbers | lede_numbers
    found = scan(title)
    cues = tuple((word, sign) for word, (_, sign, _) in zip(found.words, found.cues, strict=True))
    turns = tuple(word for word in _WORD.findall(title.lower()) if word in _OPPOSITE)
    market = len(words & MARKET) / len(words) if words else 0.0
    denies = _NEGATION.search(title) is not None
    return Facts(
        normalised(title), opening, head, words, tuple(sorted(amounts)), frozenset(numbers),
        cues, turns, denies, market,
    )  # fmt: skip


def stems(text: str) -> tuple[frozenset[str], set[float], set[float]]:
    """(stems of content words, amounts, other numbers) of plain text."""
    words: set[str] = set()
    amounts: set[float] = set()
    numbers: set[float] = set()
    for token in _TOKEN.findall(_CLOCK.sub(" ", text.casefold())):
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
    return frozenset(words), amounts, numbers


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


def share_a_value(a: Iterable[float], b: Iterable[float]) -> bool:
    """Whether two sets of amounts have one in common, to within a per cent."""
    return any(abs(x - y) <= _NEAR * max(abs(x), abs(y)) for x in a for y in b)


def contrast(a: Facts, b: Facts) -> bool:
    """Whether two titles point in opposite directions: the cue words that only one has, or that turned, oppose.

    Of two titles in nearly the same words it is enough that one cue is turned, that a word of one is the opposite
    of a word of the other, or that one of them denies.
    """
    mine, other = _signs(a), _signs(b)
    net = sum(sign for word, sign in mine.items() if other.get(word, 0) * sign <= 0)
    against = sum(sign for word, sign in other.items() if mine.get(word, 0) * sign <= 0)
    if net * against < 0:
        return True
    differ = len(a.head ^ b.head)
    if differ > 2 * len(a.head & b.head):
        return False
    if len(a.cues) == len(b.cues) and any(x * y < 0 for (_, x), (_, y) in zip(a.cues, b.cues, strict=True)):
        return True
    if _replaced(a.turns, b.turns):
        return True
    return a.denies != b.denies and 3 * differ <= len(a.head | b.head)


def _replaced(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """Whether a word of one stands where the other has its opposite, or is missing there while its opposite is not."""
    if len(a) == len(b) and any(y in _OPPOSITE[x] for x, y in zip(a, b, strict=True)):
        return True
    return any(not _OPPOSITE[word].isdisjoint(set(b) - set(a)) for word in set(a) - set(b))


def _signs(face: Facts) -> dict[str, int]:
    signs: dict[str, int] = {}
    for word, sign in face.cues:
        signs[word] = signs.get(word, 0) + sign
    return signs
