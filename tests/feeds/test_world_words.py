"""feeds.world: its words are its own. The book `apart` shares no cue and no run of words with what the readers know.

The book `plain` uses the lexicon's words on purpose, so that every reader can read it; its names and its sentences are
still nobody's.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from confidence_engine.feeds.world import PUBLISHERS, apart, assets, plain
from confidence_engine.feeds.world.params import WORDINGS
from confidence_engine.feeds.world.wording import sentence, wordings
from confidence_engine.learn import augment
from confidence_engine.learn.sets import load
from confidence_engine.text import lexicon
from confidence_engine.text.cues import CueReader, scan

RUN = 4
"""Words in a row that would be a quotation."""
COINS = [name for one in assets(128) for name in (*one.names, *one.tickers)]


def filled(book: object, name: str = "Veltra", number: int = 37) -> list[str]:
    """Every sentence of a book."""
    families = [*book.RISING.values(), *book.FALLING.values(), book.EMPTY]  # type: ignore[attr-defined]
    return [words.format(name=name, n=number) for family in families for words in family]


def words_of(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


def runs(text: str) -> set[tuple[str, ...]]:
    words = words_of(text)
    return {tuple(words[k : k + RUN]) for k in range(len(words) - RUN + 1)}


def own_runs(book: object) -> set[tuple[str, ...]]:
    """Runs of words of the templates, cut at name and number."""
    families = [*book.RISING.values(), *book.FALLING.values(), book.EMPTY]  # type: ignore[attr-defined]
    pieces = [piece for family in families for words in family for piece in re.split(r"\{name\}|\{n\}", words)]
    return set().union(*(runs(piece) for piece in pieces))


def test_no_sentence_apart_holds_a_cue() -> None:
    assert [(text, scan(text).words) for text in filled(apart) if scan(text).cues] == []
    assert len(filled(apart)) == 2 * 6 * 4 + len(apart.EMPTY)
    read = CueReader().read(filled(apart))
    assert all(one.certainty < 0.4 for one in read)  # so the reader of cues stays silent


def test_a_cue_in_it_would_be_seen() -> None:
    assert scan("Tribunal sides with Veltra, token surges").cues
    seen = [bool(scan(text).cues) for text in filled(plain)[: -len(plain.EMPTY)]]
    assert all(seen)  # the other book is made of them


def test_no_name_is_a_word_of_the_lexicon() -> None:
    known = {word for phrase in (*lexicon.PHRASES, *lexicon.QUANTITY, *lexicon.CUT, *lexicon.LIFT) for word in phrase}
    assert len(known) > 500
    assert [name for name in COINS if name.lower() in known or scan(name).cues] == []
    assert len({*COINS}) == len(COINS)
    assert not {name.lower() for name in COINS} & {w for house in PUBLISHERS for w in words_of(house.name)}


def test_no_template_quotes_the_templates_that_readers_were_trained_with() -> None:
    theirs = set().union(
        *(runs(re.sub(r"\{\w+\}", " ", text)) for text in (*augment._UPS, *augment._DOWNS, *augment._FLATS))
    )
    assert own_runs(apart) & theirs == set()
    assert own_runs(plain) & theirs == set()


def test_both_books_tell_every_kind_in_as_many_ways() -> None:
    for book in WORDINGS:
        for kind in range(len(plain.KINDS)):
            assert wordings(kind, book) == len(PUBLISHERS)
            for said in (1, -1):
                told = {sentence(kind, said, k, "Veltra", 7, book) for k in range(len(PUBLISHERS))}
                assert len(told) == len(PUBLISHERS)
                assert all("Veltra" in one and "7" in one for one in told)


@pytest.mark.realdata
def test_nothing_of_it_stands_in_the_headlines_that_readers_were_trained_on(shared_data: Path) -> None:
    sets = load(shared_data / "sentiment")
    texts = [one.text for part in (sets.train, sets.check, sets.sentfin, sets.twitter) for one in part]
    assert len(texts) > 15_000
    theirs = set().union(*map(runs, texts))
    assert own_runs(apart) & theirs == set()
    seen = {word for text in texts for word in words_of(text)}
    assert [name for one in assets(128) for name in one.names if name.lower() in seen] == []
    lines = {" ".join(words_of(text)) for text in texts}
    assert not lines & {" ".join(words_of(text)) for text in (*filled(plain), *filled(apart))}
