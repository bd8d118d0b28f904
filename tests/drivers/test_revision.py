"""drivers.revision: one byte of the package is another revision, and only that."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import confidence_engine
from confidence_engine.drivers import revision


def _of(package: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(revision, "__file__", str(package / "drivers" / "revision.py"))
    found = revision.code_revision.__wrapped__()
    assert isinstance(found, str)
    return found


def test_it_is_the_version_and_a_hash() -> None:
    found = revision.code_revision()
    assert re.fullmatch(re.escape(confidence_engine.__version__) + r"\+[0-9a-f]{12}", found)
    assert found == revision.code_revision()


def test_a_copy_elsewhere_is_the_same_and_an_edit_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Path(confidence_engine.__file__).parent
    copy = tmp_path / "elsewhere"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
    same = _of(copy, monkeypatch)
    assert same == _of(source, monkeypatch)
    (copy / "notes.txt").write_text("not code", encoding="utf-8")
    assert _of(copy, monkeypatch) == same
    with (copy / "report" / "chart.py").open("a", encoding="utf-8") as file:
        file.write("\n")
    assert _of(copy, monkeypatch) != same
    shutil.copy(source / "report" / "chart.py", copy / "report" / "chart.py")
    (copy / "wire.py").rename(copy / "wires.py")
    assert _of(copy, monkeypatch) != same
