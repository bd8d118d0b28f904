"""The command line as processes see it: help without imports, one JSON object, exit codes that mean something."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from confidence_engine import wire
from confidence_engine.cli import app as cli
from confidence_engine.cli import show
from confidence_engine.domain import errors
from confidence_engine.wire import COMMANDS, GROUPS, READERS, Row, resolve

HEAVY = ("numpy", "numba", "llvmlite", "polars", "pyarrow", "matplotlib", "msgspec", "rich")


def process(*arguments: str, **how: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "confidence_engine", *arguments], capture_output=True, text=True, timeout=120, **how
    )


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a command into the table for one test."""

    def planted(name: str, function: Any) -> None:
        module = types.ModuleType("planted")
        module.run = function  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "planted", module)
        monkeypatch.setitem(wire.COMMANDS, name, Row("planted:run", "Planted."))

    return planted


# Help.


def test_help_lists_every_command_and_imports_no_heavy_library() -> None:
    script = (
        "import sys\n"
        "from confidence_engine.cli.app import main\n"
        "code = main(['--help'])\n"
        f"print('HEAVY', [m for m in {HEAVY!r} if m in sys.modules])\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "HEAVY []" in done.stdout
    words = " ".join(done.stdout.split())
    for name, row in COMMANDS.items():
        assert f"{name} {row.line}" in words


def test_a_group_lists_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["import", "--help"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ("bars", "news", "funding", "scores"))
    assert "replay" not in out


def test_the_table_is_whole() -> None:
    groups = {name.split()[0] for name in COMMANDS if " " in name}
    assert groups == set(GROUPS)
    assert not groups & set(COMMANDS)
    assert all(row.line.endswith(".") and len(row.line) < 90 for row in COMMANDS.values())


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_exists_and_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*name.split(), "--help"]) == 0
    assert "--json" in capsys.readouterr().out


@pytest.mark.parametrize("name", list(READERS))
def test_every_reader_exists(name: str) -> None:
    assert callable(resolve(READERS[name]))


