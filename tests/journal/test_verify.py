"""A journal that somebody laid hands on: what a check says of it, and where; rows in SQLite and on a server."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psycopg
import pytest
from tests.journal.small import START, UUID, begun, day, filled, put

from confidence_engine.domain.errors import DataMissing, JournalDamaged, RunError
from confidence_engine.domain.event import EVENT
from confidence_engine.domain.units import DAY_NS
from confidence_engine.journal import database, faults, kinds
from confidence_engine.journal.chain import HEADER, Block, block_hash, events_hash, records_hash
from confidence_engine.journal.disk import Disk
from confidence_engine.journal.faults import Fault
from confidence_engine.journal.log import reopen
from confidence_engine.journal.reader import DATABASE, SERVER, Place, Reader, place_of
from confidence_engine.journal.verify import NOT_ANCHORED, verify

SIZE = EVENT.itemsize
TABLES = ("journal", "block", "record")
ON_SQLITE, ON_SERVER = (
    pytest.mark.parametrize("whole", [one], indirect=True, scope="module") for one in ("sqlite", "postgres")
)
"""Where a thing can be done to one of the two databases only."""


class Case(NamedTuple):
    """A journal to lay hands on, with what it held before."""

    place: Place
    blocks: list[Block]
    rng: np.random.Generator

    def rows(self, statement: str, *values: Any) -> list[Any]:
        """What a hand with the database's own tool does; `?` stands for a value."""
        with hand(self.place) as execute:
            return execute(statement, *values)

    def segment(self, block: Block) -> Path:
        return self.place.segments / block.segment

    def any_block(self) -> Block:
        """One with events, not the last."""
        return self.blocks[int(self.rng.integers(1, len(self.blocks) - 1))]

    def any_record(self) -> int:
        return int(self.rng.integers(0, self.blocks[-1].end_record))

    def block_of(self, record: int) -> Block:
        return next(one for one in self.blocks if one.first_record <= record < one.end_record)


