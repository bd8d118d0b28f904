"""One writer keeps the tables: it takes each journal on from where its cursor stands, or tells all of it anew.

The cursor moves in the transaction of the rows it covers, so a projector that dies leaves rows and cursor that agree.
What the rows say depends on the records alone and their ids on where the record stands, so that any number of steps,
and a rebuild, end in the same rows. A journal that is another one now, was cut back behind its cursor, or was told by
older rules is told anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import sqlalchemy as sa

from confidence_engine.domain.errors import (
    ConfidenceError,
    DataMissing,
    DataRefused,
    JournalDamaged,
    JournalUnwritable,
    RunError,
)
from confidence_engine.domain.event import EVENT
from confidence_engine.journal.carry import Carry
from confidence_engine.journal.database import RUINED, engine_of, sqlite_url, upgrade
from confidence_engine.journal.home import identified, remember, server_of
from confidence_engine.journal.kinds import GENESIS
from confidence_engine.journal.projection import TOLD, Projection
from confidence_engine.journal.reader import ANCHOR, Place, Reader, place_of
from confidence_engine.journal.schema import BLOCK, RECORD
from confidence_engine.journal.sheet import Sheet, stamp
from confidence_engine.journal.tables import PROJECTION, RETAINED, RETENTION_NS, TABLES, TABLES_FILE

__all__ = ["BATCH", "LOCK", "Projected", "drop", "project", "rebuild"]

LOCK: Final = "projector.lock"
BATCH: Final = 20_000
"""Records of one transaction at most."""
WAIT_S: Final = 60.0
_ADVISORY: Final = 0x434F4E46  # any number that no other program locks; the letters CONF

AGENTS, CURSORS = TABLES.tables["agents"], TABLES.tables["cursors"]


class Projected(NamedTuple):
    """One agent after a projection: records now in the tables, how many of them were added, whether told anew.

    `gone`: its journal is not there any more; its rows stay as they were told.
    """

    agent: str
    records: int
    added: int
    anew: bool
    gone: bool = False


class _Source(NamedTuple):
    """An agent's journal: its number, what it is, where it ends, and the time before which nothing is retained."""

    number: int
    created_ns: int
    reader: Reader
    end: int
    horizon: str

    @property
    def name(self) -> str:
        return self.reader.place.name


class _Sources(NamedTuple):
    """The journals of this home by agent, those that cannot be read, and the home's id."""

    mine: dict[str, _Source]
    damaged: dict[str, ConfidenceError]
    home: str


def project(home: Path, database: str | None = None, *, records: int | None = None) -> list[Projected]:
    """Bring HOME/enhanced_trading.db, or the tables on a server, up to the journals of HOME/agents.

    A server that is named is meant from then on. `records`: at most so many of each agent, the rest is left for later.
    Raises JournalUnwritable where the tables cannot be written or another projector does not end, JournalDamaged for a
    journal that cannot be read, after the others were told, DataRefused where another home's agent of the same name is
    in the tables; what was there before stays.
    """
    return _run(home, database, False, records)


def rebuild(home: Path, database: str | None = None) -> list[Projected]:
    """Drop the rows of all journals and tell them anew, in one transaction: readers see the old rows or the new.

    Raises as `project`.
    """
    return _run(home, database, True, None)


def drop(home: Path, database: str | None, agents: Sequence[str]) -> list[str]:
    """Delete the rows of agents of this home that have no journal any more; returns those that had some.

    Raises JournalDamaged where an anchor says that there was a journal, else as `project`.
    """
    for name in agents:
        folder = home / "agents" / name
        reader = _opened(place_of(folder, name))
        if reader is not None:
            reader.close()
        if reader is not None or (folder / ANCHOR).exists():
            raise JournalDamaged(f"{folder} has a journal or an anchor; its rows are not dropped")
    with _tables(home, database) as (engine, _), engine.begin() as c:
        mine = [name for name, foreign in _told(c, identified(home).id) if name in agents and not foreign]
        for name in mine:
            _forget(c, name)
    return mine


def _run(home: Path, database: str | None, anew: bool, most: int | None) -> list[Projected]:
    with contextlib.ExitStack() as held:
        engine, server = held.enter_context(_tables(home, database))
        sources = _sources(home, engine, held)
        found = _projected(engine, sources, anew, most)
        remember(home, server)
        for error in sources.damaged.values():
            raise error
        return found


