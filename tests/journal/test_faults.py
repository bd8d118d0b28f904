"""A power cut, a disk that fails, a disk that lies, a disk that is full: what a journal keeps, and when it refuses.

A power cut leaves of each file what was synced, and of every later write whatever the disk had got to, in no order; of
SQLite's log what its own syncs or the anchor's reached, and any part of the rest. The seed is in the test's id.
"""

from __future__ import annotations

import errno
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from tests.journal.diary import BEGIN, Diary, Stored, begin, go_on, walk
from tests.journal.faulty import FaultyDisk, cut_rows, leave

from confidence_engine.domain.errors import JournalDamaged, JournalUnwritable
from confidence_engine.domain.event import timer_events
from confidence_engine.journal import kinds
from confidence_engine.journal.log import Journal
from confidence_engine.journal.reader import RESERVE, Place, Reader, place_of

CUTS = 30
"""Power cuts in a row, per mode, in lives of ten."""


class Powered:
    """A journal whose machine loses its power again and again."""

    def __init__(self, place: Place, seed: int, full: bool) -> None:
        self.rng = random.Random(seed)
        self.place, self.full, self.cuts = place, full, 0
        self.diary, self.disk = Diary(self.rng), FaultyDisk(self.rng)
        self.journal = begin(place, disk=self.disk, full=full)
        self.anchored, self.rows = self.journal.last, 0

    def write(self, commits: int) -> None:
        """Some commits, now and then an anchor."""
        for _ in range(commits):
            self.diary.put(self.journal)
            self.diary.commit(self.journal)
            self.rows = self._log_size()  # with `full` SQLite has waited for all of this
            if self.rng.random() < 0.15:
                self.journal.anchor()
                self.anchored = self.journal.last

    def _log_size(self) -> int:
        return self.disk.size(self.place.folder / "journal.db-wal")

    def cut(self, rows_lost: bool = True) -> Stored:
        """The power goes; returns what was stored before, of which no journal is open any more."""
        before = walk(self.place, exact=False)
        self.cuts += 1
        old, home = self.place.anchor.parent, self.place.anchor.parent.parent / f"cut{self.cuts}"
        self.place = leave(self.place, home)
        self.disk.power_cut(old, home)
        if rows_lost:
            cut_rows(self.rng, self.place, self.rows if self.full else self.disk.rows_arrived)
        self.journal.abandon()
        return before

    def start(self) -> None:
        """The power is back."""
        self.disk = FaultyDisk(self.rng)
        self.disk.rows_arrived = self._log_size()  # it outlived a power cut
        self.journal = go_on(self.place, disk=self.disk, full=self.full)


