"""Planted leaks: all are read, a patch that no longer fits is loud, and each is caught by the check it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from confidence_engine.domain.errors import RunError, UsageError
from confidence_engine.evaluate.leaks import mutants as mu
from confidence_engine.evaluate.leaks.probe import PROBED
from confidence_engine.evaluate.leaks.whole import CHECKS


def quiet(told: str) -> None:
    del told


def test_there_are_twenty_and_every_check_that_can_be_named_is() -> None:
    found = mu.planted(mu.checkout())
    assert len(found) == 20
    assert {one.check for one in found} == set(PROBED) == set(CHECKS) - {"trained-until"}
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


DEAF = mu.Edit(
    "drivers/replay.py", "    return (rows if taken.all() else rows[taken]), faults\n", "    return rows[:0], faults\n"
)
WAITS = mu.Edit(
    "venues/sim_fills.py", "    if pos.lots != 0 and not came and target >= 0", "    if pos.lots != 0 and target >= 0"
)
CLOSES = mu.Edit(
    "venues/sim_queue.py", "    if opened < w.active_ns:\n        reached = bar_close(event)\n", "    del opened\n"
)
BREAKS = mu.Edit("text/reading.py", "        first: dict[str, int] = {}\n", "        raise OSError('planted')\n")
BESIDE = (
    mu.Mutant("early target", "a target fills in the bar of its limit entry", "fills", (WAITS,)),
    mu.Mutant("whole bar", "a limit order fills by the extreme of the bar it arrives in", "fills", (CLOSES,)),
    mu.Mutant("deaf future", "no bar is heard", "future", (DEAF,)),
    mu.Mutant("deaf fills", "no bar is heard", "fills", (DEAF,)),
    mu.Mutant("broken", "it raises", "stamps", (BREAKS,)),
)
"""What is tried beside the twenty."""


@pytest.fixture(scope="module")
def tried() -> tuple[dict[str, mu.Verdict], list[mu.Verdict]]:
    """Verdicts of all mutants by name, and those of every check on the source as it is: all in one go, which is half
    the time."""
    verdicts, clean = mu.try_out([*mu.planted(mu.checkout()), *BESIDE], PROBED, 2, quiet)
    return {one.mutant: one for one in verdicts}, clean


Tried = tuple[dict[str, mu.Verdict], list[mu.Verdict]]


@pytest.mark.parametrize("name", [one.name for one in mu.planted(mu.checkout())])
def test_a_planted_leak_is_caught_by_the_check_it_names(tried: Tried, name: str) -> None:
    assert tried[0][name].caught, tried[0][name].told


def test_the_source_as_it_is_raises_no_alarm(tried: Tried) -> None:
    assert [one for one in tried[1] if one.caught] == []
    assert [one.check for one in tried[1] if one.n > 0] == list(PROBED)


def test_a_target_that_comes_first_is_seen_by_its_order(tried: Tried) -> None:
    assert "its bar came to the stop as well" in tried[0]["target_before_the_stop"].told


def test_what_is_special_about_limit_entries_is_caught_too(tried: Tried) -> None:
    early, whole = tried[0]["early target"], tried[0]["whole bar"]
    assert early.caught
    assert "its bar brought a limit entry" in early.told
    assert whole.caught
    assert "did not go beyond" in whole.told


def test_code_that_breaks_is_not_caught(tried: Tried) -> None:
    assert not tried[0]["broken"].caught
    assert tried[0]["broken"].told == "no verdict, OSError: planted"


def test_a_probe_that_saw_no_bar_gives_no_verdict(tried: Tried) -> None:
    for check in ("future", "fills"):
        verdict = tried[0][f"deaf {check}"]
        assert not verdict.caught
        assert verdict.told == f"no verdict, RunError: the probe of {check} saw no bars"
