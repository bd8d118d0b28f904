"""An agent in a process of its own, started by a command that shows it: started, killed, started again, never left.

Only processes that were started here are ever signalled, each by its own id.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final

from confidence_engine.domain.errors import RunError

__all__ = ["Child", "stopped_like_by_hand"]

_PACKAGE: Final = Path(__file__).resolve().parents[1]
_MAIN: Final = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from confidence_engine.__main__ import main
main()
"""
"""This very package, however it was found."""
_PATIENCE_S: Final = 3.0
_TOLD: Final = 2000


class Child:
    """`confidence` with some words, answering in JSON; as a context it is gone when the context is left."""

    def __init__(self, name: str, words: Sequence[str], log: Path | None) -> None:
        """`log` takes what it says beside its answer; None: it is said on our own stderr."""
        self.name, self._words, self._log = name, [*words], log
        self._answer: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, answer: Path) -> None:
        """Run it; its answer goes to that file. Raises OSError."""
        words = [sys.executable, "-P", "-c", _MAIN, str(_PACKAGE.parent), *self._words, "--json"]
        self._answer = answer
        with contextlib.ExitStack() as files:
            out: IO[bytes] = files.enter_context(answer.open("wb"))
            err = None if self._log is None else files.enter_context(self._log.open("ab"))
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    @property
    def pid(self) -> int:
        """Of the process that was started last."""
        assert self._process is not None
        return self._process.pid

    def runs(self) -> bool:
        """Whether it has not ended yet."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        os.kill(self.pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def stop(self) -> None:
        """Ask it to end, and end it where it does not listen."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def answer(self) -> dict[str, Any]:
        """What it said in the end. Raises RunError where it failed."""
        assert self._process is not None
        assert self._answer is not None
        code = self._process.wait()
        text = self._answer.read_text("utf-8")
        if code != 0 or not text:
            raise RunError(f"agent {self.name} ended with exit code {code}{self._last_words()}")
        found: dict[str, Any] = json.loads(text)
        return found

    def _last_words(self) -> str:
        if self._log is None or not self._log.is_file():
            return ""
        lines = self._log.read_text("utf-8", errors="replace")[-_TOLD:].strip().splitlines()
        return f": {lines[-1]}" if lines else ""

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


@contextlib.contextmanager
def stopped_like_by_hand() -> Iterator[None]:
    """SIGTERM is taken as Ctrl-C is, so that what was started is ended either way."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
