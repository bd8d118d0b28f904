"""The live loop: an operator is heard first and once, a halt outlives a death, a stop leaves nothing half done."""

from __future__ import annotations

import asyncio
import itertools
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.drivers.test_agent import cast, clock, feed
from tests.simulated import played

from confidence_engine.domain.command import Command
from confidence_engine.domain.errors import JournalUnwritable, UsageError
from confidence_engine.domain.order import INTENT_SUBMIT, ORDER_MARKET
from confidence_engine.drivers import paper, pulse
from confidence_engine.drivers.agent import Agent, go_on, start
from confidence_engine.drivers.feed import PacedFeed
from confidence_engine.drivers.inbox import INBOX, REFUSED, Inbox, put
from confidence_engine.drivers.live import Live
from confidence_engine.drivers.pulse import Pulse, Status, read_status
from confidence_engine.drivers.shadow import shadow
from confidence_engine.drivers.stretch import Stretch
from confidence_engine.feeds.delivery import Moment
from confidence_engine.journal import kinds
from confidence_engine.journal.reader import Place, Reader, place_of
from confidence_engine.kernel.risk import HALT_OPERATOR

See = Callable[[Agent], None]


class Seen:
    """A watcher that does something after every batch."""

    def __init__(self, then: See) -> None:
        self.then, self.took = then, 0

    def saw(self, agent: Agent, moments: Sequence[Moment], made: Sequence[Stretch], took_s: float) -> None:
        self.took += len(moments)
        self.then(agent)


def told(place: Place, word: str, value: float | None = None) -> Command:
    command = Command(f"{word}-{next(itertools.count())}", word, "somebody", "a test", 1, value)
    put(place, command)
    return command


def lived(agent: Agent, coming: Iterator[Moment], then: See = lambda _: None) -> tuple[str, Seen]:
    """The loop to its end; `then` may ask it to stop."""
    seen = Seen(then)

    async def loop() -> str:
        live = Live(agent, PacedFeed(coming, agent.now_ns, 0.0), Inbox(agent.journal.place), [seen])
        agent.stop_asked = live.stop  # type: ignore[attr-defined]
        return await live.run()

    return asyncio.run(loop()), seen


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return place_of(tmp_path, "simulated")


def after(agent: Agent) -> Iterator[Moment]:
    return (one for one in feed() if one.at_ns > agent.intake.at_ns)


def records(place: Place, kind: int) -> list[dict[str, Any]]:
    reader = Reader(place)
    try:
        return [msgspec.json.decode(one.payload or b"") for one in reader.records(kind)]
    finally:
        reader.close()


def test_fed_by_the_loop_it_is_the_replay(place: Place) -> None:
    agent = start(place, cast(), clock=clock, reserve=0)
    why, seen = lived(agent, feed())
    assert why == "end of the feed"
    assert seen.took >= sum(1 for _ in feed())  # and moments at which only time passed
    reader = Reader(place)
    assert reader.rows(kinds.DECISION).tobytes() == played().result.decisions.tobytes()
    reader.close()
    assert records(place, kinds.ENDED)[0]["why"] == "end of the feed"
    assert shadow(place).equal


def test_what_the_rows_log_holds_is_copied_beside_the_loop_and_not_after_it(place: Place) -> None:
    there: set[bool] = set()
    lived(start(place, cast(), clock=clock, reserve=0), itertools.islice(feed(), 600), lambda _: there.add(copier()))
    assert there == {True}
    assert not copier()


def copier() -> bool:
    return any(one.name == "wal" for one in threading.enumerate())


def test_a_halt_waits_for_a_start_holds_over_a_death_and_needs_a_resume(place: Place) -> None:
    agent = start(place, cast(), clock=clock, reserve=0)
    before = list(itertools.takewhile(lambda one: one.at_ns < played().window.start_ns, feed()))
    agent.take(before)
    agent.journal.abandon()
    told(place, "halt")  # nobody runs

    def halfway(agent: Agent) -> None:
        if agent.now_ns > played().window.start_ns + (played().window.end_ns - played().window.start_ns) // 2:
            agent.stop_asked("asked")  # type: ignore[attr-defined]

    agent = go_on(place, cast(), clock=clock, reserve=0)
    why, _ = lived(agent, after(agent), halfway)
    assert why == "asked"
    assert not (place.anchor.parent / INBOX).exists() or not list((place.anchor.parent / INBOX).glob("*.json"))
    reader = Reader(place)
    assert not len(reader.rows(kinds.INTENT))  # nothing was entered
    assert len(reader.rows(kinds.DECISION))
    reader.close()
    assert [one["operator"] for one in records(place, kinds.COMMAND)] == ["somebody"]

    agent = go_on(place, cast(), clock=clock, reserve=0)
    assert agent.state.head[0].halted == HALT_OPERATOR
    told(place, "resume")
    lived(agent, after(agent))
    reader = Reader(place)
    assert len(reader.rows(kinds.INTENT))
    reader.close()
    assert shadow(place).equal


