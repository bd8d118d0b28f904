"""The queue: a limit entry is the last to be served, never at a better price, and never before it has arrived."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kernel.world import BAR_NS, PERP
from tests.venues.street import Said, Street

from confidence_engine.domain import order as words
from confidence_engine.domain.order import ORDER_LIMIT, ORDER_STOP, ORDER_TARGET
from confidence_engine.domain.units import SECOND_NS
from confidence_engine.venues import sim

FREE = {"impact": 0.0, "drift": 0.0, "spread_factor": 0.0, "fee_factor": 0.0, "mark_noise": 0.0}


def posted(limit: int, lots: int = 1000, *, stop: int = 0, target: int = 0, after: int = 2 * SECOND_NS,
           **more: Any) -> tuple[Street, int]:  # fmt: skip
    """A street at 100.00 and a limit entry sent two seconds after the last close, with its protection."""
    street = Street(assume=FREE | more.pop("assume", {}), **({"equity": 1e7} | PERP | more))
    street.quiet(100.0)
    entry = street.submit(lots, ORDER_LIMIT, trigger=limit, margin=abs(lots) * 0.02, after_ns=after)
    if stop:
        street.submit(0, ORDER_STOP, trigger=stop, reduce=1, parent=entry)
    if target:
        street.submit(0, ORDER_TARGET, trigger=target, reduce=1, parent=entry)
    return street, entry


def resting(limit: int, lots: int = 1000, **more: Any) -> tuple[Street, int]:
    """The same after the bar in which it arrived."""
    street, entry = posted(limit, lots, **more)
    assert street.bar(100.0) == []
    return street, entry


# What fills.


@pytest.mark.parametrize("side", [1, -1])
def test_it_is_filled_one_tick_beyond_its_price_and_not_at_a_touch(side: int) -> None:
    street, entry = resting(10_000 - side * 50, side * 1000)
    for reach, kinds in ((49, []), (50, []), (51, ["fill"])):
        far = (10_000 - side * reach) * 0.01
        said = street.bar(100.0, **({"l": far} if side > 0 else {"h": far}))
        assert [x.kind for x in said] == kinds
    (fill,) = said
    assert (fill.order, fill.ticks, fill.lots, fill.last) == (entry, 10_000 - side * 50, side * 1000, 0)
    assert fill.ts_event == fill.ts_known == street.now


@pytest.mark.parametrize("side", [1, -1])
def test_a_bar_that_opens_beyond_it_gives_its_price_and_no_better(side: int) -> None:
    street, _ = resting(10_000 - side * 50, side * 1000)
    (fill,) = street.bar(100.0 - side * 3.0)
    assert fill.ticks == 10_000 - side * 50


def test_it_pays_the_makers_fee_and_neither_spread_nor_impact() -> None:
    street, _ = resting(
        9_950, assume={"fee_factor": 1.0, "impact": 5.0, "drift": 5.0, "spread_factor": 20.0}, maker=2e-4
    )
    (fill,) = street.bar(100.0, l=99.0)
    assert fill.ticks == 9_950
    assert fill.fee == pytest.approx(99.5 * 2e-4)


def test_the_volume_of_the_bar_is_shared_and_the_rest_goes_on_resting() -> None:
    street, entry = resting(9_950, 400_000)
    first, second = street.bar(100.0, l=99.0)[0], street.bar(100.0, l=99.0)[0]
    assert [(x.order, x.lots, x.last) for x in (first, second)] == [(entry, 250_000, 150_000), (entry, 150_000, 0)]
    for volume in (0.0, math.nan):
        street, _ = resting(9_950)
        assert street.bar(100.0, l=99.0, v=volume) == []


def test_a_touch_fills_the_share_that_is_assumed() -> None:
    street, _ = resting(9_950, 400_000, assume={"touch_share": 0.1})
    assert [x.lots for x in street.bar(100.0, l=99.5)] == [25_000]


def test_it_rests_until_it_is_taken_back() -> None:
    street, entry = resting(9_950, assume={"order_bars": 1})
    for _ in range(20):
        assert street.bar(100.0) == []
    street.cancel(entry)
    assert [(x.kind, x.order) for x in street.bar(100.0, l=90.0)] == [("cancelled", entry)]


# When it arrives.


def test_in_the_bar_of_its_arrival_only_the_close_tells() -> None:
    for after in (2 * SECOND_NS, 60 * SECOND_NS):
        street, _ = posted(9_950, after=after)
        assert street.bar(100.0, l=99.0) == []
        street, _ = posted(9_950, after=after)
        (fill,) = street.bar(100.0, l=99.0, c=99.49)
        assert fill.ticks == 9_950


def test_an_order_that_has_not_arrived_does_not_rest() -> None:
    street, entry = posted(9_950, after=BAR_NS)
    assert street.bar(100.0, l=90.0, c=98.0) == []
    assert street.bar(99.6, l=99.0) == []  # it arrives half a second into this one
    assert [x.order for x in street.bar(100.0, l=99.0)] == [entry]


@pytest.mark.parametrize("side", [1, -1])
def test_an_order_that_would_take_is_refused(side: int) -> None:
    street, entry = posted(10_000 + side, side * 1000)
    (said,) = street.told()
    assert (said.kind, words.REJECT_NAMES[said.last]) == ("reject", "post-only would take")
    assert said.ts_known == street.now + 2 * SECOND_NS + street.assume.latency_ns
    street, entry = posted(10_000, side * 1000, stop=10_000 - side * 300)
    assert street.told() == []
    (said,) = street.bar(100.0 - side * 0.01)
    assert (said.kind, said.order, said.last, said.ts_known) == ("reject", entry, words.REJ_WOULD_TAKE, street.now)
    assert street.working() == set()


def test_it_is_refused_like_any_entry() -> None:
    for limit, lots, equity, row, reason in (
        (0, 1000, 1e7, PERP, words.REJ_TICK), (9_900, 0, 1e7, PERP, words.REJ_LOT),
        (9_900, 50, 1e7, PERP, words.REJ_MIN_NOTIONAL), (9_900, 1000, 10.0, PERP, words.REJ_MARGIN),
        (9_900, 10_000, 100.0, {}, words.REJ_MARGIN), (10_100, -1000, 1e7, {}, words.REJ_SHORT),
    ):  # fmt: skip
        street = Street(equity=equity, **row)
        street.quiet(100.0)
        street.submit(lots, ORDER_LIMIT, trigger=limit, margin=abs(lots) * 0.02)
        assert [x.last for x in street.told()] == [reason], limit


# The order of events within a bar.


@pytest.mark.parametrize("side", [1, -1])
def test_entry_and_stop_in_one_bar_both_happen_and_the_target_waits(side: int) -> None:
    def bar(street: Street, worst: float, best: float) -> list[Said]:
        low, high = (worst, best) if side > 0 else (best, worst)
        return street.bar(100.0, h=high, l=low)

    worst, best = 100.0 - side * 4.0, 100.0 + side * 4.0
    street, entry = resting(10_000 - side * 50, side * 1000, stop=10_000 - side * 300, target=10_000 + side * 300)
    said = bar(street, worst, best)
    assert [(x.order, x.ticks, x.lots) for x in said] == [
        (entry, 10_000 - side * 50, side * 1000), (entry + 1, 10_000 - side * 300, -side * 1000),
    ]  # fmt: skip
    assert street.working() == set()
    street, entry = resting(10_000 - side * 50, side * 1000, stop=10_000 - side * 300, target=10_000 + side * 300)
    said = bar(street, 100.0 - side * 1.0, best)  # the best may have come before the entry
    assert [x.order for x in said] == [entry]
    assert [x.order for x in bar(street, 100.0, best)] == [entry + 2]


def test_a_gap_over_limit_and_stop_enters_at_the_limit_and_leaves_at_the_open() -> None:
    street, entry = resting(9_950, stop=9_700)
    assert [(x.order, x.ticks) for x in street.bar(96.0)] == [(entry, 9_950), (entry + 1, 9_600)]


def test_a_stop_that_is_hit_ends_the_rest_of_the_entry() -> None:
    street, entry = resting(9_950, 1_000_000, stop=9_700)
    assert [x.last for x in street.bar(100.0, l=99.0)] == [750_000]
    said = street.bar(100.0, l=96.0)  # the entry takes the volume of this bar, the stop is hit and waits
    assert [(x.kind, x.order, x.last) for x in said] == [("fill", entry, 500_000), ("cancelled", entry, 0)]
    said = street.bar(99.0, l=96.0) + street.bar(99.0, l=96.0)
    assert [(x.order, x.lots) for x in said] == [(entry + 1, -250_000), (entry + 1, -250_000)]
    assert street.working() == set()


@pytest.mark.parametrize("side", [1, -1])
def test_a_liquidation_ends_the_rest_of_the_entry(side: int) -> None:
    street, entry = resting(10_000 - side * 50, side * 1_000_000)  # a fifth posted
    street.bar(100.0, **({"l": 99.0} if side > 0 else {"h": 101.0}))
    said = street.bar(100.0 - side * 30.0)
    assert [(x.kind, x.order) for x in said] == [("liquidation", 0), ("cancelled", entry)]
    assert street.working() == set()


# Cancels race.


def test_a_cancel_within_a_bar_loses_to_what_the_bar_did() -> None:
    street, entry = resting(9_950)
    street.cancel(entry, after_ns=60 * SECOND_NS)
    assert [(x.kind, x.order) for x in street.bar(100.0, l=99.0)] == [("fill", entry)]
    assert street.bar(100.0) == []
    street, entry = resting(9_950)
    street.cancel(entry, after_ns=60 * SECOND_NS)
    assert street.bar(100.0) == []
    assert [(x.kind, x.order) for x in street.bar(100.0, l=99.0)] == [("cancelled", entry)]


def test_a_cancel_just_after_an_open_loses_to_the_open_alone() -> None:
    for opening, kinds in ((99.4, ["fill"]), (99.49, ["fill"]), (99.5, ["cancelled"]), (99.6, ["cancelled"])):
        street, entry = resting(9_950)
        street.cancel(entry)
        assert [x.kind for x in street.bar(opening, l=99.0)] == kinds, opening


def test_a_cancel_that_arrives_before_the_order_does_not_wait_for_it() -> None:
    street, entry = posted(9_950)
    street.cancel(entry, after_ns=2 * SECOND_NS)
    assert [x.kind for x in street.bar(99.7, l=99.0, c=99.0)] == ["cancelled"]


# Whatever the bars do.

bars = st.lists(
    st.tuples(st.floats(-0.01, 0.01), st.floats(-0.01, 0.01), st.floats(0, 0.01), st.floats(0, 0.01),
              st.sampled_from([0.0, 3.0, 200.0, 1000.0])),
    min_size=1, max_size=12,
)  # fmt: skip


def through(
    history: list[tuple[float, ...]], lots: int, offset: int, after: int, **assume: Any
) -> tuple[list[Said], Any]:
    """What is said of one limit entry over these bars, and the bars' (open, high, low, close) in ticks."""
    side = 1 if lots > 0 else -1
    street, entry = posted(10_000 - side * offset, lots, after=after, assume=assume)
    last, said, seen = 10_000, street.told(), []
    for gap, move, up, down, volume in history:
        o = round(last * (1 + gap))
        last = round(o * (1 + move))
        high, low = round(max(o, last) * (1 + up)), round(min(o, last) * (1 - down))
        seen.append((o, high, low, last, street.now))
        said += street.bar(o * 0.01, h=high * 0.01, l=low * 0.01, c=last * 0.01, v=volume)
    return [x for x in said if x.order == entry], seen


