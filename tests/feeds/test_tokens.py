"""feeds.tokens: text in pieces is joined, other text is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.feeds.tokens import joined

PAIRS = [
    ("rt AT_USER $ aapl choppy as heck . selling into the pops", "$AAPL choppy as heck. selling into the pops"),
    ("after 2,600 % gains , a new pick URL $ trx", "after 2,600% gains, a new pick $TRX"),
    ("earnings of $ 1.52 a share vs . $ 1.45 estimate : URL $ hd", "earnings of $1.52 a share vs. $1.45 estimate: $HD"),
    ("microsoft ' s ceo : we don ' t know ! # msft", "microsoft's ceo: we don't know! #msft"),
    ("$ brk-a ( class a ) rises", "$BRK-A (class a) rises"),
    ("AT_USER URL", ""),
]


@pytest.mark.parametrize(("pieces", "whole"), PAIRS)
def test_pieces_are_joined(pieces: str, whole: str) -> None:
    assert joined(pieces) == whole


@pytest.mark.parametrize("text", ["Apple's profit rises 12% to $3.4 billion", "the artist is URLish", "start AT_USERS"])
def test_whole_text_stays_as_it_is(text: str) -> None:
    assert joined(text) == text


@given(st.text(max_size=80))
def test_joining_again_changes_nothing_and_nothing_raises(text: str) -> None:
    once = joined(text)
    assert "  " not in once
    assert once == once.strip()


@given(st.lists(st.sampled_from(["aapl", "up", "5", "%", ".", "rt", "AT_USER", "URL"]), max_size=12))
def test_joined_words_keep_their_order(tokens: list[str]) -> None:
    words = [t for t in tokens if t in ("up", "5")]
    assert [
        w for w in joined(" ".join(tokens)).replace("%", " ").replace(".", " ").split() if w in ("up", "5")
    ] == words
