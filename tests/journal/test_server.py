"""A server that dies amid commits, a connection that is cut, another home: what a journal with its rows there keeps.

The server waits for its disk and is killed with all its processes, so only what it had written down comes back. What
was acknowledged is there, once; of the commit whose fate nobody was told all is there or nothing. The seed is in the
test's id.
"""

from __future__ import annotations

import gc
import itertools
import os
import random
import shutil
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from tests.journal import diary
from tests.journal.diary import Diary, begin, genesis, go_on, walk
from tests.journal.postgres import NoServer, Server, serving
from tests.journal.small import filled

from confidence_engine.domain.errors import DataMissing, JournalUnwritable, RunError
from confidence_engine.journal import lock, log
from confidence_engine.journal.disk import Disk
from confidence_engine.journal.faults import Findings
from confidence_engine.journal.log import Journal, create
from confidence_engine.journal.reader import Place, Reader, place_of, point
from confidence_engine.journal.reanchor import reanchor
from confidence_engine.journal.stats import stats
from confidence_engine.journal.verify import verify

DEATHS, CUTS = 5, 10
"""Deaths of the server, and cut connections, in the life of one journal."""
SEEDS = [*range(4), *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(100, 140))]
STAGES = ("before record", "after record", "before block", "after block", "before commit", "after commit")
_NUMBER = itertools.count(100)


@pytest.fixture(scope="module")
def mortal() -> Iterator[Server]:
    """A server that waits for its disk, for tests that kill it and start it again."""
    try:
        with serving(sync=True) as one:
            yield one
    except NoServer as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture
