"""evaluate.lessons: what was learnt in a run agrees with what the run did and with what is labelled afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.simulated import played

from confidence_engine.cli.show import to_json
from confidence_engine.domain.decision import GATE_NAMES
from confidence_engine.domain.order import EXIT_NAMES
from confidence_engine.domain.outcome import UNRESOLVED, WON, labels
from confidence_engine.domain.record import LESSON_EXIT, LESSON_OUTCOME
from confidence_engine.domain.units import DAY_NS, HOUR_NS
from confidence_engine.evaluate.lessons import learnt, tally
from confidence_engine.evaluate.summary import round_trip_cost
from confidence_engine.kernel.feedback import UNDECIDED


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    p = played()
    return learnt(p.config, p.sources, p.result, p.tape.streams.names)


def outcomes() -> np.ndarray:
    rows = played().result.lessons
    return rows[(rows["kind"] == LESSON_OUTCOME) & (rows["gates"] != UNDECIDED)]


def test_what_was_settled_is_what_label_says_of_the_stored_bars() -> None:
    """Every case of a compiled replay, with the bars as stored: y, net return and the bar it was known at."""
    p, rows = played(), outcomes()
    made = {int(d["seq"]): d for d in p.result.decisions}
    assert len(rows) > 50
    for i, one in enumerate(p.sources.instruments):
        mine = rows[rows["asset"] == i]
        bars = p.sources.bars[one.key]
        columns = (np.ascontiguousarray(bars[x]) for x in ("open_ns", "close_ns", *"ohlc"))
        judged = [made[int(seq)] for seq in mine["decision"]]
        q = p.config.outcome
        sigma = np.array([d["sigma"] for d in judged]) * np.sqrt(q.horizon_ns / p.config.agent.interval_ns)
        y, net, known = labels(
            *columns, np.array([d["ts_ns"] for d in judged]), np.array([d["side"] for d in judged]), q.horizon_ns,
            sigma, q.loss_sigma, q.win_sigma, np.full(len(mine), round_trip_cost(p.config, one)), p.config.sim.grace_ns,
        )  # fmt: skip
        np.testing.assert_array_equal(mine["y"], y)
        np.testing.assert_array_equal(mine["net_return"], net)
        np.testing.assert_array_equal(mine["resolved_ns"], known)


def test_cases_that_are_labelled_afterwards_too_have_the_same_label() -> None:
    rows, labelled = outcomes(), played().made.labelled
    both = np.intersect1d(rows["decision"], labelled["seq"])
    assert len(both) > 10
    mine = {int(row["decision"]): row for row in rows}
    for one in labelled[np.isin(labelled["seq"], both)]:
        row = mine[int(one["seq"])]
        assert (row["y"], row["net_return"], row["resolved_ns"]) == (one["y"], one["net_return"], one["resolved_ns"])


def test_trades_by_why_they_were_left_are_the_trades(found: dict[str, Any]) -> None:
    trades, rows = played().made.trades, played().result.lessons
    exits = rows[rows["kind"] == LESSON_EXIT]
    assert len(exits) == len(trades) >= 10
    np.testing.assert_allclose(np.sort(exits["net_usd"]), np.sort(trades["pnl_usd"]), atol=1e-9)
    for why in np.unique(trades["why"]):
        mine, of = found["exits"][EXIT_NAMES[int(why)]], trades[trades["why"] == why]
        assert mine["n"] == len(of)
        assert mine["net_usd"] == pytest.approx(of["pnl_usd"].sum())
        assert mine["mean_net_return"] == pytest.approx((of["pnl_usd"] / of["notional_usd"]).mean())


def test_tallies_agree_with_the_rows(found: dict[str, Any]) -> None:
    rows = outcomes()
    seen = rows[rows["y"] != UNRESOLVED]
    cases = found["cases"]
    assert cases["all"]["won"]["n"] == len(seen) == cases["long"]["won"]["n"] + cases["short"]["won"]["n"]
    assert cases["all"]["won"]["value"] == (seen["y"] == WON).mean()
    assert cases["entered"]["won"]["n"] == (seen["gates"] == 0).sum() > 5
    assert cases["beyond_trigger"]["won"]["n"] >= cases["entered"]["won"]["n"]
    assert found["unresolved"] == len(rows) - len(seen)
    assert set(found["refused"]) <= set(GATE_NAMES)
    small = seen[(seen["gates"] >> GATE_NAMES.index("SMALL_GAP")) & 1 == 1]
    assert found["refused"]["SMALL_GAP"] == tally(small, played().sources, played().config.outcome.horizon_ns)
    state = played().result.state
    assert found["open"] == (state.pending["at_ns"] > 0).sum()
    assert found["warmup_cases"] > 10
    total = sum(one["outcomes"] for one in found["sources"].values())
    assert total >= len(seen)  # every publisher of a story takes part in its outcome


def test_a_tally_of_nothing_has_no_figures() -> None:
    nothing = tally(outcomes()[:0], played().sources, DAY_NS)
    assert nothing["won"] == {"value": None, "ci95": None, "n": 0, "n_days": 0}
    assert nothing["mean_win"] is None


def test_cases_that_are_held_over_the_same_days_are_one_stretch() -> None:
    """Three days' worth of cases at a horizon of three days are one independent case, not three."""
    p = played()
    rows = outcomes()[:60].copy()
    begin = -(-int(p.window.start_ns) // (3 * DAY_NS)) * 3 * DAY_NS
    rows["at_ns"] = begin + np.arange(60) * (6 * DAY_NS // 60)
    assert tally(rows, p.sources, 6 * HOUR_NS)["won"]["n_days"] == 6
    assert tally(rows, p.sources, 3 * DAY_NS)["won"]["n_days"] == 2


def test_it_can_be_written_as_json(found: dict[str, Any]) -> None:
    assert '"exits"' in to_json(found)
