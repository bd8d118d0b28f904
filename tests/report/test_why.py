"""A decision from its journal alone: found at once, the same numbers, and honest about what is gone."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
import sqlalchemy as sa
from tests.simulated import played

from confidence_engine.domain.errors import DataMissing, JournalDamaged, UsageError
from confidence_engine.domain.order import WHY_ENTRY
from confidence_engine.drivers import replay
from confidence_engine.drivers.scribe import Scribe, begin
from confidence_engine.journal import kinds
from confidence_engine.journal.database import engine_of
from confidence_engine.journal.log import reopen
from confidence_engine.journal.reader import Place, Reader, place_of
from confidence_engine.journal.schema import RECORD
from confidence_engine.report.why import agents_of, reconstruct, split_id


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    p = played()
    found = place_of(tmp_path_factory.mktemp("home") / "agents/futures", "futures")
    journal = begin(found, p.config, p.sources.instruments, p.tape.streams, p.window, "agent", True, reserve=0)
    scribe = Scribe(journal, p.config, p.sources, p.readings)
    scribe.end(replay.play(p.config, p.sources.instruments, p.tape.events, keep=scribe.keep), "end")
    return found


def entered() -> np.ndarray:
    decisions = played().result.decisions
    return decisions[decisions["gates"] == 0]


@pytest.mark.parametrize("which", [0, 1, -1])
def test_every_number_is_the_one_that_was_written(place: Place, which: int) -> None:
    row = entered()[which]
    found = reconstruct(place, int(row["seq"]))
    for name, value in found["numbers"].items():
        assert value == row[name] or (value is None and not np.isfinite(row[name])), name
    p = played()
    assert found["symbol"] == p.sources.instruments[int(row["asset"])].symbol
    assert (found["params_hash"], found["params"]["agent"]["name"]) == (p.config.hash, p.config.agent.name)
    assert found["synthetic"] is True
    assert found["action"] == ("buy" if row["side"] > 0 else "sell")


def test_every_decision_can_be_found(place: Place) -> None:
    decisions = played().result.decisions
    rng = np.random.default_rng(5)
    for k in (0, len(decisions) - 1, *rng.integers(0, len(decisions), 30)):
        found = reconstruct(place, int(decisions["seq"][k]))
        assert found["numbers"]["ts_ns"] == decisions["ts_ns"][k]
        assert found["numbers"]["gates"] == decisions["gates"][k]


def test_orders_and_money_are_those_of_the_decision_and_of_no_other(place: Place) -> None:
    result = played().result
    for row in entered()[:20]:
        found = reconstruct(place, int(row["seq"]))
        orders = result.intents[result.intents["decision"] == row["seq"]]
        money = result.entries[result.entries["decision"] == row["seq"]]
        assert [one["order"] for one in found["orders"]] == orders["order_id"].tolist()
        assert [one["lots"] for one in found["money"]] == money["lots"].tolist()
        assert orders["why"][0] == WHY_ENTRY


def test_the_headline_that_leads_is_among_those_shown(place: Place) -> None:
    p = played()
    for row in entered()[:20]:
        found = reconstruct(place, int(row["seq"]))
        leading = [one for one in found["headlines"] if one["leads"]]
        assert leading
        assert {one["cluster"] for one in leading} == {int(row["lead"])}
        titles = {one.title for one in p.readings.documents}
        assert {one["title"] for one in found["headlines"]} <= titles
        assert all(one["known"] <= found["at"] for one in found["headlines"])


def test_the_block_it_names_holds_it(place: Place) -> None:
    reader = Reader(place)
    for row in entered()[:5]:
        proof = reconstruct(place, int(row["seq"]))["proof"]
        block = reader.block_of(proof["record"])
        assert (block.number, block.hash.hex()) == (proof["block"], proof["block_hash"])
        assert block.first_event <= proof["event"] < block.end_event
        event = next(reader.events(proof["event"], proof["event"] + 1))[0]
        assert event["ts_known"] == row["ts_ns"]


def test_what_is_not_there_is_said(place: Place) -> None:
    last = int(played().result.decisions["seq"][-1])
    with pytest.raises(DataMissing, match=f"the journal goes to futures:{last}"):
        reconstruct(place, last + 1)
    with pytest.raises(DataMissing, match="there is no decision futures:0"):
        reconstruct(place, 0)


def test_what_was_retired_is_said(place: Place, tmp_path: Path) -> None:
    shutil.copytree(place.anchor.parent, tmp_path / "futures")
    mine = place_of(tmp_path / "futures", "futures")
    decisions = played().result.decisions
    refused = decisions[decisions["gates"] != 0]
    journal = reopen(mine, reserve=0)
    through = journal.last.number
    gone = ["document", "decision"]
    said = {"through_block": through, "kinds": gone, "segments": {}}
    journal.put(kinds.RETIRED, journal.next_event - 1, 0, payload=said)
    journal.close()
    engine = engine_of(mine.database)
    with engine.begin() as c:
        c.execute(sa.delete(RECORD).where(RECORD.c.kind == kinds.DOCUMENT))
    engine.dispose()
    found = reconstruct(mine, int(entered()[-1]["seq"]))
    assert found["headlines"] == []
    assert "headlines may be missing" in found["missing"][0]
    assert f"(document, decision) up to block {through}" in found["retired"][0]
    engine = engine_of(mine.database)
    with engine.begin() as c:
        first = next(r.id for r in Reader(mine).records(kinds.DECISION))
        c.execute(sa.delete(RECORD).where(RECORD.c.id == first))
    engine.dispose()
    with pytest.raises(DataMissing, match="was retired"):
        reconstruct(mine, int(refused["seq"][0]))


def test_ids() -> None:
    assert split_id("futures:12", ["hybrid", "futures"]) == ("futures", 12)
    assert split_id("12", ["hybrid"]) == ("hybrid", 12)
    for text, agents in (("12", ["a", "b"]), ("futures:x", ["futures"]), ("", ["futures"])):
        with pytest.raises(UsageError):
            split_id(text, agents)


def test_no_journal_at_all_is_missing_data() -> None:
    with pytest.raises(DataMissing, match="no agent here has a journal"):
        split_id("12", [])


def test_agents_are_those_with_a_journal(place: Place, tmp_path: Path) -> None:
    assert agents_of(place.anchor.parents[2]) == ["futures"]
    (tmp_path / "agents/empty").mkdir(parents=True)
    assert agents_of(tmp_path) == []


def test_it_needs_nothing_but_json(place: Place) -> None:
    msgspec.json.encode(reconstruct(place, int(entered()[0]["seq"])))


def test_a_changed_block_proves_nothing(place: Place, tmp_path: Path) -> None:
    shutil.copytree(place.anchor.parent, tmp_path / "futures")
    mine = place_of(tmp_path / "futures", "futures")
    seq = int(entered()[0]["seq"])
    record = reconstruct(mine, seq)["proof"]["record"]
    body = next(one.body for one in Reader(mine).records(kinds.DECISION) if one.id == record)
    engine = engine_of(mine.database)
    with engine.begin() as c:
        changed = body[:-8] + np.float64(9.0).tobytes()
        c.execute(sa.update(RECORD).where(RECORD.c.id == record).values(body=changed))
    engine.dispose()
    with pytest.raises(JournalDamaged, match="is not what was committed"):
        reconstruct(mine, seq)
