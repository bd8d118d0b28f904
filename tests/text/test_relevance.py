"""Entity linking: whole words, tickers in capitals, pairs, exclusions, shares."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.domain.document import Document
from confidence_engine.domain.instrument import Underlying
from confidence_engine.text.relevance import Linker, link

UNIVERSE = [
    Underlying("BTC", "crypto", "money", ("bitcoin",), ("BTC", "XBT"), ("bitcoin cash", "gold", "bitcoins anonymous")),
    Underlying("ETH", "crypto", "chain", ("ethereum", "ether"), ("ETH",), ("classic",)),
    Underlying("SOL", "crypto", "chain", ("solana",), ("SOL",)),
    Underlying("LINK", "crypto", "oracle", ("chainlink",), ("LINK",)),
    Underlying("OP", "crypto", "layer", (), ("OP",)),
    Underlying("AAPL", "equity", "tech", ("Apple",), ("AAPL",)),
    Underlying("T", "equity", "telecom", ("AT&T",), ("T",)),
    Underlying("XRP", "crypto", "payments", ("ripple",), ("XRP",), ("ripple effect", "ripples")),
    Underlying("BCH", "crypto", "money", ("bitcoin cash",), ("BCH",)),
]
LINKER = Linker(UNIVERSE)
NO_FORK = Linker(UNIVERSE[:-1])


def names(text: str, linker: Linker = LINKER) -> set[str]:
    return {UNIVERSE[index].name for index in linker.find(text)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Stop whether we solve or link the op-ed", set()),
        ("We link to it and sol is a word, eth too", set()),
        ("BITCOIN and Bitcoins, bitcoin's day", {"BTC"}),
        ("LINK and OP rally, SOL too", {"LINK", "OP", "SOL"}),
        ("$btc up, $ aapl too", {"BTC", "AAPL"}),
        ("#eth is moving", {"ETH"}),
        ("BTC/USD and eth/usdt and SOLUSDT", {"BTC", "ETH", "SOL"}),
        ("sol-perp funding", {"SOL"}),
        ("Bitcoin Cash falls", {"BCH"}),
        ("Bitcoin Gold falls, Ethereum Classic too", set()),
        ("Bitcoin and Bitcoin Cash fall", {"BTC", "BCH"}),
        ("Ether-based app", {"ETH"}),
        ("apple pie", set()),
        ("Apple pie maker", {"AAPL"}),
        ("AT&T plans, T minus ten", {"T"}),
        ("T minus ten", set()),
        ("$t gains", {"T"}),
        ("SELL ALL YOUR LINK NOW", set()),
        ("SELL ALL YOUR $LINK AND BITCOIN NOW", {"LINK", "BTC"}),
        ("sent ripples through markets; a ripple effect", set()),
        ("Ripple wins", {"XRP"}),
        ("\uff22itcoin in wide letters", {"BTC"}),
        ("The\u00c2\\xa0Bitcoin\u00c2\\xa0price", {"BTC"}),
        ("ethBTCx bitcoiners", set()),
    ],
)
def test_what_is_named(text: str, expected: set[str]) -> None:
    assert names(text) == expected


def test_an_excluded_phrase_is_nothing_where_the_fork_is_not_in_the_universe() -> None:
    assert names("Bitcoin Cash falls", NO_FORK) == set()
    assert names("Bitcoin beats Bitcoin Cash", NO_FORK) == {"BTC"}


def document(title: str, text: str = "", symbols: tuple[str, ...] = ()) -> Document:
    return Document("1", "test", "paper", title, 0, text, symbols=symbols)


def relevances(one: Document) -> dict[str, tuple[float, str]]:
    found = link(one, LINKER, {"BTC/USDT": 0, "SOL/USDT": 2}, 0.5, 0.7, 0.5)
    return {UNIVERSE[m.underlying].name: (m.relevance, m.where) for m in found}


def test_relevance_by_place_and_company() -> None:
    assert relevances(document("Bitcoin rises")) == {"BTC": (1.0, "title")}
    both = relevances(document("Bitcoin and Ether rise", "Solana fell."))
    assert both["BTC"] == both["ETH"] == (pytest.approx(0.5**0.5), "title")
    assert both["SOL"] == (0.5, "text")
    assert relevances(document("Markets today", symbols=("BTC/USDT", "DOGE/USDT"))) == {"BTC": (0.7, "declared")}
    assert relevances(document("Markets today", "Bitcoin fell", ("BTC/USDT",))) == {"BTC": (0.7, "declared")}
    assert relevances(document("Markets today", symbols=("DOGE/USDT",))) == {}


@given(st.text(max_size=400))
def test_any_text(text: str) -> None:
    for index, word in LINKER.find(text).items():
        assert 0 <= index < len(UNIVERSE)
        assert word


@given(
    st.lists(
        st.sampled_from(["stop", "whether", "solve", "blinked", "ethics", "solid", "Bitcoiner", "top"]), max_size=9
    )
)
def test_parts_of_words_never_match(words: list[str]) -> None:
    assert names(" ".join(words)) == set()


# Whole markets.

MARKETS = [
    *UNIVERSE[:2],
    Underlying("CRYPTO", "crypto", "market", ("crypto", "altcoins"), (), ("exchange",), market=True),
    Underlying("EQUITIES", "equity", "market", ("stocks", "stock market"), market=True),
]


def about(title: str, text: str = "", symbols: tuple[str, ...] = ()) -> dict[str, float]:
    document = Document("1", "test", "paper", title, 0, text=text, symbols=symbols)
    found = link(document, Linker(MARKETS), {"BTC/USDT": 0, "ETH/USDT": 1}, 0.5, 0.7, 0.5)
    return {MARKETS[one.underlying].name: round(one.relevance, 6) for one in found}


@pytest.mark.parametrize(
    ("title", "text", "symbols", "expected"),
    [
        ("Crypto slides as altcoins bleed", "", (), {"CRYPTO": 1.0}),
        ("Crypto and stocks slide", "", (), {"CRYPTO": 0.707107, "EQUITIES": 0.707107}),
        ("Regulators meet", "The crypto sector waits.", (), {"CRYPTO": 0.5}),
        ("A crypto exchange is bought", "", (), {}),
        ("Bitcoin leads crypto lower", "", (), {"BTC": 1.0}),
        ("Crypto slides", "Bitcoin lost most.", (), {"BTC": 0.5}),
        ("Crypto slides", "", ("ETH/USDT",), {"ETH": 0.7}),
        ("Crypto slides", "", ("XYZ",), {"CRYPTO": 1.0}),
        ("The stock market rallies", "", (), {"EQUITIES": 1.0}),
    ],
)
def test_a_market_is_what_a_text_is_about_where_it_names_no_asset(
    title: str, text: str, symbols: tuple[str, ...], expected: dict[str, float]
) -> None:
    assert about(title, text, symbols) == expected