def test_flatten_leaves_every_position_and_a_command_is_obeyed_once(place: Place) -> None:
    agent = start(place, cast(), clock=clock, reserve=0)
    sent: list[Command] = []

    def once_held(agent: Agent) -> None:
        if not sent and (agent.state.book["lots"] != 0).any():
            sent.append(told(agent.journal.place, "flatten"))

    lived(agent, feed(), once_held)
    assert len(sent) == 1
    assert (agent.state.book["lots"] == 0).all()
    path = put(place, sent[0])  # as if it had died before the file went
    again = go_on(place, cast(), clock=clock, reserve=0)
    assert Inbox(place).waiting() == []
    assert not path.exists()
    again.journal.abandon()
    assert len(records(place, kinds.COMMAND)) == 1
    reader = Reader(place)
    orders = reader.rows(kinds.INTENT)
    reader.close()
    out = orders[(orders["action"] == INTENT_SUBMIT) & (orders["kind"] == ORDER_MARKET) & (orders["reduce_only"] == 1)]
    assert len(out) >= 1


def test_a_limit_caps_what_it_may_hold(place: Place) -> None:
    agent = start(place, cast(), clock=clock, reserve=0)
    told(place, "limit", 50.0)
    gross: list[float] = []
    lived(agent, feed(), lambda agent: gross.append(float(agent.state.head[0].gross)))
    assert agent.state.head[0].gross_limit == 50.0
    assert 0.0 < max(gross) < 60.0  # what was entered below the cap may rise
    assert max(gross) < played().result.equities["gross"].max()


def test_what_is_no_command_is_put_aside_and_told(place: Place) -> None:
    agent = start(place, cast(), clock=clock, reserve=0)
    folder = place.anchor.parent / INBOX
    folder.mkdir()
    (folder / "00-x.json").write_text("{")
    (folder / "01-y.json").write_text('{"id":"1","command":"buy","operator":"o","reason":"r","asked_ns":1}')
    inbox = Inbox(place)
    assert inbox.waiting() == []
    assert sorted(one.name for one in (folder / REFUSED).glob("*.json")) == ["00-x.json", "01-y.json"]
    assert "'buy' is no command" in (folder / REFUSED / "01-y.json.txt").read_text()
    assert "truncated" in (folder / REFUSED / "00-x.json.txt").read_text()
    with pytest.raises(UsageError, match="'buy' is no command"):
        told(place, "buy")
    agent.journal.abandon()


def test_two_processes_on_one_agent_are_one_too_many(place: Place) -> None:
    agent = start(place, cast(), clock=clock, reserve=0)
    with pytest.raises(JournalUnwritable, match="writes this journal"):
        go_on(place, cast(), clock=clock, reserve=0)
    agent.journal.abandon()


