"""A shadow finds a run as it is written, and whatever was changed in it."""

from __future__ import annotations

import hashlib
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from tests.drivers.test_agent import cast, clock, feed
from tests.drivers.test_renewal import ALL, config, heard, opened
from tests.simulated import played

from confidence_engine.domain.errors import DataMissing
from confidence_engine.domain.event import BAR, EVENT
from confidence_engine.domain.units import DAY_NS, parse_time
from confidence_engine.drivers import replay
from confidence_engine.drivers import shadow as drivers_shadow
from confidence_engine.drivers.agent import Agent, start
from confidence_engine.drivers.paper import feed_of
from confidence_engine.drivers.scribe import Scribe, begin
from confidence_engine.drivers.shadow import SAID, shadow
from confidence_engine.feeds.delivery import Moment
from confidence_engine.journal import kinds, retire
from confidence_engine.journal.chain import HEADER, Block
from confidence_engine.journal.log import reopen
from confidence_engine.journal.reader import Place, Reader, place_of
from confidence_engine.journal.retired import Retired, seals
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


def changed(place: Place, which: int | None = None) -> None:
    """A bit of one decision, else of the one in the middle."""
    engine = sa.create_engine(f"sqlite:///{place.folder}/journal.db")
    with engine.begin() as c:
        rows = c.execute(sa.text("SELECT id, body FROM record WHERE kind = 20 ORDER BY id")).all()
        at, body = rows[len(rows) // 2 if which is None else which]
        told = {"b": body[:-1] + bytes([body[-1] ^ 1]), "i": at}
        c.execute(sa.text("UPDATE record SET body = :b WHERE id = :i"), told)
    engine.dispose()


@pytest.mark.parametrize("deep", [False, True])
def test_the_shadow_of_a_run_is_the_run(ran: Place, deep: bool) -> None:
    found = shadow(ran, (lambda _: CueReader()) if deep else None)
    assert found.equal, (found.difference, found.cause)
    assert found.state_hash == state_hash(played().result.state)
    assert found.events == played().result.state.head[0].steps
    assert found.sealed >= 3
    assert found.rows > 1000


def test_of_a_part_only_what_was_asked_for_is_told(ran: Place) -> None:
    """The same wherever the state lies from which it is stepped: without one, from the beginning."""
    whole, reader = shadow(ran), Reader(ran)
    since, until = whole.events // 2, whole.events * 3 // 4
    records = [one for one in reader.records(*kinds.ROWS) if since <= one.event < until]
    reader.close()
    decisions = b"".join(one.body for one in records if one.kind == kinds.DECISION)
    some = shadow(ran, since=since, until=until)
    assert some.equal
    assert (some.events, some.rows, some.first_event) == (until - since, len(records), since)
    assert some.decisions_hash == hashlib.sha256(decisions).hexdigest()
    assert 0 < some.sealed < whole.sealed


def test_a_part_may_end_with_what_the_venue_said(ran: Place) -> None:
    """That comes again only with the stored event after it."""
    reader = Reader(ran)
    said = np.flatnonzero(np.isin(np.concatenate(list(reader.events()))["kind"], SAID))
    reader.close()
    assert len(said) > 10
    for at in said[:: len(said) // 3].tolist():
        for deep in (None, lambda _: CueReader()):
            found = shadow(ran, deep, since=at - 100, until=at + 1)
            assert found.equal, (found.difference, found.cause)
            assert found.events == 101


def let_go(place: Place, keep: int, before: str, monkeypatch: pytest.MonkeyPatch) -> Retired:
    """What ended before a day is retired from a journal of some weeks."""
    monkeypatch.setattr(retire, "RETENTION_NS", 4 * DAY_NS)
    journal = reopen(place, reserve=0)
    gone = retire.retire(journal, parse_time(before), keep)
    journal.close()
    assert gone is not None
    return gone


@pytest.mark.parametrize("keep", [2, 8])
def test_what_a_retirement_has_left_is_compared_and_the_rest_is_counted(
    ran: Place, keep: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    whole, place = shadow(ran), copied(ran, tmp_path)
    gone = let_go(place, keep, "2025-01-12", monkeypatch)
    reader = Reader(place)
    left = next(reader.blocks(gone.through_block)).end_event
    sealed = [one.event for _, one in seals(reader) if one.file not in gone.snapshots and one.event >= left]
    reader.close()
    assert 0 < left < min(sealed) < whole.events
    for deep in (None, lambda _: CueReader()):
        found = shadow(place, deep)
        assert found.equal, (found.difference, found.cause)
        assert found.first_event == found.passed_over == min(sealed)
        assert found.events == whole.events - min(sealed)
        assert (found.sealed, found.state_hash) == (len(sealed) - 1, whole.state_hash)
    middle = (min(sealed) + whole.events) // 2
    some = shadow(place, since=middle)
    assert some.equal
    assert (some.events, some.passed_over) == (whole.events - middle, 0)
    with pytest.raises(DataMissing, match=f"before event {left} is retired"):
        shadow(place, since=left, until=min(sealed))


def test_what_was_changed_after_a_retirement_is_found(
    ran: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    place = copied(ran, tmp_path)
    let_go(place, 8, "2025-01-12", monkeypatch)
    changed(place, -1)
    found = shadow(place)
    assert found.difference is not None
    assert found.difference.what == "a decision differs"


def test_an_epoch_whose_beginning_is_retired_is_stepped_from_where_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    place, fed = place_of(tmp_path / "one", "simulated"), heard(ALL)
    began = []
    for trigger, end in ((None, "2025-01-14"), (0.6, "2025-01-23")):
        told = config(ALL, trigger)
        agent = opened(place, told, fed)
        began.append(agent.journal.next_event)
        coming = itertools.takewhile(lambda one: one.at_ns < parse_time(end), feed_of(told, fed, agent.intake.at_ns))  # noqa: B023
        while some := list(itertools.islice(coming, 2000)):
            agent.take(some)
            agent.seal("now and then")
        agent.stop("a test")
    whole = shadow(place)
    assert (whole.epochs, whole.passed_over) == (2, 0)
    cases = [
        (3, "2025-01-10", 1),  # nothing is left to step the first epoch from, nor the second's beginning
        (99, "2025-01-10", 2),
        (99, "2025-01-16", 1),  # the first epoch is gone
    ]
    for k, (keep, before, epochs) in enumerate(cases):
        left = copied(place, tmp_path / str(k))
        let_go(left, keep, before, monkeypatch)
        found = shadow(left)
        assert found.equal, (found.difference, found.cause)
        assert (found.epochs, found.state_hash) == (epochs, whole.state_hash)
        assert 0 < found.first_event == found.passed_over == whole.events - found.events < whole.events
        assert (found.first_event < began[1]) == (epochs == 2)


class Growing(Reader):
    """Before whatever is read more has been committed."""

    agent: Agent
    coming: Iterator[Moment]
    seal = False

    def grow(self) -> None:
        self.agent.take(list(itertools.islice(self.coming, 8)))
        if self.seal:
            self.agent.seal("amid")

    def records(self, *of: int, **said: Any) -> Any:
        self.grow()
        return super().records(*of, **said)

    def events(self, first: int = 0, end: int | None = None) -> Iterator[np.ndarray]:
        self.grow()
        return super().events(first, end)

    def last(self) -> Block:
        found = super().last()
        self.grow()
        return found


@pytest.mark.parametrize(("deep", "seal"), [(False, True), (True, False)])
def test_a_journal_that_grows_meanwhile_is_compared_as_far_as_it_went(
    deep: bool, seal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    place, coming = place_of(tmp_path, "simulated"), feed()
    Growing.agent, Growing.coming, Growing.seal = start(place, cast(), clock=clock, reserve=0), coming, seal
    Growing.agent.take(list(itertools.islice(coming, 1500)))
    before = Growing.agent.journal.next_event
    monkeypatch.setattr(drivers_shadow, "Reader", Growing)
    found = shadow(place, (lambda _: CueReader()) if deep else None)
    assert found.equal, (found.difference, found.cause)
    assert before <= found.events < Growing.agent.journal.next_event
    Growing.agent.journal.abandon()


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
    changed(place)
    found = shadow(place)
    assert found.difference is not None
    assert found.difference.what == "a decision differs"
    assert len(found.difference.fields) == 1
    assert "changed" in found.cause
