"""What a home remembers of its tables: an id that tells its rows from another home's, and the server they are in.

Several homes may share one server. Rows that another home wrote are its own, so each home bears an id that moves with
the folder; and a server that was named once is meant until another one is.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Final

import msgspec

from confidence_engine.domain.errors import JournalDamaged
from confidence_engine.journal.database import bare_url
from confidence_engine.journal.disk import Disk

__all__ = ["HOME_FILE", "Home", "identified", "remember", "remembered", "server_of"]

HOME_FILE: Final = "home.json"


class Home(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The id of a home, "" before it has one, and its server's URL without a password, "" for files in the home."""

    id: str = ""
    database: str = ""


def remembered(home: Path) -> Home:
    """What the home's file says, nothing where there is none. Raises JournalDamaged where it cannot be read."""
    path = home / HOME_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Home)
    except FileNotFoundError:
        return Home()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        hint = "delete it where the tables are a file; else delete it and name their server by --database once"
        raise JournalDamaged(f"{path} cannot be read: {error}; {hint}") from error


def server_of(home: Path, database: str | None = None) -> str | None:
    """URL of the server that holds the home's tables: the one named now, else the one named last, else none."""
    return database or remembered(home).database or None


def identified(home: Path) -> Home:
    """The home with its id, which it gets with the first call."""
    held = remembered(home)
    return held if held.id else _kept(home, Home(str(uuid.uuid4()), held.database))


def remember(home: Path, database: str | None) -> Home:
    """Keep the server for the next time."""
    held = identified(home)
    now = Home(held.id, bare_url(database) if database else "")
    return held if now == held else _kept(home, now)


def _kept(home: Path, now: Home) -> Home:
    Disk().replace(home / HOME_FILE, msgspec.json.format(msgspec.json.encode(now), indent=1) + b"\n")
    return now
