"""`confidence journal verify`, `export`, `stats`, `retire` over small journals of a home's agents and of a run."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from msgspec import structs
from tests.journal.small import START, filled, genesis, made

from confidence_engine.cli import app
from confidence_engine.domain.event import BAR, EVENT, KIND_NAMES
from confidence_engine.domain.units import DAY_NS
from confidence_engine.journal import database, kinds
from confidence_engine.journal.log import create
from confidence_engine.journal.reader import DATABASE, SERVER, Place, Reader, place_of
from confidence_engine.journal.retire import seal
from confidence_engine.journal.verify import NOT_ANCHORED


def run(home: Path, *words: str) -> int:
    return app.main(["--home", str(home), "journal", *words])


def answer(home: Path, capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert run(home, *words, "--json") == code
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two agents and a run of a replay; not to be written to."""
    home = tmp_path_factory.mktemp("journals")
    for name in ("futures", "hybrid"):
        made(home / "agents" / name, 2, name)
    (home / "agents" / "idle").mkdir()
    made(home / "runs" / "futures-1", 1, "futures")
    (home / "runs" / "futures-1" / "summary.json").write_text('{"agent": "futures", "artefacts": 2}')
    (home / "runs" / "bare").mkdir()
    (home / "runs" / "bare" / "summary.json").write_text('{"agent": "futures", "artefacts": 2}')
    return home


@pytest.fixture
def home(kept: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(kept, tmp_path / "home"))


def place(home: Path, name: str) -> Place:
    return place_of(home / "agents" / name, name)


def test_all_agents_are_checked_unless_one_is_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(home, capsys, "verify")["journals"]
    assert [one["name"] for one in found] == ["futures", "hybrid"]
    assert all(one["sound"] and one["anchored"] == one["blocks"] == 9 for one in found)
    assert [one["name"] for one in answer(home, capsys, "verify", "--agent", "hybrid")["journals"]] == ["hybrid"]
    run_of = answer(home, capsys, "verify", "--run", "futures-1")["journals"]
    assert [one["blocks"] for one in run_of] == [5]
    assert run(home, "verify") == 0
    assert capsys.readouterr().out.count("sound") == 2


