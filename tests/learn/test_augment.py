"""Variations keep or turn the label as they say, and nothing else."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.learn.augment import flip, jitter, templates, varied
from confidence_engine.learn.sets import Example

UP, DOWN, FLAT = (0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("text", "target", "turned"),
    [
        ("Acme rises on strong sales", UP, "Acme falls on weak sales"),
        ("Acme Downgraded at Example Bank", DOWN, "Acme Upgraded at Example Bank"),
        ("ACME BEATS ESTIMATES", UP, "ACME MISSES ESTIMATES"),
    ],
)
def test_a_flip_turns_words_and_label(text: str, target: tuple[float, float, float], turned: str) -> None:
    made = flip(Example(text, target, "test"))
    assert made == Example(turned, target[::-1], "test")


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("Acme rises", DOWN),  # the word and the label disagree
        ("Acme rises", FLAT),
        ("Acme rises, Bank falls", UP),  # both ways
        ("Costs rise at Acme", DOWN),  # what rises is bad
        ("Acme fails to rise", DOWN),
        ("Acme opens a shop", UP),  # nothing to turn
    ],
)
def test_where_the_new_label_would_not_be_certain_nothing_is_turned(
    text: str, target: tuple[float, float, float]
) -> None:
    assert flip(Example(text, target, "test")) is None


@given(st.text(alphabet="ab 0123456789$.,%", max_size=40), st.integers(0, 99))
def test_jitter_changes_digits_and_currencies_only(text: str, seed: int) -> None:
    def bare(line: str) -> str:
        return re.sub(r"\d", "0", re.sub(r"(\$|€|£|Rs |USD |EUR )(?=\d)", "$", line))

    assert bare(jitter(text, Random(seed))) == bare(text)


def test_years_stay() -> None:
    for seed in range(20):
        assert "2022" in jitter("Results of 2022 up 7%", Random(seed))


def test_templates_are_whole_and_even() -> None:
    made = templates(300, Random(1))
    assert [sum(one.target[k] for one in made) for k in range(3)] == [100, 100, 100]
    assert all("{" not in one.text and one.text[0] == one.text[0].upper() for one in made)
    assert len({one.text for one in made}) > 250


def test_one_seed_draws_the_same() -> None:
    one = Example("Acme rises 5% to $40", UP, "test")
    first = [varied(one, Random(3)) for _ in range(3)]
    assert first == [varied(one, Random(3)) for _ in range(3)]
    assert len({varied(one, Random(seed)) for seed in range(40)}) > 10
