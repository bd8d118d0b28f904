"""A decision from its journal alone: found at once, the same numbers, and honest about what is gone."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import sqlalchemy as sa
from tests.simulated import played

from confidence_engine.domain.errors import DataMissing, JournalDamaged, UsageError
from confidence_engine.domain.order import WHY_ENTRY
from confidence_engine.domain.units import DAY_NS, format_time
from confidence_engine.drivers import replay
from confidence_engine.drivers.scribe import Scribe, begin
from confidence_engine.journal import kinds
from confidence_engine.journal.anchor import read_anchor
from confidence_engine.journal.chain import Block, Record, block_hash, records_hash
from confidence_engine.journal.database import engine_of
from confidence_engine.journal.epoch import Program
from confidence_engine.journal.log import Journal, reopen
from confidence_engine.journal.reader import Place, Reader, place_of
from confidence_engine.journal.retire import retire
from confidence_engine.journal.schema import BLOCK, RECORD
from confidence_engine.report.why import agents_of, reconstruct, split_id


def written(home: Path, every: int | None = None, silent: bool = False) -> Place:
    """The world's run as a journal; a block of every so many records, without the documents where it is silent."""
    p = played()
    found = place_of(home / "agents/futures", "futures")
    journal = begin(found, p.config, p.sources.instruments, p.tape.streams, p.window, "agent", True, reserve=0)
    scribe = Scribe(journal, p.config, p.sources, p.readings, sealed=True)
    if silent:
        scribe._documents.clear()
    if every is not None:
        journal.put = often(journal, every)  # type: ignore[method-assign]
    scribe.end(replay.play(p.config, p.sources.instruments, p.tape.events, keep=scribe.keep), "end")
    return found


