"""What a replay writes into its journal: all of it, in the order stepped, enough to run it again."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from tests.simulated import played

from confidence_engine.domain.event import CANCELLED, EVENT, FILL, LIQUIDATION, REJECT
from confidence_engine.domain.params import params_record
from confidence_engine.domain.units import DAY_NS
from confidence_engine.drivers import replay
from confidence_engine.drivers.loop import run
from confidence_engine.drivers.scribe import Scribe, begin
from confidence_engine.drivers.snapshot import restore
from confidence_engine.journal import kinds
from confidence_engine.journal.reader import Place, Reader, place_of
from confidence_engine.journal.retire import last_sealed
from confidence_engine.journal.verify import verify
from confidence_engine.kernel.out import clear, new_out
from confidence_engine.kernel.state import state_hash

SAID = (FILL, REJECT, CANCELLED, LIQUIDATION)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, replay.Result]:
    """The journal of the simulated world's replay, and the replay."""
    p = played()
    place = place_of(tmp_path_factory.mktemp("run"), p.config.agent.name)
    journal = begin(place, p.config, p.sources.instruments, p.tape.streams, p.window, "replay", True, reserve=0)
    scribe = Scribe(journal, p.config, p.sources, p.readings, sealed=True)
    result = replay.play(p.config, p.sources.instruments, p.tape.events, keep=scribe.keep)
    scribe.end(result, "end of the replay")
    return place, result


def test_keeping_a_journal_changes_nothing(written: tuple[Place, replay.Result]) -> None:
    _, result = written
    assert state_hash(result.state) == state_hash(played().result.state)
    assert result.decisions.tobytes() == played().result.decisions.tobytes()


def test_every_row_of_the_run_is_in_it_once_and_in_order(written: tuple[Place, replay.Result]) -> None:
    place, result = written
    reader = Reader(place)
    for kind, rows in (
        (kinds.DECISION, result.decisions), (kinds.INTENT, result.intents), (kinds.ENTRY, result.entries),
        (kinds.EQUITY, result.equities), (kinds.MARKED, result.marks), (kinds.LESSON, result.lessons),
    ):  # fmt: skip
        assert reader.rows(kind).tobytes() == rows.tobytes(), kinds.KIND_NAMES[kind]
        assert len(rows) > 0, f"{kinds.KIND_NAMES[kind]} is not tested by a run that has none"
    ids = [(one.id, one.event) for one in reader.records()]
    assert [one for one, _ in ids] == list(range(len(ids)))
    assert (np.diff([event for _, event in ids]) >= 0).all()


def test_its_events_are_the_tape_with_what_the_venue_said(written: tuple[Place, replay.Result]) -> None:
    place, result = written
    events = np.concatenate(list(Reader(place).events()))
    said = np.isin(events["kind"], SAID)
    assert events[~said].tobytes() == played().tape.events.tobytes()
    assert len(events) == int(result.state.head[0].steps)
    assert said.sum() > 0
    assert (np.diff(events["ts_known"]) >= 0).all()
    fills = result.entries[result.entries["kind"] == FILL]
    at = events[fills["event"]]  # a row names the very event that made it
    assert (at["kind"] == FILL).all()
    assert (at["x0"] == fills["order_id"]).all()
    assert (at["x2"] == fills["lots"]).all()


def test_run_again_from_the_journal_alone_it_ends_in_the_same_state(written: tuple[Place, replay.Result]) -> None:
    place, result = written
    events = np.concatenate(list(Reader(place).events()))
    stored = events[~np.isin(events["kind"], SAID)]
    p = played()
    state, venue = replay.initial(p.config, p.sources.instruments)
    out = new_out(len(p.sources.instruments))
    records = params_record(p.config.kernel), params_record(p.config.sim)
    at, heard = 0, []
    while at < len(stored):
        at = int(run(state, venue, stored[: at + 10_000], at, *records, out))
        heard.append(out.heard[: out.head[0].heard].copy())
        clear(out)
    assert state_hash(state) == state_hash(result.state)
    assert np.concatenate(heard).tobytes() == events[np.isin(events["kind"], SAID)].tobytes()


def test_its_first_block_says_who_it_is(written: tuple[Place, replay.Result]) -> None:
    place, _ = written
    reader, p = Reader(place), played()
    genesis = reader.genesis()
    assert (genesis.agent, genesis.run, genesis.synthetic) == (p.config.agent.name, "replay", True)
    assert genesis.journal == str(reader.uuid)
    first = list(reader.records(end=next(reader.blocks()).end_record))
    params = msgspec.json.decode(next(one.payload for one in first if one.kind == kinds.PARAMS) or b"")
    assert params["hash"] == p.config.hash
    assert params["config"] == msgspec.json.decode(msgspec.json.encode(p.config.tree()))
    told = [msgspec.json.decode(one.payload or b"")["symbol"] for one in first if one.kind == kinds.INSTRUMENT]
    assert told == [one.symbol for one in p.sources.instruments]
    streams = [msgspec.json.decode(one.payload or b"")["name"] for one in first if one.kind == kinds.STREAM]
    assert tuple(streams) == p.tape.streams.names


def test_every_document_stands_before_the_signal_that_it_became(written: tuple[Place, replay.Result]) -> None:
    place, _ = written
    reader = Reader(place)
    events = np.concatenate(list(reader.events()))
    documents = list(reader.records(kinds.DOCUMENT))
    assert len(documents) == len(played().readings.documents)
    for one in documents:
        said = msgspec.json.decode(one.payload or b"")
        assert said["document"]["title"]
        assert events[one.event]["ts_known"] >= one.ts_ns
        assert one.event == 0 or events[one.event - 1]["ts_known"] < one.ts_ns
        assert said["verdict"]["accepted"] == bool(said["heard"])


def test_a_block_holds_one_day(written: tuple[Place, replay.Result]) -> None:
    place, _ = written
    reader = Reader(place)
    for block in reader.blocks():
        if block.events:
            events = np.frombuffer(reader.read(block), EVENT)
            assert len(set((events["ts_known"] // DAY_NS).tolist())) == 1


def test_its_end_is_sealed_and_goes_on_from_there(written: tuple[Place, replay.Result]) -> None:
    place, result = written
    found = last_sealed(Reader(place))
    assert found is not None
    sealed, data = found
    assert sealed.event == int(result.state.head[0].steps)
    p = played()
    state, venue = replay.initial(p.config, p.sources.instruments)
    restore(data, state, venue)
    assert state_hash(state) == state_hash(result.state)
    assert verify(place).sound
