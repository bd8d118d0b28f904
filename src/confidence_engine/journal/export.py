"""A journal as files that any tool reads: events and rows as Parquet with named columns, payloads as JSON lines.

Events are one table a kind, as the five numbers of an event mean something else in each; `sequence` puts them in one
order again. Times stay int64 ns UTC. What was retired is not there, and the answer says how much that is.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from confidence_engine.domain.errors import JournalDamaged, RunError, UsageError
from confidence_engine.domain.event import EVENT, KIND_NAMES, NO_ASSET, X_NAMES
from confidence_engine.journal import kinds
from confidence_engine.journal.epoch import Epochs
from confidence_engine.journal.reader import Reader
from confidence_engine.journal.retired import retirements

__all__ = ["export"]

_AT_A_TIME: Final = 100_000
_PLAIN: Final = ("ts_event", "ts_known", "asset", "source", "marks")


def export(reader: Reader, folder: Path) -> dict[str, Any]:
    """Write a journal to `folder`, which must not be or be empty; returns what is there, rows by file.

    Raises UsageError for a folder that holds something, JournalDamaged where an event or a row cannot be read,
    RunError where the disk does not take it; nothing half-written stays.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is not empty; name another folder")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
        try:
            told = _write(reader, part)
            part.chmod(0o755)
            os.replace(part, folder)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    except OSError as error:
        raise RunError(f"the journal could not be written to {folder}: {error}") from error
    return told


