"""A disk that fails, lies or forgets, and a process that dies: what a journal has to outlive.

Every step of the disk, and of the database where it is watched, is counted; `die_at` names the one at which the
process ends, before it, amid it or after it. Until a file is synced each of its writes is only on its way: a power cut
keeps it, loses it or tears it by the sector, each on its own, in no order.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from confidence_engine.journal.disk import Disk
from confidence_engine.journal.reader import Place, place_of

__all__ = ["SECTOR", "Died", "FaultyDisk", "cut_rows", "leave"]

SECTOR = 512


class Died(BaseException):
    """The process ended here: nothing that comes after is done, and nobody catches it."""


class FaultyDisk(Disk):
    """Real files with planned faults. `steps` counts what was asked of the disk and of a watched database."""

    def __init__(self, rng: random.Random | None = None) -> None:
        self.rng = rng or random.Random(0)
        self.steps = 0
        self.die_at, self.when = 0, "before"  # "before", "amid" or "after"
        self.fails: dict[str, int] = {}  # step's name -> errno of every call from now on
        self.fail_write_at = 0  # writes until the one that finds no room
        self.room: int | None = None  # bytes left
        self.lies = False  # a sync returns, and nothing has arrived
        self.told: list[str] = []  # names of the steps
        self.rows_arrived = 0  # bytes of SQLite's log that were synced through this disk
        self._arrived: dict[Path, bytes | None] = {}
        self._on_the_way: dict[Path, list[tuple[str, int, bytes]]] = {}

    @contextlib.contextmanager
    def _step(self, name: str, amid: Callable[[], None] = lambda: None) -> Iterator[None]:
        self.steps += 1
        self.told.append(name)
        here = self.steps == self.die_at
        if here and self.when != "after":
            if self.when == "amid":
                amid()
            raise Died(f"{self.when} step {self.steps}, {name}")
        if name in self.fails:
            raise OSError(self.fails[name], os.strerror(self.fails[name]))
        yield
        if here:
            raise Died(f"after step {self.steps}, {name}")

    def _note(self, path: Path, what: str, at: int, data: bytes) -> None:
        if path not in self._arrived:
            self._arrived[path] = path.read_bytes() if path.exists() else None
        self._on_the_way.setdefault(path, []).append((what, at, data))

    def write(self, path: Path, at: int, data: bytes) -> None:
        """As the real one, while there is room."""

        def part() -> None:
            self._put(path, at, data[: self.rng.randrange(len(data))])

        with self._step("write", part):
            if self.fail_write_at:
                self.fail_write_at -= 1
                if self.fail_write_at == 0:
                    part()
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if self.room is not None:
                more = at + len(data) - self.size(path)
                if more > self.room:
                    self._put(path, at, data[: max(len(data) - (more - self.room), 0)])
                    self.room = 0
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                self.room -= max(more, 0)
            self._put(path, at, data)

    def _put(self, path: Path, at: int, data: bytes) -> None:
        self._note(path, "write", at, data)
        super().write(path, at, data)

    def cut(self, path: Path, size: int) -> None:
        """As the real one; what was cut off may come back until a sync."""
        with self._step("cut"):
            if self.room is not None:
                self.room += self.size(path) - size
            self._note(path, "cut", size, b"")
            super().cut(path, size)

    def sync(self, path: Path) -> None:
        """Nothing is waited for: what was synced is what `power_cut` keeps. Where the disk lies, nothing is kept."""
        with self._step("sync"):
            path.stat()
            if self.lies:
                return
            self._arrived.pop(path, None)
            self._on_the_way.pop(path, None)
            if path.name.endswith("-wal"):
                self.rows_arrived = self.size(path)

    def replace(self, path: Path, data: bytes) -> None:
        """As the real one; cut off before its end either file may be there."""
        old = path.read_bytes() if path.exists() else None
        room = self.room
        with self._step("replace"):
            try:
                super().replace(path, data)
                if self.room is not None:
                    self.room += len(old or b"")
            except BaseException:
                self.room = room  # what was beside is gone
                if path.exists() and path.read_bytes() != old:  # the name has not arrived
                    self._arrived[path], self._on_the_way[path] = old, [("whole", 0, data)]
                raise

    def reserve(self, path: Path, size: int) -> None:
        """As the real one, while there is room."""
        with self._step("reserve"):
            if self.room is not None:
                if size > self.room:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                self.room -= size
            super().reserve(path, size)

    def remove(self, path: Path) -> None:
        """As the real one; the room comes back."""
        with self._step("remove"):
            if self.room is not None:
                self.room += self.size(path)
            super().remove(path)

    def watch(self, engine: sa.Engine) -> sa.Engine:
        """Count the statements and commits of a database as steps too."""

        def stepped(execute: Callable[..., Any]) -> Callable[..., Any]:
            def run(cursor: Any, statement: str, *given: Any, **named: Any) -> None:
                if not statement.startswith(("INSERT", "DELETE")):
                    return execute(cursor, statement, *given, **named)
                with self._step(f"before {statement.split()[2]}"):
                    pass
                execute(cursor, statement, *given, **named)
                with self._step(f"after {statement.split()[2]}"):
                    pass
                return None

            return run

        commit = engine.dialect.do_commit

        def do_commit(connection: Any) -> None:
            with self._step("commit"):
                commit(connection)

        dialect = engine.dialect  # below what composes statements: whichever way they come, they come through here
        for name in ("do_execute", "do_executemany", "do_execute_no_params"):
            setattr(dialect, name, stepped(getattr(dialect, name)))
        dialect.do_commit = do_commit  # type: ignore[method-assign]
        return engine

    def power_cut(self, of: Path, to: Path) -> None:
        """Make the copy `to` of the folder `of` what is found when the power is back."""
        for path, arrived in self._arrived.items():
            if not path.is_relative_to(of):
                continue
            found = None if arrived is None else bytearray(arrived)
            for what, at, data in self._on_the_way[path]:
                found = self._outcome(found, what, at, data)
            copy = to / path.relative_to(of)
            copy.unlink(missing_ok=True)
            if found is not None:
                copy.write_bytes(found)

    def _outcome(self, found: bytearray | None, what: str, at: int, data: bytes) -> bytearray | None:
        fate = self.rng.choice(("kept", "lost", "torn"))
        if fate == "lost":
            return found
        if what == "whole":
            return bytearray(data)
        found = bytearray() if found is None else found
        if what == "cut":
            return found[:at]
        for low in range(0, len(data), SECTOR):
            if fate == "torn" and self.rng.random() < 0.5:
                continue
            part = data[low : low + SECTOR]
            if len(found) < at + low:
                found.extend(bytes(at + low - len(found)))
            found[at + low : at + low + len(part)] = part
        return found


def cut_rows(rng: random.Random, place: Place, arrived: int) -> None:
    """Leave of SQLite's log what a power cut does: `arrived` bytes were synced, the rest ends anywhere, with holes."""
    log = place.folder / "journal.db-wal"
    if not log.exists():
        return
    data = bytearray(log.read_bytes())
    end = rng.randint(min(arrived, len(data)), len(data))
    if end - arrived > SECTOR and rng.random() < 0.5:
        hole = rng.randrange(arrived, end - SECTOR)
        data[hole : hole + SECTOR] = bytes(SECTOR)
    log.write_bytes(data[:end])


def leave(place: Place, home: Path) -> Place:
    """A copy of all that a dead process left, in `home`; rows on a server stay where they are."""
    shutil.copytree(place.anchor.parent, home, ignore=shutil.ignore_patterns("lock", "*-shm"))
    server = None if place.database.startswith("sqlite") else place.database
    return place_of(home, place.name, server)
