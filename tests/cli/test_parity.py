"""`confidence parity`: a run of a home against a replay of its store, or of the world that fed it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests import simulated
from tests.drivers import paired
from tests.drivers.test_parity import planted

from confidence_engine.cli import app
from confidence_engine.domain.units import DAY_NS, HOUR_NS, format_time
from confidence_engine.drivers.epochs import epochs_of
from confidence_engine.drivers.paper import Heard, agent_of, feed_of, run
from confidence_engine.drivers.simulation import folder_of, simulate
from confidence_engine.feeds import faults
from confidence_engine.journal.reader import Reader, place_of
from confidence_engine.journal.retired import snapshots_of
from confidence_engine.text.cues import CueReader

SMALL = (
    '[world]\nassets = 2\ndays = 4\nwarmup = "2d"\n[events]\nimpact = "3%"\nevents_a_day = 3.0\n'
    '[stories]\nwording = "plain"\n'
)
AGENT = '[text]\nbackend = "cues"\n'


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the small world's store and an agent that lived in it with revised bars."""
    home = tmp_path_factory.mktemp("parity") / "home"
    shutil.copytree(simulated.home(), home)
    paired.lived(home / "agents" / "simulated", faults.Params(revised_share=0.002), end_ns=paired.BEGIN_NS + DAY_NS)
    return home


def answer(home: Path, capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert app.main(["--home", str(home), "parity", *words, "--json"]) == code
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def test_each_difference_is_told_with_its_cause(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(kept, capsys, "latest", "--show", "3")
    assert (found["agent"], found["unexplained"], found["equal"]) == ("simulated", 0, False)
    assert found["synthetic"] is True
    (row,) = found["causes"]
    assert row["cause"] == "revised bar"
    assert row["decisions"] + row["decisions_in_numbers"] + row["trades"] + row["trades_in_numbers"] == found["differ"]
    assert len(found["differences"]) == 3
    assert all("stored" in one["nearest"] and one["nearest_at"] <= one["at"] for one in found["differences"])


def test_people_get_a_table_and_words(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["--home", str(kept), "parity", "simulated", "--show", "2"]) == 0
    told = capsys.readouterr().out
    assert told.count("because: revised bar") == 2
    assert "SYNTHETIC" in told
    assert "0 unexplained" in told
    assert "more; --show 0 tells all" in told


def test_what_nothing_explains_ends_with_one(kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Path(shutil.copytree(kept, tmp_path / "home"))
    planted(place_of(home / "agents" / "simulated", "simulated"))
    found = answer(home, capsys, code=1)
    assert found["unexplained"] == 1
    assert found["differences"][0]["cause"] == "unexplained"


def test_an_agent_that_is_not_there_is_named(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["--home", str(kept), "parity", "nobody"]) == 3
    assert "has no agent 'nobody'; there are: simulated" in capsys.readouterr().err


@pytest.mark.parametrize(
    "params", [pytest.param(faults.Params(), marks=pytest.mark.nightly), faults.Params(late_share=0.02)]
)
def test_a_world_is_made_again_from_the_journal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], params: faults.Params
) -> None:
    home, file, config = tmp_path / "home", tmp_path / "small.toml", tmp_path / "agent.toml"
    file.write_text(SMALL, encoding="utf-8")
    base = simulate(file, 5, tmp_path / "base").config.path
    config.write_text(f'inherits = "{base}"\n{AGENT}', encoding="utf-8")
    made = simulate(file, 5, folder_of(home, file, 5), config)
    told = {"feed": "world", "seed": 5, "world": made.file.tree(), "start_ns": made.file.start_ns}
    heard = Heard(made.sources, made.window, told, None if params == faults.Params() else params, 5)
    agent = agent_of(place_of(home / "agents" / "small", "small"), made.config, heard, CueReader())
    assert run(agent, feed_of(made.config, heard, -1), 0.0) == "end of the feed"
    shutil.rmtree(home / "worlds")
    found = answer(home, capsys)
    assert found["unexplained"] == 0
    assert found["decisions"] > 20
    assert found["equal"] is (heard.faults is None)
    if heard.faults is not None:
        assert {row["cause"] for row in found["causes"] if row["decisions"] or row["decisions_in_numbers"]} <= {
            "late bar", "late funding", "bar out of order", "latency",
        }  # fmt: skip


def test_an_epoch_that_cannot_be_compared_is_the_last_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Path(shutil.copytree(simulated.home(), tmp_path / "home"))
    lives, end_ns = [paired.config(), paired.others()], paired.BEGIN_NS + 14 * HOUR_NS
    place, _ = paired.changed(home / "agents" / "simulated", lives, faults.Params(), end_ns=end_ns)
    reader = Reader(place)
    last = epochs_of(reader)[1]
    reader.close()
    assert last.sealed is not None
    (snapshots_of(place) / last.sealed.file).unlink()
    capsys.readouterr()
    assert app.main(["--home", str(home), "parity"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    period = f"{format_time(last.window.start_ns)} to {format_time(end_ns - 1)}"
    assert f"compared in 1 of 2 epochs; 0 differ; 0 unexplained not compared: epoch 2, {period}: " in told
    assert told.endswith("is not as it was sealed")
    assert "equal" not in told
