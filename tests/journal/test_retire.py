"""States that stand for the past, and a past that goes: what stays can be proved, what went was said."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import msgspec
import numpy as np
import pytest
import sqlalchemy as sa
from tests.journal.agents import Agent, rows
from tests.journal.small import START, day, filled

from confidence_engine.domain.errors import JournalDamaged, JournalUnwritable
from confidence_engine.domain.units import DAY_NS, HOUR_NS
from confidence_engine.journal import faults, kinds
from confidence_engine.journal.carry import LIMIT_GATES
from confidence_engine.journal.disk import Disk
from confidence_engine.journal.log import Journal, reopen
from confidence_engine.journal.projector import project, rebuild
from confidence_engine.journal.reader import Place, Reader, place_of
from confidence_engine.journal.retire import last_sealed, retire, seal
from confidence_engine.journal.retired import BULKY, Retired, snapshots_of
from confidence_engine.journal.schema import RECORD
from confidence_engine.journal.tables import RETENTION_NS
from confidence_engine.journal.verify import verify

DAYS = 45
FAR = START + 1000 * DAY_NS
STATE = b"a state of the kernel" * 100


def grown(place: Place) -> Journal:
    """45 days, a state sealed after 20 and one after 40."""
    journal = filled(place, 20, 6)
    seal(journal, STATE, {"day": 20})
    rng = np.random.default_rng(8)
    for k in range(20, DAYS):
        if k == 40:
            seal(journal, STATE + b"40", {"day": 40})
        day(journal, START + k * DAY_NS, rng, 6)
    return journal


def limited(decision: np.void) -> bool:
    """Whether a limit refused it."""
    return any(int(decision["gates"]) >> bit & 1 for bit in LIMIT_GATES.values())


def news(earlier: np.ndarray, asset: int) -> bool:
    """Whether an asset's next decision says something of a limit: it is the first, or the one before was refused."""
    mine = earlier[earlier["asset"] == asset]
    return len(mine) == 0 or limited(mine[-1])


def counted(place: Place) -> dict[int, int]:
    """Records of every kind."""
    found: dict[int, int] = {}
    for one in Reader(place).records():
        found[one.kind] = found.get(one.kind, 0) + 1
    return found


def changed(journal: Journal, statement: sa.Update | sa.Delete | sa.Insert) -> None:
    with journal.engine.begin() as c:
        c.execute(statement)


def test_a_sealed_state_is_found_again(place: Place) -> None:
    journal = filled(place, 2, 6)
    assert last_sealed(Reader(place)) is None
    one = seal(journal, STATE, {"params": "abc"})
    assert one.event == journal.next_event == 36
    assert (one.file, one.sha256) == ("36.snap", hashlib.sha256(STATE).hexdigest())
    assert one.block == journal.last.number - 1
    assert journal.last.prev_hash.hex() == one.head
    again = seal(journal, STATE + b"2", {})
    assert (again.event, again.file) == (36, f"36.{one.block + 1}.snap")
    assert last_sealed(Reader(place)) == (again, STATE + b"2")
    (snapshots_of(place) / again.file).write_bytes(b"torn")
    assert last_sealed(Reader(place)) == (one, STATE)
    assert [fault.what for fault in verify(place).faults] == [faults.CHANGED]
    (snapshots_of(place) / again.file).unlink()
    assert [fault.what for fault in verify(place).faults] == [faults.MISSING]
    journal.close()


def test_what_was_put_is_committed_before_a_state_of_it_is_sealed(place: Place) -> None:
    journal = filled(place, 1, 6)
    journal.put(kinds.COMMAND, journal.next_event - 1, START, payload={"code": "hold"})
    one = seal(journal, STATE, {})
    held = {record.kind: record for record in Reader(place).records()}
    assert held[kinds.CHECKPOINT].id == held[kinds.COMMAND].id + 1
    assert next(Reader(place).blocks(one.block)).end_record == held[kinds.CHECKPOINT].id
    journal.close()


