"""Every check on the source as it is: no alarm, on enough cases to mean something. And each fails where it should."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from tests.evaluate.leaks.scenes import played, run, scene

from confidence_engine.domain.event import BAR, FILL, TIMER
from confidence_engine.domain.order import INTENT_SUBMIT, ORDER_LIMIT, ORDER_STOP, ORDER_TARGET
from confidence_engine.domain.record import LESSON_OUTCOME
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS
from confidence_engine.drivers.replay import Result
from confidence_engine.evaluate.leaks.fills import GRACE_NS, fills
from confidence_engine.evaluate.leaks.found import SHOWN, Check
from confidence_engine.evaluate.leaks.lanes import cuts_of, kernel_future, lane, scrambled
from confidence_engine.evaluate.leaks.outcomes import outcomes
from confidence_engine.evaluate.leaks.rebuilt import FUTURE, TRUNCATION, Rebuilt, future
from confidence_engine.evaluate.leaks.scene import resting
from confidence_engine.evaluate.leaks.stamps import stamps
from confidence_engine.evaluate.leaks.whole import CHECKS, new_checks
from confidence_engine.evaluate.leaks.yardsticks import frames, own_reading
from confidence_engine.feeds.assemble import Window
from confidence_engine.text.cues import CueReader


def fresh() -> Check:
    return Check("x", "y")


def test_the_past_of_raw_rows_does_not_hang_on_their_future() -> None:
    made, checks = scene(), new_checks()
    for k, t in enumerate(np.random.default_rng(8).integers(made.begin_ns + 3 * DAY_NS, made.end_ns - DAY_NS, 1)):
        window = Window(made.begin_ns, made.begin_ns + DAY_NS, made.end_ns)
        both = {name: checks[name] for name in (FUTURE, TRUNCATION)}
        future(made.tables, made.config, window, CueReader, int(t), np.random.default_rng(k), both)
    for check in both.values():
        assert (check.n, check.leaks, check.seen["unchanged"]) == (1, 0, 0)
        assert check.seen["decisions"] > 150
        assert check.seen["entries"] > 10


def test_every_event_has_a_row_that_could_be_known() -> None:
    check = fresh()
    stamps(scene().tables, run(), check)
    assert check.leaks == 0
    assert check.n > 800


@pytest.mark.parametrize("earlier_ns", [1, HOUR_NS])
def test_an_event_that_is_known_too_early_is_seen(earlier_ns: int) -> None:
    told = run().tape.events.copy()
    some = np.flatnonzero(told["kind"] == BAR)[10:13]
    told["ts_known"][some] -= earlier_ns
    check = fresh()
    stamps(scene().tables, run()._replace(tape=run().tape._replace(events=told)), check)
    assert check.leaks == 3
    assert "could not be known before" in check.examples[0]


def test_an_event_that_no_row_says_is_seen() -> None:
    told = run().tape.events.copy()
    told["x3"][np.flatnonzero(told["kind"] == BAR)[5]] *= 1.5
    check = fresh()
    stamps(scene().tables, run()._replace(tape=run().tape._replace(events=told)), check)
    assert check.leaks == 1
    assert "no raw row" in check.examples[0]


def test_two_lanes_agree_at_every_cut() -> None:
    one, check = run(), fresh()
    events = one.tape.events
    kernel_future(one.config, one.sources.instruments, events, cuts_of(events, 500, np.random.default_rng(1)),
                  np.random.default_rng(2), check)  # fmt: skip
    assert (check.n, check.leaks) == (500, 0)
    assert check.seen["decisions"] > 500
    assert check.seen["orders"] > 100


def test_every_place_between_two_events_is_a_cut_where_more_are_wanted() -> None:
    events = run().tape.events[:40]
    assert cuts_of(events, 10_000, np.random.default_rng(1)).tolist() == list(range(1, 40))
    assert len(set(cuts_of(run().tape.events, 100, np.random.default_rng(1)).tolist())) == 100


def test_a_lane_says_all_even_where_it_has_little_room() -> None:
    one = run()
    many, few = lane(one.config, one.sources.instruments), lane(one.config, one.sources.instruments, rows=1)
    events = one.tape.events
    assert many.step(events, 0, len(events)) == few.step(events, 0, len(events))


def test_scrambled_events_are_of_the_same_times_and_other_numbers() -> None:
    events = run().tape.events
    other = scrambled(events, np.random.default_rng(1))
    for name in ("ts_event", "ts_known", "kind", "asset", "source"):
        assert np.array_equal(events[name], other[name])
    assert (events["x0"] != other["x0"])[events["kind"] == BAR].all()
    assert (events["x0"] != other["x0"])[events["kind"] == TIMER].all()


def test_open_frames_and_own_readings_move_nothing() -> None:
    one, held, own = run(), fresh(), fresh()
    config = one.config.kernel._replace(regime=one.config.kernel.regime._replace(follow=True))
    frames(msgspec.structs.replace(one.config, kernel=config), one.sources.instruments, one.tape.events, 20,
           np.random.default_rng(5), held)  # fmt: skip
    own_reading(one.config, one.sources.instruments, one.tape.events, 40, np.random.default_rng(5), own)
    assert held.leaks == own.leaks == 0
    assert held.n >= 60
    assert own.n > 50


def test_fills_and_outcomes_are_what_the_bars_and_orders_allow() -> None:
    money, learnt = fresh(), fresh()
    fills(run(), played(), money)
    outcomes(run(), played(), learnt)
    assert money.leaks == learnt.leaks == 0
    assert money.n > 60
    assert learnt.n > 40


def test_a_fill_that_could_not_have_been_is_seen() -> None:
    entries = played().entries.copy()
    mine = np.flatnonzero((entries["kind"] == FILL) & (entries["order_id"] != 0))
    entries["price"][mine] += np.where(entries["lots"][mine] > 0, -1.0, 1.0) * entries["price"][mine] * 0.01
    check = fresh()
    fills(run(), played()._replace(entries=entries), check)
    assert check.leaks > 0.9 * check.n
    assert len(check.examples) == SHOWN
    entries = played().entries.copy()
    entries["ts_known"] += 7 * MINUTE_NS
    check = fresh()
    fills(run(), played()._replace(entries=entries), check)
    assert check.leaks == check.n
    late = played().intents.copy()
    late["ts_ns"] += 10 * HOUR_NS
    check = fresh()
    fills(run(), played()._replace(intents=late), check)
    assert check.leaks == check.n


def test_a_fill_of_the_bar_an_order_came_in_is_seen_though_the_config_allows_it() -> None:
    """`[sim] grace` of minutes lets an order have an open from before it; the bound is the check's own."""
    one = run()
    lax = one._replace(config=msgspec.structs.replace(one.config, sim=one.config.sim._replace(grace_ns=10 * MINUTE_NS)))
    check = fresh()
    fills(lax, lax.play(), check)
    assert check.leaks > 5
    assert "its bar opened" in check.examples[0]
    barely = one._replace(config=msgspec.structs.replace(one.config, sim=one.config.sim._replace(grace_ns=GRACE_NS)))
    check = fresh()
    fills(barely, barely.play(), check)
    assert (check.n > 60, check.leaks) == (True, 0)


