"""What `make bench` runs can be run without words."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from benchmarks import by_eye

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_bench_leaves_out_what_needs_a_home() -> None:
    planned = subprocess.run(["make", "-n", "bench"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    named = set(re.findall(r"benchmarks/(\w+)\.py", planned))
    there = {file.stem for file in (ROOT / "benchmarks").glob("*.py")}
    news = (ROOT.parent / "shared" / "data" / "news").is_dir()
    assert named == there - {"knockout"} - (set() if news else {"by_eye", "echoes"})


def test_by_eye_says_what_it_wants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(by_eye, "NEWS", tmp_path / "news")
    for arguments, code in (([], 1), ([str(tmp_path / "other")], 1), (["--help"], 2), (["a", "b"], 2)):
        assert by_eye.main(arguments) == code
        out, err = capsys.readouterr()
        assert out == ""
        assert str(tmp_path) in err if code == 1 else "usage: " in err
