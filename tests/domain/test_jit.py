"""The cache of machine code notices an edit in any file that can be compiled in, which Numba's own does not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from confidence_engine.domain.jit import source_hash

STAGE = "from confidence_engine.domain.jit import stage\n\n\n@stage\ndef answer(x):\n    return x + {}\n"
ENTRY = """from confidence_engine.domain.answer import answer
from confidence_engine.domain.jit import entry


@entry
def ask(x):
    return answer(x)
"""


@pytest.fixture
def copy(project_root: Path, tmp_path: Path) -> Path:
    """A copy of the package with a stage in one file and an entry that calls it in another."""
    package = tmp_path / "confidence_engine"
    shutil.copytree(project_root / "src/confidence_engine", package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "domain/answer.py").write_text(STAGE.format(1))
    (package / "domain/ask.py").write_text(ENTRY)
    return package


def asked(package: Path) -> tuple[int, int]:
    """What a process of its own computes, and how often the cache served it."""
    program = "from confidence_engine.domain.ask import ask; print(ask(1), sum(ask.stats.cache_hits.values()))"
    environment = {**os.environ, "PYTHONPATH": str(package.parent), "NUMBA_DISABLE_JIT": "0"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, env=environment, check=True
    )
    value, hits = done.stdout.split()
    return int(value), int(hits)


def test_an_edit_in_another_file_is_compiled_anew(copy: Path) -> None:
    assert asked(copy) == (2, 0)
    assert asked(copy) == (2, 1)  # the same code comes from the cache
    (copy / "domain/answer.py").write_text(STAGE.format(2))
    assert asked(copy) == (3, 0)


def test_a_copy_brings_its_code_along_and_is_compiled_anew(copy: Path, tmp_path: Path) -> None:
    assert asked(copy) == (2, 0)
    there = tmp_path / "there" / "confidence_engine"
    shutil.copytree(copy, there, copy_function=shutil.copy)
    assert list(there.rglob("*.nbi"))
    assert asked(there) == (2, 0)


@pytest.mark.parametrize("folder", ["domain", "kernel", "venues", "drivers"])
def test_the_key_covers_every_folder_that_is_compiled(copy: Path, folder: str) -> None:
    before = source_hash(copy)
    (copy / folder / "__init__.py").write_text('"""Another."""\n')
    assert source_hash(copy) != before


def test_the_key_is_the_same_for_the_same_source(copy: Path) -> None:
    before = source_hash(copy)
    (copy / "text/cues.py").write_text("")  # read, never compiled
    assert source_hash(copy) == before
