"""Stories: what joins, what does not, and how new the first document is."""

from __future__ import annotations

import pytest

from confidence_engine.domain.units import DAY_NS, HOUR_NS
from confidence_engine.text.cues import CueReader
from confidence_engine.text.facts import facts
from confidence_engine.text.novelty import Novelty
from confidence_engine.text.plain import first_sentence, normalised, plain
from confidence_engine.text.reading import Params

BACKGROUND = [
    "Central bank keeps its policy unchanged", "Miners move to Texas for cheap power", "Court hears appeal of lender",
    "Retailer opens stores in Spain", "Minister speaks at payments summit", "Analysts compare oil and copper",
    "Wallet maker adds hardware keys", "Football club signs sponsor", "Fund manager publishes letter",
]  # fmt: skip

SAME = [
    ("Exchange Acme halts withdrawals after hack", "Acme exchange halts withdrawals following hack"),
    ("Tesla to accept Dogecoin for merchandise", "Tesla will accept Dogecoin for merchandise, Musk says"),
    ("Regulator approves first spot fund from Globex", "First Globex spot fund approved by regulator"),
    ("Lender Initech files for bankruptcy protection", "Crypto lender Initech files for bankruptcy"),
    ("Dubai school accepts tuition in bitcoin", "Dubai School to Accept Tuition Fees in Bitcoin"),
    ("Hooli buys $150 million of bitcoin", "Hooli buys another $150M of bitcoin"),
    ("Mining difficulty reaches record high", "Mining difficulty reaches a record high again"),
    ("Umbrella delays network merge to June", "Network merge delayed to June, Umbrella says"),
    ("Goldman offers first bitcoin-backed loan", "Goldman Sachs offers its first bitcoin-backed loan"),
    ("Wayne fund sells stake in exchange Acme", "Wayne fund sells its stake in Acme exchange"),
]
OTHER = [
    ("Bitcoin rises 5% after ETF approval", "Bitcoin falls 5% after ETF approval"),
    ("Apple beats", "Apple misses"),
    ("Apple beats quarterly estimates", "Apple misses quarterly estimates"),
    ("Bitcoin drops below $50,000", "Bitcoin drops below $42,000"),
    ("Price analysis 5/9: BTC, ETH", "Price analysis 5/11: BTC, ETH"),
    ("Bitcoin gains 12% in a day", "Bitcoin gains 31% in a day"),
    ("Hooli buys $150 million of bitcoin", "Hooli buys $300 million of bitcoin"),
    ("Regulator approves Globex fund", "Regulator rejects Globex fund"),
    ("Exchange Acme halts withdrawals", "Minister praises new payments law"),
    ("Lender raises guidance", "Lender cuts guidance"),
    ("Honduras will adopt bitcoin", "Honduras will not adopt bitcoin"),
    ("Losses narrow at Initech", "Losses widen at Initech"),
]


def sign(title: str) -> int:
    polarity = CueReader().read_one(title).polarity
    return 0 if abs(polarity) < 0.1 else 1 if polarity > 0 else -1


def engine() -> Novelty:
    made = Novelty(72 * HOUR_NS, Params().echo_from, 0.25, 14 * DAY_NS)
    for i, title in enumerate(BACKGROUND):
        made.place(facts(title), [9], 0, i)
    return made


@pytest.mark.parametrize("pair", SAME)
def test_the_same_story_joins(pair: tuple[str, str]) -> None:
    stories = engine()
    first = stories.place(facts(pair[0]), [0], sign(pair[0]), 100)
    second = stories.place(facts(pair[1]), [0], sign(pair[1]), 200)
    assert (first.opened, second.opened) == (True, False)
    assert second.cluster == first.cluster
    assert second.novelty[0] < 0.6


@pytest.mark.parametrize("pair", [*OTHER, *[(b, a) for a, b in OTHER]])
def test_another_story_does_not(pair: tuple[str, str]) -> None:
    stories = engine()
    first = stories.place(facts(pair[0]), [0], sign(pair[0]), 100)
    second = stories.place(facts(pair[1]), [0], sign(pair[1]), 200)
    assert second.opened
    assert second.cluster == first.cluster + 1
    assert second.novelty[0] >= 0.25


