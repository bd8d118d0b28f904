"""One process writes a journal. The lock is the system's, so it is let go of when the process ends, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import IO

from confidence_engine.domain.errors import JournalUnwritable
from confidence_engine.journal.reader import LOCK, Place

__all__ = ["is_locked", "locked"]


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
