"""What the store says of itself: each series with its file and hashes, each import with its counts.

One small JSON file, replaced whole as the last act of an import, is the moment at which new data
exists. Data files bear the hash of their rows in their names and are never written over, so an import that
dies at any earlier moment leaves files that nobody refers to and the old manifest, which is still true.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

import msgspec

from confidence_engine.domain.errors import StoreDamaged

__all__ = [
    "Import",
    "Manifest",
    "Series",
    "exclusive",
    "read_manifest",
    "replace_file",
    "sync_folder",
    "write_manifest",
]

SCHEMA: Final = 1
_NAME: Final = "manifest.json"


class Series(msgspec.Struct, forbid_unknown_fields=True):
    """One stored series; `adjusted` prices are comparable backwards.

    `rows_sha256` is over the rows themselves, `file_sha256` over the Parquet file.
    """

    kind: str
    venue: str
    symbol: str
    interval_ns: int
    synthetic: bool
    file: str
    file_sha256: str
    rows_sha256: str
    rows: int
    first_ns: int
    last_ns: int
    raw: dict[str, int] = {}
    adjusted: bool = False


class Import(msgspec.Struct, forbid_unknown_fields=True):
    """One file that brought something: counts as they were shown."""

    name: str
    kind: str
    rows_read: int
    new: int
    known: int
    conflicts: int
    dropped: dict[str, int]
    out_of_order: int


class Manifest(msgspec.Struct, forbid_unknown_fields=True):
    """All series by key and all imports by the hash of the file and of how it was read."""

    schema: int = SCHEMA
    series: dict[str, Series] = {}
    imports: dict[str, Import] = {}


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a store folder, empty where there is no store yet. Raises StoreDamaged."""
    path = folder / _NAME
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return Manifest()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreDamaged(f"{path}: not a manifest: {error}") from error
    if manifest.schema != SCHEMA:
        raise StoreDamaged(f"{path}: written as schema {manifest.schema}, this program reads {SCHEMA}")
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest whole; on return it is on the disk."""
    body = msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=1)
    replace_file(folder / _NAME, lambda file: file.write(body))
    sync_folder(folder)


def replace_file(path: Path, fill: Callable[[IO[bytes]], object]) -> None:
    """Write beside, flush to the disk, then rename over: a reader sees the old bytes or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the store's lock; the system lets go of it when the process ends, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