def test_whole_days_behind_the_last_state_go_and_all_else_stays(place: Place) -> None:
    journal = grown(place)
    before, blocks = counted(place), list(Reader(place).blocks())
    decisions = Reader(place).rows(kinds.DECISION)
    told = retire(journal, FAR)
    assert told is not None
    limit = START + (DAYS - 1) * DAY_NS + 5 * (DAY_NS // 24) - RETENTION_NS
    days = [k for k in range(DAYS) if START + (k + 1) * DAY_NS <= limit]
    assert len(told.segments) == len(days) == 14
    assert not any((place.segments / name).exists() for name in told.segments)
    assert len(list(place.segments.glob("*.seg"))) == DAYS - 14
    after = counted(place)
    gone = {kind: before[kind] - after.get(kind, 0) for kind in before}
    assert {kind for kind, n in gone.items() if n} == set(BULKY) - {kinds.DELIVERY}  # a replay keeps none
    assert sum(gone.values()) == told.removed
    assert after[kinds.RETIRED] == 1
    kept = Reader(place).rows(kinds.DECISION, 0, told.end_record)
    were = decisions[: int(np.searchsorted(decisions["seq"], kept["seq"][-1], "right"))]
    stay = [one for k, one in enumerate(were) if one["gates"] == 0 or limited(one) or news(were[:k], one["asset"])]
    assert kept["seq"].tolist() == [int(one["seq"]) for one in stay]
    assert 0 < len(kept) < len(were)
    assert list(Reader(place).blocks())[: len(blocks)] == blocks
    found = verify(place)
    assert (found.faults, found.notes) == ([], [])
    journal.close()
    journal = reopen(place, reserve=0)
    assert retire(journal, FAR) is None
    day(journal, START + (DAYS + 9) * DAY_NS, np.random.default_rng(9), 6)
    more = retire(journal, FAR)
    assert more is not None
    assert more.from_block == told.through_block + 1
    assert verify(place).sound
    journal.close()


def test_nothing_goes_that_no_state_stands_for(place: Place) -> None:
    journal = filled(place, DAYS, 6)
    assert retire(journal, FAR) is None
    seal(journal, STATE, {})
    assert retire(journal, START) is None
    one = retire(journal, START + 3 * DAY_NS)
    assert one is not None
    assert list(one.segments) == ["20260301.seg", "20260302.seg", "20260303.seg"]
    journal.close()


def test_a_state_that_is_not_what_was_sealed_stands_for_nothing(place: Place) -> None:
    journal = filled(place, 5, 6)
    seal(journal, STATE, {})
    rng = np.random.default_rng(8)
    for k in range(5, DAYS):
        day(journal, START + k * DAY_NS, rng, 6)
    seal(journal, STATE + b"later", {})
    (snapshots_of(place) / f"{DAYS * 18}.snap").write_bytes(b"x")
    assert last_sealed(Reader(place)) is not None  # the first one is
    with pytest.raises(JournalDamaged, match="snapshot"):
        retire(journal, FAR)
    assert len(list(place.segments.glob("*.seg"))) == DAYS
    journal.close()


def test_old_snapshots_go_and_the_last_stay(place: Place) -> None:
    journal = filled(place, DAYS, 6)
    for k in range(4):
        seal(journal, STATE + bytes([k]), {})
    last = last_sealed(Reader(place))
    told = retire(journal, FAR, keep=2)
    assert told is not None
    assert len(told.snapshots) == 2
    assert len(list(snapshots_of(place).glob("*.snap"))) == 2
    assert last_sealed(Reader(place)) == last
    assert verify(place).sound
    with pytest.raises(ValueError, match="the last one is needed"):
        retire(journal, FAR, keep=0)
    journal.close()


class Dying(Disk):
    """A disk under a process that dies when it removes its `at`-th file."""

    def __init__(self, at: int) -> None:
        self.left = at

    def remove(self, path: Path) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.EIO, "the process dies here")
        super().remove(path)


@pytest.mark.parametrize("at", [0, 1, 7, 13])
def test_a_death_while_removing_is_finished_by_the_next_start(place: Place, at: int) -> None:
    grown(place).close()
    journal = reopen(place, disk=Dying(at), reserve=0)
    with pytest.raises(JournalUnwritable, match="dies here"):
        retire(journal, FAR)
    journal.abandon()
    found = verify(place)
    assert found.sound
    assert sum("retired and still there" in note for note in found.notes) == 14 - at
    reopen(place, reserve=0).close()
    found = verify(place)
    assert (found.faults, found.notes) == ([], [])
    assert len(list(place.segments.glob("*.seg"))) == DAYS - 14


