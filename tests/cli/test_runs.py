"""`confidence runs`, `diff`, `trades` over replays of the simulated world."""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.simulated import END, START
from tests.simulated import home as world_home

from confidence_engine.cli import app
from confidence_engine.domain.units import parse_time
from confidence_engine.report import artefacts


def run(home: Path, *words: str) -> int:
    return app.main(["--home", str(home), *words])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two runs: all four coins, and the same with a higher trigger; not to be written to."""
    home = tmp_path_factory.mktemp("runs") / "home"
    shutil.copytree(world_home(), home)
    file = home / "config/simulated.toml"
    high = home / "config/high.toml"
    high.write_text(re.sub(r"trigger = [0-9.]+", "trigger = 0.7", file.read_text("utf-8")), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(artefacts, "chart", lambda picture, path: path.write_bytes(b"png"))
        for config in (file, high):
            assert run(home, "replay", str(config), "--start", START, "--end", END) == 0
    return home


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    shutil.copytree(made / "runs", tmp_path / "runs")
    return tmp_path


def names(home: Path) -> list[str]:
    """The two runs: the default trigger first."""
    found = sorted((home / "runs").iterdir())
    return [
        one.name for one in sorted(found, key=lambda one: artefacts.read_config(one)["kernel"]["divergence"]["trigger"])
    ]


def answer(home: Path, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    code = run(home, *words, "--json")
    out = capsys.readouterr()
    assert code == 0, out.err
    found = json.loads(out.out)
    assert isinstance(found, dict)
    return found


def test_runs_lists_every_run_with_its_figures(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(made, capsys, "runs")["runs"]
    assert [one["run"] for one in found] == sorted(names(made))
    assert all(one["synthetic"] and one["entries"] > 0 for one in found)
    assert run(made, "runs") == 0
    out = capsys.readouterr().out
    assert all(name in out for name in names(made))


def test_no_runs_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "runs") == 0
    assert "no runs yet" in capsys.readouterr().out
    assert answer(tmp_path, capsys, "runs") == {"runs": []}


def test_a_broken_run_is_named_and_hides_no_other(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    low, high = names(home)
    (home / "runs" / low / "summary.json").write_text('{"run": ', encoding="utf-8")
    (home / "runs" / ".half.x.part").mkdir()
    found = {one["run"]: one for one in answer(home, capsys, "runs")["runs"]}
    assert set(found) == {low, high}
    assert "problem" in found[low]
    assert found[high]["trades"] > 0
    assert run(home, "runs") == 0
    out, err = capsys.readouterr()
    assert high in out
    assert "damaged" in err
    assert run(home, "trades", low) == 3
    assert run(home, "diff", low, high) == 3


def test_diff_names_what_differs_and_the_first_decision(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    low, high = names(made)
    found = answer(made, capsys, "diff", low, high)
    assert (found["left"], found["right"], found["same_decisions"]) == (low, high, False)
    assert [(row["key"], row["right"]) for row in found["params"]] == [("kernel.divergence.trigger", 0.7)]
    assert found["params"][0]["left"] < 0.7
    keys = {row["key"] for row in found["figures"]}
    assert {"params_hash", "decisions_hash", "entries", "config"} <= keys
    assert not keys & {"data_hash", "cpu_events_per_s", "run", "start"}
    assert "trigger" in found["first_difference"]["fields"]
    assert found["first_difference"]["at"] >= "2025-01-07T00:00"
    assert run(made, "diff", low, high) == 0
    out = capsys.readouterr().out
    assert "kernel.divergence.trigger" in out
    assert "first decision that differs: row" in out


def test_diff_of_a_run_with_itself_is_empty(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    low = names(made)[0]
    found = answer(made, capsys, "diff", low, str(made / "runs" / low))
    assert (found["same_decisions"], found["figures"], found["params"], found["first_difference"]) == (
        True,
        [],
        [],
        None,
    )
    assert run(made, "diff", low, low) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["SYNTHETIC: both runs are of simulated worlds", "same figures", "same decisions"]


def test_a_run_from_before_the_column_differs_in_nothing_by_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    low, _ = names(home)
    shutil.copytree(home / "runs" / low, home / "runs" / "older")
    for name in ("decisions", "trades"):
        file = home / "runs" / "older" / f"{name}.parquet"
        pl.read_parquet(file).drop("synthetic").write_parquet(file)
    for words in ((low, "older"), ("older", low)):
        found = answer(home, capsys, "diff", *words)
        assert (found["synthetic"], found["same_decisions"]) == (True, True)
    assert answer(home, capsys, "trades", "older") | {"run": low} == answer(home, capsys, "trades", low)


def test_diff_sees_a_missing_tail(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    low, _ = names(home)
    shutil.copytree(home / "runs" / low, home / "runs" / "cut")
    file = home / "runs/cut/decisions.parquet"
    pl.read_parquet(file)[:100].write_parquet(file)
    found = answer(home, capsys, "diff", low, "cut")
    assert found["same_decisions"] is False
    assert found["first_difference"]["row"] == 100


@pytest.mark.parametrize("words", [("diff", "one", "two"), ("trades", "one"), ("trades", ""), ("diff", "sim", "sim")])
def test_what_is_not_one_run_is_3(made: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(made, *words) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")


@pytest.mark.parametrize("file", ["decisions.parquet", "config.json"])
def test_a_run_that_lost_a_file_is_3(home: Path, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    low, high = names(home)
    (home / "runs" / low / file).write_bytes(b"half")
    assert run(home, "diff", low, high) == 3
    assert file in capsys.readouterr().err


def test_trades_into_a_folder_is_2_and_leaves_nothing(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    assert run(made, "trades", names(made)[0], "--out", str(folder)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"error: --out {folder} is a folder; name a file in it, as {folder / 'trades.csv'}\n"
    assert [one.name for one in tmp_path.rglob("*")] == ["here"]


def test_trades_as_csv(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    low = names(made)[0]
    assert run(made, "trades", low) == 0
    text, err = capsys.readouterr()
    assert err.startswith("SYNTHETIC")
    frame = pl.read_csv(io.StringIO(text))
    assert frame["synthetic"].unique().to_list() == [True]
    summary = json.loads((made / "runs" / low / "summary.json").read_text("utf-8"))
    assert len(frame) == summary["trades"]
    assert frame["pnl_usd"].sum() == pytest.approx(summary["net_pnl_usd"], abs=1e-6)
    assert {"symbol", "side", "entry_at", "exit_at", "why"} <= set(frame.columns)
    assert all(parse_time(a) < parse_time(b) for a, b in frame.select("entry_at", "exit_at").rows())
    file = tmp_path / "new" / "trades.csv"
    assert run(made, "trades", low, "--out", str(file)) == 0
    out, err = capsys.readouterr()
    assert (out, file.read_text("utf-8")) == ("", text)
    assert f"{len(frame)} SYNTHETIC trades" in err
    found = answer(made, capsys, "trades", low, "--out", str(tmp_path / "again.csv"))
    assert len(found["trades"]) == len(frame)
    assert found["synthetic"] is True
    assert (tmp_path / "again.csv").read_text("utf-8") == text
    assert [one.name for one in file.parent.iterdir()] == ["trades.csv"]
