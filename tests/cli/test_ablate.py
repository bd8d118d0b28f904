"""`confidence ablate` as people call it."""

from __future__ import annotations

import json

import pytest
from tests.simulated import END, START, home

from confidence_engine.cli import app
from confidence_engine.config import Config
from confidence_engine.drivers.sources import Sources
from confidence_engine.evaluate import ablation


def test_the_simulated_world_is_compared_and_named_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ablation, "STAGES", ablation.STAGES[-2:])
    assert app.main(["ablate", "--world", "3", "--days", "22", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["synthetic"] is True
    kinds = [row["kind"] for row in found["rows"]]
    assert kinds[0] == "whole"
    assert {"stage", "source", "gate"} <= set(kinds)


def test_people_get_a_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(ablation, "parts", lambda config, sources: ablation.STAGES[-1:])
    assert app.main(["ablate", "--world", "3", "--days", "22"]) == 0
    got = capsys.readouterr()
    assert "SIMULATED" in got.out
    assert "no fees" in got.out


def test_symbols_are_typed_as_people_type_lists(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[list[str]] = []

    def rows(config: Config, sources: Sources, *_: object) -> list[ablation.Row]:
        seen.append([one.symbol for one in sources.instruments])
        return []

    monkeypatch.setattr(ablation, "ablate", rows)
    words = ["--home", str(home()), "ablate", str(home() / "config/simulated.toml"), "--start", START, "--end", END]
    assert app.main([*words, "--json", "--symbols", "vlt, KVX/USDT,"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == []
    assert seen == [["KVX/USDT", "VLT/USDT"]]


@pytest.mark.parametrize("words", [(), ("--world", "3", "--start", "2023-01-01"), ("config/futures.toml",)])
def test_half_a_question_is_refused(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["ablate", *words]) == 2
    assert "--world SEED alone" in capsys.readouterr().err
