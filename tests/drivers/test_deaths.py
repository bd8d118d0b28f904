"""An agent that dies at any step of any commit, checkpoint or start: no order twice, none lost, no byte other.

Deaths are counted steps of disk and database, before, amid and after each; what a dead process leaves is all that the
next one has. Beside it stands an agent that never died.
"""

from __future__ import annotations

import hashlib
import itertools
import random
import shutil
from pathlib import Path

import pytest
from tests.drivers.test_agent import cast, clock, feed
from tests.journal.faulty import Died, FaultyDisk, leave

from confidence_engine.domain.errors import DataMissing
from confidence_engine.drivers.agent import Agent, go_on, start
from confidence_engine.drivers.shadow import shadow
from confidence_engine.feeds.delivery import Moment
from confidence_engine.journal import kinds, log
from confidence_engine.journal.reader import Place, Reader, place_of
from confidence_engine.journal.verify import verify
from confidence_engine.kernel.state import state_hash

DEATHS = 25
LIVES = 40
_BEFORE = 0.55
"""Share of the feed that every life begins behind, so that there are positions to lose."""


@pytest.fixture(scope="module")
def moments() -> list[Moment]:
    return list(feed())


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory, moments: list[Moment]) -> Path:
    """The home of an agent in the middle of its life."""
    home = tmp_path_factory.mktemp("begun")
    agent = start(place_of(home, "simulated"), cast(), clock=clock, reserve=0)
    some = moments[: int(len(moments) * _BEFORE)]
    for first in range(0, len(some), 500):
        agent.take(some[first : first + 500])
    agent.checkpoint()
    agent.journal.anchor()
    agent.journal.abandon()
    return home


def told(place: Place, record: int) -> list[str]:
    """What is in a journal from a record on: hashes of every kind of row, and of the events."""
    reader = Reader(place)
    try:
        found = []
        for kind in kinds.ROWS:
            digest = hashlib.sha256()
            for one in reader.records(kind, first=record):
                digest.update(repr((one.event, one.ts_ns)).encode() + one.body)
            found.append(f"{kinds.KIND_NAMES[kind]} {digest.hexdigest()}")
        events = hashlib.sha256()
        for some in reader.events():
            events.update(some.tobytes())
        return [*found, events.hexdigest()]
    finally:
        reader.close()


class Life:
    """One agent over many processes."""

    def __init__(self, home: Path, seed: int, moments: list[Moment]) -> None:
        self.place, self.rng, self.moments = place_of(home, "simulated"), random.Random(seed), moments
        self.full, self.homes = bool(seed % 2), 0
        self.disk = FaultyDisk(self.rng)

    def opened(self) -> Agent:
        options = {"clock": clock, "disk": self.disk, "full": self.full, "reserve": 0}
        try:
            return go_on(self.place, cast(), **options)  # type: ignore[arg-type]
        except DataMissing:
            return start(self.place, cast(), **options)  # type: ignore[arg-type]

    def process(self) -> str:
        """A process that dies; returns where."""
        self.disk = FaultyDisk(self.rng)
        self.disk.die_at, self.disk.when = self.rng.randint(1, 60), self.rng.choice(("before", "amid", "after"))
        agent = None
        try:
            agent = self.opened()
            coming = iter(self.after(agent))
            while some := list(itertools.islice(coming, self.rng.randint(1, 4))):
                agent.take(some)
                what = self.rng.random()
                if what < 0.1:
                    agent.checkpoint()
                elif what < 0.15:
                    agent.seal("now and then")
            return "end of the feed"
        except Died as death:
            old = self.place.anchor.parent
            self.homes += 1
            self.place = leave(self.place, old.parent / f"after{self.homes}")
            shutil.rmtree(old)
            return str(death)
        finally:
            if agent is not None:
                agent.journal.abandon()

    def after(self, agent: Agent) -> list[Moment]:
        return [one for one in self.moments if one.at_ns > agent.intake.at_ns]


def live(begun: Path, folder: Path, seed: int, deaths: int, moments: list[Moment], patch: pytest.MonkeyPatch) -> None:
    """So many deaths, and then what one that never died has."""
    shutil.copytree(begun, folder / "home0")
    life, engine_of = Life(folder / "home0", seed, moments), log.engine_of
    patch.setattr(log, "engine_of", lambda url, full=False: life.disk.watch(engine_of(url, full)))
    died = [life.process() for _ in range(deaths)]
    assert all(one.startswith(("before", "amid", "after")) for one in died), died
    assert len({one.rpartition(", ")[2] for one in died}) >= 4, died  # write, sync, record, block, commit, replace ...
    life.disk = FaultyDisk(life.rng)
    agent = life.opened()
    patch.setattr(log, "engine_of", engine_of)
    reached = agent.intake.at_ns
    agent.journal.abandon()

    shutil.copytree(begun, folder / "whole")
    never = place_of(folder / "whole", "simulated")
    other = go_on(never, cast(), clock=clock, reserve=0)
    some = [one for one in moments if other.intake.at_ns < one.at_ns <= reached]
    for first in range(0, len(some), 500):
        other.take(some[first : first + 500])
    assert state_hash(agent.state) == state_hash(other.state)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(agent.venue, other.venue, strict=True))
    assert agent.counts() == other.counts()
    other.journal.abandon()
    assert told(life.place, 0) == told(never, 0)
    assert verify(life.place).sound
    found = shadow(life.place)
    assert found.equal, (found.difference, found.cause)


@pytest.mark.parametrize("seed", range(2))
def test_a_death_changes_no_byte(
    begun: Path, tmp_path: Path, moments: list[Moment], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:  # fmt: skip
    live(begun, tmp_path, seed, 12, moments, monkeypatch)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(2, 2 + LIVES))
def test_a_thousand_deaths_change_no_byte(
    begun: Path, tmp_path: Path, moments: list[Moment], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:  # fmt: skip
    live(begun, tmp_path, seed, DEATHS, moments, monkeypatch)
