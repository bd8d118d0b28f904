"""An agent whose rows are on a server lives, ends and is proved as one with a file of its own."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from tests.drivers.test_agent import cast, clock, feed
from tests.journal.conftest import fresh, server

from confidence_engine.domain.errors import JournalUnwritable
from confidence_engine.drivers.agent import go_on, start
from confidence_engine.drivers.shadow import shadow
from confidence_engine.journal.reader import place_of

__all__ = ["fresh", "server"]


def test_one_that_ended_is_let_go_of_twice_and_is_its_own_shadow(fresh: str, tmp_path: Path) -> None:
    """Its stop lets go of the journal, and so does whoever started it."""
    place, coming = place_of(tmp_path / "home", "simulated", fresh), feed()
    agent = start(place, cast(), clock=clock, reserve=0)
    for _ in range(3):
        agent.take(list(itertools.islice(coming, 500)))
    agent.stop("a test")
    agent.journal.abandon()
    with pytest.raises(JournalUnwritable, match="it was let go"):
        agent.take(list(itertools.islice(coming, 500)))  # nobody holds the name's lock for it any more
    found = shadow(place)
    assert found.equal, (found.difference, found.cause)
    assert found.events == agent.journal.last.end_event

    agent = go_on(place, cast(), clock=clock, reserve=0)
    agent.take(list(itertools.islice(coming, 500)))
    agent.journal.abandon()
    agent.journal.abandon()
    assert shadow(place).equal
