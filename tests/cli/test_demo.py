"""`confidence demo`: the whole pipeline, simulated and said to be, the same every time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.simulated import fill, world

from confidence_engine.cli import app
from confidence_engine.cli import demo as command
from confidence_engine.config.simulated import VENUE
from confidence_engine.domain.errors import DataRefused
from confidence_engine.domain.units import MINUTE_NS
from confidence_engine.feeds.store import Batch, Store
from confidence_engine.report import artefacts

SMALL = ("--days", "24")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artefacts, "chart", lambda picture, path: path.write_bytes(b"png"))
    monkeypatch.setattr(command, "CONTROLS", 3)


def demo(home: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[dict[str, Any], str]:
    code = app.main(["--home", str(home), "demo", *words, "--json"])
    out = capsys.readouterr()
    assert code == 0, out.err
    assert out.out.count("\n") == 1
    found = json.loads(out.out)
    assert isinstance(found, dict)
    return found, out.err


def test_twice_the_same_and_another_seed_is_another_world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, err = demo(tmp_path, capsys, *SMALL)
    two, _ = demo(tmp_path, capsys, *SMALL)
    other, told = demo(tmp_path, capsys, *SMALL, "--seed", "8")
    assert "SIMULATED" in err
    assert "held another world" not in err
    assert "held another world (world of seed 7, 24 days); now it holds world of seed 8, 24 days" in told
    assert one["simulated"] is True
    assert one["replay"]["synthetic"] is True
    assert one["without_information"]["synthetic"] is True
    for found in (one, two, other):
        del found["replay"]["cpu_events_per_s"]
    assert one == two
    assert one["folder"] != other["folder"]
    for name in ("state_hash", "decisions_hash", "data_hash"):
        assert one["replay"][name] != other["replay"][name]
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == sorted(
        Path(found["folder"]).name for found in (one, other)
    )


def test_the_control_is_a_range_of_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found, _ = demo(tmp_path, capsys, *SMALL)
    mute = found["without_information"]
    assert mute["range_of"] == 3
    for name in ("entries", "net_pnl_usd", "closed", "random_entry_percentile"):
        one = mute[name]
        assert one["n"] <= 3
        assert one["lowest"] <= one["mean"] <= one["highest"]
    assert mute["net_pnl_usd"]["lowest"] < mute["net_pnl_usd"]["highest"]
    assert app.main(["--home", str(tmp_path), "demo", *SMALL]) == 0
    assert "mean and range of 3" in capsys.readouterr().out


def test_its_store_is_the_homes_own_and_real_rows_do_not_enter_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demo(tmp_path, capsys, *SMALL)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["config", "runs", "store"]
    before = Store(tmp_path).data_hash()
    real = Batch("bars", "r", "real", 0, VENUE, 5 * MINUTE_NS, rows=world().bars)
    with pytest.raises(DataRefused, match="simulated data; real data needs a home of its own"):
        Store(tmp_path).add(real)
    demo(tmp_path, capsys, "--days", "25")
    assert Store(tmp_path).data_hash() != before
    demo(tmp_path, capsys, *SMALL)
    assert Store(tmp_path).data_hash() == before  # nothing of the longer world stayed


def test_it_explains_its_last_entry_as_the_replay_decided_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, _ = demo(tmp_path, capsys, *SMALL)
    decisions = pl.read_parquet(Path(found["folder"]) / "decisions.parquet")
    last = decisions.filter(pl.col("gates") == 0).row(-1, named=True)
    shown = found["decision"]
    assert shown["symbol"] == last["symbol"]
    assert (shown["gap"], shown["trigger"], shown["strength"]) == (last["gap"], last["trigger"], last["strength"])
    assert shown["action"] in ("buy", "sell")
    assert set(decisions["marks"]) == {4}


def test_its_run_can_be_replayed_and_listed_like_any_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found, _ = demo(tmp_path, capsys, *SMALL)
    assert app.main(["--home", str(tmp_path), "runs", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["runs"]
    assert [one["run"] for one in listed] == [Path(found["folder"]).name]
    assert app.main(["--home", str(tmp_path), "diff", listed[0]["run"], found["folder"]]) == 0


def test_a_person_is_told_on_every_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["--home", str(tmp_path), "demo", *SMALL]) == 0
    out, err = capsys.readouterr()
    assert "SIMULATED world: every figure below is about made-up prices and headlines" in out
    assert "does it live on the stories?" in out
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
