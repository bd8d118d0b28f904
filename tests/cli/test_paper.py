"""`confidence paper` as a command: what it answers, and what does not keep it from answering."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from confidence_engine.cli import app
from confidence_engine.domain.jit import jit_enabled

pytestmark = pytest.mark.skipif(not jit_enabled(), reason="runs, compiled")

WORLD = (
    '[world]\nassets = 2\ndays = 4\nwarmup = "2d"\n[events]\nimpact = "3%"\nevents_a_day = 3.0\n'
    '[stories]\nwording = "plain"\n'
)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(WORLD, encoding="utf-8")
    return path


def words(home: Path, world: Path, *more: str) -> list[str]:
    return ["--home", str(home), "paper", "--world", str(world), "--seed", "5", "--speed", "0", "--plain", *more]


def test_another_agents_damaged_journal_is_none_of_its_business(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "home" / "agents" / "other" / "journal"
    other.mkdir(parents=True)
    (other / "journal.db").write_bytes(b"no database" * 1000)
    assert app.main([*words(tmp_path / "home", world), "--json"]) == 0
    said = capsys.readouterr()
    found: dict[str, Any] = json.loads(said.out)
    assert found["shadow"]["equal"]
    assert found["ended"] == "end of the feed"
    assert "the tables wait" in said.err
    assert "learns; it decides from" in said.err


def test_nobody_has_to_listen_to_what_it_says(world: Path, tmp_path: Path) -> None:
    """Its log goes to a reader that leaves after a line; its answer is whole."""
    command = [sys.executable, "-m", "confidence_engine", *words(tmp_path / "home", world), "--json"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None
    assert running.stderr is not None
    running.stderr.readline()
    running.stderr.close()
    found: dict[str, Any] = json.loads(running.stdout.read())
    running.stdout.close()
    assert running.wait(60) == 0
    assert found["shadow"]["equal"]


def test_what_feeds_it_is_said_once(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main([*words(tmp_path / "home", world), "--feed", "store"]) == 2
    assert "--feed store has no --world" in capsys.readouterr().err