@pytest.mark.parametrize("seed", range(CUTS // 10))
def test_a_power_cut_takes_nothing_from_a_full_journal(place: Place, seed: int) -> None:
    machine = Powered(place, seed, full=True)
    for _ in range(10):
        machine.write(machine.rng.randint(1, 5))
        machine.diary.put(machine.journal)  # put, never committed
        machine.cut()
        machine.start()
        assert machine.journal.recovered is None
        machine.diary.outlived(walk(machine.place))
    machine.journal.close()


@pytest.mark.parametrize("seed", range(100, 100 + CUTS // 10))
def test_a_power_cut_takes_whole_blocks_from_the_end(place: Place, seed: int) -> None:
    machine, told = Powered(place, seed, full=False), 0
    for _ in range(10):
        machine.write(machine.rng.randint(1, 5))
        before = machine.cut()
        found = walk_rows(machine.place)
        machine.start()
        stored = walk(machine.place)
        recovered = machine.journal.recovered is not None
        kept = len(stored.blocks) - recovered
        assert stored.blocks[:kept] == before.blocks[:kept]
        assert kept > machine.anchored.number, "behind the anchor"
        assert recovered == (kept < found), "rows were taken out and nobody said so"
        machine.diary.go_on_from(stored)
        machine.anchored, told = max(machine.anchored, stored.blocks[kept - 1]), told + recovered
    machine.journal.close()
    machine.diary.outlived(walk(machine.place))
    assert told > 0


def walk_rows(place: Place) -> int:
    """Blocks whose rows are there."""
    reader = Reader(place)
    try:
        return sum(1 for _ in reader.blocks())
    finally:
        reader.close()


@pytest.mark.parametrize("full", [False, True])
def test_a_sync_that_lied_is_caught(place: Place, full: bool) -> None:
    """The disk said that all had arrived and the anchor was written: what is missing then is no power cut's doing."""
    caught = 0
    for seed in range(6):
        home = place.anchor.parent.parent / f"lied{seed}" / "home"
        database = None if place.database.startswith("sqlite") else place.database
        mine = place_of(home, f"probe{seed}", database)
        machine = Powered(mine, seed, full) if database is None else None
        machine = machine or _other(mine, seed, full)
        machine.write(2)
        machine.journal.anchor()
        machine.disk.lies = True
        for _ in range(3):
            machine.journal.put_events(timer_events(np.array([machine.diary.now]), True))
            machine.journal.commit()
        machine.journal.anchor()  # kept: it is the anchor that was believed
        kept = mine.anchor.read_bytes()
        before = machine.cut(rows_lost=False)
        machine.place.anchor.write_bytes(kept)
        whole = _whole(machine.place, before)
        if whole:
            machine.start()
            assert machine.journal.last.number == before.blocks[-1].number
            machine.journal.close()
            continue
        caught += 1
        with pytest.raises(JournalDamaged):
            machine.start()
    assert caught > 0


def _other(place: Place, seed: int, full: bool) -> Powered:
    from tests.journal import diary

    old, diary.UUID = diary.UUID, 1000 + seed
    try:
        return Powered(place, seed, full)
    finally:
        diary.UUID = old


def _whole(place: Place, before: Stored) -> bool:
    """Whether the last block's events are on the disk by chance."""
    block = before.blocks[-1]
    path = place.segments / block.segment
    data = path.read_bytes()[block.position :] if path.exists() else b""
    return data == before.events[block.first_event * 64 :]


def test_an_anchor_waits_for_every_segment(place: Place) -> None:
    """Two days in one stretch: the older file has to arrive as well as the newer."""
    disk = FaultyDisk(random.Random(1))
    journal = begin(place, disk=disk)
    diary = Diary(random.Random(3))
    for _ in range(8):
        diary.put(journal)
        diary.commit(journal)
    assert len(list(place.segments.glob("*"))) > 1
    journal.anchor()
    left = leave(place, place.anchor.parent.parent / "cut")
    disk.power_cut(place.anchor.parent, left.anchor.parent)
    journal.abandon()
    cut_rows(random.Random(1), left, disk.rows_arrived)
    go_on(left).close()
    diary.outlived(walk(left))


@pytest.mark.parametrize("full", [False, True])
def test_a_new_process_waits_for_what_the_last_one_left(place: Place, full: bool) -> None:
    """A process died, and its bytes were on their way: the next one's anchor holds them too."""
    disk, diary = FaultyDisk(random.Random(6)), Diary(random.Random(6))
    journal = begin(place, disk=disk)
    for _ in range(6):
        diary.put(journal)
        diary.commit(journal)
    journal.abandon()
    journal = go_on(place, disk=disk, full=full)
    journal.anchor()
    left = leave(place, place.anchor.parent.parent / "cut")
    disk.power_cut(place.anchor.parent, left.anchor.parent)
    journal.abandon()
    go_on(left).close()
    diary.outlived(walk(left))


@pytest.mark.parametrize("code", [errno.EIO, errno.EROFS])
@pytest.mark.parametrize("step", ["write", "sync", "replace"])
def test_a_disk_that_fails_is_said_and_final(place: Place, code: int, step: str) -> None:
    disk, diary = FaultyDisk(), Diary(random.Random(code))
    journal = begin(place, disk=disk, full=True, reserve=4096)
    diary.put(journal)
    diary.commit(journal)
    disk.fails[step] = code
    journal.put_events(timer_events(np.array([diary.now]), True))
    with pytest.raises(JournalUnwritable, match=os.strerror(code)):
        journal.anchor()
    assert not journal.low
    disk.fails.clear()  # it answers again; what it swallowed nobody knows
    with pytest.raises(JournalUnwritable, match="start again"):
        journal.commit()
    journal.abandon()
    journal = go_on(place)
    assert journal.recovered is None
    stored = walk(place)
    assert stored.events.startswith(diary.events)
    assert len(stored.events) - len(diary.events) == (64 if step == "replace" else 0)
    journal.close()


def test_no_room_at_one_write_takes_the_reserve(place: Place) -> None:
    disk, diary = FaultyDisk(), Diary(random.Random(4))
    journal = begin(place, disk=disk, reserve=1 << 16)
    disk.fail_write_at = 2  # the first bytes of the segment are the first
    journal.put_events(timer_events(np.array([diary.now]), True))
    journal.commit()
    assert journal.low
    assert not (place.folder / RESERVE).exists()
    disk.fail_write_at = 1
    journal.put_events(timer_events(np.array([diary.now]), True))
    with pytest.raises(JournalUnwritable, match="No space left"):
        journal.commit()
    journal.abandon()
    assert len(walk(place, exact=False).events) == 64
    journal = go_on(place, reserve=1 << 16)
    assert not journal.low  # there is room again
    assert (place.folder / RESERVE).stat().st_size == 1 << 16
    journal.close()


def fill_up(journal: Journal, diary: Diary, most: int = 4000) -> tuple[int, int]:
    """Commit until the journal refuses; returns the acknowledged commits before and after the reserve was used."""
    before = after = 0
    for _ in range(most):
        diary.put(journal, 40)
        try:
            diary.commit(journal)
        except JournalUnwritable:
            return before, after
        before, after = before + (not journal.low), after + journal.low
    raise AssertionError("the disk never was full")


def test_a_full_disk_leaves_room_for_what_has_to_be_said(place: Place) -> None:
    """Segments alone are counted here; rows too on the real small disk below."""
    disk, diary = FaultyDisk(random.Random(2)), Diary(random.Random(2))
    disk.room = 96 << 10
    journal = begin(place, disk=disk, reserve=32 << 10)
    before, after = fill_up(journal, diary)
    assert journal.low
    assert before > after > 5
    journal.abandon()
    journal = go_on(place, disk=disk, reserve=32 << 10)
    assert journal.low, "no room to set aside: it says so at once"
    diary.outlived(walk(place))
    journal.abandon()


def test_without_room_for_the_reserve_the_journal_begins_low(place: Place) -> None:
    disk = FaultyDisk()
    disk.room = 16 << 10
    journal = begin(place, disk=disk, reserve=64 << 10)
    assert journal.low
    journal.put_events(timer_events(np.array([BEGIN]), True))
    journal.close()
    assert len(walk(place).events) == 64


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A real disk of eight megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("a disk of our own needs the right to mount")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("full", [False, True])
def test_a_small_disk_that_fills_up(small: Path, full: bool) -> None:
    """Rows, log and segments on one real disk: the reserve carries on, then the journal refuses, and all is there."""
    place = place_of(small / "home", "probe")
    diary = Diary(random.Random(full))
    journal = begin(place, full=full, reserve=2 << 20)
    before, after = fill_up(journal, diary)
    assert journal.low
    assert before > 20
    assert after > 20
    journal.abandon()
    diary.compare(walk(place, exact=False))
    journal = go_on(place, full=full, reserve=2 << 20)  # still full
    assert journal.low
    diary.compare(walk(place))
    journal.abandon()
    subprocess.run(["mount", "-o", "remount,size=32m", small], check=True)
    journal = go_on(place, full=full, reserve=2 << 20)
    assert not journal.low
    diary.outlived(walk(place))
    diary.put(journal)
    diary.commit(journal)
    journal.close()
    diary.outlived(walk(place))


def test_rows_that_find_no_room_take_the_reserve(tmp_path: Path) -> None:
    """SQLite's own word for it: its file may not grow."""
    place = place_of(tmp_path / "home", "probe")
    journal = begin(place, reserve=4096)
    with journal.engine.connect() as c:
        pages = c.exec_driver_sql("PRAGMA page_count").scalar_one()

    def grow(engine: sa.Engine, most: int) -> None:
        with engine.connect() as c:
            c.exec_driver_sql(f"PRAGMA max_page_count = {most}")

    grow(journal.engine, pages + 2)
    release = journal._release

    def released() -> bool:
        grow(journal.engine, pages + 200)  # as room on the disk does
        return release()

    journal._release = released  # type: ignore[method-assign]
    journal.put(kinds.COMMAND, -1, BEGIN, payload="x" * 50_000)
    journal.commit()
    assert journal.low
    grow(journal.engine, pages + 2)
    journal.put(kinds.COMMAND, -1, BEGIN, payload="x" * 900_000)
    with pytest.raises(JournalUnwritable, match="full"):
        journal.commit()
    journal.abandon()
    assert len(walk(place).records) == 3
