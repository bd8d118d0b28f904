"""The table of readings: order, causality, verdicts, and any text at all."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.domain.document import Document, Reading, known_at
from confidence_engine.domain.event import signal_cluster, signal_events, signal_polarity
from confidence_engine.domain.instrument import Underlying
from confidence_engine.domain.params import bounds_of, params_dtype
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS
from confidence_engine.text.cues import CueReader
from confidence_engine.text.reading import (
    EMPTY,
    MARKET_STORIES,
    NAMES_NO_ASSET,
    ROW,
    SILENT,
    TWICE,
    Listener,
    Params,
    Readings,
    read_documents,
)
from confidence_engine.text.relevance import Linker

UNIVERSE = [
    Underlying("BTC", "crypto", "money", ("bitcoin",), ("BTC",), ("cash",)),
    Underlying("ETH", "crypto", "chain", ("ethereum", "ether"), ("ETH",)),
]
LAG = 5 * MINUTE_NS
SYMBOLS = {"BTC/USDT": "BTC", "ETH/USDT": "ETH"}


def read(documents: Sequence[Document], params: Params | None = None) -> Readings:
    return read_documents(documents, UNIVERSE, CueReader(), params or Params(), LAG, SYMBOLS)


def item(key: str, title: str, at: int = 0, publisher: str = "paper", **rest: object) -> Document:
    return Document(key, "test", publisher, title, at, **rest)  # type: ignore[arg-type]


WORDS = ["bitcoin", "ether", "ETH", "rises", "falls", "hack", "approval", "5%", "7%", "$40,000", "exchange"]
WORDS += ["miners", "fund", "report", "not", "losses", "narrow"]
TITLES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
DOCUMENTS = st.lists(
    st.builds(
        Document,
        id=st.integers(0, 30).map(str),
        source=st.just("test"),
        publisher=st.sampled_from(("b", "a", "c")),
        title=TITLES,
        published_ns=st.integers(0, 20).map(lambda hour: hour * 8 * HOUR_NS),
        text=st.sampled_from(("", "Bitcoin slumped. More below.", "Nothing")),
        symbols=st.sampled_from(((), ("ETH/USDT",), ("XYZ",))),
        date_only=st.booleans(),
    ),
    max_size=12,
)


@given(DOCUMENTS, st.randoms(use_true_random=False))
def test_the_order_of_the_documents_does_not_matter(documents: list[Document], shuffle: random.Random) -> None:
    one = read(documents)
    mixed = list(documents)
    shuffle.shuffle(mixed)
    other = read(mixed)
    assert one.rows.tobytes() == other.rows.tobytes()
    assert one[1:] == other[1:]


@given(DOCUMENTS, DOCUMENTS, st.integers(0, 160))
def test_what_becomes_known_later_changes_no_row(documents: list[Document], later: list[Document], hour: int) -> None:
    at = hour * HOUR_NS
    before = [one for one in documents if known_at(one, LAG) <= at]
    whole, cut = read(documents), read(before)
    replaced = read(before + [one for one in later if known_at(one, LAG) > at])
    for other in (whole, replaced):
        rows = other.rows[other.rows["known_ns"] <= at]
        assert rows.tobytes() == cut.rows.tobytes()
        assert other.publishers[: len(cut.publishers)] == cut.publishers
        assert other.verdicts[: len(before)] == cut.verdicts


@given(DOCUMENTS)
def test_rows_are_in_bounds(documents: list[Document]) -> None:
    made = read(documents)
    rows = made.rows
    assert rows.dtype == ROW
    assert np.all(np.diff(rows["known_ns"]) >= 0)
    assert np.all(np.abs(rows["polarity"]) <= 1.0)
    for name in ("certainty", "novelty"):
        assert np.all((rows[name] >= 0) & (rows[name] <= 1))
    assert np.all((rows["relevance"] > 0) & (rows["relevance"] <= 1))
    assert set(rows["cluster"]) == set(range(made.clusters))
    assert len(made.verdicts) == len(made.documents) == len(documents)
    assert {int(i) for i in rows["document"]} == {i for i, v in enumerate(made.verdicts) if v.accepted}
    assert all(verdict.accepted != bool(verdict.reason) for verdict in made.verdicts)


@given(st.lists(st.text(max_size=200), max_size=6))
def test_no_text_raises(texts: list[str]) -> None:
    read([item(str(i), f"{text} BTC {text}", i, text=text) for i, text in enumerate(texts)])


def test_long_texts_are_cut_and_counted() -> None:
    made = read([item("1", "Bitcoin rises " + "x " * 5000), item("2", "Bitcoin falls")], Params(min_certainty=0.0))
    assert made.capped == 1
    assert len(made.rows) == 2


def test_times() -> None:
    dated = item("1", "Bitcoin rises", 3 * DAY_NS, date_only=True)
    seen = item("2", "Bitcoin falls", 0, first_seen_ns=7 * HOUR_NS)
    stamped = item("3", "Ether rises", HOUR_NS)
    rows = read([dated, seen, stamped]).rows
    assert rows["known_ns"].tolist() == [HOUR_NS + LAG, 7 * HOUR_NS, 4 * DAY_NS + LAG]
    assert rows["published_ns"].tolist() == [HOUR_NS, 0, 3 * DAY_NS]


def test_verdicts_say_why() -> None:
    documents = [
        item("1", "Bitcoin rises", 1),
        item("1", "Bitcoin rises", 2),
        item("2", "Gold rises", 3),
        item("3", " \x00\u202e!! ", 4),
        item("4", "Bitcoin Cash rises", 5),
    ]
    verdicts = read(documents).verdicts
    assert [verdict.reason for verdict in verdicts] == ["", TWICE, NAMES_NO_ASSET, EMPTY, NAMES_NO_ASSET]
    assert verdicts[0].mentions[0].word == "Bitcoin"
    assert verdicts[0].read == "Bitcoin rises"


def test_no_documents_is_no_reading() -> None:
    made = read([])
    assert len(made.rows) == 0
    assert (made.publishers, made.clusters) == ([], 0)
    assert read([item("1", "Gold rises")]).rows.size == 0


def test_the_lede_is_read_only_where_the_title_says_nothing() -> None:
    silent = item("1", "Bitcoin today", 0, text="Bitcoin slumped to a new low. It rose later.")
    loud = item("2", "Bitcoin rises", 1, text="Bitcoin slumped to a new low.")
    first, second = read([silent, loud]).verdicts
    assert first.reading is not None
    assert first.reading.polarity < -0.3
    assert first.read == "Bitcoin slumped to a new low."
    assert second.reading is not None
    assert second.reading.polarity > 0.3


def test_a_reader_that_cannot_tell_may_be_left_out() -> None:
    silent, loud = item("1", "Bitcoin today"), item("2", "Bitcoin rises")
    asked = read([silent, loud], Params(min_certainty=0.0))
    assert asked.rows["document"].tolist() == [0, 1]
    certainty = asked.rows["certainty"].tolist()
    assert certainty[0] < Params().min_certainty < certainty[1]
    usual = read([silent, loud])
    assert usual.rows["document"].tolist() == [1]
    assert [verdict.reason for verdict in usual.verdicts] == [SILENT, ""]
    assert read([silent], Params(min_certainty=certainty[0])).rows.size == 1


def test_a_repeat_by_the_same_publisher_brings_no_novelty() -> None:
    copies = [item(str(i), "Exchange hacked, bitcoin stolen", i * MINUTE_NS) for i in range(5)]
    rows = read(copies).rows
    assert rows["cluster"].tolist() == [0] * 5
    assert rows["novelty"].tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]


def test_publishers_at_one_moment_are_numbered_by_name() -> None:
    made = read([item("1", "Bitcoin rises", 0, "z"), item("2", "Ether falls", 0, "a"), item("0", "BTC jumps", 9, "m")])
    assert made.publishers == ["a", "z", "m"]


def test_all_items_without_a_publisher_are_one_publisher() -> None:
    nobody = [item("1", "Exchange hacked, bitcoin stolen", 0, ""), item("2", "Bitcoin stolen, exchange hacked", 5, "")]
    known = item("3", "Bitcoin stolen as exchange is hacked", 9, "paper")
    made = read([*nobody, known, item("4", "Ether rises", 99, "unknown")])
    assert made.publishers == ["unknown", "paper"]
    assert made.rows["publisher"].tolist() == [0, 0, 1, 0]
    assert made.rows["cluster"][0] == made.rows["cluster"][1]


def test_any_reader_behind_the_port() -> None:
    class Flat:
        name, version = "flat", "1"

        def read(self, texts: Sequence[str]) -> list[Reading]:
            return [Reading(0.1, 0.2, 0.7) for _ in texts]

    made = read_documents([item("1", "Bitcoin falls")], UNIVERSE, Flat(), Params(), LAG, {})
    assert made.rows["polarity"].tolist() == pytest.approx([0.6])


def _python(stage: Any) -> Any:
    """The plain function of a stage: a compiled one may only be called by compiled code."""
    return getattr(stage, "py_func", stage)


def test_columns_make_events() -> None:
    made = read([item("1", "Bitcoin and ether rise", 5), item("2", "Bitcoin crashes", 9)])
    events = signal_events(*made.signal_columns())
    assert events["asset"].tolist() == [0, 1, 0]
    assert [_python(signal_cluster)(event) for event in events] == [0.0, 0.0, 1.0]
    assert _python(signal_polarity)(events[2]) < 0
    assert np.all(events["ts_known"] == events["ts_event"] + LAG)


def test_params_are_within_their_bounds() -> None:
    for name, (_, bound) in bounds_of(Params).items():
        value = getattr(Params(), name)
        assert bound is not None
        if bound.unit == "name":
            assert value in bound.choices if bound.choices else value
        else:
            assert bound.low <= value <= bound.high
    assert params_dtype(Params).names == Params._fields


@pytest.mark.realdata
def test_the_recorded_bitcoin_archive(shared_data: Path) -> None:
    import polars as pl

    frame = pl.read_parquet(shared_data / "news" / "btc_news_2021-11_2024-02.parquet").head(3000)
    stamps = frame["published_at"].dt.epoch("us").to_list()
    documents = [
        item(str(i), title, at * 1000) for i, (title, at) in enumerate(zip(frame["title"], stamps, strict=True))
    ]
    made = read(documents)
    share = np.mean([verdict.accepted for verdict in made.verdicts])
    silent = np.mean([verdict.reason == SILENT for verdict in made.verdicts])
    assert 0.25 < share < 0.45
    assert 0.15 < silent / (share + silent) < 0.5  # of those that name the coin
    assert np.mean(made.rows["polarity"] == 0) < 0.05  # no cue is no reading
    assert 0.95 * share * len(documents) < made.clusters <= share * len(documents) + 1e-6


# Whole markets.

WITH_MARKET = [*UNIVERSE, Underlying("CRYPTO", "crypto", "market", ("crypto",), market=True)]


@given(DOCUMENTS, st.lists(st.tuples(TITLES, st.integers(0, 60)), max_size=12))
def test_what_is_said_of_the_market_changes_no_row_of_an_asset(
    documents: list[Document], more: list[tuple[str, int]]
) -> None:
    told = [item(f"m{k}", f"crypto {title}", hour * 8 * HOUR_NS) for k, (title, hour) in enumerate(more)]
    told = [one for one in told if not Linker(UNIVERSE).find(one.title)]
    plain = read_documents(documents, UNIVERSE, CueReader(), Params(), LAG, SYMBOLS)
    both = read_documents([*documents, *told], WITH_MARKET, CueReader(), Params(), LAG, SYMBOLS)
    assets, market = both.rows[both.rows["underlying"] < 2], both.rows[both.rows["underlying"] == 2]
    for name in ("underlying", "known_ns", "polarity", "certainty", "novelty", "relevance", "cluster"):
        assert np.array_equal(assets[name], plain.rows[name]), name
    assert np.all(market["cluster"] >= MARKET_STORIES)
    assert both.clusters == plain.clusters + len(set(market["cluster"].tolist()))


def listener() -> Listener:
    return Listener(UNIVERSE, CueReader(), Params(), LAG, SYMBOLS)


@given(DOCUMENTS, st.sets(st.integers(0, 30)))
def test_a_listener_that_is_cut_anywhere_hears_the_same(documents: list[Document], restarts: set[int]) -> None:
    whole = read(documents)
    heard, parts = listener(), []
    moments = itertools.groupby(sorted(documents, key=lambda one: known_at(one, LAG)), lambda one: known_at(one, LAG))
    for k, (_, some) in enumerate(moments):
        if k in restarts:  # a new process takes over from what this one remembered
            kept = msgspec.msgpack.encode(heard.memory(), order="deterministic")
            heard = listener()
            heard.remember(msgspec.msgpack.decode(kept))
            assert msgspec.msgpack.encode(heard.memory(), order="deterministic") == kept
        parts.append(heard.hear(list(some)))
    rows = np.concatenate([np.zeros(0, ROW), *(one.rows for one in parts)])
    assert rows.tobytes() == whole.rows.tobytes()
    assert [verdict for one in parts for verdict in one.verdicts] == whole.verdicts
    assert heard.publishers == whole.publishers
    assert not parts or (parts[-1].clusters, parts[-1].capped) == (whole.clusters, whole.capped)


def test_what_is_over_is_forgotten() -> None:
    heard, held = listener(), []
    for day in range(200):
        said = [
            item(f"{day}-{k}", f"Bitcoin {word} {day}{k} coins {word}", day * DAY_NS) for k, word in enumerate(WORDS)
        ]
        heard.hear(said)
        held.append(len(msgspec.msgpack.encode(heard.memory())))
    assert max(held[100:]) < 1.1 * max(held[70:100])
