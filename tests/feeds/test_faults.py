"""Faults done on purpose: from a seed, never early, each told, and none at rate 0."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidence_engine.config.values import key_of
from confidence_engine.domain.document import Document
from confidence_engine.domain.params import bounds_of
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from confidence_engine.feeds import faults, health
from confidence_engine.feeds.clean import BAR_ROW
from confidence_engine.feeds.delivery import BARS, DOCUMENTS, Delivery, Moment

BAR = 5 * MINUTE_NS
START = 19_000 * DAY_NS
KEYS = ("A/USDT@v", "B/USDT@v")
DAYS = 3
MOST = faults.Params(
    silent_a_day=1.0, deaths_a_day=3.0, late_share=0.05, revised_share=0.05, duplicate_share=0.05,
    out_of_order_share=0.05, broken_share=0.05, contradiction_share=0.3, clock_jumps_a_day=2.0,
)  # fmt: skip


def clean(keys: tuple[str, ...] = KEYS, days: int = DAYS) -> Iterator[Moment]:
    """Bars of some assets and a document an hour."""
    for k in range(days * DAY_NS // BAR):
        at = START + (k + 1) * BAR + SECOND_NS
        row = np.array([(START + k * BAR, START + (k + 1) * BAR, 100.0, 102.0, 99.0, 101.0, 5.0)], BAR_ROW)
        items = [Delivery(at, BARS, key, row) for key in keys]
        if k % 12 == 0:
            said = Document(f"d{k}", "s", "House", "Bitcoin rises on record profit", at - MINUTE_NS)
            items.append(Delivery(at, DOCUMENTS, "", None, (said,)))
        yield Moment(at, tuple(items))


def flat(moments: Iterator[Moment]) -> list[tuple[object, ...]]:
    """What can be compared of every delivery."""
    return [
        (at, one.at_ns, one.kind, one.key, None if one.rows is None else one.rows.tobytes(), one.documents)
        for at, items, _ in moments
        for one in items
    ]  # fmt: skip


def test_no_rate_no_fault() -> None:
    moments, truth = faults.spoil(clean(), faults.Params(), 1)
    assert flat(moments) == flat(clean())
    assert truth == []


def test_equal_seeds_give_equal_faults_and_others_others() -> None:
    runs = []
    for seed in (1, 1, 2):
        moments, truth = faults.spoil(clean(), MOST, seed)
        runs.append((flat(moments), truth))
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    assert {one.name for one in runs[0][1]} | {one.name for one in runs[2][1]} == set(faults.NAMES)


def test_a_streams_faults_do_not_hang_on_other_streams() -> None:
    for params in (MOST._replace(deaths_a_day=0.0, clock_jumps_a_day=0.0),):
        both, _ = faults.spoil(clean(), params, 3)
        alone, _ = faults.spoil(clean(KEYS[1:]), params, 3)
        assert [one for one in flat(both) if one[3] == KEYS[1]] == [one for one in flat(alone) if one[3] == KEYS[1]]


@given(st.integers(0, 1000))
def test_nothing_comes_before_it_was_known_and_time_only_rises(seed: int) -> None:
    moments, _ = faults.spoil(clean(days=1), MOST, seed)
    last = 0
    for at, items, _ in moments:
        assert at > last
        assert items
        last = at
        for one in items:
            if one.rows is not None:
                assert at >= int(one.rows["close_ns"][0]) + SECOND_NS
            assert one.at_ns - at in (0, *faults.JUMPS_NS)


def test_a_later_delivery_changes_no_earlier_one() -> None:
    half, _ = faults.spoil(clean(days=2), MOST, 5)
    whole, _ = faults.spoil(clean(days=4), MOST, 5)
    before, end = flat(half), START + 2 * DAY_NS
    assert [one for one in flat(whole) if one[0] <= end] == [one for one in before if one[0] <= end]  # type: ignore[operator]


@pytest.mark.parametrize(("lost", "names"), [(0.0, {"silent", "died"}), (1.0, {"lost", "lost in death"})])
def test_what_a_silence_swallows_comes_at_its_end_or_never(lost: float, names: set[str]) -> None:
    params = faults.Params(silent_a_day=3.0, deaths_a_day=2.0, lost_share=lost)
    moments, truth = faults.spoil(clean(), params, 4)
    came = flat(moments)
    assert {one.name for one in truth} == names
    rows = len(flat(clean()))
    assert len(came) == (rows if lost == 0.0 else rows - len(truth))
    for one in truth:
        assert (one.came_ns > one.known_ns) if lost == 0.0 else (one.came_ns == -1)


def bars_of(params: faults.Params, seed: int = 6) -> tuple[list[tuple[int, np.ndarray]], list[faults.Fault]]:
    moments, truth = faults.spoil(clean(KEYS[:1]), params, seed)
    return [(at, one.rows[0]) for at, items, _ in moments for one in items if one.rows is not None], truth


def test_a_revised_bar_is_first_wrong_in_time_and_then_right() -> None:
    rows, truth = bars_of(faults.Params(revised_share=0.1, revised_by=0.01))
    assert len(truth) > 50
    for one in truth:
        first, second = [(at, row) for at, row in rows if row["close_ns"] == one.ts_event]
        assert first[0] == one.known_ns == one.came_ns
        assert first[1]["c"] == pytest.approx(101.0 * (1 + one.value))
        assert first[1]["l"] <= first[1]["c"] <= first[1]["h"]
        assert (second[0] > first[0], float(second[1]["c"])) == (True, 101.0)


def test_a_duplicate_is_the_same_and_out_of_order_comes_after_the_next() -> None:
    rows, truth = bars_of(faults.Params(duplicate_share=0.1))
    for one in truth:
        first, second = [row for _, row in rows if row["close_ns"] == one.ts_event]
        assert first == second
    rows, truth = bars_of(faults.Params(out_of_order_share=0.1))
    order = [int(row["close_ns"]) for _, row in rows]
    for one in truth:
        if one.came_ns >= 0:
            assert one.ts_event < max(order[: order.index(one.ts_event)])
    assert sum(b < a for a, b in itertools.pairwise(order)) > 40


def test_a_late_bar_is_late_by_no_more_than_said() -> None:
    rows, truth = bars_of(faults.Params(late_share=0.2, late_by_ns=3 * MINUTE_NS))
    at = {int(row["close_ns"]): known for known, row in rows}
    for one in truth:
        assert 0 < at[one.ts_event] - one.known_ns <= 3 * MINUTE_NS + 1
        assert at[one.ts_event] == one.came_ns


def test_a_broken_bar_breaks_in_four_ways() -> None:
    _, truth = bars_of(faults.Params(broken_share=0.2))
    assert {one.value for one in truth} == {0.0, 1.0, 2.0, 3.0}


def test_a_publisher_says_the_opposite_shortly_after_under_a_new_id() -> None:
    moments, truth = faults.spoil(clean(), faults.Params(contradiction_share=1.0), 2)
    said = [(at, d) for at, items, _ in moments for one in items for d in one.documents]
    assert len(said) == 2 * len(truth) == 2 * DAYS * 24
    first = {d.id: (at, d) for at, d in said}
    for at, d in said:
        if d.id.endswith("-contradiction"):
            was_at, was = first[d.id.removesuffix("-contradiction")]
            assert d.title == "Bitcoin falls on fraud loss"
            assert d.publisher == was.publisher
            assert 0 < at - was_at <= 10 * MINUTE_NS + 1
            assert d.published_ns - was.published_ns == at - was_at


def test_what_has_no_direction_is_denied() -> None:
    plain = Document("x", "s", "House", "Bitcoin conference opens", START)
    assert faults.opposite(plain, 9).title == "Not true: Bitcoin conference opens"


def test_a_clock_jumps_and_is_set_right() -> None:
    moments, truth = faults.spoil(clean(), faults.Params(clock_jumps_a_day=4.0, clock_ns=HOUR_NS), 8)
    offs = {at: items[0].at_ns - at for at, items, _ in moments}
    assert len(truth) > 5
    for one in truth:
        inside = [off for at, off in offs.items() if one.known_ns <= at < one.came_ns]
        assert inside
        assert set(inside) == {int(one.value)}
    outside = [off for at, off in offs.items() if not any(one.known_ns <= at < one.came_ns for one in truth)]
    assert set(outside) == {0}


def test_every_parameter_has_its_range() -> None:
    assert all(bound is not None for _, bound in bounds_of(faults.Params).values())


@pytest.mark.parametrize("declared", [faults.Params, health.Params])
def test_no_two_parameters_are_one_key_of_a_file(declared: type) -> None:
    fields = list(bounds_of(declared))
    assert len({key_of(field) for field in fields}) == len(fields)
