"""Planted leaks: each patch of the source must be caught, by the one check that it names, or the audit proves nothing.

A mutant is a file of `tests/mutants`: what it does, the check that must see it, and edits, each the text that stands
in a source file exactly once and what takes its place. It is applied to a copy of the package; a patch that no longer
fits is an error and not a mutant caught. The check runs on its small scene (`probe`) in a process of its own that
imports the copy, with the compiler off. The processes are forked from one that has imported the libraries and nothing
of ours, which halves the time. The copy without a patch must raise no alarm in any check.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from confidence_engine.domain.errors import RunError, UsageError
from confidence_engine.evaluate.leaks.probe import PROBED

__all__ = ["Edit", "Mutant", "Verdict", "apply", "checkout", "planted", "try_out"]

PACKAGE: Final = Path(__file__).resolve().parents[2]
PATIENCE_S: Final = 120.0
"""A mutant that takes longer is stopped, and is not caught."""

_SERVER: Final = """
import importlib, json, os, pathlib, sys
os.environ.update(NUMBA_DISABLE_JIT="1", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", POLARS_MAX_THREADS="1")
for name in ("numba", "msgspec", "polars", "pyarrow.parquet", "pandas", "exchange_calendars"):
    importlib.import_module(name)
for line in sys.stdin:
    task = json.loads(line)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            sys.path.insert(0, task["source"])
            package = importlib.import_module("confidence_engine")
            if not package.__file__.startswith(task["source"]):
                raise SystemExit(f"{package.__file__} is not the copy")
            probe = importlib.import_module("confidence_engine.evaluate.leaks.probe")
            probe.answer(task["check"], pathlib.Path(task["answer"]))
            code = 0
        except BaseException as error:
            pathlib.Path(task["answer"]).write_text(json.dumps({"broke": f"{type(error).__name__}: {error}"}))
        finally:
            os._exit(code)
    os.waitpid(child, 0)
    print("done", flush=True)
"""


class Edit(NamedTuple):
    """In `file` of the package, `old`, which stands there once, becomes `new`."""

    file: str
    old: str
    new: str


class Mutant(NamedTuple):
    """A planted leak and the check that must catch it."""

    name: str
    says: str
    check: str
    edits: tuple[Edit, ...]


class Verdict(NamedTuple):
    """What became of a mutant: whether its check saw it, what it looked at, in words, and in how many seconds."""

    mutant: str
    check: str
    caught: bool
    n: int
    told: str
    seconds: float


def checkout() -> Path:
    """The folder of the mutants beside the source. Raises UsageError where there is only an installed package."""
    folder = PACKAGE.parents[1] / "tests" / "mutants"
    if not folder.is_dir():
        raise UsageError(f"--mutants works in a checkout: there is no {folder}")
    return folder


def planted(folder: Path) -> list[Mutant]:
    """All mutants of a folder, by name. Raises UsageError for a file that is not one, and where there is none."""
    found = []
    for file in sorted(folder.glob("*.toml")):
        try:
            held = tomllib.loads(file.read_text("utf-8"))
            edits = tuple(Edit(one["file"], one["old"], one["new"]) for one in held["edit"])
            found.append(Mutant(file.stem, held["says"], held["check"], edits))
        except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
            raise UsageError(f"{file}: not a mutant ({error!r})") from error
        if found[-1].check not in PROBED:
            raise UsageError(f"{file}: there is no check {found[-1].check!r} that a mutant could name")
    if not found:
        raise UsageError(f"{folder} holds no mutant: nothing is planted, so nothing could be caught")
    return found


def apply(mutant: Mutant | None, target: Path, package: Path = PACKAGE) -> None:
    """Copy the package into `target` and patch the copy. Raises RunError for a patch that does not fit."""
    ignored = shutil.ignore_patterns("kernel-*", "model", "migrations")
    copy = target / "confidence_engine"
    shutil.copytree(package, copy, ignore=ignored)
    (copy / "text" / "model").symlink_to(package / "text" / "model")
    for edit in mutant.edits if mutant else ():
        file = copy / edit.file
        text = file.read_text("utf-8") if file.is_file() else ""
        if text.count(edit.old) != 1:
            why = f"its text stands {text.count(edit.old)} times in {edit.file}, and should once"
            raise RunError(f"mutant {mutant.name if mutant else ''} no longer fits the source: {why}")
        file.write_text(text.replace(edit.old, edit.new), "utf-8")


class _Server:
    """A process that has the libraries loaded and forks one child a task; a dead one is followed by another."""

    def __init__(self) -> None:
        self._process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        words = [sys.executable, "-P", "-c", _SERVER]
        return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)

    def ask(self, source: Path, check: str, answer: Path) -> dict[str, Any]:
        """What the probe of one copy found; {"broke": why} where it raised, died or took too long."""
        if self._process.poll() is not None:
            self.close()
            self._process = self._start()
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        watch = threading.Timer(PATIENCE_S, self._kill)
        watch.start()
        try:
            stdin.write(json.dumps({"source": str(source), "check": check, "answer": str(answer)}) + "\n")
            stdin.flush()
            if stdout.readline().strip() != "done":
                return {"broke": f"its process died, or took more than {PATIENCE_S:g} s"}
        except BrokenPipeError:
            return {"broke": "its process died"}
        finally:
            watch.cancel()
        found: dict[str, Any] = json.loads(answer.read_text("utf-8")) if answer.is_file() else {"broke": "no answer"}
        return found

    def _kill(self) -> None:
        """End the process and what it has forked, which is a group of its own."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End it, and let go of its pipes."""
        self._kill()
        self._process.wait()
        for end in (self._process.stdin, self._process.stdout):
            if end is not None:
                with contextlib.suppress(BrokenPipeError):
                    end.close()


def try_out(
    mutants: Sequence[Mutant], clean: Sequence[str], workers: int, say: Callable[[str], None], package: Path = PACKAGE
) -> tuple[list[Verdict], list[Verdict]]:
    """(verdicts of the mutants, verdicts of the `clean` checks on the source as it is: `caught` is a false alarm).

    Raises RunError for a patch that does not fit, before anything is run, and for a clean check that cannot run.
    """
    with TemporaryDirectory(prefix="mutants-") as folder:
        tasks: list[tuple[Mutant | None, str, Path]] = []
        for mutant in mutants:
            tasks.append((mutant, mutant.check, Path(folder) / mutant.name))
            apply(mutant, tasks[-1][2], package)
        if clean:
            apply(None, Path(folder) / "clean", package)
            tasks += [(None, check, Path(folder) / "clean") for check in clean]
        verdicts = _all(tasks, workers, say)
    broken = [one for one in verdicts[len(mutants) :] if one.n == 0]
    if broken:
        raise RunError(f"the check {broken[0].check} could not run on the source as it is: {broken[0].told}")
    return verdicts[: len(mutants)], verdicts[len(mutants) :]


def _all(tasks: list[tuple[Mutant | None, str, Path]], workers: int, say: Callable[[str], None]) -> list[Verdict]:
    """Every task in its own process, `workers` at a time, in the order of the tasks."""
    servers = [_Server() for _ in range(max(1, min(workers, len(tasks))))]
    idle: SimpleQueue[_Server] = SimpleQueue()
    for one in servers:
        idle.put(one)

    def run(task: tuple[Mutant | None, str, Path]) -> Verdict:
        mutant, check, source = task
        server, began = idle.get(), time.perf_counter()
        try:
            found = server.ask(source, check, source / f"{check}.json")
        finally:
            idle.put(server)
        verdict = _verdict(mutant.name if mutant else "as it is", check, found, time.perf_counter() - began)
        said = "saw a leak" if verdict.caught else "gave no verdict" if verdict.n == 0 else "saw nothing"
        say(f"{verdict.mutant}: {verdict.check} {said}")
        return verdict

    with ThreadPoolExecutor(len(servers)) as pool:
        try:
            return list(pool.map(run, tasks))
        finally:  # before the pool waits for its threads: who stops the audit by hand does not wait for a probe
            for one in servers:
                one.close()


def _verdict(name: str, check: str, found: dict[str, Any], seconds: float) -> Verdict:
    if "broke" in found:
        return Verdict(name, check, False, 0, f"no verdict, {found['broke']}", round(seconds, 2))
    told = found["examples"][0] if found["examples"] else ""
    return Verdict(name, check, found["leaks"] > 0, found["n"], told, round(seconds, 2))
