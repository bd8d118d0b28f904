"""One process writes a journal. The lock is the system's, so it is let go of when the process ends, however it ends.

Where the rows are on a server, a copy of the folder would be another writer of the same rows: there the name has a lock
too, which the server keeps for as long as the writer's session lives.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import IO, Final

import sqlalchemy as sa

from confidence_engine.domain.errors import JournalUnwritable
from confidence_engine.journal.reader import LOCK, Place

__all__ = ["claimed", "is_locked", "locked"]

_WRITING: Final = 7_241_995_302
"""Seed of the numbers of the server's locks, one a name."""
CLAIM_S: Final = 5.0
"""How long the session of a writer that has ended may take to end."""


def is_locked(folder: Path) -> bool:
    """Whether a process holds the lock of a journal's folder; where there is no lock nobody does."""
    try:
        file = (folder / LOCK).open("rb")
    except FileNotFoundError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def locked(place: Place) -> IO[bytes]:
    """The lock of the folder; the system lets go of it when the process ends, however it ends."""
    try:
        file = (place.folder / LOCK).open("a+b")
    except OSError as error:
        raise JournalUnwritable(f"{place.folder}: {error.strerror or error}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read(20).decode("ascii", "replace").strip()
        file.close()
        raise JournalUnwritable(f"{place.folder}: process {holder or '?'} writes this journal") from None
    with contextlib.suppress(OSError):  # who holds it is a courtesy; that it is held is the lock's own word
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
    return file


def claimed(engine: sa.Engine, place: Place) -> sa.Connection | None:
    """The session that holds the server's lock of the journal's name, None where rows are a file.

    Whoever writes does so in this very session: one that is lost takes the lock with it, and no commit passes.

    Raises JournalUnwritable where another one holds it.
    """
    if engine.dialect.name != "postgresql":
        return None
    session, number = engine.connect(), sa.func.hashtextextended(place.name, _WRITING)
    until = time.monotonic() + CLAIM_S
    while True:
        with session.begin():
            if session.execute(sa.select(sa.func.pg_try_advisory_lock(number))).scalar_one():
                return session
        if time.monotonic() > until:
            session.close()
            raise JournalUnwritable(f"{place.folder}: another process writes journal {place.name!r} on its server")
        time.sleep(0.02)