@contextmanager
def hand(place: Place) -> Iterator[Callable[..., list[Any]]]:
    """One transaction of statements on the rows of a journal, past its own code."""
    if place.database.startswith("sqlite"):
        with closing(sqlite3.connect(place.folder / DATABASE)) as lite, lite:
            yield lambda statement, *values: lite.execute(statement, values).fetchall()
        return

    def execute(statement: str, *values: Any) -> list[Any]:
        done = server.execute(statement.replace("?", "%s").encode(), values)
        return done.fetchall() if done.description else []

    with psycopg.connect(place.database) as server:
        yield execute


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A sound journal that nobody writes to."""
    home, url = tmp_path_factory.mktemp("whole") / "futures", None
    if request.param == "postgres":
        url = f"{request.getfixturevalue('server')}/{home.parent.name}"
        administer(url, f"CREATE DATABASE {home.parent.name}")
    place = place_of(home, "futures", url)
    filled(place, 6).close()
    if url:
        administer(url, f"CREATE DATABASE {home.parent.name}_copy TEMPLATE {home.parent.name}")
        with psycopg.connect(f"{url}_copy") as c:
            c.execute("CREATE SCHEMA sound")
            for table in TABLES:
                c.execute(f"ALTER TABLE {table} SET SCHEMA sound".encode())
    return place


def administer(url: str, statement: str) -> None:
    """What concerns a whole database is said in another one of the server."""
    with psycopg.connect(f"{url.rpartition('/')[0]}/postgres", autocommit=True) as c:
        c.execute(statement.encode())


def laid_out(url: str) -> None:
    """The rows as they were written, in place of what was made of them."""
    with psycopg.connect(url) as c:
        for table in TABLES:
            copy = f"CREATE TABLE {table} (LIKE sound.{table} INCLUDING ALL); INSERT INTO {table} TABLE sound.{table}"
            c.execute(f"DROP TABLE IF EXISTS {table}; {copy}".encode())


@pytest.fixture(scope="module")
def blocks(whole: Place) -> list[Block]:
    return list(Reader(whole).blocks())


@pytest.fixture
def case(whole: Place, blocks: list[Block], tmp_path: Path) -> Callable[[int], Case]:
    """A fresh copy, and chance from a seed."""

    def fresh(seed: int) -> Case:
        home, url = tmp_path / "futures", None
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(whole.folder.parent, home)
        if not whole.database.startswith("sqlite"):
            url = f"{whole.database}_copy"
            laid_out(url)
            (home / "journal" / SERVER).write_text(f"{url}\n")
        return Case(place_of(home, "futures", url), blocks, np.random.default_rng(seed))

    return fresh


# The tamperings. Each changes a journal and says what a check must find: whether a fault is the right one.

Right = Callable[[Fault], bool]


def edit_event(case: Case) -> Right:
    """One byte of one event."""
    block = case.any_block()
    k = int(case.rng.integers(block.events))
    at = block.position + k * SIZE + int(case.rng.integers(SIZE))
    data = bytearray(case.segment(block).read_bytes())
    data[at] ^= int(case.rng.integers(1, 256))
    case.segment(block).write_bytes(data)
    return lambda fault: (
        fault.what in (faults.CHANGED, faults.REORDERED)
        and (fault.block, fault.segment) == (block.number, block.segment)
        and block.position <= (fault.byte or 0) < block.position + block.events * SIZE
        and block.first_event <= (fault.event or 0) < block.end_event
    )


def edit_record(case: Case) -> Right:
    """One column of one record."""
    record = case.any_record()
    kind, ts, body, payload = case.rows("select kind, ts_ns, body, payload from record where id = ?", record)[0]
    column = str(case.rng.choice(["kind", "ts_ns", "event", "block", "payload" if payload else "body"]))
    old = {"kind": kind, "ts_ns": ts, "body": body, "payload": payload}.get(column)
    new: Any
    if column in ("body", "payload"):
        changed = bytearray(old)
        changed[int(case.rng.integers(len(changed)))] ^= int(case.rng.integers(1, 256))
        new = bytes(changed) if case.rng.random() < 0.8 else None if column == "payload" else "typed by hand"
    elif column == "kind":
        new = int(case.rng.choice([one for one in [*kinds.KIND_NAMES, 7, 99] if one != kind]))
    else:
        new = case.rows(f"select {column} from record where id = ?", record)[0][0] + int(case.rng.choice([-1, 1, 1000]))
    case.rows(f"update record set {column} = ? where id = ?", new, record)
    block = case.block_of(record)
    return lambda fault: fault.block == block.number and fault.what in (faults.CHANGED, faults.UNREADABLE)


def delete_record(case: Case) -> Right:
    """One record."""
    record = case.any_record()
    case.rows("delete from record where id = ?", record)
    where = (faults.MISSING, case.block_of(record).number, record)
    return lambda fault: (fault.what, fault.block, fault.record) == where


def insert_record(case: Case) -> Right:
    """One that was never there: behind the last, or moved in."""
    last = case.blocks[-1].end_record
    new = last + int(case.rng.integers(0, 5))
    case.rows(
        "insert into record (name, id, block, event, kind, ts_ns, body, payload) "
        "select name, ?, block, event, kind, ts_ns, body, payload from record where id = ?", new, case.any_record(),
    )  # fmt: skip
    return lambda fault: (fault.what, fault.record) == (faults.FOREIGN, new)


def delete_block(case: Case) -> Right:
    """One block, with or without its records."""
    block = case.any_block()
    case.rows("delete from block where number = ?", block.number)
    if case.rng.random() < 0.5:
        case.rows("delete from record where id >= ? and id < ?", block.first_record, block.end_record)
    return lambda fault: (fault.what, fault.block) == (faults.MISSING, block.number)


def edit_block(case: Case) -> Right:
    """One column of a block's row."""
    block = case.any_block()
    column = str(case.rng.choice([name for name in Block._fields if name != "number"]))
    old = getattr(block, column)
    new: Any = old + int(case.rng.choice([-1, 1, 64, 1 << 40])) if isinstance(old, int) else "20260101.seg"
    if isinstance(old, bytes):
        new = bytes([old[0] ^ 1]) + old[1:]
    case.rows(f"update block set {column} = ? where number = ?", new, block.number)
    return lambda fault: (fault.what, fault.block) == (faults.CHANGED, block.number)


def swap_blocks(case: Case) -> Right:
    """The rows of two neighbours."""
    block = case.any_block()
    for old, new in ((block.number, -5), (block.number + 1, block.number), (-5, block.number + 1)):
        case.rows("update block set number = ? where number = ?", new, old)
    return lambda fault: (fault.what, fault.block) == (faults.REORDERED, block.number)


