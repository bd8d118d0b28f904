"""An operator and an agent that is another process: what is told reaches it, holds, and outlives it."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from confidence_engine.cli import app
from confidence_engine.domain.jit import jit_enabled
from confidence_engine.drivers.agent import go_on, start
from confidence_engine.drivers.inbox import INBOX, REFUSED, Inbox
from confidence_engine.feeds.delivery import Moment
from confidence_engine.journal import kinds
from confidence_engine.journal.reader import Reader, place_of
from tests.drivers import paired
from tests.e2e.test_killed import WORLD, command

pytestmark = pytest.mark.skipif(not jit_enabled(), reason="real processes, compiled")

PATIENCE_S = 60.0
SLOW = "20000"
"""So many times as fast as the clock: the fourteen decided days take a minute."""


class Running:
    """A paper run in a process of its own."""

    def __init__(self, home: Path, world: Path) -> None:
        self.home = home
        words = ["paper", "--world", str(world), "--seed", "5", "--plain", "--speed", SLOW]
        self.words = command(home, *words, "--json")
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Until it says that it runs and decides."""
        self.process = subprocess.Popen(self.words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and self.process.poll() is None:
            if app.main(["--home", str(self.home), "status", "--json"]) == 0 and self._decides():
                return
            time.sleep(0.2)
        raise AssertionError("it does not run")

    def _decides(self) -> bool:
        path = self.home / "agents" / "simulated" / "status.json"
        assert self.process is not None
        return path.is_file() and json.loads(path.read_text())["pid"] == self.process.pid

    def end(self) -> dict[str, Any]:
        """SIGTERM; what it says of itself, and that it ended well."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 0
        found: dict[str, Any] = json.loads(out)
        return found


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    world = tmp_path / "small.toml"
    world.write_text(WORLD, encoding="utf-8")
    one = Running(tmp_path / "home", world)
    yield one
    if one.process is not None and one.process.poll() is None:
        one.process.kill()
        one.process.wait()


def told(capsys: pytest.CaptureFixture[str], home: Path, *words: str, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert app.main(["--home", str(home), *words, "--json"]) == code
    found = json.loads(capsys.readouterr().out)["agents"]
    assert len(found) == 1
    return dict(found[0])


def test_what_an_operator_says_reaches_the_agent_and_outlives_it(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    home = running.home
    running.start()
    assert told(capsys, home, "halt", "--reason", "a test", "--operator", "me")["outcome"] == "obeyed"
    second = subprocess.run(running.words, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert second.returncode == 1
    assert second.stdout == ""
    assert "writes this journal" in second.stderr
    time.sleep(1.2)  # it says once a second how it is
    found = told(capsys, home, "status")
    assert found["state"] == "running"
    assert found["status"]["halted"] == ["operator"]
    ended = running.end()
    assert ended["ended"] == "SIGTERM"
    assert ended["shadow"]["equal"]

    assert told(capsys, home, "status")["state"] == "stopped"
    assert told(capsys, home, "limit", "500", "--reason", "while it sleeps")["outcome"].startswith("waits")
    (home / "agents" / "simulated" / INBOX / "00-x.json").write_text("{")
    assert told(capsys, home, "status")["commands_waiting"] == 2
    running.start()
    time.sleep(1.2)
    found = told(capsys, home, "status")
    assert found["status"]["halted"] == ["operator"], "a halt holds until a human lifts it"
    assert found["commands_waiting"] == 0
    assert found["commands_refused"] == 1
    assert (home / "agents" / "simulated" / INBOX / REFUSED / "00-x.json.txt").is_file()
    assert told(capsys, home, "resume", "--reason", "all is well")["outcome"] == "obeyed"
    assert told(capsys, home, "flatten", "--reason", "enough")["outcome"] == "obeyed"
    ended = running.end()
    assert ended["shadow"]["equal"]

    reader = Reader(place_of(home / "agents" / "simulated", "simulated"))
    said = [json.loads(one.payload or b"{}") for one in reader.records(kinds.COMMAND)]
    reader.close()
    told_by_people = [(one["command"], one["operator"]) for one in said if one["operator"] != "the program"]
    assert told_by_people[0] == ("halt", "me")
    assert [name for name, _ in told_by_people] == ["halt", "limit", "resume", "flatten"]


def test_a_command_wants_a_reason_and_somebody_to_hear_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["--home", str(tmp_path), "halt"]) == 2
    assert app.main(["--home", str(tmp_path), "halt", "--reason", " "]) == 2
    assert "wants a reason" in capsys.readouterr().err
    assert app.main(["--home", str(tmp_path), "halt", "--reason", "x"]) == 3
    assert "has no agents" in capsys.readouterr().err
    assert app.main(["--home", str(tmp_path), "status", "--agent", "nobody"]) == 3
    assert "no agent 'nobody'" in capsys.readouterr().err
    assert app.main(["--home", str(tmp_path), "status"]) == 0
    assert "no agents yet" in capsys.readouterr().out


def test_a_limit_is_the_accounts_and_can_be_lifted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("futures", "hybrid"):
        start(place_of(tmp_path / "agents" / name, name), paired.cast(), clock=lambda: 1, reserve=0).journal.abandon()
    home = ["--home", str(tmp_path)]
    assert app.main([*home, "limit", "1000", "--reason", "both", "--json"]) == 0
    assert [one["value"] for one in json.loads(capsys.readouterr().out)["agents"]] == [500.0, 500.0]
    assert told(capsys, tmp_path, "limit", "300", "--reason", "one", "--agent", "hybrid")["value"] == 300.0
    assert told(capsys, tmp_path, "limit", "--lift", "--reason", "one", "--agent", "hybrid")["value"] is None
    for words in (["inf"], ["nan"], [], ["5", "--lift"]):
        assert app.main([*home, "limit", *words, "--reason", "x"]) == 2
    agent = go_on(place_of(tmp_path / "agents/hybrid", "hybrid"), paired.cast(), clock=lambda: 1, reserve=0)
    limits = []
    for one in Inbox(agent.journal.place).waiting():
        agent.take([Moment(paired.WINDOW.load_ns, (), (one,))])
        limits.append(float(agent.state.head[0].gross_limit))
    assert limits[:2] == [500.0, 300.0]
    assert math.isnan(limits[2])
    agent.journal.abandon()
