"""A paper run as a process, ended by SIGKILL at random moments, is the replay of its period, byte for byte."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from confidence_engine.domain.jit import jit_enabled
from confidence_engine.drivers.epochs import epochs_of
from confidence_engine.journal import kinds
from confidence_engine.journal.reader import Reader, place_of

pytestmark = pytest.mark.skipif(not jit_enabled(), reason="real processes, compiled")

WORLD = """[world]
assets = 4
days = 20
warmup = "6d"
[market]
[events]
events_a_day = 3
[stories]
corroboration = 0.5
wording = "plain"
"""


def command(home: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "confidence_engine", "--home", str(home), *words]


def told(home: Path, *words: str) -> dict[str, Any]:
    ran = subprocess.run(command(home, *words, "--json"), capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def killed(home: Path, paper: list[str], seed: int, times: int, least_s: float, most_s: float) -> int:
    """Start and kill so many times; returns how often it was still running when it was killed."""
    rng, alive = random.Random(seed), 0
    for _ in range(times):
        running = subprocess.Popen(command(home, *paper), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(least_s, most_s))
        running.send_signal(signal.SIGKILL)
        alive += running.wait() == -signal.SIGKILL
    return alive


def same_as_replay(home: Path, name: str, replayed: dict[str, Any], ended: dict[str, Any]) -> None:
    assert ended["shadow"]["equal"], ended["shadow"]
    reader = Reader(place_of(home / "agents" / name, name))
    decisions = reader.rows(kinds.DECISION)
    orders = [row["order_id"] for row in reader.rows(kinds.INTENT) if row["action"] == 1]
    resumed = sum(1 for _ in reader.records(kinds.RESUMED))
    epochs = len(epochs_of(reader))
    reader.close()
    assert epochs == 1, "the source was edited while it ran, which is another program"
    assert len(decisions) == replayed["decisions"]
    assert ended["shadow"]["state_hash"] == replayed["state_hash"]
    assert len(orders) == len(set(orders))
    assert resumed >= 1
    from confidence_engine.feeds.cache import rows_hash

    assert rows_hash(decisions) == replayed["decisions_hash"]


def test_killed_and_started_again_it_is_the_replay(tmp_path: Path) -> None:
    world = tmp_path / "small.toml"
    world.write_text(WORLD, encoding="utf-8")
    paper = ["paper", "--world", str(world), "--seed", "5", "--plain", "--speed", "150000"]
    replayed = told(tmp_path / "replay", "replay", "--world", str(world), "--seed", "5")
    assert killed(tmp_path / "paper", paper, 1, 2, 4.0, 8.0) > 0
    ended = told(tmp_path / "paper", *paper[:-1], "0")
    same_as_replay(tmp_path / "paper", "simulated", replayed, ended)


@pytest.mark.nightly
@pytest.mark.realdata
def test_killed_twenty_times_on_recorded_data_it_is_the_replay(recorded: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(recorded / "store", home / "store")
    period = ["--start", "2023-02-01", "--end", "2023-03-15"]
    paper = ["paper", "config/futures.toml", *period, "--plain", "--speed", "100000"]
    replayed = told(home, "replay", "config/futures.toml", *period)
    assert killed(home, paper, 2, 20, 4.0, 9.0) > 10
    ended = told(home, *paper[:-1], "0")
    same_as_replay(home, "futures", replayed, ended)
