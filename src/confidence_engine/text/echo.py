"""Whether an item tells again what an earlier one told.

We believe an echo is the same happening in the same direction, and that likeness of words alone does not show
it: a title with its direction turned round is still nearly the same words, and the market report of today is
nearly that of yesterday. So titles that point in opposite directions are never echoes (`facts.contrast`), and
the rest is weighed: P = 1 / (1 + exp(-w x)) with x the likeness of the words, how rare the three rarest shared
words are, the product of these two, the days between, amounts that agree or contradict, how much of it is talk of
prices (which is new every few hours), and whether one house wrote both (its second item is mostly the next step,
not an echo).
Weights: `python benchmarks/echoes.py NEWS --fit`, ridge logistic regression on 560 pairs labelled by hand; on 200
other pairs precision and recall are asserted by tests/text/test_echo.py, and docs/echoes.md tells what is missed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

from confidence_engine.domain.units import DAY_NS, HOUR_NS
from confidence_engine.text.facts import Facts, contrast, share_a_value
from confidence_engine.text.similarity import alike

__all__ = ["TRAINED_UNTIL", "WEIGHTS", "Pair", "compare", "opposed", "probability"]

_SOON: Final = 13 * HOUR_NS
"""A price told again within half a day (and its rounding) is one move; later it is another."""
_RAREST: Final = 3


class Pair(NamedTuple):
    """What is weighed of two items; every number is about one in size."""

    alike: float  # cosine [0, 1] of rare words, of the titles or of titles with ledes
    rare: float  # square of the summed rarity of the three rarest shared words, in tens of nats
    both: float  # product of the two: either alone may be chance
    days: float
    conflict: float  # 1: both name amounts and none agrees
    other: float  # 1: both name other numbers (per cent, dates) and none is the same
    agree: float  # 1: they share an amount
    soon: float  # 1: they share an amount, within half a day
    market: float  # share of talk about prices, in fifths
    one_house: float  # 1: one named publisher wrote both


WEIGHTS: Final[tuple[float, ...]] = (-1.46, 0.52, 1.22, 1.65, -2.32, -0.49, -0.7, 0.48, 1.78, -0.51, -2.18)
"""Constant, then one for each field of Pair."""
TRAINED_UNTIL: Final = "2024-03-01"
"""The archives that the labelled pairs were drawn from end before it."""


def compare(a: Facts, b: Facts, rarity: Mapping[str, float], gap_ns: int, one_house: bool) -> Pair:
    """Pair of an earlier and a later item; `rarity` holds every word of both, as known with the later one."""
    shared = a.words & b.words
    rare = math.fsum(sorted((rarity[word] for word in shared), reverse=True)[:_RAREST]) / 10.0
    agree = share_a_value(a.amounts, b.amounts)
    likeness = max(alike(a.head, b.head, rarity), alike(a.words, b.words, rarity))
    return Pair(
        alike=likeness,
        rare=rare * rare,
        both=likeness * rare * rare,
        days=gap_ns / DAY_NS,
        conflict=float(bool(a.amounts) and bool(b.amounts) and not agree),
        other=float(bool(a.numbers) and bool(b.numbers) and not a.numbers & b.numbers),
        agree=float(agree),
        soon=float(agree and gap_ns <= _SOON),
        market=(a.market + b.market) * 2.5,
        one_house=float(one_house),
    )


def probability(pair: Pair, weights: tuple[float, ...] = WEIGHTS) -> float:
    """Probability [0, 1] that the later item is an echo, where the directions do not contradict."""
    value = weights[0] + math.fsum(w * x for w, x in zip(weights[1:], pair, strict=True))
    return 1.0 / (1.0 + math.exp(-value)) if value > -700.0 else 0.0


def opposed(a: Facts, b: Facts, sign_a: int, sign_b: int) -> bool:
    """Whether the readings' directions (-1, 0, 1) or the titles' cue words contradict: then it is never an echo."""
    return sign_a * sign_b < 0 or contrast(a, b)
