"""SQLite's write-ahead log, copied into the database beside whoever writes to it.

A commit adds to the log, and the log has to be copied into the database now and then, which waits for the disk. SQLite
has the commit do it that finds the log long enough, and that commit takes a hundred times as long as any other. A
connection in a thread of its own can copy while commits go on (SQLite, "Write-Ahead Logging", 3.1: a passive checkpoint
waits for nobody and nobody waits for it); the commit that finds the log long then has little left to copy.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from confidence_engine.journal.database import is_postgres
from confidence_engine.journal.reader import DATABASE, Place

__all__ = ["copied_beside"]

_EVERY_S: Final = 0.2
"""Seconds between two copies, of which one without a commit since the last costs nothing. What is left to the commit
that finds the log long is what was written in this time.
"""


@contextlib.contextmanager
def copied_beside(place: Place, every_s: float = _EVERY_S) -> Iterator[None]:
    """Copy the log of a place's rows every so often while the block runs; where a server holds them there is none."""
    if is_postgres(place.database):
        yield
        return
    ended = threading.Event()
    thread = threading.Thread(target=_copy, args=(place.folder / DATABASE, ended, every_s), name="wal", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _copy(path: Path, ended: threading.Event, every_s: float) -> None:
    """Until it is told to end. What cannot be copied stays in the log, where it is as safe: whoever writes meets the
    same disk at a commit, and says so.
    """
    while not ended.wait(every_s):
        with contextlib.suppress(sqlite3.Error), contextlib.closing(_opened(path)) as connection:
            while not ended.wait(every_s):
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", timeout=0, isolation_level=None, uri=True)
