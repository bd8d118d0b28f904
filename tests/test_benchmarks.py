"""What `make bench` runs can be run without words."""

from __future__ import annotations

import ast
import importlib
import itertools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks import by_eye, latency, oracles, peers, realism
from benchmarks.live.feeding import feeding, trickle, warm
from benchmarks.live.stages import STAGES, staged

from confidence_engine.domain.units import DAY_NS, HOUR_NS, parse_time
from confidence_engine.drivers.feed import deliveries
from confidence_engine.evaluate.oracle import Verdict
from confidence_engine.feeds.world import Events, Params, Stories, generate
from confidence_engine.journal.reader import place_of
from confidence_engine.journal.verify import verify

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_bench_leaves_out_what_needs_a_home() -> None:
    planned = subprocess.run(["make", "-n", "bench"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    named = set(re.findall(r"benchmarks/(\w+)\.py", planned))
    there = {file.stem for file in (ROOT / "benchmarks").glob("*.py")}
    news = (ROOT.parent / "shared" / "data" / "news").is_dir()
    assert named == there - {"knockout", "realism"} - (set() if news else {"by_eye", "echoes"})


def test_by_eye_says_what_it_wants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(by_eye, "NEWS", tmp_path / "news")
    for arguments, code in (([], 1), ([str(tmp_path / "other")], 1), (["--help"], 2), (["a", "b"], 2)):
        assert by_eye.main(arguments) == code
        out, err = capsys.readouterr()
        assert out == ""
        assert str(tmp_path) in err if code == 1 else "usage: " in err


def test_scripts_of_peers_parse_and_import_no_more_than_numpy_and_the_peer() -> None:
    assert {one.script for one in peers.PEERS} | {"with_pipeline.py", "work.py"} == {
        file.name for file in peers.SCRIPTS.glob("*.py")
    }
    for one in peers.PEERS:
        tree = ast.parse((peers.SCRIPTS / one.script).read_text(encoding="utf-8"))
        named = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        named |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
        foreign = {name.partition(".")[0] for name in named} - set(sys.stdlib_module_names) - {"work", "numpy"}
        if one.requirements:
            own = re.split(r"[\[=<>]", one.requirements[0])[0]
            assert own in foreign
            assert foreign <= {own, "pandas", "numba"}, one.script
        else:
            assert foreign == {"polars", "confidence_engine"}


def test_a_peer_without_its_python_is_a_row_with_the_reason(tmp_path: Path) -> None:
    """Also where it is not installed, and where its script fails; none of them stops the others."""
    needy = peers.PEERS[2]._replace(name="needy", least=(9, 1), most=(9, 4))
    absent = peers.PEERS[2]._replace(name="absent", requirements=("no-such-thing==0",), least=(3, 0), most=(4, 0))
    told = {"bars": str(tmp_path / "none.npy"), "tick": "0.1", "origin": "synthetic"}
    rows = peers.measure((needy, absent), told, tmp_path, 1, install=False)
    assert [row.turns for row in rows] == [[], []]
    lines = peers.table(rows, 10).splitlines()
    assert lines[0].count("|") == lines[2].count("|") == lines[3].count("|")
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert re.search(rf"\| needy .*SKIPPED: needs Python 9\.1 to 9\.4; found .*{re.escape(here)}", lines[2])
    assert "| absent | 0 |" in lines[3]
    assert "SKIPPED: not installed under" in lines[3]
    with pytest.raises(peers.Skipped, match="found none"):
        peers.environment(needy, tmp_path, {})


def test_a_script_takes_turns_and_its_failure_has_a_reason(tmp_path: Path) -> None:
    np.save(tmp_path / "bars.npy", np.arange(5.0))
    script = tmp_path / "with_sum.py"
    script.write_text(
        "from work import Found, serve\n"
        "def run(bars):\n    print('chatter of the library')\n    return Found(len(bars), float(bars.sum()))\n"
        "serve(lambda bars: bars + 1, run)\n",
        encoding="utf-8",
    )
    env = {**os.environ, "PYTHONPATH": str(peers.SCRIPTS)}
    worker = peers.Worker([sys.executable, str(script), str(tmp_path / "bars.npy")], env)
    try:
        turns = [worker.hear(), worker.turn(), worker.turn()]
    finally:
        worker.stop()
    assert [(one["entries"], one["equity"]) for one in turns] == [(5, 15.0)] * 3
    assert turns[0]["all"] > turns[1]["all"] >= turns[1]["run"] >= 0.0
    worker = peers.Worker([sys.executable, "-c", "raise SystemExit('it broke')"], dict(os.environ))
    try:
        with pytest.raises(peers.Skipped, match="failed: it broke"):
            worker.hear()
    finally:
        worker.stop()


def _by_hand(bars: np.ndarray, work: Any) -> tuple[int, float]:
    """Entries and equity of the common work, bar by bar in plain Python."""
    fast = slow = bars["c"][0]
    cash, amount, stop, entries, turned, was_above = work.CASH, 0.0, 0.0, 0, 0, False
    for k, (o, low, close) in enumerate(zip(bars["o"], bars["l"], bars["c"], strict=True)):
        if turned > 0 and amount == 0.0:
            before = bars["c"][k - 1]
            amount, stop, entries = work.NOTIONAL / before, before * (1.0 - work.STOP), entries + 1
            cash -= amount * o * (1.0 + work.FEE)
        if amount > 0.0 and (turned < 0 or low <= stop):
            cash += amount * (o if turned < 0 else min(o, stop)) * (1.0 - work.FEE)
            amount = 0.0
        fast += (close - fast) * 2.0 / (work.FAST + 1.0)
        slow += (close - slow) * 2.0 / (work.SLOW + 1.0)
        turned = (int(fast > slow) - int(was_above)) if k >= work.FIRST else 0
        was_above = fast > slow
    return entries, cash + amount * bars["c"][-1]


def test_our_own_row_does_the_common_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the same, with a score at every bar the same, and what plain Python comes to."""
    monkeypatch.syspath_prepend(str(peers.SCRIPTS))
    ours, work = importlib.import_module("with_ours"), importlib.import_module("work")
    world = generate(7, start_ns=parse_time("2023-01-01"), days=40)
    symbol = next(iter(world.bars))
    bars = np.array(world.bars[symbol])
    found = []
    for every in (False, False, True):
        laid = ours.lay(bars, tmp_path, world.ticks[symbol], True)
        one = ours.run(laid, every)
        found.append((one.entries, one.equity))
    entries, equity = _by_hand(bars, work)
    assert entries > 20
    assert [one[0] for one in found] == [entries] * 3
    assert found[0] == found[1] == found[2]
    assert found[0][1] == pytest.approx(equity, abs=1.0)
    assert abs(equity - work.CASH) > 20.0


def test_latency_times_every_moment_and_each_stage_once(tmp_path: Path) -> None:
    """A delivery a moment, none lost; what the stages took is what the whole took, and nothing stays patched."""
    fed, place = feeding(tmp_path, 2, 4), place_of(tmp_path, "bench")
    whole = list(deliveries(fed.sources, fed.cast.config.timing, fed.cast.window))
    apart = list(trickle(iter(whole)))
    assert [len(one.said) for one in apart] == [1] * (len(apart) - 1) + [0]
    assert all(a.at_ns < b.at_ns for a, b in itertools.pairwise(apart))
    said = [(one.kind, one.key) for moment in apart for one in moment.said]
    assert said == [(one.kind, one.key) for moment in whole for one in moment.said]
    agent, coming = warm(fed, place, False)
    took = latency.idle(agent, coming, 20)
    began = len(took.seconds)
    assert (began, len(took.ordered)) == (20, 20)
    assert 0.0 < sum(took.cpu) < sum(took.seconds) * 1.1
    queued = latency.paced(agent, coming, 100, 1e5)  # more than can be taken one by one: it waits, and that counts
    assert len(queued.seconds) == 100
    assert len(queued.cpu) < 100
    assert min(queued.seconds) > 0.0
    before = type(agent).take
    with staged() as spent:
        many = latency.idle(agent, coming, 50)
    assert type(agent).take is before
    assert set(spent) == {name for name, _ in STAGES}
    assert sum(spent.values()) == pytest.approx(sum(many.seconds), rel=0.2)
    assert spent["rows into the database"] > 0.0
    agent.journal.close()
    assert verify(place).sound


def test_realism_leaves_out_what_a_world_has_too_little_for() -> None:
    silent = Params(events=Events(events_a_day=0.0, rumours_a_day=0.0), stories=Stories(empty_a_day=0.0))
    hours = realism.of_world(generate(1, days=9, interval_ns=HOUR_NS), HOUR_NS)
    days = realism.of_world(generate(1, days=9, interval_ns=DAY_NS), DAY_NS)
    still = realism.of_world(generate(1, days=9, interval_ns=HOUR_NS, params=silent), HOUR_NS)
    for found in (hours, days, still):
        assert np.isfinite(list(found.values())).all()
    assert {"volume, busiest hour (UTC)", "volume, weekend over week", "correlation of two assets, 1 h"} <= set(hours)
    assert not [name for name in days if " 1 h" in name or "hour (" in name or "60 min" in name]
    assert still["headlines a day"] == 0.0
    assert set(hours) - set(still) == {name for name in hours if "of which" in name or "gap" in name} | {"publishers"}


def test_oracles_of_one_world_have_an_interval_and_no_fit(capsys: pytest.CaptureFixture[str]) -> None:
    kind = [("ts_ns", "i8"), ("y", "f8"), ("confidence", "f8")]
    cases = np.array([(k * DAY_NS, k % 2, 0.5 + 0.01 * (k % 7)) for k in range(40)], kind)
    one = Verdict(cases, 1.0, 0)
    oracles.fit([one])
    oracles.null_table("nothing", [one])
    told = capsys.readouterr().out
    assert told.startswith("no fit")
    assert told.splitlines()[1].endswith("| +1.00 | - |")
    assert re.search(r"\[0\.\d+, 0\.\d+\]", told)
    assert len(np.unique(oracles.pooled([one])[1])) == 40
    assert list(np.unique(oracles.pooled([one, one])[1])) == [0, 1]
