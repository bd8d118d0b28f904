"""A decision from its journal alone: found at once, the same numbers, and honest about what is gone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import sqlalchemy as sa
from tests.simulated import played

from confidence_engine.domain.errors import DataMissing, JournalDamaged, UsageError
from confidence_engine.domain.order import WHY_ENTRY
from confidence_engine.domain.units import DAY_NS
from confidence_engine.drivers import replay
from confidence_engine.drivers.scribe import Scribe, begin
from confidence_engine.journal import kinds
from confidence_engine.journal.chain import Record
from confidence_engine.journal.database import engine_of
from confidence_engine.journal.epoch import Program
from confidence_engine.journal.log import reopen
from confidence_engine.journal.reader import Place, Reader, place_of
from confidence_engine.journal.retire import retire
from confidence_engine.journal.schema import RECORD
from confidence_engine.report.why import agents_of, reconstruct, split_id


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    p = played()
    found = place_of(tmp_path_factory.mktemp("home") / "agents/futures", "futures")
    journal = begin(found, p.config, p.sources.instruments, p.tape.streams, p.window, "agent", True, reserve=0)
    scribe = Scribe(journal, p.config, p.sources, p.readings, sealed=True)
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


def test_what_was_retired_is_said(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("confidence_engine.journal.retire.RETENTION_NS", 2 * DAY_NS)  # the world is no month long
    mine = copied(place, tmp_path)
    decisions = played().result.decisions
    journal = reopen(mine, reserve=0)
    told = retire(journal, 1 << 62)
    journal.close()
    assert told is not None
    layout = Reader(mine).epochs().layout(kinds.DECISION, 0)
    left = {int(np.frombuffer(one.body, layout)["seq"][0]) for one in Reader(mine).records(kinds.DECISION)}
    (gone, *_) = [seq for seq in decisions["seq"].tolist() if seq not in left]
    with pytest.raises(DataMissing, match="was retired"):
        reconstruct(mine, gone)
    last = next(Reader(mine).blocks(told.through_block)).end_record
    kept = [int(seq) for seq in entered()["seq"] if reconstruct(place, int(seq))["proof"]["record"] < last]
    found = reconstruct(mine, kept[0])  # its block lost records, and what is left is still proved
    assert found["headlines"] == []
    assert "headlines may be missing" in found["missing"][0]
    assert f"up to block {told.through_block}" in found["retired"][0]
    assert found["numbers"] == reconstruct(place, kept[0])["numbers"]
    newest = reconstruct(mine, int(entered()[-1]["seq"]))
    assert newest["headlines"] == reconstruct(place, int(entered()[-1]["seq"]))["headlines"]
    record = found["proof"]["record"]
    change(mine, sa.update(RECORD).where(RECORD.c.id == record).values(ts_ns=1))
    with pytest.raises(JournalDamaged, match="is not what was committed"):
        reconstruct(mine, kept[0])


def copied(place: Place, folder: Path) -> Place:
    """A copy that may be changed."""
    shutil.copytree(place.anchor.parent, folder / "futures")
    return place_of(folder / "futures", "futures")


def change(place: Place, statement: Any) -> None:
    """A change of the rows behind the journal's back."""
    engine = engine_of(place.database)
    with engine.begin() as c:
        assert c.execute(statement).rowcount == 1
    engine.dispose()


def test_a_decision_of_a_later_program_is_read_by_its_layout(place: Place, tmp_path: Path) -> None:
    mine = copied(place, tmp_path)
    row = played().result.decisions[-1]
    names = ["learnt", *reversed(row.dtype.names or ())]
    newer = np.zeros(1, [("learnt", "<f8"), *((name, row.dtype[name].str) for name in names[1:])])
    for name in names[1:]:
        newer[name] = row[name]
    newer["seq"], newer["learnt"] = row["seq"] + 1, 0.25
    journal = reopen(mine, reserve=0)
    event, layouts = journal.next_event - 1, Reader(mine).genesis().layouts
    layouts |= {"DECISION": [[name, newer.dtype[name].str] for name in names]}
    later = Program(1, 9, "a later revision", layouts, {"numpy": "9"})
    journal.put(kinds.UPGRADE, event, 1, payload=msgspec.to_builtins(later))
    journal.put(kinds.DECISION, event, 1, newer.tobytes())
    journal.close()
    before, found = reconstruct(mine, int(row["seq"])), reconstruct(mine, int(row["seq"]) + 1)
    assert found["numbers"] == before["numbers"] | {"seq": row["seq"] + 1, "learnt": 0.25}
    assert (found["code"], found["versions"]) == ("a later revision", {"numpy": "9"})
    assert before["code"] == reconstruct(place, int(row["seq"]))["code"] != found["code"]


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


@pytest.mark.parametrize("kind", [
    kinds.GENESIS, kinds.PARAMS, kinds.INSTRUMENT, kinds.DOCUMENT, kinds.DECISION, kinds.INTENT, kinds.ENTRY,
])  # fmt: skip
@pytest.mark.parametrize("how", ["value", "cut short"])
def test_whatever_it_shows_is_proved(place: Place, tmp_path: Path, kind: int, how: str) -> None:
    """A record of any kind that it rests on, changed by hand, is no answer and no traceback."""
    mine = copied(place, tmp_path)
    seq = next(int(row["seq"]) for row in entered() if reconstruct(place, int(row["seq"]))["headlines"])
    decided = reconstruct(mine, seq)["proof"]["record"]
    back = kind in (kinds.GENESIS, kinds.PARAMS, kinds.INSTRUMENT, kinds.DOCUMENT)
    near = {"end": decided + 1, "backwards": True} if back else {"first": decided}
    record = next(one for one in Reader(mine).records(kind, **near) if kind != kinds.INSTRUMENT or fits(one, seq))
    column = "payload" if record.payload else "body"
    held = record.payload or record.body
    wrong = held[:-1] if how == "cut short" else held[:-8] + bytes([held[-8] ^ 1]) + held[-7:]
    change(mine, sa.update(RECORD).where(RECORD.c.id == record.id).values({column: wrong}))
    with pytest.raises(JournalDamaged, match=r"is not what was committed|bytes long|cannot be read"):
        reconstruct(mine, seq)


def fits(record: Record, seq: int) -> bool:
    """Whether an instrument is the decision's."""
    decisions = played().result.decisions
    asset = int(decisions["asset"][decisions["seq"] == seq][0])
    return bool(msgspec.json.decode(record.payload or b"")["asset"] == asset)
