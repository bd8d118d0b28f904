"""Every rule of the simulated venue, one test a rule, against figures worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from tests.kernel.world import BAR_NS, PERP
from tests.venues.street import Street

from confidence_engine.domain import order as words
from confidence_engine.domain.order import ORDER_STOP, ORDER_TARGET
from confidence_engine.domain.units import SECOND_NS
from confidence_engine.venues import sim

LATENCY = sim.Params().latency_ns
FREE = {"impact": 0.0, "drift": 0.0, "spread_factor": 0.0, "fee_factor": 0.0, "mark_noise": 0.0}
"""A venue without frictions: a price is then the rule that makes it."""


def holding(lots: int = 1000, stop: int = 0, target: int = 0, margin: float = 0.0, **more: object) -> Street:
    """A street where a position entered at 100.00 is held with its protection, no frictions unless asked for."""
    assume = FREE | more.pop("assume", {})  # type: ignore[operator]
    street = Street(assume=assume, **more)
    street.quiet(100.0)
    entry = street.submit(lots, margin=margin)
    if stop:
        street.submit(0, ORDER_STOP, trigger=stop, reduce=1, parent=entry)
    if target:
        street.submit(0, ORDER_TARGET, trigger=target, reduce=1, parent=entry)
    assert [(x.kind, x.ticks) for x in street.bar(100.0)] == [("fill", 10_000)]
    return street


# Market orders.


@pytest.mark.parametrize(("lots", "side"), [(1000, 1), (-1000, -1)])
def test_a_market_order_pays_drift_half_the_spread_and_impact_from_the_next_open(lots: int, side: int) -> None:
    street = Street(**PERP)
    street.lively(100.0, 0.01)
    street.submit(lots, margin=100.0)
    (fill,) = street.bar(101.0, v=1000.0)
    late = 2 * SECOND_NS + LATENCY
    sigma = 0.01  # of every one of the 12 bars before
    cost = 0.5 * sigma * math.sqrt(late / BAR_NS) + 0.0002 + 0.7 * sigma * math.sqrt(1.0 / 1000.0)
    exact = 101.0 * (1.0 + side * cost) / 0.01
    assert fill.ticks == (math.ceil(exact) if side > 0 else math.floor(exact))
    assert fill.fee == pytest.approx(fill.ticks * 0.01 * 1.0 * 0.001, rel=1e-12)
    assert (fill.lots, fill.last) == (lots, 0)


def test_a_fill_happens_after_the_open_and_is_known_with_the_bar() -> None:
    street = Street()
    street.quiet(100.0)
    street.submit(1000)
    opened = street.now
    (fill,) = street.bar(100.0)
    assert fill.ts_event == opened + 2 * SECOND_NS + LATENCY
    assert fill.ts_known == opened + BAR_NS


def test_an_order_sent_within_a_bar_waits_for_the_next_open() -> None:
    street = Street(assume=FREE)
    street.quiet(100.0)
    street.submit(1000, after_ns=60 * SECOND_NS)
    assert street.bar(101.0) == []
    opened = street.now
    (fill,) = street.bar(102.0)
    assert fill.ticks == 10_200
    assert fill.ts_event == opened + LATENCY


def test_grace_is_the_edge_between_this_open_and_the_next() -> None:
    grace = sim.Params().grace_ns - LATENCY
    for after, price in ((grace, 10_100), (grace + 1, 10_200)):
        street = Street(assume=FREE)
        street.quiet(100.0)
        street.submit(1000, after_ns=after)
        fills = street.bar(101.0) + street.bar(102.0)
        assert [x.ticks for x in fills] == [price]


def test_volume_is_capped_by_the_bars_before_and_by_half_of_this_one() -> None:
    street = Street(assume=FREE, equity=1e9)
    street.quiet(100.0, v=1000.0)
    street.submit(10_000_000)  # 10,000 base
    assert street.bar(100.0, v=1e9)[0].lots == 250_000  # a quarter of the mean before
    mean = (11 * 1000.0 + 1e9) / 12
    assert 0.25 * mean > 0.5 * 300.0
    (fill,) = street.bar(100.0, v=300.0)
    assert (fill.lots, fill.last) == (150_000, 10_000_000 - 250_000 - 150_000)


def test_nothing_trades_in_a_bar_without_volume_or_of_unknown_volume() -> None:
    for volume in (0.0, math.nan):
        street = Street(assume=FREE)
        street.quiet(100.0)
        street.submit(1000)
        assert street.bar(100.0, v=volume) == []
    street = Street(assume=FREE)
    street.quiet(100.0, v=math.nan)
    street.submit(1000)
    assert street.bar(100.0, v=1000.0) == []


def test_nothing_trades_before_there_is_a_bar_to_judge_volume_by() -> None:
    street = Street(assume=FREE)
    street.submit(1000)
    assert [x.kind for x in street.told()] == ["reject"]


def test_an_entry_is_given_up_after_order_bars() -> None:
    street = Street(assume=FREE | {"order_bars": 2})
    street.quiet(100.0)
    order = street.submit(1000)
    assert street.bar(100.0, v=0.0) == []
    (gone,) = street.bar(100.0, v=0.0)
    assert (gone.kind, gone.order, gone.ts_known) == ("cancelled", order, street.now)
    assert not street.working()


def test_a_reduction_is_never_given_up() -> None:
    street = holding(assume={"order_bars": 1})
    order = street.submit(-1000, reduce=1)
    for _ in range(5):
        assert street.bar(100.0, v=0.0) == []
    assert [(x.order, x.lots) for x in street.bar(100.0)] == [(order, -1000)]


def test_a_reduction_goes_before_an_entry_where_volume_is_short() -> None:
    street = holding(lots=100_000, equity=1e9)
    entry = street.submit(250_000)
    leave = street.submit(-100_000, reduce=1)
    fills = street.bar(100.0)
    assert [(x.order, x.lots) for x in fills] == [(leave, -100_000), (entry, 150_000)]


def test_a_reduction_never_turns_the_position() -> None:
    street = holding(1000)
    first, second = street.submit(-800, reduce=1), street.submit(-800, reduce=1)
    said = street.bar(100.0)
    assert [(x.kind, x.order, x.lots) for x in said] == [
        ("fill", first, -800), ("fill", second, -200), ("cancelled", second, 0),
    ]  # fmt: skip
    assert street.pos().lots == 0


def test_a_reduction_that_has_nothing_left_to_reduce_is_given_up() -> None:
    street = holding(1000, equity=1e6, **PERP, margin=50.0)
    leave = street.submit(-2000, margin=100.0)  # turns the position
    reduce = street.submit(-1000, reduce=1, after_ns=60 * SECOND_NS)
    assert [x.order for x in street.bar(100.0)] == [leave]
    assert [(x.kind, x.order) for x in street.bar(100.0)] == [("cancelled", reduce)]
    assert street.pos().lots == -1000


# Protection.


def test_a_stop_fills_at_its_trigger_or_at_the_open_that_gapped_over_it() -> None:
    for opening, low, ticks in ((99.0, 96.0, 9_700), (96.5, 96.0, 9_650)):
        (fill,) = holding(stop=9_700).bar(opening, l=low)
        assert (fill.kind, fill.ticks, fill.lots) == ("fill", ticks, -1000)


def test_a_stop_of_a_short_is_the_mirror() -> None:
    for opening, high, ticks in ((101.0, 104.0, 10_300), (103.5, 104.0, 10_350)):
        (fill,) = holding(-1000, stop=10_300, margin=50.0, **PERP).bar(opening, h=high)
        assert (fill.ticks, fill.lots) == (ticks, 1000)


def test_a_stop_pays_spread_impact_and_the_taker_fee() -> None:
    street = Street()
    street.lively(100.0, 0.01)
    entry = street.submit(1000)
    street.submit(0, ORDER_STOP, trigger=9_700, reduce=1, parent=entry)
    street.bar(100.0, h=101.0)
    sigma = math.sqrt(11 * 0.01**2 / 12)  # the bar of the entry did not move
    (fill,) = street.bar(99.0, l=96.0)
    exact = 97.0 * (1 - (0.0002 + 0.7 * sigma * math.sqrt(1.0 / 1000.0))) / 0.01
    assert fill.ticks == math.floor(exact)
    assert fill.fee == pytest.approx(fill.ticks * 0.01 * 0.001)


def test_entry_and_stop_in_one_bar_is_a_stop_that_was_hit() -> None:
    street = Street(assume=FREE)
    street.quiet(100.0)
    entry = street.submit(1000)
    stop = street.submit(0, ORDER_STOP, trigger=9_700, reduce=1, parent=entry)
    target = street.submit(0, ORDER_TARGET, trigger=10_300, reduce=1, parent=entry)
    said = street.bar(100.0, h=110.0, l=96.0, c=109.0)
    assert [(x.order, x.ticks) for x in said] == [(entry, 10_000), (stop, 9_700)]
    assert target not in street.working()


def test_the_stop_comes_before_the_target() -> None:
    (fill,) = holding(stop=9_700, target=10_300).bar(100.0, h=110.0, l=96.0)
    assert fill.ticks == 9_700


def test_a_target_needs_a_trade_through_it() -> None:
    street = holding(target=10_300)
    assert street.bar(100.0, h=103.0) == []
    (fill,) = street.bar(100.0, h=103.01)
    assert fill.ticks == 10_300


def test_a_target_gets_its_price_and_no_better_and_pays_the_maker_fee() -> None:
    street = holding(target=10_300, assume={"fee_factor": 1.0}, maker=0.0005)
    (fill,) = street.bar(105.0, h=106.0)
    assert fill.ticks == 10_300
    assert fill.fee == pytest.approx(103.0 * 0.0005)


def test_protection_sleeps_until_the_entry_fills() -> None:
    street = Street(assume=FREE)
    street.quiet(100.0)
    entry = street.submit(1000)
    street.submit(0, ORDER_STOP, trigger=9_700, reduce=1, parent=entry)
    assert street.bar(100.0, l=90.0, v=0.0) == []
    assert len(street.bar(100.0, l=99.0)) == 1


def test_protection_ends_with_an_entry_that_never_filled() -> None:
    for how in ("refused", "expired", "cancelled"):
        street = Street(assume=FREE | {"order_bars": 1})
        street.quiet(100.0)
        entry = street.submit(1 if how == "refused" else 1000)
        street.submit(0, ORDER_STOP, trigger=9_700, reduce=1, parent=entry)
        street.submit(0, ORDER_TARGET, trigger=10_300, reduce=1, parent=entry)
        if how == "cancelled":
            street.cancel(entry)
            street.bar(100.0)
        if how == "expired":
            street.bar(100.0, v=0.0)
        assert street.working() == set(), how


def test_protection_goes_with_the_position() -> None:
    street = holding(stop=9_700, target=10_300)
    street.bar(100.0, l=96.0)
    assert street.working() == set()


def test_what_is_left_of_an_entry_goes_when_its_stop_is_hit() -> None:
    street = Street(assume=FREE, equity=1e9)
    street.quiet(100.0)
    entry = street.submit(400_000)  # 250,000 in the first bar
    stop = street.submit(0, ORDER_STOP, trigger=9_700, reduce=1, parent=entry)
    assert street.bar(100.0)[0].last == 150_000
    said = street.bar(99.0, l=96.0)
    assert [(x.kind, x.order, x.lots) for x in said if x.order == entry] == [
        ("fill", entry, 150_000), ("cancelled", entry, 0),
    ] or [(x.kind, x.lots) for x in said if x.order == entry] == [("fill", 150_000)]  # fmt: skip
    later = street.bar(99.0) + street.bar(99.0)
    assert {x.order for x in later} <= {stop}
    assert street.pos().lots == 0


def test_a_hit_stop_has_the_volume_to_itself() -> None:
    street = Street(assume=FREE, equity=1e9)
    street.quiet(100.0)
    entry = street.submit(1_000_000)
    stop = street.submit(0, ORDER_STOP, trigger=9_700, reduce=1, parent=entry)
    street.bar(100.0)
    street.bar(99.0, l=96.0)  # the entry takes the volume of this bar, the stop is hit and waits
    said = street.bar(96.0)
    assert {x.order for x in said} == {stop}


def test_a_stop_that_was_hit_goes_on_from_the_next_open() -> None:
    street = holding(stop=9_700)
    assert street.bar(99.0, l=96.0, v=0.0) == []
    (fill,) = street.bar(98.5)  # back above the trigger: it was triggered
    assert (fill.ticks, fill.lots, fill.last) == (9_850, -1000, 0)


def test_a_part_of_a_stop_says_what_is_left_with_the_sign_of_the_order() -> None:
    street = holding(stop=9_700)
    (fill,) = street.bar(99.0, l=96.0, v=1.0)  # half of one base may trade
    assert (fill.lots, fill.last) == (-500, -500)


def test_an_amended_stop_holds_from_the_next_bar_only() -> None:
    street = holding(stop=9_700)
    (stop,) = street.working()
    street.amend(stop, 9_900, after_ns=60 * SECOND_NS)
    assert street.bar(100.0, l=98.5) == []  # this bar had opened before the change arrived
    (fill,) = street.bar(100.0, l=98.5)
    assert fill.ticks == 9_900


def test_an_amended_stop_that_comes_in_time_for_the_open_holds_at_once() -> None:
    street = holding(stop=9_700)
    (stop,) = street.working()
    street.amend(stop, 9_900)
    assert [x.ticks for x in street.bar(100.0, l=98.5)] == [9_900]


# Liquidation.

DEEP = {**PERP, "tiers": PERP["tiers"][:1], "liquidation_fee": 0.01}
"""One tier of 0.4 %, a clearing fee of one per cent."""


def liquidation_level(side: int, margin: float) -> float:
    """Hand-worked: margin + side (P - 100) = 0.004 P for one base."""
    return (100.0 - side * margin) / (1.0 - side * 0.004)


@pytest.mark.parametrize("side", [1, -1])
def test_liquidation_takes_the_position_at_its_level_with_a_fee(side: int) -> None:
    street = holding(side * 1000, margin=4.0, **DEEP, assume={"fee_factor": 1.0}, taker=0.0)
    level = liquidation_level(side, 4.0)
    near, beyond = level + side * 0.02, level - side * 0.02
    kw = {"l": near} if side > 0 else {"h": near}
    assert street.bar(100.0, **kw) == []
    kw = {"l": beyond} if side > 0 else {"h": beyond}
    (taken,) = street.bar(100.0, **kw)
    price = (math.ceil(level / 0.01) if side > 0 else math.floor(level / 0.01)) * 0.01
    left = 4.0 + side * (price - 100.0)
    assert (taken.kind, taken.lots) == ("liquidation", -side * 1000)
    assert taken.ticks * 0.01 == pytest.approx(price)
    assert taken.fee == pytest.approx(min(0.01 * price, left))
    assert street.balance == pytest.approx(100_000.0 - 4.0 + left - taken.fee)


@pytest.mark.parametrize("side", [1, -1])
def test_a_gap_through_liquidation_loses_the_posted_margin_and_no_more(side: int) -> None:
    street = holding(side * 1000, margin=4.0, **DEEP, taker=0.0)
    (taken,) = street.bar(100.0 - side * 30.0)
    assert taken.kind == "liquidation"
    assert street.balance == pytest.approx(100_000.0 - 4.0, abs=1e-9)
    assert street.pos().lots == 0
    assert street.pos().margin == 0.0


def test_liquidation_comes_before_a_stop_that_lies_beyond_it() -> None:
    level = liquidation_level(1, 4.0)
    (taken,) = holding(stop=9_500, margin=4.0, **DEEP).bar(100.0, l=94.0)
    assert taken.kind == "liquidation"
    assert level > 95.0
    (stopped,) = holding(stop=9_700, margin=4.0, **DEEP).bar(100.0, l=94.0)
    assert (stopped.kind, stopped.ticks) == ("fill", 9_700)


def test_the_mark_is_a_share_of_sigma_worse_than_the_last_price() -> None:
    level = liquidation_level(1, 4.0)
    for noise, kinds in ((0.0, []), (1.0, ["liquidation"])):
        street = Street(assume=FREE | {"mark_noise": noise}, **DEEP)
        street.lively(100.0, 0.01)
        street.submit(1000, margin=4.0)
        street.bar(100.0)
        assert [x.kind for x in street.bar(100.0, l=level + 0.2)] == kinds


def test_what_is_left_of_an_entry_goes_with_a_liquidation() -> None:
    street = Street(assume=FREE, equity=1e9, **DEEP)
    street.quiet(100.0)
    entry = street.submit(400_000, margin=1600.0)
    street.bar(100.0)
    said = street.bar(80.0) + street.bar(80.0)
    assert [(x.kind, x.order) for x in said] == [("liquidation", 0), ("cancelled", entry)]
    assert street.pos().lots == 0


def test_spot_is_never_liquidated() -> None:
    street = holding(stop=0)
    assert street.bar(1.0, l=0.5) == []
    assert street.pos().lots == 1000


# Money.


def test_funding_moves_balance_and_margin_from_longs_to_shorts() -> None:
    for lots, sign in ((1000, -1.0), (-1000, 1.0)):
        street = holding(lots, margin=50.0, **PERP)
        before = street.balance
        street.fund(0.001)
        assert street.balance - before == pytest.approx(sign * 0.1)
        assert street.pos().margin == pytest.approx(50.0 + sign * 0.1)


def test_funding_of_no_position_is_nothing() -> None:
    street = Street(**PERP)
    street.quiet(100.0)
    street.fund(0.01)
    assert street.balance == 100_000.0


def test_margin_is_given_back_in_proportion() -> None:
    street = holding(1000, margin=50.0, **PERP)
    street.submit(-250, reduce=1)
    street.bar(104.0)
    assert street.pos().margin == pytest.approx(37.5)
    assert street.balance == pytest.approx(100_000.0 + 0.25 * 4.0)


def test_an_entry_is_cut_to_what_the_free_balance_carries_at_its_price() -> None:
    street = Street(assume=FREE | {"fee_factor": 1.0}, equity=1000.0)
    street.quiet(100.0)
    street.submit(9_900)
    (fill,) = street.bar(110.0)
    assert fill.lots == math.floor(1000.0 / (0.11 * 1.001))
    assert street.balance - street.pos().margin >= 0.0


# Refusals.


def refusal(street: Street) -> str:
    """The words of the one refusal the venue has just spoken, after its latency."""
    (said,) = street.told()
    assert said.kind == "reject"
    assert said.ts_known == street.now + 2 * SECOND_NS + LATENCY
    return words.REJECT_NAMES[said.last]


def test_it_refuses_what_a_venue_refuses() -> None:
    spot, perp = Street(equity=1000.0), Street(equity=1000.0, **PERP)
    for street in (spot, perp):
        street.quiet(100.0)
    spot.submit(0)
    assert refusal(spot) == words.REJECT_NAMES[words.REJ_LOT]
    spot.submit(49)
    assert refusal(spot) == words.REJECT_NAMES[words.REJ_MIN_NOTIONAL]
    spot.submit(-1000)
    assert refusal(spot) == words.REJECT_NAMES[words.REJ_SHORT]
    spot.submit(10_000)
    assert refusal(spot) == words.REJECT_NAMES[words.REJ_MARGIN]
    spot.submit(-1000, reduce=1)
    assert refusal(spot) == words.REJECT_NAMES[words.REJ_REDUCE_ONLY]
    spot.submit(1000, ORDER_STOP, trigger=0, reduce=1)
    assert refusal(spot) == words.REJECT_NAMES[words.REJ_TICK]
    spot.submit(1000)
    spot.amend(int(spot.ids), 0)
    assert refusal(spot) == words.REJECT_NAMES[words.REJ_TICK]
    spot.cancel(int(spot.ids))
    spot.bar(100.0)
    spot.amend(77, 100)
    assert refusal(spot) == words.REJECT_NAMES[words.REJ_UNKNOWN_ORDER]
    perp.submit(1000, margin=0.7)  # 125x of 100 wants 0.80
    assert refusal(perp) == words.REJECT_NAMES[words.REJ_MARGIN]
    perp.submit(1000, margin=1001.0)
    assert refusal(perp) == words.REJECT_NAMES[words.REJ_MARGIN]
    assert not spot.working()
    assert not perp.working()


def test_a_reduction_may_be_below_the_minimum_notional() -> None:
    street = holding(1000)
    street.submit(-1, reduce=1)
    assert [x.lots for x in street.bar(100.0)] == [-1]


def test_spot_never_becomes_short_however_many_sales_are_sent() -> None:
    street = holding(1000, equity=1e6)
    street.submit(-1000)
    street.submit(-1000)
    street.bar(100.0)
    street.bar(100.0)
    assert street.pos().lots == 0


def test_a_venue_has_a_limit_of_open_orders() -> None:
    street = holding(1000)
    for _ in range(sim.WORKS):
        street.submit(-1, reduce=1)
    assert street.told() == []
    street.submit(-1, reduce=1)
    assert refusal(street) == words.REJECT_NAMES[words.REJ_MARGIN]


def test_an_order_taken_back_in_time_for_the_open_does_not_trade() -> None:
    street = Street()
    street.quiet(100.0)
    order = street.submit(1000)
    street.cancel(order)
    (said,) = street.bar(100.0)
    assert (said.kind, said.order, said.ts_known) == ("cancelled", order, street.now)


def test_an_order_taken_back_within_a_bar_has_traded_at_its_open() -> None:
    street = Street(assume=FREE, equity=1e9)
    street.quiet(100.0)
    order = street.submit(1_000_000)
    street.bar(100.0)
    street.cancel(order, after_ns=60 * SECOND_NS)
    assert [(x.kind, x.lots) for x in street.bar(100.0)] == [("fill", 250_000)]
    assert [(x.kind, x.order) for x in street.bar(100.0)] == [("cancelled", order)]


def test_taking_back_what_is_gone_says_nothing() -> None:
    street = holding(1000)
    street.cancel(1)
    assert street.told() == []


def test_a_full_queue_is_counted() -> None:
    street = Street()
    street.quiet(100.0)
    for _ in range(sim.QUEUE + 2):
        street.submit(0)
    assert street.venue.head[0].lost == 2
    assert street.venue.head[0].queued == sim.QUEUE


def test_what_it_says_is_in_the_order_in_which_it_is_known() -> None:
    street = Street()
    street.quiet(100.0)
    for after in (9, 3, 7, 3):
        street.submit(0, after_ns=after * SECOND_NS)
    said = street.told()
    assert [x.order for x in said] == [2, 4, 3, 1]


# The page.


def test_every_assumption_stands_in_the_page_with_its_default(project_root: Path) -> None:
    page = (project_root / "docs" / "simulation.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("|")]
    defaults = {
        "latency_ns": "500ms", "grace_ns": "3s", "drift": "0.5", "spread_factor": "1", "impact": "0.7",
        "volume_share": "25%", "bar_share": "50%", "fee_factor": "1", "order_bars": "3", "mark_noise": "0.1",
        "touch_share": "0%",
    }  # fmt: skip
    assert set(defaults) == set(sim.Params._fields)
    for name, default in defaults.items():
        key = f"`{name.removesuffix('_ns')}` = {default}"
        assert sum(key in row for row in rows) == 1, key
    assert sim.Params() == sim.Params(500_000_000, 3_000_000_000, 0.5, 1.0, 0.7, 0.25, 0.5, 1.0, 3, 0.1, 0.0)
