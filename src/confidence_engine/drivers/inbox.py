"""The way in for an operator: a folder of commands beside an agent's journal, each a file that is whole or not there.

A command is obeyed by becoming part of the journal; only then is its file taken away. An agent that dies between the
two finds the file again and its id in the journal, and does not obey twice. A command that waits for an agent that
does not run is the first thing that it hears.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

import msgspec

from confidence_engine.domain.command import COMMAND_CODES, Command
from confidence_engine.domain.errors import UsageError
from confidence_engine.journal import kinds
from confidence_engine.journal.disk import Disk
from confidence_engine.journal.reader import Place, Reader

__all__ = ["INBOX", "REFUSED", "Inbox", "put"]

INBOX: Final = "inbox"
REFUSED: Final = "refused"
"""Folder in it for files that are no commands, each with the reason in a text beside it; `status` counts them."""
_REMEMBERED: Final = 1000
"""Commands whose ids are looked up in the journal; more never wait at once."""


def put(place: Place, command: Command) -> Path:
    """Leave a command for an agent; on return it has arrived. Raises OSError and UsageError."""
    if command.command not in COMMAND_CODES:
        raise UsageError(f"{command.command!r} is no command; known: {', '.join(COMMAND_CODES)}")
    folder = _folder(place)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{command.asked_ns:020d}-{command.id}.json"
    Disk().replace(path, msgspec.json.encode(command))
    return path


class Inbox:
    """One agent's commands."""

    def __init__(self, place: Place) -> None:
        self._folder = _folder(place)
        self._folder.mkdir(parents=True, exist_ok=True)  # by the agent's user, who will take files out of it
        self._obeyed = _obeyed(place)
        self._taken: dict[str, Path] = {}

    def waiting(self) -> list[Command]:
        """Commands that wait, the oldest first; each is told once."""
        try:
            names = sorted(one.name for one in self._folder.iterdir() if one.suffix == ".json")
        except FileNotFoundError:
            return []
        found = []
        for path in (self._folder / name for name in names):
            command = self._read(path)
            if command is None or command.id in self._taken:
                continue
            if command.id in self._obeyed:  # it died after it had obeyed
                self._remove(path)
                continue
            self._taken[command.id] = path
            found.append(command)
        return found

    def done(self, command: Command) -> None:
        """The command is in the journal."""
        self._obeyed.add(command.id)
        self._remove(self._taken.pop(command.id))

    def _read(self, path: Path) -> Command | None:
        try:
            command = msgspec.json.decode(path.read_bytes(), type=Command)
            if command.command in COMMAND_CODES:
                return command
            why = f"{command.command!r} is no command; known: {', '.join(COMMAND_CODES)}"
        except (FileNotFoundError, PermissionError):  # what may not be read waits, and its sender is told so
            return None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            why = str(error)
        aside = self._folder / REFUSED
        aside.mkdir(exist_ok=True)
        (aside / f"{path.name}.txt").write_text(why + "\n", "utf-8")
        path.replace(aside / path.name)
        return None

    def _remove(self, path: Path) -> None:
        """Take a file away; one that may not be, as another user's folder, is known by its id and passed over."""
        with contextlib.suppress(FileNotFoundError, PermissionError):
            path.unlink()


def _folder(place: Place) -> Path:
    return place.anchor.parent / INBOX


def _obeyed(place: Place) -> set[str]:
    """Ids of the last commands of the journal."""
    reader = Reader(place)
    try:
        records = reader.records(kinds.COMMAND, backwards=True, limit=_REMEMBERED)
        payloads = [msgspec.json.decode(one.payload or b"{}") for one in records]
    finally:
        reader.close()
    return {one["id"] for one in payloads if "id" in one}
