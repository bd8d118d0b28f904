"""kernel.feed: a bit set stops entries and nothing else, BACK clears it, a dropped row degrades once."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kernel.money import ended, fill, intents, said
from tests.kernel.test_step import EASY, LAST, decisions, entered, told, warm
from tests.kernel.world import BAR_NS, START, bar, command, faulted, feed, make_params, make_state, new_out, timer

from confidence_engine.domain.decision import gate_names
from confidence_engine.domain.event import (
    BAR,
    DEGRADED,
    FEED_BACK,
    FEED_CLOCK,
    FEED_DUPLICATE,
    FEED_GAP,
    FEED_LATE,
    FEED_NAMES,
    FEED_REVISED,
    FEED_STALE,
    FEED_UNSOUND,
    FUNDING,
    NO_ASSET,
    SIGNAL,
)
from confidence_engine.domain.order import CMD_FLATTEN, WHY_ENTRY, WHY_FLATTEN, WHY_REVERSED, WHY_TIME
from confidence_engine.domain.units import HOUR_NS, SECOND_NS
from confidence_engine.kernel import feed as stage
from confidence_engine.kernel import gates
from confidence_engine.kernel.door import sound
from confidence_engine.kernel.state import state_hash

STOPS = [(FEED_STALE, BAR, 0), (FEED_GAP, BAR, 0), (FEED_STALE, SIGNAL, NO_ASSET), (FEED_CLOCK, 0, NO_ASSET)]
DROPS = [FEED_DUPLICATE, FEED_LATE, FEED_REVISED, FEED_UNSOUND]
by_name = pytest.mark.parametrize(("what", "of", "asset"), STOPS, ids=["stale", "gap", "silence", "clock"])


def degraded(state: Any, i: int = 0) -> bool:
    """Whether the gate of the data stands, beside what else may."""
    now, p = int(state.head[0].now_ns), make_params(**EASY)
    return "DEGRADED" in gate_names(int(gates.data(state, i, now, 5, 1e9, p.gates)))


# Bits.


@given(
    st.lists(
        st.tuples(
            st.sampled_from([FEED_STALE, FEED_GAP, FEED_BACK]),
            st.sampled_from([BAR, FUNDING, SIGNAL]),
            st.sampled_from([0, 1, NO_ASSET]),
        ),
        max_size=12,
    )
)
def test_an_asset_is_degraded_while_a_feed_about_it_or_about_all_is_not_back(said: list[tuple[int, int, int]]) -> None:
    state, p = make_state(2), make_params()
    open_faults: set[tuple[int, int]] = set()
    for what, of, asset in said:
        feed(state, [faulted(START, what, asset, of)], p)
        (open_faults.discard if what == FEED_BACK else open_faults.add)((of, asset))
        for i in (0, 1):
            expected = any(about in (i, NO_ASSET) for _, about in open_faults)
            assert bool(stage.faulty(state, i)) == expected
            assert degraded(state, i) == expected


@by_name
def test_back_of_another_kind_or_asset_ends_nothing(what: int, of: int, asset: int) -> None:
    state, p = make_state(2), make_params()
    other = 1 if asset == 0 else 0
    feed(state, [faulted(START, what, asset, of), faulted(START, FEED_BACK, other, of)], p)
    feed(state, [faulted(START, FEED_BACK, asset, FUNDING)], p)
    assert degraded(state)
    feed(state, [faulted(START, FEED_BACK, asset, of)], p)
    assert not degraded(state)


@pytest.mark.parametrize("what", DROPS)
def test_a_dropped_row_degrades_the_next_judgement_of_its_asset_once(what: int) -> None:
    state, p, out = warm(2)
    feed(state, [faulted(LAST, what, 0, BAR)], p, out)
    told(state, p, out, LAST, (0, 1.0, 1), (1, 1.0, 2))
    told(state, p, out, LAST + SECOND_NS * 10, (0, 1.0, 1))
    first, beside, again = decisions(out)
    assert (first.asset, gate_names(int(first.gates)), first.marks & DEGRADED) == (0, ["DEGRADED"], DEGRADED)
    assert (beside.asset, beside.gates, beside.marks & DEGRADED) == (1, 0, 0)
    assert (again.asset, again.gates, again.marks & DEGRADED) == (0, 0, 0)


@pytest.mark.parametrize("what", DROPS)
def test_a_dropped_row_about_no_asset_is_on_record_only(what: int) -> None:
    state, p, out = warm()
    feed(state, [faulted(LAST, what, NO_ASSET, SIGNAL)], p, out)
    told(state, p, out, LAST, (0, 1.0, 1))
    assert [d.gates for d in decisions(out)] == [0]


# Entries stop.


@by_name
def test_nothing_enters_under_a_bit_and_back_needs_no_operator(what: int, of: int, asset: int) -> None:
    state, p, out = warm()
    feed(state, [faulted(LAST, what, asset, of)], p, out)
    told(state, p, out, LAST, (0, 1.0, 1))
    (d,) = decisions(out)
    assert gate_names(int(d.gates)) == ["DEGRADED"]
    assert (d.marks & DEGRADED, d.side, len(intents(out))) == (DEGRADED, 1, 0)
    feed(state, [faulted(LAST + 3 * SECOND_NS, FEED_BACK, asset, of), timer(LAST + 4 * SECOND_NS)], p, out)
    _, d = decisions(out)
    assert (d.gates, d.marks & DEGRADED, intents(out)[0].why) == (0, 0, WHY_ENTRY)
    assert state.head[0].halted == 0


@by_name
def test_the_turn_itself_is_written_without_any_news(what: int, of: int, asset: int) -> None:
    state, p, out = warm()
    feed(state, [timer(LAST), faulted(LAST + 1, what, asset, of), timer(LAST + 2), timer(LAST + 3)], p, out)
    feed(state, [faulted(LAST + 4, FEED_BACK, asset, of), timer(LAST + 5), timer(LAST + 6)], p, out)
    names = [gate_names(int(d.gates)) for d in decisions(out)]
    assert names == [["NO_EVIDENCE"], ["NO_EVIDENCE", "DEGRADED"], ["NO_EVIDENCE"]]
    assert [bool(d.marks & DEGRADED) for d in decisions(out)] == [False, True, False]


@pytest.mark.parametrize("style", ["limit", "participation"])
def test_what_is_left_of_an_entry_is_given_up_at_once(style: str) -> None:
    easy = EASY | {"algos": {"style": style, "participation": 0.001, "cross": True}}
    state, _, out = warm()
    p = make_params(**easy)
    told(state, p, out, LAST, (0, 1.0, 1))
    b = state.book[0]
    entry, wanted = int(b.entry_id), int(b.entry_leaves)
    assert entry != 0
    sent = len(intents(out))
    feed(state, [faulted(LAST + 3 * SECOND_NS, FEED_STALE, 0, BAR)], p, out)
    assert [x[:2] for x in said(out)[sent:]] == [(f"cancel {'limit' if style == 'limit' else 'market'}", entry)]
    feed(state, [ended(entry, at=LAST + 4 * SECOND_NS)], p, out)
    close = LAST + BAR_NS
    feed(state, [bar(state, 0, close, *[float(state.asset[0].price)] * 4, 1e6), timer(close + SECOND_NS)], p, out)
    assert (b.plan_lots, b.entry_id, len(intents(out))) == (0, 0, sent + 1)
    assert wanted > 0


def test_an_entry_that_fills_all_the_same_keeps_its_protection() -> None:
    state, p, out = warm()
    told(state, p, out, LAST, (0, 1.0, 1))
    b = state.book[0]
    feed(state, [faulted(LAST + 3 * SECOND_NS, FEED_GAP, 0, BAR)], p, out)
    lots, ticks = int(b.entry_leaves), int(state.asset[0].price / 0.01)
    feed(state, [fill(int(b.entry_id), ticks, lots, at=LAST + BAR_NS)], p, out)
    assert b.lots == lots
    assert b.stop_id != 0
    assert b.target_id != 0


# Exits go on.


@by_name
def test_the_time_is_kept_under_a_bit(what: int, of: int, asset: int) -> None:
    state, p, out = warm()
    b = entered(state, p, out)
    feed(state, [faulted(LAST + 2 * BAR_NS, what, asset, of)], p, out)
    sent = len(intents(out))
    feed(state, [timer(int(b.deadline_ns) - 1), timer(int(b.deadline_ns))], p, out)
    assert [(r.why, r.lots) for r in intents(out)[sent:]] == [(WHY_TIME, -b.lots)]


@by_name
def test_an_operator_flattens_under_a_bit(what: int, of: int, asset: int) -> None:
    state, p, out = warm()
    b = entered(state, p, out)
    sent = len(intents(out))
    at = LAST + 2 * BAR_NS
    feed(state, [faulted(at, what, asset, of), command(at, CMD_FLATTEN), timer(at)], p, out)
    assert [(r.why, r.lots) for r in intents(out)[sent:]] == [(WHY_FLATTEN, -b.lots)]


@by_name
def test_the_ratchet_goes_on_under_a_bit(what: int, of: int, asset: int) -> None:
    state, p, out = warm()
    b = entered(state, p, out)
    sent, at = len(intents(out)), LAST + 2 * BAR_NS
    top = float(b.entry_price + b.trail_from * 1.5)
    feed(state, [faulted(at, what, asset, of), bar(state, 0, at, top, top, top, top, 1.0), timer(at)], p, out)
    assert [x[0] for x in said(out)[sent:]] == ["amend stop"]
    assert b.lots != 0


@by_name
def test_a_position_is_not_turned_against_on_degraded_data(what: int, of: int, asset: int) -> None:
    state, p, out = warm()
    b = entered(state, p, out)
    sent, at = len(intents(out)), LAST + 2 * BAR_NS
    feed(state, [faulted(at, what, asset, of)], p, out)
    told(state, p, out, at, (0, -1.0, 2), (0, -1.0, 3), (0, -1.0, 4))
    assert len(intents(out)) == sent
    assert decisions(out)[-1].side == -1
    feed(state, [faulted(at + 3 * SECOND_NS, FEED_BACK, asset, of), timer(at + 4 * SECOND_NS)], p, out)
    assert [r.why for r in intents(out)[sent:]] == [WHY_REVERSED]
    assert b.lots != 0


# Neutral, and at the door.


@given(st.sampled_from(sorted(FEED_NAMES)), st.sampled_from([0, 1, NO_ASSET]))
def test_unheeded_it_changes_nothing_but_the_clock(what: int, asset: int) -> None:
    state, plain = make_state(2), make_state(2)
    p = make_params(feed={"heed": False})
    of = 0 if what == FEED_CLOCK else BAR
    asset = NO_ASSET if what == FEED_CLOCK else asset
    feed(state, [faulted(START, what, asset, of)], p)
    plain.head[0].now_ns, plain.head[0].steps = START, 1
    assert state_hash(state) == state_hash(plain)


@pytest.mark.parametrize(
    ("what", "asset", "of", "value"),
    [
        (0, 0, BAR, 0.0),
        (9, 0, BAR, 0.0),
        (math.nan, 0, BAR, 0.0),
        (1.5, 0, BAR, 0.0),
        (FEED_STALE, 2, BAR, 0.0),
        (FEED_STALE, 0, 63, 0.0),
        (FEED_STALE, 0, -1, 0.0),
        (FEED_STALE, 0, 0.5, 0.0),
        (FEED_STALE, 0, math.nan, 0.0),
        (FEED_STALE, 0, BAR, math.inf),
        (FEED_CLOCK, 0, 0, 1.0),
        (FEED_CLOCK, NO_ASSET, BAR, 1.0),
    ],
)
def test_a_feed_says_only_what_is_known(what: Any, asset: int, of: Any, value: float) -> None:
    assert not sound(make_state(2), faulted(START, what, asset, of, value))


@pytest.mark.parametrize("what", sorted(FEED_NAMES))
def test_a_feed_may_say_how_much_or_not(what: int) -> None:
    of = 0 if what == FEED_CLOCK else BAR
    state, out = make_state(2), new_out(2, 64)
    for value in (math.nan, -3.0, 1e300):
        event = faulted(START, what, NO_ASSET, of, value)
        assert sound(state, event)
        feed(state, [event], make_params(), out)
    assert out.head[0].status == 0
    assert out.head[0].intents == 0


def test_time_goes_on_with_what_a_feed_says() -> None:
    state = make_state()
    feed(state, [faulted(START + HOUR_NS, FEED_STALE, 0, BAR)], make_params())
    assert state.head[0].now_ns == START + HOUR_NS
