"""kernel.feedback: what is settled bar by bar is what is labelled afterwards, once a story, and teaches only then."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernel import exchange
from tests.kernel.money import fill, liquidated, priced
from tests.kernel.world import (
    BAR_NS,
    PERP,
    START,
    bar,
    decision,
    feed,
    funding,
    make_params,
    make_state,
    new_out,
    signal,
    timer,
    walk,
)

from confidence_engine.domain import outcome
from confidence_engine.domain.decision import GATE_COOLDOWN, GATE_NO_SHORT, GATE_SMALL_GAP
from confidence_engine.domain.event import BACKFILL
from confidence_engine.domain.order import WHY_LIQUIDATED, WHY_STOP, WHY_TARGET
from confidence_engine.domain.record import LESSON_EXIT, LESSON_OUTCOME, LESSON_SOURCE, LESSON_TRIGGER
from confidence_engine.domain.trading import spans, trading_time
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from confidence_engine.kernel import feedback, ledger, session
from confidence_engine.kernel.feedback import UNDECIDED, Params
from confidence_engine.kernel.margin import unit
from confidence_engine.kernel.out import Out
from confidence_engine.kernel.state import (
    PENDINGS,
    SOURCES,
    TALLY_ALL,
    TALLY_EXIT,
    TALLY_GATE,
    TALLY_LONG,
    TALLY_PASSED,
    TALLY_SHORT,
    TALLY_TAKEN,
    State,
)
from confidence_engine.venues import sim


def lessons(out: Out, kind: int = LESSON_OUTCOME) -> np.ndarray:
    rows = out.lessons[: int(out.head[0].lessons)]
    return rows[rows["kind"] == kind]


def case(state: State, at_ns: int, cluster: int, side: int = 1, i: int = 0, sigma: float = 0.002, **more: Any) -> Any:
    """A judged decision whose leading story is `cluster`, put into the first place of the asset's underlying."""
    u = int(state.inst[i].underlying)
    item = state.story[u, 0]
    if item.cluster != cluster:
        item.cluster, item.judged = cluster, 0
    item.publishers = more.pop("publishers", 0b10)
    state.told[u].lead_slot = 0
    known = {"gap": 1.0 * side, "trigger": 0.8, "stories": 1, "weight": 0.5, "seq": cluster}
    return decision(ts_ns=at_ns, asset=i, underlying=u, lead=cluster, side=side, sigma=sigma, **{**known, **more})


def bars_of(columns: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, ...]:
    close_ns = START + BAR_NS * np.arange(1, len(columns) + 1)[kept]
    return close_ns - BAR_NS, close_ns, *(np.ascontiguousarray(columns[kept, k]) for k in range(4))


decided = st.lists(
    st.tuples(
        st.integers(0, 60 * BAR_NS),
        st.sampled_from([1, -1]),
        st.floats(2e-4, 0.02),
    ),
    min_size=1,
    max_size=PENDINGS,
)


