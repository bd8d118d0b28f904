"""What a start finds and does: bytes nobody committed, bytes that never arrived, and rows that were changed."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.journal.diary import BEGIN, Diary, begin, go_on, walk
from tests.journal.small import filled

from confidence_engine.domain.errors import JournalDamaged
from confidence_engine.domain.event import timer_events
from confidence_engine.domain.units import DAY_NS
from confidence_engine.journal import kinds
from confidence_engine.journal.anchor import read_anchor
from confidence_engine.journal.chain import HEADER
from confidence_engine.journal.database import engine_of
from confidence_engine.journal.log import Journal
from confidence_engine.journal.reader import Place, place_of
from confidence_engine.journal.reanchor import reanchor
from confidence_engine.journal.retire import retire, seal
from confidence_engine.journal.retired import snapshots_of
from confidence_engine.journal.schema import BLOCK, RECORD
from confidence_engine.journal.verify import verify

DAY1, DAY2 = "20241004.seg", "20241005.seg"


def put(journal: Journal, count: int, start: int = BEGIN) -> None:
    """A commit of `count` events and a record."""
    journal.put_events(timer_events(start + np.arange(count, dtype=np.int64), True))
    journal.put(kinds.COMMAND, journal.next_event - 1, BEGIN, payload={"of": journal.next_event - 1})
    journal.commit()


def lost(journal: Journal) -> tuple[int, int, int] | None:
    """Blocks, events and records that the start took out, None where it took none."""
    if journal.recovered is None:
        return None
    told = journal.recovered
    return told["blocks"], told["events"], told["records"]


def change(place: Place, statement: Any) -> None:
    """A change of the rows behind the journal's back."""
    engine = engine_of(place.database)
    with engine.begin() as c:
        assert c.execute(statement).rowcount > 0
    engine.dispose()


def test_bytes_of_no_block_are_cut(place: Place) -> None:
    journal = begin(place)
    put(journal, 3)
    journal.abandon()
    with (place.segments / DAY1).open("ab") as file:
        file.write(b"a commit that did not happen")
    (place.segments / DAY2).write_bytes(b"nor this one")
    journal = go_on(place)
    assert (journal.next_event, journal.recovered) == (3, None)
    walk(place)
    put(journal, 2)
    journal.close()
    assert len(walk(place).events) == 5 * 64


def test_a_block_without_its_bytes_is_taken_out_and_told(place: Place) -> None:
    journal = begin(place)
    put(journal, 3)
    put(journal, 4)
    put(journal, 5, BEGIN + DAY_NS)
    journal.abandon()
    (place.segments / DAY2).unlink()
    journal = go_on(place)
    assert lost(journal) == (1, 5, 1)
    assert journal.next_event == 7
    stored = walk(place)
    told = stored.records[-1]
    assert (told.kind, told.event) == (kinds.RECOVERED, 6)
    assert b'"blocks":1' in (told.payload or b"")
    put(journal, 5, BEGIN + DAY_NS)
    journal.close()
    again = go_on(place)
    assert again.recovered is None  # once
    again.close()
    assert [one.kind for one in walk(place).records].count(kinds.RECOVERED) == 1


def test_a_hole_amid_the_last_blocks_takes_all_after_it(place: Place) -> None:
    """A disk writes in no order: the last block may be whole where one before it is not."""
    journal = begin(place)
    for _ in range(4):
        put(journal, 10)
    journal.abandon()
    with (place.segments / DAY1).open("r+b") as file:
        file.seek(HEADER + 15 * 64)  # in the second of four
        file.write(bytes(64))
    journal = go_on(place)
    assert lost(journal) == (3, 30, 3)
    journal.close()
    assert len(walk(place).events) == 10 * 64


def test_the_first_bytes_of_a_segment_may_not_arrive(place: Place) -> None:
    journal = begin(place)
    put(journal, 3)
    put(journal, 3, BEGIN + DAY_NS)
    journal.abandon()
    with (place.segments / DAY2).open("r+b") as file:
        file.write(bytes(HEADER))
    journal = go_on(place)
    assert lost(journal) == (1, 3, 1)
    put(journal, 3, BEGIN + DAY_NS)
    journal.close()
    assert len(walk(place).events) == 6 * 64


