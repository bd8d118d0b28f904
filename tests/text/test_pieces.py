"""The pieces and their vectors: the codec, the cutting, and what others may ask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.text import pieces


def test_nibbles_come_back_in_order() -> None:
    whole = np.arange(-7, 9)[:, None].repeat(64, 1).clip(-7, 7).astype(np.int8)
    whole[:, 1::2] = -whole[:, 1::2]
    shifted = (whole + 8).astype(np.uint8)
    packed = shifted[:, 0::2] | (shifted[:, 1::2] << 4)
    scales = np.full((16, 2), 0.5, np.float16)
    scales[:, 1] = 0.25
    found = pieces.unpack(packed, scales)
    assert np.array_equal(found[:, :32], whole[:, :32] * np.float32(0.5))
    assert np.array_equal(found[:, 32:], whole[:, 32:] * np.float32(0.25))


def test_the_table_has_a_row_for_each_piece() -> None:
    assert pieces.table().shape == (30_522, 384)
    assert pieces.cutter().get_vocab_size() == 30_522
    assert not pieces.table().flags.writeable
    numbers = pieces.tokens(["Bitcoin rises"])[0]
    assert np.array_equal(pieces.table()[numbers], pieces.vectors(numbers))


def test_words_of_like_meaning_are_nearer_than_others() -> None:
    def unit(word: str) -> np.ndarray:
        [_, number, _] = pieces.tokens([word])[0]
        vector = pieces.table()[number]
        return vector / np.linalg.norm(vector)

    assert unit("rise") @ unit("rises") > unit("rise") @ unit("lawyer") + 0.2
    assert unit("bank") @ unit("banks") > unit("bank") @ unit("green") + 0.2


def test_links_and_dress_do_not_enter() -> None:
    one, other, third = pieces.tokens(["Bitcoin  rises https://t.co/x1", "bitcoin rises", "BITCOIN\u200brises"])
    assert one == other == third


@pytest.mark.parametrize("text", ["", "\ud800", "\x00", "a" * 100_000, "\U0001f680" * 500, "x " * 5000])
def test_odd_texts_are_cut_short(text: str) -> None:
    numbers = pieces.tokens([text])[0]
    assert 2 <= len(numbers) <= pieces.MAX_PIECES


@given(st.lists(st.text(max_size=60), max_size=5))
def test_a_text_is_cut_alike_in_any_batch(texts: list[str]) -> None:
    assert pieces.tokens(texts) == [pieces.tokens([text])[0] for text in texts]
