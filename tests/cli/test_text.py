"""`confidence text score`: JSON lines, counts, exit codes, a closed pipe."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.text.tiny_model import tiny_model

from confidence_engine.cli.app import main

KEYS = ["text", "polarity", "p_negative", "p_neutral", "p_positive", "backend"]


def test_one_line_a_headline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "headlines.txt"
    file.write_bytes(b"\xef\xbb\xbfBitcoin rises 5%\n\n  \nBitcoin \xff falls 5%\r\nTeam moves office")
    assert main(["text", "score", str(file)]) == 0
    out, err = capsys.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    assert [list(row) for row in rows] == [KEYS] * 3
    assert [row["text"] for row in rows] == ["Bitcoin rises 5%", "Bitcoin \ufffd falls 5%", "Team moves office"]
    assert rows[0]["polarity"] > 0.3 > -0.3 > rows[1]["polarity"]
    assert abs(rows[2]["polarity"]) < 0.1
    assert all(abs(row["p_negative"] + row["p_neutral"] + row["p_positive"] - 1) < 1e-12 for row in rows)
    assert "3 scored, 2 empty skipped, 1 with undecodable bytes" in err


@pytest.mark.parametrize("backend", ["embedded", "hashed", "cues"])
def test_numbers_are_whole_ten_thousandths(backend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "headlines.txt"
    words = ("Bitcoin falls as traders worry", "Exchange hacked", "BTC steady", "Shares rise", "Team moves office")
    file.write_text("\n".join(words))
    assert main(["text", "score", str(file), "--backend", backend]) == 0
    for line in capsys.readouterr().out.splitlines():
        row = json.loads(line)
        shares = [row[name] for name in ("p_negative", "p_neutral", "p_positive")]
        assert all(each == round(each, 4) for each in (row["polarity"], *shares)), line
        assert sum(round(each * 1e4) for each in shares) == 10_000
        assert round(row["polarity"] * 1e4) == round(shares[2] * 1e4) - round(shares[0] * 1e4)
        assert "-0.0," not in line


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"Exchange hacked\n" * 1200)))
    assert main(["text", "score", "-", "--backend", "cues"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1200


def test_one_object_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "headlines.txt"
    file.write_text("Bitcoin rises\n\n")
    assert main(["text", "score", str(file), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["scored"], answer["empty"], answer["undecodable"]) == (1, 1, 0)
    assert list(answer["readings"][0]) == KEYS


def test_a_model_of_your_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tiny_model(tmp_path / "model", {0: "positive", 1: "negative", 2: "neutral"})
    file = tmp_path / "headlines.txt"
    file.write_text("rise\nfall\n")
    assert main(["text", "score", str(file), "--backend", "finbert", "--model", str(model)]) == 0
    good, bad = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert good["polarity"] > 0.9 > -0.9 > bad["polarity"]
    assert good["backend"] == "finbert"
    assert main(["text", "score", str(file), "--backend", "finbert", "--model", str(tmp_path / "none")]) == 3


def test_an_empty_file_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "none.txt"
    file.touch()
    assert main(["text", "score", str(file)]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "arguments",
    [["missing.txt"], ["."], ["-", "--backend", "oracle"], [], ["-", "--backend", "finbert"], ["-", "--model", "x/y"]],
)
def test_bad_usage(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["text", "score", *arguments]) == 2


def test_a_reader_that_hangs_up_is_no_failure(tmp_path: Path) -> None:
    file = tmp_path / "many.txt"
    file.write_text("Bitcoin rises\n" * 8_000)
    command = [sys.executable, "-m", "confidence_engine", "text", "score", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
        assert process.wait(60) == 0