sides = st.sampled_from([1, -1])
sizes = st.integers(60, 600_000)
waits = st.integers(0, 2 * BAR_NS)


@given(history=bars, side=sides, size=sizes, offset=st.integers(0, 150), after=waits, touch=st.sampled_from([0.0, 0.3]))
def test_every_fill_has_its_price_its_proof_and_its_time(
    history: list[tuple[float, ...]], side: int, size: int, offset: int, after: int, touch: float
) -> None:
    said, seen = through(history, side * size, offset, after, touch_share=touch)
    limit, left = 10_000 - side * offset, size
    for x in said:
        if x.kind != "fill":
            continue
        o, high, low, close, opened = next(row for row in seen if row[4] + BAR_NS == x.ts_known)
        arrived = seen[0][4] + after + sim.Params().latency_ns
        assert arrived < x.ts_event == x.ts_known
        worst = low if side > 0 else high
        if opened < arrived:
            worst = close
        assert side * (limit - worst) >= (0 if touch else 1)
        assert x.ticks == limit
        # nothing outside what was traded since it was sent
        span = [row for row in seen if row[4] <= opened]
        assert min(r[2] for r in span) <= limit <= max(10_000, *(r[1] for r in span))
        left -= side * x.lots
        assert x.last == side * left
        assert side * (o - limit) >= 0 or opened >= arrived  # post-only: it did not arrive beyond the market
    assert left >= 0


