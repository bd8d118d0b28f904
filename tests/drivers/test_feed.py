"""A feed without faults, through ingress, gives the tape of a replay byte for byte; faults stop entries, not exits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.drivers import test_stocks as stocks
from tests.drivers.faulty import CASES, STOPS, gathered, heard, ill, injected, lived, tape_of, told
from tests.drivers.tape import digest, play, world

from confidence_engine.config import load
from confidence_engine.domain import event as ev
from confidence_engine.domain.decision import GATE_DEGRADED
from confidence_engine.domain.jit import jit_enabled
from confidence_engine.domain.order import INTENT_SUBMIT, WHY_ENTRY
from confidence_engine.domain.units import HOUR_NS
from confidence_engine.drivers import replay
from confidence_engine.drivers.feed import deliveries
from confidence_engine.drivers.sources import gather
from confidence_engine.feeds import health
from confidence_engine.feeds.ingress import Ingress
from confidence_engine.feeds.merge import merge
from confidence_engine.text.cues import CueReader

pytestmark = pytest.mark.skipif(not jit_enabled(), reason="the loop is compiled: run these without NUMBA_DISABLE_JIT")

# A feed without faults.


def test_moments_come_in_order_and_hold_every_row_once() -> None:
    config, sources, window = gathered()
    moments = list(deliveries(sources, config.timing, window))
    times = [at for at, _, _ in moments]
    assert times == sorted(set(times))
    assert all(one.at_ns == at for at, items, _ in moments for one in items)
    for key, rows in sources.bars.items():
        mine = [one.rows for _, items, _ in moments for one in items if one.key == key and one.kind == "bars"]
        known = rows["close_ns"] + config.timing.bar_latency_ns
        inside = rows[(known >= window.load_ns) & (known < window.end_ns)]
        assert np.concatenate(mine).tobytes() == inside.tobytes()
    documents = [d.id for _, items, _ in moments for one in items for d in one.documents]
    assert sorted(documents) == sorted(d.id for d in sources.documents)


@pytest.mark.parametrize("params", [health.Params(), health.NEUTRAL], ids=["default", "neutral"])
def test_a_clean_feed_gives_the_tape_of_a_replay(params: health.Params) -> None:
    config, sources, window = gathered()
    ingress = Ingress(sources.instruments, config.agent.interval_ns, config.timing, params)
    pieces, _ = heard(ingress, deliveries(sources, config.timing, window))
    tape = tape_of(config, sources, pieces, sources.documents, window)
    plain = replay.compose(config, sources, replay.read(config, sources, CueReader()), window)
    assert tape.events.tobytes() == plain.events.tobytes()
    assert tape.streams == plain.streams


def test_a_clean_feed_of_stocks_too(project_root: Path, tmp_path: Path) -> None:
    """Sessions, daily bars, a split and a dividend."""
    config = load(project_root / "config" / "stocks.toml")
    sources = gather(config, stocks.filled(tmp_path), stocks.START, stocks.END, stocks.SYMBOLS)
    window = replay.window_of(config, stocks.START, stocks.END)
    ingress = Ingress(sources.instruments, config.agent.interval_ns, config.timing, health.Params(), sources.adjusted)
    pieces, _ = heard(ingress, deliveries(sources, config.timing, window))
    mine = merge([piece.events for piece in pieces])
    plain = replay.compose(config, sources, replay.read(config, sources, CueReader()), window).events.copy()
    plain = plain[~np.isin(plain["kind"], (ev.SIGNAL, ev.TIMER))]
    plain["marks"] &= ~np.uint16(ev.BACKFILL)
    plain["source"] = 0
    assert set(plain["kind"]) == {ev.BAR, ev.SESSION, ev.CORPORATE}
    assert mine.tobytes() == merge([plain]).tobytes()


# Feed events on any tape.


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 500))
def test_no_entry_is_sent_while_a_feed_about_it_is_ill_and_exits_are(seed: int) -> None:
    w = injected(seed)
    said = play(w)
    sent = said.intents[said.intents["action"] == INTENT_SUBMIT]
    entries = sent[sent["why"] == WHY_ENTRY]
    assert not ill(w.events, entries["ts_ns"], entries["asset"]).any()
    sick = ill(w.events, said.decisions["ts_ns"], said.decisions["asset"])
    assert ((said.decisions["gates"][sick] >> GATE_DEGRADED) & 1).all()
    assert ((said.decisions["marks"][sick] & ev.DEGRADED) != 0).all()


def test_over_many_worlds_positions_are_left_while_feeds_are_ill() -> None:
    left = decided = entered = 0
    for seed in range(12):
        w = injected(seed)
        said = play(w)
        away = said.intents[(said.intents["action"] == INTENT_SUBMIT) & (said.intents["why"] > WHY_ENTRY)]
        decided += int(ill(w.events, away["ts_ns"], away["asset"]).sum())
        out = said.entries[said.entries["why"] > WHY_ENTRY]
        left += int(ill(w.events, out["ts_known"], out["asset"]).sum())
        entered += int((said.intents["why"] == WHY_ENTRY).sum())
    assert entered > 10
    assert left > 10
    assert decided > 0


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_unheeded_feed_events_change_no_decision(seed: int) -> None:
    plain, w = world(seed), injected(seed, bars=150)
    w.params["feed"]["heed"] = 0
    one, two = play(plain), play(w)
    assert one.decisions.tobytes() == two.decisions.tobytes()
    for name in one.intents.dtype.names or ():
        if name != "event":
            assert one.intents[name].tobytes() == two.intents[name].tobytes(), name


def test_the_compiler_off_gives_the_same_bytes(project_root: Path) -> None:
    w = injected(6, bars=40)
    said = f"{digest(w, play(w))}"
    env = dict(os.environ, NUMBA_DISABLE_JIT="1", PYTHONPATH=f"{project_root / 'src'}{os.pathsep}{project_root}")
    ask = "from tests.drivers.faulty import injected; from tests.drivers.tape import digest, play; "
    ask += "w = injected(6, bars=40); print(digest(w, play(w)))"
    done = subprocess.run([sys.executable, "-c", ask], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == said


# Each fault, lived through.

SAYS = {
    "silent, all comes at once": {"STALE", "BACK"},
    "silent, what was missed is lost": {"STALE", "GAP", "BACK"},
    "the feed dies and returns": {"STALE", "BACK"},
    "late bars": {"GAP", "LATE", "BACK"},
    "revised bars": {"REVISED"},
    "duplicated bars": {"DUPLICATE"},
    "out of order": {"GAP", "LATE", "BACK"},
    "broken bars": {"UNSOUND", "GAP", "BACK"},
    "contradictory documents": set(),
    "clock jumps": {"CLOCK", "BACK"},
}


@pytest.mark.parametrize("name", SAYS)
def test_each_fault_is_said_and_degrades_and_ends(name: str) -> None:
    one, plain = lived(name), lived("none")
    assert len(one.truth) > 5
    assert set(told(one.tape)) >= SAYS[name]
    refused = one.result.refusals["DEGRADED"]
    assert (refused > 0) == bool(SAYS[name])
    assert plain.result.refusals["DEGRADED"] == 0
    marked = (one.result.decisions["marks"] & ev.DEGRADED) != 0
    gated = (one.result.decisions["gates"] >> GATE_DEGRADED & 1) != 0
    assert gated[marked].all()
    assert marked.any() == bool(SAYS[name])
    ends = gathered()[2].end_ns - 3 * HOUR_NS  # nothing stays ill
    feeds = one.tape.events[one.tape.events["kind"] == ev.FEED]
    young = {int(e["asset"]) for e in feeds if e["ts_known"] > ends and e["x0"] in STOPS}
    assert set(np.flatnonzero(one.result.state.asset["feed"]).tolist()) <= young
    assert one.result.state.head["feeds"][0] == 0 or ev.NO_ASSET in young
    entries = one.result.entries
    assert (entries["why"] == WHY_ENTRY).any()
    assert (entries["why"] > WHY_ENTRY).any()


def test_counts_are_those_of_the_truth() -> None:
    for name, what in (("revised bars", "REVISED"), ("duplicated bars", "DUPLICATE"), ("broken bars", "UNSOUND")):
        assert told(lived(name).tape)[what] == len(lived(name).truth)
    assert told(lived("out of order").tape)["LATE"] == sum(one.came_ns >= 0 for one in lived("out of order").truth)
    bars = {name: int((lived(name).tape.events["kind"] == ev.BAR).sum()) for name in CASES}
    lost = len(lived("silent, what was missed is lost").truth)
    assert bars["silent, what was missed is lost"] == bars["none"] - lost + sum(
        one.kind != "bars" for one in lived("silent, what was missed is lost").truth
    )
    assert bars["silent, all comes at once"] == bars["none"] == bars["revised bars"] == bars["duplicated bars"]


@pytest.mark.parametrize("name", SAYS)
def test_a_position_is_left_in_time_whatever_the_feed_does(name: str) -> None:
    """By its stop, its target or its time: what was missed is matched when it comes."""
    config, _, window = gathered()
    book = lived(name).result.state.book
    held = book[book["lots"] != 0]
    assert (held["opened_ns"] > window.end_ns - config.kernel.exits.hold_ns - 3 * HOUR_NS).all()


def test_the_neutral_door_costs_no_entry() -> None:
    plain = lived("silent, all comes at once", health.NEUTRAL)
    assert told(plain.tape) == {}
    assert plain.result.refusals["DEGRADED"] == 0
