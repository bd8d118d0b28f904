"""report.moment: a decision as of a moment is the replay's own, and knows nothing of what came later."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.simulated import BEGIN, config_file, fill, home, played, replayed, world

from confidence_engine.config import Config, load
from confidence_engine.domain.document import known_at
from confidence_engine.domain.errors import DataMissing, UsageError
from confidence_engine.domain.units import HOUR_NS, format_time, parse_time
from confidence_engine.feeds.store import Store
from confidence_engine.report.moment import decide_at
from confidence_engine.text.cues import CueReader


def config() -> Config:
    return load(home() / "config/simulated.toml")


def decided(symbol: str, at_ns: int, load_ns: int | None = None) -> dict[str, Any]:
    return decide_at(config(), Store(home()), symbol, at_ns, CueReader(), load_ns)


def same(found: dict[str, Any], row: np.void) -> None:
    """Everything a belief consists of, to the last bit."""
    for name, key in (("trigger", "trigger"), ("strength", "strength")):
        assert found[key] == row[name], name
    assert found["side"] == row["side"]
    assert found["gap"] == (row["gap"] if row["side"] else None)
    assert (found["narrative"] or {"stories": 0})["stories"] == row["stories"]
    assert found["price"]["last"] == row["price"]
    if row["stories"]:
        assert found["reaction_sigma"] == row["reaction"]
        assert found["narrative"]["unusual"] == row["z_story"]


def picked(every: int) -> np.ndarray:
    """Some decisions with a story, some without, and entries."""
    decisions = played().result.decisions
    told, silent = decisions[decisions["stories"] > 0], decisions[decisions["stories"] == 0]
    taken = decisions[decisions["gates"] == 0]
    return np.concatenate([told[:: len(told) // every], silent[:: len(silent) // 3], taken[::4]])


def test_with_the_memory_of_a_replay_it_is_the_replays_own_decision() -> None:
    p = played()
    for row in picked(8):
        found = decided(p.sources.instruments[int(row["asset"])].symbol, int(row["ts_ns"]), p.window.load_ns)
        same(found, row)
        if row["gates"] == 0:
            assert found["gates"] == []
            assert found["plan"] is not None


def test_without_it_it_is_the_first_decision_of_a_replay_that_starts_there() -> None:
    p = played()
    for row in picked(4)[::3]:
        at = int(row["ts_ns"])
        start = format_time(at)
        fresh = replayed(config(), Store(home()), start, format_time(at + HOUR_NS)).result.decisions
        if parse_time(start) != at:
            continue  # a coalescing timer between two microseconds
        symbol = p.sources.instruments[int(row["asset"])].symbol
        mine = fresh[(fresh["asset"] == row["asset"]) & (fresh["ts_ns"] == at)]
        assert len(mine) == 1
        found = decided(symbol, at)
        same(found, mine[0])
        assert {gate["name"] for gate in found["gates"]} == _names(mine[0]["gates"])


def _names(bits: int) -> set[str]:
    from confidence_engine.domain.decision import gate_names

    return set(gate_names(int(bits)))


def test_nothing_that_is_known_later_is_shown_or_felt(tmp_path: Path) -> None:
    """The same store, cut at the moment, gives the same answer to the letter."""
    made = world()
    for k, at in enumerate(range(BEGIN + 8 * 24 * HOUR_NS, BEGIN + 20 * 24 * HOUR_NS, 71 * HOUR_NS)):
        full = decided("KVX/USDT", at)
        store = Store(tmp_path / str(k))
        cut = made._replace(
            bars={name: rows[rows["close_ns"] < at] for name, rows in made.bars.items()},
            funding={name: rows[rows["ts_ns"] < at] for name, rows in made.funding.items()},
            documents=[d for d in made.documents if d.published_ns < at and (d.first_seen_ns or 0) <= at],
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tests.simulated.world", lambda cut=cut: cut)
            fill(store)
        assert decide_at(config(), store, "KVX/USDT", at, CueReader()) == full
        assert full["headlines"]
        assert max(parse_time(item["known"]) for item in full["headlines"]) <= at


def test_lines_for_chat_hold_no_digit_and_the_newest_item_has_its_age() -> None:
    row = picked(1)[-1]
    at = int(row["ts_ns"]) + HOUR_NS
    found = decided(played().sources.instruments[int(row["asset"])].symbol, at)
    assert not any(re.search(r"\d", line) for line in found["evidence"])
    used = [item for item in found["headlines"] if item["accepted"]]
    assert found["newest"]["title"] == used[0]["title"]
    assert found["newest"]["age_s"] == (at - parse_time(found["newest"]["published"])) // 10**9
    assert found["synthetic"] is True
    alive = {story["cluster"] for story in found["stories"] if story["alive"]}
    assert [item["alive"] for item in used] == [item["cluster"] in alive for item in used]
    assert not any(item["alive"] for item in found["headlines"] if not item["accepted"])


def test_a_symbol_beside_the_configs_can_be_asked_for(tmp_path: Path) -> None:
    two = load(config_file(tmp_path, symbols='["ODR/USDT", "VLT/USDT"]'))
    found = decide_at(two, Store(home()), "KVX/USDT", parse_time("2025-01-18T10:00Z"), CueReader())
    assert found["symbol"] == "KVX/USDT"


def test_scores_are_told_beside_or_without_stories(tmp_path: Path) -> None:
    from confidence_engine.feeds.clean import SCORE_ROW
    from confidence_engine.feeds.store import Batch

    at = parse_time("2025-01-18T10:00Z")
    rows = np.zeros(1, SCORE_ROW)
    rows["known_ns"], rows["horizon_ns"], rows["mean"], rows["std"] = at - HOUR_NS, 6 * HOUR_NS, -0.02, 0.01
    store = Store(tmp_path / "home")
    fill(store)
    store.add(Batch("scores", "s", "scores", 1, "", rows={"KVX/USDT": rows}, synthetic=True))
    scored = load(config_file(tmp_path / "config", evidence='["score"]'))
    found = decide_at(scored, store, "KVX", at, CueReader())
    assert found["side"] == -1
    assert found["score"]["standardised"] == -2.0
    assert found["score"]["weight"] == pytest.approx(0.5 ** (2 / 6))
    assert (found["narrative"], found["headlines"], found["newest"]) == (None, [], None)
    assert decided("KVX", at)["score"] is None


PLANS = [
    ({"style": "immediate"}, "market, at the next open"),
    ({"style": "participation", "participation": 0.005, "patience_ns": 2 * HOUR_NS},
     "market, from the next open on, at most 0.5% of what trades a bar, for 2 h"),
    ({"style": "limit", "limit_atr": 0.25}, "0.25 ATR better than the last price, for 30 min, then given up"),
    ({"style": "limit", "limit_atr": 0.0, "cross": True},
     "at the last price, for 30 min, then what is left at market, cut to the risk first wanted"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "words"), PLANS)
def test_the_plan_says_how_the_agent_enters(changes: dict[str, Any], words: str) -> None:
    p, plain = played(), config()
    algos = plain.kernel.algos._replace(**changes)
    styled = msgspec.structs.replace(plain, kernel=plain.kernel._replace(algos=algos))
    sides = set()
    for row in p.result.decisions[p.result.decisions["gates"] == 0][::4]:
        one = p.sources.instruments[int(row["asset"])]
        found = decide_at(styled, Store(home()), one.symbol, int(row["ts_ns"]), CueReader(), p.window.load_ns)
        plan = found["plan"]
        assert words in plan["entry"]
        assert ("post-only" in plan["entry"]) == (plan["limit"] is not None) == (algos.style == "limit")
        if plan["limit"] is not None:
            assert f"limit at {plan['limit']:.10g}, " in plan["entry"]
            better = found["side"] * (found["price"]["last"] - plan["limit"])
            assert 0.0 <= better - algos.limit_atr * found["price"]["atr"] + 1e-9 <= one.tick * (1.0 + 1e-6)
        sides.add(found["side"])
    assert sides == {1, -1}


@pytest.mark.parametrize("since", ["1000-02-15", "1900-01-01", "1970-01-01", "2024-11-11"])
def test_nothing_is_learnt_before_anything_is_stored(since: str) -> None:
    """A start long before the first bar is the first bar's, whatever year it is."""
    at = int(picked(1)[-1]["ts_ns"])
    assert decided("KVX", at, parse_time(since)) == decided("KVX", at, BEGIN)