def often(journal: Journal, every: int) -> Callable[..., Any]:
    """Its `put`, which commits every so many records."""
    put, count = journal.put, itertools.count(1)

    def both(*entry: Any, **more: Any) -> None:
        put(*entry, **more)
        if next(count) % every == 0:
            journal.commit()

    return both


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return written(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def fine(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return written(tmp_path_factory.mktemp("fine"), every=20)


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
    for text, agents in (
        ("12", ["a", "b"]), ("futures:x", ["futures"]), ("", ["futures"]), ("futures:" + "9" * 5000, ["futures"]),
        ("9" * 5000, ["futures"]),
    ):  # fmt: skip
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
    with pytest.raises(JournalDamaged, match=r"is not what was committed|genesis record cannot be read"):
        reconstruct(mine, seq)


def fits(record: Record, seq: int) -> bool:
    """Whether an instrument is the decision's."""
    decisions = played().result.decisions
    asset = int(decisions["asset"][decisions["seq"] == seq][0])
    return bool(msgspec.json.decode(record.payload or b"")["asset"] == asset)


# What was taken away, hashed over or bent


DAMAGED = "is not what was committed"


def led(place: Place) -> tuple[int, dict[str, Any]]:
    """A decision that entered, later than block 2, and what is told of it: headlines, orders and money."""
    for row in entered():
        told = reconstruct(place, int(row["seq"]))
        if len(told["headlines"]) > 1 and told["proof"]["block"] > 2 and told["money"]:
            return int(row["seq"]), told
    raise AssertionError("the world has no such decision")


def drop(place: Place, record: int) -> None:
    change(place, sa.delete(RECORD).where(RECORD.c.id == record))


def block_of(place: Place, record: int) -> Block:
    return Reader(place).block_of(record)


def hash_over(place: Place, first: int, end: int | None = None) -> None:
    """Make the blocks first <= number < end what their records are now, each chained to the one before."""
    reader = Reader(place)
    before = next(reader.blocks(first - 1))
    for block in list(itertools.islice(reader.blocks(first), None if end is None else end - first)):
        held = records_hash(reader.records(first=block.first_record, end=block.end_record))
        prev = block.prev_hash if block.number == first else before.hash
        now = block._replace(records_hash=held, prev_hash=prev)
        before = now._replace(hash=block_hash(reader.uuid, now))
        values = {"records_hash": held, "prev_hash": prev, "hash": before.hash}
        change(place, sa.update(BLOCK).where(BLOCK.c.number == block.number).values(values))


def bend(place: Place, record: int) -> None:
    """Another confidence in a decision's row."""
    reader = Reader(place)
    row = next(reader.records(first=record))
    body = np.frombuffer(row.body, reader.epochs().layout(row.kind, row.id)).copy()
    body["confidence"] += 0.01
    change(place, sa.update(RECORD).where(RECORD.c.id == record).values(body=body.tobytes()))


def alone(place: Place, kind: int) -> tuple[int, int]:
    """A decision, and a record of a kind that is told of it and is the only one told that its block holds."""
    reader = Reader(place)
    epochs, documents = reader.epochs(), {}
    for one in reader.records(kinds.DOCUMENT):
        documents[msgspec.json.decode(one.payload or b"")["document"]["title"], format_time(one.ts_ns)] = one.id
    rows = list(reader.records(kinds.INTENT, kinds.ENTRY))
    of = np.array([np.frombuffer(one.body, epochs.layout(one.kind, one.id))["decision"][0] for one in rows])
    first, count = np.array([(one.first_record, one.number) for one in reader.blocks()]).T
    for seq in entered()["seq"].tolist():
        told = reconstruct(place, seq)
        ids = {documents[one["title"], one["known"]]: kinds.DOCUMENT for one in told["headlines"]}
        ids |= {rows[k].id: rows[k].kind for k in np.flatnonzero(of == seq)}
        read = {*ids, *documents.values(), told["proof"]["record"], 0}
        within = {one: int(count[np.searchsorted(first, one, "right") - 1]) for one in read}
        for one, its in ids.items():
            if its == kind and list(within.values()).count(within[one]) == 1:
                return seq, one
    raise AssertionError(f"no decision has a {kinds.KIND_NAMES[kind]} in a block of its own")


@pytest.mark.parametrize("kind", [kinds.DOCUMENT, kinds.INTENT, kinds.ENTRY])
def test_what_was_taken_out_of_a_block_that_tells_nothing_else_is_missed(
    fine: Place, tmp_path: Path, kind: int
) -> None:  # fmt: skip
    mine = copied(fine, tmp_path)
    seq, record = alone(mine, kind)
    drop(mine, record)
    with pytest.raises(JournalDamaged, match=DAMAGED):
        reconstruct(mine, seq)


def test_whatever_is_taken_out_the_answer_is_the_same_or_none(fine: Place, tmp_path: Path) -> None:
    mine = copied(fine, tmp_path)
    seq, told = led(mine)
    reader, decided, missed = Reader(mine), told["proof"]["record"], 0
    near = [one.id for one in reader.records(kinds.DOCUMENT, end=decided, backwards=True, limit=8)]
    near += [one.id for one in reader.records(kinds.INTENT, kinds.ENTRY, first=decided, limit=8)]
    for record in (*near, *np.random.default_rng(8).integers(0, decided * 2, 6).tolist()):
        (held,) = Reader(mine).records(first=record, end=record + 1)
        drop(mine, record)
        try:
            assert reconstruct(mine, seq) == told
        except JournalDamaged:
            missed += 1
        change(mine, sa.insert(RECORD).values(name="futures", block=0, **held._asdict()))
    assert missed > 5
    assert reconstruct(mine, seq) == told


def test_a_leading_story_without_a_document_is_said(tmp_path: Path) -> None:
    p, mine = played(), written(tmp_path, silent=True)
    row = entered()[0]
    assert row["stories"] > 0
    told = reconstruct(mine, int(row["seq"]))
    assert told["missing"] == [f"the headline that leads: no document of story {row['lead']} stands in this journal"]
    quiet = next(one for one in p.result.decisions if one["stories"] == 0)
    assert reconstruct(mine, int(quiet["seq"]))["missing"] == []


def test_a_leading_story_older_than_what_is_shown_is_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("confidence_engine.report.why.SHOWN_HALF_LIVES", 0.0)
    told = reconstruct(place, int(entered()[0]["seq"]))
    assert told["headlines"] == []
    assert len(told["missing"]) == 1
    assert "before those that are shown" in told["missing"][0]


@pytest.mark.parametrize("how", ["deleted", "of another kind", "of another number"])
def test_a_decision_taken_away_is_no_decision_that_never_was(place: Place, tmp_path: Path, how: str) -> None:
    mine = copied(place, tmp_path)
    seq, told = led(mine)
    record = told["proof"]["record"]
    if how == "deleted":
        drop(mine, record)
    elif how == "of another kind":
        change(mine, sa.update(RECORD).where(RECORD.c.id == record).values(kind=kinds.HEARTBEAT))
    else:
        body = played().result.decisions[played().result.decisions["seq"] == seq].copy()
        body["seq"] = 1 << 40
        change(mine, sa.update(RECORD).where(RECORD.c.id == record).values(body=body.tobytes()))
    with pytest.raises(JournalDamaged, match=DAMAGED):
        reconstruct(mine, seq)


def test_only_what_a_retirement_reached_was_retired(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr("confidence_engine.journal.retire.RETENTION_NS", 2 * DAY_NS)
    mine = copied(place, tmp_path)
    journal = reopen(mine, reserve=0)
    told = retire(journal, 1 << 62)
    journal.close()
    assert told is not None
    last = int(played().result.decisions["seq"][-1])
    for seq in (0, last + 1):
        with pytest.raises(DataMissing, match=f"there is no decision futures:{seq};"):
            reconstruct(mine, seq)
    drop(mine, reconstruct(mine, last - 1)["proof"]["record"])  # younger than all that was retired
    with pytest.raises(JournalDamaged, match=DAMAGED):
        reconstruct(mine, last - 1)


def test_a_block_hashed_over_is_not_the_one_that_the_next_was_chained_to(place: Place, tmp_path: Path) -> None:
    mine = copied(place, tmp_path)
    seq, told = led(mine)
    number = told["proof"]["block"]
    bend(mine, told["proof"]["record"])
    hash_over(mine, number, number + 1)
    with pytest.raises(JournalDamaged, match=rf"block {number} {DAMAGED}: block {number + 1} was chained to another"):
        reconstruct(mine, seq)


def test_a_journal_written_anew_is_seen_at_the_anchor_alone(place: Place, tmp_path: Path) -> None:
    mine = copied(place, tmp_path)
    seq, told = led(mine)
    assert told["proof"]["anchored"] is True
    assert told["missing"] == []
    bend(mine, told["proof"]["record"])
    hash_over(mine, told["proof"]["block"])
    with pytest.raises(JournalDamaged, match=r"the anchor of .* has seen another"):
        reconstruct(mine, seq)
    mine.anchor.unlink()
    unseen = reconstruct(mine, seq)
    assert unseen["proof"]["anchored"] is False
    assert unseen["numbers"]["confidence"] == pytest.approx(told["numbers"]["confidence"] + 0.01)
    assert any("its end is not anchored" in line for line in unseen["missing"])


def test_an_anchor_of_another_journal_or_unreadable_is_told(place: Place, tmp_path: Path) -> None:
    mine = copied(place, tmp_path)
    seq = int(entered()[0]["seq"])
    anchor = read_anchor(mine.anchor)
    assert anchor is not None
    mine.anchor.write_bytes(msgspec.json.encode(msgspec.structs.replace(anchor, journal="another")))
    with pytest.raises(JournalDamaged, match="its anchor is of journal another"):
        reconstruct(mine, seq)
    mine.anchor.write_bytes(msgspec.json.encode(msgspec.structs.replace(anchor, blocks=0)))
    with pytest.raises(JournalDamaged, match="the anchor has seen 0 blocks"):
        reconstruct(mine, seq)
    mine.anchor.write_bytes(b"{")
    with pytest.raises(JournalDamaged, match="not an anchor"):
        reconstruct(mine, seq)


def test_an_end_cut_off_is_seen_at_the_anchor(place: Place, tmp_path: Path) -> None:
    mine = copied(place, tmp_path)
    last = Reader(mine).last()
    engine = engine_of(mine.database)
    with engine.begin() as c:
        c.execute(sa.delete(RECORD).where(RECORD.c.id >= last.first_record))
        c.execute(sa.delete(BLOCK).where(BLOCK.c.number == last.number))
    engine.dispose()
    with pytest.raises(
        JournalDamaged, match=f"it ends at block {last.number - 1}, the anchor has seen {last.number + 1} blocks"
    ):
        reconstruct(mine, int(entered()[0]["seq"]))


def test_a_row_of_the_chain_that_is_gone_is_told(place: Place, tmp_path: Path) -> None:
    mine = copied(place, tmp_path)
    change(mine, sa.delete(BLOCK).where(BLOCK.c.number == Reader(mine).last().number - 1))
    with pytest.raises(JournalDamaged, match="is not there"):
        reconstruct(mine, int(entered()[0]["seq"]))


@pytest.mark.parametrize("how", ["flipped", "cut short", "gone"])
def test_the_events_of_its_block_are_hashed_too(place: Place, tmp_path: Path, how: str) -> None:
    mine = copied(place, tmp_path)
    seq, told = led(mine)
    block = block_of(mine, told["proof"]["record"])
    path = mine.segments / block.segment
    held = bytearray(path.read_bytes())
    held[block.position + 17] ^= 1
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(held if how == "flipped" else held[: block.position + 10])
    with pytest.raises(JournalDamaged, match=rf"{DAMAGED}: .*segment"):
        reconstruct(mine, seq)


def test_what_is_younger_than_the_anchor_is_counted(place: Place, tmp_path: Path) -> None:
    mine = copied(place, tmp_path)
    last = played().result.decisions[-1:].copy()
    last["seq"] += 1
    journal = reopen(mine, reserve=0)
    held = mine.anchor.read_bytes()
    journal.put(kinds.DECISION, journal.next_event - 1, 1, last.tobytes())
    journal.close()
    mine.anchor.write_bytes(held)  # as if the power had gone before the next one
    proof = reconstruct(mine, int(last["seq"][0]))["proof"]
    assert (proof["anchored"], proof["beyond"]) == (True, 1)
    assert reconstruct(mine, int(entered()[0]["seq"]))["proof"]["beyond"] == 0


# Of another type or shape


@pytest.mark.parametrize("over", [False, True])
@pytest.mark.parametrize(("kind", "said"), [
    (kinds.PARAMS, {"hash": "x", "config": {"kernel": {}}}), (kinds.PARAMS, {}), (kinds.PARAMS, []),
    (kinds.PARAMS, {"hash": "x", "config": {"kernel": {"narrative": {"half_life": "soon"}}}}),
    (kinds.INSTRUMENT, {"asset": "first"}), (kinds.DOCUMENT, {"heard": []}), (kinds.DOCUMENT, 5),
    (kinds.DOCUMENT, {"heard": [], "document": {"title": "", "publisher": "", "published_ns": 1 << 90}}),
])  # fmt: skip
def test_a_payload_of_another_shape_is_told(place: Place, tmp_path: Path, kind: int, said: Any, over: bool) -> None:
    """As tampering where it is; as what cannot be read where all was hashed over and nothing is anchored."""
    mine = copied(place, tmp_path)
    seq, told = led(mine)
    near = {"end": told["proof"]["record"], "backwards": True}
    record = next(one for one in Reader(mine).records(kind, **near) if kind != kinds.INSTRUMENT or fits(one, seq))
    change(mine, sa.update(RECORD).where(RECORD.c.id == record.id).values(payload=msgspec.json.encode(said)))
    if over:
        hash_over(mine, block_of(mine, record.id).number)
        mine.anchor.unlink()
    with pytest.raises(JournalDamaged, match="cannot be read" if over else DAMAGED):
        reconstruct(mine, seq)


def test_a_layout_of_another_sort_is_told(place: Place, tmp_path: Path) -> None:
    """A genesis record that calls a whole number a broken one, or lacks a field that is told in words."""
    for field in ("asset", "gates", "marks"):
        mine = copied(place, tmp_path / field)
        seq, first = int(entered()[0]["seq"]), next(Reader(mine).records(kinds.GENESIS))
        said = msgspec.json.decode(first.payload or b"")
        for entry in said["layouts"]["DECISION"]:
            if entry[0] == field:
                entry[:] = [field, "<f8"] if field == "asset" else [f"{field}_of_old", entry[1]]
        change(mine, sa.update(RECORD).where(RECORD.c.id == 0).values(payload=msgspec.json.encode(said)))
        with pytest.raises(JournalDamaged, match=DAMAGED):
            reconstruct(mine, seq)
        hash_over(mine, 0)
        mine.anchor.unlink()
        with pytest.raises(JournalDamaged, match="cannot be read"):
            reconstruct(mine, seq)


@pytest.mark.parametrize("column", ["ts_ns", "event", "kind"])
@pytest.mark.parametrize("kind", [kinds.DECISION, kinds.DOCUMENT, kinds.PARAMS, kinds.ENTRY])
def test_a_record_of_another_type_is_told(place: Place, tmp_path: Path, kind: int, column: str) -> None:
    mine = copied(place, tmp_path)
    seq, told = led(mine)
    near = {"first": told["proof"]["record"]} if kind in (kinds.DECISION, kinds.ENTRY) else {
        "end": told["proof"]["record"], "backwards": True,
    }  # fmt: skip
    record = next(Reader(mine).records(kind, **near))
    change(mine, sa.text(f"UPDATE record SET {column} = 'abc' WHERE id = {record.id}"))
    with pytest.raises(JournalDamaged):
        reconstruct(mine, seq)


@pytest.mark.parametrize("whose", ["its own", "the newest"])
@pytest.mark.parametrize("value", ["'abc'", "9223372036854775807", "-1"])
@pytest.mark.parametrize("column", ["events", "position", "first_record", "records"])
def test_a_block_of_other_numbers_is_told(place: Place, tmp_path: Path, column: str, value: str, whose: str) -> None:
    mine = copied(place, tmp_path)
    seq, told = led(mine)
    number = told["proof"]["block"] if whose == "its own" else Reader(mine).last().number
    change(mine, sa.text(f"UPDATE block SET {column} = {value} WHERE number = {number}"))
    with pytest.raises(JournalDamaged):
        reconstruct(mine, seq)
    if value != "'abc'":
        values = {"hash": block_hash(Reader(mine).uuid, next(Reader(mine).blocks(number)))}
        change(mine, sa.update(BLOCK).where(BLOCK.c.number == number).values(values))
        mine.anchor.unlink()
        try:  # the newest holds nothing that is told, and nothing proves it: then the answer stands, and says so
            again = reconstruct(mine, seq)
        except JournalDamaged:
            return
        assert whose == "the newest"
        assert again["numbers"] == told["numbers"]
        assert any("its end is not anchored" in line for line in again["missing"])


def test_a_genesis_record_of_no_text_is_told(place: Place, tmp_path: Path) -> None:
    mine = copied(place, tmp_path)
    change(mine, sa.update(RECORD).where(RECORD.c.id == 0).values(payload=b'{"agent": "\xff\xfe"}'))
    with pytest.raises(JournalDamaged, match=DAMAGED):
        reconstruct(mine, int(entered()[0]["seq"]))
