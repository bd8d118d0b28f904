"""A stranger's file becomes a table, or a refusal that names the file and the reason; never a crash.

Parquet goes through pyarrow: on damaged files polars 2.1 was seen to abort the whole process (a Rust
panic inside its thread pool), where pyarrow raised on each of 1,500 random corruptions. The sizes
that a footer declares are checked before anything of that size is allocated. CSV and JSON lines are
read as text and turned into numbers later, so that one bad cell costs one row and not the file; so
does a row with more cells than the header.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import polars as pl

from confidence_engine.domain.errors import DataRefused

__all__ = ["MAX_CELLS", "MAX_ROWS", "Raw", "read"]

MAX_ROWS: Final = 200_000_000
MAX_CELLS: Final = 2_000_000_000
_MAX_BYTES: Final = 32 << 30
_MAX_RATIO: Final = 2_000
"""Declared bytes for each byte of the file: dictionary, run-length and zstd together stay well below."""

_TEXT: Final = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
_SEPARATORS: Final = (",", ";", "\t", "|")
_NOTHING: Final = ("", "NA", "null", "None")
"""What stands for an absent cell in CSV."""
NOT_AN_OBJECT: Final = "line is not a JSON object"
RAGGED: Final = "row has more cells than the header (a separator inside unquoted text?)"


class Raw(NamedTuple):
    """The rows of a file as they stand, lines that could not be read at all, and the SHA-256 of its bytes."""

    name: str
    rows: pl.DataFrame
    unread: dict[str, int]
    sha256: str


def read(path: Path) -> Raw:
    """Read Parquet, CSV or JSON lines, told apart by the first bytes and the ending.

    Raises DataRefused with the file's name and the reason.
    """
    kind, digest = _kind(path)
    readers = {"parquet": _parquet, "csv": _csv, "jsonl": _jsonl}
    try:
        rows, unread = readers[kind](path)
    except MemoryError as error:
        raise DataRefused(f"{path.name}: needs more memory than there is") from error
    if rows.width == 0 or (rows.height == 0 and not unread):
        wanted = "; wanted are JSON lines, one object a line, or one array of objects" if kind == "jsonl" else ""
        raise DataRefused(f"{path.name}: holds no rows{wanted}")
    if rows.height == 0:
        raise DataRefused(f"{path.name}: {'; '.join(f'{n} x {why}' for why, n in unread.items())}; no row is left")
    return Raw(path.name, rows, unread, digest)


def _kind(path: Path) -> tuple[str, str]:
    try:
        with path.open("rb") as file:
            head = file.read(4)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataRefused(f"{path}: {error.strerror or error}") from error
    if not head:
        raise DataRefused(f"{path.name}: the file is empty")
    if head == b"PAR1":
        return "parquet", digest
    kind = _TEXT.get(path.suffix.lower())
    if kind is None:
        reason = "it is not Parquet inside" if path.suffix.lower() in (".parquet", ".pq") else "unknown kind of file"
        raise DataRefused(f"{path.name}: {reason}; Parquet, .csv and .jsonl can be read")
    return kind, digest


def _parquet(path: Path) -> tuple[pl.DataFrame, dict[str, int]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, thrift_string_size_limit=1 << 26, thrift_container_size_limit=1 << 22) as file:
            _believable(path, file.metadata)
            flat = [field.name for field in file.schema_arrow if _readable(field.type)]
            table = file.read(columns=flat)
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, OverflowError, IndexError) as error:
        if isinstance(error, DataRefused):
            raise
        raise DataRefused(f"{path.name}: damaged Parquet: {_first_line(error)}") from error
    if len(set(table.column_names)) != table.num_columns:
        raise DataRefused(f"{path.name}: two columns have the same name")
    # Only names and types go on: polars was seen to panic on the metadata of a damaged file.
    bare = pa.schema([pa.field(field.name, field.type) for field in table.schema])
    try:
        frame = pl.from_arrow(pa.Table.from_arrays(table.columns, schema=bare))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise DataRefused(f"{path.name}: damaged Parquet: {_first_line(error)}") from error
    assert isinstance(frame, pl.DataFrame)
    return frame, {}


def _readable(kind: Any) -> bool:
    import pyarrow.types as t

    plain = (t.is_integer, t.is_floating, t.is_date, t.is_timestamp, t.is_string, t.is_large_string, t.is_null)
    return any(test(kind) for test in (*plain, t.is_boolean, t.is_decimal, t.is_dictionary))


def _believable(path: Path, footer: Any) -> None:
    """Refuse a footer whose sizes cannot be true of a file of this length."""
    size = path.stat().st_size
    groups = [footer.row_group(i) for i in range(footer.num_row_groups)]
    columns = [group.column(k) for group in groups for k in range(group.num_columns)]
    packed = sum(column.total_compressed_size for column in columns)
    declared = sum(column.total_uncompressed_size for column in columns)
    rows = sum(group.num_rows for group in groups)
    negative = any(n < 0 for c in columns for n in (c.total_compressed_size, c.total_uncompressed_size, c.num_values))
    if negative or footer.num_rows < 0 or rows != footer.num_rows or packed > size:
        raise DataRefused(f"{path.name}: damaged Parquet: its footer contradicts itself")
    if rows > MAX_ROWS or rows * max(1, footer.num_columns) > MAX_CELLS or declared > _MAX_BYTES:
        raise DataRefused(f"{path.name}: declares {rows:,} rows and {declared:,} bytes; that is not read in one piece")
    if declared > _MAX_RATIO * size or rows > 100 * _MAX_RATIO * size:
        raise DataRefused(f"{path.name}: declares {declared:,} bytes and {rows:,} rows in a file of {size:,} bytes")


def _csv(path: Path) -> tuple[pl.DataFrame, dict[str, int]]:
    try:
        with path.open("rb") as file:
            header = file.readline(1 << 16)
        if b"\0" in header:
            raise DataRefused(f"{path.name}: not a text file")
        text = header.decode("utf-8-sig")
        separator = max(_SEPARATORS, key=text.count)
        unread: dict[str, int] = {}
        try:
            frame = _table(path, separator)
        except pl.exceptions.ComputeError:
            frame, unread = _ragged(path, separator)
    except UnicodeDecodeError as error:
        raise DataRefused(f"{path.name}: not a text file in UTF-8") from error
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, csv.Error, OSError) as error:
        raise DataRefused(f"{path.name}: not readable as CSV: {_first_line(error)}") from error
    return frame.rename({c: c.strip().removeprefix("\ufeff") for c in frame.columns}), unread


def _table(path: Path, separator: str, rows: int | None = None) -> pl.DataFrame:
    return pl.read_csv(
        path, separator=separator, infer_schema=False, null_values=list(_NOTHING), raise_if_empty=False, n_rows=rows
    )


def _ragged(path: Path, separator: str) -> tuple[pl.DataFrame, dict[str, int]]:
    """The slow way for a file with rows longer than its header: these are counted and left out, never cut."""
    names = _table(path, separator, 0).columns
    cells: list[list[str | None]] = [[] for _ in names]
    long = 0
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file, delimiter=separator, strict=True)
        next(lines, None)
        for row in lines:
            if len(row) > len(names):
                long += 1
                continue
            for i, column in enumerate(cells):
                column.append(row[i] if i < len(row) and row[i] not in _NOTHING else None)
    columns = {name: pl.Series(name, column, dtype=pl.String) for name, column in zip(names, cells, strict=True)}
    return pl.DataFrame(columns), {RAGGED: long} if long else {}


def _jsonl(path: Path) -> tuple[pl.DataFrame, dict[str, int]]:
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    rows: list[dict[str, Any]] = []
    bad = 0
    for one in _objects(path):
        try:
            rows.append(decode(one))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            bad += 1
    names = list(dict.fromkeys(name for row in rows for name in row))
    if len(names) > 1_000:
        raise DataRefused(f"{path.name}: its lines have {len(names):,} different keys")
    columns = {name: pl.Series(name, [_cell(row.get(name)) for row in rows], dtype=pl.String) for name in names}
    return pl.DataFrame(columns), {NOT_AN_OBJECT: bad} if bad else {}


def _objects(path: Path) -> Iterator[bytes | msgspec.Raw]:
    """What should be one JSON object each: the elements where the whole file is one array, else the lines."""
    with path.open("rb") as file:
        if file.read(3) != b"\xef\xbb\xbf":
            file.seek(0)
        start = file.tell()
        head = file.read(64).lstrip()
        file.seek(start)
        if head.startswith(b"["):
            try:
                yield from msgspec.json.decode(file.read(), type=list[msgspec.Raw])
                return
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                file.seek(start)  # lines, the first of which happens to be an array
        yield from (line for line in file if line.strip())


def _cell(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return repr(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