def test_what_is_of_a_simulated_world_is_said_to_be(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, synthetic in (("made", True), ("real", False)):
        first = structs.replace(genesis(name), synthetic=synthetic)
        began = create(place(tmp_path, name), first, [(kinds.PARAMS, {"hash": "abc"})], clock=lambda: START, reserve=0)
        began.close()
    found = answer(tmp_path, capsys, "verify")["journals"]
    assert [(one["name"], one["synthetic"]) for one in found] == [("made", True), ("real", False)]
    assert run(tmp_path, "verify") == 0
    lines = capsys.readouterr().out.splitlines()
    assert ["SYNTHETIC" in one for one in lines if "sound" in one] == [True, False]
    rows = place(home, "hybrid")
    with closing(sqlite3.connect(rows.folder / DATABASE)) as c:
        c.execute("UPDATE record SET payload = x'7b'")
        c.commit()
    bad = answer(home, capsys, "verify", "--agent", "hybrid", code=1)["journals"][0]
    assert (bad["sound"], bad["synthetic"]) == (False, None)


def test_a_fault_ends_in_1_and_is_told_with_its_place(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    segment = sorted(place(home, "hybrid").segments.glob("*.seg"))[1]
    data = bytearray(segment.read_bytes())
    data[100] ^= 1
    segment.write_bytes(data)
    good, bad = answer(home, capsys, "verify", code=1)["journals"]
    assert good["sound"]
    (fault,) = bad["faults"]
    assert (fault["what"], fault["block"], fault["segment"]) == ("changed", 5, segment.name)
    assert run(home, "verify") == 1
    out = capsys.readouterr().out
    assert "1 fault " in out
    assert f"block 5, segment {segment.name}" in out
    assert run(home, "verify", "--agent", "futures") == 0


def test_without_an_anchor_it_is_sound_and_a_warning_says_what_that_is_worth(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place(home, "futures").anchor.unlink()
    assert run(home, "verify", "--agent", "futures") == 0
    out = capsys.readouterr()
    assert NOT_ANCHORED in out.err
    assert NOT_ANCHORED not in out.out


def test_an_anchor_that_is_gone_is_set_anew_by_hand_with_the_reason(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, why = place(home, "futures"), ("--agent", "futures", "--reason", "a restored backup had none")
    assert run(home, "anchor", *why) == 2  # it is there
    mine.anchor.unlink()
    assert run(home, "anchor", "--agent", "futures") == 2
    told = answer(home, capsys, "anchor", *why)
    (found,) = answer(home, capsys, "verify", "--agent", "futures")["journals"]
    assert (found["anchored"], found["head"]) == (found["blocks"], told["head"])
    *_, last = Reader(mine).records()
    said = json.loads(last.payload or b"")
    assert (last.kind, said["command"], said["reason"]) == (kinds.COMMAND, "anchor", "a restored backup had none")
    assert said["operator"]


def test_a_journal_at_fault_is_not_anchored(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = place(home, "futures")
    mine.anchor.unlink()
    first = min(mine.segments.glob("*.seg"))
    first.write_bytes(first.read_bytes()[:-1] + b"?")
    assert run(home, "anchor", "--agent", "futures", "--reason", "none") == 3
    assert not mine.anchor.exists()
    assert "a journal at fault is not anchored" in capsys.readouterr().err
    with closing(sqlite3.connect(mine.folder / DATABASE)) as c, c:
        c.execute("update record set ts_ns = ts_ns + 1 where id = 1")
    assert run(home, "anchor", "--agent", "futures", "--reason", "none") == 3
    assert not mine.anchor.exists()


def test_a_server_that_is_silent_is_no_fault_and_hides_no_other(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nobody = "postgresql://postgres@127.0.0.1:9/nobody"
    mine = place(home, "futures")
    (mine.folder / DATABASE).unlink()
    (mine.folder / SERVER).write_text(f"{nobody}\n")
    found = answer(home, capsys, "verify", code=1)
    assert [one["name"] for one in found["journals"] if one["sound"]] == ["hybrid"]
    (other,) = found["unchecked"]
    assert other["name"] == "futures"
    assert "the server of its rows does not answer" in other["why"]
    assert run(home, "verify", "--agent", "futures") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "not checked" in err
    assert "refused" in err
    for words in (("stats", "--agent", "futures"), ("export", "--agent", "futures", "--out", str(home / "out"))):
        assert run(home, *words) == 1
    assert app.main(["--home", str(home), "why", "futures:1"]) == 1
    told = ["--home", str(home), "--database", "postgresql://postgres@127.0.0.1:9/other", "journal", "verify"]
    assert app.main(told) == 2
    assert f"the rows of this journal are in {nobody}, not in" in capsys.readouterr().err


def locked(mine: Place) -> sqlite3.Connection:
    """A program that has the rows for itself until its connection is closed."""
    other = sqlite3.connect(mine.folder / DATABASE)
    other.execute("pragma locking_mode = exclusive")
    other.execute("update block set events = events where number = 0")
    other.commit()
    return other


def test_rows_that_are_locked_are_no_fault_and_hide_no_other(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_S", 0.1)
    with closing(locked(place(home, "futures"))):
        found = answer(home, capsys, "verify", code=1)
        (seen,) = answer(home, capsys, "stats", code=1)["journals"]
        assert run(home, "export", "--agent", "futures", "--out", str(home / "out")) == 1
    assert [one["name"] for one in found["journals"] if one["sound"]] == ["hybrid"]
    assert found["unchecked"][0]["why"].endswith("its rows are locked by another program")
    assert seen["name"] == "hybrid"


def test_an_agent_that_may_not_be_read_hides_no_other(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests may read everything, so a folder stands where the anchor is, and a call fails as it would."""
    mine = place(home, "futures")
    mine.anchor.unlink()
    mine.anchor.mkdir()
    found = answer(home, capsys, "verify", code=1)
    assert [one["name"] for one in found["journals"] if one["sound"]] == ["hybrid"]
    assert [(one["name"], one["why"]) for one in found["unchecked"]] == [("futures", f"{mine.anchor}: Is a directory")]
    found = answer(home, capsys, "stats", code=1)
    assert [one["name"] for one in found["journals"]] == ["hybrid"]
    assert [one["name"] for one in found["unread"]] == ["futures"]
    real = Path.stat

    def stat(path: Path, **options: Any) -> Any:
        if path.parent == home / "agents/futures":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, **options)

    monkeypatch.setattr(Path, "stat", stat)
    for words in ("verify", "stats"):
        (seen,) = answer(home, capsys, words, code=1)["journals"]
        assert seen["name"] == "hybrid"


def test_stats_of_a_damaged_journal_are_noted_and_hide_no_other(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(place(home, "futures").folder / DATABASE)) as c, c:
        c.execute("update block set events = 'abc' where number = 3")
    found = answer(home, capsys, "stats", code=3)
    assert [one["name"] for one in found["journals"]] == ["hybrid"]
    assert "row of block 3: events: of another type" in found["unread"][0]["why"]
    (place(home, "hybrid").anchor).unlink()
    (place(home, "hybrid").anchor).mkdir()
    assert run(home, "stats") == 3  # the worst
    err = capsys.readouterr().err
    assert "Is a directory" in err
    assert "row of block 3" in err
    assert run(home, "stats", "--agent", "hybrid") == 1


@pytest.mark.parametrize("value", ["abc", 0.5, b"\xff", -(1 << 63), -1, (1 << 63) - 1])
@pytest.mark.parametrize("column", ["number", "first_event", "events", "position", "first_record", "segment"])
def test_a_row_of_nonsense_ends_no_command_in_a_traceback(column: str, value: Any, home: Path) -> None:
    with closing(sqlite3.connect(place(home, "futures").folder / DATABASE)) as c, c:
        c.execute(f"update block set {column} = ? where number = (select max(number) from block)", (value,))
    assert run(home, "verify", "--agent", "futures") == 1
    assert run(home, "stats", "--agent", "futures") in (0, 3)
    assert run(home, "export", "--agent", "futures", "--out", str(home / "out")) in (0, 3)
    assert run(home, "retire", "--agent", "futures", "--before", "2030-01-01") == 3


@pytest.mark.parametrize("reason", ["", "  ", "\n"])
def test_an_anchor_is_not_set_without_a_reason(reason: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = place(home, "futures")
    mine.anchor.unlink()
    assert run(home, "anchor", "--agent", "futures", "--reason", reason) == 2
    assert "--reason" in capsys.readouterr().err
    assert not mine.anchor.exists()


@pytest.mark.parametrize("unknown", [KeyError("uid not found: 12345"), OSError("no passwd entry")])
def test_a_runs_journal_is_anchored_by_somebody_without_a_name(
    unknown: Exception, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> str:
        raise unknown

    monkeypatch.setattr(getpass, "getuser", nobody)
    mine = place_of(home / "runs/futures-1", "futures")
    mine.anchor.write_text("{")
    words = ("--run", "futures-1", "--reason", "it was cut")
    assert run(home, "anchor", *words) == 3
    assert "remove it and see `confidence journal anchor`" in capsys.readouterr().err
    mine.anchor.unlink()
    told = answer(home, capsys, "anchor", *words)
    *_, last = Reader(mine).records()
    assert json.loads(last.payload or b"")["operator"] == f"uid {os.getuid()}"
    assert told["blocks"] == Reader(mine).last().number + 1


def test_a_journal_that_was_taken_away_is_missed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(place(home, "futures").folder)
    found = answer(home, capsys, "verify", code=1)["journals"]
    assert [fault["what"] for fault in found[0]["faults"]] == ["missing"]


def test_what_is_not_there_is_refused(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "verify") == 3
    assert run(home, "verify", "--agent", "idle") == 3
    assert run(home, "verify", "--run", "bare") == 3
    assert run(home, "verify", "--run", "futures-1", "--agent", "futures") == 2
    assert run(home, "export", "--out", str(tmp_path / "out")) == 2
    err = capsys.readouterr().err
    assert "--agent futures, --agent hybrid" in err
    assert not (tmp_path / "out").exists()


def test_an_export_holds_every_event_and_record(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    told = answer(home, capsys, "export", "--agent", "futures", "--out", str(out))
    reader = Reader(place(home, "futures"))
    events = np.concatenate(list(reader.events()))
    assert told["events"] == {"BAR": 96, "TIMER": 48}
    bars = pl.read_parquet(out / "events" / "BAR.parquet")
    wanted = events[events["kind"] == BAR]
    assert bars.columns[-5:] == ["open", "high", "low", "close", "volume"]
    assert bars["sequence"].to_list() == np.flatnonzero(events["kind"] == BAR).tolist()
    assert set(bars["kind"]) == {KIND_NAMES[BAR]}
    for column, name in (("open", "x0"), ("volume", "x4"), ("ts_known", "ts_known"), ("asset", "asset")):
        assert bars[column].to_list() == wanted[name].tolist()
    assert pl.read_parquet(out / "events" / "TIMER.parquet")["asset"].null_count() == 48
    rows = reader.rows(kinds.DECISION)
    decisions = pl.read_parquet(out / "records" / "decision.parquet")
    for column in rows.dtype.names or ():
        assert decisions[column].to_numpy().tobytes() == rows[column].tobytes()
    assert set(decisions["symbol"]) == {"BTC/USDT", "ETH/USDT"}
    lines = [json.loads(line) for line in (out / "records" / "document.jsonl").read_text().splitlines()]
    documents = list(reader.records(kinds.DOCUMENT))
    assert [(line["record"], line["event"]) for line in lines] == [(one.id, one.event) for one in documents]
    assert [line["payload"] for line in lines] == [json.loads(one.payload or b"") for one in documents]
    assert json.loads((out / "export.json").read_text())["head"] == reader.last().hash.hex()
    assert sum(told["records"].values()) == reader.last().end_record


def test_an_export_is_whole_or_not_at_all(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "deep" / "out"
    segment = sorted(place(home, "futures").segments.glob("*.seg"))[1]
    segment.write_bytes(segment.read_bytes()[:-1])
    assert run(home, "export", "--agent", "futures", "--out", str(out)) == 3
    assert list(out.parent.iterdir()) == []
    out.mkdir()
    assert run(home, "export", "--agent", "hybrid", "--out", str(out)) == 0
    assert run(home, "export", "--agent", "hybrid", "--out", str(out)) == 2
    assert "not empty" in capsys.readouterr().err


def test_stats_count_what_is_there(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (one,) = answer(home, capsys, "stats", "--agent", "futures")["journals"]
    assert one["events_by_kind"] == {"BAR": 96, "TIMER": 48}
    assert (one["blocks"], one["events"]) == (9, 144)
    assert sum(one["records_by_kind"].values()) == one["records"]
    assert one["segment_bytes"] == 144 * EVENT.itemsize + 2 * 64
    assert one["bytes_a_day"] > one["row_bytes"] / 2
    assert (one["first"][:10], one["last"][:10]) == ("2026-03-01", "2026-03-02")
    assert one["anchor"]["behind"] == 0
    assert (one["retired_events"], one["missing_events"]) == (0, 0)
    min(place(home, "futures").segments.glob("*.seg")).unlink()
    (one,) = answer(home, capsys, "stats", "--agent", "futures")["journals"]
    assert (one["retired_events"], one["missing_events"]) == (0, 72)
    assert run(home, "stats") == 0
    out = capsys.readouterr().out
    assert "BAR 96, TIMER 48" in out


def test_old_days_are_let_go_and_the_rest_is_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = filled(place_of(tmp_path / "agents" / "futures", "futures"), 40, 6)
    journal.close()
    before = ("--before", "2027-01-01")
    assert answer(tmp_path, capsys, "retire", *before) == {"retired": None}
    from confidence_engine.journal.log import reopen

    journal = reopen(place(tmp_path, "futures"), reserve=0)
    seal(journal, b"state", {})
    assert run(tmp_path, "retire", *before) == 1  # somebody writes it
    journal.close()
    told = answer(tmp_path, capsys, "retire", *before)["retired"]
    assert len(told["segments"]) == 9
    assert told["segments"][0] == "20260301.seg"
    assert told["records"] > 0
    assert run(tmp_path, "verify") == 0
    (one,) = answer(tmp_path, capsys, "stats")["journals"]
    assert one["retired_events"] == 9 * 18
    assert one["retired_records"] == told["records"]
    told = answer(tmp_path, capsys, "export", "--out", str(tmp_path / "out"))
    assert told["retired_events"] == 9 * 18
    first = pl.read_parquet(tmp_path / "out" / "events" / "BAR.parquet")["ts_known"][0]
    assert first == START + 9 * DAY_NS + 1


def test_a_journal_at_fault_or_not_anchored_is_not_thinned(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (name, *_) = sorted(one.name for one in (home / "agents").iterdir())
    folder = home / "agents" / name
    anchor = (folder / "anchor.json").read_bytes()
    before = {path: path.read_bytes() for path in sorted((folder / "journal/segments").iterdir())}
    (folder / "anchor.json").unlink()
    assert run(home, "retire", "--agent", name, "--before", "2030-01-01") == 3
    err = capsys.readouterr().err
    assert "its end is not anchored" in err
    assert "see `confidence journal anchor`" in err
    assert not (folder / "anchor.json").exists()
    (folder / "anchor.json").write_bytes(anchor)
    first = next(iter(before))
    first.write_bytes(before[first][:-1] + bytes([before[first][-1] ^ 1]))
    assert run(home, "retire", "--agent", name, "--before", "2030-01-01") == 3
    assert "it has faults" in capsys.readouterr().err
    assert {path.name for path in (folder / "journal/segments").iterdir()} == {path.name for path in before}


def test_one_agent_that_never_began_hides_no_other(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "agents/early/journal").mkdir(parents=True)
    assert run(home, "verify") == 0
    out = capsys.readouterr()
    assert "early" in out.err
    assert "sound" in out.out


@pytest.mark.parametrize(
    "url",
    ["postgres://u:SECRET@h/x", "mysql://h/x", "garbage:SECRET", "", "postgresql://h", "postgresql://u:pa@h:SECRET@h/x",
     "postgresql://u@h/x?password=SECRET", "postgresql+asyncpg://h/x"],
)  # fmt: skip
def test_a_database_that_is_none_is_refused_and_not_repeated(
    url: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.main(["--home", str(home), "--database", url, "journal", "verify"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "postgresql://user@host/name" in err or "PGPASSWORD" in err
    assert "SECRET" not in err