def swap_payloads(case: Case) -> Right:
    """The payloads, or the bodies, of two records, of one block or of two."""
    column = str(case.rng.choice(["payload", "body"]))
    block = case.any_block()
    kind = kinds.DOCUMENT if column == "payload" else kinds.EQUITY
    found = [row[0] for row in case.rows("select id from record where kind = ? order by id", kind)]
    mine = [one for one in found if block.first_record <= one < block.end_record]
    within = bool(case.rng.random() < 0.5)
    one, two = mine[0], mine[1] if within else next(other for other in found if other not in mine)
    held = [case.rows(f"select {column} from record where id = ?", record)[0][0] for record in (one, two)]
    assert held[0] != held[1]
    for record, value in ((one, held[1]), (two, held[0])):
        case.rows(f"update record set {column} = ? where id = ?", value, record)
    wanted = faults.REORDERED if within else faults.CHANGED
    return lambda fault: (fault.what, fault.block) == (wanted, block.number)


def swap_events(case: Case) -> Right:
    """Two events of one block, or of two."""
    block = case.any_block()
    other = block if case.rng.random() < 0.6 else case.blocks[block.number % (len(case.blocks) - 1) + 1]
    k, m = case.rng.choice(block.events, 2, replace=False)
    first, second = block.position + int(k) * SIZE, other.position + int(m) * SIZE
    one = case.segment(block).read_bytes()[first : first + SIZE]
    two = case.segment(other).read_bytes()[second : second + SIZE]
    assert one != two
    for where, at, data in ((block, first, two), (other, second, one)):
        with case.segment(where).open("r+b") as file:
            file.seek(at)
            file.write(data)
    wanted = (faults.REORDERED,) if other is block else (faults.CHANGED, faults.REORDERED)
    return lambda fault: fault.what in wanted and fault.block == block.number


def segment_gone(case: Case) -> Right:
    """A whole day."""
    block = case.any_block()
    case.segment(block).unlink()
    where = (faults.MISSING, block.segment, min(one.number for one in case.blocks if one.segment == block.segment))
    return lambda fault: (fault.what, fault.segment, fault.block) == where


def segment_foreign(case: Case) -> Right:
    """A file of nobody, or a header of another."""
    if case.rng.random() < 0.5:
        (case.place.segments / "20990101.seg").write_bytes(b"x" * 640)
        return lambda fault: (fault.what, fault.segment) == (faults.FOREIGN, "20990101.seg")
    block = case.any_block()
    with case.segment(block).open("r+b") as file:
        file.seek(int(case.rng.integers(HEADER)))
        file.write(b"\xfe")
    return lambda fault: (fault.what, fault.segment, fault.byte) == (faults.CHANGED, block.segment, 0)


def cut_tail(case: Case) -> Right:
    """The end: of the segment, of the rows, or of both."""
    count = int(case.rng.integers(1, 9))
    first = case.blocks[-count]
    what = int(case.rng.integers(3))
    if what in (0, 2):
        for path in case.place.segments.glob("*.seg"):
            if path.name > first.segment:
                path.unlink()
        with case.segment(first).open("r+b") as file:
            file.truncate(first.position)
    if what in (1, 2):
        case.rows("delete from block where number >= ?", first.number)
        case.rows("delete from record where id >= ?", first.first_record)
    if what == 0 and first.position == HEADER:
        return lambda fault: fault.what == faults.TRUNCATED and fault.segment == first.segment
    return lambda fault: fault.what == faults.TRUNCATED and fault.block == first.number


def rewrite(case: Case) -> Right:
    """Another event or record somewhere, and every hash from there on made anew: a sound chain of the same uuid."""
    block = case.any_block()
    if case.rng.random() < 0.5:
        data = bytearray(case.segment(block).read_bytes())
        data[block.position + 20] ^= 1
        case.segment(block).write_bytes(data)
    else:
        record = int(case.rng.integers(block.first_record, block.end_record))
        case.rows("update record set ts_ns = ts_ns + 1 where id = ?", record)
    chain_anew(case.place, block.number)
    return lambda fault: fault.what == faults.REWRITTEN and fault.block == case.blocks[-1].number