@contextlib.contextmanager
def _tables(home: Path, database: str | None) -> Iterator[tuple[sa.Engine, str | None]]:
    """The tables of a home, of the newest revision, and their server; nobody else projects meanwhile."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as held:
            held.enter_context(_locked(home))
            server = server_of(home, database)
            engine = engine_of(server or sqlite_url(home / TABLES_FILE))
            held.callback(engine.dispose)
            if server is not None:
                held.enter_context(_alone(engine))
            upgrade(engine, "tables")
            yield engine, server
    except (OSError, sa.exc.DBAPIError) as error:
        said = error.strerror if isinstance(error, OSError) else " ".join(str(error.orig).split())
        ruined = isinstance(error, sa.exc.DatabaseError) and getattr(error.orig, "sqlite_errorname", "") in RUINED
        hint = f"; delete {TABLES_FILE} there and run `confidence journal rebuild`" if ruined else ""
        raise JournalUnwritable(f"the tables of {home} cannot be written: {said}{hint}") from error


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    """The projector's lock of this home; the system lets go of it when the process ends, however it ends."""
    with (home / LOCK).open("a+b") as file:
        until = time.monotonic() + WAIT_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                _wait(until, f"{home / LOCK}: another process projects")
        yield


@contextlib.contextmanager
def _alone(engine: sa.Engine) -> Iterator[None]:
    """The projector's lock of this server's database: other homes may write into it."""
    with engine.connect() as c:
        until = time.monotonic() + WAIT_S
        while not c.execute(sa.select(sa.func.pg_try_advisory_lock(_ADVISORY))).scalar_one():
            c.rollback()
            _wait(until, "another process projects into this database")
        c.commit()
        try:
            yield
        finally:
            c.execute(sa.select(sa.func.pg_advisory_unlock(_ADVISORY)))
            c.commit()


def _wait(until: float, why: str) -> None:
    if time.monotonic() > until:
        raise JournalUnwritable(f"{why} and has not ended within {WAIT_S:g} s")
    time.sleep(0.05)


def _sources(home: Path, engine: sa.Engine, held: contextlib.ExitStack) -> _Sources:
    """The journals of this home by agent; a folder without one is passed by.

    They are numbered by their creation, from 1 on, with the numbers left out that the tables have for other agents:
    those of other homes, and those whose rows stay because their journal is gone or cannot be read.
    """
    me, damaged = identified(home).id, dict[str, ConfidenceError]()
    found: list[tuple[int, str, int, str, Reader]] = []
    for folder in sorted((home / "agents").glob("*/journal")):
        name = folder.parent.name
        try:
            reader = _opened(place_of(folder.parent, name))
            if reader is not None:
                held.callback(reader.close)
                ns, end = _created(reader), reader.last().end_record
                found.append((ns, str(reader.uuid), end, _horizon(reader), reader))
        except (JournalDamaged, RunError) as error:
            damaged[name] = error
        except OSError as error:
            damaged[name] = JournalDamaged(f"{error.filename or folder}: {error.strerror or error}")
    names = {reader.place.name for *_, reader in found}
    with engine.connect() as c:
        taken = {row.number for row in c.execute(sa.select(AGENTS)) if row.name not in names}
    free = (number for number in itertools.count(1) if number not in taken)
    mine = [
        _Source(number, ns, reader, end, horizon)
        for number, (ns, _, end, horizon, reader) in zip(free, sorted(found, key=lambda one: one[:2]), strict=False)
    ]
    return _Sources({one.name: one for one in mine}, damaged, me)


def _is_foreign(c: sa.Connection, home: str | None, me: str) -> bool:
    """Whether rows are another home's. A file has those of its own alone; rows without a home are of older rules."""
    return c.dialect.name != "sqlite" and home not in (None, me)


def _told(c: sa.Connection, me: str) -> list[tuple[str, bool]]:
    """Agents that have rows, and whether they are another home's."""
    return [(row.name, _is_foreign(c, row.home, me)) for row in c.execute(sa.select(AGENTS).order_by(AGENTS.c.number))]


def _created(reader: Reader) -> int:
    """When the genesis record was written, in ns."""
    for first in reader.records(GENESIS, limit=1):
        return first.ts_ns
    raise JournalDamaged(f"{reader.place.folder}: no genesis record")


def _opened(place: Place) -> Reader | None:
    """The journal, None where it was begun and died before its first commit: it never was."""
    try:
        reader = Reader(place)
    except DataMissing:
        return None
    with contextlib.closing(reader.blocks()) as blocks:
        if next(blocks, None) is not None:
            return reader
    reader.close()
    return None


def _horizon(reader: Reader) -> str:
    """30 days before the journal's last event was known; "" where it holds none."""
    block, size = reader.last_with_events(reader.last().number), EVENT.itemsize
    if block is None:
        return ""
    last = reader.read(block._replace(position=block.position + (block.events - 1) * size, events=1))
    if len(last) != size:
        what = f"{reader.place.segments / block.segment}: the last event is not there"
        raise JournalDamaged(f"{what}; see `confidence journal verify`")
    return stamp(int(np.frombuffer(last, EVENT)["ts_known"][0]) - RETENTION_NS)


