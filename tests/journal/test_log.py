"""Writing a journal: numbers, blocks, one writer, readers beside it, and going on as if there had been no end."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from tests.journal.diary import BEGIN, PATHS, Diary, begin, genesis, go_on, walk

from confidence_engine.domain.errors import DataMissing, JournalDamaged, JournalUnwritable
from confidence_engine.domain.event import EVENT, timer_events
from confidence_engine.domain.units import DAY_NS
from confidence_engine.journal import cut as journal_cut
from confidence_engine.journal import kinds, log
from confidence_engine.journal.chain import HEADER, Block
from confidence_engine.journal.disk import Disk
from confidence_engine.journal.reader import Place, Reader, place_of


def events(count: int, start: int = BEGIN, gap: int = 1) -> np.ndarray:
    return timer_events(start + gap * np.arange(count, dtype=np.int64), True)


def test_numbers_go_on_from_zero(place: Place) -> None:
    journal = begin(place)
    assert (journal.next_event, journal.next_record) == (0, 2)
    assert journal.put_events(events(3)) == 0
    assert journal.put_events(events(2, BEGIN + 3)) == 3
    assert [journal.put(kinds.COMMAND, at, BEGIN, payload=at) for at in (-1, 0, 0, 4)] == [2, 3, 4, 5]
    assert journal.last.number == 0
    block = journal.commit()
    assert (block.number, block.first_event, block.events, block.first_record, block.records) == (1, 0, 5, 2, 4)
    assert journal.commit() is block  # nothing was put, so nothing is committed
    assert journal.put_events(events(0)) == 5
    journal.close()
    stored = walk(place)
    assert [one.kind for one in stored.records] == [kinds.GENESIS, kinds.PARAMS] + 4 * [kinds.COMMAND]
    assert stored.events == events(5).tobytes()


def test_what_is_put_is_a_copy(place: Place) -> None:
    journal, mine = begin(place), events(2)
    journal.put_events(mine)
    mine["x0"] = 7.0
    journal.close()
    assert walk(place).events == events(2).tobytes()


def test_a_block_is_of_one_day(place: Place) -> None:
    journal = begin(place)
    stretch = events(7, BEGIN, DAY_NS // 3)  # three days: 3, 3 and 1 events
    journal.put_events(stretch)
    for at in (0, 2, 3, 6):
        journal.put(kinds.COMMAND, at, BEGIN, payload=at)
    journal.commit()
    journal.put_events(events(1, BEGIN + 2 * DAY_NS + 1))
    journal.close()
    stored = walk(place)
    told = [(b.events, b.records, b.segment, b.position) for b in stored.blocks]
    assert told == [
        (0, 2, "", 0), (3, 2, "20241004.seg", 64), (3, 1, "20241005.seg", 64), (1, 1, "20241006.seg", 64),
        (1, 0, "20241006.seg", 128),
    ]  # fmt: skip
    assert b"".join(part.tobytes() for part in Reader(place).events(2, 7)) == stretch[2:].tobytes()


def test_any_stretch_of_events_is_read(place: Place) -> None:
    """Commits of any size, some of records alone, over several days."""
    rng, journal = np.random.default_rng(3), begin(place)
    whole = events(60, BEGIN, DAY_NS // 20)
    cuts = [0, *sorted(rng.integers(0, 60, 9).tolist()), 60]
    for low, high in itertools.pairwise(cuts):
        journal.put_events(whole[low:high])
        journal.put(kinds.COMMAND, journal.next_event - 1, BEGIN)
        journal.commit()
    journal.close()
    reader = Reader(place)
    for first, end in [(0, None), (59, None), (60, None), *rng.integers(0, 61, (60, 2)).tolist()]:
        found = b"".join(part.tobytes() for part in reader.events(first, end))
        assert found == whole[first:end].tobytes(), (first, end)


def test_late_events_stay_in_the_newest_segment(place: Place) -> None:
    journal = begin(place)
    journal.put_events(events(1, BEGIN + DAY_NS))
    journal.commit()
    journal.put_events(events(1))  # of the day before
    journal.commit()
    last = journal.last
    journal.close()
    assert last.segment == "20241005.seg"
    assert [one.position for one in Reader(place).blocks() if one.events] == [HEADER, HEADER + EVENT.itemsize]


def test_a_block_has_an_end(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_cut, "MAX_BLOCK", 10)
    journal = begin(place)
    journal.put_events(events(25))
    journal.put(kinds.COMMAND, 24, BEGIN)
    journal.close()
    stored = walk(place)
    assert [(one.events, one.records) for one in stored.blocks] == [(0, 2), (10, 0), (10, 0), (5, 1)]


def test_records_out_of_order_are_refused(place: Place) -> None:
    journal = begin(place)
    journal.put_events(events(4))
    journal.put(kinds.COMMAND, 2, BEGIN)
    for wrong in (1, 4, -2):
        with pytest.raises(ValueError, match=f"record of event {wrong} "):
            journal.put(kinds.COMMAND, wrong, BEGIN)
    journal.commit()
    with pytest.raises(ValueError, match="after 2"):  # what was committed counts too
        journal.put(kinds.COMMAND, 1, BEGIN)
    journal.close()
    journal = go_on(place)
    with pytest.raises(ValueError, match="after 2"):
        journal.put(kinds.COMMAND, 1, BEGIN)
    journal.put(kinds.COMMAND, 3, BEGIN)
    journal.close()


def test_one_writer(place: Place) -> None:
    journal = begin(place)
    said = f"process {os.getpid()} writes this journal"
    with pytest.raises(JournalUnwritable, match=said):
        go_on(place)
    ask = (
        "import sys; from pathlib import Path; from confidence_engine.journal import log, reader\n"
        "from confidence_engine.domain.errors import JournalUnwritable\n"
        "try: log.reopen(reader.place_of(Path(sys.argv[1]), 'probe', sys.argv[2] or None))\n"
        "except JournalUnwritable as error: print(error); sys.exit(7)\n"
    )
    server = "" if place.database.startswith("sqlite") else place.database
    command = [sys.executable, "-c", ask, str(place.anchor.parent), server]
    done = subprocess.run(command, env=PATHS, capture_output=True, text=True, check=False)
    assert (done.returncode, said in done.stdout) == (7, True), done.stderr
    journal.close()
    assert subprocess.run(command, env=PATHS, check=False).returncode == 0
    go_on(place).close()


def test_a_journal_is_created_once(place: Place) -> None:
    begin(place).close()
    with pytest.raises(JournalUnwritable, match="exists already"):
        begin(place)
    assert len(walk(place).blocks) == 1


def test_the_anchor_of_a_journal_that_is_gone_is_kept(place: Place, tmp_path: Path) -> None:
    begin(place).close()
    other = place_of(tmp_path / "other", "other")
    other.anchor.parent.mkdir()
    other.anchor.write_bytes(place.anchor.read_bytes())
    with pytest.raises(JournalUnwritable, match="anchor of a journal that is gone"):
        begin(other)


def test_two_journals_share_a_server(fresh: str, tmp_path: Path) -> None:
    places = [place_of(tmp_path / name, name, fresh) for name in ("one", "two")]
    journals = [log.create(p, genesis(p.name, k), [], reserve=0) for k, p in enumerate(places)]
    diaries = [Diary(random.Random(k)) for k in range(2)]
    for _ in range(5):
        for diary, journal in zip(diaries, journals, strict=True):
            diary.put(journal)
            diary.commit(journal)
    for diary, journal, place in zip(diaries, journals, places, strict=True):
        journal.close()
        diary.outlived(walk(place))


@pytest.mark.parametrize("full", [False, True])
def test_going_on_is_as_if_there_had_been_no_end(database: str | None, tmp_path: Path, full: bool) -> None:
    """Ten commits, of one process and of four: the same blocks with the same hashes."""
    heads = []
    for name, ends in (("whole", ()), ("parts", (2, 3, 7))):
        url = database
        if database is not None and name == "parts":  # the same name and uuid again
            engine = sa.create_engine(database.replace("postgresql:", "postgresql+psycopg:"))
            with engine.begin() as c:
                c.exec_driver_sql("TRUNCATE journal, block, record")
            engine.dispose()
        place, clock, diary = (
            place_of(tmp_path / name, "probe", url),
            itertools.repeat(BEGIN).__next__,
            Diary(random.Random(5)),
        )
        journal = begin(place, clock=clock, full=full)
        for k in range(10):
            if k in ends:
                journal.close()
                journal = go_on(place, clock=clock, full=full)
                assert journal.recovered is None
            diary.put(journal)
            diary.commit(journal)
        journal.close()
        stored = walk(place)
        diary.outlived(stored)
        heads.append([one.hash for one in stored.blocks])
    assert heads[0] == heads[1]
    assert len(heads[0]) > 10


def test_no_journal_is_no_journal(place: Place) -> None:
    with pytest.raises(DataMissing):
        Reader(place)
    with pytest.raises(DataMissing):
        go_on(place)
    assert not place.folder.exists()
    place.folder.mkdir(parents=True)
    (place.folder / "journal.db").touch()  # a first start that was cut off
    with pytest.raises(DataMissing):
        go_on(place)


def test_what_cannot_be_read_is_damaged(tmp_path: Path) -> None:
    place = place_of(tmp_path, "probe")
    begin(place).close()
    (place.folder / "journal.db").write_bytes(b"not a database at all, but long enough to be taken for one" * 99)
    with pytest.raises(JournalDamaged):
        Reader(place)


@pytest.mark.parametrize("full", [False, True])
def test_a_reader_sees_whole_commits(place: Place, full: bool) -> None:
    """Readers look at a journal that is being written: what they see is a beginning of it, and never half a commit."""
    journal, wrong, looks, done = begin(place, full=full), [], [0, 0], threading.Event()
    journal.put_events(events(1))
    journal.commit()

    def look(k: int) -> None:
        reader = Reader(place)
        while not done.is_set() or looks[k] < 5:
            blocks: list[Block] = list(reader.blocks())
            told = list(reader.records(kinds.COMMAND))
            seen = sum(len(part) for part in reader.events(end=blocks[-1].end_event))
            if seen != blocks[-1].end_event or len(told) % 3 or len(told) < 3 * (len(blocks) - 2):
                wrong.append((len(blocks), seen, len(told)))
            if [one.number for one in blocks] != list(range(len(blocks))):
                wrong.append(("blocks", len(blocks), 0))
            looks[k] += 1
        reader.close()

    threads = [threading.Thread(target=look, args=(k,)) for k in range(2)]
    for one in threads:
        one.start()
    for k in range(60):
        journal.put_events(events(5, BEGIN + 5 * k + 1))
        for _ in range(3):  # three a commit: a part of one would show
            journal.put(kinds.COMMAND, journal.next_event - 1, BEGIN, payload="x" * 2000)
        journal.commit()
        if k % 20 == 0:
            journal.anchor()  # readers do not hold it up
    done.set()
    for one in threads:
        one.join()
    journal.close()
    assert wrong == []
    assert min(looks) >= 5


def test_a_reader_that_stands_still_holds_nobody_up(place: Place) -> None:
    journal = begin(place)
    journal.put_events(events(10))
    journal.commit()
    reader = Reader(place)
    standing: Iterator[Block] = reader.blocks()
    assert next(standing).number == 0
    journal.put_events(events(10, BEGIN + 10))
    started = os.times().elapsed
    anchor = journal.anchor()
    assert os.times().elapsed - started < 5.0
    assert (anchor.blocks, anchor.events) == (3, 20)
    journal.close()
    assert [one.number for one in standing] == [1]  # of the moment at which it began
    reader.close()


@pytest.mark.parametrize("full", [False, True])
def test_a_full_journal_waits_for_the_disk_at_each_commit(tmp_path: Path, full: bool) -> None:
    journal = begin(place_of(tmp_path, "probe"), full=full)
    with journal.engine.connect() as c:
        told = [c.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("journal_mode", "synchronous")]
    assert told == ["wal", 2 if full else 1]
    journal.close()


@pytest.fixture
def sealed(place: Place) -> Iterator[Place]:
    """A journal on a medium that takes no more writing: bound read only where we may, else without write rights."""
    journal = begin(place)
    journal.put_events(events(10))
    journal.close()
    home = place.anchor.parent
    bound = subprocess.run(["mount", "--bind", home, home], capture_output=True, check=False).returncode == 0
    if bound:
        subprocess.run(["mount", "-o", "remount,ro,bind", home], check=True)
    elif os.geteuid() != 0:
        for one in (home, place.folder, place.segments):
            one.chmod(0o555)
        for one in home.rglob("*"):
            one.chmod(0o555 if one.is_dir() else 0o444)
    else:
        pytest.skip("root, and not allowed to mount: nothing here is read only")
    yield place
    if bound:
        subprocess.run(["umount", home], check=True)
    else:
        for one in (home, *home.rglob("*")):
            one.chmod(0o755)


def test_a_read_only_medium_can_be_read_and_not_written(sealed: Place) -> None:
    reader = Reader(sealed)
    assert sum(map(len, reader.events())) == 10
    assert reader.genesis() == genesis()
    reader.close()
    walk(sealed)
    with pytest.raises(JournalUnwritable):
        go_on(sealed)
    with pytest.raises(JournalUnwritable):
        begin(sealed._replace(folder=sealed.folder.parent / "second"))


def test_after_a_failure_nothing_more_is_taken(place: Place) -> None:
    class Broken(Disk):
        def write(self, path: Path, at: int, data: bytes) -> None:
            raise OSError(5, "Input/output error")

    journal = begin(place)
    good = journal.disk
    journal.disk = Broken()
    journal.put_events(events(1))
    with pytest.raises(JournalUnwritable, match=r"Input/output error; not acknowledged"):
        journal.commit()
    journal.disk = good
    for again in (journal.commit, journal.anchor, journal.close):
        with pytest.raises(JournalUnwritable, match="start again"):
            again()
    assert len(walk(place).blocks) == 1
    journal = go_on(place)
    assert journal.next_event == 0
    journal.close()