def there(mortal: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Where a journal may be made whose rows are on the mortal server, which has one database: each costs it files."""
    number = next(_NUMBER)
    monkeypatch.setattr(diary, "UUID", number)
    return place_of(tmp_path / "home", f"probe{number}", f"{mortal.url}/postgres")


def tell(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as c:
        c.execute(statement.encode())


def cut(place: Place) -> None:
    """End all other sessions of a database, as its administrator can."""
    tell(place.database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
         "WHERE datname = current_database() AND pid <> pg_backend_pid()")  # fmt: skip


class Life:
    """One journal that is ended again and again while it commits."""

    def __init__(self, place: Place, seed: int) -> None:
        self.place, self.rng, self.full = place, random.Random(seed), seed % 2 == 1
        self.diary, self.commits = Diary(random.Random(seed)), 0
        self.journal = begin(place, full=self.full)
        self.fate: list[str] = []
        self.error: BaseException | None = None

    def write(self) -> None:
        """Commit without an end, now and then an anchor."""
        try:
            while True:
                self.diary.put(self.journal)
                self.diary.commit(self.journal)
                self.commits += 1
                if self.commits % 7 == 0:
                    self.journal.anchor()
        except BaseException as error:
            self.error = error

    def ended(self, end: Callable[[], None], most_s: float) -> None:
        """Something ends the writing within so many seconds, at any moment of a commit."""
        self.error, before = None, self.commits
        writer = threading.Thread(target=self.write)
        writer.start()
        while self.commits == before and writer.is_alive():
            threading.Event().wait(0.001)
        threading.Event().wait(self.rng.uniform(0.0, most_s))
        end()
        writer.join(30.0)
        assert not writer.is_alive(), "it waits for a server that is gone"
        assert type(self.error) is JournalUnwritable, repr(self.error)
        assert "not acknowledged" in str(self.error)

    def again(self) -> None:
        """The journal takes no more though its server is back, and the next one finds what it has to."""
        for more in (self.journal.commit, self.journal.anchor, self.journal.close):
            with pytest.raises(JournalUnwritable, match="start again"):
                more()
        self.journal = go_on(self.place, full=self.full)
        assert self.journal.recovered is None
        stored, unknown = walk(self.place), self.diary.acknowledged
        self.diary.outlived(stored)
        self.fate.append("whole" if self.diary.acknowledged > unknown else "gone")

    def close(self) -> None:
        """One commit more, and an end as it should be."""
        self.diary.put(self.journal)
        self.diary.commit(self.journal)
        self.journal.close()
        self.diary.outlived(walk(self.place))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_server_that_dies_loses_nothing(mortal: Server, there: Place, seed: int) -> None:
    life = Life(there, seed)
    for _ in range(DEATHS):
        life.ended(mortal.kill, 0.06)
        mortal.start()
        life.again()
    life.close()
    assert len(life.fate) == DEATHS
    assert life.commits >= DEATHS


@pytest.mark.parametrize("seed", SEEDS)
def test_a_connection_that_is_cut_loses_nothing(fresh: str, tmp_path: Path, seed: int) -> None:
    life = Life(place_of(tmp_path / "home", "probe", fresh), seed)
    for _ in range(CUTS):
        life.ended(lambda: cut(life.place), 0.03)
        life.again()
    life.close()
    assert len(life.fate) == CUTS


def at(engine: sa.Engine, stage: str, what: Callable[[], None]) -> sa.Engine:
    """Do something at one stage of the next commit; after a COMMIT its reply is lost as well."""
    when, _, name = stage.partition(" ")
    left = [what]

    def now() -> None:
        if left:
            left.pop()()

    def ran(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(f"INSERT INTO {name}"):
            now()

    commit = engine.dialect.do_commit

    def do_commit(connection: Any) -> None:
        if when == "before":
            now()
        commit(connection)
        if when == "after":
            now()
            raise psycopg.OperationalError("the reply was lost")

    if name == "commit":
        engine.dialect.do_commit = do_commit  # type: ignore[method-assign]
    else:
        sa.event.listen(engine, f"{when}_cursor_execute", ran)
    return engine


@pytest.mark.parametrize("killed", [True, False])
@pytest.mark.parametrize("stage", STAGES)
def test_a_commit_is_whole_once_the_server_has_it(mortal: Server, there: Place, stage: str, killed: bool) -> None:
    life = Life(there, 3)
    for _ in range(3):
        life.diary.put(life.journal)
        life.diary.commit(life.journal)
    at(life.journal.engine, stage, mortal.kill if killed else lambda: cut(there))
    while life.journal.next_record == life.journal.last.end_record:
        life.diary.put(life.journal)
    with pytest.raises(JournalUnwritable, match="not acknowledged"):
        life.diary.commit(life.journal)
    assert mortal.runs != killed
    if killed:
        mortal.start()
    life.again()
    assert life.fate == ["whole" if stage == "after commit" else "gone"]
    life.close()


@pytest.mark.parametrize("stage", ["before journal", "after journal", "after record", "after block"])
def test_a_first_start_cut_off_was_none(
    mortal: Server, there: Place, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    engine_of = log.engine_of
    with monkeypatch.context() as patch:
        patch.setattr(log, "engine_of", lambda url, full=False: at(engine_of(url, full), stage, mortal.kill))
        with pytest.raises(JournalUnwritable):
            begin(there)
    assert not mortal.runs
    assert not there.anchor.exists()
    mortal.start()
    with pytest.raises(DataMissing):
        go_on(there)
    Life(there, 5).close()


def test_a_server_told_not_to_wait_waits_for_a_journal(mortal: Server, there: Place) -> None:
    """A database may answer before its disk has a commit (PostgreSQL 15, section 20.5): not one of a journal."""
    tell(there.database, "CREATE DATABASE hasty")
    tell(there.database, "ALTER DATABASE hasty SET synchronous_commit = off")
    there = place_of(there.anchor.parent, "probe", f"{mortal.url}/hasty")
    life = Life(there, 1)
    for _ in range(2):
        for _ in range(3):
            life.diary.put(life.journal)
            life.diary.commit(life.journal)
        life.journal.anchor()
        mortal.kill()
        life.journal.abandon()
        mortal.start()
        life.journal = go_on(there, full=True)
        life.diary.outlived(walk(there))
    life.close()


def test_a_connection_cut_between_commits_is_noticed_at_the_next(fresh: str, tmp_path: Path) -> None:
    life = Life(place_of(tmp_path / "home", "probe", fresh), 0)
    cut(life.place)
    life.diary.put(life.journal)
    with pytest.raises(JournalUnwritable, match="not acknowledged"):
        life.diary.commit(life.journal)
    life.again()
    life.close()


def test_a_database_that_takes_no_writing_is_no_raw_error(fresh: str, tmp_path: Path) -> None:
    life = Life(place_of(tmp_path / "home", "probe", fresh), 2)
    life.diary.put(life.journal)
    life.diary.commit(life.journal)
    life.journal.close()
    name = fresh.rpartition("/")[2]
    tell(fresh, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    life.journal = go_on(life.place)
    life.diary.put(life.journal)
    with pytest.raises(JournalUnwritable, match="read-only transaction; not acknowledged"):
        life.diary.commit(life.journal)
    with pytest.raises(JournalUnwritable, match="read-only transaction"):
        begin(place_of(tmp_path / "other", "other", fresh))
    tell(f"{fresh.rpartition('/')[0]}/postgres", f"ALTER DATABASE {name} RESET default_transaction_read_only")
    life.again()
    assert life.fate == ["gone"]
    life.close()


def test_a_name_is_taken_from_every_home(fresh: str, tmp_path: Path) -> None:
    """Another home cannot begin a journal whose name the server has, and the first goes on."""
    life = Life(place_of(tmp_path / "home", "probe", fresh), 4)
    other = place_of(tmp_path / "other", "probe", fresh)
    life.diary.put(life.journal)
    for number in (1, 2):  # of the same uuid, and of another
        with pytest.raises(JournalUnwritable, match=r"journal 'probe' exists already"):
            create(other, genesis("probe", number), [], reserve=0)
        assert not other.anchor.exists()
        assert list(other.segments.glob("*")) == []
    life.diary.commit(life.journal)
    with pytest.raises(JournalUnwritable):
        go_on(life.place)
    life.diary.put(life.journal)
    life.close()


def test_a_copied_home_is_no_second_writer(fresh: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder's lock does not hold its copy; the name's lock on the server does, until the first writer ends."""
    life = Life(place_of(tmp_path / "home", "probe", fresh), 7)
    life.diary.put(life.journal)
    life.diary.commit(life.journal)
    life.journal.anchor()
    copy = place_of(tmp_path / "copy", "probe", fresh)
    shutil.copytree(tmp_path / "home", tmp_path / "copy")
    with monkeypatch.context() as patch:
        patch.setattr(lock, "CLAIM_S", 0.2)
        for _ in range(2):
            with pytest.raises(JournalUnwritable, match="another process writes journal 'probe' on its server"):
                go_on(copy)
    life.diary.put(life.journal)
    life.diary.commit(life.journal)
    threading.Timer(0.3, life.journal.abandon).start()
    again = go_on(life.place._replace(folder=copy_of(tmp_path)), full=True)  # what is there when the first has ended
    life.journal = again
    life.place = again.place
    life.close()


def copy_of(folder: Path) -> Path:
    """The journal's folder as it is now, elsewhere: another machine that has what this one had."""
    return Path(shutil.copytree(folder / "home" / "journal", folder / "later"))


def test_a_name_on_the_server_is_no_journal_of_a_home_that_never_had_one(fresh: str, tmp_path: Path) -> None:
    """A first start that was refused leaves a folder; what the server holds under that name is another home's."""
    life = Life(place_of(tmp_path / "home", "probe", fresh), 1)
    other = place_of(tmp_path / "other", "probe", fresh)
    with pytest.raises(JournalUnwritable, match="exists already"):
        begin(other)
    assert other.folder.is_dir()
    for ask in (Reader, verify, go_on, lambda place: reanchor(place, "a test", "a test")):
        with pytest.raises(DataMissing, match="there is no journal in"):
            ask(other)
    point(other, uuid.uuid4(), Disk())  # its own was begun, and the name was taken before the first commit
    with pytest.raises(DataMissing, match="and its own is"):
        Reader(other)
    life.diary.put(life.journal)
    life.diary.commit(life.journal)
    life.close()


def test_a_writer_notices_that_another_went_on(fresh: str, tmp_path: Path) -> None:
    """Should the lock have been lost and taken by a copy: nothing is appended to what the copy wrote."""
    life = Life(place_of(tmp_path / "home", "probe", fresh), 1)
    life.diary.put(life.journal)
    life.diary.commit(life.journal)
    with psycopg.connect(fresh) as c:
        c.execute("UPDATE block SET hash = %s WHERE number = (SELECT max(number) FROM block)", [bytes(32)])
    life.diary.put(life.journal)
    for _ in range(2):
        with pytest.raises(JournalUnwritable, match="another writer went on with journal 'probe'"):
            life.journal.commit()
    life.journal.abandon()


@pytest.mark.parametrize("seed", range(5))
def test_of_two_homes_that_begin_at_once_one_has_the_journal(fresh: str, tmp_path: Path, seed: int) -> None:
    homes = [place_of(tmp_path / f"home{k}", "probe", fresh) for k in range(4)]
    begun: dict[int, Journal] = {}
    refused: list[BaseException] = []
    gate = threading.Barrier(len(homes))

    def start(k: int) -> None:
        gate.wait()
        try:
            begun[k] = create(homes[k], genesis("probe", 10 * seed + k), [], reserve=0)
        except BaseException as error:
            refused.append(error)

    threads = [threading.Thread(target=start, args=(k,)) for k in range(len(homes))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [type(one) for one in refused] == [JournalUnwritable] * 3, refused
    assert all("exist" in str(one) for one in refused)
    ((winner, journal),) = begun.items()
    diary = Diary(random.Random(seed))
    diary.put(journal)
    diary.commit(journal)
    journal.close()
    diary.outlived(walk(homes[winner]))


@pytest.fixture
def _tidied() -> Iterator[None]:
    """What readers of a dead server hold is let go of before the next test: they, their engines, and what is left."""
    yield
    for _ in range(3):
        gc.collect()


def amid_reading(test: Callable[..., None]) -> Callable[..., None]:
    """A test in which a server dies under its readers.

    SQLAlchemy closes no cursor of a connection that is gone (2.1, `Connection._handle_dbapi_exception`), and a walk
    that nobody ends closes its own when it is let go of: neither can be done any more, and Python says so.
    """
    for warning in ("ignore:.*ServerCursor:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"):
        test = pytest.mark.filterwarnings(warning)(test)
    return pytest.mark.usefixtures("_tidied")(test)


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[Place]:
    """A journal whose server cannot be reached: nobody listens at its port, and nobody else takes it."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        url = f"postgresql://postgres:SECRET@127.0.0.1:{one.getsockname()[1]}/x"
        yield place_of(tmp_path / "home", "probe", url)


def test_a_server_that_cannot_be_reached_stops_a_run_and_damages_nothing(silent: Place) -> None:
    with pytest.raises(JournalUnwritable, match="refused") as told:
        begin(silent)
    assert not silent.anchor.exists()
    assert list(silent.segments.glob("*")) == []
    with pytest.raises(DataMissing, match="there is no journal in"):  # it never was
        Reader(silent)
    point(silent, uuid.uuid4(), Disk())
    for ask in (go_on, Reader, verify):
        with pytest.raises(RunError, match="does not answer") as told:
            ask(silent)
        assert "SECRET" not in str(told.value)


@amid_reading
def test_a_server_that_is_gone_for_a_while_is_asked_again(mortal: Server, there: Place) -> None:
    life = Life(there, 6)
    life.diary.put(life.journal)
    life.diary.commit(life.journal)
    life.journal.close()
    reader = Reader(there)
    mortal.kill()
    for ask in (reader.last, lambda: list(reader.blocks()), lambda: list(reader.records()), lambda: stats(reader)):
        with pytest.raises(RunError, match="does not answer"):
            ask()
    for again in (go_on, Reader, verify):
        with pytest.raises(RunError, match="does not answer"):
            again(there)
    mortal.start()
    assert reader.last() == life.journal.last
    reader.close()
    life.journal = go_on(there)
    life.close()


@amid_reading
def test_a_check_during_which_the_server_dies_finds_no_fault(mortal: Server, there: Place) -> None:
    filled(there, 3).close()
    rng, seen = random.Random(1), 0
    for _ in range(6):
        said: list[Findings | BaseException] = []
        checker = threading.Thread(target=check_until_it_cannot, args=(there, said))
        checker.start()
        threading.Event().wait(rng.uniform(0.02, 0.15))
        mortal.kill()
        checker.join(30.0)
        mortal.start()
        assert not checker.is_alive()
        assert type(said[-1]) is RunError, said[-1]
        assert all(isinstance(one, Findings) and one.sound for one in said[:-1])
        seen += len(said)
    assert seen > 6
    assert verify(there).sound


def check_until_it_cannot(place: Place, said: list[Findings | BaseException]) -> None:
    try:
        while True:
            said.append(verify(place))
    except BaseException as error:
        said.append(error)