# Exit codes.


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfidenceError, 1),
        (errors.RunError, 1),
        (errors.KernelHalted, 1),
        (errors.UsageError, 2),
        (errors.ConfigError, 2),
        (errors.DataError, 3),
        (errors.DataMissing, 3),
        (errors.DataRefused, 3),
        (errors.StoreDamaged, 3),
    ],
)
def test_an_error_ends_with_its_classs_code_and_one_line(
    error: type[errors.ConfidenceError], code: int, plant: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> None:
        raise error("the reason")

    plant("boom", run)
    assert cli.main(["boom"]) == code
    assert capsys.readouterr() == ("", "error: the reason\n")


def test_fail_says_it_and_ends_with_the_code(plant: Any, capsys: pytest.CaptureFixture[str]) -> None:
    plant("boom", lambda: show.fail(errors.DataMissing("no bars")))
    assert cli.main(["boom"]) == 3
    assert capsys.readouterr() == ("", "error: no bars\n")


def test_the_machines_errors_are_one_line_too(plant: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device", "/data/x.parquet")

    plant("full", full)
    assert cli.main(["full"]) == 1
    assert capsys.readouterr().err == "error: No space left on device: /data/x.parquet\n"


def test_ctrl_c_is_130(plant: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def stopped() -> None:
        raise KeyboardInterrupt

    plant("stop", stopped)
    assert cli.main(["stop"]) == 130
    assert capsys.readouterr() == ("", "stopped\n")


def test_a_fault_of_ours_is_not_hidden(plant: Any) -> None:
    plant("bug", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["bug"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["replya"], "did you mean replay"),
        (["import", "bras"], "did you mean bars"),
        (["import"], "bars"),
        ([], "Commands:"),
        (["--home", "x"], "Commands:"),
        (["--hom", "x"], "--home"),
        (["config", "show"], "FILE"),
        (["config", "show", "none.toml"], "error: none.toml: there is no such config file"),
    ],
)
def test_a_wrong_command_line_is_2(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words.casefold() in err.casefold()


def test_the_help_names_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    for code in ("0 good", "1 the run failed", "2 bad usage", "3 data missing", "130 Ctrl-C"):
        assert code in words


def test_without_a_command_there_is_help_and_no_complaint(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "Missing command" not in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("confidence 0.")


def test_a_reader_that_goes_away_is_no_error() -> None:
    done = subprocess.run(
        f'{sys.executable} -m confidence_engine --help | true; echo "${{PIPESTATUS[0]}}" >&2',
        shell=True, executable="/bin/bash", capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stderr == "0\n"


# The home.


def test_the_home_reaches_a_command_in_a_group(plant: Any, tmp_path: Path) -> None:
    seen: list[Path] = []

    def run(ctx: typer.Context) -> None:
        seen.append(show.home(ctx))

    plant("import planted", run)
    assert cli.main(["--home", str(tmp_path), "import", "planted"]) == 0
    assert seen == [tmp_path]


def test_without_a_home_it_is_the_users_data_folder(
    plant: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[Path] = []

    def run(ctx: typer.Context) -> None:
        seen.append(show.home(ctx))

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    plant("where", run)
    assert cli.main(["where"]) == 0
    assert seen[0].name == "confidence-engine"


# What is shown.


def test_json_is_one_object_with_null_for_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    payload = {
        "nan": math.nan, "inf": -math.inf, "f8": np.float64(0.5), "f8nan": np.float64("nan"), "f4": np.float32(0.5),
        "i8": np.int64(7), "flag": np.bool_(True), "list": np.array([1.0, math.nan]), "path": Path("a") / "b",
        "none": None, "nested": {"x": [math.nan, 1]},
    }  # fmt: skip
    show.emit(True, payload, lambda: pytest.fail("a table was drawn"))
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("\n") == 1
    assert json.loads(out) == {
        "nan": None, "inf": None, "f8": 0.5, "f8nan": None, "f4": 0.5, "i8": 7, "flag": True, "list": [1.0, None],
        "path": "a/b", "none": None, "nested": {"x": [None, 1]},
    }  # fmt: skip


def test_what_json_cannot_hold_is_a_fault() -> None:
    with pytest.raises(TypeError, match="object cannot stand"):
        show.to_json({"x": object()})


def test_a_table_shows_every_cell_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("[bold]BTC[/bold]", 1.5, None), ("x" * 60, 22, "ok")]
    show.emit(False, {}, lambda: show.grid(("name", "number", "note"), rows, title="a title"))
    out, err = capsys.readouterr()
    assert err == ""
    for part in ("a title", "name", "number", "[bold]BTC[/bold]", "x" * 60, "1.5", "22", "-"):
        assert part in out


def test_words_are_words_whatever_brackets_and_colons_stand_in_them(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Group
    from rich.text import Text

    lines = ["LEAK  trained-until: [text] min_certainty", "no tag [/b] to close", "at :bug: 12:30"]
    heads = ("[kernel.gates] waived", "[/red]")
    show.emit(False, {}, lambda: Group(*lines, Text("styled", "bold"), show.grid(heads, [(1, 2)], title="[sim] of")))
    out = capsys.readouterr().out
    for part in (*lines, *heads, "styled", "[sim] of"):
        assert part in out


def test_progress_and_notes_stay_off_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    show.note("a line")
    with show.progress() as bar:
        bar.advance(bar.add_task("reading [text]", total=2), 2)
    out, err = capsys.readouterr()
    assert out == ""
    assert "a line" in err
    assert "reading [text]" in err


def test_config_show_is_the_resolved_tree(project_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = str(project_root / "config" / "futures.toml")
    monkeypatch.setenv("BINANCE_API_KEY", "hunter2")
    done = process("config", "show", file, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    shown = json.loads(done.stdout)
    assert shown["agent"]["name"] == "futures"
    assert shown["agent"]["interval"] == "5m"
    assert shown["secrets"]["BINANCE_API_KEY"] == "set"
    assert len(shown["hash"]) == 16
    table = process("config", "show", file)
    assert (table.returncode, table.stderr) == (0, "")
    assert shown["hash"] in table.stdout
    assert "bar_latency" in table.stdout
    assert "hunter2" not in done.stdout + table.stdout
