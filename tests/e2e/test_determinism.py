"""The same input gives the same bytes: again, in another process, from files in another order, without the compiler."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from confidence_engine.drivers import replay
from confidence_engine.evaluate.summary import rows_hash
from confidence_engine.kernel.state import state_hash

from .conftest import ROOT, Case, import_all

pytestmark = pytest.mark.realdata

HASHES = ("state_hash", "decisions_hash", "fills_hash", "params_hash", "data_hash")
SLICE = slice(20_000, 40_000)  # weeks in which there are trades


def _run(arguments: list[str], **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=500,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]), **environment},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def _replay(home: Path) -> dict[str, Any]:
    period = ["--start", "2023-03-01", "--end", "2023-06-01", "--json"]
    out = _run(["-m", "confidence_engine", "--home", str(home), "replay", "config/futures.toml", *period])
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


def test_two_processes_and_two_orders_of_import_give_the_same_hashes(
    recorded: Path, shared_data: Path, tmp_path: Path
) -> None:
    first, again = _replay(recorded), _replay(recorded)
    import_all(tmp_path / "home", shared_data, reverse=True)
    other = _replay(tmp_path / "home")
    assert first["decisions"] > 1000
    assert first["entries"] > 5
    for name in HASHES:
        assert first[name] == again[name] == other[name], name


def _play_slice(case: Case) -> tuple[str, str, str]:
    tape = replay.compose(case.config, case.sources, case.readings, case.window)
    result = replay.play(case.config, case.sources.instruments, tape.events[SLICE])
    assert len(result.entries) >= 6
    return state_hash(result.state), rows_hash(result.decisions), rows_hash(result.entries)


@pytest.mark.nightly  # on tapes of random events it is in every run: tests/drivers/test_loop.py
def test_without_the_compiler_the_bytes_are_the_same(futures: Case, recorded: Path) -> None:
    plain = _run(["-m", "tests.e2e.plain_slice", str(recorded)], NUMBA_DISABLE_JIT="1")
    compiled = _play_slice(futures)
    assert plain.split() == list(compiled)
