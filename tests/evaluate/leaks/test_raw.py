"""Raw rows: out of the store and back, known when the rules say, and another future that leaves the past alone."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.evaluate.leaks.scenes import run, scene
from tests.simulated import config_file, fill

from confidence_engine.config import load
from confidence_engine.domain.document import Document, known_at
from confidence_engine.domain.event import SYNTHETIC
from confidence_engine.domain.units import DAY_NS, MINUTE_NS, SECOND_NS
from confidence_engine.evaluate.leaks.raw import another_future, cut, export, import_into, news_table, slice_of
from confidence_engine.feeds.store import Store


@pytest.mark.parametrize("synthetic", [False, True])
def test_what_is_exported_and_imported_is_what_was_stored(tmp_path: Path, synthetic: bool) -> None:
    config = load(config_file(tmp_path / "config"))
    store = Store(tmp_path / "one")
    fill(store, synthetic=synthetic)
    again = import_into(tmp_path / "two", export(store, config, 0, 2**62))
    assert again.is_synthetic() == synthetic
    for one in config.instruments():
        step = config.agent.interval_ns
        assert np.array_equal(store.bars(one.symbol, one.venue, step), again.bars(one.symbol, one.venue, step))
        assert np.array_equal(store.funding(one.symbol, one.venue), again.funding(one.symbol, one.venue))

    def words(of: Store) -> list[tuple[object, ...]]:
        return [(d.id, d.title, d.publisher, d.published_ns, d.first_seen_ns) for d in of.documents(0, 2**62)]

    assert words(store) == words(again)
    assert len(words(store)) > 100


@given(
    published=st.integers(10, 20_000_000), seen=st.none() | st.integers(0, 200_000), dated=st.booleans(),
    lag=st.integers(0, 7 * 24 * 60),
)  # fmt: skip
def test_a_headline_is_held_back_as_long_as_the_rule_of_the_engine_says(
    published: int, seen: int | None, dated: bool, lag: int
) -> None:
    at, lag_ns = published * MINUTE_NS, lag * MINUTE_NS
    at = at // DAY_NS * DAY_NS if dated else at + SECOND_NS
    first = None if seen is None else at + seen * MINUTE_NS
    one = Document("a", "archive", "p", "t", at, date_only=dated, first_seen_ns=first)
    assert news_table([one], lag_ns).knowable[0] == known_at(one, lag_ns)


def test_another_future_keeps_the_past_row_by_row_and_changes_what_comes_after() -> None:
    made, rng = scene(), np.random.default_rng(3)
    t = made.begin_ns + (made.end_ns - made.begin_ns) // 2
    other = {(one.kind, one.how.symbols): one.frame for one in another_future(made.tables, t, made.end_ns, rng)}
    for table in made.tables:
        if table.kind in ("scores", "corporate"):  # several files of one name, and two rows
            continue
        past = table.frame.filter(table.knowable <= t)
        found = other[table.kind, table.how.symbols]
        assert found.tail(len(past)).equals(past)
        later, changed = table.frame.filter(table.knowable > t), found.head(len(found) - len(past))
        assert len(later) > 5
        assert changed.sort(changed.columns).head(len(later)).rows() != later.sort(later.columns).rows()
        assert not set(changed.rows()) & set(later.rows()) or table.kind == "news"


def test_what_another_future_says_cannot_be_known_by_t_either() -> None:
    made, lag = scene(), scene().config.timing.news_lag_ns
    rng = np.random.default_rng(4)
    for t in (rng.integers(made.begin_ns + DAY_NS, made.end_ns - DAY_NS, 5)).tolist():
        news = next(one for one in another_future(made.tables, t, made.end_ns, rng) if one.kind == "news")
        past = int((next(one for one in made.tables if one.kind == "news").knowable <= t).sum())
        stamps, seen = news.frame["published_at"].dt.epoch("ns"), news.frame["first_seen"].dt.epoch("ns")
        for at, first in list(zip(stamps, seen, strict=True))[: len(stamps) - past]:
            dated = at % DAY_NS == 0
            one = Document("a", "archive", "p", "t", at, date_only=dated, first_seen_ns=first)
            assert known_at(one, lag) > t


def test_cut_and_slice_keep_rows_by_when_they_could_be_known() -> None:
    made = scene()
    t = made.begin_ns + 2 * DAY_NS
    assert all((table.knowable <= t).all() and len(table.frame) for table in cut(made.tables, t))
    inside = slice_of(made.tables, t, t + DAY_NS)
    assert all(((table.knowable >= t) & (table.knowable < t + DAY_NS)).all() for table in inside)
    assert sum(len(table.frame) for table in inside) < sum(len(table.frame) for table in made.tables)


def test_all_that_is_made_of_the_bundled_world_says_that_it_is_simulated() -> None:
    made = run()
    assert made.sources.synthetic
    assert (made.tape.events["marks"] & SYNTHETIC).all()
    again = another_future(scene().tables, scene().begin_ns + DAY_NS, scene().end_ns, np.random.default_rng(1))
    assert all(one.how.synthetic for one in (*again, *cut(scene().tables, scene().end_ns)))


@pytest.mark.parametrize("kind", ["bars", "funding", "news", "scores", "corporate"])
def test_the_scene_holds_every_kind_of_row(kind: str) -> None:
    assert any(table.kind == kind for table in scene().tables)
    assert msgspec.structs.asdict(scene().config)["agent"].evidence == ("news", "score")
