"""A PostgreSQL server of the tests' own: started in a folder of its own on a free port of 127.0.0.1, stopped after.

The server refuses to be root; where we are, it runs as the user `postgres` that the package made. The binaries are
Debian's; where they are missing and we are root they are installed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["NoServer", "binaries", "serve"]


class NoServer(Exception):
    """There is no server here; the message says why."""


def binaries() -> Path:
    """Folder of initdb and pg_ctl. Raises NoServer where there is none and none could be installed."""
    for attempt in range(2):
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: int(one.parts[-3]))
        on_path = shutil.which("initdb")
        if found or on_path:
            return found[-1].parent if found else Path(str(on_path)).parent
        if attempt or os.geteuid() != 0 or shutil.which("apt-get") is None:
            break
        _run(["apt-get", "install", "-y", "postgresql"], {"DEBIAN_FRONTEND": "noninteractive"})
    raise NoServer("PostgreSQL is not installed: apt-get install postgresql")


@contextlib.contextmanager
def serve(sync: bool = False) -> Iterator[str]:
    """URL of a running server, without a database's name; `sync`: it waits for its disk. Raises NoServer."""
    where = binaries()
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        if user is not None:
            try:
                shutil.chown(folder, user)
            except LookupError as error:
                raise NoServer("root may not run PostgreSQL, and there is no user postgres") from error
        data, port = folder / "data", _free_port()
        _run([where / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"], user=user)
        settings = f"-c fsync={'on' if sync else 'off'} -c shared_buffers=16MB -c max_connections=40"
        options = f"-h 127.0.0.1 -p {port} -k {folder} {settings}"
        control: list[str | Path] = [where / "pg_ctl", "-D", data, "-w", "-t", "60"]
        _run([*control, "-l", folder / "log", "-o", options, "start"], user=user)
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}"
        finally:
            _run([*control, "-m", "immediate", "stop"], user=user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
