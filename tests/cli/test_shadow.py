"""`confidence shadow` of a run, of a day and of a replay; what differs is an incident on record, and exit code 1."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from tests import simulated

from confidence_engine.cli import app
from confidence_engine.domain.units import DAY_NS, parse_time
from confidence_engine.drivers import paper as drivers_paper
from confidence_engine.journal import kinds, retire
from confidence_engine.journal.reader import Place, Reader, place_of
from confidence_engine.kernel.state import state_hash


def said(capsys: pytest.CaptureFixture[str], home: Path, *words: str, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert app.main(["--home", str(home), *words, "--json"]) == code, capsys.readouterr().err
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def refused(capsys: pytest.CaptureFixture[str], home: Path, *words: str) -> str:
    capsys.readouterr()
    assert app.main(["--home", str(home), *words]) == 3
    return capsys.readouterr().err


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose agent has lived through the whole world; not to be written to."""
    home = tmp_path_factory.mktemp("lived") / "home"
    shutil.copytree(simulated.home(), home)
    words = ["paper", str(home / "config/simulated.toml"), "--start", simulated.START, "--speed", "0", "--plain"]
    assert app.main(["--home", str(home), *words, "--json"]) == 0
    return home


@pytest.fixture
def home(lived: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(lived, tmp_path / "home")


def place(home: Path) -> Place:
    return place_of(home / "agents" / "simulated", "simulated")


def known_on(home: Path, day: str) -> int:
    """Events that were known on a day, counted one by one."""
    reader, begin = Reader(place(home)), parse_time(day)
    known = np.concatenate(list(reader.events()))["ts_known"]
    reader.close()
    return int(((known >= begin) & (known < begin + DAY_NS)).sum())


def test_a_day_is_stepped_again_and_only_its_events_are_told(lived: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for day, deep in (("2025-01-09", ["--deep"]), ("2025-01-22", [])):
        told = said(capsys, lived, "shadow", "--day", day, *deep)["shadows"][0]
        assert told["equal"]
        assert told["events"] == known_on(lived, day) > 1000
        assert told["passed_over"] == 0
    assert "nothing was known on 2025-03-01" in refused(capsys, lived, "shadow", "--day", "2025-03-01")


def test_after_a_retirement_what_is_left_is_compared_and_the_rest_is_said(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(retire, "RETENTION_NS", 4 * DAY_NS)
    said(capsys, home, "journal", "retire", "--agent", "simulated", "--before", "2025-01-12")
    told = said(capsys, home, "shadow")["shadows"][0]
    assert told["equal"]
    assert told["passed_over"] == told["first_event"] > 0
    assert app.main(["--home", str(home), "shadow"]) == 0
    assert f"NOT compared are {told['passed_over']:,} events" in capsys.readouterr().out
    assert "what was known on 2025-01-09 is retired" in refused(capsys, home, "shadow", "--day", "2025-01-09")
    assert "no sealed state is left" in refused(capsys, home, "shadow", "--day", "2025-01-13")


def test_a_replay_that_kept_its_journal_is_stepped_again(
    lived: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    home = shutil.copytree(simulated.home(), tmp_path / "home")
    period = ["--start", simulated.START, "--end", simulated.END]
    made = said(capsys, home, "replay", str(home / "config/simulated.toml"), *period, "--journal")
    told = said(capsys, home, "shadow", "--run", Path(made["folder"]).name)["shadows"][0]
    assert told["equal"]
    assert told["state_hash"] == state_hash(simulated.played().result.state)
    some = said(capsys, home, "shadow", "--run", Path(made["folder"]).name, "--day", "2025-01-20")["shadows"][0]
    assert some["events"] == known_on(lived, "2025-01-20")
    assert app.main(["--home", str(home), "shadow", "--run", "x", "--agent", "y"]) == 2


def changed(there: Place) -> None:
    """A bit of one decision."""
    engine = sa.create_engine(f"sqlite:///{there.folder}/journal.db")
    with engine.begin() as c:
        rows = c.execute(sa.text("SELECT id, body FROM record WHERE kind = 20 ORDER BY id")).all()
        at, body = rows[len(rows) // 2]
        told = {"b": body[:-1] + bytes([body[-1] ^ 1]), "i": at}
        c.execute(sa.text("UPDATE record SET body = :b WHERE id = :i"), told)
    engine.dispose()


def test_a_journal_that_was_changed_is_found(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed(place(home))
    told = said(capsys, home, "shadow", code=1)
    assert not told["equal"]
    assert told["shadows"][0]["difference"]["what"] == "a decision differs"
    assert app.main(["--home", str(home), "shadow"]) == 1
    assert "DIFFERENT at event" in capsys.readouterr().out


def test_a_run_that_is_not_its_own_shadow_ends_with_an_incident_and_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    home, real = shutil.copytree(simulated.home(), tmp_path / "home"), drivers_paper.run

    def run(*given: Any, **named: Any) -> str:
        """As ever; then somebody changes what it wrote."""
        why = real(*given, **named)
        changed(place(home))
        return why

    monkeypatch.setattr(drivers_paper, "run", run)
    words = ["paper", str(home / "config/simulated.toml"), "--start", simulated.START, "--end", "2025-01-10"]
    told = said(capsys, home, *words, "--speed", "0", "--plain", code=1)
    assert not told["shadow"]["equal"]
    reader = Reader(place(home))
    incidents = [json.loads(one.payload or b"{}") for one in reader.records(kinds.INCIDENT)]
    reader.close()
    assert len(incidents) == 1
    assert incidents[0]["what"] == "shadow"
    assert "a decision differs" in incidents[0]["difference"]
    assert "changed" in incidents[0]["cause"]
    engine = sa.create_engine(f"sqlite:///{home}/enhanced_trading.db")
    with engine.connect() as c:
        query = "SELECT severity, description, action_taken FROM risk_events WHERE event_type = 'INCIDENT'"
        rows = c.execute(sa.text(query)).all()
    engine.dispose()
    assert len(rows) == 1
    assert rows[0][0] == "critical"
    assert "a decision differs" in rows[0][1]
    assert "ended with 1" in rows[0][2]
