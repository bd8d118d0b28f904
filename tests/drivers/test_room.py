"""A disk that fills up: nothing more is risked, what has to be said is said, and the end is a clean one."""

from __future__ import annotations

import asyncio
import errno
import itertools
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import sqlalchemy as sa
from tests.drivers.test_agent import cast, clock, feed
from tests.drivers.test_live import records, told
from tests.journal.faulty import FaultyDisk
from tests.simulated import played

from confidence_engine.domain.order import INTENT_SUBMIT
from confidence_engine.drivers import live
from confidence_engine.drivers.agent import Agent, Cast, go_on, start
from confidence_engine.drivers.feed import PacedFeed
from confidence_engine.drivers.inbox import Inbox
from confidence_engine.drivers.live import NO_ROOM, Live
from confidence_engine.drivers.shadow import shadow
from confidence_engine.drivers.stretch import Stretch
from confidence_engine.feeds.delivery import Moment
from confidence_engine.journal import kinds
from confidence_engine.journal.projector import project
from confidence_engine.journal.reader import RESERVE, Place, Reader, place_of
from confidence_engine.journal.retired import snapshots_of
from confidence_engine.journal.verify import verify
from confidence_engine.kernel.risk import HALT_OPERATOR

AMPLE = 8 << 20
"""A reserve that has room for all that is left of the run."""
HALT = [("halt", "the program", NO_ROOM)]


def often(checkpoint_ns: int = 3_600 * 10**9, seal_ns: int = 3_600 * 10**9) -> Cast:
    """A cast that keeps its state after every batch, or, as it is, never on the way."""
    made = cast()
    live = made.config.live._replace(checkpoint_ns=checkpoint_ns, seal_ns=seal_ns)
    return made._replace(config=msgspec.structs.replace(made.config, live=live))


def lived(agent: Agent, coming: Iterator[Moment], then: Any = lambda agent: None) -> str:
    """The loop to its end; `then` looks on after every batch."""

    class Seen:
        def saw(self, agent: Agent, moments: Sequence[Moment], made: Sequence[Stretch], took_s: float) -> None:
            then(agent)

    async def loop() -> str:
        fed = PacedFeed(coming, max(agent.now_ns, 0), 0.0)
        return await Live(agent, fed, Inbox(agent.journal.place), [Seen()]).run()

    return asyncio.run(loop())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return place_of(tmp_path / "agents" / "simulated", "simulated")


@pytest.fixture
def disk() -> FaultyDisk:
    return FaultyDisk(random.Random(1))


def begun(
    place: Place, of: Cast, disk: FaultyDisk, reserve: int, moments: int = 2500
) -> tuple[Agent, Iterator[Moment]]:
    """An agent that has traded for some days, and what it has not heard yet."""
    agent, coming = start(place, of, clock=clock, disk=disk, reserve=reserve), feed()
    agent.take(list(itertools.islice(coming, moments)))
    assert not agent.journal.low
    return agent, coming


def commands(place: Place) -> list[tuple[str, str, str]]:
    return [(one["command"], one["operator"], one["reason"]) for one in records(place, kinds.COMMAND)]


def entries(place: Place, first: int) -> int:
    """Orders that add risk, from a record on."""
    reader = Reader(place)
    orders = reader.rows(kinds.INTENT, first=first)
    reader.close()
    return added(orders)


def added(orders: np.ndarray) -> int:
    """Those that add risk."""
    return int(((orders["action"] == INTENT_SUBMIT) & (orders["reduce_only"] == 0)).sum())


def ended(place: Place) -> dict[str, Any]:
    """How the run ended, which was a clean end."""
    assert verify(place).sound
    found = shadow(place)
    assert found.equal, (found.difference, found.cause)
    return records(place, kinds.ENDED)[-1]


def test_when_the_reserve_is_taken_nothing_more_is_entered(place: Place, disk: FaultyDisk) -> None:
    agent, coming = begun(place, often(), disk, AMPLE)
    disk.room = 20_000
    low: list[int] = []

    def saw(agent: Agent) -> None:
        if agent.journal.low:
            low.append(agent.journal.next_record)

    assert lived(agent, coming, saw) == "end of the feed"
    assert commands(place)[:1] == HALT
    assert commands(place).count(HALT[0]) == 1
    assert agent.state.head[0].halted == HALT_OPERATOR
    assert len(low) > 10
    intents = played().result.intents  # as it would have been
    assert 0 < entries(place, 0) < added(intents)
    assert entries(place, low[0]) == 0
    assert "unsealed" not in ended(place)


def test_who_resumes_without_room_is_heard(place: Place, disk: FaultyDisk) -> None:
    """A start that finds itself halted says nothing again, and a resume holds."""
    agent, coming = begun(place, often(), disk, AMPLE)
    disk.room = 20_000
    lived(agent, itertools.islice(coming, 800))
    assert commands(place) == HALT
    disk.room = AMPLE - 4096  # enough to go on, and not for another reserve
    agent = go_on(place, often(), clock=clock, disk=disk, reserve=AMPLE)
    assert agent.journal.low
    assert agent.state.head[0].halted == HALT_OPERATOR
    since = agent.journal.next_record
    resumed: list[Any] = []

    def saw(agent: Agent) -> None:
        if not resumed:
            resumed.append(told(place, "resume"))

    lived(agent, (one for one in feed() if one.at_ns > agent.intake.at_ns), saw)
    assert [word for word, _, _ in commands(place) if word != "stand down"] == ["halt", "resume"]
    assert entries(place, since) > 0
    ended(place)


