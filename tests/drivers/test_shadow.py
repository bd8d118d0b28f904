"""A shadow finds a run as it is written, and whatever was changed in it."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from tests.drivers.test_agent import cast, clock, feed
from tests.simulated import played

from confidence_engine.domain.event import BAR, EVENT
from confidence_engine.drivers import replay
from confidence_engine.drivers.agent import start
from confidence_engine.drivers.scribe import Scribe, begin
from confidence_engine.drivers.shadow import shadow
from confidence_engine.journal.chain import HEADER
from confidence_engine.journal.reader import Place, place_of
from confidence_engine.kernel.state import state_hash
from confidence_engine.text.cues import CueReader


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """An agent's journal, with states sealed on the way."""
    place = place_of(tmp_path_factory.mktemp("agent"), "simulated")
    agent, coming = start(place, cast(), clock=clock, reserve=0), feed()
    for k in itertools.count():
        if not (some := list(itertools.islice(coming, 500))):
            break
        agent.take(some)
        if k % 5 == 4:
            agent.seal("now and then")
    agent.stop("end of the feed")
    return place


def copied(place: Place, folder: Path) -> Place:
    shutil.copytree(place.anchor.parent, folder / "copy")
    return place_of(folder / "copy", place.name)


@pytest.mark.parametrize("deep", [False, True])
def test_the_shadow_of_a_run_is_the_run(ran: Place, deep: bool) -> None:
    found = shadow(ran, (lambda _: CueReader()) if deep else None)
    assert found.equal, (found.difference, found.cause)
    assert found.state_hash == state_hash(played().result.state)
    assert found.events == played().result.state.head[0].steps
    assert found.sealed >= 3
    assert found.rows > 1000


def test_a_part_can_be_shadowed_from_a_sealed_state(ran: Place) -> None:
    whole = shadow(ran)
    some = shadow(ran, since=whole.events // 2, until=whole.events * 3 // 4)
    assert some.equal
    assert whole.events // 4 < some.events < whole.events


def test_the_shadow_of_a_replay_is_the_replay(tmp_path: Path) -> None:
    p, place = played(), place_of(tmp_path, "simulated")
    journal = begin(place, p.config, p.sources.instruments, p.tape.streams, p.window, "replay", True, reserve=0)
    scribe = Scribe(journal, p.config, p.sources, p.readings)
    scribe.end(replay.play(p.config, p.sources.instruments, p.tape.events, keep=scribe.keep), "the end")
    found = shadow(place)
    assert found.equal, (found.difference, found.cause)
    assert found.state_hash == state_hash(p.result.state)


def test_a_changed_bar_is_found_with_its_field_and_cause(ran: Place, tmp_path: Path) -> None:
    place = copied(ran, tmp_path)
    path = sorted(place.segments.iterdir())[8]
    data = bytearray(path.read_bytes())
    events = np.frombuffer(bytes(data[HEADER:]), EVENT).copy()
    k = int(np.flatnonzero(events["kind"] == BAR)[40])
    events["x3"][k] *= 1.0001
    events["x1"][k] = max(events["x1"][k], events["x3"][k])
    path.write_bytes(bytes(data[:HEADER]) + events.tobytes())
    found = shadow(place)
    assert not found.equal
    assert "changed" in found.cause
    assert path.name in found.cause
    deep = shadow(place, lambda _: CueReader())
    assert deep.difference is not None
    assert deep.difference.what == "BAR differs"
    assert "close" in {name for name, _, _ in deep.difference.fields}


def test_a_changed_decision_is_found_with_its_field(ran: Place, tmp_path: Path) -> None:
    place = copied(ran, tmp_path)
    engine = sa.create_engine(f"sqlite:///{place.folder}/journal.db")
    with engine.begin() as c:
        rows = c.execute(sa.text("SELECT id, body FROM record WHERE kind = 20 ORDER BY id")).all()
        at, body = rows[len(rows) // 2]
        c.execute(
            sa.text("UPDATE record SET body = :b WHERE id = :i"), {"b": body[:-1] + bytes([body[-1] ^ 1]), "i": at}
        )
    found = shadow(place)
    assert found.difference is not None
    assert found.difference.what == "a decision differs"
    assert len(found.difference.fields) == 1
    assert "changed" in found.cause
