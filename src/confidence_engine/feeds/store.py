"""The recorded world on disk: bars, funding, scores by series, and the news.

Adding is idempotent by content: what is stored already changes nothing, what is new is merged, and where the
same stamp comes with other values the first stored stays and the conflict is reported. Parquet is the truth,
a memory-mapped cache is made from it; the manifest is replaced last and decides what exists. Real and
simulated rows never share a store.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from confidence_engine.domain.document import Document, known_at
from confidence_engine.domain.errors import DataMissing, DataRefused, RunError, UsageError
from confidence_engine.domain.units import WEEK_NS, format_interval, format_time
from confidence_engine.feeds.cache import cache_path, encode_rows, mapped, rows_hash
from confidence_engine.feeds.clean import BAR_ROW, CORPORATE_ROW, FUNDING_ROW, SCORE_ROW
from confidence_engine.feeds.items import combine, decode_documents, documents_hash, encode_documents
from confidence_engine.feeds.manifest import Import, Manifest, Series, exclusive, read_manifest, write_manifest

__all__ = ["Batch", "Receipt", "Store", "series_key", "venue_named"]

_ROW: Final = {"bars": BAR_ROW, "corporate": CORPORATE_ROW, "funding": FUNDING_ROW, "scores": SCORE_ROW}
_KEYS: Final = {
    "bars": ("open_ns",), "corporate": ("ex_ns", "what"), "funding": ("ts_ns",), "scores": ("known_ns",),
}  # fmt: skip
_VENUE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_SHOWN: Final = 3


@dataclass(frozen=True)
class Batch:
    """What one file brings: rows by symbol or documents, and what was lost on the way, by symbol and reason."""

    kind: str
    name: str
    digest: str
    rows_read: int
    venue: str = ""
    interval_ns: int = 0
    rows: dict[str, np.ndarray] = field(default_factory=dict)
    documents: list[Document] = field(default_factory=list)
    dropped: dict[str, dict[str, int]] = field(default_factory=dict)
    out_of_order: dict[str, int] = field(default_factory=dict)
    synthetic: bool = False
    adjusted: bool = False


class Receipt(NamedTuple):
    """What became of a batch: rows_read = new + known + conflicts + the sum of dropped.

    `widened` of the known items learnt a further symbol; `first_ns`, `last_ns` span the batch.
    """

    rows_read: int
    new: int
    known: int
    conflicts: int
    widened: int
    dropped: dict[str, int]
    out_of_order: int
    conflict_examples: list[dict[str, Any]]
    series: list[str]
    first_ns: int
    last_ns: int


class _Merged(NamedTuple):
    rows: Any  # np.ndarray, or a list of Documents
    new: int
    known: int
    conflicts: int
    widened: int
    examples: list[dict[str, Any]]


def venue_named(text: str) -> str:
    """The venue's name in the form the store takes. Raises UsageError."""
    if not _VENUE.fullmatch(text):
        raise UsageError(f"{text!r} is not a venue; write small letters, digits and dashes, as in binance-perp")
    return text


def series_key(kind: str, venue: str = "", symbol: str = "", interval_ns: int = 0) -> str:
    """ "bars/binance-perp/BTC-USDT/5m": the series' name and the folder of its file."""
    parts = [kind, venue, symbol.replace("/", "-"), format_interval(interval_ns) if interval_ns else ""]
    return "/".join(part for part in parts if part)