def test_news_older_than_the_bars_is_learnt_from(tmp_path: Path) -> None:
    made, at = world(), BEGIN + 20 * 24 * HOUR_NS
    store = Store(tmp_path)
    later = made._replace(
        bars={name: rows[rows["open_ns"] >= BEGIN + 12 * 24 * HOUR_NS] for name, rows in made.bars.items()},
        funding={name: rows[rows["ts_ns"] >= BEGIN + 12 * 24 * HOUR_NS] for name, rows in made.funding.items()},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.simulated.world", lambda: later)
        fill(store)
    found = decide_at(config(), store, "KVX", at, CueReader(), parse_time("1900-01-01"))
    known = min(known_at(one, config().timing.news_lag_ns) for one in made.documents)
    assert found["learnt_from"] == format_time(known)


# What is refused.


@pytest.mark.parametrize("at", ["2024-12-01", "2025-01-01", "2026-01-01", "0001-01-01", "9999-12-31"])
def test_where_nothing_is_known_there_is_no_decision(at: str) -> None:
    with pytest.raises(DataMissing, match="no 5m bars"):
        decided("KVX", parse_time(at))


@pytest.mark.parametrize("at", ["2025-03-01", "2200-01-01", "9999-12-31"])
def test_long_after_the_last_bar_there_is_no_decision(at: str) -> None:
    with pytest.raises(DataMissing, match="the last stored bar of KVX/USDT@world"):
        decided("KVX", parse_time(at), BEGIN)


def test_bars_of_the_others_are_not_enough(tmp_path: Path) -> None:
    fill(Store(tmp_path), without=("KVX/USDT",))
    with pytest.raises(DataMissing, match="no bars of KVX/USDT@world"):
        decide_at(config(), Store(tmp_path), "KVX", parse_time("2025-01-18"), CueReader())


def test_an_unknown_symbol_is_a_wrong_word() -> None:
    with pytest.raises(UsageError, match="unknown symbol"):
        decided("BTC/USDT", parse_time("2025-01-18"))