def test_a_start_does_not_go_behind_the_anchor(place: Place) -> None:
    journal = begin(place)
    put(journal, 3)
    put(journal, 4)
    journal.anchor()
    put(journal, 5)
    journal.abandon()
    file = place.segments / DAY1
    whole = file.read_bytes()
    os.truncate(file, HEADER + 7 * 64)  # up to the anchor
    copy = file.read_bytes()
    os.truncate(file, HEADER + 7 * 64 - 1)
    for _ in range(2):  # a refusal changes nothing, so the next is the same
        with pytest.raises(JournalDamaged, match="block 2 are not what was committed, and the anchor of"):
            go_on(place)
    file.write_bytes(copy)
    journal = go_on(place)
    assert lost(journal) == (1, 5, 1)
    journal.close()
    assert whole.startswith(file.read_bytes())


TAMPERS: dict[str, Callable[[Place], Any]] = {
    "record changed": lambda p: sa.update(RECORD).where(RECORD.c.id == 4).values(payload=b'{"of":7}'),
    "record moved": lambda p: sa.update(RECORD).where(RECORD.c.id == 4).values(event=0),
    "record gone": lambda p: sa.delete(RECORD).where(RECORD.c.id == 4),
    "block changed": lambda p: sa.update(BLOCK).where(BLOCK.c.number == 3).values(committed_ns=5),
    "block gone": lambda p: sa.delete(BLOCK).where(BLOCK.c.number == 3),
    "anchored block gone": lambda p: sa.delete(BLOCK).where(BLOCK.c.number == 2),
    "link changed": lambda p: sa.update(BLOCK).where(BLOCK.c.number == 3).values(prev_hash=bytes(32)),
    "end cut off": lambda p: sa.delete(BLOCK).where(BLOCK.c.number >= 2),
}


@pytest.mark.parametrize("name", TAMPERS)
def test_rows_that_were_changed_are_refused(place: Place, name: str) -> None:
    """A power cut cannot do it: rows of a commit come whole or not at all."""
    journal = begin(place)
    put(journal, 3)
    put(journal, 3)
    journal.anchor()
    put(journal, 3)
    put(journal, 3)
    journal.close() if name == "end cut off" else journal.abandon()
    change(place, TAMPERS[name](place))
    before = [(file.name, file.read_bytes()) for file in sorted(place.segments.glob("*"))]
    with pytest.raises(JournalDamaged):
        go_on(place)
    assert before == [(file.name, file.read_bytes()) for file in sorted(place.segments.glob("*"))]


def test_a_journal_written_anew_is_refused(place: Place) -> None:
    """Chained and whole, with the same uuid and more blocks: only the anchor knows better."""
    journal = begin(place)
    put(journal, 3)
    journal.close()
    kept = place.anchor.read_bytes()
    for file in (*place.segments.glob("*"), *place.folder.glob("journal.db*"), place.anchor):
        file.unlink()
    if not place.database.startswith("sqlite"):
        for table in ("journal", "block", "record"):
            change(place, sa.text(f"DELETE FROM {table}"))
    journal = begin(place)
    put(journal, 4)
    put(journal, 4)
    journal.close()
    place.anchor.write_bytes(kept)
    with pytest.raises(JournalDamaged, match="rows of block 1 are not what was committed"):
        go_on(place)


def test_the_anchor_of_another_journal_is_refused(place: Place) -> None:
    begin(place).close()
    place.anchor.write_text(place.anchor.read_text().replace("00000000-0000", "00000001-0000"))
    with pytest.raises(JournalDamaged, match="of journal 00000001-0000"):
        go_on(place)


def test_an_anchor_that_cannot_be_read_is_refused(place: Place) -> None:
    begin(place).close()
    for wrong in (b"", b"{", b'{"journal": 5}', b"\xff"):
        place.anchor.write_bytes(wrong)
        with pytest.raises(JournalDamaged, match="not an anchor"):
            go_on(place)


def test_a_journal_whose_anchor_is_gone_goes_on_only_when_told_to(place: Place) -> None:
    journal = begin(place)
    put(journal, 3)
    put(journal, 3)
    journal.close()
    place.anchor.unlink()
    with pytest.raises(JournalDamaged, match=r"3 blocks, and .*anchor\.json is gone"):
        go_on(place)
    assert not place.anchor.exists()
    journal = go_on(place, unanchored=True)
    assert journal.next_event == 6
    put(journal, 1)
    journal.close()
    assert read_anchor(place.anchor) is not None
    go_on(place).close()