class Store:
    """The store of one home folder. Reading takes no lock; adding takes the store's own."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "store"
        self._documents: tuple[str, list[Document]] = ("", [])

    def add(self, batch: Batch) -> Receipt:
        """Merge a batch into the store, all of it or nothing.

        Raises DataRefused where real and simulated would meet, RunError where the disk does not take it.
        """
        try:
            with exclusive(self.folder):
                manifest = read_manifest(self.folder)
                self._sweep(manifest)
                self._same_world(manifest, batch)
                merged = self._merge(manifest, batch)
                receipt = _receipt(batch, merged)
                if any(one.new or one.widened for one in merged.values()):
                    self._commit(manifest, batch, merged, receipt)
                return receipt
        except OSError as error:
            raise RunError(f"the store could not be written ({error}); what was stored before is unharmed") from error

    def bars(self, symbol: str, venue: str, interval_ns: int) -> np.ndarray:
        """BAR_ROW [n] by open_ns, mapped and read-only. Raises DataMissing, StoreDamaged."""
        return self._rows(series_key("bars", venue, symbol, interval_ns))

    def funding(self, symbol: str, venue: str) -> np.ndarray:
        """FUNDING_ROW [n] by ts_ns, mapped and read-only. Raises DataMissing, StoreDamaged."""
        return self._rows(series_key("funding", venue, symbol))

    def corporate(self, symbol: str, venue: str) -> np.ndarray:
        """CORPORATE_ROW [n] by ex_ns; empty where none is stored. Raises StoreDamaged."""
        key = series_key("corporate", venue, symbol)
        return self._rows(key) if key in read_manifest(self.folder).series else np.zeros(0, CORPORATE_ROW)

    def is_adjusted(self, symbol: str, venue: str, interval_ns: int) -> bool:
        """Whether the stored bars were imported as adjusted; False where none is stored."""
        one = read_manifest(self.folder).series.get(series_key("bars", venue, symbol, interval_ns))
        return one is not None and one.adjusted

    def scores(self) -> dict[tuple[str, str], np.ndarray]:
        """(symbol, venue) -> SCORE_ROW [n] by known_ns; venue "" means any. Empty where none is stored."""
        found = read_manifest(self.folder).series
        wanted = {(one.symbol, one.venue): key for key, one in sorted(found.items()) if one.kind == "scores"}
        return {pair: self._rows(key) for pair, key in wanted.items()}

    def documents(self, start_ns: int, end_ns: int, lag_ns: int = WEEK_NS) -> list[Document]:
        """Items that may become known in [start_ns, end_ns) under any lag up to `lag_ns`, by (published_ns, id).

        With the default, the longest lag a config can have, that is some more than a shorter lag needs:
        who asks sorts by `known_at` with the lag in force. None stored is an empty list.
        """
        series = read_manifest(self.folder).series.get("news")
        if series is None:
            return []
        if self._documents[0] != series.rows_sha256:
            self._documents = (series.rows_sha256, decode_documents(self.folder / series.file, series))
        items = self._documents[1]
        return [one for one in items if known_at(one, 0) < end_ns and known_at(one, lag_ns) >= start_ns]

    def listing(self) -> list[dict[str, Any]]:
        """One row a series: key, kind, venue, symbol, interval, rows, first, last, synthetic, raw counts."""
        return [
            {
                "key": key,
                "kind": one.kind,
                "venue": one.venue or None,
                "symbol": one.symbol or None,
                "interval": format_interval(one.interval_ns) if one.interval_ns else None,
                "rows": one.rows,
                "first": format_time(one.first_ns),
                "last": format_time(one.last_ns),
                "synthetic": one.synthetic,
                "adjusted": one.adjusted,
                "raw": one.raw,
                "rows_sha256": one.rows_sha256,
            }
            for key, one in sorted(read_manifest(self.folder).series.items())
        ]

    def data_hash(self, *keys: str) -> str:
        """SHA-256 over the rows of the named series (all without names), independent of how they came in."""
        series = read_manifest(self.folder).series
        digest = hashlib.sha256()
        for key in sorted(keys or series):
            if key not in series:
                raise DataMissing(f"{key}: not in the store")
            digest.update(f"{key} {series[key].rows_sha256}\n".encode())
        return digest.hexdigest()

    def verify(self, key: str) -> None:
        """Read the truth and the cache of a series again and compare hashes. Raises StoreDamaged, DataMissing."""
        series = self._series(key)
        if series.kind == "news":
            decode_documents(self.folder / series.file, series)
            return
        if rows_hash(mapped(self.folder, series, _ROW[series.kind])) != series.rows_sha256:
            cache_path(self.folder, series).unlink(missing_ok=True)
            mapped(self.folder, series, _ROW[series.kind])

    def is_synthetic(self) -> bool:
        """True where the store holds simulated rows (it then holds nothing else)."""
        return any(one.synthetic for one in read_manifest(self.folder).series.values())

    def _series(self, key: str) -> Series:
        found = read_manifest(self.folder).series
        if key in found:
            return found[key]
        kind, _, rest = key.partition("/")
        symbol = rest.split("/")[1] if rest.count("/") else rest
        near = [other for other in sorted(found) if other.startswith(kind) and f"/{symbol}" in other]
        raise DataMissing(f"{key}: not in the store" + (f"; there is {', '.join(near[:5])}" if near else ""))

    def _rows(self, key: str) -> np.ndarray:
        series = self._series(key)
        if not (self.folder / series.file).exists():
            series = self._series(key)  # an import replaced the file between two looks
        return mapped(self.folder, series, _ROW[series.kind])

    def _same_world(self, manifest: Manifest, batch: Batch) -> None:
        if any(one.synthetic != batch.synthetic for one in manifest.series.values()):
            have, come = ("real", "simulated") if batch.synthetic else ("simulated", "real")
            raise DataRefused(f"this home holds {have} data; {come} data needs a home of its own (--home)")

    def _merge(self, manifest: Manifest, batch: Batch) -> dict[str, _Merged]:
        if batch.kind == "news":
            held: list[Document] = []
            if "news" in manifest.series:
                one = manifest.series["news"]
                held = decode_documents(self.folder / one.file, one)
            return {"news": _Merged(*combine(held, batch.documents, _SHOWN))} if batch.documents else {}
        merged = {}
        for symbol, rows in sorted(batch.rows.items()):
            key = series_key(batch.kind, batch.venue, symbol, batch.interval_ns)
            old = manifest.series.get(key)
            if old is not None and old.adjusted != batch.adjusted:
                have, come = ("raw", "adjusted") if batch.adjusted else ("adjusted", "raw")
                raise DataRefused(f"{key} holds {have} prices; {come} ones beside them would make a false move")
            before = np.empty(0, rows.dtype) if old is None else mapped(self.folder, old, rows.dtype)
            merged[key] = _joined(before, rows, _KEYS[batch.kind], symbol)
        return merged

    def _commit(self, manifest: Manifest, batch: Batch, merged: dict[str, _Merged], receipt: Receipt) -> None:
        symbols = {series_key(batch.kind, batch.venue, s, batch.interval_ns): s for s in batch.rows}
        for key, one in merged.items():
            if one.new or one.widened:
                symbol = symbols.get(key, "")
                old = manifest.series.get(key)
                manifest.series[key] = self._write(key, one.rows, batch, symbol, {} if old is None else old.raw)
        manifest.imports[batch.digest] = Import(
            batch.name, batch.kind, batch.rows_read, receipt.new, receipt.known, receipt.conflicts, receipt.dropped,
            receipt.out_of_order,
        )  # fmt: skip
        write_manifest(self.folder, manifest)
        self._sweep(manifest)

    def _write(self, key: str, rows: Any, batch: Batch, symbol: str, raw: dict[str, int]) -> Series:
        news = batch.kind == "news"
        digest = documents_hash(rows) if news else rows_hash(rows)
        file = f"{key}.{digest[:16]}.parquet"
        path = self.folder / file
        sealed = encode_documents(rows, path) if news else encode_rows(rows, path)
        stamps = [d.published_ns for d in rows] if news else rows[_KEYS[batch.kind][0]]
        counts = dict(raw)
        lost = dict(batch.dropped.get(symbol, {}))
        lost["stamp out of order"] = batch.out_of_order.get(symbol, 0)
        for why, n in lost.items():
            if n:
                counts[why] = counts.get(why, 0) + n
        return Series(
            kind=batch.kind, venue=batch.venue, symbol=symbol, interval_ns=batch.interval_ns,
            synthetic=batch.synthetic, file=file, file_sha256=sealed, rows_sha256=digest, rows=len(rows),
            first_ns=int(stamps[0]), last_ns=int(stamps[-1]), raw=counts,
            adjusted=batch.adjusted,
        )  # fmt: skip

    def _sweep(self, manifest: Manifest) -> None:
        """Remove what no manifest refers to: parts of imports that died, and files that were replaced."""
        named = {self.folder / one.file for one in manifest.series.values()}
        named |= {cache_path(self.folder, one) for one in manifest.series.values() if one.kind != "news"}
        for pattern in ("*.parquet", "*.npy", ".*.part"):
            for path in self.folder.rglob(pattern):
                if path not in named:
                    path.unlink(missing_ok=True)


def _joined(before: np.ndarray, rows: np.ndarray, keys: tuple[str, ...], symbol: str) -> _Merged:
    """Both sorted arrays in one; at equal keys the row of `before` stays."""
    both = np.concatenate([before, rows])
    order = np.lexsort(tuple(both[name] for name in reversed(keys)))  # stable: `before` stands first
    both = both[order]
    again = np.zeros(len(both), bool)
    again[1:] = np.logical_and.reduce([both[name][1:] == both[name][:-1] for name in keys])
    raw = both.view(np.uint8).reshape(len(both), -1)
    clash = np.flatnonzero(again)
    clash = clash[(raw[clash] != raw[clash - 1]).any(axis=1)]
    examples = [
        {
            "symbol": symbol,
            "at": format_time(int(both[i][keys[0]])),
            "stored": _shown(both[i - 1]),
            "file": _shown(both[i]),
        }
        for i in clash[:_SHOWN]
    ]
    repeated = int(again.sum())
    return _Merged(both[~again], len(rows) - repeated, repeated - len(clash), len(clash), 0, examples)


def _shown(row: np.void) -> dict[str, Any]:
    return dict(zip(row.dtype.names or (), row.tolist(), strict=True))


def _receipt(batch: Batch, merged: dict[str, _Merged]) -> Receipt:
    parts = list(merged.values())
    stamps = [d.published_ns for d in batch.documents]
    for rows in batch.rows.values():
        stamps += [int(rows[_KEYS[batch.kind][0]][0]), int(rows[_KEYS[batch.kind][0]][-1])]
    return Receipt(
        rows_read=batch.rows_read,
        new=sum(one.new for one in parts),
        known=sum(one.known for one in parts),
        conflicts=sum(one.conflicts for one in parts),
        widened=sum(one.widened for one in parts),
        dropped=_summed(batch.dropped.values()),
        out_of_order=sum(batch.out_of_order.values()),
        conflict_examples=[example for one in parts for example in one.examples][:_SHOWN],
        series=sorted(merged),
        first_ns=min(stamps, default=0),
        last_ns=max(stamps, default=0),
    )


def _summed(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in counts:
        for why, n in one.items():
            total[why] = total.get(why, 0) + n
    return dict(sorted(total.items()))
