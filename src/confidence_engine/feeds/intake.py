"""From a file to the store: read, map, clean, add. What was read, lost and kept is all in one report."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from confidence_engine.domain.errors import DataRefused
from confidence_engine.domain.units import DAY_NS, format_interval
from confidence_engine.feeds import archive, clean
from confidence_engine.feeds.columns import Ask, guess
from confidence_engine.feeds.read import Raw, read
from confidence_engine.feeds.store import Batch, Receipt, Store, venue_named

__all__ = ["How", "Report", "intake"]


@dataclass(frozen=True)
class How:
    """What a person says about a file: all that is not in it."""

    symbols: tuple[str, ...] = ()
    venue: str = ""
    interval_ns: int = 0
    chosen: dict[str, str] = field(default_factory=dict)
    zone: str | None = None
    quote: str | None = None
    session: clean.Session | None = None
    adjusted: bool = False
    tokenised: bool = False
    synthetic: bool = False  # rows of a simulated world; no command says so of a file, the audit of a world does


class Report(NamedTuple):
    """The mapping that was used, the store's receipt, and remarks worth a line."""

    mapping: dict[str, str]
    receipt: Receipt
    notes: dict[str, Any]


def intake(store: Store, kind: str, path: Path, how: How, ask: Ask | None = None) -> Report:
    """Import one file of `kind` (bars, news, funding, scores, corporate). Raises DataRefused, UsageError, RunError."""
    if kind in ("bars", "funding", "corporate") or how.venue:
        venue_named(how.venue)
    raw = read(path)
    try:
        mapping = guess(kind, raw.rows.columns, how.chosen, ask)
        batch, notes = _batch(kind, raw, mapping, how)
    except DataRefused as error:
        raise DataRefused(f"{raw.name}: {error}") from error
    if not (batch.rows or batch.documents):
        lost = {why: n for counts in batch.dropped.values() for why, n in counts.items()}
        reasons = "; ".join(f"{n} x {why}" for why, n in lost.items())
        raise DataRefused(f"{raw.name}: none of its {batch.rows_read} rows can be used: {reasons}")
    return Report(mapping, store.add(batch), notes)


def _batch(kind: str, raw: Raw, mapping: dict[str, str], how: How) -> tuple[Batch, dict[str, Any]]:
    rows_read = raw.rows.height + sum(raw.unread.values())
    base = Batch(kind, raw.name, _digest(kind, raw, mapping, how), rows_read, how.venue, how.interval_ns,
                 synthetic=how.synthetic, adjusted=how.adjusted)  # fmt: skip
    unread = {"": raw.unread} if raw.unread else {}
    if kind == "news":
        found = archive.items(raw.rows, mapping, how.symbols, how.quote, how.zone, how.tokenised)
        dropped = {"": {**raw.unread, **found.dropped}}
        notes: dict[str, Any] = {
            "midnight_stamps": found.midnight,
            "publishers": len({d.publisher for d in found.documents}),
        }
        batch = replace(base, documents=found.documents, dropped=dropped, out_of_order={"": found.out_of_order})
        return batch, notes
    symbol = how.symbols[0] if how.symbols else None
    notes = {}
    if kind == "bars":
        cleaned = clean.bars(raw.rows, mapping, how.interval_ns, symbol, how.quote, how.zone, how.session)
        notes["adjusted"] = how.adjusted
        notes["volume_known"] = "volume" in mapping
        if how.interval_ns == DAY_NS:
            at = "00:00 UTC of the next day" if how.session is None else f"{how.session.at:%H:%M} {how.session.zone}"
            notes["daily_close"] = at
    else:
        cleaned = getattr(clean, kind)(raw.rows, mapping, symbol, how.quote, how.zone)
    batch = replace(base, rows=cleaned.rows, dropped={**unread, **cleaned.dropped}, out_of_order=cleaned.out_of_order)
    return batch, notes


def _digest(kind: str, raw: Raw, mapping: dict[str, str], how: How) -> str:
    words = [kind, raw.sha256, how.venue, format_interval(how.interval_ns), repr(sorted(mapping.items()))]
    words += [repr(how.symbols), str(how.zone), str(how.quote), str(how.session)]
    words += [name for name in ("adjusted", "tokenised", "synthetic") if getattr(how, name)]
    return hashlib.sha256("\0".join(words).encode()).hexdigest()
