"""The simulated venue in a market with sessions: the open that an order gets, and splits of what works there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.kernel.exchange import corporate, events, new_york, share
from tests.kernel.world import bar, make_params, signal, timer, walk

from confidence_engine.domain.decision import GATE_MARKET_CLOSED
from confidence_engine.domain.event import DIVIDEND, EVENT, FILL, SPLIT
from confidence_engine.domain.params import params_record
from confidence_engine.domain.units import DAY_NS, HOUR_NS, SECOND_NS
from confidence_engine.drivers.loop import run
from confidence_engine.kernel import algos
from confidence_engine.kernel.out import STATUS_OK, new_out
from confidence_engine.venues import sim

N, TOLD = 60, 40


def played(actions: dict[int, tuple[int, float]], late_ns: int = 2 * SECOND_NS, **more: Any) -> tuple[Any, Any, Any]:
    """60 sessions with one strong story after the close of session 40; actions by session, at its open."""
    rows, columns = new_york(N), walk(np.random.default_rng(8), N, 100.0, 0.004)
    columns[:, 4] = 1e6
    state = share(tick=1e-6, lot=1e-4, half_spread=0.0, taker=0.0, min_notional=0.0, equity=1e6)
    tape, factor, volume = [], 1.0, 1.0
    for k, (opening, row) in enumerate(zip(events(rows), rows, strict=True)):
        if k in actions:
            what, value = actions[k]
            last = columns[k - 1, 3] * factor
            factor *= 1.0 / value if what == SPLIT else (last - value) / last
            volume *= value if what == SPLIT else 1.0
            tape.append(corporate(0, int(row["open_ns"]), what, value))
        prices = (columns[k, :4] * factor).tolist()
        close = int(row["close_ns"])
        tape += [opening, bar(state, 0, close, *prices, float(columns[k, 4]) * volume, known_ns=close + SECOND_NS)]
        if k == TOLD:
            tape.append(signal(0, close + SECOND_NS))
        tape.append(timer(close + late_ns))
    stages = {"price": {"min_obs": 20, "full_obs": 21}, "narrative": {"half_life_ns": 86_400 * SECOND_NS}}
    params = np.array([make_params(**(stages | more))])
    out, venue = new_out(1, 4096), sim.new_venue(len(state.asset), 1e6)
    state.head[0].balance = state.head[0].equity = state.head[0].start_equity = 1e6
    done = run(state, venue, np.array(tape, EVENT), 0, params, params_record(sim.Params(drift=0.0, impact=0.0)), out)
    assert (done, out.head[0].status) == (len(tape), STATUS_OK)
    return state, venue, out


def fills(out: Any) -> Any:
    rows = out.entries[: out.head[0].entries]
    return rows[rows["kind"] == FILL]


@pytest.mark.parametrize("late_ns", [2 * SECOND_NS, 60 * SECOND_NS, 5 * HOUR_NS])
def test_an_order_of_the_evening_gets_the_next_open(late_ns: int) -> None:
    """However late in the night it was decided; a bar's open is the session's, not the close of the day before."""
    _, _, out = played({}, late_ns, exits={"hold_ns": 3 * 86_400 * SECOND_NS})
    rows = new_york(N)
    done = fills(out)
    assert len(done) >= 2
    opened = int(rows["open_ns"][TOLD + 1])
    assert opened <= int(done[0]["ts_event"]) <= opened + SECOND_NS
    if int(done[-1]["why"]) == int(done[0]["why"]) + 1:
        assert done[-1]["ts_event"] > done[0]["ts_event"]


def test_a_holding_of_three_sessions_leaves_at_the_fourth_open() -> None:
    _, _, out = played({}, exits={"hold_ns": 3 * 86_400 * SECOND_NS, "stop_atr": 19.0, "target_atr": 49.0})
    rows, done = new_york(N), fills(out)
    assert [int(t) for t in np.searchsorted(rows["open_ns"], done["ts_event"], side="right") - 1] == [
        TOLD + 1,
        TOLD + 4,
    ]


def test_a_venue_and_its_client_agree_after_splits_and_dividends() -> None:
    """A split before the fill, a dividend and a split while held: lots, cash and every working trigger agree."""
    actions = {TOLD + 1: (SPLIT, 2.0), TOLD + 3: (DIVIDEND, 0.5), TOLD + 5: (SPLIT, 1.5)}
    state, venue, out = played(
        actions, exits={"hold_ns": 300 * 86_400 * SECOND_NS, "stop_atr": 19.0, "target_atr": 49.0}
    )
    assert len(fills(out)) == 1
    assert state.book[0].lots == venue.pos[0].lots != 0
    assert state.head[0].balance == pytest.approx(venue.head[0].balance, abs=1e-6)
    assert state.book[0].entry_price == pytest.approx(venue.pos[0].entry_price)
    working = {int(w["order_id"]): int(w["trigger"]) for w in venue.work[0] if w["order_id"]}
    assert working == {
        int(state.book[0].stop_id): int(state.book[0].stop_ticks),
        int(state.book[0].target_id): int(state.book[0].target_ticks),
    }


@pytest.mark.parametrize("action", [(SPLIT, 2.0), (SPLIT, 0.5), (DIVIDEND, 1.0)])
@pytest.mark.parametrize("when", [TOLD - 5, TOLD + 1, TOLD + 2])
def test_a_split_or_a_dividend_earns_and_loses_nothing(action: tuple[int, float], when: int) -> None:
    """The same world in another measure ends with the same equity, but for the rounding of lots."""
    hold = {"hold_ns": 300 * 86_400 * SECOND_NS, "stop_atr": 19.0, "target_atr": 49.0}
    plain, *_ = played({}, exits=hold)
    state, *_ = played({when: action}, exits=hold)
    assert plain.book[0].lots != 0
    gain, here = plain.head[0].equity - 1e6, state.head[0].equity - 1e6
    assert abs(gain) > 0.1
    assert here == pytest.approx(gain, abs=0.01)
    assert state.asset[0].sigma == pytest.approx(plain.asset[0].sigma, rel=1e-9)


@pytest.mark.parametrize(("ratio", "left"), [(0.1, 0), (0.5, 3)])
def test_the_owner_of_an_order_that_a_reverse_split_dissolves_is_told(ratio: float, left: int) -> None:
    """Six shares wait for the open of the ex-date: of one for ten nothing is left, of one for two there are three."""
    rows = new_york(24)
    state, p, q = share(rows[:20]), make_params(), params_record(sim.Params())
    out, venue = new_out(1, 4096), sim.new_venue(len(state.asset), 1e5)
    state.head[0].balance = state.head[0].equity = 1e5
    before = [bar(state, 0, int(row["close_ns"]), 10.0, 10.1, 9.9, 10.0, 1e6) for row in rows[:20]]
    run(state, venue, np.array(before, EVENT), 0, np.array([p]), q, out)
    b = state.book[0]
    state.head[0].now_ns = int(rows["close_ns"][19]) + 2 * SECOND_NS
    b.stop_ticks, b.target_ticks, b.deadline_ns = 900, 1100, state.head[0].now_ns + DAY_NS
    algos.first(state, 0, out, 6, 60.0, p.algos)
    for intent in out.intents[: out.head[0].intents]:
        sim.accept(venue, state, intent, q[0])
    assert venue.pos[0].works == 3
    opening = events(rows[20:])
    tape = [opening[0], corporate(0, int(rows["open_ns"][20]), SPLIT, ratio)]
    for k in range(20, 24):
        tape += opening[k - 20 : k - 19] if k > 20 else []
        tape.append(bar(state, 0, int(rows["close_ns"][k]), *[10.0 / ratio] * 4, 1e6 * ratio))
    assert run(state, venue, np.array(tape, EVENT), 0, np.array([p]), q, out) == len(tape)
    assert (b.entry_id, b.entry_leaves, b.lots, venue.pos[0].lots) == (0, 0, left, left)
    assert venue.pos[0].works == (2 if left else 0)
    assert (b.stop_id > 0, b.stop_ticks > 0, b.deadline_ns > 0) == (left > 0,) * 3
    assert len(fills(out)) == (left > 0)


def test_an_intraday_story_of_the_night_is_refused_at_night_and_entered_after_the_first_bar() -> None:
    """Half-hour bars: judged when it was told (MARKET_CLOSED), entered from the first bar's end, filled in session."""
    bar_ns, nights = 30 * 60 * SECOND_NS, 8
    rows, columns = new_york(nights, bar_ns), walk(np.random.default_rng(3), 13 * nights, 100.0, 0.002)
    columns[:, 4] = 1e6
    state = share(bar_ns=bar_ns, tick=1e-4, lot=1e-3, min_notional=0.0, equity=1e6)
    told = int(rows["close_ns"][5]) + 3 * HOUR_NS
    tape: list[Any] = []
    for k, (opening, row) in enumerate(zip(events(rows), rows, strict=True)):
        tape.append(opening)
        for n in range(13):
            end = int(row["open_ns"]) + (n + 1) * bar_ns
            tape += [bar(state, 0, end, *columns[13 * k + n].tolist()), timer(end + 2 * SECOND_NS)]
        if k == 5:
            tape += [signal(0, told), timer(told + SECOND_NS, grid=False)]
    told_long = {"half_life_ns": 24 * HOUR_NS}
    stages = {"price": {"min_obs": 20, "full_obs": 21}, "exits": {"hold_ns": 2 * HOUR_NS}, "narrative": told_long}
    out, venue = new_out(1, 4096), sim.new_venue(len(state.asset), 1e6)
    params = np.array([make_params(**stages)])
    run(state, venue, np.array(tape, EVENT), 0, params, params_record(sim.Params()), out)
    assert out.head[0].status == STATUS_OK
    night = next(d for d in out.decisions[: out.head[0].decisions] if d["ts_ns"] == told + SECOND_NS)
    assert night["gates"] == 1 << GATE_MARKET_CLOSED
    done, monday = fills(out), int(rows["open_ns"][6])
    assert monday + bar_ns <= done[0]["ts_event"] < monday + bar_ns + 4 * SECOND_NS
    assert done[1]["ts_event"] - done[0]["ts_event"] <= 2 * HOUR_NS + bar_ns
    for fill in done:
        k = int(np.searchsorted(rows["open_ns"], fill["ts_event"], side="right")) - 1
        assert fill["ts_event"] < rows["close_ns"][k]
