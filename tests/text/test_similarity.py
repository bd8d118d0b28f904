"""Rarity of words: by what came before, fading, bounded; likeness is a cosine."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.domain.units import DAY_NS
from confidence_engine.text.similarity import Rarity, alike

WORDS = st.frozensets(st.sampled_from("abcdefgh"), max_size=8)
ITEMS = st.lists(st.tuples(WORDS, st.integers(0, 40 * DAY_NS)), max_size=20)


def counted(items: list[tuple[frozenset[str], int]], half_life_ns: int = 14 * DAY_NS) -> Rarity:
    made = Rarity(half_life_ns)
    for words, at in sorted(items, key=lambda item: item[1]):
        made.count(words, at)
    return made


@given(ITEMS)
def test_fading_counts_are_those_of_a_plain_sum(items: list[tuple[frozenset[str], int]]) -> None:
    now, half = 50 * DAY_NS, 14 * DAY_NS
    rarity = counted(items, half).of("abcdefgh", now)
    kept = [(words, 2.0 ** (-(now - at) / half)) for words, at in items]
    total = math.fsum(weight for _, weight in kept)
    for word, value in rarity.items():
        seen = math.fsum(weight for words, weight in kept if word in words)
        assert math.isclose(value, max(0.05, math.log((total + 32.0) / (seen + 1.0))), rel_tol=1e-9)


@given(ITEMS, WORDS, WORDS)
def test_likeness_is_a_cosine(items: list[tuple[frozenset[str], int]], a: frozenset[str], b: frozenset[str]) -> None:
    rarity = counted(items).of("abcdefgh", 50 * DAY_NS)
    assert 0.0 <= alike(a, b, rarity) <= 1.0
    assert alike(a, b, rarity) == alike(b, a, rarity)
    assert math.isclose(alike(a, a, rarity), 1.0 if a else 0.0)
    assert alike(a, b, rarity) == 0.0 or a & b


def test_a_word_of_every_item_tells_less_and_in_time_more_again() -> None:
    made = counted([(frozenset("ab"), DAY_NS * k) for k in range(10)] + [(frozenset("c"), 0)])
    fresh, late = made.of("abc", 10 * DAY_NS), made.of("abc", 200 * DAY_NS)
    assert fresh["a"] < fresh["c"]
    assert fresh["a"] < late["a"]
    assert Rarity(DAY_NS, frozenset("a")).of("ab", 0)["a"] < Rarity(DAY_NS).of("ab", 0)["a"]


def test_rarity_is_bounded_however_much_was_seen() -> None:
    made = counted([(frozenset("a"), 0)] * 5_000)
    assert made.of("ab", 0) == {"a": 0.05, "b": 7.0}
