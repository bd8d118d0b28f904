"""The few things a journal asks of files, in one place, so that a test can stand in with a disk that fails or forgets.

What was written is on its way to the disk; only what was synced has arrived. A journal therefore writes at places it
names itself, so that writing again after a failure repairs instead of doubling.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["FULL", "Disk", "is_full"]

FULL: Final = (errno.ENOSPC, errno.EDQUOT)


def is_full(error: OSError) -> bool:
    """Whether the failure says that there is no room."""
    return error.errno in FULL


@contextlib.contextmanager
def _opened(path: Path, how: int, mode: int = 0o644) -> Iterator[int]:
    """A handle of the file, whose failures bear its name: those of reading and writing by number do not."""
    handle = os.open(path, how | os.O_CLOEXEC, mode)
    try:
        yield handle
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        os.close(handle)


class Disk:
    """The real one. Every method raises OSError as the system gives it, with the file's name."""

    def write(self, path: Path, at: int, data: bytes) -> None:
        """Put all of `data` at byte `at`; after an error part of it may stand there, to be written again."""
        with _opened(path, os.O_WRONLY | os.O_CREAT) as handle:
            view = memoryview(data)
            while view:
                done = os.pwrite(handle, view, at)
                view, at = view[done:], at + done

    def read(self, path: Path, at: int, count: int) -> bytes:
        """Up to `count` bytes from `at`; fewer where the file ends."""
        with _opened(path, os.O_RDONLY) as handle:
            parts = []
            while count > 0 and (part := os.pread(handle, count, at)):
                parts.append(part)
                at, count = at + len(part), count - len(part)
            return b"".join(parts)

    def size(self, path: Path) -> int:
        """Bytes of the file, 0 where there is none."""
        try:
            return os.stat(path).st_size
        except FileNotFoundError:
            return 0

    def cut(self, path: Path, size: int) -> None:
        """Shorten the file to `size` bytes."""
        os.truncate(path, size)

    def sync(self, path: Path) -> None:
        """Return when the file's bytes, and its name, have arrived."""
        for one in (path, path.parent):
            with _opened(one, os.O_RDONLY) as handle:
                os.fsync(handle)

    def replace(self, path: Path, data: bytes) -> None:
        """The file holds the old bytes or the new, never a part; on return the new have arrived."""
        beside = path.with_name(f".{path.name}.part")
        try:
            beside.unlink(missing_ok=True)
            self.write(beside, 0, data)
            self.sync(beside)
            os.replace(beside, path)
            self.sync(path)
        except BaseException:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            raise

    def reserve(self, path: Path, size: int) -> None:
        """A file of `size` bytes that really takes the room."""
        try:
            with _opened(path, os.O_WRONLY | os.O_CREAT, 0o600) as handle:
                os.posix_fallocate(handle, 0, size)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(path)
            raise

    def remove(self, path: Path) -> None:
        """Delete the file; one that is gone already is no error."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
