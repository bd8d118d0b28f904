"""The reader `hashed`: the shipped table, its rows, its rounding."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.text import hashed
from confidence_engine.text import weights as cue_weights
from confidence_engine.text.hashed import HashedReader, reading_of, rows_of, softmax, strangeness


def test_the_file_fits_the_features() -> None:
    held = hashed.weights()
    assert held.table.shape == (hashed.SIZE, 2)
    assert held.table.dtype == np.int8
    assert held.cues.shape == (len(cue_weights.DIRECTION) + len(cue_weights.EMPHASIS), 2)
    assert 0.5 < held.warmth < 2.0
    bits = int(np.unpackbits(held.known).sum())
    assert 10_000 < bits < hashed.KNOWN // 8  # fewer than one strange word in eight passes for known


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("Shares soar on record profit", 1),
        ("Acme upgraded to buy at Example Bank", 1),
        ("Bitcoin reclaims $40,000", 1),
        ("Losses narrow at Acme", 1),
        ("Acme files for bankruptcy", -1),
        ("Exchange hacked, $200m stolen", -1),
        ("Bitcoin fails to rise", -1),
        ("Acme downgraded to sell", -1),
    ],
)
def test_plain_news(text: str, sign: int) -> None:
    assert HashedReader().read([text])[0].polarity * sign > 0.2


def test_no_news_is_neutral() -> None:
    for text in ("Acme to present at the spring conference", "How to buy a house in 2020"):
        assert HashedReader().read([text])[0].p_neutral > 0.6


@given(st.text(max_size=200))
def test_rows_are_distinct_and_in_the_table(text: str) -> None:
    rows = rows_of(text)
    assert rows == sorted(set(rows))
    assert all(0 <= row < hashed.SIZE for row in rows)


@given(st.floats(0, 1), st.floats(0, 1))
def test_rounding_keeps_a_whole(a: float, b: float) -> None:
    low, high = sorted((a, b))
    made = reading_of((low, high - low, 1 - high))
    shares = (made.p_negative, made.p_neutral, made.p_positive)
    assert abs(math.fsum(shares) - 1) < 1e-12
    assert all(0 <= share <= 1 and abs(share * 10_000 - round(share * 10_000)) < 1e-9 for share in shares)
    assert abs(made.p_negative - low) <= 1e-4
    assert abs(made.p_positive - (1 - high)) <= 1.5e-4


@given(st.lists(st.floats(-50, 50), min_size=3, max_size=3))
def test_softmax_is_a_distribution(logits: list[float]) -> None:
    assert abs(math.fsum(softmax(logits)) - 1) < 1e-12


def test_strange_words_are_counted() -> None:
    assert strangeness("Shares rise after results") == 0.0
    assert strangeness("Shares rise zyxxyz") > 0.2
    assert strangeness("qwxyq zyxxyz 40") == strangeness("Stablecoins rise") == 1.0
    assert strangeness("") == strangeness("$40,000") == 0.0