def test_a_start_without_room_for_a_reserve_halts(place: Place, disk: FaultyDisk) -> None:
    agent, coming = begun(place, often(), disk, 4096)
    agent.journal.abandon()
    disk.room = 1 << 20
    agent = go_on(place, often(), clock=clock, disk=disk, reserve=AMPLE)
    lived(agent, itertools.islice(coming, 200))
    assert commands(place)[:1] == HALT


def test_a_checkpoint_that_finds_no_room_is_said_once_and_survived(place: Place, disk: FaultyDisk) -> None:
    agent, coming = begun(place, often(checkpoint_ns=0), disk, AMPLE)
    agent.checkpoint()
    disk.room = 120_000  # for events, not for a state

    def saw(agent: Agent) -> None:
        if disk.room is not None and not agent.journal.low:
            assert disk.room < 120_000

    assert lived(agent, itertools.islice(coming, 600), saw) == "end of the feed"
    incidents = records(place, kinds.INCIDENT)
    assert [one["what"] for one in incidents] == ["checkpoint"]
    assert "No space left" in incidents[0]["why"]
    assert [one.name for one in place.anchor.parent.glob(".*.part")] == []
    ended(place)
    agent = go_on(place, often(), clock=clock, reserve=0)
    agent.journal.abandon()


def test_a_fast_feed_has_checkpoints_before_their_time(
    place: Place, disk: FaultyDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "TAIL", 300)
    agent, coming = begun(place, often(), disk, 0)
    at = [agent.journal.next_event]  # after each batch

    def die(agent: Agent) -> None:
        at.append(agent.journal.next_event)
        if at[-1] - at[0] > 3000:
            raise SystemExit  # as a kill: nothing is sealed

    with pytest.raises(SystemExit):
        lived(agent, coming, die)
    agent.journal.abandon()
    agent = go_on(place, often(), clock=clock, reserve=0)
    assert agent.journal.next_event == at[-1]
    most = max(np.diff(at))
    assert at[-1] - records(place, kinds.RESUMED)[-1]["event"] < 300 + 2 * most < 1500
    agent.journal.abandon()


def test_a_seal_on_the_way_leaves_the_reserve_alone(place: Place, disk: FaultyDisk) -> None:
    agent, coming = begun(place, often(seal_ns=0), disk, AMPLE)
    disk.room = 200_000
    seen: list[bool] = []
    assert (
        lived(agent, itertools.islice(coming, 300), lambda agent: seen.append(agent.journal.low)) == "end of the feed"
    )
    assert seen
    assert not any(seen)
    assert [one["what"] for one in records(place, kinds.INCIDENT)] == ["checkpoint"]
    reader = Reader(place)
    assert sum(1 for _ in reader.records(kinds.CHECKPOINT)) == 1  # that of the end, which took the reserve
    reader.close()
    assert not (place.folder / RESERVE).exists()
    assert "unsealed" not in ended(place)


def test_an_end_without_room_for_its_state_is_a_clean_end(place: Place, disk: FaultyDisk) -> None:
    agent, coming = begun(place, often(), disk, 32_768)
    disk.room = 4096
    lived(agent, itertools.islice(coming, 20))
    told = ended(place)
    assert "nothing was sealed" in told["unsealed"]
    assert told["why"] == "end of the feed"
    assert not list(snapshots_of(place).iterdir())
    assert verify(place).anchored
    events = agent.journal.next_event
    agent = go_on(place, often(), clock=clock, reserve=0)
    assert agent.journal.next_event == events
    agent.stop("with room again")
    assert "unsealed" not in ended(place)


def test_a_rolling_file_that_fails_is_no_part_of_the_record(place: Place, disk: FaultyDisk, tmp_path: Path) -> None:
    """Whatever the disk says: the anchor is taken, and the next start reads on from there."""
    agent, coming = begun(place, often(checkpoint_ns=0), disk, 0)
    agent.checkpoint()
    real, failed = disk.replace, []

    def replace(path: Path, data: bytes) -> None:
        if path.name.startswith("rolling"):
            failed.append(path)
            raise OSError(errno.EIO, "a bad sector", str(path))
        real(path, data)

    disk.replace = replace  # type: ignore[method-assign]
    lived(agent, itertools.islice(coming, 300))
    assert len(failed) > 2
    assert [one["what"] for one in records(place, kinds.INCIDENT)] == ["checkpoint"]
    ended(place)
    project(tmp_path, None)
    engine = sa.create_engine(f"sqlite:///{tmp_path}/enhanced_trading.db")
    with engine.connect() as c:
        query = "SELECT severity, action_taken FROM risk_events WHERE event_type = 'INCIDENT'"
        assert [tuple(row) for row in c.execute(sa.text(query))] == [("warning", "told, and the agent went on")]
    engine.dispose()
