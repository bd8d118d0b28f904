"""`confidence audit`: on the bundled world without a home, on a store, and where it cannot be run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.simulated import config_file, fill, home

from confidence_engine.cli import app
from confidence_engine.evaluate.leaks import BLIND_SPOTS, CHECKS
from confidence_engine.evaluate.leaks.mutants import Verdict, checkout
from confidence_engine.feeds.store import Store

LITTLE = ("--moments", "1", "--cuts", "50")


STUB: dict[str, object] = {
    "start": "2025-01-01T00:00:00Z", "end": "2025-01-02T00:00:00Z", "leaks": 0, "checks": [], "learnt": [],
    "startup": {"decided": "a day", "lengths": [], "enough": None, "configured": "2 d", "reached": True},
    "moments_without_bars": 0, "blind_spots": [],
}  # fmt: skip
"""What an audit says that found nothing."""


def small(folder: Path) -> str:
    return str(config_file(folder / "config", interval='"30m"', warmup='"20d"'))


def test_an_empty_home_audits_the_bundled_world_and_the_planted_leaks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """End to end but for the number of leaks that are planted: one of the twenty, and its check without it."""
    few = tmp_path / "few"
    few.mkdir()
    shutil.copy(checkout() / "session_before_its_open.toml", few)
    monkeypatch.setattr("confidence_engine.evaluate.leaks.mutants.checkout", lambda: few)
    assert app.main(["--home", str(tmp_path / "none"), "audit", small(tmp_path), "--mutants", "--json", *LITTLE]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert (found["data"], found["synthetic"], found["leaks"]) == ("bundled", True, 0)
    assert [one["name"] for one in found["checks"]] == list(CHECKS)
    assert all(set(one) >= {"name", "what", "n", "leaks"} for one in found["checks"])
    assert {one["name"]: one["n"] for one in found["checks"]}["kernel-future"] == 50
    assert found["blind_spots"] == list(BLIND_SPOTS)
    told = found["mutants"]
    assert (told["planted"], told["caught"], told["missed"], told["missed_names"]) == (1, 1, 0, [])
    assert told["false_alarms"] == []
    assert "could not be known before" in told["each"][0]["told"]
    assert (found["startup"]["configured"], found["startup"]["reached"]) == ("20 d", False)
    assert "SIMULATED" in err
    assert not (tmp_path / "none").exists()


def test_recorded_rows_older_than_what_was_learnt_end_with_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("confidence_engine.text.echo.TRAINED_UNTIL", "2026-01-01")
    path = config_file(tmp_path / "config", symbols='["VLT/USDT"]')
    fill(Store(tmp_path), synthetic=False)
    assert app.main(["--home", str(tmp_path), "audit", str(path), *LITTLE]) == 1
    out = capsys.readouterr().out
    assert "LEAK  trained-until: echo weights reaches to 2026-01-01" in out
    assert "what none of this can see" in out
    assert "LEAK  trained-until: [kernel.divergence] trigger does not say" in out  # the world's config has its own
    assert out.rstrip().endswith("4 leaks")


def test_planted_leaks_are_told_and_a_missed_one_ends_with_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    caught = Verdict("a", "fills", True, 3, "seen", 1.0)
    monkeypatch.setattr("confidence_engine.evaluate.leaks.audit", lambda *_: STUB)
    monkeypatch.setattr("confidence_engine.evaluate.leaks.mutants.try_out", lambda *_: ([caught, caught], [caught]))
    assert app.main(["--home", str(tmp_path), "audit", small(tmp_path), "--mutants", "--json", *LITTLE]) == 1
    told = json.loads(capsys.readouterr().out)["mutants"]
    assert (told["planted"], told["caught"], told["missed"], told["missed_names"]) == (2, 2, 0, [])
    assert told["false_alarms"] == ["fills"]
    missed = caught._replace(caught=False)
    monkeypatch.setattr("confidence_engine.evaluate.leaks.mutants.try_out", lambda *_: ([caught, missed], []))
    assert app.main(["--home", str(tmp_path), "audit", small(tmp_path), "--mutants", *LITTLE]) == 1
    assert "planted leaks: 1 of 2 caught" in capsys.readouterr().out
    assert app.main(["--home", str(tmp_path), "audit", small(tmp_path), "--json", *LITTLE]) == 0
    assert json.loads(capsys.readouterr().out)["mutants"] is None


def test_where_nothing_is_planted_nothing_was_caught(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("confidence_engine.evaluate.leaks.mutants.checkout", lambda: tmp_path)
    assert app.main(["--home", str(tmp_path), "audit", small(tmp_path), "--mutants", *LITTLE]) == 2
    assert "holds no mutant" in capsys.readouterr().err


def test_a_home_without_this_configs_bars_is_no_empty_home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(Store(tmp_path), news=False, funding=False)
    assert app.main(["--home", str(tmp_path), "audit", small(tmp_path), *LITTLE]) == 3
    told = capsys.readouterr().err
    assert "holds no 30m bars of VLT/USDT" in told
    assert "--data bundled" in told


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--data", "elsewhere"), 2, "--data is store or bundled"),
        (("--data", "store"), 3, "(simulated.toml); import some"),
        (("--moments", "0"), 2, "--moments"),
    ],
)
def test_what_cannot_be_done_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, told: str
) -> None:
    config = str(home() / "config/simulated.toml")
    assert app.main(["--home", str(tmp_path), "audit", config, *words]) == code
    assert told in capsys.readouterr().err


def test_planted_leaks_need_a_checkout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("confidence_engine.evaluate.leaks.mutants.PACKAGE", tmp_path / "lib" / "confidence_engine")
    assert app.main(["--home", str(tmp_path), "audit", str(home() / "config/simulated.toml"), "--mutants"]) == 2
    assert "works in a checkout" in capsys.readouterr().err