def chain_anew(place: Place, first: int) -> None:
    """What who can write everything but the anchor can do."""
    reader = Reader(place)
    found = list(reader.blocks())
    prev = found[first].prev_hash
    with hand(place) as execute:
        for block in found[first:]:
            records = reader.records(first=block.first_record, end=block.end_record)
            new = block._replace(
                events_hash=events_hash(reader.read(block)), records_hash=records_hash(records), prev_hash=prev
            )
            prev = block_hash(uuid.UUID(UUID), new)
            execute(
                "update block set events_hash = ?, records_hash = ?, prev_hash = ?, hash = ? where number = ?",
                new.events_hash, new.records_hash, new.prev_hash, prev, block.number,
            )  # fmt: skip
    reader.engine.dispose()


TAMPERINGS: list[tuple[Callable[[Case], Right], int]] = [
    (edit_event, 30), (edit_record, 30), (delete_record, 15), (insert_record, 5), (delete_block, 15), (edit_block, 15),
    (swap_blocks, 5), (swap_payloads, 20), (swap_events, 15), (segment_gone, 5), (segment_foreign, 5), (cut_tail, 20),
    (rewrite, 20),
]  # fmt: skip


def test_there_are_two_hundred() -> None:
    assert sum(count for _, count in TAMPERINGS) == 200


@pytest.mark.parametrize(("tampering", "count"), TAMPERINGS, ids=lambda one: getattr(one, "__name__", None))
def test_every_tampering_is_caught_where_it_is(
    tampering: Callable[[Case], Right], count: int, case: Callable[[int], Case]
) -> None:
    for seed in range(count):
        one = case(seed)
        right = tampering(one)
        found = verify(one.place)
        assert any(map(right, found.faults)), f"{tampering.__name__} {seed}: {found.faults}"


def test_a_journal_as_it_was_written_has_no_fault(whole: Place, blocks: list[Block]) -> None:
    found = verify(whole)
    assert (found.faults, found.notes) == ([], [])
    assert found.blocks == found.anchored == len(blocks) == 25
    assert (found.events, found.records) == (blocks[-1].end_event, blocks[-1].end_record) == (432, 701)
    assert found.head == blocks[-1].hash.hex()
    assert found.uuid == UUID
    assert found.read > 432 * SIZE


def test_a_rewrite_cannot_be_seen_without_an_anchor_and_that_is_said(case: Callable[[int], Case]) -> None:
    one = case(3)
    rewrite(one)
    one.place.anchor.unlink()
    found = verify(one.place)
    assert found.sound
    assert found.notes == [NOT_ANCHORED]
    assert found.anchored == 0


def test_the_rewritten_middle_breaks_the_link_after_it(case: Callable[[int], Case]) -> None:
    one = case(0)
    block = one.blocks[9]
    new = block._replace(committed_ns=block.committed_ns + 1)
    one.rows(
        "update block set committed_ns = ?, hash = ? where number = 9",
        new.committed_ns, block_hash(uuid.UUID(UUID), new),
    )  # fmt: skip
    assert [(fault.what, fault.block) for fault in verify(one.place).faults] == [(faults.REWRITTEN, 9)]


@pytest.mark.parametrize("column", [name for name in Block._fields if name not in ("number", "committed_ns")])
def test_an_edited_row_is_told_by_its_field_and_alone(column: str, case: Callable[[int], Case]) -> None:
    one = case(0)
    old = getattr(one.blocks[6], column)
    new = old + 64 if isinstance(old, int) else "20260101.seg" if isinstance(old, str) else bytes(32)
    one.rows(f"update block set {column} = ? where number = 6", new)
    found = verify(one.place).faults
    assert [(fault.what, fault.block, fault.where) for fault in found] == [
        (faults.CHANGED, 6, f"row of block 6: {column}")
    ]


def test_a_segment_that_cannot_be_read_is_a_fault(case: Callable[[int], Case]) -> None:
    one = case(0)
    segment = one.segment(one.any_block())
    segment.unlink()
    segment.mkdir()
    (segment / "something").write_bytes(bytes(1 << 20))
    found = verify(one.place)
    assert any(segment.name in fault.where for fault in found.faults)


@pytest.mark.parametrize("more", ["", ", committed_ns = committed_ns + 1"])
@pytest.mark.parametrize("name", ["", ".", "..", "/dev/full", "20260302.seg/x", "20260302.seg\n", "20260302.SEG"])
def test_a_name_of_no_segment_is_a_fault_and_no_file(name: str, more: str, case: Callable[[int], Case]) -> None:
    one = case(0)
    one.rows(f"update block set segment = ?{more} where number in (4, 6)", name)
    told = "not what its hash says" if more else "segment"
    found = [fault.block for fault in verify(one.place).faults if fault.where == f"row of block {fault.block}: {told}"]
    assert found == [4, 6]


