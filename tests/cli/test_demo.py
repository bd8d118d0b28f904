"""`confidence demo`: two agents on paper in a simulated world, one killed, all proved; one run serves all tests."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.simulated import fill

from confidence_engine.cli import app, demo_page
from confidence_engine.cli import demo as command
from confidence_engine.cli.demo_page import REPORT
from confidence_engine.cli.show import emit
from confidence_engine.domain.errors import DataMissing
from confidence_engine.domain.units import MINUTE_NS, parse_time
from confidence_engine.feeds.store import Store
from confidence_engine.journal import kinds
from confidence_engine.journal.anchor import read_anchor
from confidence_engine.journal.reader import Reader, place_of

WORLD = """
inherits = "{below}"
[world]
assets = 2
days = 8
warmup = "3d"
[events]
events_a_day = 3.0
"""
BELOW = Path(command.__file__).parents[1] / "config/worlds/demo.toml"


class Shown:
    """The home of a small demonstration that ended now, and what it said."""

    def __init__(self, folder: Path) -> None:
        self.home, world = folder / "home", folder / "small.toml"
        world.write_text(WORLD.format(below=BELOW), "utf-8")
        self.began_ns, out, err = time.time_ns(), io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = app.main(["--home", str(self.home), "demo", "--world", str(world), "--json"])
        self.err = err.getvalue()
        assert code == 0, self.err
        assert out.getvalue().count("\n") == 1
        self.told: dict[str, Any] = json.loads(out.getvalue())

    def reader(self, name: str) -> Reader:
        return Reader(place_of(self.home / "agents" / name, name))


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "LIVE_S", 4.0)
        patch.setattr(command, "FURTHER", 0)
        yield Shown(tmp_path_factory.mktemp("demo"))


def test_it_is_said_to_be_simulated_everywhere(shown: Shown) -> None:
    assert shown.err.startswith("SIMULATED")
    assert shown.told["simulated"] is True
    for name in command.AGENTS:
        assert shown.told["agents"][name]["synthetic"] is True
        assert shown.reader(name).genesis().synthetic


def test_each_agent_is_proved_by_hash(shown: Shown) -> None:
    hashes = set()
    for name in command.AGENTS:
        one, decisions = shown.told["agents"][name], shown.reader(name).rows(kinds.DECISION)
        assert one["shadow"]["equal"] is True
        assert one["decisions"] == len(decisions) > 0
        assert one["entries"] == int((decisions["gates"] == 0).sum())
        assert read_anchor(shown.home / "agents" / name / "anchor.json") is not None
        hashes.add(one["shadow"]["state_hash"])
    assert len(hashes) == 2
    assert shown.told["failed"] == []


def test_a_plain_replay_makes_the_same_decisions(shown: Shown) -> None:
    found, futures = shown.told["replay"], shown.told["agents"]["futures"]
    assert found["equal"] is True
    assert found["decisions_hash"] == futures["shadow"]["decisions_hash"]
    assert found["net_usd"] == pytest.approx(futures["net_usd"], abs=1e-6)


def test_one_was_killed_in_the_middle_and_went_on(shown: Shown) -> None:
    kill = shown.told["kill"]
    assert kill["done"] is True
    assert kill["pid"] != kill["again"]
    assert f"kill -9 of the futures agent, process {kill['pid']}" in kill["told"]
    assert len(list(shown.reader("futures").records(kinds.RESUMED))) == 1
    assert not list(shown.reader("hybrid").records(kinds.RESUMED))


def test_a_planted_leak_was_caught(shown: Shown) -> None:
    leak = shown.told["leak"]
    assert leak["planted"] is True
    assert leak["caught"] is True
    assert "could not be known before" in leak["told"]


def test_confidence_stands_beside_the_truth(shown: Shown) -> None:
    truth, null = shown.told["truth"], shown.told["without_information"]
    assert truth["worlds"] == 1
    assert sum(row["n"] for row in truth["table"]) == truth["confidence"]["n"] == truth["oracle"]["n"]
    for row in truth["table"]:
        assert row["low"] <= row["confidence"] <= row["high"]
        assert 0.0 <= row["oracle"] <= 1.0
    assert null["oracle"] is None
    assert null["decisions_hash"] != truth["decisions_hash"]


def test_what_it_explains_stands_in_the_journal(shown: Shown, capsys: pytest.CaptureFixture[str]) -> None:
    found = shown.told["decisions"]
    assert 1 <= len(found) <= 3
    for one in found:
        assert app.main(["--home", str(shown.home), "why", one["id"], "--json"]) == 0
        why = json.loads(capsys.readouterr().out)
        assert (why["symbol"], why["action"], why["evidence"]) == (one["symbol"], one["action"], one["evidence"])
        assert [gate["why"] for gate in why["gates"]] == one["refused"]
        assert why["proof"]["anchored"] is True


def test_the_tables_hold_its_last_day(shown: Shown) -> None:
    with contextlib.closing(sqlite3.connect(shown.home / "enhanced_trading.db")) as c:
        rows = c.execute("SELECT agent_type, COUNT(*) FROM signal_logs GROUP BY agent_type").fetchall()
        lately = c.execute("SELECT COUNT(*) FROM signal_logs WHERE timestamp > datetime('now', '-1 day')").fetchone()
    assert dict(rows).keys() == {"hybrid", "futures"}
    assert lately[0] > 0


def test_spot_is_never_sold_short(shown: Shown) -> None:
    assert (shown.reader("hybrid").rows(kinds.DECISION)["held_lots"] >= 0).all()


def test_its_page_stands_alone_and_holds_the_figures(shown: Shown) -> None:
    text = (shown.home / REPORT).read_text("utf-8")
    assert shown.told["report"] == str(shown.home / REPORT)
    assert "SYNTHETIC" in text
    assert "futures, one draw each" in text
    for word in ("<script", "src=", "href=", "http:", "https:", "@import", "url("):
        assert word not in text
    for name in command.AGENTS:
        one = shown.told["agents"][name]
        assert one["shadow"]["state_hash"][:24] in text
        assert f"{one['equity']:,.2f}" in text
    assert str(shown.told["kill"]["pid"]) in text
    assert text.count("<polyline") == 2


def test_a_world_ends_now_if_nothing_else_is_said(shown: Shown) -> None:
    assert 0 <= shown.began_ns - parse_time(shown.told["world"]["end"]) < 6 * MINUTE_NS


def test_the_commands_it_ends_with_can_be_given(shown: Shown, capsys: pytest.CaptureFixture[str]) -> None:
    given = [words[words.index("--home") :] for line in shown.told["next"] if "--home" in (words := shlex.split(line))]
    assert {words[1] for words in given} == {str(shown.home)}
    assert {words[2] for words in given} >= {"why", "journal", "shadow", "status"}
    for words in given:
        if words[2] != "shadow":
            assert app.main([*words, "--json"]) == 0, words
            assert json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("found", [True, False])
def test_they_begin_with_what_starts_this_program(
    tmp_path: Path, shown: Shown, monkeypatch: pytest.MonkeyPatch, found: bool
) -> None:
    """Not with a name that no shell finds, and with paths that a shell takes for one word."""
    folder = tmp_path / "a bin"
    folder.mkdir()
    script = folder / "confidence"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder) if found else "/nowhere")
    monkeypatch.setattr("sys.argv", [str(script), "demo"])
    home = tmp_path / "it's home"
    stage = command._Stage(home, BELOW, 7, 0, None)
    lines = [shlex.split(line, comments=True) for line in demo_page._next(stage, shown.told["decisions"])]
    begins = {words[0] for words in lines if words}
    assert begins == {"confidence" if found else str(script), "sqlite3"}
    assert {words[2] for words in lines if words[1:2] == ["--home"]} == {str(home)}
    assert [words[1] for words in lines if words[:1] == ["sqlite3"]] == [f"{home}/enhanced_trading.db"]
    monkeypatch.setattr("sys.argv", [str(Path(command.__file__).parents[1] / "__main__.py")])
    assert demo_page._next(stage, [])[1].startswith(f"{shlex.quote(sys.executable)} -m confidence_engine --home ")


def test_a_command_is_one_line_however_long(shown: Shown, capsys: pytest.CaptureFixture[str]) -> None:
    long = f"confidence --home {'far/' * 60} why futures:1"
    emit(False, {}, lambda: demo_page.told_to_people(shown.told | {"next": [long], "report": "deep/" * 50}))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert {long, f"the page: {'deep/' * 50}"} <= set(lines)


def said(told: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    """The page of text, as one line."""
    emit(False, told, lambda: demo_page.told_to_people(told))
    return " ".join(capsys.readouterr().out.split())


def test_a_replay_without_the_feeds_faults_is_not_the_agent(shown: Shown, capsys: pytest.CaptureFixture[str]) -> None:
    whole, told = shown.told["replay"], shown.told | {"decisions": []}
    assert f"net P&L of futures: {whole['net_usd']:+,.2f} USD" in said(told, capsys)
    truth = SimpleNamespace(entries=5, net_usd=1.26, decisions_hash=whole["decisions_hash"])
    own: Any = SimpleNamespace(file=SimpleNamespace(faults=object()))
    replay = demo_page._replayed(truth, shown.told["agents"]["futures"]["shadow"], own)
    assert replay["equal"] is None
    text = said(told | {"replay": replay}, capsys)
    assert "net P&L of a replay of futures, without the feed's faults: +1.26 USD" in text
    assert "net P&L of futures" not in text


def test_a_world_without_decisions_is_said_to_have_none(shown: Shown, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Nothing was decided." in said(shown.told | {"decisions": []}, capsys)
    assert "Nothing was decided." not in said(shown.told, capsys)


def test_rows_do_not_outlive_the_journals_they_were_told_from(tmp_path: Path, shown: Shown) -> None:
    """What a demo that is stopped halfway leaves: no row of a decision that `why` does not find."""
    shutil.copytree(shown.home, tmp_path, dirs_exist_ok=True)
    command._make_room(command._Stage(tmp_path, BELOW, 7, 0, None))
    assert not list((tmp_path / "agents").glob("*/journal"))
    with contextlib.closing(sqlite3.connect(tmp_path / "enhanced_trading.db")) as c:
        for table in ("agents", "signal_logs", "enhanced_trades", "fills"):
            assert c.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_a_home_with_recorded_data_is_refused_untouched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(Store(tmp_path), synthetic=False)
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    assert app.main(["--home", str(tmp_path), "demo"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert "holds recorded data" in err
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before


def test_without_a_home_it_takes_one_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(stage: command._Stage) -> None:
        raise DataMissing(f"would run in {stage.folder} until {stage.end_ns}")

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(command, "_make_room", stop)
    assert app.main(["demo", "--days", "12", "--until", "2025-01-25T00:00Z"]) == 3
    folder = tmp_path / "confidence-engine/demo"
    assert f"would run in {folder} until {parse_time('2025-01-25T00:00Z')}" in capsys.readouterr().err
    assert sorted(one.name for one in (folder / "config").iterdir()) == [
        "demo.toml", "futures.toml", "hybrid.toml", "universe.toml",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [("--days", "3"), ("--days", "4000"), ("--seed", "-1"), ("--days", "x"), ("--until", "yesterday"),
     ("--until", "1970-01-02T00:00Z"), ("--world", "nowhere.toml"), ("--feed", "store"), ("--feed", "x")],
)  # fmt: skip
def test_odd_numbers_are_2(tmp_path: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["--home", str(tmp_path), "demo", *words]) == 2
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "agents").exists()
