"""What tells one story from another: words, numbers, and direction that may not turn."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.text.facts import contrast, facts, share_a_value
from confidence_engine.text.plain import plain

TURNED = """rises falls, rise fall, rose fell, rising falling, gains loses, gained lost, surges plunges, surge plunge,
surged plunged, jumps drops, jump drop, jumped dropped, climbs slides, soars crashes, soared crashed, rallies tumbles,
up down, higher lower, above below, bullish bearish, bulls bears, bull bear, approves rejects, approved rejected,
beats misses, upside downside, inflows outflows, buys sells, recovers declines, recovered declined, increase decrease,
increased decreased, optimistic pessimistic, strong weak"""
OPPOSITE = {}
for pair in TURNED.replace("\n", " ").split(","):
    one, two = pair.split()
    OPPOSITE[one], OPPOSITE[two] = two, one
_TURN = re.compile(r"\b(" + "|".join(sorted(OPPOSITE, key=len, reverse=True)) + r")\b", re.IGNORECASE)


def turned(title: str) -> str:
    """The title with every direction word of the table replaced by its opposite."""

    def other(found: re.Match[str]) -> str:
        word = OPPOSITE[found.group().lower()]
        return word.capitalize() if found.group()[0].isupper() else word

    return _TURN.sub(other, title)


def test_numbers_and_words_of_a_title() -> None:
    made = facts("Hooli buys $1.2bn of bitcoin at 45,000, up 12% in 24 hours since 2021")
    assert made.amounts == (45_000.0, 1.2e9)
    assert made.numbers == {12.0}
    assert "hooli" in made.words
    assert made.head == made.words


def test_the_first_sentence_of_the_text_counts() -> None:
    made = facts("Acme halts withdrawals", "Exchange Acme lost $40M to a hack. Bitcoin stood at 30,000.")
    assert made.amounts == (4e7,)
    assert {"exchang", "hack"} <= made.words - made.head
    assert "bitcoin" not in made.words
    assert made.lede.startswith("exchange acme lost 40m to a hack bitcoin")
    assert facts(" !! ", "Acme halts withdrawals.").title == "acme halts withdrawals"


@pytest.mark.parametrize(("a", "b", "share"), [
    ((38_000.0,), (38_200.0,), True), ((38_000.0,), (38_500.0,), False), ((1e9, 5.0), (5.0,), True),
    ((), (1.0,), False),
])  # fmt: skip
def test_amounts_agree_within_a_per_cent(a: tuple[float, ...], b: tuple[float, ...], share: bool) -> None:
    assert share_a_value(a, b) == share_a_value(b, a) == share


CONTRARY = [
    ("Bitcoin drops as gold rises", "Bitcoin rises as gold drops"),
    ("Honduras will adopt bitcoin", "Honduras will not adopt bitcoin"),
    ("Russia will join the pact on mining", "Russia won't join the pact on mining"),
    ("Traders open the year on a bull note", "Traders open the year on a bear note"),
    ("Losses narrow at Initech", "Losses widen at Initech"),
    ("Bitcoin slumps after a weak report", "BTC soars"),
]
ALIKE = [
    ("Exchange Acme halts withdrawals after hack", "Acme halts withdrawals following hack"),
    ("Bitcoin falls below 20,000", "BTC drops under $20K"),
    ("Miner buys 500 machines", "Miner adds 500 machines"),
]


@pytest.mark.parametrize(("a", "b"), CONTRARY)
def test_opposite_titles_contrast(a: str, b: str) -> None:
    assert contrast(facts(a), facts(b))
    assert contrast(facts(b), facts(a))


@pytest.mark.parametrize(("a", "b"), ALIKE)
def test_other_words_for_one_direction_do_not(a: str, b: str) -> None:
    assert not contrast(facts(a), facts(b))


WORDS = ["bitcoin", "acme", "ether", "price", "after", "report", "fund", *sorted(OPPOSITE)]


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(" ".join))
def test_nothing_contrasts_with_itself_and_turning_is_mutual(title: str) -> None:
    face, other = facts(title), facts(turned(title))
    assert not contrast(face, face)
    assert contrast(face, other) == contrast(other, face)


@pytest.mark.realdata
def test_a_real_title_turned_round_always_contrasts(shared_data: Path) -> None:
    import polars as pl

    titles = pl.read_parquet(shared_data / "news" / "crypto_news_2021-10_2022-07.parquet")["title"].to_list()
    pairs = [(plain(title), turned(plain(title))) for title in titles]
    pairs = [(title, other) for title, other in pairs if title != other]
    kept = [title for title, other in pairs if not contrast(facts(title), facts(other))]
    assert len(pairs) > 1_000
    assert kept == []
