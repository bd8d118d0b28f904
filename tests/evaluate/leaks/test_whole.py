"""All checks over stores as they come: with holes in the bars, with news that ended before, with bars alone."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from tests.evaluate.leaks.scenes import scene

from confidence_engine.domain.units import DAY_NS, HOUR_NS
from confidence_engine.evaluate.leaks import Scene, Scope, audit
from confidence_engine.evaluate.leaks.raw import Table
from confidence_engine.evaluate.leaks.rebuilt import FUTURE, TRUNCATION, known_symbols
from confidence_engine.evaluate.leaks.whole import moments_of
from confidence_engine.text.cues import CueReader

LITTLE = Scope(moments=4, cuts=20, probes=2)


def quiet(told: str) -> None:
    del told


def without(table: Table, from_days: float, to_days: float) -> Table:
    begin = scene().begin_ns
    kept = (table.knowable < begin + from_days * DAY_NS) | (table.knowable >= begin + to_days * DAY_NS)
    return table._replace(frame=table.frame.filter(pl.Series(kept)), knowable=table.knowable[kept])


def holed(from_days: float, to_days: float) -> Scene:
    """The scene without its bars of these days, counted from its begin."""
    tables = [without(one, from_days, to_days) if one.kind == "bars" else one for one in scene().tables]
    return scene()._replace(tables=tables)


def untold(from_days: float) -> Scene:
    """The scene in which nothing is told from that day on, and bars begin a day later."""
    tables = [without(one, 0, from_days + 1) if one.kind == "bars" else one for one in scene().tables]
    tables = [without(one, from_days, 99) if one.kind in ("news", "scores") else one for one in tables]
    begin = min(int(one.knowable[0]) for one in tables if one.kind == "bars") - 30 * 60 * 1_000_000_000
    return scene()._replace(tables=[one for one in tables if len(one.frame)], begin_ns=begin)


def test_a_hole_in_the_bars_ends_no_audit_and_moments_in_it_are_counted() -> None:
    found = audit(holed(0.9, 4.2), CueReader, LITTLE, quiet)
    checks = {one["name"]: one for one in found["checks"]}
    assert found["leaks"] == 0
    assert found["moments_without_bars"] > 0
    assert checks[FUTURE]["n"] == checks[TRUNCATION]["n"] == 4
    assert checks[FUTURE]["bars"] > 0


def test_news_that_ended_before_the_bars_begin_leave_a_whole_span() -> None:
    made = untold(1.0)
    assert made.told_ns == made.end_ns
    found = audit(made, CueReader, LITTLE, quiet)
    assert found["leaks"] == 0
    assert [one["n"] for one in found["checks"][:2]] == [4, 4]


def test_what_is_told_last_in_a_hole_ends_with_the_bar_before_it() -> None:
    made = holed(3.0, 5.0)
    tables = [without(one, 4.0, 99) if one.kind in ("news", "scores") else one for one in made.tables]
    told = made._replace(tables=tables).told_ns
    assert told == max(int(one.knowable[one.knowable < told].max()) for one in tables if one.kind == "bars") + 1
    assert 0 <= made.begin_ns + 3 * DAY_NS - told < HOUR_NS


@pytest.mark.parametrize("count", [1, 12, 25])
def test_as_many_moments_are_looked_at_as_were_asked_for(count: int) -> None:
    bars = [one for one in scene().tables if one.kind == "bars"]
    for made in (scene(), scene()._replace(tables=bars), holed(2.0, 5.0)):
        moments, skipped = moments_of(made, count, DAY_NS, HOUR_NS, np.random.default_rng(count))
        assert len(moments) == count
        assert moments == sorted(moments)
        assert all(known_symbols(made.tables, t, t - 3 * DAY_NS // 4) for t in moments)
        assert made is not scene() or skipped == 0
    assert count == 1 or skipped > 0


def test_where_no_moment_has_bars_none_is_looked_at() -> None:
    made = scene()._replace(tables=[one for one in scene().tables if one.kind != "bars"])
    assert moments_of(made, 3, DAY_NS, HOUR_NS, np.random.default_rng(1)) == ([], 150)


def test_a_symbol_that_was_silent_so_long_is_not_among_the_known() -> None:
    made = scene()
    t = made.begin_ns + 3 * DAY_NS
    first, *others = (one for one in made.tables if one.kind == "bars")
    tables = [without(first, 1.0, 4.0), *others]
    symbols = [one.how.symbols[0] for one in tables]
    assert known_symbols(tables, t) == symbols
    assert known_symbols(tables, t, t - DAY_NS) == symbols[1:]