def _write(reader: Reader, part: Path) -> dict[str, Any]:
    genesis, epochs, last = reader.genesis(), reader.epochs(), reader.last()
    gone = list(retirements(reader))
    symbols = _symbols(reader)
    events, skipped = _events(reader, part / "events", last.number, {name for one in gone for name in one.segments})
    records: dict[str, int] = {}
    for kind, name in kinds.KIND_NAMES.items():
        write = _rows if kind in kinds.ROWS else _payloads
        if count := write(reader, epochs, kind, part / "records", last.end_record, symbols):
            records[name] = count
    told = {
        "journal": genesis.journal, "name": genesis.name, "code_revision": genesis.code_revision,
        "synthetic": genesis.synthetic, "head": last.hash.hex(), "blocks": last.number + 1, "events": events,
        "records": records, "retired_events": skipped, "retired_records": sum(one.removed for one in gone),
    }  # fmt: skip
    (part / "export.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return told


def _symbols(reader: Reader) -> list[str]:
    """Symbol of every asset."""
    told = [msgspec.json.decode(one.payload or b"{}") for one in reader.records(kinds.INSTRUMENT)]
    return [one["symbol"] for one in told]


class _Tables:
    """Parquet files of one folder, written as rows come."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counts: dict[str, int] = {}
        self._writers: dict[str, pq.ParquetWriter] = {}

    def add(self, name: str, table: pa.Table) -> None:
        """More rows of one table."""
        if name not in self._writers:
            self.folder.mkdir(exist_ok=True)
            self._writers[name] = pq.ParquetWriter(self.folder / f"{name}.parquet", table.schema)
        self._writers[name].write_table(table)
        self.counts[name] = self.counts.get(name, 0) + table.num_rows

    def close(self) -> dict[str, int]:
        """Finish all; returns their rows."""
        for writer in self._writers.values():
            writer.close()
        return self.counts


def _events(reader: Reader, folder: Path, last: int, gone: set[str]) -> tuple[dict[str, int], int]:
    """Events by kind, and how many were retired."""
    tables, skipped = _Tables(folder), 0
    held: list[np.ndarray] = []
    numbers: list[np.ndarray] = []

    def flush() -> None:
        if not held:
            return
        events, sequence = np.concatenate(held), np.concatenate(numbers)
        for kind in np.unique(events["kind"]).tolist():
            mine = events["kind"] == kind
            name = KIND_NAMES.get(kind, str(kind))
            tables.add(name, _table_of(events[mine], sequence[mine], kind, name))
        held.clear()
        numbers.clear()

    try:
        for block in reader.blocks():
            if block.number > last or block.events == 0:
                continue
            data = reader.read(block)
            if len(data) != block.events * EVENT.itemsize:
                if block.segment not in gone:
                    raise JournalDamaged(f"{block.segment}: block {block.number} ends after {len(data)} bytes")
                skipped += block.events
                continue
            held.append(np.frombuffer(data, EVENT))
            numbers.append(np.arange(block.first_event, block.end_event))
            if sum(map(len, held)) >= _AT_A_TIME:
                flush()
        flush()
    finally:
        counts = tables.close()
    return counts, skipped


def _table_of(events: np.ndarray, sequence: np.ndarray, kind: int, name: str) -> pa.Table:
    columns: dict[str, Any] = {"sequence": sequence, "kind": [name] * len(events)}
    columns |= {one: np.ascontiguousarray(events[one]) for one in _PLAIN}
    columns["asset"] = pa.array(columns["asset"], mask=columns["asset"] == NO_ASSET)
    named = X_NAMES.get(kind, ("x0", "x1", "x2", "x3", "x4"))
    columns |= {one: np.ascontiguousarray(events[f"x{k}"]) for k, one in enumerate(named)}
    return pa.table(columns)


def _rows(
    reader: Reader, epochs: Epochs, kind: int, folder: Path, end: int, symbols: list[str]
) -> int:  # fmt: skip
    """One kind of rows, decoded by the layout that the journal itself names."""
    name, layouts = kinds.KIND_NAMES[kind], list[np.dtype[Any]]()
    tables = _Tables(folder)
    try:
        for ids, events, bodies in _batches(reader, epochs, kind, end):
            layout = epochs.layout(kind, ids[0])
            if layout not in layouts:
                layouts.append(layout)
            file = name if layout == layouts[0] else f"{name}-{layouts.index(layout) + 1}"  # of a later program
            if any(len(body) != layout.itemsize for body in bodies):
                raise JournalDamaged(f"a record of kind {name} is not {layout.itemsize} bytes long")
            rows = np.frombuffer(b"".join(bodies), layout)
            columns: dict[str, Any] = {"record": ids, "at_event": events}
            for one in layout.names or ():
                columns[one] = np.ascontiguousarray(rows[one])
                if one == "asset":
                    known = [symbols[k] if 0 <= k < len(symbols) else None for k in rows[one].tolist()]
                    columns["symbol"] = pa.array(known, pa.string())
            tables.add(file, pa.table(columns))
    finally:
        counts = tables.close()
    return sum(counts.values())


def _batches(reader: Reader, epochs: Epochs, kind: int, end: int) -> Iterator[tuple[list[int], list[int], list[bytes]]]:
    """Ids, events and bodies of a kind, of one program each."""
    ids: list[int] = []
    events: list[int] = []
    bodies: list[bytes] = []
    for one in reader.records(kind, end=end):
        if ids and epochs.number(one.id) != epochs.number(ids[0]):
            yield ids, events, bodies
            ids, events, bodies = [], [], []
        ids.append(one.id)
        events.append(one.event)
        bodies.append(one.body)
        if len(ids) == _AT_A_TIME:
            yield ids, events, bodies
            ids, events, bodies = [], [], []
    if ids:
        yield ids, events, bodies


def _payloads(
    reader: Reader, epochs: Epochs, kind: int, folder: Path, end: int, symbols: list[str]
) -> int:  # fmt: skip
    """One kind of payloads, a line each."""
    del epochs, symbols
    count, file = 0, None
    try:
        for one in reader.records(kind, end=end):
            if file is None:
                folder.mkdir(exist_ok=True)
                file = (folder / f"{kinds.KIND_NAMES[kind]}.jsonl").open("wb")
            said = msgspec.Raw(one.payload or b"null")
            line = {"record": one.id, "event": one.event, "ts_ns": one.ts_ns, "payload": said}
            file.write(msgspec.json.encode(line) + b"\n")
            count += 1
    finally:
        if file is not None:
            file.close()
    return count
