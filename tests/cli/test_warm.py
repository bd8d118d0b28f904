"""`confidence warm`: the machine code is there afterwards, and people see that something happens."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import confidence_engine
from confidence_engine.cli import app, warm


def test_a_second_time_it_is_there_already(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["warm"]) == 0
    capsys.readouterr()
    assert app.main(["warm", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["cached"] is True
    assert 0 <= found["seconds"] < 30
    assert app.main(["warm"]) == 0
    assert capsys.readouterr().out == "machine code was there already\n"


@pytest.mark.nightly  # that a copy is compiled anew is tested in every run, on less code: tests/domain/test_jit.py
def test_a_copied_package_does_not_take_its_stale_code_for_cached(tmp_path: Path) -> None:
    """The copy brings the folder of machine code along, but Numba compiles anew, and that is what is reported."""
    assert app.main(["warm"]) == 0
    shutil.copytree(Path(confidence_engine.__file__).parent, tmp_path / "confidence_engine", copy_function=shutil.copy)
    words = [sys.executable, "-m", "confidence_engine", "warm", "--json"]
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    first = subprocess.run(words, capture_output=True, text=True, env=env, cwd=tmp_path, timeout=280)
    assert json.loads(first.stdout)["cached"] is False
    assert first.stderr.startswith("compiling the kernel")
    again = subprocess.run(words, capture_output=True, text=True, env=env, cwd=tmp_path, timeout=280)
    assert json.loads(again.stdout)["cached"] is True


def test_what_is_quick_is_not_told_and_a_failure_ends_the_clock(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with warm.told_when_slow("slow", "slow"):
        pass
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(warm, "PATIENCE_S", 0.01)
    before = threading.active_count()

    def broken() -> None:
        threading.Event().wait(0.2)
        raise ValueError("no compiler")

    monkeypatch.setattr(warm, "_touch_every_entry", broken)
    with pytest.raises(ValueError, match="no compiler"):
        warm.compile_kernel()
    assert "compiling the kernel" in capsys.readouterr().err
    for thread in threading.enumerate():
        if thread.daemon and thread is not threading.main_thread():
            thread.join(timeout=6)
    assert threading.active_count() <= before


def test_a_line_every_few_seconds_until_it_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    class Clock(threading.Event):
        waits = 4

        def wait(self, timeout: float | None = None) -> bool:
            self.waits -= 1
            return self.waits <= 0

    warm._tell(0.0, Clock(), "it takes long", "working")
    err = capsys.readouterr().err
    assert err.startswith("it takes long\n")
    assert err.count("working, ") == 2
