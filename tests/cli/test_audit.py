"""`confidence audit`: on the bundled world without a home, on a store, and where it cannot be run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.simulated import config_file, fill, home

from confidence_engine.cli import app
from confidence_engine.evaluate.leaks import BLIND_SPOTS, CHECKS
from confidence_engine.evaluate.leaks.mutants import Verdict
from confidence_engine.feeds.store import Store

LITTLE = ("--moments", "1", "--cuts", "50")


STUB: dict[str, object] = {
    "start": "2025-01-01T00:00:00Z", "end": "2025-01-02T00:00:00Z", "leaks": 0, "checks": [], "learnt": [],
    "startup": {"decided": "a day", "lengths": [], "enough": None, "configured": "2 d"}, "blind_spots": [],
}  # fmt: skip
"""What an audit says that found nothing."""


def small(folder: Path) -> str:
    return str(config_file(folder / "config", interval='"30m"'))


def test_an_empty_home_audits_the_bundled_world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["--home", str(tmp_path / "none"), "audit", small(tmp_path), "--json", *LITTLE]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert (found["data"], found["synthetic"], found["leaks"]) == ("bundled", True, 0)
    assert [one["name"] for one in found["checks"]] == list(CHECKS)
    assert all(set(one) >= {"name", "what", "n", "leaks"} for one in found["checks"])
    assert {one["name"]: one["n"] for one in found["checks"]}["kernel-future"] == 50
    assert found["blind_spots"] == list(BLIND_SPOTS)
    assert "mutants" not in found
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
    assert "LEAK  trained-until: echo weights and echo_from reaches to 2026-01-01" in out
    assert "what none of this can see" in out
    assert out.rstrip().endswith("1 leaks")


def test_planted_leaks_are_told_and_a_missed_one_ends_with_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    caught = Verdict("a", "fills", True, 3, "seen", 1.0)
    monkeypatch.setattr("confidence_engine.evaluate.leaks.audit", lambda *_: STUB)
    monkeypatch.setattr("confidence_engine.evaluate.leaks.mutants.try_out", lambda *_: ([caught, caught], [caught]))
    assert app.main(["--home", str(tmp_path), "audit", small(tmp_path), "--mutants", "--json", *LITTLE]) == 1
    told = json.loads(capsys.readouterr().out)["mutants"]
    assert (told["planted"], told["caught"], told["missed"]) == (2, 2, [])
    assert told["false_alarms"] == ["fills"]
    missed = caught._replace(caught=False)
    monkeypatch.setattr("confidence_engine.evaluate.leaks.mutants.try_out", lambda *_: ([caught, missed], []))
    assert app.main(["--home", str(tmp_path), "audit", small(tmp_path), "--mutants", *LITTLE]) == 1
    assert "planted leaks: 1 of 2 caught" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--data", "elsewhere"), 2, "--data is store or bundled"),
        (("--data", "store"), 3, "holds no bars of simulated.toml"),
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