def test_fills_of_limit_entries_are_what_the_bars_and_orders_allow() -> None:
    made, result = limited()
    check = fresh()
    fills(made, result, check)
    assert (check.n > 40, check.leaks) == (True, 0)
    assert min(len(filled(kind)) for kind in (ORDER_LIMIT, ORDER_TARGET, ORDER_STOP)) > 3


def limited() -> tuple[Rebuilt, Result]:
    """The scene with entries that rest, and what came of it."""
    made = run()._replace(config=resting(run().config))
    return made, made.play()


def filled(kind: int) -> np.ndarray:
    """Rows of the fills of orders of a kind in that run, of what had no split."""
    made, result = limited()
    plain = [k for k, one in enumerate(made.sources.instruments) if one.key not in made.sources.corporate]
    sent = result.intents[result.intents["action"] == INTENT_SUBMIT]
    mine = np.isin(result.entries["order_id"], sent["order_id"][sent["kind"] == kind])
    return np.flatnonzero((result.entries["kind"] == FILL) & mine & np.isin(result.entries["asset"], plain))


def reached(row: np.void, beyond_ticks: float) -> list[str]:
    """What is said of one fill where the best of its bar lies `beyond_ticks` beyond its price."""
    made, result = limited()
    one, side = made.sources.instruments[int(row["asset"])], 1 if row["lots"] > 0 else -1
    rows = made.sources.bars[one.key].copy()
    at = int(np.searchsorted(rows["close_ns"], row["ts_known"] - made.config.timing.bar_latency_ns))
    edge = float(row["price"]) - side * beyond_ticks * one.tick
    rows["l" if side > 0 else "h"][at] = rows["c"][at] = edge
    check = fresh()
    bars = made.sources.bars | {one.key: rows}
    fills(made._replace(sources=made.sources._replace(bars=bars)), result, check)
    return [told for told in check.examples if f"order {row['order_id']}:" in told]


@pytest.mark.parametrize("kind", [ORDER_LIMIT, ORDER_TARGET])
def test_a_mere_touch_fills_neither_a_limit_entry_nor_a_target(kind: int) -> None:
    rows = limited()[1].entries[filled(kind)]
    assert len(rows) > 3
    for row in rows:
        assert reached(row, 1.0) == []
        (told,) = reached(row, 0.0)
        assert "did not go beyond" in told


def test_a_limit_entry_that_came_too_late_or_at_another_price_is_seen() -> None:
    made, result = limited()
    mine = filled(ORDER_LIMIT)
    cheaper = result.entries.copy()
    cheaper["price"][mine] *= 1.001
    check = fresh()
    fills(made, result._replace(entries=cheaper), check)
    assert check.leaks == len(mine) > 20
    assert "is not its price" in check.examples[0]
    late = result.intents.copy()
    late["ts_ns"][late["kind"] == ORDER_LIMIT] += 10 * HOUR_NS
    check = fresh()
    fills(made, result._replace(intents=late), check)
    assert check.leaks == len(mine)
    assert "it arrived when its bar was over" in check.examples[0]


def test_an_outcome_that_was_not_one_is_seen() -> None:
    for name, by in (("resolved_ns", -30 * MINUTE_NS), ("net_return", 1e-6), ("ts_ns", -HOUR_NS * 24)):
        lessons = played().lessons.copy()
        over = lessons["kind"] == LESSON_OUTCOME
        lessons[name][over] += by
        check = fresh()
        outcomes(run(), played()._replace(lessons=lessons), check)
        unresolved = int(np.isnan(played().lessons["net_return"][over]).sum())
        assert check.leaks >= check.n - (unresolved if name == "net_return" else 0) > 40


def test_a_check_counts_all_and_tells_a_few() -> None:
    check = fresh()
    for k in range(20):
        check.leak(f"leak {k}")
    check.leak("ten of a kind", 10)
    row = check.told()
    assert row["leaks"] == 30
    assert len(row["examples"]) == SHOWN
    assert set(new_checks()) == set(CHECKS)
