"""`confidence ablate` as people call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.simulated import END, START, config_file, fill, home

from confidence_engine.cli import app
from confidence_engine.config import Config, load
from confidence_engine.drivers.sources import Sources
from confidence_engine.evaluate import ablation
from confidence_engine.feeds.store import Store


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
    assert (found["start"], found["end"]) == ("2025-01-16T00:00:00Z", "2025-01-23T00:00:00Z")
    assert found["data_hash"] == "not stored"
    assert len(found["symbols"]) == 4


def test_people_get_a_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(ablation, "parts", lambda config, sources: ablation.STAGES[-1:])
    monkeypatch.setattr(ablation, "at_neutral", lambda config: ablation.STAGES[:2])
    assert app.main(["ablate", "--world", "3", "--days", "22"]) == 0
    got = capsys.readouterr()
    assert "SIMULATED" in got.out
    assert "no fees" in got.out
    assert "at neutral in this config already, so without a row: text.reader, text.relevance" in got.out


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


def test_what_is_left_out_is_told_and_the_answer_says_what_it_stands_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ablation, "ablate", lambda *_: [])
    file = config_file(tmp_path / "config")
    fill(Store(tmp_path), without=("ODR/USDT",))
    words = ["--home", str(tmp_path), "ablate", str(file), "--start", "2025-01-07", "--end", "2025-03-01", "--json"]
    assert app.main(words) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert "left out: ODR/USDT has no bars in the period" in err
    assert "the bars cover 2025-01-07T00:00:00Z to 2025-01-23T00:05:00Z of the period; only that is compared" in err
    assert (found["start"], found["end"]) == ("2025-01-07T00:00:00Z", "2025-01-23T00:05:00Z")
    assert found["missing_symbols"] == ["ODR/USDT"]
    assert len(found["symbols"]) == 3
    assert len(bytes.fromhex(found["data_hash"])) == 32
    assert found["params_hash"] == load(file).hash
    assert {"kind": "stage", "name": "market"} in found["at_neutral"]


STORED = ("config/futures.toml", "--start", "2023-01-01", "--end", "2023-02-01")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--world", "3", "--start", "2023-01-01"),
        ("config/futures.toml",),
        (*STORED, "--days", "30"),
        (*STORED, "--world", "3"),
        ("--days", "30"),
    ],
)
def test_half_a_question_is_refused(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["ablate", *words]) == 2
    assert "--world SEED alone" in capsys.readouterr().err
