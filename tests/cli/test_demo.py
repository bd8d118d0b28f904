"""`confidence demo`: the whole pipeline, simulated and said to be, the same every time."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.simulated import fill, world

from confidence_engine.cli import app
from confidence_engine.cli import demo as command
from confidence_engine.config.simulated import VENUE
from confidence_engine.domain.errors import DataRefused
from confidence_engine.domain.units import MINUTE_NS, parse_time
from confidence_engine.feeds.store import Batch, Store
from confidence_engine.journal import kinds
from confidence_engine.journal.anchor import read_anchor
from confidence_engine.journal.reader import Reader, place_of
from confidence_engine.report import artefacts

UNTIL = ("--until", "2025-01-25T00:00Z")
HELD = ("agents", "config", "enhanced_trading.db", "home.json", "projector.lock")
Shown = tuple[Path, dict[str, Any], str]
SMALL = ("--days", "24", *UNTIL)


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(artefacts, "chart", lambda picture, path: path.write_bytes(b"png"))
        patch.setattr(command, "CONTROLS", 3)
        yield


def demo(home: Path, *words: str) -> tuple[dict[str, Any], str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = app.main(["--home", str(home), "demo", *words, "--json"])
    assert code == 0, err.getvalue()
    assert out.getvalue().count("\n") == 1
    found = json.loads(out.getvalue())
    assert isinstance(found, dict)
    return found, err.getvalue()


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, _quick: None) -> Shown:
    """A home with the small world's demo in it, what it said, and what it said beside; only to be looked at."""
    home = tmp_path_factory.mktemp("demo")
    return home, *demo(home, *SMALL)


def test_twice_the_same_and_another_seed_is_another_world(tmp_path: Path, shown: Shown) -> None:
    home, one, err = shown
    shutil.copytree(home, tmp_path, dirs_exist_ok=True)
    one = json.loads(json.dumps(one).replace(str(home), str(tmp_path)))
    two, _ = demo(tmp_path, *SMALL)
    other, told = demo(tmp_path, *SMALL, "--seed", "8")
    assert "SIMULATED" in err
    assert "held another world" not in err
    assert "held another world (world of seed 7, 24 days to 2025-01-25T00:00:00Z); now it holds world of seed 8" in told
    assert one["simulated"] is True
    assert one["replay"]["synthetic"] is True
    assert one["without_information"]["synthetic"] is True
    for found in (one, two, other):
        for told_of in (found["replay"], *found["agents"].values()):
            told_of.pop("cpu_events_per_s", None)
    assert one == two
    assert one["folder"] != other["folder"]
    for name in ("state_hash", "decisions_hash", "data_hash"):
        assert one["replay"][name] != other["replay"][name]
    runs = [path.name for path in (tmp_path / "runs").iterdir() if path.name.startswith("futures-")]
    assert sorted(runs) == sorted(Path(found["folder"]).name for found in (one, other))


def test_the_control_is_a_range_of_draws(shown: Shown) -> None:
    _, found, _ = shown
    mute = found["without_information"]
    assert mute["range_of"] == 3
    for name in ("entries", "net_pnl_usd", "closed", "random_entry_percentile"):
        one = mute[name]
        assert one["n"] <= 3
        assert one["lowest"] <= one["mean"] <= one["highest"]
    assert mute["net_pnl_usd"]["lowest"] < mute["net_pnl_usd"]["highest"]


def test_its_store_is_the_homes_own_and_real_rows_do_not_enter_it(tmp_path: Path, shown: Shown) -> None:
    shutil.copytree(shown[0], tmp_path, dirs_exist_ok=True)
    assert sorted(one.name for one in tmp_path.iterdir()) == [*HELD, "runs", "store"]
    before = Store(tmp_path).data_hash()
    real = Batch("bars", "r", "real", 0, VENUE, 5 * MINUTE_NS, rows=world().bars)
    with pytest.raises(DataRefused, match="simulated data; real data needs a home of its own"):
        Store(tmp_path).add(real)
    demo(tmp_path, "--days", "25", *UNTIL)
    assert Store(tmp_path).data_hash() != before
    demo(tmp_path, *SMALL)
    assert Store(tmp_path).data_hash() == before  # nothing of the longer world stayed


