"""Where rows live: SQLite beside the segments, or a PostgreSQL that several agents share. The same tables on both.

SQLite runs in WAL mode: readers see the last commit and never wait. With `full` every commit waits for the disk;
without it a power cut may take the last commits back, but never a part of one (SQLite, "Write-Ahead Logging", 2.2).
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import event

from confidence_engine.domain.errors import UsageError

__all__ = [
    "bare_url", "check_url", "engine_of", "is_postgres", "no_room", "same_server", "sqlite_url", "unavailable",
    "upgrade",
]  # fmt: skip

BUSY_S: Final = 30.0
_SECRETS: Final = frozenset({"password", "sslpassword", "passfile", "sslkey"})
_UPGRADING: Final = 7_241_995_301
"""Number of the server's lock under which tables are made: two agents may start at once."""
_PATIENCE: Final = {
    "connect_timeout": 10, "keepalives_idle": 20, "keepalives_interval": 10, "keepalives_count": 3,
    "tcp_user_timeout": 50_000,
}  # fmt: skip
"""A server that has gone without a word fails what waits for it within a minute; a URL may say otherwise."""
DISK_FULL: Final = ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE", "53100")  # names of SQLite, SQLSTATE of PostgreSQL
RUINED: Final = ("SQLITE_NOTADB", "SQLITE_CORRUPT")  # a file that is no database, or not a whole one
_LOCKED: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_LOG_PAGES: Final = 16384
"""Pages of SQLite's log (64 MB) from which a commit copies them into the file and waits for the disk. A commit writes
some six of which five are those of the last one: copied less often, less is copied, and fewer commits wait. A live run
has most of them copied before (`wal.copied_beside`).
"""
MIGRATIONS: Final = Path(__file__).resolve().parent / "migrations"


def sqlite_url(path: Path, readonly: bool = False) -> str:
    """URL of a SQLite file. Read only in a folder that cannot be written, without a write-ahead log, the file is taken
    as final: a journal on such a medium can still be read. Elsewhere a writer may come at any time.
    """
    if not readonly:
        return f"sqlite:///file:{quote(str(path))}?uri=true"
    live = os.access(path.parent, os.W_OK) or path.with_name(f"{path.name}-wal").exists()
    final = "" if live else "&immutable=1"
    return f"sqlite:///file:{quote(str(path))}?mode=ro{final}&uri=true"


def is_postgres(url: str) -> bool:
    """Whether the URL names a PostgreSQL server."""
    return url.startswith(("postgresql://", "postgresql+psycopg://"))


def bare_url(url: str) -> str:
    """A server's URL without its password."""
    return sa.make_url(url).set(password=None).render_as_string(hide_password=False)


def same_server(one: str, two: str) -> bool:
    """Whether two URLs name the same database of the same server, whoever asks."""
    first, second = (sa.make_url(url) for url in (one, two))
    return (first.host, first.port or 5432, first.database) == (second.host, second.port or 5432, second.database)


def check_url(url: str) -> str:
    """The URL of a server, as it was given. Raises UsageError for any other; what was written is not repeated."""
    wanted = "wanted postgresql://user@host/name"
    try:
        found = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise UsageError(f"the database's URL cannot be read; {wanted}") from None
    if found.drivername != "postgresql" or not found.database:
        raise UsageError(f"the database's URL names no PostgreSQL database; {wanted}")
    secret = sorted(set(found.query) & _SECRETS)
    if secret:
        raise UsageError(f"the database's URL holds {secret[0]}; PGPASSWORD or ~/.pgpass hold a password")
    return url


def engine_of(url: str, full: bool = False) -> sa.Engine:
    """An engine for a URL of `sqlite_url` or of a server. Raises UsageError for another kind of database."""
    if is_postgres(url):
        server = sa.make_url(url).set(drivername="postgresql+psycopg")
        waits = "-c synchronous_commit=on"  # whatever the database's own setting: a commit is one when it is on disk
        given: dict[str, Any] = {name: value for name, value in _PATIENCE.items() if name not in server.query}
        given["options"] = f"-c timezone=UTC {waits}"
        return sa.create_engine(server, pool_pre_ping=False, connect_args=given)
    if not url.startswith("sqlite:"):
        raise UsageError(f"database {sa.make_url(url).render_as_string()!r}: wanted postgresql://user@host/name")
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_S})
    readonly = "mode=ro" in url

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions are ours: the driver's own begin too late and end too early
        cursor = connection.cursor()
        if not readonly:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
            cursor.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN" if readonly else "BEGIN IMMEDIATE")

    return engine


def no_room(error: sa.exc.DBAPIError) -> bool:
    """Whether the database says that there is no room on its disk."""
    said = error.orig
    return getattr(said, "sqlite_errorname", getattr(said, "sqlstate", None)) in DISK_FULL


def unavailable(error: sa.exc.DBAPIError) -> str | None:
    """Why rows cannot be had now, be it a server that is silent or a lock; None where the fault is another."""
    if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _LOCKED:  # the low byte: the rest says why
        return "its rows are locked by another program"
    if not isinstance(error, sa.exc.OperationalError) or not hasattr(error.orig, "sqlstate"):
        return None
    return f"the server of its rows does not answer: {' '.join(str(error.orig).split())}"


def upgrade(engine: sa.Engine, tables: str, revision: str = "head") -> None:
    """Bring one set of tables ("log" or "tables") to a revision; each keeps its own version in the database."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS / tables))
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_UPGRADING)))
        config.attributes["connection"] = connection
        config.attributes["version_table"] = f"{tables}_version"
        command.upgrade(config, revision)
