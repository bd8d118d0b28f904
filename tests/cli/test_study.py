"""`confidence study` on the simulated world: its edge is seen after the stories, and the picture is drawn."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from tests.simulated import END, START, config_file, fill
from tests.simulated import home as world_home

from confidence_engine.cli import app
from confidence_engine.config import load
from confidence_engine.feeds.store import Store
from confidence_engine.report import curves


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
        (("--horizons", "1h,9000d"), "9000d is longer than the stored bars, 6,336 of 5m"),
        (("--horizons=-6h,-23d",), "-23d is longer than the stored bars, 6,336 of 5m"),
    ],
)
def test_bad_usage_is_told(home: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str) -> None:
    assert study(home, *words) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("", "is a folder; name a file in it, as"),
        ("curves.jpg", "ends in .png"),
        ("curves", "ends in .png"),
        ("store/taken/curves.png", "taken is no folder"),
    ],
)
def test_a_picture_that_cannot_be_written_is_refused_before_any_work(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, told: str
) -> None:
    (home / "store/taken").write_text("a file")
    monkeypatch.setattr("confidence_engine.config.load", lambda path: pytest.fail("work was begun"))
    assert study(home, "--out", str(home / name)) == 2
    assert told in capsys.readouterr().err


def test_the_told_path_is_the_path_written_and_its_folder_is_made(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = home / "new/folder/curves.PNG"
    assert study(home, "--horizons", "1h", "--out", str(out)) == 0
    assert f"drawn in {out}" in capsys.readouterr().err
    assert [one.name for one in out.parent.iterdir()] == ["curves.PNG"]
    assert out.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_period_of_few_stories_is_refused_with_their_number(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert study(home, "--start", "2025-01-10", "--end", "2025-01-11") == 3
    assert re.search(r"error: \d+ stor\w+ with a direction .* needs at least 20", capsys.readouterr().err)


def test_what_is_left_out_is_told_and_the_answer_says_what_it_stands_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    titles: list[str] = []
    monkeypatch.setattr(curves, "study_chart", lambda found, step, path, title: titles.append(title))
    config_file(tmp_path / "config")
    fill(Store(tmp_path), without=("ODR/USDT",))
    more = ("--start", "2024-06-01", "--end", "2025-03-01", "--horizons", "1h", "--json")
    assert study(tmp_path, *more, "--out", str(tmp_path / "curves.png")) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert "left out: ODR/USDT has no bars in the period" in err
    assert "the bars cover 2025-01-01T00:00:00Z to 2025-01-23T00:05:00Z of the period; only that is studied" in err
    assert (found["start"], found["end"]) == ("2025-01-01T00:00:00Z", "2025-01-23T00:05:00Z")
    assert found["start"] in titles[0]
    assert found["end"] in titles[0]
    assert found["missing_symbols"] == ["ODR/USDT"]
    assert len(found["symbols"]) == 3
    assert "ODR/USDT" not in found["symbols"]
    assert len(bytes.fromhex(found["data_hash"])) == 32
    assert found["params_hash"] == load(tmp_path / "config/simulated.toml").hash
