"""The reader `cues`: direction words, turned round where grammar turns them, weighed by a small fitted sum.

We believe three things. A headline's direction is in few words (lexicon). What those words mean
depends on what moves and on what denies it: "losses narrow" is good news, "fails to rise" is not.
And how far a word may be trusted is a matter of counting, not of taste: each family of cues has one
weight for direction and one for emphasis, fitted by maximum likelihood on public labelled headlines.
The sum is antisymmetric: turn every cue round and the probabilities swap, so no lean is built in.
A text without any cue gets a fixed reading that says little (see NO_CUE): silence is not evidence.

Weights: `python -m confidence_engine.text.fit FOLDER` prints them; fitted on twitter-financial-news-
sentiment (MIT card, Ricky Costa) and SEntFiN 1.0 (MIT, Sinha et al. 2022), never on held-out parts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from confidence_engine.domain.document import Reading
from confidence_engine.text import lexicon, weights
from confidence_engine.text.plain import plain

__all__ = ["NO_CUE", "CueReader", "Scan", "features", "scan", "tokens_of"]

NO_CUE: Final = Reading(0.1, 0.8, 0.1)
"""What is said of a text without a cue: on the training headlines some four in five such texts are neutral."""

_LINK = re.compile(r"https?://\S*|www\.\S+|\bpic\.twitter\.com\S*")
_DOLLARS = re.compile(r"\busd (?=\d)")
_TOKEN = re.compile(
    r"(?<![\w.])[+\-](?=[$\d])|\$?\d[\d,.]*(?:[kmbt]n?\b)?%?|[a-z](?:\.[a-z])+\.?|[a-z]+(?:'[a-z]+)?|[.,;:!?]"
)
_STOPS: Final = frozenset(".,;:!?")
_CUE, _QUANTITY, _CUT, _LIFT, _NEGATE, _WEAKEN, _SUBORDINATE, _MARKER, _STOP = range(9)
_MOTION: Final = frozenset(lexicon.FAMILIES.index(name) for name in ("surge", "move", "drift"))
_MOVE, _MOOD, _PERCENT, _TURNED = (lexicon.FAMILIES.index(name) for name in ("move", "mood", "percent", "turned"))
_FAMILIES: Final = len(lexicon.FAMILIES)
_KINDS: Final = tuple(lexicon.MARKERS)
_REACH_NEGATION, _REACH_OBJECT, _REACH_SUBJECT = 4, 3, 3


class _Entry(NamedTuple):
    role: int
    family: int
    sign: int
    weakens: bool
    markers: tuple[int, ...]


class _Mark(NamedTuple):
    start: int
    stop: int
    entry: _Entry


class Scan(NamedTuple):
    """What was found in one text: resolved cues (family, sign, in a subordinate part), and flags."""

    cues: tuple[tuple[int, int, bool], ...]
    words: tuple[str, ...]
    weakened: bool
    question: bool
    markers: frozenset[int]
    length: int


def _table() -> dict[str, list[tuple[tuple[str, ...], _Entry]]]:
    """First token -> (rest of the phrase, entry), longest phrase first."""
    roles: list[tuple[int, dict[tuple[str, ...], int]]] = [
        (_QUANTITY, lexicon.QUANTITY),
        (_CUT, lexicon.CUT),
        (_LIFT, lexicon.LIFT),
    ]
    entries: dict[tuple[str, ...], _Entry] = {}
    markers: dict[tuple[str, ...], tuple[int, ...]] = {}
    for index, phrases in enumerate(lexicon.MARKERS.values()):
        for phrase in phrases:
            markers[phrase] = (*markers.get(phrase, ()), index)
    for role, words in roles:
        for phrase, sign in words.items():
            family = lexicon.PHRASES.get(phrase, (_MOOD if role == _QUANTITY else _MOVE, 0))[0]
            entries.setdefault(phrase, _Entry(role, family, sign, False, markers.get(phrase, ())))
    for phrase, (family, sign) in lexicon.PHRASES.items():
        entries.setdefault(phrase, _Entry(_CUE, family, sign, False, markers.get(phrase, ())))
    for phrase in lexicon.IDIOMS:
        entries[phrase] = _Entry(_MARKER, 0, 0, False, markers.get(phrase, ()))
    for role, group in ((_NEGATE, lexicon.NEGATE), (_SUBORDINATE, lexicon.SUBORDINATE), (_WEAKEN, lexicon.WEAKEN)):
        for phrase in group:
            entries.setdefault(phrase, _Entry(role, 0, 0, role == _WEAKEN, markers.get(phrase, ())))
    for phrase, kinds in markers.items():
        entries.setdefault(phrase, _Entry(_MARKER, 0, 0, False, kinds))
    table: dict[str, list[tuple[tuple[str, ...], _Entry]]] = {}
    for phrase, entry in entries.items():
        table.setdefault(phrase[0], []).append((phrase[1:], entry))
    for choices in table.values():
        choices.sort(key=lambda choice: (-len(choice[0]), choice[0]))
    return table


_TABLE: Final = _table()
_NEGATION: Final = _Entry(_NEGATE, 0, 0, False, ())
_PAUSE: Final = _Entry(_STOP, 0, 0, False, ())
_PERCENTS: Final = {sign: _Entry(_CUE, _PERCENT, sign, False, ()) for sign in (-1, 1)}


def tokens_of(text: str) -> list[str]:
    """Lower-case words, `#` for a number, `$#` for an amount, `#%`, a sign before a number, and stops."""
    text = plain(text).lower()
    if "http" in text or "www." in text or "pic." in text:
        text = _LINK.sub(" ", text)
    if "usd" in text:
        text = _DOLLARS.sub("$", text)
    return [_shape(token) for token in _TOKEN.findall(text)]


def _shape(token: str) -> str:
    first = token[0]
    if first == "$" or first.isdigit():
        return ("$#" if first == "$" else "#") + ("%" if token[-1] == "%" else "")
    return token


def _marks(tokens: Sequence[str]) -> list[_Mark]:
    """Longest phrases of the lexicon from left to right, with the stops between them."""
    found: list[_Mark] = []
    at, count = 0, len(tokens)
    while at < count:
        token = tokens[at]
        entry, width = None, 1
        if token in _STOPS:
            entry = _PAUSE
        elif token in "+-":
            if at + 1 < count and tokens[at + 1][-1] == "%":
                entry, width = _PERCENTS[1 if token == "+" else -1], 2
        elif token.endswith("n't"):
            entry = _NEGATION
        else:
            for rest, candidate in _TABLE.get(token, ()):
                if not rest or tuple(tokens[at + 1 : at + 1 + len(rest)]) == rest:
                    entry, width = candidate, 1 + len(rest)
                    break
        if entry is not None:
            found.append(_Mark(at, at + width, entry))
        at += width
    return found


def scan(text: str) -> Scan:
    """Cues of one text with their signs after negation, inversion and subordination."""
    tokens = tokens_of(text)
    marks = _marks(tokens)
    cues: list[tuple[int, int, bool]] = []
    words: list[str] = []
    weakened = subordinate = False
    markers: set[int] = set()
    negated_until, skip = -1, -1
    for index, mark in enumerate(marks):
        entry = mark.entry
        markers.update(entry.markers)
        weakened = weakened or entry.weakens
        if entry.role == _STOP:
            negated_until, subordinate = -1, False
        elif entry.role == _NEGATE:
            negated_until = mark.stop + _REACH_NEGATION
        elif entry.role == _SUBORDINATE:
            subordinate, negated_until = mark.start > 0, -1
        elif entry.role <= _LIFT and index != skip:
            family, sign, used = _resolve(marks, tokens, index)
            skip = index + 1 if used else skip
            if sign:
                if mark.start < negated_until:
                    family, sign, negated_until = _TURNED, -sign, -1
                cues.append((family, sign, subordinate))
                words.append(" ".join(tokens[mark.start : marks[index + 1].stop if used else mark.stop]))
    return Scan(tuple(cues), tuple(words), weakened, "?" in tokens, frozenset(markers), len(tokens))


def _resolve(marks: Sequence[_Mark], tokens: Sequence[str], index: int) -> tuple[int, int, bool]:
    """(family, sign, whether the next mark is used up) of one cue, quantity, cut or lift."""
    mark = marks[index]
    role, family, sign = mark.entry.role, mark.entry.family, mark.entry.sign
    if index + 1 < len(marks):
        after = marks[index + 1]
        gap, other = after.start - mark.stop, after.entry
        if role == _CUT and gap < _REACH_OBJECT and other.role in (_CUE, _QUANTITY) and other.family != _PERCENT:
            if other.role == _QUANTITY or other.family not in _MOTION or other.sign > 0:
                return _TURNED, -other.sign or 1, True
        elif role == _LIFT and gap < _REACH_OBJECT:
            if other.role == _QUANTITY:
                return _TURNED, -1, True
            if other.role == _CUE and other.family != _PERCENT:
                return other.family, other.sign, True
        elif role == _QUANTITY and gap < _REACH_SUBJECT:
            if other.role == _CUE and other.family in _MOTION:
                return _TURNED, -other.sign, True
            if other.role in (_CUT, _LIFT):
                return _TURNED, 1 if other.role == _CUT else -1, True
        elif (
            role == _CUE
            and family in _MOTION
            and other.role == _QUANTITY
            and (gap == 0 or (gap == 1 and tokens[mark.stop] in ("in", "of")))
        ):
            return _TURNED, -sign, True
    return family, sign, False


def features(found: Scan) -> tuple[list[float], list[float]]:
    """(odd, even) features: odd ones change sign when every cue is turned round, even ones do not."""
    net, seen = [0.0] * _FAMILIES, [0.0] * _FAMILIES
    lesser, signs = 0, 0
    for family, sign, subordinate in found.cues:
        net[family] += sign
        seen[family] = 1.0
        signs += sign
        lesser += sign if subordinate else 0
    total = max(-2, min(2, signs))
    odd = [max(-2.0, min(2.0, value)) for value in net]
    odd += [
        float(found.cues[0][1]),
        float(found.cues[-1][1]),
        float((signs > 0) - (signs < 0)),
        float(max(-2, min(2, lesser))),
        float(total * found.weakened),
        float(total * found.question),
    ]
    odd += [float(total * (kind in found.markers)) for kind in range(len(_KINDS))]
    even = [1.0, *seen, float(abs(total)), float(len({sign for _, sign, _ in found.cues}) > 1)]
    even += [float(found.weakened), float(found.question), math.log1p(found.length), float(found.cues[0][2])]
    even += [float(kind in found.markers) for kind in range(len(_KINDS))]
    return odd, even


def _probabilities(odd: Sequence[float], even: Sequence[float]) -> Reading:
    """Softmax of (emphasis - direction, 0, emphasis + direction)."""
    direction = math.fsum(w * x for w, x in zip(weights.DIRECTION, odd, strict=True))
    emphasis = math.fsum(w * x for w, x in zip(weights.EMPHASIS, even, strict=True))
    top = max(0.0, emphasis + abs(direction))
    negative, neutral, positive = (
        math.exp(emphasis - direction - top),
        math.exp(-top),
        math.exp(emphasis + direction - top),
    )
    whole = negative + neutral + positive
    return Reading(negative / whole, neutral / whole, positive / whole)


class CueReader:
    """Port `Reader` without a model: deterministic, each text for itself, some thousands a second."""

    name = "cues"
    version = "2"

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """One reading a text, in order; NO_CUE where nothing was found."""
        return [self.read_one(text) for text in texts]

    def read_one(self, text: str) -> Reading:
        """Reading of one text of any content, looking at the first MAX_CHARS characters (`plain`)."""
        found = scan(text)
        return _probabilities(*features(found)) if found.cues else NO_CUE
