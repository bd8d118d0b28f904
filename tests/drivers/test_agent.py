"""An agent fed moment by moment is the replay, byte for byte, and so is one that died and went on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.simulated import played

from confidence_engine.drivers.agent import Agent, Cast, go_on, start
from confidence_engine.drivers.feed import deliveries
from confidence_engine.feeds.delivery import Moment
from confidence_engine.journal import kinds
from confidence_engine.journal.reader import Place, Reader, place_of
from confidence_engine.journal.verify import verify
from confidence_engine.kernel.state import state_hash
from confidence_engine.text.cues import CueReader

COUNT = itertools.count(1)


def clock() -> int:
    return next(COUNT)


def cast() -> Cast:
    p = played()
    return Cast(p.config, p.sources.instruments, CueReader(), p.window, p.sources.sessions, True)


def feed() -> Iterator[Moment]:
    p = played()
    return deliveries(p.sources, p.config.timing, p.window)


def same_as_replay(agent: Agent, place: Place) -> None:
    p, reader = played(), Reader(place)
    assert state_hash(agent.state) == state_hash(p.result.state)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(agent.venue, p.result.venue, strict=True))
    assert reader.rows(kinds.DECISION).tobytes() == p.result.decisions.tobytes()
    assert reader.rows(kinds.INTENT).tobytes() == p.result.intents.tobytes()
    assert reader.rows(kinds.ENTRY).tobytes() == p.result.entries.tobytes()
    stored = np.concatenate(list(reader.events()))
    assert set(p.tape.events.view("S64").tolist()) <= set(stored.view("S64").tolist())
    assert len(stored) == p.result.state.head[0].steps
    assert agent.counts()["judged"] == p.result.judged
    assert agent.counts()["refusals"] == p.result.refusals
    reader.close()


@pytest.mark.parametrize("size", [1, 97])
def test_paper_is_the_replay(tmp_path: Path, size: int) -> None:
    place = place_of(tmp_path, "simulated")
    agent = start(place, cast(), clock=clock, reserve=0)
    coming = feed()
    while some := list(itertools.islice(coming, size)):
        agent.take(some)
    same_as_replay(agent, place)
    agent.stop("end of the feed")
    assert verify(place).sound


def test_one_that_dies_anywhere_goes_on(tmp_path: Path) -> None:
    place = place_of(tmp_path, "simulated")
    agent = start(place, cast(), clock=clock, reserve=0)
    rng, coming = np.random.default_rng(5), feed()
    while some := list(itertools.islice(coming, int(rng.integers(1, 400)))):
        what = rng.random()
        if what < 0.5:
            agent.take(some)
            if what < 0.2:
                agent.checkpoint()
            elif what < 0.25:
                agent.seal("because")
            continue
        if what < 0.75:
            agent.take(some)
            coming = feed_after(agent.now_ns)
        else:  # what was not committed never was
            coming = itertools.chain(some, coming)
        agent.journal.abandon()
        agent = go_on(place, cast(), clock=clock, reserve=0)
    same_as_replay(agent, place)
    agent.stop("end of the feed")
    assert verify(place).sound


def feed_after(now_ns: int) -> Iterator[Moment]:
    return (one for one in feed() if one.at_ns > now_ns)
