"""`confidence warm`: the machine code is there afterwards, and people see that something happens."""

from __future__ import annotations

import json
import threading

import pytest

from confidence_engine.cli import app, warm
from confidence_engine.domain import jit


def test_a_second_time_it_is_there_already(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["warm"]) == 0
    capsys.readouterr()
    assert jit.is_cached()
    assert app.main(["warm", "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    found = json.loads(out)
    assert found["cached"] is True
    assert 0 <= found["seconds"] < 30
    assert app.main(["warm"]) == 0
    assert capsys.readouterr().out == "machine code was there already\n"


def test_the_first_time_it_says_so_and_ends_its_line_when_it_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(jit, "is_cached", lambda: False)
    seconds, cached = warm.compile_kernel()
    assert (cached, seconds >= 0) == (False, True)
    assert "compiling the kernel" in capsys.readouterr().err

    def broken() -> None:
        raise ValueError("no compiler")

    monkeypatch.setattr(warm, "_touch_every_entry", broken)
    before = threading.active_count()
    with pytest.raises(ValueError, match="no compiler"):
        warm.compile_kernel()
    for thread in threading.enumerate():
        if thread.daemon and thread is not threading.main_thread():
            thread.join(timeout=6)
    assert threading.active_count() <= before


def test_a_line_every_few_seconds_until_it_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    class Clock(threading.Event):
        waits = 3

        def wait(self, timeout: float | None = None) -> bool:
            self.waits -= 1
            return self.waits <= 0

    warm._tell(0.0, Clock())
    assert capsys.readouterr().err.count("compiling, ") == 2
