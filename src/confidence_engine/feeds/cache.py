"""Rows as the machine wants them: one .npy file a series, mapped into memory and never parsed twice.

The truth is the Parquet file. The cache is made from it once, after its hash has been checked, and is named
by the hash of its rows, so that an old cache can never be taken for new data. It may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
from pathlib import Path

import numpy as np

from confidence_engine.domain.errors import StoreDamaged
from confidence_engine.feeds.manifest import Series, replace_file

__all__ = ["cache_path", "decode_rows", "encode_rows", "file_hash", "mapped", "rows_hash"]


def rows_hash(rows: np.ndarray) -> str:
    """SHA-256 of the rows' bytes; the same rows give the same hash whatever file brought them."""
    return hashlib.sha256(np.ascontiguousarray(rows).view(np.uint8).data).hexdigest()


def encode_rows(rows: np.ndarray, path: Path) -> str:
    """Write rows as Parquet (zstd), whole or not at all, and return the SHA-256 of the file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: np.ascontiguousarray(rows[name]) for name in rows.dtype.names or ()})
    replace_file(path, lambda file: pq.write_table(table, file, compression="zstd"))
    return file_hash(path)


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes. Raises StoreDamaged where it is missing."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise StoreDamaged(f"{path}: the store names this file but it is not there") from error


def decode_rows(path: Path, series: Series, row: np.dtype) -> np.ndarray:
    """Rows [n] of a stored Parquet file. Raises StoreDamaged where file or rows are not those recorded."""
    import pyarrow.parquet as pq

    if file_hash(path) != series.file_sha256:
        raise StoreDamaged(f"{path}: its bytes are not those that were stored; import its sources anew")
    with pq.ParquetFile(path) as file:
        table = file.read()
    rows = np.empty(table.num_rows, row)
    for name in row.names or ():
        rows[name] = table[name].to_numpy()
    if rows_hash(rows) != series.rows_sha256:
        raise StoreDamaged(f"{path}: its rows are not those that were stored; import its sources anew")
    return rows


def cache_path(folder: Path, series: Series) -> Path:
    """Where the mapped form of a series lies."""
    return folder / "cache" / f"{series.rows_sha256[:40]}.npy"


def mapped(folder: Path, series: Series, row: np.dtype) -> np.ndarray:
    """Rows [n] of a series, read-only and mapped from its cache, which is made first where it is not there."""
    path = cache_path(folder, series)
    found = _opened(path, series, row)
    if found is not None:
        return found
    rows = decode_rows(folder / series.file, series, row)
    with contextlib.suppress(OSError):  # a full or read-only disk costs the cache, not the data
        replace_file(path, lambda file: np.save(file, rows))
        found = _opened(path, series, row)
    rows.setflags(write=False)
    return rows if found is None else found


def _opened(path: Path, series: Series, row: np.dtype) -> np.ndarray | None:
    try:
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    ok = isinstance(rows, np.memmap) and rows.dtype == row and rows.shape == (series.rows,)
    return rows if ok and path.stat().st_size >= math.prod(rows.shape) * row.itemsize else None