def _projected(engine: sa.Engine, sources: _Sources, anew: bool, most: int | None) -> list[Projected]:
    """Tell anew what has to be, in one transaction, then take the others on from their cursors, batch by batch."""
    done: dict[str, Projected] = {}
    mine = dict(sorted(sources.mine.items(), key=lambda pair: pair[1].number))
    with engine.begin() as c:
        stale = _stale(c, sources, anew)
        for name in stale:
            _forget(c, name)
        for name in stale:
            done[name] = _advance(c, mine[name], sources.home, most, None)._replace(anew=True)
    for name, one in mine.items():
        added = 0
        while name not in done:
            left = None if most is None else most - added
            with engine.begin() as c:
                step = _advance(c, one, sources.home, left, BATCH)
            added += step.added
            if step.records == one.end or added == most:
                done[name] = step._replace(added=added)
    with engine.connect() as c:
        gone = [
            Projected(name, 0, 0, False, True) for name, foreign in _told(c, sources.home)
            if not foreign and name not in mine and name not in sources.damaged
        ]  # fmt: skip
    return [done[name] for name in mine] + gone


def _stale(c: sa.Connection, sources: _Sources, anew: bool) -> list[str]:
    """Agents whose rows do not follow from their journal any more.

    Rows of another home are left alone, and so are those whose journal is not there: nothing else says what they say.
    """
    query = sa.select(AGENTS, CURSORS).join(CURSORS, CURSORS.c.agent_type == AGENTS.c.name).order_by(AGENTS.c.number)
    stale = []
    for row in c.execute(query).mappings():
        of = sources.mine.get(row["name"])
        if of is None:
            continue
        same = row["journal"] == str(of.reader.uuid)
        if not same and _is_foreign(c, row["home"], sources.home):
            what = f"the tables hold an agent {row['name']!r} of another home"
            raise DataRefused(f"{what}; name one of them differently or give this home another database")
        if anew or row["home"] != sources.home or not _follows(of, row):
            stale.append(row["name"])
    return stale


def _follows(of: _Source, row: Any) -> bool:
    """Whether the journal still holds what its cursor has seen, under the same number and rules."""
    same = (str(of.reader.uuid), of.number, PROJECTION) == (row["journal"], row["number"], row["projection"])
    return same and _block(of.reader, row["next_record"]) == (row["block"], row["block_hash"])


def _block(reader: Reader, end: int) -> tuple[int, str]:
    """Number and hash of the block of the last record before `end`; (-1, "") where it is not there."""
    query = sa.select(BLOCK.c.number, BLOCK.c.hash).join(
        RECORD, sa.and_(RECORD.c.name == BLOCK.c.name, RECORD.c.block == BLOCK.c.number)
    )
    with reader.connected() as c:
        row = c.execute(query.where(RECORD.c.name == reader.place.name, RECORD.c.id == end - 1)).one_or_none()
    return (-1, "") if row is None else (int(row.number), row.hash.hex())


def _forget(c: sa.Connection, name: str) -> None:
    """Delete every row of an agent, those that refer to others first."""
    orders = TABLES.tables["orders"]
    c.execute(sa.update(orders).where(orders.c.agent_type == name).values(parent=None))
    for table in reversed(TABLES.sorted_tables):
        key = table.c.name if table is AGENTS else table.c.agent_type
        c.execute(sa.delete(table).where(key == name))


def _advance(c: sa.Connection, of: _Source, home: str, most: int | None, batch: int | None) -> Projected:
    """Project up to `most` records more, `batch` at most in all or all of them; rows, cursor and retention together."""
    genesis = of.reader.genesis()
    query = sa.select(CURSORS.c.next_record, CURSORS.c.carry).where(CURSORS.c.agent_type == of.name)
    stood = c.execute(query).one_or_none()
    if stood is None:
        created = stamp(of.created_ns)
        about = {"number": of.number, "name": of.name, "journal": genesis.journal, "created": created, "home": home}
        c.execute(sa.insert(AGENTS), [about | {"run": genesis.run, "code_revision": genesis.code_revision}])
    first, told = (0, "{}") if stood is None else (int(stood.next_record), str(stood.carry))
    end = min(of.end, first + min(n for n in (most, batch, of.end) if n is not None))
    carry = msgspec.json.decode(told, type=Carry)
    sheet = Sheet(c, of.number, of.name, of.horizon)
    projection = Projection(genesis, of.reader.epochs(), carry, sheet)
    for k, record in enumerate(of.reader.records(*TOLD, first=first, end=end)):
        projection.take(record)
        if k % BATCH == BATCH - 1:
            sheet.flush()
    sheet.flush()
    block, block_hash = _block(of.reader, end)
    c.execute(sa.delete(CURSORS).where(CURSORS.c.agent_type == of.name))
    now = {"agent_type": of.name, "next_record": end, "block": block, "block_hash": block_hash}
    c.execute(sa.insert(CURSORS), [now | {"projection": PROJECTION, "carry": msgspec.json.encode(carry).decode()}])
    for name in RETAINED:
        table = TABLES.tables[name]
        c.execute(sa.delete(table).where(table.c.agent_type == of.name, table.c.timestamp < of.horizon))
    return Projected(of.name, end, end - first, False)
