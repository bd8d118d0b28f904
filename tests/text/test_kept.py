"""Kept readings: asked for once, equal to fresh ones, and never believed where the file does not verify."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confidence_engine.domain.document import Reading
from confidence_engine.text import kept
from confidence_engine.text.cues import CueReader
from confidence_engine.text.kept import KeptReader

SAID = ["Bitcoin rises", "Ether falls"]
"""More than one: a text read by itself waits for others before the file is written."""


class Counting:
    """The reader `cues`, counting what it is asked."""

    name = "cues"

    def __init__(self, version: str = "1") -> None:
        self.version = version
        self.asked: list[str] = []

    def read(self, texts: Sequence[str]) -> list[Reading]:
        self.asked += texts
        return CueReader().read(texts)


def test_the_second_time_nothing_is_asked(tmp_path: Path) -> None:
    texts = ["Bitcoin rises", "Bitcoin falls", "Bitcoin rises", "\ud800 odd"]
    first, second = Counting(), Counting()
    told = KeptReader(first, tmp_path).read(texts)
    again = KeptReader(second, tmp_path).read(texts)
    assert told == again == CueReader().read(texts)
    assert first.asked == ["Bitcoin rises", "Bitcoin falls", "\ud800 odd"]
    assert second.asked == []


def test_another_version_is_another_reader(tmp_path: Path) -> None:
    KeptReader(Counting("1"), tmp_path).read(SAID)
    newer = Counting("2")
    KeptReader(newer, tmp_path).read(SAID)
    assert newer.asked == SAID


@pytest.mark.parametrize("at", [0, 31, 32, 50, -1])
def test_a_file_that_was_touched_is_not_believed(at: int, tmp_path: Path) -> None:
    right = KeptReader(Counting(), tmp_path).read(SAID)
    [file] = tmp_path.iterdir()
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)
    reader = Counting()
    assert KeptReader(reader, tmp_path).read(SAID) == right
    assert reader.asked == SAID
    third = Counting()
    KeptReader(third, tmp_path).read(SAID)
    assert third.asked == []


@pytest.mark.parametrize("cut", [0, 10, 32, 71])
def test_a_file_that_was_cut_is_not_believed(cut: int, tmp_path: Path) -> None:
    KeptReader(Counting(), tmp_path).read(SAID)
    [file] = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:cut])
    reader = Counting()
    KeptReader(reader, tmp_path).read(SAID)
    assert reader.asked == SAID


def test_the_file_stays_bounded_and_every_reading_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST", 10)
    texts = [f"Bitcoin rises {'again ' * k}" for k in range(25)]
    assert KeptReader(Counting(), tmp_path).read(texts) == CueReader().read(texts)
    [file] = tmp_path.iterdir()
    assert file.stat().st_size == 32 + 10 * kept.RECORD.itemsize
    reader = Counting()
    KeptReader(reader, tmp_path).read(texts)
    assert reader.asked == texts[:15]


def test_what_cannot_be_written_is_read_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")
    assert KeptReader(Counting(), tmp_path / "taken").read(SAID) == CueReader().read(SAID)


@settings(max_examples=30)
@given(st.lists(st.text(max_size=20), max_size=6), st.lists(st.text(max_size=20), max_size=6))
def test_kept_readings_are_the_fresh_ones(one: list[str], other: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        KeptReader(Counting(), Path(folder)).read(one)
        assert KeptReader(Counting(), Path(folder)).read(other + one) == CueReader().read(other + one)
