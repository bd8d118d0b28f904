"""What the pages promise: links that lead somewhere, commands that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from confidence_engine.wire import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
PAGES = tuple(str(page.relative_to(ROOT)) for page in (*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md"))))


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


def test_the_map_names_every_source_file(project_root: Path) -> None:
    """A newcomer looks for the place of a change in the row of its folder."""
    text, package = (
        (project_root / "ARCHITECTURE.md").read_text(encoding="utf-8"),
        project_root / "src/confidence_engine",
    )
    rows = {row[0]: row[1] for row in re.findall(r"^\| .*?`(\w+)/`([^\n]*)$", text, re.MULTILINE)}
    missing = []
    for path in sorted(package.rglob("*.py")):
        folder, *inner = path.relative_to(package).parts
        if path.stem not in ("__init__", "__main__", "wire") and "migrations" not in inner:
            missing += [] if re.search(rf"\b{path.stem}\b", rows.get(folder, "")) else [f"{folder}/{'/'.join(inner)}"]
    assert missing == []