@pytest.mark.parametrize("value", [1 << 60, -(1 << 60), -1, 0])
@pytest.mark.parametrize("column", ["events", "records", "position", "first_event", "first_record"])
def test_a_row_of_nonsense_is_a_fault_and_no_more(column: str, value: int, case: Callable[[int], Case]) -> None:
    one = case(0)
    for block in one.blocks[4:7]:
        one.rows(f"update block set {column} = ? where number = ?", value, block.number)
    assert {4, 5, 6} <= {fault.block for fault in verify(one.place).faults}


@ON_SQLITE
def test_values_typed_by_hand_are_of_another_type(case: Callable[[int], Case]) -> None:
    """A server takes values of its columns' types alone."""
    one = case(0)
    one.rows("update block set events_hash = 'abc', segment = x'07' where number = 3")
    one.rows("update record set body = 'abc', ts_ns = 'today' where id = 30")
    found = verify(one.place).faults
    assert any(fault.block == 3 and "segment, events_hash: of another type" in fault.where for fault in found)
    assert any(fault.record == 30 and "ts_ns, body: of another type" in fault.where for fault in found)


@ON_SQLITE
@pytest.mark.parametrize("place", [0, 1, -1])
def test_a_record_of_another_type_hides_no_other_fault(place: int, case: Callable[[int], Case]) -> None:
    one = case(0)
    before, block = one.blocks[8:10]
    record = range(block.first_record, block.end_record)[place]
    one.rows("update record set body = 'abc' where id = ?", record)
    one.rows("update record set ts_ns = ts_ns + 1 where id = ?", before.first_record)
    found = verify(one.place).faults
    assert {(None, record), (8, before.first_record)} <= {(fault.block, fault.record) for fault in found}
    assert {fault.block for fault in found} <= {None, 8, 9}
    assert {fault.what for fault in found} == {faults.CHANGED}


@ON_SQLITE
@pytest.mark.parametrize(
    ("table", "column", "value"),
    [("record", "ts_ns", "abc"), ("record", "ts_ns", 1.5), ("record", "body", "text"), ("record", "body", 5),
     ("record", "payload", "text"), ("record", "event", "abc"), ("block", "events", "abc"), ("block", "segment", b"x"),
     ("block", "events_hash", "abc"), ("block", "first_record", 0.5), ("block", "position", b"")],
)  # fmt: skip
def test_a_value_of_another_type_is_damage_to_whoever_reads(
    table: str, column: str, value: Any, case: Callable[[int], Case]
) -> None:
    one = case(0)
    number, what = ("id", "record 30") if table == "record" else ("number", "row of block 12")
    one.rows(f"update {table} set {column} = ? where {number} = ?", value, int(what.split()[-1]))
    reader = Reader(one.place)
    with pytest.raises(JournalDamaged, match=f"{what}: {column}: of another type"):
        list(reader.records() if table == "record" else reader.blocks())
    if table == "block":
        one.rows("delete from block where number > 12")
        with pytest.raises(JournalDamaged, match=f"{what}: {column}: of another type"):
            reader.last()


@pytest.mark.parametrize("position", [-(1 << 63), -1, HEADER, 1 << 40, (1 << 63) - 1])
@pytest.mark.parametrize("events", [-(1 << 63), -1, 1 << 30, (1 << 63) - 1])
def test_no_more_is_read_than_there_is(whole: Place, blocks: list[Block], events: int, position: int) -> None:
    size = (whole.segments / blocks[3].segment).stat().st_size
    data = Reader(whole).read(blocks[3]._replace(events=events, position=position))
    assert len(data) == (size - HEADER if position == HEADER and events > 0 else 0)


@pytest.mark.parametrize("name", ["../../anchor.json", "../journal.db", "20260301.seg\n", "", "/etc/passwd"])
def test_what_is_no_segments_name_is_not_opened(whole: Place, blocks: list[Block], name: str) -> None:
    class Blind(Disk):
        def size(self, path: Path) -> int:
            raise AssertionError(path)

        def read(self, path: Path, at: int, count: int) -> bytes:
            raise AssertionError(path)

    assert Reader(whole, Blind()).read(blocks[3]._replace(segment=name, position=0)) == b""


