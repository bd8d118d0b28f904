"""Planted leaks: all are read, a patch that no longer fits is loud, and each is caught by the check it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from confidence_engine.domain.errors import RunError, UsageError
from confidence_engine.evaluate.leaks import mutants as mu
from confidence_engine.evaluate.leaks.probe import PROBED
from confidence_engine.evaluate.leaks.whole import CHECKS

FAST = (
    "frame_before_its_close", "mark_of_the_next_bar", "outcome_before_it_is_resolved", "own_reading_in_its_yardstick",
    "same_bar_fill", "session_before_its_open", "timer_that_looks_ahead", "volume_over_the_whole_sample",
)  # fmt: skip
"""One for each check that a mutant can name."""


def quiet(told: str) -> None:
    del told


def test_there_are_twenty_and_every_check_that_can_be_named_is() -> None:
    found = mu.planted(mu.checkout())
    assert len(found) == 20
    assert {one.check for one in found} == set(PROBED) == set(CHECKS) - {"trained-until"}
    assert {one.check for one in found if one.name in FAST} == set(PROBED)
    assert all(one.says and one.edits for one in found)


def test_every_patch_fits_the_source_and_changes_it(tmp_path: Path) -> None:
    for one in mu.planted(mu.checkout()):
        mu.apply(one, tmp_path / one.name)
        for edit in one.edits:
            text = (tmp_path / one.name / "confidence_engine" / edit.file).read_text("utf-8")
            assert edit.new in text
            compile(text, edit.file, "exec")


def test_a_patch_that_no_longer_fits_is_no_mutant_caught(tmp_path: Path) -> None:
    stray = mu.Mutant("stray", "nothing", "fills", (mu.Edit("kernel/price.py", "no such line\n", "x"),))
    with pytest.raises(RunError, match=r"stray no longer fits the source: its text stands 0 times in kernel/price\.py"):
        mu.try_out([stray], (), 1, quiet)
    twice = mu.Mutant("twice", "nothing", "fills", (mu.Edit("kernel/price.py", "@stage\n", "x"),))
    with pytest.raises(RunError, match="should once"):
        mu.apply(twice, tmp_path / "twice")
    gone = mu.Mutant("gone", "nothing", "fills", (mu.Edit("kernel/nowhere.py", "x", "y"),))
    with pytest.raises(RunError, match="0 times"):
        mu.apply(gone, tmp_path / "gone")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('says = "x"\ncheck = "fills"\n', "KeyError"),
        ("says = ", "TOMLDecodeError"),
        ('says = "x"\ncheck = "luck"\n[[edit]]\nfile = "a"\nold = "b"\nnew = "c"\n', "no check 'luck'"),
    ],
)
def test_a_file_that_is_no_mutant_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "odd.toml").write_text(text)
    with pytest.raises(UsageError, match=told):
        mu.planted(tmp_path)


def test_code_that_breaks_is_not_caught(tmp_path: Path) -> None:
    broken = mu.Mutant(
        "broken",
        "it raises",
        "stamps",
        (mu.Edit("text/reading.py", "        first: dict[str, int] = {}\n", "        raise OSError('planted')\n"),),
    )
    (verdict,), _ = mu.try_out([broken], (), 1, quiet)
    assert not verdict.caught
    assert verdict.told == "no verdict, OSError: planted"


def test_one_of_each_is_caught_by_the_check_it_names() -> None:
    found = [one for one in mu.planted(mu.checkout()) if one.name in FAST]
    verdicts, _ = mu.try_out(found, (), 2, quiet)
    assert [one.mutant for one in verdicts if not one.caught] == []
    assert len(verdicts) == len(FAST)


@pytest.mark.nightly
def test_all_are_caught_and_the_source_as_it_is_raises_no_alarm() -> None:
    verdicts, clean = mu.try_out(mu.planted(mu.checkout()), PROBED, 2, quiet)
    assert [one for one in verdicts if not one.caught] == []
    assert [one for one in clean if one.caught] == []
    assert all(one.n > 0 for one in clean)
