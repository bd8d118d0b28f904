"""An agent's process: what it answers, how it fails, and that it is gone when it is left."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from confidence_engine.cli.child import Child, stopped_like_by_hand
from confidence_engine.domain.errors import RunError


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_its_answer_is_what_it_printed(tmp_path: Path) -> None:
    with Child("one", ["--home", str(tmp_path), "status"], tmp_path / "log") as child:
        child.start(tmp_path / "answer")
        assert child.answer() == {"agents": []}
        assert not child.runs()


def test_a_failure_is_told_in_its_last_words(tmp_path: Path) -> None:
    with Child("one", ["--home", str(tmp_path), "status", "--agent", "nobody"], tmp_path / "log") as child:
        child.start(tmp_path / "answer")
        with pytest.raises(RunError, match=r"agent one ended with exit code 3: error: .* no agent 'nobody'"):
            child.answer()


def test_it_is_gone_when_it_is_left(tmp_path: Path) -> None:
    with Child("one", ["status"], tmp_path / "log") as child:
        child.start(tmp_path / "answer")
        assert is_there(child.pid)
    assert not is_there(child.pid)


def test_killed_it_is_gone_and_can_be_started_again(tmp_path: Path) -> None:
    with Child("one", ["--home", str(tmp_path), "status"], tmp_path / "log") as child:
        child.start(tmp_path / "answer")
        first = child.pid
        child.kill()
        assert not is_there(first)
        child.start(tmp_path / "answer")
        assert child.pid != first
        assert child.answer() == {"agents": []}


def test_sigterm_is_taken_as_ctrl_c_and_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), stopped_like_by_hand():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