def test_rows_do_not_outlive_the_journals_they_were_told_from(tmp_path: Path, shown: Shown) -> None:
    """What a demo that is stopped halfway leaves: no row of a decision that `why` does not find."""
    shutil.copytree(shown[0], tmp_path, dirs_exist_ok=True)
    command._make_room(tmp_path, None, ["hybrid", "futures"])
    assert not list((tmp_path / "agents").glob("*/*"))
    with contextlib.closing(sqlite3.connect(tmp_path / "enhanced_trading.db")) as c:
        for table in ("agents", "signal_logs", "enhanced_trades", "fills"):
            assert c.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_it_explains_its_last_entry_as_the_replay_decided_it(shown: Shown) -> None:
    _, found, _ = shown
    decisions = pl.read_parquet(Path(found["folder"]) / "decisions.parquet")
    last = decisions.filter(pl.col("gates") == 0).row(-1, named=True)
    said = found["decision"]
    assert said["symbol"] == last["symbol"]
    assert (said["gap"], said["trigger"], said["strength"]) == (last["gap"], last["trigger"], last["strength"])
    assert said["action"] in ("buy", "sell")
    assert set(decisions["marks"]) == {4}


def test_its_run_can_be_replayed_and_listed_like_any_other(shown: Shown, capsys: pytest.CaptureFixture[str]) -> None:
    home, found, _ = shown
    assert app.main(["--home", str(home), "runs", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["runs"]
    futures, hybrid = [one["run"] for one in listed]
    assert futures == Path(found["folder"]).name
    assert hybrid.startswith("hybrid-")
    assert app.main(["--home", str(home), "diff", futures, found["folder"]]) == 0


def test_its_agents_write_journals_and_any_decision_can_be_asked_for(
    shown: Shown, capsys: pytest.CaptureFixture[str]
) -> None:
    home, found, _ = shown
    for name in ("hybrid", "futures"):
        folder = home / "agents" / name
        reader = Reader(place_of(folder, name))
        assert (reader.genesis().run, reader.genesis().synthetic) == ("agent", True)
        assert len(reader.rows(kinds.DECISION)) == found["agents"][name]["decisions"]
        assert read_anchor(folder / "anchor.json") is not None
    decisions = pl.read_parquet(Path(found["folder"]) / "decisions.parquet")
    last = decisions.filter(pl.col("gates") == 0).row(-1, named=True)
    assert app.main(["--home", str(home), "why", f"futures:{last['seq']}", "--json"]) == 0
    why = json.loads(capsys.readouterr().out)
    assert why["numbers"] == {name: None if last[name] != last[name] else last[name] for name in why["numbers"]}
    assert why["synthetic"] is True
    assert why["orders"][0]["why"] == "entry"
    assert any(one["leads"] for one in why["headlines"])
    hybrid = Reader(place_of(home / "agents/hybrid", "hybrid"))
    assert (hybrid.rows(kinds.ENTRY)["lots"] != 0).any()
    assert (hybrid.rows(kinds.DECISION)["held_lots"] >= 0).all()  # spot is never sold short


def test_a_world_ends_now_if_nothing_else_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = time.time_ns()
    found, _ = demo(tmp_path, "--days", "20")
    assert 0 <= before - parse_time(found["replay"]["end"]) < 6 * MINUTE_NS


def test_a_person_is_told_on_every_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["--home", str(tmp_path), "demo", *SMALL]) == 0
    out, err = capsys.readouterr()
    assert "SIMULATED world: every figure below is about made-up prices and headlines" in out
    assert "does it live on the stories?" in out
    assert "mean and range of 3" in out
    assert err.startswith("SIMULATED")


def test_a_home_with_recorded_data_is_refused_untouched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(Store(tmp_path), synthetic=False)
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    assert app.main(["--home", str(tmp_path), "demo", *SMALL]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert "holds recorded data" in err
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before


def test_without_a_home_it_takes_one_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert app.main(["demo", *SMALL, "--json"]) == 0
    folder = Path(json.loads(capsys.readouterr().out)["folder"])
    assert folder.parent == tmp_path / "confidence-engine/demo/runs"


@pytest.mark.parametrize("words", [("--days", "3"), ("--days", "4000"), ("--seed", "-1"), ("--days", "x")])
def test_odd_numbers_are_2(tmp_path: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["--home", str(tmp_path), "demo", *words]) == 2
    assert capsys.readouterr().out == ""
    assert list(tmp_path.iterdir()) == []
