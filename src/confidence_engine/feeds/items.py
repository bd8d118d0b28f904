"""Documents as they are stored: one Parquet file, one row an item, by (published, id).

An item is known by the hash of its words, publisher and stamp. The same item told of a further symbol is
widened; the same item with another address or first sight is a conflict, and the first stored stays.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from confidence_engine.domain.document import Document
from confidence_engine.domain.errors import StoreDamaged
from confidence_engine.domain.units import format_time
from confidence_engine.feeds.cache import file_hash
from confidence_engine.feeds.manifest import Series, replace_file

__all__ = ["combine", "decode_documents", "documents_hash", "encode_documents"]


def documents_hash(documents: list[Document]) -> str:
    """SHA-256 over the items in their order, every field of each."""
    digest = hashlib.sha256()
    encode = msgspec.json.Encoder().encode
    for one in documents:
        digest.update(encode(one) + b"\n")
    return digest.hexdigest()


def encode_documents(documents: list[Document], path: Path) -> str:
    """Write items as Parquet (zstd), whole or not at all, and return the SHA-256 of the file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    i8, flag, text = pa.int64(), pa.bool_(), pa.string()
    special = {"published_ns": i8, "first_seen_ns": i8, "fetched_ns": i8, "date_only": flag, "symbols": pa.list_(text)}
    schema = pa.schema([(name, special.get(name, text)) for name in Document.__struct_fields__])
    columns = {name: [_plain(getattr(one, name)) for one in documents] for name in schema.names}
    table = pa.table(columns, schema=schema)
    replace_file(path, lambda file: pq.write_table(table, file, compression="zstd"))
    return file_hash(path)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def decode_documents(path: Path, series: Series) -> list[Document]:
    """All stored items. Raises StoreDamaged where the file or its items are not those recorded."""
    import pyarrow.parquet as pq

    if file_hash(path) != series.file_sha256:
        raise StoreDamaged(f"{path}: its bytes are not those that were stored; import its sources anew")
    with pq.ParquetFile(path) as file:
        columns = file.read().to_pydict()
    columns["symbols"] = [tuple(symbols) for symbols in columns["symbols"]]
    documents = [Document(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]
    if documents_hash(documents) != series.rows_sha256:
        raise StoreDamaged(f"{path}: its items are not those that were stored; import its sources anew")
    return documents


def combine(
    before: list[Document], come: list[Document], shown: int
) -> tuple[list[Document], int, int, int, int, list[dict[str, Any]]]:
    """(items by (published, id), new, known, conflicts, widened, examples of conflicts)."""
    held = {one.id: one for one in before}
    new = known = conflicts = widened = 0
    examples: list[dict[str, Any]] = []
    for one in come:
        old = held.get(one.id)
        if old is None:
            held[one.id], new = one, new + 1
            continue
        joined = msgspec.structs.replace(old, symbols=tuple(sorted({*old.symbols, *one.symbols})))
        widened += joined != old
        held[one.id] = joined
        if msgspec.structs.replace(one, symbols=joined.symbols) == joined:
            known += 1
            continue
        conflicts += 1
        if len(examples) < shown:
            examples.append(
                {
                    "at": format_time(one.published_ns),
                    "stored": msgspec.to_builtins(old),
                    "file": msgspec.to_builtins(one),
                }
            )
    ordered = sorted(held.values(), key=lambda d: (d.published_ns, d.id))
    return ordered, new, known, conflicts, widened, examples
