"""What the pages promise: links that lead somewhere, commands that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from confidence_engine.wire import COMMANDS

PAGES = (
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "docs/simulation.md",
    "docs/results.md",
    "docs/speed.md",
    "docs/crowd.md",
)


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file(project_root: Path, page: str) -> None:
    path = project_root / page
    text = path.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_every_command_of_the_readme_exists(project_root: Path) -> None:
    text = (project_root / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"bin/confidence ((?:[a-z]+ ?){1,2})", text)
    assert len(shown) >= 10
    assert [words for words in shown if not {words.strip(), words.split()[0]} & set(COMMANDS)] == []


def test_every_source_that_the_pages_name_exists(project_root: Path) -> None:
    for page in PAGES:
        text = (project_root / page).read_text(encoding="utf-8")
        for name in re.findall(r"`((?:src|tests|config|benchmarks|docs|examples)/[\w./]+)`", text):
            assert (project_root / name).exists(), f"{page}: {name}"
