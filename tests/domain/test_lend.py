"""What is lent is the same arrays, not a copy, at every depth of the calls; a wrong name is an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

LEDGER = """
from typing import NamedTuple
import numpy as np
from numba import njit

from confidence_engine.domain.jit import stage
from confidence_engine.domain.lend import lend

class Ledger(NamedTuple):
    rows: np.ndarray
    grid: np.ndarray
    seen: np.ndarray

@stage
def note(ledger, k, x):
    r = ledger.rows[k]
    r.total += x
    ledger.grid[k, r.count % 3] = x
    ledger.seen[0] += len(ledger.rows)

@stage
def walk(ledger, values):
    for k in range(len(values)):
        note(ledger, k % len(ledger.rows), values[k])
        ledger.rows[k % len(ledger.rows)].count = ledger.rows[k % len(ledger.rows)].count + 1
    return len(ledger.WHAT)

@njit
def book(ledger, values):
    return walk(lend(ledger), values)

row = np.dtype((np.record, [("count", "i8"), ("total", "f8")]))
for rows in (2, 5):  # another length is another call with the same machine code
    ledger = Ledger(np.zeros(rows, row), np.zeros((rows, 3)), np.zeros(1, np.int64))
    book(ledger, np.arange(20.0))
    print(ledger.rows["total"].sum(), ledger.rows["count"].tolist(), ledger.grid.sum(axis=0).tolist(), ledger.seen[0])
print(len(getattr(book, "signatures", [0])))
"""


def ran(tmp_path: Path, field: str, jit: bool) -> subprocess.CompletedProcess[str]:
    """The program above in a process of its own, asking for one field by name."""
    (tmp_path / "book.py").write_text(LEDGER.replace("WHAT", field))
    environment = {**os.environ, "NUMBA_DISABLE_JIT": str(int(not jit))}
    program = [sys.executable, str(tmp_path / "book.py")]
    return subprocess.run(program, capture_output=True, text=True, timeout=120, env=environment, check=False)


def test_compiled_and_plain_book_the_same_into_the_callers_arrays(tmp_path: Path) -> None:
    plain, compiled = (ran(tmp_path, "grid", jit) for jit in (False, True))
    assert plain.returncode == compiled.returncode == 0, plain.stderr + compiled.stderr
    assert plain.stdout == compiled.stdout
    assert plain.stdout.splitlines()[0] == "190.0 [10, 10] [37.0, 29.0, 33.0] 40"


def test_a_field_that_is_not_there_is_refused_by_the_compiler(tmp_path: Path) -> None:
    done = ran(tmp_path, "gird", jit=True)
    assert done.returncode != 0
    assert "gird" in done.stderr