def test_sigterm_ends_it_cleanly_and_working_entries_are_given_up(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    one_by_one = msgspec.structs.replace(cast().config, live=cast().config.live._replace(batch=1))
    agent = start(place, cast()._replace(config=one_by_one), clock=clock, reserve=0)

    def working(agent: Agent) -> None:
        if agent.works_on_entries():
            signal.raise_signal(signal.SIGTERM)

    why = paper.run(agent, feed(), 0.0, [Seen(working)])
    assert why == "SIGTERM"
    assert [one["command"] for one in records(place, kinds.COMMAND)] == ["stand down"]
    assert records(place, kinds.ENDED)[0]["why"] == "SIGTERM"
    again = go_on(place, cast(), clock=clock, reserve=0)
    again.take(list(itertools.islice(after(again), 30)))
    assert not (again.state.book["entry_id"] != 0).any()
    again.journal.abandon()
    assert shadow(place).equal


def test_how_it_is_can_be_asked_from_outside(place: Place) -> None:
    agent = start(place, cast(), clock=clock, reserve=0)
    beats = Pulse(agent)
    agent.take(list(feed())[:4000])
    beats.saw(agent, [], [], 0.001)
    beats.write()
    found = read_status(place)
    assert found is not None
    assert found.events == agent.journal.next_event
    assert found.latency_p50_ms == pytest.approx(1.0)
    assert found.synthetic
    agent.journal.abandon()


def test_an_agent_whose_feed_is_quiet_says_that_it_lives(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = start(place, cast(), clock=clock, reserve=0)
    monkeypatch.setattr(pulse, "_EVERY_S", 0.05)
    beats = Pulse(agent)
    first = read_status(place)

    async def look() -> Status | None:
        """What is said some time later, nothing having come."""
        later = first
        while later is not None and first is not None and later.written_ns == first.written_ns:
            await asyncio.sleep(0.01)
            later = read_status(place)
        return later

    async def quiet() -> Status | None:
        beating = asyncio.ensure_future(beats.beside())
        try:
            return await asyncio.wait_for(look(), 20.0)
        finally:
            beating.cancel()

    later = asyncio.run(quiet())
    assert first is not None
    assert later is not None
    assert later.written_ns > first.written_ns
    agent.journal.abandon()


def test_the_pace_is_the_feeds() -> None:
    wall = [0.0]
    source = iter([Moment(1_000_000_000), Moment(61_000_000_000)])
    paced = PacedFeed(source, 0, 60.0, lambda: wall[0])
    assert paced.ready() is None
    wall[0] = 0.1  # six seconds of the feed
    assert paced.now_ns() == 1_000_000_000  # never beyond the next thing it says
    first = paced.ready()
    assert first is not None
    assert first.at_ns == 1_000_000_000
    assert paced.ready() is None
    assert asyncio.run(paced.next(5_000_000_000)) == Moment(5_000_000_000)
    wall[0] = 2.0
    assert asyncio.run(paced.next(1 << 62)) == Moment(61_000_000_000)
    assert asyncio.run(paced.next(1 << 62)) is None
    assert np.isfinite(paced.now_ns())


def test_sigterm_while_it_still_learns_ends_it_cleanly(place: Place) -> None:
    agent = start(place, cast(), clock=clock, reserve=0)

    def early(agent: Agent) -> None:
        assert agent.now_ns < agent.cast.window.start_ns
        signal.raise_signal(signal.SIGTERM)

    assert paper.run(agent, feed(), 600.0, [Seen(early)]) == "SIGTERM"
    assert records(place, kinds.ENDED)[0]["why"] == "SIGTERM"
    again = go_on(place, cast(), clock=clock, reserve=0)
    again.take(list(itertools.islice(after(again), 30)))
    again.journal.abandon()


def test_what_is_learnt_is_taken_at_once_and_the_rest_at_the_pace_asked_for() -> None:
    wall = [100.0]
    source = iter([Moment(at) for at in (1_000, 2_000, 10_000_000_000, 70_000_000_000)])
    paced = PacedFeed(source, 10_000_000_000, 60.0, lambda: wall[0])
    assert asyncio.run(paced.next(1_500)) == Moment(1_000)
    assert asyncio.run(paced.next(1_500)) == Moment(1_500)
    wall[0] = 500.0  # learning took its time, which nothing has to catch up with
    assert paced.ready() == Moment(2_000)
    assert paced.ready() == Moment(10_000_000_000)
    assert paced.ready() is None
    wall[0] = 501.0
    assert paced.ready() == Moment(70_000_000_000)


def test_who_looks_on_and_fails_ends_the_run_but_not_badly(place: Place) -> None:
    agent = start(place, cast(), clock=clock, reserve=0)

    def fails(agent: Agent) -> None:
        raise ZeroDivisionError("drawn badly")

    with pytest.raises(ZeroDivisionError):
        paper.run(agent, feed(), 0.0, [Seen(fails)])
    assert records(place, kinds.ENDED)[0]["why"] == "whoever looks on failed"
    assert shadow(place).equal


def test_what_fails_beside_the_loop_is_told_when_it_has_ended(place: Place) -> None:
    agent = start(place, cast(), clock=clock, reserve=0)

    async def beside() -> None:
        raise ZeroDivisionError("beside")

    with pytest.raises(ZeroDivisionError):
        paper.run(agent, itertools.islice(feed(), 200), 0.0, [], beside)
    assert records(place, kinds.ENDED)[0]["why"] == "end of the feed"