@given(
    history=bars, side=sides, size=sizes, offset=st.integers(0, 150), after=waits,
    kind=st.sampled_from(["touch_share", "volume_share", "bar_share"]), a=st.floats(0.01, 1.0), b=st.floats(0.01, 1.0),
)  # fmt: skip
def test_more_pessimism_never_fills_more(
    history: list[tuple[float, ...]], side: int, size: int, offset: int, after: int, kind: str, a: float, b: float
) -> None:
    less, more = sorted((a, b))
    base = {"touch_share": 0.2} if kind != "touch_share" else {}
    slow = through(history, side * size, offset, after, **base, **{kind: less})[0]
    fast = through(history, side * size, offset, after, **base, **{kind: more})[0]
    for until in {x.ts_known for x in slow}:
        assert _by(slow, until) <= _by(fast, until)


@given(history=bars, side=sides, size=sizes, near=st.integers(0, 150), far=st.integers(0, 150), after=waits)
def test_a_price_farther_away_never_fills_more(
    history: list[tuple[float, ...]], side: int, size: int, near: int, far: int, after: int
) -> None:
    near, far = sorted((near, far))
    eager, patient = through(history, side * size, near, after)[0], through(history, side * size, far, after)[0]
    if any(x.kind == "reject" for x in eager):
        return  # nearer the market it would have taken
    for until in {x.ts_known for x in patient}:
        assert _by(patient, until) <= _by(eager, until)


@given(history=bars, side=sides, size=sizes, offset=st.integers(0, 150), early=waits, late=waits)
def test_a_later_arrival_never_fills_more(
    history: list[tuple[float, ...]], side: int, size: int, offset: int, early: int, late: int
) -> None:
    early, late = sorted((early, late))
    soon, after = through(history, side * size, offset, early)[0], through(history, side * size, offset, late)[0]
    if any(x.kind == "reject" for x in soon):
        return
    for until in {x.ts_known for x in after}:
        assert _by(after, until) <= _by(soon, until)


def _by(said: list[Said], until: int) -> int:
    """Lots filled by then."""
    return sum(abs(x.lots) for x in said if x.kind == "fill" and x.ts_known <= until)
