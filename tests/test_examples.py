"""Every example is short, runs as it stands, and prints what it promises."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).resolve().parent.parent / "examples").glob("*.py"))


def _run(path: Path, folder: Path) -> str:
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=180, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_under_forty_lines_and_says_what_it_is(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    assert len(lines) < 40
    assert lines[0].startswith('"""')
    assert path.name in lines[0]


def test_there_are_examples() -> None:
    assert [path.stem for path in EXAMPLES][:1] == ["01_replay"]


def test_the_replay_by_hand_runs_anywhere_and_tells_the_same_twice(tmp_path: Path) -> None:
    path = EXAMPLES[0]
    one, two = _run(path, tmp_path), _run(path, tmp_path)
    assert one == two
    first, second, third = one.splitlines()
    assert re.fullmatch(r"SIMULATED: [\d,]+ events, \d+ readings, \d+ stories", first)
    entries, trades = (int(word) for word in re.findall(r"(\d+) (?:entries|trades)", second))
    assert entries >= trades > 0
    gap, trigger = re.fullmatch(r"first entry: gap ([+-]\d\.\d\d) against trigger (\d\.\d\d)", third).groups()  # type: ignore[union-attr]
    assert abs(float(gap)) >= float(trigger)
    assert list(tmp_path.iterdir()) == []
