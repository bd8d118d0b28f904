"""`confidence study` on the simulated world: its edge is seen after the stories, and the picture is drawn."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.simulated import END, START
from tests.simulated import home as world_home

from confidence_engine.cli import app


@pytest.fixture
def home(tmp_path: Path) -> Path:
    shutil.copytree(world_home(), tmp_path / "home")
    return tmp_path / "home"


def study(home: Path, *more: str) -> int:
    config = str(home / "config/simulated.toml")
    return app.main(["--home", str(home), "study", config, "--start", START, "--end", END, "--draws", "100", *more])


def test_the_planted_edge_of_the_world_is_seen(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert study(home, "--json", "--out", str(home / "curves.png")) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["synthetic"] is True
    cells = {cell["horizon"]: cell for cell in found["groups"]["all"]}
    assert cells[72]["mean"] > cells[72]["null95"][1]  # what is told closes over hours
    assert {"bullish", "bearish"} <= set(found["groups"])
    assert any(name.startswith("source ") for name in found["groups"])
    assert (home / "curves.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_people_get_a_table_and_what_lies_beyond_chance(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert study(home, "--horizons", "6h,-1h,1h") == 0
    text = capsys.readouterr().out
    assert "-1h" in text
    assert "beyond chance:" in text


def test_symbols_are_typed_as_people_type_lists(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts = []
    for words in ((), ("--symbols", "vlt, KVX/USDT,"), ("--symbols", "KVX/USDT,VLT/USDT")):
        assert study(home, "--json", "--horizons", "1h", *words) == 0
        counts.append(json.loads(capsys.readouterr().out)["stories"])
    assert counts[1] == counts[2] < counts[0]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--horizons", "7m"), "whole number of 5m bars"),
        (("--horizons", "soon"), "soon"),
        (("--symbols", ""), "symbol"),
    ],
)
def test_bad_usage_is_told(home: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str) -> None:
    assert study(home, *words) == 2
    assert told in capsys.readouterr().err