@settings(max_examples=60, deadline=None)
@given(
    decided, st.integers(0, 10_000), st.integers(BAR_NS // 2, 30 * BAR_NS), st.sampled_from([0.0, 0.1, 0.5]),
    st.sampled_from([0, 3 * SECOND_NS, 4 * MINUTE_NS]), st.floats(0.3, 2.0), st.floats(0.3, 2.0),
)  # fmt: skip
def test_settled_is_labelled(
    cases: list[tuple[int, int, float]], seed: int, horizon: int, missing: float, grace: int, win: float, loss: float
) -> None:
    """Any bars, any decisions, several at once: y, net return and the time it was known are `label`'s, exactly."""
    rng = np.random.default_rng(seed)
    columns = walk(rng, 80)
    kept = np.flatnonzero(rng.random(80) >= missing)
    state, out = make_state(), new_out(1, 512)
    chosen = {"horizon_ns": horizon, "grace_ns": grace, "win_sigma": win, "loss_sigma": loss}
    p = make_params(feedback=chosen)
    opened = sorted((START + at, k, side, sigma) for k, (at, side, sigma) in enumerate(cases))
    made = bars_of(columns, kept)
    for k, close_ns in zip(kept, made[1], strict=True):
        while opened and opened[0][0] < close_ns + SECOND_NS:
            at, n, side, sigma = opened.pop(0)
            feedback.watch(state, case(state, at, n, side, sigma=sigma), p.feedback)
        event = bar(state, 0, int(close_ns), *columns[k], known_ns=int(close_ns) + SECOND_NS)
        feedback.settle(state, event, out, p)
    found = {int(one.decision): one for one in lessons(out)}
    cost = 2.0 * (state.inst[0].taker + state.inst[0].half_spread)
    for n, (at, side, sigma) in enumerate(cases):
        sigma_h = sigma * np.sqrt(horizon / BAR_NS)
        y, net, known = outcome.label(*made, START + at, side, horizon, sigma_h, loss, win, cost, grace)
        if known == 0:
            assert n not in found
            continue
        got = found[n]
        assert (got.y, got.resolved_ns) == (y, known)
        assert got.net_return == net or (math.isnan(net) and math.isnan(got.net_return))
        assert got.ts_ns == known + SECOND_NS > START + at
    w = state.asset[0]
    assert w.pending == (state.pending[0]["at_ns"] > 0).sum() == len(cases) - len(found)
    assert state.tally[TALLY_ALL].outcomes == sum(one.y != outcome.UNRESOLVED for one in found.values())
    assert w.dropped == 0


@pytest.mark.parametrize("bar_ns", [30 * MINUTE_NS, DAY_NS])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_settled_is_labelled_in_the_time_of_sessions_too(bar_ns: int, seed: int) -> None:
    """Cases of days, nights and weekends, with half days among the sessions: all as `label` says in trading time."""
    rows = exchange.new_york(40, bar_ns)
    rows["close_ns"][[9, 20]] -= 3 * HOUR_NS
    rows["span_ns"] = spans(rows["open_ns"], rows["close_ns"], bar_ns)
    edges = [np.arange(o, c, bar_ns) for o, c in zip(rows["open_ns"], rows["close_ns"], strict=True)]
    opens = np.concatenate(edges)
    closes = np.concatenate([np.append(one[1:], c) for one, c in zip(edges, rows["close_ns"], strict=True)])
    rng, state, out = np.random.default_rng(seed), exchange.share(bar_ns=bar_ns), new_out(1, 512)
    columns, sessions = walk(rng, len(opens), 100.0, 0.02), iter(exchange.events(rows))
    horizon = 3 * bar_ns if bar_ns < DAY_NS else 3 * DAY_NS
    p = make_params(feedback={"horizon_ns": horizon})
    at = np.sort(rng.integers(rows["open_ns"][1], rows["close_ns"][-3], 30)).tolist()
    asked = {n: (ns, int(rng.choice([-1, 1]))) for n, ns in enumerate(at)}
    waiting = list(asked.items())
    for k, (begin, end) in enumerate(zip(opens.tolist(), closes.tolist(), strict=True)):
        if begin in rows["open_ns"]:
            session.begin(state, next(sessions))
        while waiting and waiting[0][1][0] < end:
            n, (ns, side) = waiting.pop(0)
            feedback.watch(state, case(state, ns, n, side, sigma=0.02), p.feedback)
        feedback.settle(state, bar(state, 0, end, *columns[k]), out, p)
    clock = lambda ns: trading_time(rows, np.atleast_1d(ns))  # noqa: E731
    made = (clock(opens), clock(closes), *(np.ascontiguousarray(columns[:, k]) for k in range(4)))
    cost = 2.0 * (state.inst[0].taker + state.inst[0].half_spread)
    found = {int(one.decision): one for one in lessons(out)}
    assert len(found) >= 25
    for n, one in found.items():
        ns, side = asked[n]
        sigma_h = 0.02 * math.sqrt(horizon / bar_ns)
        known = outcome.label(*made, int(clock(ns)[0]), side, horizon, sigma_h, 1.0, 1.0, cost, 3 * SECOND_NS)
        assert (one.y, int(clock(one.resolved_ns)[0])) == (known[0], known[2])
        assert one.net_return == known[1] or math.isnan(known[1])


def test_one_pending_for_each_asset_and_story() -> None:
    state, p = make_state(3, underlying="C"), make_params().feedback
    for i in (0, 1):
        for later in (0, BAR_NS):
            feedback.watch(state, case(state, START + later, 5, i=i), p)
    assert state.asset["pending"][:3].tolist() == [1, 1, 0]
    assert state.pending[0, 0].at_ns == START  # the first judgement, not the last
    feedback.watch(state, case(state, START, 6), p)
    assert state.asset["pending"][:3].tolist() == [2, 1, 0]


def test_no_case_no_pending() -> None:
    state, p = make_state(), make_params().feedback
    for more in ({"side": 0}, {"gap": math.nan}, {"sigma": 0.0}, {"sigma": math.nan}):
        feedback.watch(state, case(state, START, 1, **more), p)
    assert state.asset[0].pending == 0
    assert state.story[0, 0].judged == 0  # so the story can still be watched when the gap is known
    feedback.watch(state, case(state, START, 1), p)
    assert state.asset[0].pending == 1


def test_a_score_alone_is_watched_once() -> None:
    state, p = make_state(), make_params().feedback
    for score_ns, weight in ((START, 0.0), (START, 0.0), (START + 1, 0.0)):
        state.asset[0].score_ns = score_ns
        feedback.watch(state, case(state, START, 1, stories=0, weight=weight), p)
    assert state.asset[0].pending == 2
    assert state.pending[0]["cluster"][:2].tolist() == [-1, -1]
    assert not state.pending[0]["publishers"].any()


def test_where_there_is_no_room_the_oldest_is_dropped_and_counted() -> None:
    state, p = make_state(), make_params().feedback
    for k in range(PENDINGS + 3):
        feedback.watch(state, case(state, START + k, k), p)
    w = state.asset[0]
    assert (w.pending, w.dropped) == (PENDINGS, 3)
    assert sorted(state.pending[0]["cluster"].tolist()) == list(range(3, PENDINGS + 3))


def test_outcomes_are_tallied_by_gate_side_and_trigger() -> None:
    state, out, p = make_state(), new_out(1, 64), make_params()
    refused = 1 << GATE_COOLDOWN | 1 << GATE_NO_SHORT
    feedback.watch(state, case(state, START, 1, side=-1, gates=refused), p.feedback)
    feedback.watch(state, case(state, START, 2, gap=0.1, gates=1 << GATE_SMALL_GAP), p.feedback)
    feedback.watch(state, case(state, START, 3, gap=-0.9), p.feedback)  # beyond the trigger on the wrong side
    feedback.watch(state, case(state, START, 4), p.feedback)
    columns = walk(np.random.default_rng(0), 3)
    columns[1, 1:4] = columns[1, 0] * 1.2, columns[1, 0], columns[1, 0] * 1.1  # up: longs win, shorts lose
    for k in range(3):
        feedback.settle(state, bar(state, 0, START + (k + 1) * BAR_NS, *columns[k]), out, p)
    rows = enumerate(state.tally)
    n = {k: (one.outcomes, one.wins) for k, one in rows if k >= SOURCES and one.outcomes}
    fade = 0.5 ** (1 / 200)
    assert n[TALLY_ALL][0] == 4
    assert n[TALLY_LONG] == (3, pytest.approx(1 + fade + fade**2))
    assert n[TALLY_SHORT] == (1, 0.0)
    assert n[TALLY_PASSED] == (2, pytest.approx(1.0))
    assert n[TALLY_TAKEN][0] == 2
    assert n[TALLY_GATE + GATE_COOLDOWN] == n[TALLY_GATE + GATE_NO_SHORT] == (1, 0.0)
    assert n[TALLY_GATE + GATE_SMALL_GAP] == (1, pytest.approx(1.0))
    assert len(n) == 8
    assert state.tally[TALLY_SHORT].lost == pytest.approx(float(lessons(out)["net_return"][0]))


def test_publishers_share_an_outcome_by_their_weight() -> None:
    state, out, p = make_state(), new_out(1, 64), make_params(sources={"rate": 0.1, "min_obs": 1})
    state.tally["factor"][[2, 3]] = 1.5, 0.5
    state.tally["outcomes"][5] = 100  # somebody to be compared with
    feedback.watch(state, case(state, START, 1, publishers=0b1100), p.feedback)
    columns = walk(np.random.default_rng(0), 2)
    columns[1, 1:4] = columns[1, 0] * 1.2, columns[1, 0], columns[1, 0] * 1.1
    for k in range(2):
        feedback.settle(state, bar(state, 0, START + (k + 1) * BAR_NS, *columns[k]), out, p)
    assert state.tally["wins"][[2, 3, 5]].tolist() == [0.75, 0.25, 0.0]
    assert state.tally["log_weight"][[2, 3, 5]] == pytest.approx([0.1 * 0.75 * 0.5, 0.1 * 0.25 * 0.5, 0.0])
    rows = lessons(out, LESSON_SOURCE)
    assert rows["stream"].tolist() == [0] * len(rows)
    assert rows["before"].tolist() == [1.5, 0.5, 1.0]
    assert rows["after"].tolist() == [float(x) for x in state.tally["factor"][[2, 3, 5]]]
    assert len(lessons(out, LESSON_TRIGGER)) == 1


def test_sources_are_judged_by_what_the_stories_of_their_class_lose() -> None:
    """0 at the barrier that wins, 1 at the other and beyond it, the mean of the class (its prior one case) between."""
    half_life, rate = 5.0, 0.03
    p = make_params(
        feedback={"horizon_ns": HOUR_NS, "half_life": half_life}, sources={"rate": rate, "low": 0.1, "high": 3.0}
    )
    state, out = make_state(), new_out(1, 512)
    columns = walk(np.random.default_rng(5), 120, sigma=0.0015)
    columns[:, :4] *= np.exp(np.cumsum(np.arange(120) % 40 == 39) % 2 * 0.02)[:, None]  # opens beyond a barrier
    for k in range(120):
        feedback.watch(state, case(state, START + k * BAR_NS, k, side=1 - 2 * (k % 2), publishers=0b10), p.feedback)
        feedback.settle(state, bar(state, 0, START + (k + 1) * BAR_NS, *columns[k]), out, p)
    barrier, cost = 0.002 * math.sqrt(12), 2.0 * float(state.inst[0].taker + state.inst[0].half_spread)
    centre, log_weight, seen, beyond = 0.5, 0.0, [], set[int]()
    for n, one in enumerate(lessons(out)):
        x = (barrier - float(one.net_return)) / (2.0 * barrier + cost)
        beyond |= {x < 0.0, 2 * (x > 1.0)}
        seen.append(min(max(x, 0.0), 1.0))
        log_weight -= rate * (seen[-1] - centre)
        centre += (seen[-1] - centre) * max(1.0 / (n + 2), 1.0 - 0.5 ** (1.0 / half_life))
    assert len(seen) > 80
    assert sum(0.0 < x < 1.0 for x in seen) > 10
    assert {1, 2} <= beyond
    assert state.klass[int(state.inst[0].klass)].loss == pytest.approx(centre, rel=1e-9)
    assert state.tally[1].log_weight == pytest.approx(log_weight, rel=1e-9)


def test_the_round_trip_of_a_case_is_the_venue_s_by_the_factors_of_the_simulation() -> None:
    state = make_state()
    p = make_params(feedback={"fee_factor": 3.0, "spread_factor": 0.5}).feedback
    feedback.watch(state, case(state, START, 1), p)
    assert state.pending[0, 0].cost == pytest.approx(2.0 * (3.0 * 0.001 + 0.5 * 0.0002))
    assert state.pending[0, 0].win - state.pending[0, 0].loss == pytest.approx(state.pending[0, 0].cost)


def test_rates_of_zero_teach_nothing_and_write_no_change() -> None:
    p = make_params(feedback={"horizon_ns": HOUR_NS}, sources={"rate": 0.0, "min_obs": 0}, thresholds={"rate": 0.0})
    state, out = make_state(), new_out(1, 512)
    columns = walk(np.random.default_rng(3), 60)
    for k in range(60):
        feedback.watch(state, case(state, START + k * BAR_NS, k, side=1 - 2 * (k % 2), publishers=1 << k), p.feedback)
        feedback.settle(state, bar(state, 0, START + (k + 1) * BAR_NS, *columns[k]), out, p)
    assert len(lessons(out)) > 30
    assert out.head[0].lessons == len(lessons(out))
    assert (state.tally["factor"] == 1.0).all()
    assert (state.klass["factor"] == 1.0).all()


def test_what_the_engine_settles_is_what_evaluation_labels() -> None:
    """The defaults of the repeated keys are those of the sections that decide them."""
    for name, default in Params._field_defaults.items():
        for section in (outcome.Params, sim.Params):
            if name in section._field_defaults:
                assert default == section._field_defaults[name], name


# Through the whole step.


def tape(state: State, seed: int, count: int = 240) -> list[Any]:
    """Bars, stories every dozen bars, timers; a warm-up of 120 bars in BACKFILL."""
    rng = np.random.default_rng(seed)
    columns = walk(rng, count)
    events = []
    for k in range(count):
        close = START + (k + 1) * BAR_NS
        marks = BACKFILL if k < 120 else 0
        if k % 12 == 7 or (k > 120 and k % 5 == 0):
            at = close - BAR_NS + int(rng.integers(1, BAR_NS // 2))
            events.append(signal(0, at, float(rng.choice([-1, 1])), cluster=k, publisher=int(rng.integers(1, 5))))
            events.append(timer(at + SECOND_NS, grid=False, marks=marks))
        events.append(bar(state, 0, close, *columns[k], known_ns=close + SECOND_NS, marks=marks))
        events.append(timer(close + 2 * SECOND_NS, marks=marks))
    return sorted(events, key=lambda e: int(e.ts_known))


EAGER: dict[str, Any] = {
    "price": {"min_obs": 20, "full_obs": 21}, "divergence": {"trigger": 0.3}, "gates": {"cooldown_ns": 0},
    "feedback": {"horizon_ns": HOUR_NS}, "sources": {"min_obs": 2, "rate": 0.2}, "thresholds": {"rate": 0.05},
}  # fmt: skip


def test_lessons_of_a_prefix_are_a_prefix_of_the_lessons() -> None:
    whole, p = make_state(**PERP | {"funding_ns": 0}), make_params(**EAGER)
    events = tape(whole, 4)
    out = feed(whole, events, p)
    rows = out.lessons[: int(out.head[0].lessons)]
    assert len(lessons(out)) >= 15
    assert len(lessons(out, LESSON_SOURCE)) > 5
    assert len(lessons(out, LESSON_TRIGGER)) > 2
    assert (np.diff(rows["ts_ns"]) >= 0).all()
    assert (rows["ts_ns"] > rows["at_ns"]).all()
    for cut in (len(events) // 2, len(events) * 3 // 4):
        state = make_state(**PERP | {"funding_ns": 0})
        part = feed(state, events[:cut], p)
        n = int(part.head[0].lessons)
        assert part.lessons[:n].tobytes() == rows[:n].tobytes()
        assert (rows["ts_ns"][n:] > int(events[cut - 1].ts_known)).all() or n == len(rows)


def test_what_is_learnt_in_backfill_is_what_is_learnt_while_deciding() -> None:
    """Weights, triggers and outcomes do not depend on the account: all BACKFILL teaches what a decided run does."""
    decided, silent, p = (
        make_state(**PERP | {"funding_ns": 0}),
        make_state(**PERP | {"funding_ns": 0}),
        make_params(**EAGER),
    )
    events = tape(decided, 5)
    said = feed(decided, events, p)
    for e in events:
        e.marks |= BACKFILL
    told = feed(silent, events, p)
    assert (told.head[0].decisions, told.head[0].judged, told.refusals.sum()) == (0, 0, 0)
    assert said.head[0].decisions > 0
    for kind in (LESSON_OUTCOME, LESSON_SOURCE, LESSON_TRIGGER):
        one, two = lessons(said, kind), lessons(told, kind)
        assert len(one) == len(two) > 2
        for name in ("ts_ns", "at_ns", "cluster", "side", "passed", "y", "net_return", "before", "after"):
            np.testing.assert_array_equal(one[name], two[name], err_msg=name)
        assert (two["gates"] == UNDECIDED).all()
    for name in ("factor", "level", "loss"):
        np.testing.assert_array_equal(decided.klass[name], silent.klass[name])
    np.testing.assert_array_equal(decided.tally["factor"], silent.tally["factor"])
    assert not silent.tally["outcomes"][TALLY_GATE:].any()


def test_each_story_is_watched_once_whatever_the_gates_said() -> None:
    state, p = make_state(), make_params(**EAGER)
    out = feed(state, tape(state, 6), p)
    rows = lessons(out)
    rows = rows[rows["gates"] != UNDECIDED]
    assert len(np.unique(rows["cluster"])) == len(rows) > 15
    assert (rows["gates"] != 0).any()
    made = {int(d.seq): d for d in out.decisions[: int(out.head[0].decisions)]}
    for one in rows:
        d = made[int(one.decision)]
        assert (one.at_ns, one.cluster, one.side, one.gates) == (d.ts_ns, d.lead, d.side, d.gates)


# What trades made, by why they were left.


def traded(state: State, events: list[Any], p: Any) -> Out:
    out = new_out(1, 64)
    for event in events:
        is_fill = "FUNDING" if event.kind == funding(0, START, 0.0).kind else "FILL"
        (ledger.fund if is_fill == "FUNDING" else ledger.book)(state, event, out)
        if is_fill == "FILL" or state.book[0].lots != 0:
            feedback.book(state, 0, out, p.feedback)
    return out


def test_a_trade_is_tallied_by_why_it_was_left_with_what_it_made() -> None:
    state, p = make_state(**PERP), make_params()
    priced(state, 100.0)
    b = state.book[0]
    b.entry_id, b.stop_id, b.target_id, b.plan_margin = 1, 2, 3, 1.0
    events = [fill(1, 10_000, 600, fee=0.02), fill(1, 10_100, 400, fee=0.03), funding(0, START, 0.001)]
    out = traded(state, [*events, fill(2, 9_900, -300, fee=0.01), fill(2, 9_800, -700, fee=0.01)], p)
    (row,) = lessons(out, LESSON_EXIT)
    entries = out.entries[: int(out.head[0].entries)]
    net = float(entries["amount_usd"].sum() - entries["fee_usd"].sum())
    assert net < 0
    assert row.net_usd == pytest.approx(net, abs=1e-12)
    assert row.net_return == pytest.approx(net / (0.6 * 100 + 0.4 * 101))
    assert (row.why, row.side, row.y) == (WHY_STOP, 1, 0)
    assert state.tally[TALLY_EXIT + WHY_STOP].losses == 1.0
    b.entry_id, b.target_id = 4, 5
    out = traded(state, [fill(4, 10_000, -500), fill(5, 9_000, 500)], p)
    (row,) = lessons(out, LESSON_EXIT)
    assert (row.why, row.side, row.net_return) == (WHY_TARGET, -1, pytest.approx(0.1))  # nothing of the first is left
    assert state.tally[TALLY_EXIT + WHY_TARGET].won == pytest.approx(0.1)


def test_how_trades_were_left_fades_with_the_trades_of_that_kind() -> None:
    state, p = make_state(**PERP), make_params(feedback={"half_life": 5.0})
    priced(state, 100.0)
    for _ in range(3):
        state.book[0].entry_id, state.book[0].stop_id, state.book[0].plan_margin = 1, 2, 1.0
        traded(state, [fill(1, 10_000, 500), fill(2, 9_900, -500)], p)
    fade, t = 0.5**0.2, state.tally[TALLY_EXIT + WHY_STOP]
    assert (t.outcomes, t.losses) == (3, pytest.approx(1.0 + fade + fade**2))
    assert t.lost == pytest.approx(-0.01 * t.losses)


def test_a_liquidation_is_a_reason_of_its_own() -> None:
    state, p = make_state(**PERP), make_params()
    priced(state, 100.0)
    state.book[0].entry_id, state.book[0].plan_margin = 1, 1.0
    out = traded(state, [fill(1, 10_000, 500), liquidated(9_000, -500, fee=1.0)], p)
    assert lessons(out, LESSON_EXIT)["why"].tolist() == [WHY_LIQUIDATED]


@pytest.mark.parametrize("side", [1, -1])
def test_a_fill_that_flips_a_position_is_notional_only_beyond_flat(side: int) -> None:
    state, p = make_state(**PERP), make_params()
    priced(state, 100.0)
    state.book[0].entry_id, state.book[0].plan_margin = 1, 1.0
    turned, back = 10_000 + side * 400, 10_000 - side * 300
    out = traded(state, [fill(1, 10_000, side * 1000), fill(9, turned, -side * 1500), fill(9, back, side * 500)], p)
    (row,) = lessons(out, LESSON_EXIT)
    one = float(unit(state.inst[0]))
    gain = 1000 * one * 4.0 + 500 * one * 7.0  # both ways it was left better than it was entered
    assert row.net_usd == pytest.approx(gain)
    assert row.net_return == pytest.approx(gain / (1000 * one * 100.0 + 500 * one * turned * 0.01), rel=1e-12)
