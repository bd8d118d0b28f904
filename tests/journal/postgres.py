"""A PostgreSQL server of the tests' own: started in a folder of its own on a free port of 127.0.0.1, stopped after.

The server refuses to be root; where we are, it runs as the user `postgres` that the package made. The binaries are
Debian's; where they are missing and we are root they are installed. It is a child of ours, so that it can be killed
and started again without a trace of the dead in its way.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["NoServer", "Server", "binaries", "serve", "serving"]

PATIENCE_S = 60.0
ROOM = 2 << 30
"""Bytes that have to be free in memory for a server's data to stand there."""


class NoServer(Exception):
    """There is no server here; the message says why."""


def binaries() -> Path:
    """Folder of initdb and postgres. Raises NoServer where there is none and none could be installed."""
    for attempt in range(2):
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: int(one.parts[-3]))
        on_path = shutil.which("initdb")
        if found or on_path:
            return found[-1].parent if found else Path(str(on_path)).parent
        if attempt or os.geteuid() != 0 or shutil.which("apt-get") is None:
            break
        _run(["apt-get", "install", "-y", "postgresql"], {"DEBIAN_FRONTEND": "noninteractive"})
    raise NoServer("PostgreSQL is not installed: apt-get install postgresql")


class Server:
    """A server of one data folder and one port, which may end and start again."""

    def __init__(self, where: Path, folder: Path, user: str | None, sync: bool) -> None:
        self.folder, self.data, self.user, self.port = folder, folder / "data", user, _free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}"
        """URL without a database's name."""
        words = [where / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        _run([*words], user=user)
        settings = f"-c fsync={'on' if sync else 'off'} -c shared_buffers=16MB -c max_connections=40"
        settings += " -c dynamic_shared_memory_type=mmap"  # in the folder, so that nothing is left of a killed one
        where_to = ["-D", str(self.data), "-h", "127.0.0.1", "-p", str(self.port), "-k", str(folder)]
        self._command = [str(where / "postgres"), *where_to, *settings.split()]
        self._process: subprocess.Popen[bytes]

    def start(self) -> None:
        """Return when it answers, be it after it has repaired what its death left."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=os.environ | {"LC_ALL": "C"}, cwd="/", user=self.user, group=self.user,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        end = time.monotonic() + PATIENCE_S
        while self._state() != "ready":
            if not self.runs or time.monotonic() > end:
                self._process.kill()
                raise NoServer((self.folder / "log").read_text(errors="replace").strip()[-400:])
            time.sleep(0.005)

    def _state(self) -> str:
        """What this process says of itself in its file; "" where the file is not there or a dead one's."""
        try:
            lines = (self.data / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return ""
        return lines[7].strip() if len(lines) > 7 and lines[0] == str(self._process.pid) else ""

    def stop(self) -> None:
        """At once, every process of it told to go."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(PATIENCE_S)

    def kill(self) -> None:
        """SIGKILL to all of its processes, so that none has a last word."""
        self._process.send_signal(signal.SIGSTOP)  # no new child, and nobody who sees the others die
        for child in _children(self._process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self._process.kill()
        self._process.wait(PATIENCE_S)

    @property
    def runs(self) -> bool:
        """Whether its first process lives."""
        return self._process.poll() is None


@contextlib.contextmanager
def serving(sync: bool = False) -> Iterator[Server]:
    """A running server; `sync`: it waits for its disk. Raises NoServer."""
    where = binaries()
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=_quick()))
    try:
        if user is not None:
            try:
                shutil.chown(folder, user)
            except LookupError as error:
                raise NoServer("root may not run PostgreSQL, and there is no user postgres") from error
        server = Server(where, folder, user, sync)
        server.start()
        try:
            yield server
        finally:
            if server.runs:
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def serve(sync: bool = False) -> Iterator[str]:
    """URL of a running server, as `serving`."""
    with serving(sync) as server:
        yield server.url


def _quick() -> Path | None:
    """A folder in memory where there is one with room: it outlives a process as well as a disk does, and waits less."""
    memory = Path("/dev/shm")
    with contextlib.suppress(OSError):
        if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM:
            return memory
    return None


def _children(parent: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            if int(path.read_text().rsplit(")", 1)[1].split()[1]) == parent:
                found.append(int(path.parent.name))
    return found


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _run(command: list[str | Path], also: dict[str, str] | None = None, user: str | None = None) -> None:
    done = subprocess.run(
        [str(word) for word in command], env=os.environ | {"LC_ALL": "C"} | (also or {}), cwd="/", user=user,
        group=user, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True,
    )  # fmt: skip
    if done.returncode:
        raise NoServer(f"{command[0]}: {done.stdout.strip()[-400:]}")
