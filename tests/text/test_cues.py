"""The reader `cues`: signs, inversion, negation, symmetry, and its figures on labelled headlines."""

from __future__ import annotations

from pathlib import Path
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.text import cues, fit, lexicon, weights

READER = cues.CueReader()


def polarity(text: str) -> float:
    return READER.read_one(text).polarity


@pytest.mark.parametrize(
    "text",
    [
        "BTC hits $121k amid broader market gains and ETF inflows",
        "Bitcoin rises 5% after ETF approval",
        "Acme beats estimates, raises guidance",
        "Losses narrow at Acme",
        "Input costs fall for a third month",
        "US inflation falls to 3%",
        "Unemployment drops as hiring picks up",
        "Jobless claims decline",
        "Acme trims loss",
        "Fears ease over lender",
        "Ether avoids losses",
        "Token +12% in early trade",
        "Acme upgraded to overweight at Example Bank",
        "Bitcoin reclaims USD 40,000",
        "Shares soar to an all-time high",
        "Fed cuts rates",
        "No fraud at Acme, court says",
    ],
)
def test_good_news(text: str) -> None:
    assert polarity(text) > 0.15


@pytest.mark.parametrize(
    "text",
    [
        "Bitcoin Falls 0.22 %",
        "Bitcoin falls 5% after ETF approval",
        "Acme misses estimates, cuts guidance",
        "Losses widen at Acme",
        "Costs rise sharply",
        "Inflation jumps to 9%",
        "Bitcoin fails to rise",
        "Ether did not gain",
        "Exchange hacked: $200m stolen",
        "Lender files for bankruptcy",
        "SEC sues exchange",
        "Token -12% in early trade",
        "Acme downgraded to sell",
        "Coin sinks to lowest since March",
        "Bitcoin drops below $20,000",
        "Fed hikes rates",
        "ETF outflows surge",
        "Exchange halts withdrawals",
    ],
)
def test_bad_news(text: str) -> None:
    assert polarity(text) < -0.15


def test_a_text_without_cue_is_unsure_and_leans_nowhere() -> None:
    for text in ("Team moves office to Lisbon", "", "\u5e02\u5834", "Bitcoin", "long term interest rates"):
        reading = READER.read_one(text)
        assert reading == cues.NO_CUE
        assert reading.polarity == 0.0
        assert reading.p_neutral > reading.p_positive
        assert reading.certainty < 0.3


def test_a_guess_or_question_is_weaker_than_a_report() -> None:
    assert 0 < polarity("Bitcoin could rise?") < polarity("Bitcoin rises")


def test_another_class_order_would_fail_here() -> None:
    bullish, bearish = READER.read_one("Shares soar on record profit"), READER.read_one("Shares crash on fraud")
    assert bullish.p_positive > 0.6 > bullish.p_negative
    assert bearish.p_negative > 0.6 > bearish.p_positive


@given(
    st.lists(
        st.tuples(st.integers(0, len(lexicon.FAMILIES) - 1), st.sampled_from((-1, 1)), st.booleans()),
        min_size=1,
        max_size=8,
    ),
    st.booleans(),
    st.booleans(),
    st.frozensets(st.integers(0, len(lexicon.MARKERS) - 1)),
)
def test_turning_every_cue_round_swaps_the_probabilities(
    found: list[tuple[int, int, bool]], weakened: bool, question: bool, markers: frozenset[int]
) -> None:
    words = ("",) * len(found)
    one = cues.Scan(tuple(found), words, weakened, question, markers, 12)
    turned = one._replace(cues=tuple((f, -s, b) for f, s, b in found))
    a, b = cues._probabilities(*cues.features(one)), cues._probabilities(*cues.features(turned))
    assert a.p_negative == pytest.approx(b.p_positive, abs=1e-12)
    assert a.p_neutral == pytest.approx(b.p_neutral, abs=1e-12)


def test_one_weight_a_feature() -> None:
    odd, even = cues.features(cues.scan("Bitcoin rises"))
    assert (len(odd), len(even)) == (len(weights.DIRECTION), len(weights.EMPHASIS))


def test_no_cue_carries_both_signs_or_hides_behind_an_idiom() -> None:
    signs: dict[tuple[str, ...], int] = {}
    for phrase, (_, sign) in lexicon.PHRASES.items():
        assert signs.setdefault(phrase, sign) == sign
    assert not lexicon.IDIOMS & set(lexicon.PHRASES)


@pytest.mark.parametrize(
    ("tilde", "forms"),
    [
        ("rally~", {"rally", "rallies", "rallied", "rallying"}),
        ("drop~", {"drop", "drops", "dropped", "dropping"}),
        ("surge~", {"surge", "surges", "surged", "surging"}),
        ("crash~", {"crash", "crashes", "crashed", "crashing"}),
        ("gain~", {"gain", "gains", "gained", "gaining"}),
    ],
)
def test_regular_verbs(tilde: str, forms: set[str]) -> None:
    assert {phrase[0] for phrase in lexicon._entries(tilde)} == forms


@pytest.mark.realdata
def test_figures_on_headlines_it_never_saw(shared_data: Path) -> None:
    _, valid, held, dropped = fit.load(shared_data / "sentiment")
    twitter, entity = fit.evaluate(valid), fit.evaluate(held)
    assert dropped == 51
    assert twitter["accuracy"] >= 0.78
    assert twitter["macro_f1"] >= 0.72
    assert twitter["ece_where_it_speaks"] <= 0.04
    assert entity["accuracy"] >= 0.76
    assert twitter["neutral_share_where_silent"] > 0.8


@pytest.mark.realdata
def test_shipped_weights_are_the_fitted_ones(shared_data: Path) -> None:
    train, *_ = fit.load(shared_data / "sentiment")
    for shipped, fitted in zip((weights.DIRECTION, weights.EMPHASIS), fit.fit(train), strict=True):
        assert list(shipped) == pytest.approx(list(fitted), abs=5e-3)


def test_it_reads_thousands_a_second() -> None:
    texts = [f"Bitcoin rises {i}% as traders hope that losses narrow after the ETF approval" for i in range(2000)]
    begin = process_time()
    READER.read(texts)
    assert 2000 / (process_time() - begin) > 1500  # 8,000 on the machine this was written on
