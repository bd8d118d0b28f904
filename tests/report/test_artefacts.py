"""report.artefacts: a run is on disk whole or not at all, and reads back as it was."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.ledger_reference import curve
from tests.simulated import played, summary_of

from confidence_engine.domain.decision import gate_names
from confidence_engine.domain.errors import DataMissing, RunError, StoreDamaged, UsageError
from confidence_engine.journal.lock import locked
from confidence_engine.journal.reader import place_of
from confidence_engine.report import artefacts
from confidence_engine.report.artefacts import (
    ARTEFACTS,
    FILES,
    beside,
    find_run,
    list_runs,
    read_config,
    read_rows,
    refuse_foreign,
    run_id,
    runs_folder,
    write_run,
)


def write(folder: Path) -> Path:
    p = played()
    return write_run(folder, p.config, p.sources, p.window, p.result, p.made, summary_of(p))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one run, not to be written to."""
    return write(tmp_path_factory.mktemp("home") / "runs" / "one")


@pytest.fixture
def home(run: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(run.parent, tmp_path / "runs")
    return tmp_path


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chart is not what these tests are about, and it is slow."""
    monkeypatch.setattr(artefacts, "chart", lambda picture, path: path.write_bytes(b"png"))


# What is written.


def test_a_run_is_its_files_and_no_others(run: Path) -> None:
    assert {one.name for one in run.iterdir()} == set(FILES)
    assert [one.name for one in run.parent.iterdir()] == ["one"]
    assert run.stat().st_mode & 0o777 == 0o755
    assert (run / "chart.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("table", "rows", "named"),
    [
        ("decisions", "decisions", ("symbol", "refused", "volatility", "trend")),
        ("fills", "entries", ("symbol",)),
        ("orders", "intents", ("symbol",)),
        ("marks", "marks", ("symbol",)),
        ("equity", "equities", ()),
        ("lessons", "lessons", ("symbol",)),
    ],
)
def test_a_table_reads_back_as_it_was(run: Path, table: str, rows: str, named: tuple[str, ...]) -> None:
    frame, was = read_rows(run, table), getattr(played().result, rows)
    assert len(frame) == len(was) > 10
    assert set(frame.columns) == {*was.dtype.names, *named, "synthetic"}
    for name in was.dtype.names:
        if frame[name].dtype != pl.String:
            np.testing.assert_array_equal(frame[name].to_numpy(), was[name], err_msg=name)


def test_every_row_says_whether_it_is_synthetic(run: Path, tmp_path: Path, quick: None) -> None:
    tables = [one.stem for one in run.glob("*.parquet")]
    assert len(tables) == 8
    p = played()
    real = write_run(
        tmp_path / "x", p.config, p.sources._replace(synthetic=False), p.window, p.result, p.made, summary_of(p)
    )
    for folder, synthetic in ((run, True), (real, False)):
        for name in tables:
            assert read_rows(folder, name)["synthetic"].unique().to_list() == [synthetic], name


def test_codes_are_written_in_words(run: Path) -> None:
    symbols = [one.symbol for one in played().sources.instruments]
    decisions = read_rows(run, "decisions")
    assert decisions["symbol"].to_list() == [symbols[i] for i in decisions["asset"]]
    assert decisions["refused"].to_list() == [" ".join(gate_names(bits)) for bits in decisions["gates"]]
    assert (decisions["refused"] == "").sum() == (decisions["gates"] == 0).sum() > 0
    assert set(read_rows(run, "fills")["kind"]) == {"FILL", "FUNDING"}
    assert set(read_rows(run, "orders")["kind"]) == {"market", "stop", "target"}
    assert set(read_rows(run, "trades")["why"]) <= {"stop", "target", "trailing stop", "time", "story reversed"}


def test_equity_can_be_worked_out_from_the_files_alone(run: Path) -> None:
    equity, config = read_rows(run, "equity"), read_config(run)
    kinds = {"FILL": 4, "LIQUIDATION": 6, "FUNDING": 11}
    fills = [row | {"kind": kinds[row["kind"]]} for row in read_rows(run, "fills").iter_rows(named=True)]
    marks = list(read_rows(run, "marks").iter_rows(named=True))
    ticks = {one["symbol"]: (repr(one["tick"]), repr(one["lot"])) for one in config["universe"]["instruments"]}
    steps = {i: ticks[symbol] for symbol, i in read_rows(run, "decisions").select("symbol", "asset").unique().rows()}
    found = curve(config["agent"]["initial_equity_usd"], steps, fills, marks, equity["ts_ns"].to_list())
    np.testing.assert_allclose([float(x) for x in found], equity["equity"].to_numpy(), rtol=0, atol=1e-6)
    assert equity["open_positions"].max() > 0


def test_the_summary_is_strict_json_with_the_runs_name(run: Path) -> None:
    def refuse(text: str) -> None:
        raise AssertionError(text)

    found = json.loads((run / "summary.json").read_text("utf-8"), parse_constant=refuse)
    assert found == json.loads(json.dumps(summary_of(played()))) | {"run": "one", "artefacts": ARTEFACTS}
    assert found["synthetic"] is True


def test_the_picture_says_that_it_is_simulated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(artefacts, "chart", lambda picture, path: seen.append(picture))
    write(tmp_path / "x")
    assert seen[0].synthetic
    assert seen[0].symbol in {one.symbol for one in played().sources.instruments}
    assert len(seen[0].trades) == max(np.bincount(played().made.trades["asset"]))


def test_a_run_says_which_version_its_artefacts_are_and_a_newer_one_is_refused(home: Path) -> None:
    path = runs_folder(home) / "one/summary.json"
    found = json.loads(path.read_text("utf-8"))
    assert list_runs(home)[0]["artefacts"] == found["artefacts"] == ARTEFACTS
    del found["artefacts"]  # before versions were written
    path.write_text(json.dumps(found))
    assert list_runs(home)[0]["artefacts"] == 1
    path.write_text(json.dumps(found | {"artefacts": ARTEFACTS + 1}))
    assert f"written as artefacts {ARTEFACTS + 1}" in list_runs(home)[0]["problem"]


# Its name.


def test_the_same_run_has_the_same_name_and_any_other_another() -> None:
    p = played()
    summary = summary_of(p)
    name = run_id(p.config, p.window, summary)
    assert name.startswith("simulated-20250107-20250123-")
    assert name == run_id(p.config, p.window, summary_of(p))
    others = [summary | {key: "other"} for key in ("params_hash", "data_hash", "code_revision", "reader")]
    others.append(summary | {"symbols": summary["symbols"][:2]})
    names = {run_id(p.config, p.window, one) for one in others}
    names.add(run_id(p.config, p.window._replace(end_ns=p.window.end_ns - 3_600_000_000_000), summary))  # the same day
    assert len(names | {name}) == 7


# Whole or not at all.


class Stop(Exception):
    """What a test raises in the middle."""


@pytest.mark.parametrize("error", [Stop, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("before", [False, True])
def test_a_write_that_is_interrupted_leaves_what_was_there(
    home: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], before: bool
) -> None:
    def stop(*_: Any) -> None:
        raise error

    monkeypatch.setattr(artefacts, "chart", stop)
    folder = runs_folder(home) / ("one" if before else "two")
    stamp = (runs_folder(home) / "one/summary.json").read_bytes()
    with pytest.raises(error):
        write(folder)
    assert [one.name for one in runs_folder(home).iterdir()] == ["one"]
    assert (runs_folder(home) / "one/summary.json").read_bytes() == stamp
    assert [one["run"] for one in list_runs(home)] == ["one"]


@pytest.mark.usefixtures("quick")
def test_an_older_run_of_the_name_is_replaced_or_stays(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = runs_folder(home) / "one"
    real = os.replace

    def full(a: Any, b: Any) -> None:
        if Path(b) == folder and Path(a, "chart.png").exists() and Path(a, "chart.png").read_bytes() == b"png":
            raise OSError(28, "No space left on device")
        real(a, b)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(RunError, match="No space left"):
        write(folder)
    assert (folder / "chart.png").read_bytes().startswith(b"\x89PNG")
    assert [one.name for one in runs_folder(home).iterdir()] == ["one"]
    monkeypatch.setattr(os, "replace", real)
    write(folder)
    assert (folder / "chart.png").read_bytes() == b"png"
    assert [one.name for one in runs_folder(home).iterdir()] == ["one"]


@pytest.mark.usefixtures("quick")
def test_what_a_killed_process_left_is_swept_when_it_is_old(home: Path) -> None:
    dead, fresh = runs_folder(home) / ".two.abc.run.part", runs_folder(home) / ".three.abc.run.part"
    for one in (dead, fresh):
        one.mkdir()
        (one / "decisions.parquet").write_bytes(b"half")
    os.utime(dead, (time.time() - 7200, time.time() - 7200))
    assert [one["run"] for one in list_runs(home)] == ["one"]
    write(runs_folder(home) / "two")
    assert {one.name for one in runs_folder(home).iterdir()} == {"one", "two", ".three.abc.run.part"}


@pytest.mark.usefixtures("quick")
def test_a_part_that_goes_while_it_is_looked_at_or_is_no_runs_is_left_alone(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export, gone = runs_folder(home) / ".mine.abc.part", runs_folder(home) / ".two.abc.run.part"
    for one in (export, gone):
        one.mkdir()
        os.utime(one, (time.time() - 7200, time.time() - 7200))
    real, seen = Path.stat, []

    def stat(path: Path, **options: Any) -> Any:
        found = real(path, **options)
        if path == gone and not seen:  # put in its place by the run that wrote it
            seen.append(path)
            gone.rmdir()
        return found

    monkeypatch.setattr(Path, "stat", stat)
    write(runs_folder(home) / "three")
    assert seen
    assert {one.name for one in runs_folder(home).iterdir()} == {"one", "three", ".mine.abc.part"}


def test_a_journal_beside_a_run_is_swept_unless_somebody_writes_it(home: Path) -> None:
    dead, live = home / ".journal.dead.run.part", home / ".journal.live.run.part"
    for one in (dead, live):
        (one / "journal").mkdir(parents=True)
        (one / "journal" / "lock").touch()
        os.utime(one, (time.time() - 7200, time.time() - 7200))
    held = locked(place_of(live, "futures"))
    with beside(runs_folder(home)) as folder:
        assert not dead.exists()
        assert folder.parent == home
        assert live.exists()
    assert not folder.exists()
    held.close()
    with beside(runs_folder(home)):
        assert not live.exists()


@pytest.mark.usefixtures("quick")
def test_a_folder_that_is_no_run_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("four years", encoding="utf-8")
    (tmp_path / "summary.json").write_text("{}", encoding="utf-8")
    for folder in (tmp_path, tmp_path / "thesis.txt"):
        with pytest.raises(UsageError, match=r"no part of a run|not a folder"):
            write(folder)
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    with pytest.raises(UsageError, match="not a folder"):
        refuse_foreign(link)
    assert (tmp_path / "thesis.txt").read_text("utf-8") == "four years"
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty")
    assert {one.name for one in (tmp_path / "empty").iterdir()} == set(FILES)


@pytest.mark.usefixtures("quick")
def test_a_place_that_takes_no_folder_is_a_failed_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(RunError, match="could not be written"):
        write(tmp_path / "file" / "run")


# Finding one.


def test_runs_are_found_by_name_by_its_start_and_by_path(home: Path) -> None:
    shutil.copytree(runs_folder(home) / "one", runs_folder(home) / "one-more")
    shutil.copytree(runs_folder(home) / "one", runs_folder(home) / "other")
    assert find_run(home, "one")[0].name == "one"
    assert find_run(home, "one-")[0].name == "one-more"
    assert find_run(home, str(home / "runs/other"))[1]["run"] == "other"
    with pytest.raises(DataMissing, match="the start of 3 runs: one, one-more, other"):
        find_run(home, "o")


@pytest.mark.parametrize("name", ["", "*", "two", "../runs/two", ".", "one/"])
def test_what_is_no_run_is_not_found(home: Path, name: str) -> None:
    (runs_folder(home) / ".one.abc.run.part").mkdir()
    with pytest.raises(DataMissing, match="there is no run"):
        find_run(home, name)


def test_a_home_without_runs_has_none(tmp_path: Path) -> None:
    assert list_runs(tmp_path) == []


@pytest.mark.parametrize("text", ["", "{", "[1]", "\xff"])
def test_a_broken_summary_is_named_and_hides_no_other(home: Path, text: str) -> None:
    shutil.copytree(runs_folder(home) / "one", runs_folder(home) / "bad")
    (runs_folder(home) / "bad/summary.json").write_bytes(text.encode("latin-1"))
    bad, good = list_runs(home)
    assert (bad["run"], good["run"]) == ("bad", "one")
    assert "summary.json" in bad["problem"]
    with pytest.raises(StoreDamaged, match=r"summary\.json"):
        find_run(home, "bad")


def test_a_broken_table_is_damage(home: Path) -> None:
    folder = runs_folder(home) / "one"
    (folder / "trades.parquet").write_bytes(b"PAR1 not quite")
    (folder / "marks.parquet").unlink()
    for table in ("trades", "marks"):
        with pytest.raises(StoreDamaged, match=rf"{table}\.parquet cannot be read"):
            read_rows(folder, table)


@pytest.mark.usefixtures("quick")
def test_an_agents_journal_is_no_run_and_a_runs_own_stays_with_it(tmp_path: Path) -> None:
    agent = tmp_path / "agent"
    (agent / "journal").mkdir(parents=True)
    (agent / "anchor.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="no part of a run"):
        write(agent)
    assert sorted(one.name for one in agent.iterdir()) == ["anchor.json", "journal"]
    run = tmp_path / "run"
    write(run)
    shutil.copytree(agent / "journal", run / "journal")
    shutil.copy(agent / "anchor.json", run / "anchor.json")
    write(run)  # the same run again, without --journal
    assert (run / "journal").is_dir()
    summary = json.loads((run / "summary.json").read_text("utf-8"))
    (run / "summary.json").write_text(json.dumps(summary | {"state_hash": "another"}), encoding="utf-8")
    with pytest.raises(UsageError, match="the journal of another run"):
        write(run)
    assert (run / "journal").is_dir()