@pytest.mark.parametrize("wrong", [b'{"name":"\xff"}', b'"', b"[]"])
def test_a_genesis_that_cannot_be_read_is_a_fault(wrong: bytes, case: Callable[[int], Case]) -> None:
    one = case(0)
    one.rows("update record set payload = ? where id = 0", wrong)
    reader = Reader(one.place)
    for look in (reader.genesis, reader.epochs):
        with pytest.raises(JournalDamaged, match="the genesis record cannot be read"):
            look()
    assert faults.UNREADABLE in {fault.what for fault in verify(one.place).faults}


def test_a_genesis_that_names_no_id_is_a_fault(case: Callable[[int], Case]) -> None:
    one = case(0)
    ((payload,),) = one.rows("select payload from record where id = 0")
    one.rows("update record set payload = ? where id = 0", payload.replace(UUID.encode(), b"nobody"))
    found = verify(one.place).faults
    assert [(fault.what, fault.block) for fault in found] == [(faults.CHANGED, 0)] * 2


@ON_SQLITE
def test_rows_that_another_program_has_locked_are_not_checked(
    case: Callable[[int], Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = case(0)
    monkeypatch.setattr(database, "BUSY_S", 0.1)
    with closing(sqlite3.connect(one.place.folder / DATABASE)) as other:
        other.execute("pragma locking_mode = exclusive")
        other.execute("update block set events = events where number = 0")
        other.commit()
        for look in (verify, Reader):
            with pytest.raises(RunError, match="its rows are locked by another program"):
                look(one.place)
    assert verify(one.place).sound


def test_whose_journal_it_is_stands_in_three_places(case: Callable[[int], Case]) -> None:
    other = "0" * 8 + UUID[8:]
    one = case(0)
    one.rows("update journal set uuid = ?", other)
    assert [fault.what for fault in verify(one.place).faults] == [faults.CHANGED]
    one = case(0)
    one.place.anchor.write_text(one.place.anchor.read_text().replace(UUID, other))
    assert [fault.what for fault in verify(one.place).faults] == [faults.CHANGED]
    one = case(0)
    one.rows("update journal set created_ns = created_ns + 1")
    assert [fault.what for fault in verify(one.place).faults] == [faults.CHANGED]
    one = case(0)
    one.rows("update journal set uuid = 'no uuid'")
    assert [fault.what for fault in verify(one.place).faults] == [faults.UNREADABLE]


def test_an_edited_anchor_is_a_fault(case: Callable[[int], Case]) -> None:
    for old, new, what in (
        ('"blocks": 25', '"blocks": 24', faults.REWRITTEN),
        ('"blocks": 25', '"blocks": 26', faults.TRUNCATED),
        ('"events": 432', '"events": 433', faults.CHANGED),
        ('"records": 701', '"records": 7', faults.CHANGED),
        ('"head": "', '"head": "0', faults.REWRITTEN),
        ("{", "", faults.UNREADABLE),
    ):
        one = case(0)
        text = one.place.anchor.read_text()
        assert old in text
        one.place.anchor.write_text(text.replace(old, new))
        found = verify(one.place)
        assert [fault.what for fault in found.faults] == [what]
        assert NOT_ANCHORED not in found.notes


def test_what_was_never_committed_is_a_note(case: Callable[[int], Case]) -> None:
    one = case(0)
    last = one.segment(one.blocks[-1])
    last.write_bytes(last.read_bytes() + b"x" * 100)
    later = one.place.segments / "20260401.seg"
    later.write_bytes(last.read_bytes()[:40])
    found = verify(one.place)
    assert found.sound
    assert len(found.notes) == 2
    assert "100 bytes" in found.notes[0]
    first = one.segment(one.blocks[1])
    first.write_bytes(first.read_bytes() + b"x")
    assert [(fault.what, fault.segment) for fault in verify(one.place).faults] == [(faults.FOREIGN, first.name)]


def test_rows_of_another_journal_in_the_file_are_foreign(case: Callable[[int], Case]) -> None:
    """A server's tables are many journals', so there they are none of this one's."""
    one = case(0)
    one.rows("insert into record select 'zzz', id, block, event, kind, ts_ns, body, payload from record where id = 3")
    shared = not one.place.database.startswith("sqlite")
    assert [fault.what for fault in verify(one.place).faults] == ([] if shared else [faults.FOREIGN])


@pytest.mark.parametrize("table", TABLES)
def test_a_table_that_is_gone_is_a_fault(table: str, case: Callable[[int], Case]) -> None:
    one = case(0)
    one.rows(f"drop table {table}")
    found = verify(one.place).faults
    assert {fault.what for fault in found} == {faults.MISSING if table == "journal" else faults.UNREADABLE}


@ON_SERVER
@pytest.mark.parametrize(
    ("table", "column", "kind"),
    [("block", "events_hash", "text"), ("block", "segment", "bytea"), ("block", "first_event", "text"),
     ("block", "records", "numeric"), ("record", "body", "text"), ("record", "payload", "text"),
     ("record", "ts_ns", "text"), ("record", "kind", "numeric"), ("journal", "uuid", "bytea"),
     ("journal", "created_ns", "text")],
)  # fmt: skip
def test_a_column_of_another_type_is_a_fault(table: str, column: str, kind: str, case: Callable[[int], Case]) -> None:
    one = case(0)
    cast = f"{column}::text::{kind}" if kind != "text" else f"'x' || {column}::text"
    one.rows(f"alter table {table} alter column {column} type {kind} using {cast}")
    assert not verify(one.place).sound


@pytest.mark.parametrize("column", ["hash", "committed_ns", "body"])
def test_a_column_that_is_gone_is_a_fault(column: str, case: Callable[[int], Case]) -> None:
    one = case(0)
    one.rows(f"alter table {'record' if column == 'body' else 'block'} drop column {column}")
    assert {fault.what for fault in verify(one.place).faults} == {faults.UNREADABLE}


@ON_SQLITE
def test_a_file_that_cannot_be_read_is_a_fault(case: Callable[[int], Case]) -> None:
    one = case(0)
    (one.place.folder / DATABASE).write_bytes(b"no database at all, but long enough to be looked at" * 40)
    assert [fault.what for fault in verify(one.place).faults] == [faults.UNREADABLE]
    one = case(0)
    (one.place.folder / DATABASE).unlink()
    assert [fault.what for fault in verify(one.place).faults] == [faults.MISSING]
    shutil.rmtree(one.place.folder)
    assert [fault.what for fault in verify(one.place).faults] == [faults.MISSING]
    one.place.anchor.unlink()
    with pytest.raises(DataMissing):
        verify(one.place)


def test_a_journal_that_goes_on_and_one_that_lost_its_end_are_sound(tmp_path: Path) -> None:
    place = place_of(tmp_path / "futures", "futures")
    journal = begun(place)
    rng = np.random.default_rng(1)
    day(journal, START, rng)
    journal.anchor()
    day(journal, START + DAY_NS, rng)
    put(journal, START + 2 * DAY_NS, rng)
    found = verify(place)
    assert found.sound
    assert found.notes == ["the last 4 blocks are not anchored yet"]
    journal.commit()
    journal.abandon()
    last = sorted(place.segments.glob("*.seg"))[-1]
    last.write_bytes(last.read_bytes()[:200])  # what a power cut took
    assert [fault.what for fault in verify(place).faults] == [faults.TRUNCATED]
    journal = reopen(place, reserve=0)
    assert journal.recovered is not None
    day(journal, START + 3 * DAY_NS, rng)
    journal.close()
    found = verify(place)
    assert (found.faults, found.notes) == ([], [])


def test_faults_beyond_the_first_thousand_are_counted(case: Callable[[int], Case]) -> None:
    one = case(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faults, "MOST", 10)
        one.rows("update record set kind = 99")
        found = verify(one.place)
    assert (len(found.faults), found.more > 600) == (10, True)


def test_a_check_takes_little_time(whole: Place) -> None:
    begun_at = time.perf_counter()
    assert 0 < verify(whole).seconds < time.perf_counter() - begun_at < 5


def test_a_check_beside_a_writer_sees_whole_commits(tmp_path: Path) -> None:
    place = place_of(tmp_path / "futures", "futures")
    journal = begun(place)
    done = threading.Event()

    def write() -> None:
        rng = np.random.default_rng(2)
        for k in range(15):
            day(journal, START + k * DAY_NS, rng)
            journal.anchor()
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    while not done.is_set():
        found = verify(place)
        assert found.sound, found.faults
        seen.append(found.blocks)
    writer.join()
    assert seen == sorted(seen)
    assert len(set(seen)) > 2
    journal.close()
    assert verify(place).blocks == 61