def test_a_death_before_the_rows_go_is_finished_by_the_next_retirement(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = grown(place)
    before = sum(counted(place).values())
    with monkeypatch.context() as patch:
        patch.setattr("confidence_engine.journal.retired._remove_rows", _dies)
        with pytest.raises(JournalUnwritable):
            retire(journal, FAR)
    assert sum(counted(place).values()) == before + 1
    found = verify(place)
    assert found.sound
    assert any("hold records that are retired and still there" in note for note in found.notes)
    assert retire(journal, FAR) is None
    told = msgspec.json.decode(next(Reader(place).records(kinds.RETIRED)).payload or b"", type=Retired)
    assert sum(counted(place).values()) == before + 1 - told.removed
    assert (verify(place).faults, verify(place).notes) == ([], [])
    journal.close()


def _dies(*_: object) -> None:
    raise OSError(errno.EIO, "the process dies here")


def test_only_what_was_said_may_be_missing(place: Place) -> None:
    journal = grown(place)
    told = retire(journal, FAR)
    assert told is not None
    mine = RECORD.c.name == place.name
    left = [one for one in Reader(place).records(kinds.EQUITY) if one.id < told.end_record]
    changed(journal, sa.delete(RECORD).where(mine, RECORD.c.id == left[3].id))
    block = next(one for one in Reader(place).blocks() if one.first_record <= left[3].id < one.end_record)
    assert [(one.what, one.block) for one in verify(place).faults] == [(faults.CHANGED, block.number)]
    row = {"name": place.name, "block": block.number} | left[3]._asdict()
    changed(journal, sa.insert(RECORD).values(**row))
    assert verify(place).sound
    changed(journal, sa.update(RECORD).where(mine, RECORD.c.id == left[3].id).values(ts_ns=left[3].ts_ns + 1))
    assert [(one.what, one.block) for one in verify(place).faults] == [(faults.CHANGED, block.number)]
    changed(journal, sa.update(RECORD).where(mine, RECORD.c.id == left[3].id).values(ts_ns=left[3].ts_ns))
    later = next(one for one in Reader(place).records(kinds.DOCUMENT) if one.id > told.end_record)
    changed(journal, sa.delete(RECORD).where(mine, RECORD.c.id == later.id))
    assert [(one.what, one.record) for one in verify(place).faults] == [(faults.MISSING, later.id)]
    row = {"name": place.name, "block": None} | later._asdict()
    row["block"] = next(one.number for one in Reader(place).blocks() if one.first_record <= later.id < one.end_record)
    changed(journal, sa.insert(RECORD).values(**row))
    first = sorted(place.segments.glob("*.seg"))[0]
    first.unlink()
    assert [(one.what, one.segment) for one in verify(place).faults] == [(faults.MISSING, first.name)]
    with pytest.raises(JournalDamaged, match="nothing is retired"):
        retire(journal, FAR)
    journal.close()


def test_a_segment_brought_back_from_an_archive_is_checked_as_ever(place: Place, tmp_path: Path) -> None:
    journal = grown(place)
    held = {path.name: path.read_bytes() for path in place.segments.glob("*.seg")}
    told = retire(journal, FAR)
    assert told is not None
    journal.close()
    for name, digest in told.segments.items():
        assert hashlib.sha256(held[name]).hexdigest() == digest
        (place.segments / name).write_bytes(held[name])
    assert verify(place).sound
    name = sorted(told.segments)[2]
    (place.segments / name).write_bytes(held[name][:-1] + b"\xff")
    assert [(one.what, one.segment) for one in verify(place).faults] == [(faults.CHANGED, name)]


@pytest.mark.parametrize("seed", range(3))
def test_the_tables_told_anew_after_it_are_those_from_before(tmp_path: Path, seed: int) -> None:
    agent = Agent(tmp_path, "hybrid", seed)
    agent.live(300, 6 * HOUR_NS)  # 75 days
    seal(agent.journal, STATE, {})
    agent.live(4)
    project(tmp_path)
    before = rows(tmp_path)
    told = retire(agent.journal, FAR)
    agent.close()
    assert told is not None
    assert told.removed > 50
    assert verify(agent.journal.place).sound
    rebuild(tmp_path)
    after = rows(tmp_path)
    assert {name for name in before if name != "cursors" and before[name] != after[name]} == set()
    assert len(before["risk_events"]) > 20


@pytest.mark.parametrize("name", ["../../anchor.json", "/etc/hostname", "20260301.seg/../../x", ".snap", ""])
@pytest.mark.parametrize("part", ["segments", "snapshots"])
def test_no_record_makes_a_start_remove_what_is_no_file_of_a_journal(tmp_path: Path, name: str, part: str) -> None:
    place = place_of(tmp_path, "futures")
    journal = filled(place, 3)
    sealed = seal(journal, b"state", {})
    told = Retired(0, 1, 0, 1, {}, {}, [], [], 5, f"{sealed.file} stands for it")
    told = msgspec.structs.replace(told, **{part: {name: "0"}})
    journal.put(kinds.RETIRED, journal.next_event - 1, 0, payload=msgspec.to_builtins(told))
    journal.close()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(JournalDamaged, match="as a file"):
        reopen(place, reserve=0)
    assert not verify(place).sound
    assert [one for one in sorted(tmp_path.rglob("*")) if "journal.db-" not in one.name] == [
        one for one in before if "journal.db-" not in one.name
    ]
