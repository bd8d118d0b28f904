"""Echoes: what weighs for and against one, and how well they are found on pairs labelled by hand.

The pairs (`echo_pairs.csv`) are hashes and labels; the headlines stay outside the project. Sample `test` was never
fitted on, shares no item with any other sample and no calendar week with the tuning samples.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from benchmarks.echoes import LABELS, Label, Measured, archive, chosen, fit, labels, measure, score, wilson
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.domain.units import DAY_NS, HOUR_NS
from confidence_engine.text.echo import WEIGHTS, Pair, compare, opposed, probability
from confidence_engine.text.facts import MARKET, facts
from confidence_engine.text.reading import Params
from confidence_engine.text.similarity import Rarity

WORDS = ["bitcoin", "acme", "hack", "$40,000", "$31,000", "exchange", "withdrawals", "price", "12%", "31%", "zed"]
TITLES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=7).map(" ".join)


def weighed(a: str, b: str, gap_ns: int = HOUR_NS, one_house: bool = False) -> Pair:
    one, two = facts(a), facts(b)
    return compare(one, two, Rarity(14 * DAY_NS, MARKET).of(one.words | two.words, 0), gap_ns, one_house)


@given(TITLES, TITLES, st.integers(0, 72))
def test_a_pair_is_bounded_and_does_not_depend_on_which_is_first(a: str, b: str, hours: int) -> None:
    pair = weighed(a, b, hours * HOUR_NS)
    assert pair == weighed(b, a, hours * HOUR_NS)
    assert all(math.isfinite(x) and 0.0 <= x <= 5.0 for x in pair)
    assert 0.0 < probability(pair) < 1.0


@given(TITLES, TITLES, st.integers(0, 71))
def test_time_and_one_house_speak_against_an_echo(a: str, b: str, hours: int) -> None:
    early, late = (probability(weighed(a, b, h * HOUR_NS)) for h in (hours, hours + 1))
    assert late < early
    assert probability(weighed(a, b, hours * HOUR_NS, one_house=True)) < early


def test_another_amount_speaks_against_and_the_same_for() -> None:
    same = probability(weighed("Acme raises $40M for mining", "Mining firm Acme raises $40 million"))
    none = probability(weighed("Acme raises $40M for mining", "Mining firm Acme raises money"))
    other = probability(weighed("Acme raises $40M for mining", "Mining firm Acme raises $70 million"))
    assert other < none < same


def test_opposite_directions_are_never_echoes() -> None:
    a, b = facts("Acme exchange rises on report"), facts("Acme exchange falls on report")
    rarity = Rarity(14 * DAY_NS).of(a.words | b.words, 0)
    assert opposed(a, b, 0, 0)
    assert opposed(a, a, 1, -1)
    assert not opposed(a, a, 1, 1)
    assert probability(compare(a, a, rarity, 0, False)) > 0.5


def test_there_is_a_weight_for_every_field_and_no_headline_in_the_labels() -> None:
    assert len(WEIGHTS) == len(Pair._fields) + 1
    pairs = labels()
    assert all(len(key) == 16 and int(key, 16) >= 0 for one in pairs for key in (one.first, one.second))
    assert LABELS.stat().st_size < 64_000
    test = [one for one in pairs if one.sample == "test"]
    tuned = {key for one in pairs if one.sample != "test" for key in (one.first, one.second)}
    assert len(test) == 200
    assert not tuned & {key for one in test for key in (one.first, one.second)}


def test_wilson_interval() -> None:
    low, high = wilson(45, 50)
    assert (round(low, 3), round(high, 3)) == (0.786, 0.957)  # scipy.stats.binomtest(45, 50).proportion_ci("wilson")


@pytest.mark.realdata
def test_precision_and_recall_on_the_labelled_pairs(shared_data: Path) -> None:
    measured = measure(archive(shared_data / "news"), labels())
    test = [one for one in measured if one.label.sample == "test"]
    tuning = [one for one in measured if one.label.sample.startswith("tuning")]
    assert (len(test), len(tuning)) == (200, 560)
    assert not {one.week for one in test} & {one.week for one in tuning}
    assert fit(tuning) == pytest.approx(WEIGHTS, abs=0.02)  # the weights are those of the tuning pairs, and no others
    found = score(test, Params().echo_from)
    assert found.echoes == 65
    assert found.precision >= 0.90
    assert found.recall >= 0.68
    alone = score([one._replace(opposed=False) for one in test], Params().echo_from)
    assert found.precision >= alone.precision  # the check of direction takes no right call with it for nothing


@given(st.integers(0, 30), st.integers(31, 60))
def test_the_threshold_is_the_smallest_precise_one(low: int, high: int) -> None:
    pair = Pair(*[0.0] * len(Pair._fields))
    made = [
        Measured(Label(sample, "", 1.0, "", "", echo), pair, False, (2022, 1))
        for sample in ("tuning", "tuning-joined") for echo in (True, False)
    ]  # fmt: skip
    assert chosen(made, [1.0, high / 100 - 0.001, 1.0, low / 100]) == high / 100
    assert chosen(made, [1.0, low / 100, 1.0, high / 100 - 0.001]) == high / 100
    assert chosen(made, [1.0, 0.99, 1.0, 0.99]) is None
