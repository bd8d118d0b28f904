"""Bars that become known long after their close: the venue matches them as it would have then, and tells it now."""

from __future__ import annotations

from typing import Any

from tests.kernel.world import BAR_NS, bar
from tests.venues.street import Said, Street

from confidence_engine.domain.order import ORDER_STOP
from confidence_engine.domain.units import SECOND_NS
from confidence_engine.venues import sim

FREE: dict[str, Any] = {"drift": 0.0, "spread_factor": 0.0, "impact": 0.0, "fee_factor": 0.0}


def late(street: Street, known_ns: int, *opens: float) -> list[Said]:
    """The bars that follow, all known at one later time."""
    said: list[Said] = []
    for price in opens:
        event = bar(street.state, 0, street.now + BAR_NS, price, price, price, price, 1000.0, known_ns=known_ns)
        sim.match(street.venue, street.state, event, street.params)
        street.now += BAR_NS
        said += street.told()
    return said


def test_what_worked_before_a_silence_fills_in_it_and_is_known_after_it() -> None:
    street = Street(assume=FREE)
    street.quiet(100.0)
    begun = street.now
    street.submit(1000)
    known = begun + 6 * BAR_NS
    (fill,) = late(street, known, 101.0, 102.0, 103.0)
    assert (fill.ticks, fill.ts_known) == (10_100, known)
    assert begun < fill.ts_event < begun + BAR_NS


def test_what_was_sent_in_a_silence_meets_no_bar_that_opened_before_it() -> None:
    street = Street(assume=FREE)
    street.quiet(100.0)
    begun = street.now
    street.submit(1000, after_ns=2 * BAR_NS + 60 * SECOND_NS)  # within the third bar, which nobody has seen
    known = begun + 6 * BAR_NS
    (fill,) = late(street, known, 101.0, 102.0, 103.0, 104.0)
    assert fill.ticks == 10_400
    assert begun + 3 * BAR_NS < fill.ts_event < begun + 4 * BAR_NS


def test_a_stop_is_hit_where_the_silence_hit_it() -> None:
    street = Street(assume=FREE)
    street.quiet(100.0)
    entry = street.submit(1000)
    street.bar(100.0)
    stop = street.submit(0, ORDER_STOP, trigger=9_500, reduce=1, parent=entry)
    (fill,) = late(street, street.now + 9 * BAR_NS, 99.0, 94.0, 90.0, 100.0)
    assert (fill.order, fill.ticks, fill.lots) == (stop, 9_400, -1000)
    assert street.pos().lots == 0


def test_an_order_after_lost_bars_fills_at_the_first_that_came() -> None:
    street = Street(assume=FREE)
    street.quiet(100.0)
    street.submit(1000)
    street.now += 5 * BAR_NS  # nobody will ever see these
    (fill,) = street.bar(107.0)
    assert fill.ticks == 10_700
    assert fill.ts_known == street.now