def test_without_an_anchor_nothing_is_taken_out(place: Place) -> None:
    """Nothing tells bytes that never arrived from bytes that somebody changed, in the oldest block or the newest."""
    for at in (HEADER + 5, HEADER + 6 * 64 + 5):
        journal = begin(place) if at == HEADER + 5 else go_on(place)
        put(journal, 3)
        put(journal, 3)
        put(journal, 1)
        journal.close()
        anchor, segment = place.anchor.read_bytes(), (place.segments / DAY1).read_bytes()
        place.anchor.unlink()
        (place.segments / DAY1).write_bytes(segment[:at] + b"?" + segment[at + 1 :])
        damaged = walk_raw(place)
        with pytest.raises(JournalDamaged, match=r"a journal at fault|are not what was committed"):
            reanchor(place, "a test", "a test")
        assert walk_raw(place) == damaged
        assert not place.anchor.exists()
        place.anchor.write_bytes(anchor)
        (place.segments / DAY1).write_bytes(segment)


@pytest.mark.parametrize("left", [0, 1])
def test_without_an_anchor_bytes_beyond_the_last_block_are_not_taken_out(place: Place, left: int) -> None:
    """Rows of the end were deleted with the anchor: the bytes speak of more, be it that one block is left or two."""
    journal = begin(place)
    for k in range(3):
        put(journal, 3, BEGIN + k * DAY_NS)
    journal.close()
    change(place, sa.delete(RECORD).where(RECORD.c.block > left))
    change(place, sa.delete(BLOCK).where(BLOCK.c.number > left))
    place.anchor.unlink()
    before = walk_raw(place)
    for again in (go_on, lambda place: reanchor(place, "a test", "a test")):
        with pytest.raises(JournalDamaged, match=r"blocks may have been cut off|is gone; put it back"):
            again(place)
        assert walk_raw(place) == before
        assert not place.anchor.exists()


def test_a_state_that_no_checkpoint_seals_speaks_of_a_cut_end(place: Place) -> None:
    journal = filled(place, 1, 6)
    sealed = seal(journal, b"state", {})
    journal.close()
    place.anchor.unlink()
    stray = snapshots_of(place) / "9.snap"
    stray.write_bytes(b"state")
    with pytest.raises(JournalDamaged, match=r"9\.snap is sealed by no checkpoint"):
        reanchor(place, "a test", "a test")
    stray.unlink()
    reanchor(place, "a test", "a test")
    assert (snapshots_of(place) / sealed.file).exists()
    go_on(place).close()


def test_a_thinned_journal_is_anchored_anew(tmp_path: Path) -> None:
    place = place_of(tmp_path, "futures")
    journal = filled(place, 40, 6)
    seal(journal, b"state", {})
    assert retire(journal, 1 << 62) is not None
    journal.close()
    place.anchor.unlink()
    anchor = reanchor(place, "a test", "a test")
    assert verify(place).anchored == anchor.blocks
    go_on(place).close()


def walk_raw(place: Place) -> list[bytes]:
    """The bytes of all segments."""
    return [file.read_bytes() for file in sorted(place.segments.glob("*"))]


def test_a_first_start_that_died_before_its_anchor_gets_one(place: Place) -> None:
    begin(place).close()
    place.anchor.unlink()
    journal = go_on(place)
    assert read_anchor(place.anchor) is not None
    journal.abandon()


def test_an_interrupted_recovery_is_told_all_the_same(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a start takes out and the record that says so are one transaction."""
    journal = begin(place)
    put(journal, 3)
    put(journal, 3)
    journal.abandon()
    os.truncate(place.segments / DAY1, HEADER + 4 * 64)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "commit", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            go_on(place)
    journal = go_on(place)
    assert lost(journal) == (1, 3, 1)
    journal.close()
    assert [one.kind for one in walk(place).records].count(kinds.RECOVERED) == 1


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), cut=st.floats(0, 1), anchored=st.booleans())
def test_wherever_the_bytes_end_a_whole_beginning_is_left(
    tmp_path_factory: pytest.TempPathFactory, seed: int, cut: float, anchored: bool
) -> None:
    place = place_of(tmp_path_factory.mktemp("cut"), "probe")
    diary, journal = Diary(random.Random(seed)), begin(place)
    for k in range(8):
        diary.put(journal)
        diary.commit(journal)
        if anchored and k == 3:
            journal.anchor()
    journal.abandon()
    before = walk(place)
    files: list[Path] = sorted(place.segments.glob("*"))
    if not files:
        return
    last = files[-1]
    os.truncate(last, int(cut * last.stat().st_size))
    try:
        journal = go_on(place)
    except JournalDamaged:
        assert anchored
        return
    stored = walk(place)
    kept = len(stored.blocks) - (journal.recovered is not None)
    assert stored.blocks[:kept] == before.blocks[:kept]
    assert (journal.recovered is None) == (kept == len(before.blocks))
    diary.go_on_from(stored)
    diary.put(journal)
    diary.commit(journal)
    journal.close()
    diary.outlived(walk(place))
