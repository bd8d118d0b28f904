"""A process that dies at any step: what was acknowledged is there, nothing is there twice, and the next one goes on.

1,000 deaths at counted steps of the disk and the database (before, amid and after each: segment writes, syncs, rows,
COMMIT, anchor, first start, recovery), in lives of 25; then real processes ended by SIGKILL. The seed is in the id.
"""

from __future__ import annotations

import multiprocessing
import random
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.journal import diary
from tests.journal.diary import Diary, begin, go_on, walk
from tests.journal.faulty import Died, FaultyDisk, leave

from confidence_engine.domain.errors import DataMissing
from confidence_engine.journal import log
from confidence_engine.journal.log import Journal
from confidence_engine.journal.reader import Place, place_of

LIVES, DEATHS = 36, 25  # on SQLite
LIVES_ON_SERVER = 4  # of as many deaths: 1,000 in all
KILLS = 20
STAGES = {"write", "sync", "before record", "before block", "after block", "commit", "replace"}


class Life:
    """One journal over many processes, each of which dies at a step of its own."""

    def __init__(self, place: Place, seed: int) -> None:
        self.place, self.rng, self.full = place, random.Random(seed), bool(seed % 2)
        self.diary, self.disk, self.homes = Diary(self.rng), FaultyDisk(self.rng), 0
        place.anchor.parent.mkdir(parents=True)

    def start(self) -> Journal:
        """The journal as a process opens it, begun where it never was."""
        options: dict[str, Any] = {"disk": self.disk, "full": self.full, "clock": lambda: self.diary.now}
        try:
            return go_on(self.place, reserve=4096, **options)
        except DataMissing:
            assert self.diary.acknowledged == (0, 0), "a journal that was acknowledged is gone"
            return begin(self.place, reserve=4096, **options)

    def process(self, most: int) -> str:
        """A process that dies within `most` steps; returns where."""
        self.disk = FaultyDisk(self.rng)
        self.disk.die_at, self.disk.when = self.rng.randint(1, most), self.rng.choice(("before", "amid", "after"))
        journal = None
        try:
            journal = self.start()
            assert journal.recovered is None, "only a process died"
            self.diary.outlived(walk(self.place))
            while True:
                self.diary.put(journal)
                self.diary.commit(journal)
                if self.rng.random() < 0.3:
                    journal.anchor()
        except Died as death:
            old = self.place.anchor.parent
            self.homes += 1
            self.place = leave(self.place, old.parent / f"after{self.homes}")  # closing would tidy up
            shutil.rmtree(old)
            return str(death)
        finally:
            if journal is not None:
                journal.abandon()

    def check(self) -> None:
        """A last process finds all and goes on."""
        self.disk = FaultyDisk(self.rng)
        journal = self.start()
        self.diary.outlived(walk(self.place))
        self.diary.put(journal)
        self.diary.commit(journal)
        journal.close()
        self.diary.outlived(walk(self.place))


def live(place: Place, seed: int, deaths: int, patch: pytest.MonkeyPatch) -> list[str]:
    """A life of so many deaths; returns where they were."""
    life, engine_of = Life(place, seed), log.engine_of
    patch.setattr(log, "engine_of", lambda url, full=False: life.disk.watch(engine_of(url, full)))
    where = [life.process(20) for _ in range(deaths)]
    life.check()
    return where


@pytest.mark.parametrize("part", range(6))
def test_a_death_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    where: list[str] = []
    for seed in range(part, LIVES, 6):
        where += live(place_of(tmp_path / f"seed{seed}" / "home", "probe"), seed, DEATHS, monkeypatch)
    assert len(where) == DEATHS * LIVES // 6
    assert {one.split(", ")[1] for one in where} >= STAGES


def test_a_death_loses_nothing_on_a_server(fresh: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of the dead are one server's; their names differ."""
    for seed in range(LIVES, LIVES + LIVES_ON_SERVER):
        place = place_of(tmp_path / f"seed{seed}" / "home", f"probe{seed}", fresh)
        monkeypatch.setattr(diary, "UUID", seed)
        assert len(live(place, seed, DEATHS, monkeypatch)) == DEATHS


def write(place: Place, seed: int, full: bool) -> None:
    """What the process does until it is killed; a line for each acknowledged commit."""
    again, journal = Diary(random.Random(seed)), begin(place, full=full)
    with (place.anchor.parent / "said").open("a") as said:
        while True:
            again.put(journal)
            again.commit(journal)
            print(*again.acknowledged, file=said, flush=True)
            if again.rng.random() < 0.1:
                journal.anchor()


def killed(place: Place, seed: int, after_s: float) -> None:
    """A process that writes, ended by SIGKILL; then everything it was told is there, and the next one goes on."""
    home = place.anchor.parent
    home.mkdir(parents=True)
    writer = multiprocessing.get_context("fork").Process(target=write, args=(place, seed, seed % 2 == 1), daemon=True)
    writer.start()
    try:
        said = home / "said"
        while not said.exists():
            assert writer.is_alive()
            time.sleep(0.005)
        time.sleep(after_s)
    finally:
        writer.kill()
        writer.join()
    assert writer.exitcode == -signal.SIGKILL
    writer.close()
    lines = said.read_text().split("\n")[:-1]
    told = tuple(map(int, lines[-1].split())) if lines else (0, 0)
    journal = go_on(place)
    assert journal.recovered is None
    stored = walk(place)
    again = Diary(random.Random(seed))  # what it put is known from its seed
    replay = Rehearsal()
    steps = [again.acknowledged]
    while again.acknowledged < told or len(steps) < len(lines) + 2:
        again.put(replay)  # type: ignore[arg-type]
        again.commit(replay)  # type: ignore[arg-type]
        steps.append(again.acknowledged)
        again.rng.random()
    there = again.compare(stored)
    assert there in steps[len(lines) : len(lines) + 2], f"seed {seed}: {there} after {told}"
    again.go_on_from(stored)
    again.put(journal)
    again.commit(journal)
    journal.close()
    again.outlived(walk(place))


class Rehearsal:
    """Counts as a journal does, and keeps nothing."""

    def __init__(self) -> None:
        self.next_event = 0

    def put_events(self, events: np.ndarray) -> int:
        first, self.next_event = self.next_event, self.next_event + len(events)
        return first

    def put(self, *_: Any, **__: Any) -> None:
        pass

    def commit(self) -> None:
        pass


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_killed_process_loses_nothing(tmp_path: Path, seed: int) -> None:
    killed(place_of(tmp_path / "home", "probe"), seed, random.Random(seed).uniform(0.0, 0.25))


@pytest.mark.parametrize("seed", range(KILLS, KILLS + 4))
def test_a_killed_process_loses_nothing_on_a_server(fresh: str, tmp_path: Path, seed: int) -> None:
    killed(place_of(tmp_path / "home", "probe", fresh), seed, random.Random(seed).uniform(0.0, 0.25))