def test_a_verbatim_repeat_is_not_new_whatever_its_dress() -> None:
    stories = engine()
    first = stories.place(facts("Exchange Acme hacked"), [0], -1, 0)
    again = stories.place(facts("EXCHANGE  acme: hacked!"), [0], -1, 5)
    assert again.cluster == first.cluster
    assert again.novelty == {0: 0.0}


def test_a_common_asset_is_needed_and_the_window_ends() -> None:
    stories = engine()
    title = facts("Exchange Acme hacked")
    first = stories.place(title, [0], -1, 0)
    assert stories.place(title, [1], -1, 1).opened
    wider = stories.place(title, [0, 2], -1, 2)
    assert wider.cluster == first.cluster
    assert wider.novelty == {0: 0.0, 2: 0.25}  # the words are known, but not of this asset
    assert stories.place(title, [0], -1, 72 * HOUR_NS).cluster == first.cluster
    assert stories.place(title, [0], -1, 72 * HOUR_NS + 1).opened


def test_a_copy_is_the_voice_of_the_house_that_had_the_words_first() -> None:
    lede = "Exchange Acme lost forty million dollars to thieves who had taken over the accounts of two of its clerks."
    stories = engine()
    first = stories.place(facts("Acme hacked", lede), [0], -1, 0, "Herald")
    copy = stories.place(facts(lede), [0], -1, 5)
    told = stories.place(facts("Acme exchange hacked for forty million dollars by thieves"), [0], -1, 9, "Courier")
    assert (copy.cluster, copy.house, copy.novelty) == (first.cluster, "Herald", {0: 0.0})
    assert (told.cluster, told.house) == (first.cluster, "Courier")
    assert stories.place(facts("Acme hacked again", "Get the news of the day"), [0], -1, 10, "Herald").house == "Herald"


def test_one_known_house_seldom_tells_a_thing_twice_but_unknown_is_no_house() -> None:
    titles = "Lender Initech files for bankruptcy", "Initech files bankruptcy papers in Texas"
    joined = {}
    for house in ("Herald", "", "unknown"):
        stories = engine()
        stories.place(facts(titles[0]), [0], -1, 0, house)
        joined[house] = not stories.place(facts(titles[1]), [0], -1, HOUR_NS, house).opened
    assert joined == {"Herald": False, "": True, "unknown": True}


def test_from_one_on_every_document_is_its_own_story() -> None:
    stories = Novelty(72 * HOUR_NS, 1.0, 0.25, 14 * DAY_NS)
    assert [stories.place(facts("Exchange Acme hacked"), [0], -1, k).opened for k in range(3)] == [True] * 3


def test_novelty_is_what_is_not_similar_to_anything_known() -> None:
    stories = engine()
    stories.place(facts("Acme exchange halts withdrawals after hack"), [0], -1, 100)
    near = stories.place(facts("Regulator asks Acme exchange for its books"), [0], 0, 200).novelty[0]
    far = stories.place(facts("Farmers harvest early wheat in Umbria"), [0], 0, 300).novelty[0]
    assert 0.25 <= near < far <= 1.0
    stories = engine()
    stories.place(facts("Acme exchange halts withdrawals after hack"), [0], -1, 100)
    assert stories.place(facts("Acme exchange resumes withdrawals after hack"), [0], 1, 400).novelty[0] == 1.0


def test_an_undirected_story_takes_the_first_direction() -> None:
    stories = engine()
    first = stories.place(facts("Acme exchange withdrawals statement"), [0], 0, 0)
    bad = stories.place(facts("Acme exchange withdrawals statement today"), [0], -1, 1)
    good = stories.place(facts("Acme exchange withdrawals statement now"), [0], 1, 2)
    assert bad.cluster == first.cluster
    assert good.opened


def test_plain_words() -> None:
    assert plain("a\x00b\u202ec\ud800" + "x" * 5000).startswith("a b c")
    assert len(plain("\ufdfa" * 3000)) <= 2000
    assert normalised("  Bitcoin\u2019s  RISE! ") == "bitcoin s rise"
    assert first_sentence("The U.S. grew 3.5% today. Then it fell. End") == "The U.S. grew 3.5% today."
