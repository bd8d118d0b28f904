"""Which assets of the universe a document names.

We believe relevance is being named, not sounding alike: an embedding of "Bitcoin" accepts any coin's
story. Words are matched whole ("op" is not in "stop", "eth" not in "whether"). A name in small letters
counts in any case, one with a capital only as written. A ticker of up to four letters counts only in
capitals, as a cashtag or in a pair, because "link", "sol" and "near" are words; a one-letter ticker only
as a cashtag or in a pair. In a text all in capitals, capitals say nothing. The longest phrase wins, and
`not_after` holds what is something else: phrases ("bitcoin cash") and neighbours of a name ("cash").
A story about n assets counts 1/sqrt(n) for each. A whole market ("crypto", "stocks") is what a document is about only
where it names no asset: every story about a coin is also one about crypto.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from confidence_engine.domain.document import Document
from confidence_engine.domain.instrument import Underlying
from confidence_engine.text.plain import plain

__all__ = ["QUOTES", "Linker", "Mention", "link"]

QUOTES: Final = ("usd", "usdt", "usdc", "busd", "eur", "gbp", "jpy", "krw", "try", "perp", "btc", "eth")
"""What an asset is quoted in: "BTC/USD", "BTCUSDT", "eth-perp"."""

_WORD = re.compile(r"[^\W_]+")
_SHORT: Final = 4
_NAME, _OTHER, _TICKER, _PAIR = range(4)


class Mention(NamedTuple):
    """One asset that a document is about: index into the universe, relevance (0, 1], where and by what word."""

    underlying: int
    relevance: float
    where: str
    word: str
    named: int


class _Form(NamedTuple):
    kind: int
    underlying: int
    rest: tuple[str, ...]
    gaps: tuple[str, ...]
    written: str


class Linker:
    """Finds the assets of a universe in texts; made once, then a dictionary look-up a word."""

    def __init__(self, underlyings: Sequence[Underlying]) -> None:
        self.markets = frozenset(index for index, one in enumerate(underlyings) if one.market)
        self._forms: dict[str, list[_Form]] = {}
        self._beside: list[frozenset[str]] = []
        for index, one in enumerate(underlyings):
            for name in one.names:
                self._add(name, _NAME, index)
                plural = name + "s"
                if len(name) > _SHORT and name[-1:].isalpha() and name[-1:] not in "sS" and plural not in one.not_after:
                    self._add(plural, _NAME, index)
            for ticker in one.tickers:
                self._add(ticker, _TICKER, index)
                for quote in QUOTES[:-2]:
                    self._add(ticker + quote, _PAIR, index)
            # A phrase that is another asset's own name stays that asset's: at equal length a name comes first.
            phrases = [phrase for phrase in one.not_after if _holds_name(phrase, one)]
            for phrase in phrases:
                self._add(phrase, _OTHER, index)
            self._beside.append(frozenset(word.casefold() for word in one.not_after if word not in phrases))
        for forms in self._forms.values():
            forms.sort(key=lambda form: (-len(form.rest), form.kind))

    def _add(self, phrase: str, kind: int, index: int) -> None:
        spans = [(m.group().casefold(), m.start(), m.end()) for m in _WORD.finditer(plain(phrase))]
        if spans:
            gaps = tuple(phrase[a[2] : b[1]].strip() for a, b in pairwise(spans))
            capital = kind == _NAME and phrase != phrase.lower()
            form = _Form(kind, index, tuple(word for word, _, _ in spans[1:]), gaps, phrase if capital else "")
            self._forms.setdefault(spans[0][0], []).append(form)

    def find(self, text: str) -> dict[int, str]:
        """Index of each asset named in the text -> the first words that name it, in order of appearance."""
        text = plain(text)
        spans = [(m.group(), m.start(), m.end()) for m in _WORD.finditer(text)]
        words = [word.casefold() for word, _, _ in spans]
        shouting = text == text.upper()
        found: dict[int, str] = {}
        at = 0
        while at < len(words):
            forms = self._forms.get(words[at])
            width = 1
            for form in forms or ():
                stop = at + 1 + len(form.rest)
                if not _reads(form, text, spans, words, at) or not _stands(form, text, spans, at, shouting):
                    continue
                width = stop - at
                beside = self._beside[form.underlying]
                neighbours = {words[at - 1] if at else "", words[stop] if stop < len(words) else ""}
                if form.kind != _OTHER and not neighbours & beside:
                    found.setdefault(form.underlying, text[spans[at][1] : spans[stop - 1][2]])
                    width = width if form.kind != _TICKER else 1
                break
            at += width
        return found


def _holds_name(phrase: str, one: Underlying) -> bool:
    """Whether a `not_after` entry is a whole phrase ("bitcoin cash", "ripples") and not a neighbour ("cash")."""
    return " " in phrase.strip() or any(phrase.casefold().startswith(name.casefold()) for name in one.names)


def _reads(form: _Form, text: str, spans: Sequence[tuple[str, int, int]], words: Sequence[str], at: int) -> bool:
    """The rest of the phrase follows, with nothing but space, a hyphen or its own signs between."""
    stop = at + 1 + len(form.rest)
    if tuple(words[at + 1 : stop]) != form.rest:
        return False
    if form.written and text[spans[at][1] : spans[stop - 1][2]] != form.written:
        return False
    for step, own in enumerate(form.gaps):
        between = text[spans[at + step][2] : spans[at + step + 1][1]].strip()
        if between not in ("", "-", own):
            return False
    return True


def _stands(form: _Form, text: str, spans: Sequence[tuple[str, int, int]], at: int, shouting: bool) -> bool:
    """Whether a ticker may be taken for one here; names and pairs always may."""
    if form.kind != _TICKER:
        return True
    word, start, stop = spans[at]
    before = text[max(0, start - 2) : start]
    if before[-1:] in ("$", "#") or before == "$ ":
        return True
    if (
        at + 1 < len(spans)
        and text[stop : spans[at + 1][1]] in ("/", "-", "_")
        and spans[at + 1][0].casefold() in QUOTES
    ):
        return True
    if len(word) == 1 or (shouting and len(spans) > 1):
        return False
    return len(word) > _SHORT or word.isupper()


def link(
    document: Document,
    linker: Linker,
    asset_of_symbol: Mapping[str, int],
    body_relevance: float,
    declared_relevance: float,
    sharing: float,
) -> list[Mention]:
    """Assets the document is about, by index; empty where it names none.

    Named in the title 1 / n^sharing of the n assets named there; declared by the provider without being
    named `declared_relevance`; named in the text only `body_relevance`; both shared out in the same way.
    """
    title = linker.find(document.title)
    body = linker.find(document.text) if document.text else {}
    if any(symbol in asset_of_symbol for symbol in document.symbols) or not linker.markets.issuperset({*title, *body}):
        title = {index: word for index, word in title.items() if index not in linker.markets}
        body = {index: word for index, word in body.items() if index not in linker.markets}
    declared = dict.fromkeys(asset_of_symbol[s] for s in document.symbols if s in asset_of_symbol)
    found: dict[int, Mention] = {}
    for index, word in title.items():
        found[index] = Mention(index, 1.0 / len(title) ** sharing, "title", word, len(title))
    for index in declared:
        mention = Mention(index, declared_relevance / len(declared) ** sharing, "declared", "", len(declared))
        found.setdefault(index, mention)
    for index, word in body.items():
        relevance = body_relevance / len(body) ** sharing
        if index not in found or found[index].relevance < relevance:
            found[index] = Mention(index, relevance, "text", word, len(body))
    return [found[index] for index in sorted(found)]
