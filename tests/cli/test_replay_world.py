"""`confidence replay --world FILE --seed N`: a run without a store, and what may not be mixed with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.simulated import config_file, fill, world

from confidence_engine.cli import app
from confidence_engine.config.simulated import VENUE
from confidence_engine.domain.errors import DataRefused
from confidence_engine.domain.event import SYNTHETIC
from confidence_engine.domain.units import MINUTE_NS
from confidence_engine.feeds.store import Batch, Store
from confidence_engine.report import artefacts
from confidence_engine.report.artefacts import FILES

SMALL = (
    '[world]\nassets = 2\ndays = 9\nwarmup = "3d"\n[events]\nimpact = "3%"\nevents_a_day = 3.0\n'
    '[stories]\nwording = "plain"\n'
)
AGENT = '[text]\nbackend = "cues"\n'


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(artefacts, "chart", lambda picture, path: path.write_bytes(b"png"))
    path = tmp_path / "small.toml"
    path.write_text(SMALL, encoding="utf-8")
    return path


def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    code = app.main(["--home", str(tmp_path / "home"), "replay", *words, "--json"])
    out = capsys.readouterr()
    assert code == 0, out.err
    assert "SIMULATED" in out.err
    found = json.loads(out.out)
    assert isinstance(found, dict)
    return found


def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = app.main(["--home", str(tmp_path / "home"), *words])
    return code, capsys.readouterr().err


def test_a_world_runs_without_a_store_and_is_synthetic_from_end_to_end(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = run(tmp_path, capsys, "--feed", "world", "--world", str(file), "--seed", "4")
    folder = Path(found["folder"])
    assert found["synthetic"] is True
    assert found["judged"] > 1000
    assert found["symbols"] == ["KVX/USDT", "VLT/USDT"]
    assert {one.name for one in folder.iterdir()} == set(FILES)
    marks = pl.read_parquet(folder / "decisions.parquet")["marks"].to_numpy()
    assert len(marks) > 0
    assert all(pl.read_parquet(one)["synthetic"].all() for one in folder.glob("*.parquet"))
    assert ((marks & SYNTHETIC) != 0).all()
    kept = json.loads((folder / "summary.json").read_text("utf-8"))
    assert kept["synthetic"] is True
    assert (kept["world"]["file"], kept["world"]["seed"], kept["world"]["events"]["impact"]) == ("small.toml", 4, 0.03)
    assert not (tmp_path / "home" / "store" / "manifest.json").exists()
    assert (tmp_path / "home" / "worlds" / "small-4" / "world.toml").is_file()
    again = run(tmp_path, capsys, "--world", str(file), "--seed", "4")
    assert (again["run"], again["decisions_hash"]) == (found["run"], found["decisions_hash"])
    assert run(tmp_path, capsys, "--world", str(file), "--seed", "5")["run"] != found["run"]


def test_an_agent_of_ones_own_in_it_and_a_journal(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], project_root: Path
) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(f'inherits = "{project_root / "config" / "spot.toml"}"\n{AGENT}', encoding="utf-8")
    out = tmp_path / "out"
    found = run(tmp_path, capsys, str(mine), "--world", str(file), "--journal", "--out", str(out))
    assert found["agent"] == "hybrid"
    assert found["reader"].startswith("cues")
    assert (out / "journal").is_dir()


@pytest.mark.parametrize("words", [("--start", "2025-01-02"), ("--end", "2025-01-09"), ("--symbols", "KVX")])
def test_a_world_brings_its_own_period(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    code, said = refused(tmp_path, capsys, "replay", "--world", str(file), *words)
    assert (code, "brings its own" in said) == (2, True)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--feed", "store", "--world", "small.toml"), "--feed store has no --world"),
        (("--feed", "world"), "--feed world wants --world FILE"),
        (("--feed", "sky", "--world", "small.toml"), "--feed is store or world, not 'sky'"),
    ],
)
def test_a_feed_that_does_not_go_with_the_world_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], why: str
) -> None:
    code, said = refused(tmp_path, capsys, "replay", *words)
    assert (code, why in said) == (2, True), said


def test_half_a_question_and_a_wrong_file_are_refused(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in ((), ("--seed", "3"), (str(file),), (str(file), "--start", "2025-01-02")):
        code, said = refused(tmp_path, capsys, "replay", *words)
        assert (code, "--world FILE" in said) == (2, True), words
    file.write_text("[events]\nimpct = 1\n", encoding="utf-8")
    code, said = refused(tmp_path, capsys, "replay", "--world", str(file))
    assert code == 2
    assert "small.toml:2: unknown key [events] impct" in said


def test_simulated_and_recorded_never_meet(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(tmp_path / "home")
    fill(store, synthetic=False)
    rows = world().bars
    with pytest.raises(DataRefused, match="home of its own"):
        store.add(Batch("bars", "x", "bars", 0, VENUE, 5 * MINUTE_NS, rows=rows, synthetic=True))
    real = config_file(tmp_path / "config")
    made = run(tmp_path, capsys, "--world", str(file))
    code = app.main(["--home", str(tmp_path / "home"), "replay", str(real), "--start", "2025-01-20", "--end",
                     "2025-01-23", "--json"])  # fmt: skip
    found = json.loads(capsys.readouterr().out)
    assert (code, found["synthetic"]) == (0, False)  # what a world left in the home's cache is no data
    code, said = refused(tmp_path, capsys, "diff", made["run"], found["run"])
    assert (code, "is simulated" in said) == (3, True)
    code, said = refused(tmp_path, capsys, "demo", "--days", "20")
    assert (code, "recorded data" in said) == (3, True)
