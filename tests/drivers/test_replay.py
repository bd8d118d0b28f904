"""drivers.replay on the simulated world: what goes in, what comes out, and what must not."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.ledger_reference import curve
from tests.simulated import BEGIN, END, START, config_file, fill, home, played, replayed, world

from confidence_engine.config import Config, load
from confidence_engine.domain.errors import KernelHalted
from confidence_engine.domain.event import BACKFILL, BAR, FILL, FUNDING, SIGNAL, SYNTHETIC
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, parse_time
from confidence_engine.drivers import replay
from confidence_engine.feeds.clean import SCORE_ROW
from confidence_engine.feeds.store import Batch, Store
from confidence_engine.text.cues import CueReader

FIRST, LAST = parse_time(START), parse_time(END)


def entered(result: replay.Result) -> np.ndarray:
    return result.decisions[result.decisions["gates"] == 0]


# The tape.


def test_signals_are_about_what_is_traded(tmp_path: Path) -> None:
    p = played()
    every = replay.signals(p.config, p.sources, p.readings)
    told = replay.told_about(p.sources.instruments)
    two = p.sources._replace(instruments=p.sources.instruments[1:3])
    some = replay.signals(p.config, two, p.readings)
    names = [told[i] for i in every["asset"]]
    kept = replay.told_about(two.instruments)
    assert 0 < len(some) < len(every) == len(p.readings.rows)
    assert [kept[i] for i in some["asset"]] == [name for name in names if name in kept]


def test_every_event_is_flagged_and_the_warm_up_only_teaches() -> None:
    events = played().tape.events
    assert np.all(events["marks"] & SYNTHETIC)
    assert np.array_equal((events["marks"] & BACKFILL) > 0, events["ts_known"] < FIRST)
    assert {BAR, FUNDING, SIGNAL} <= set(events["kind"].tolist())
    assert np.all(np.diff(events["ts_known"]) >= 0)


# What comes out.


def test_decisions_lie_in_the_period_and_bear_the_flag() -> None:
    decisions = played().result.decisions
    assert len(decisions) > 1000
    assert decisions["ts_ns"].min() >= FIRST
    assert decisions["ts_ns"].max() < LAST
    assert np.all(decisions["marks"] & SYNTHETIC)
    assert np.all(np.diff(decisions["seq"]) > 0)
    assert len(entered(played().result)) >= 10


def test_the_same_again_gives_the_same_bytes_and_progress_ends_at_the_end() -> None:
    p = played()
    seen: list[tuple[int, int]] = []
    again = replay.play(p.config, p.sources.instruments, p.tape.events, lambda *at: seen.append(at))
    for name in ("decisions", "intents", "entries", "equities", "marks"):
        assert getattr(again, name).tobytes() == getattr(p.result, name).tobytes(), name
    assert (again.refusals, again.judged) == (p.result.refusals, p.result.judged)
    assert seen[-1] == (len(p.tape.events), len(p.tape.events))
    assert again.cpu_s > 0


def test_a_full_output_is_drained_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    p = played()
    small = replay.new_out
    monkeypatch.setattr(replay, "new_out", lambda assets: small(assets, 100))
    drained = replay.play(p.config, p.sources.instruments, p.tape.events)
    assert len(drained.decisions) > 1000
    assert drained.decisions.tobytes() == p.result.decisions.tobytes()
    assert drained.equities.tobytes() == p.result.equities.tobytes()


@pytest.mark.parametrize("minutes", [0, 25])
def test_equity_is_hourly_and_follows_from_fills_and_marks(minutes: int) -> None:
    """Cut shortly after an entry, so that the last row has a position open."""
    p = played()
    events = p.tape.events
    if minutes:
        last = entered(p.result)[-1]["ts_ns"] + minutes * MINUTE_NS
        events = events[events["ts_known"] < last]
    result = replay.play(p.config, p.sources.instruments, events)
    at = result.equities["ts_ns"]
    hours = at // HOUR_NS
    assert len(np.unique(hours[:-1])) == len(at) - 1
    assert np.array_equal(np.unique(hours), np.arange(hours[0], hours[-1] + 1))
    assert hours[0] == FIRST // HOUR_NS
    assert (result.equities["open_positions"][-1] > 0) == bool(minutes)
    steps = {i: (repr(one.tick), repr(one.lot)) for i, one in enumerate(p.sources.instruments)}
    start = p.config.agent.initial_equity_usd
    reference = [float(x) for x in curve(start, steps, result.entries, result.marks, at.tolist())]
    np.testing.assert_allclose(result.equities["equity"], reference, rtol=0, atol=1e-6)
    assert len(set(reference)) > 10


# What is missing.


def test_without_news_nothing_is_entered_and_the_run_is_whole() -> None:
    p = played()
    silent = p.sources._replace(documents=[])
    tape = replay.compose(p.config, silent, replay.read(p.config, silent, CueReader()), p.window)
    result = replay.play(p.config, silent.instruments, tape.events)
    assert result.judged > 1000
    assert result.refusals["NO_EVIDENCE"] == result.judged
    assert len(result.entries) == len(entered(result)) == 0
    assert len(result.equities) > 16 * 24
    assert set(result.equities["equity"].tolist()) == {p.config.agent.initial_equity_usd}


def test_missing_funding_degrades_its_asset_and_no_other() -> None:
    p = played()
    traded = np.unique(entered(p.result)["asset"])
    lost = int(traded[0])
    key = p.sources.instruments[lost].key
    funding = p.sources.funding | {key: p.sources.funding[key][:0]}
    sources = p.sources._replace(funding=funding)
    tape = replay.compose(p.config, sources, p.readings, p.window)
    result = replay.play(p.config, sources.instruments, tape.events)
    assert p.result.degraded == 0
    assert 0.2 < result.degraded / result.judged < 0.3  # one of four
    assert lost not in entered(result)["asset"]
    assert set(entered(result)["asset"].tolist()) >= set(traded[1:].tolist())
    assert result.refusals["DEGRADED"] == result.degraded


def test_an_asset_that_loses_its_funding_on_the_way_is_degraded_from_then_on() -> None:
    p = played()
    key, middle = p.sources.instruments[0].key, FIRST + 5 * DAY_NS
    rows = p.sources.funding[key]
    sources = p.sources._replace(funding=p.sources.funding | {key: rows[rows["ts_ns"] < middle]})
    tape = replay.compose(p.config, sources, p.readings, p.window)
    decisions = replay.play(p.config, sources.instruments, tape.events).decisions
    mine = decisions[decisions["asset"] == 0]
    bit = 1 << list(p.result.refusals).index("DEGRADED")
    bad = mine["ts_ns"][(mine["gates"] & bit) > 0]
    assert len(bad) > 100
    assert middle < bad.min() < middle + 12 * HOUR_NS
    assert len(mine[(mine["ts_ns"] >= bad.min()) & (mine["gates"] & bit == 0)]) == 0


# A user's own scores.


def _scored(
    tmp_path: Path, evidence: str, mean: float, name: str, trigger: float = 0.5, source_rate: float = 0.02
) -> tuple[Config, replay.Result]:
    """The world with a score on one coin every day at noon; `source_rate` 0: no source learns."""
    folder = tmp_path / name
    store = Store(folder)
    fill(store)
    at = np.arange(FIRST + 12 * HOUR_NS, LAST, DAY_NS)
    rows = np.zeros(len(at), SCORE_ROW)
    rows["known_ns"], rows["horizon_ns"], rows["mean"], rows["std"] = at, 6 * HOUR_NS, mean, 0.01
    store.add(Batch("scores", "s", "scores", len(at), "", rows={"PGS/USDT": rows}, synthetic=True))
    config = load(config_file(folder / "config", evidence=evidence))
    kernel = config.kernel._replace(
        divergence=config.kernel.divergence._replace(trigger=trigger),
        sources=config.kernel.sources._replace(rate=source_rate),
    )
    return config, replayed(msgspec.structs.replace(config, kernel=kernel), store).result


@pytest.mark.parametrize("side", [1, -1])
def test_scores_alone_are_judged_by_the_same_gates(tmp_path: Path, side: int) -> None:
    config, strong = _scored(tmp_path, '["score"]', side * 0.015, "strong")
    taken = entered(strong)
    assert len(taken) >= 5
    assert set(taken["asset"].tolist()) == {2}
    assert set(taken["side"].tolist()) == {side}
    assert np.all(np.abs(taken["gap"]) >= taken["trigger"])
    assert np.all(taken["strength"] >= config.kernel.gates.min_strength)
    assert np.all(strong.decisions["stories"] == 0)
    assert strong.refusals["SMALL_GAP"] + strong.refusals["WEAK_STRENGTH"] > 0  # as the score fades
    assert int((strong.entries["kind"] == FILL).sum()) >= 2 * len(taken) - 1
    _, weak = _scored(tmp_path, '["score"]', side * 0.001, "weak", 0.8)  # above what a reaction alone can reach
    assert len(entered(weak)) == 0
    assert weak.refusals["SMALL_GAP"] > 100


def test_stories_and_scores_speak_together(tmp_path: Path) -> None:
    _, both = _scored(tmp_path, '["news", "score"]', 0.03, "both", source_rate=0.0)
    _, alone = _scored(tmp_path, '["news"]', 0.03, "alone", source_rate=0.0)
    spoke = both.decisions[(both.decisions["stories"] > 0) & np.isfinite(both.decisions["score_z"])]
    assert len(spoke) > 10
    only_news = both.decisions[both.decisions["asset"] != 2]
    mine = alone.decisions
    before = mine[mine["asset"] != 2]
    known = {(d["asset"], d["ts_ns"]): d["gap"] for d in before if d["stories"]}
    shared = [(d["gap"], known[key]) for d in only_news if (key := (d["asset"], d["ts_ns"])) in known]
    assert len(shared) > 100
    assert all(a == b for a, b in shared)  # a score on one coin moves no other


# What stops it.


def test_an_event_out_of_order_halts_with_its_place() -> None:
    p = played()
    events = p.tape.events[:500].copy()
    events["ts_known"][300] = events["ts_known"][299] - 1
    with pytest.raises(KernelHalted, match=r"event 300, known 2025-01-.*: an event older than the last one"):
        replay.play(p.config, p.sources.instruments, events)


def test_the_window_begins_with_the_warm_up() -> None:
    assert replay.window_of(played().config, FIRST, LAST) == (BEGIN, FIRST, LAST)


def test_another_seed_is_another_world() -> None:
    assert home() == home()
    assert len(world().documents) > 100
