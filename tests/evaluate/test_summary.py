"""evaluate.summary: every figure that is asked for is there, of its kind, and null where a run cannot carry it."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from tests.simulated import END, START, Played, played, summary_of

from confidence_engine.cli.show import to_json
from confidence_engine.domain.decision import GATE_NAMES
from confidence_engine.domain.outcome import UNRESOLVED
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, parse_time
from confidence_engine.drivers import replay
from confidence_engine.evaluate.performance import Estimate
from confidence_engine.evaluate.summary import (
    LABEL,
    _days_needed,
    base_per_lot,
    figures,
    live_hours,
    outcomes,
    round_trip_cost,
    rows_hash,
    summarise,
    warmup_days,
)
from confidence_engine.feeds.clean import SCORE_ROW
from confidence_engine.text.cues import CueReader

NUMBER = (int, float)
KINDS: dict[str, Any] = {
    "events": int, "bars": int, "documents": int, "decisions": int, "refusals": dict, "orders": int, "fills": int,
    "trades": int, "net_pnl_usd": float, "fees_usd": float, "funding_usd": float, "turnover_usd": float,
    "max_drawdown": float, "exposure": dict, "sharpe": dict, "hold_pnl_usd": float,
    "random_entry_percentile": float, "random_entry": dict, "random_entry_all_hours": dict, "warmup_days": dict,
    "first_warm": dict, "feedback": dict, "degraded_share": float, "synthetic": bool,
    "state_hash": str, "decisions_hash": str, "params_hash": str, "data_hash": str, "code_revision": str, "reader": str,
    "cpu_events_per_s": float,
}  # fmt: skip


@pytest.fixture(scope="module")
def summary() -> dict[str, Any]:
    return summary_of(played())


@pytest.fixture(scope="module")
def silent() -> Played:
    """The same world with nobody speaking."""
    p = played()
    sources = p.sources._replace(documents=[])
    readings = replay.read(p.config, sources, CueReader())
    tape = replay.compose(p.config, sources, readings, p.window)
    result = replay.play(p.config, sources.instruments, tape.events)
    return Played(p.config, sources, readings, p.window, tape, result, figures(p.config, sources, result))


def test_every_figure_that_is_asked_for_is_there(summary: dict[str, Any]) -> None:
    for name, kind in KINDS.items():
        assert type(summary[name]) is kind, name
    assert set(summary["sharpe"]) == {"value", "ci95", "n"}
    assert tuple(summary["refusals"]) == GATE_NAMES
    assert (summary["synthetic"], summary["start"][:10], summary["end"][:10]) == (True, START, END)
    for name in ("state_hash", "decisions_hash", "fills_hash", "data_hash"):
        assert len(bytes.fromhex(summary[name])) == 32


def test_the_figures_agree_with_each_other_and_with_the_rows(summary: dict[str, Any]) -> None:
    p = played()
    assert summary["entries"] == (p.result.decisions["gates"] == 0).sum() >= 10
    assert summary["trades"] == len(p.made.trades) <= summary["entries"]
    assert summary["orders"] >= 3 * summary["entries"]  # an entry, its stop and its target
    assert summary["net_pnl_usd"] == pytest.approx(p.result.equities["equity"][-1] - 100_000, abs=1e-6)
    assert summary["net_pnl_usd"] == pytest.approx(p.made.trades["pnl_usd"].sum(), abs=1e-6)  # none is open at the end
    assert summary["fees_usd"] == pytest.approx(p.result.entries["fee_usd"].sum())
    assert summary["turnover_usd"] > 2 * p.made.trades["notional_usd"].sum() * 0.99
    assert 0 < summary["max_drawdown"] < 0.01
    assert 0 < summary["exposure"]["time_share"] < 1
    assert 0 <= summary["random_entry_percentile"] <= 100
    assert summary["random_entry"]["draws"] == 500
    assert summary["degraded_share"] == 0.0
    assert max(summary["refusals"].values()) <= summary["judged"]
    warm = {parse_time(at) for at in summary["first_warm"].values()}
    assert max(warm) < p.window.start_ns


def test_sixteen_days_are_too_few_for_a_sharpe_ratio(summary: dict[str, Any]) -> None:
    assert summary["sharpe"] == {"value": None, "ci95": None, "n": 16}


def test_what_the_venue_refused_and_what_fell_out_of_memory_is_counted() -> None:
    p = played()
    before = summary_of(p)
    state = type(p.result.state)(*(array.copy() for array in p.result.state))
    state.book["rejected"][:2] += 3
    state.head[0].clusters_full += 5
    after = summary_of(p._replace(result=p.result._replace(state=state)))
    assert after["orders_refused"] == before["orders_refused"] + 6
    assert after["stories_displaced"] == before["stories_displaced"] + 5


def test_days_needed_stand_beside_a_sharpe_ratio_above_zero_only() -> None:
    assert _days_needed(Estimate(1.5, (0.1, 2.9), 400), "equity") == pytest.approx(1.2 * 252, rel=0.02)
    assert _days_needed(Estimate(-0.5, (-2.0, 1.0), 400), "crypto") is None
    assert _days_needed(Estimate(None, None, 16), "crypto") is None


def test_a_run_without_trades_has_nulls_and_no_zeros_in_their_place(silent: Played) -> None:
    found = summary_of(silent)
    assert (found["entries"], found["orders"], found["fills"], found["trades"]) == (0, 0, 0, 0)
    assert found["random_entry_percentile"] is None
    assert found["win_rate"] == {"value": None, "ci95": None, "n": 0}
    assert found["payoff_ratio"] is None
    assert found["outcomes"] == {
        "closed": {"value": None, "ci95": None, "n": 0, "n_days": 0}, "mean_net_return": None, "unresolved": 0,
        "block": "1d",
    }  # fmt: skip
    assert (found["net_pnl_usd"], found["max_drawdown"], found["documents"]) == (0.0, 0.0, 0)
    assert found["hold_pnl_usd"] == summary_of(played())["hold_pnl_usd"]


def test_no_number_in_the_json_is_missing_without_saying_so(summary: dict[str, Any], silent: Played) -> None:
    def refuse(text: str) -> None:
        raise AssertionError(text)

    for one in (summary, summary_of(silent)):
        text = to_json(one)
        assert json.loads(text, parse_constant=refuse)["schema"] == 1
        for value in _leaves(one):
            assert not isinstance(value, float) or math.isfinite(value)


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for one in value.values() for leaf in _leaves(one)]
    if isinstance(value, list):
        return [leaf for one in value for leaf in _leaves(one)]
    return [value]


def test_nothing_judged_has_no_degraded_share() -> None:
    p = played()
    nothing = p.result._replace(judged=0, degraded=0, cpu_s=0.0)
    found = summarise(p.config, p.sources, p.window, p.tape, nothing, p.made, "cues")
    assert found["degraded_share"] is None
    assert found["cpu_events_per_s"] is None


# Labels.


def test_one_label_a_story_and_asset() -> None:
    p = played()
    rows = p.made.labelled
    decisions = {int(d["seq"]): d for d in p.result.decisions}
    cases = [decisions[int(seq)] for seq in rows["seq"]]
    pairs = [(int(d["asset"]), int(d["lead"])) for d in cases]
    assert len(set(pairs)) == len(pairs) >= 20
    assert all(d["strength"] > 0 and d["gap"] * d["side"] > 0 for d in cases)
    assert set(rows["y"].tolist()) <= {-1, 0, 1}
    for d in p.result.decisions:  # the first case of a story is the one that counts
        if d["strength"] > 0 and d["gap"] * d["side"] > 0:
            first = pairs.index((int(d["asset"]), int(d["lead"])))
            assert d["ts_ns"] >= cases[first]["ts_ns"]


def test_a_label_says_what_the_price_then_did() -> None:
    """Against a plain reading of the bars, for cases that touched neither barrier or one."""
    p = played()
    decisions = {int(d["seq"]): d for d in p.result.decisions}
    for row in p.made.labelled:
        d = decisions[int(row["seq"])]
        one = p.sources.instruments[int(d["asset"])]
        bars = p.sources.bars[one.key]
        bars = bars[(bars["open_ns"] >= d["ts_ns"] - p.config.sim.grace_ns) & (bars["close_ns"] <= row["resolved_ns"])]
        cost = round_trip_cost(p.config, one)
        best = max(d["side"] * (bars["h" if d["side"] > 0 else "l"] / bars["o"][0] - 1)) - cost
        if row["y"] == 1:
            assert row["net_return"] > 0
            assert row["net_return"] <= best + max(0.0, d["side"] * (bars["o"][-1] / bars["o"][0] - 1)) + 1e-12
        elif row["y"] == 0:
            assert row["net_return"] <= 0


def test_a_case_whose_end_lies_beyond_the_bars_is_unresolved() -> None:
    p = played()
    last = p.made.labelled[-1]
    decision = p.result.decisions[p.result.decisions["seq"] == last["seq"]]
    at = int(decision["ts_ns"][0])
    bars = {key: rows[rows["close_ns"] <= at + 1] for key, rows in p.sources.bars.items()}
    assert outcomes(p.config, p.sources._replace(bars=bars), decision)["y"].tolist() == [UNRESOLVED]


def test_without_cases_there_are_no_labels() -> None:
    p = played()
    found = outcomes(p.config, p.sources, p.result.decisions[:0])
    assert (len(found), found.dtype) == (0, LABEL)


def test_one_label_a_score_however_often_it_was_judged() -> None:
    """Made-up decisions on one asset: a score every twelve hours, judged every five minutes; some tell a story."""
    p = played()
    one = p.sources.instruments[0]
    known = p.window.start_ns + 12 * HOUR_NS * np.arange(1, 11)
    scores = np.zeros(len(known), SCORE_ROW)
    scores["known_ns"], scores["horizon_ns"], scores["mean"], scores["std"] = known, 6 * HOUR_NS, 0.02, 0.01
    rows = np.zeros(len(known) * 72, p.result.decisions.dtype)
    rows["seq"] = 1 + np.arange(len(rows))
    rows["ts_ns"] = (known[:, None] + 5 * MINUTE_NS * np.arange(72)).ravel()
    rows["side"], rows["gap"], rows["strength"], rows["sigma"], rows["lead"] = 1, 1.0, 0.5, 1e-3, -1
    rows["stories"][72 * 3 + 10 : 72 * 5] = 1
    rows["lead"][72 * 3 + 10 : 72 * 4], rows["lead"][72 * 4 : 72 * 5] = 7, 8
    found = outcomes(p.config, p.sources._replace(scores={one.key: scores}), rows)
    first = [72 * k for k in range(10) if k != 4]  # score 4 is told over by a story from its first judgement on
    assert found["seq"].tolist() == sorted(1 + at for at in [*first, 72 * 3 + 10, 72 * 4])
    assert np.array_equal(found["ts_ns"], rows["ts_ns"][found["seq"] - 1])


def test_the_share_is_clustered_by_the_day_of_the_decision(summary: dict[str, Any]) -> None:
    p = played()
    seen = p.made.labelled[p.made.labelled["y"] != UNRESOLVED]
    days = np.unique(seen["ts_ns"] // DAY_NS)
    closed = summary["outcomes"]["closed"]
    assert (closed["n"], closed["n_days"]) == (len(seen), len(days))
    assert closed["value"] == pytest.approx((seen["y"] == 1).mean())
    assert closed["ci95"][0] < closed["value"] < closed["ci95"][1]


def test_luck_is_drawn_from_the_hours_with_evidence(summary: dict[str, Any]) -> None:
    p = played()
    hours = live_hours(p.result.decisions)
    told = p.result.decisions[p.result.decisions["stories"] > 0]
    for asset, mine in hours.items():
        assert np.array_equal(mine, np.unique(told["ts_ns"][told["asset"] == asset] // HOUR_NS))
    assert summary["random_entry"]["mean_usd"] != summary["random_entry_all_hours"]["mean_usd"]
    assert summary["random_entry"]["trades"] == summary["random_entry_all_hours"]["trades"] == summary["trades"]
    assert summary["random_entry_percentile"] == summary["random_entry"]["percentile"]


def test_the_warm_up_that_was_found_is_the_least_of_all_symbols() -> None:
    p = played()
    assert warmup_days(p.config, p.sources, p.window.start_ns) == {"wanted": 6.0, "found": 6.0}
    key = p.sources.instruments[1].key
    rows = p.sources.bars[key]
    late = p.sources._replace(bars=p.sources.bars | {key: rows[rows["open_ns"] >= p.window.start_ns - 36 * HOUR_NS]})
    assert warmup_days(p.config, late, p.window.start_ns)["found"] == 1.5
    assert warmup_days(p.config, late, p.window.start_ns - 48 * HOUR_NS)["found"] == 0.0


# Small things.


def test_costs_and_lots() -> None:
    p = played()
    one = p.sources.instruments[0]
    assert round_trip_cost(p.config, one) == pytest.approx(2 * (5e-4 + 1e-4))
    assert base_per_lot(p.sources.instruments) == [0.001] * 4


def test_a_hash_changes_with_any_byte() -> None:
    rows = played().result.decisions[:50].copy()
    before = rows_hash(rows)
    assert rows_hash(rows.copy()) == before
    rows["gap"][17] = np.nextafter(rows["gap"][17], 9.0)
    assert rows_hash(rows) != before
