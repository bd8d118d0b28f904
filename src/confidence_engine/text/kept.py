"""Readings kept by content: what a reader of one version once said of a text is not asked again.

We believe a reading depends on the reader's version and the text and on nothing else, so
key = SHA-256(text), first 16 bytes, in a file named after reader and version. The file is a head (SHA-256 of
the rest) and rows of 40 bytes (RECORD); it is read once and written whole, beside and then renamed.
It may be deleted at any time; a file that does not verify is not believed and written anew. It holds MOST rows
at most (20 MB): beyond, the oldest are dropped. A full or read-only disk costs the file, not the readings.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from confidence_engine.domain.document import Reading
from confidence_engine.domain.ports import Reader

__all__ = ["MOST", "RECORD", "KeptReader"]

RECORD: Final = np.dtype([("key", "<u8", (2,)), ("shares", "<f8", (3,))])
MOST: Final = 500_000
_HEAD: Final = 32
_AT_ONCE: Final = 4096
_UNSAVED: Final = 256
"""Readings that may wait in memory: whoever reads one text at a time must not write the file for each."""


class KeptReader:
    """Port `Reader` round another: the same readings, asked for once."""

    def __init__(self, reader: Reader, folder: Path) -> None:
        self.name, self.version = reader.name, reader.version
        self._reader = reader
        self._file = folder / f"{reader.name}-{reader.version}.readings"
        self._kept: dict[bytes, Reading] | None = None
        self._unsaved = 0

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """One reading a text, in order; new ones are put into the file as they come, some hundreds at once."""
        if self._kept is None:
            self._kept = _load(self._file)
        keys = [_key(text) for text in texts]
        wanted = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._kept}
        new = list(wanted)
        for at in range(0, len(new), _AT_ONCE):
            chosen = new[at : at + _AT_ONCE]
            self._kept |= zip(chosen, self._reader.read([wanted[key] for key in chosen]), strict=True)
            self._unsaved += len(chosen)
            if self._unsaved >= _UNSAVED or len(texts) > 1:
                self.save()
        return [self._kept[key] for key in keys]

    def save(self) -> None:
        """Write what is not in the file yet; whoever reads one text at a time calls it at the end."""
        if self._kept is None or not self._unsaved:
            return
        with contextlib.suppress(OSError):
            _save(self._file, self._kept)
        self._unsaved = 0


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


def _load(file: Path) -> dict[bytes, Reading]:
    """What the file holds, oldest first; nothing where it is not there or does not verify."""
    try:
        data = file.read_bytes()
    except OSError:
        return {}
    head, body = data[:_HEAD], data[_HEAD:]
    if len(body) % RECORD.itemsize or hashlib.sha256(body).digest() != head:
        return {}
    rows = np.frombuffer(body, RECORD)
    keys = rows["key"].tobytes()
    shares = rows["shares"].tolist()
    return {keys[16 * at : 16 * at + 16]: Reading(*three) for at, three in enumerate(shares)}


def _save(file: Path, kept: dict[bytes, Reading]) -> None:
    latest = list(kept.items())[-MOST:]
    rows = np.zeros(len(latest), RECORD)
    rows["key"] = np.frombuffer(b"".join(key for key, _ in latest), "<u8").reshape(-1, 2)
    rows["shares"] = [(one.p_negative, one.p_neutral, one.p_positive) for _, one in latest]
    body = rows.tobytes()
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(hashlib.sha256(body).digest() + body)
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)
