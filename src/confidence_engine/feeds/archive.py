"""An archive of news has publishers' stamps only, so what is known of its times is written on each item.

A stamp that reads exactly midnight is taken for a bare date, of publication as of first sight: the item
counts at the end of that day and not before it. The publisher is the source named in the row, else the
host of its address, else unknown: all items of which nobody says who wrote them count as one publisher.
Words stay as they are, broken characters included: mending them would be guessing; only what is said to be
split into tokens is joined again. Rows that differ only in the symbol are one item about several symbols.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import urlsplit

import msgspec
import polars as pl

from confidence_engine.domain.document import UNKNOWN_PUBLISHER, Document, body_hash
from confidence_engine.domain.errors import UsageError
from confidence_engine.domain.units import DAY_NS
from confidence_engine.feeds.columns import mention
from confidence_engine.feeds.stamps import place
from confidence_engine.feeds.tokens import joined

__all__ = ["SOURCE", "Items", "items", "publisher_of"]

SOURCE: Final = "archive"
MERGED: Final = "same item under another symbol (joined)"
REPEATED: Final = "same item again"
NOBODY: Final = frozenset(("", UNKNOWN_PUBLISHER, "n/a", "na", "nan", "none", "null", "-"))
"""Names of a publisher that name none."""


class Items(NamedTuple):
    """Documents by (published, id); counts of dropped rows; how many were stamped midnight, or came out of order."""

    documents: list[Document]
    dropped: dict[str, int]
    midnight: int
    out_of_order: int


def publisher_of(name: str | None, url: str | None) -> str:
    """The named source, else the host of the address without its "www.", else unknown: one publisher for all such."""
    if name and name.strip().casefold() not in NOBODY:
        return name.strip()
    try:
        host = urlsplit((url or "").strip()).hostname
    except ValueError:
        host = None
    return host.removeprefix("www.") if host else UNKNOWN_PUBLISHER


def items(
    raw: pl.DataFrame,
    mapping: dict[str, str],
    symbols: tuple[str, ...] = (),
    quote: str | None = None,
    zone: str | None = None,
    tokenised: bool = False,
) -> Items:
    """Documents of a raw table; `symbols` goes before the symbol column. Raises DataRefused, UsageError."""
    stamps = place(raw[mapping["published"]], zone)
    seen = place(raw[mapping["first_seen"]], zone) if "first_seen" in mapping else None
    frame = pl.DataFrame({"at": stamps.ns, "midnight": stamps.midnight, "why": stamps.why}).with_columns(
        seen=pl.lit(None, dtype=pl.Int64) if seen is None else seen.ns,
        seen_midnight=pl.lit(False) if seen is None else seen.midnight,
        **{name: _words(raw, mapping.get(name)) for name in ("title", "text", "publisher", "url", "symbol")},
    )
    about = tuple(sorted({mention(symbol, quote) for symbol in symbols}))
    dropped: dict[str, int] = {}
    found: dict[str, Document] = {}
    for row in frame.iter_rows(named=True):
        if tokenised and isinstance(row["title"], str):
            row["title"] = joined(row["title"])
        why = row["why"] or _unfit(row)
        if why is None:
            item = _document(row, about or _subject(row["symbol"], quote))
            why = _join(found, item)
        if why is not None:
            dropped[why] = dropped.get(why, 0) + 1
    documents = sorted(found.values(), key=lambda d: (d.published_ns, d.id))
    good = frame.filter(pl.col("why").is_null())["at"]
    late = int((good < good.cum_max().shift(1)).sum() or 0)
    return Items(documents, dropped, sum(_at_midnight(d) for d in documents), late)


def _words(raw: pl.DataFrame, column: str | None) -> pl.Expr | pl.Series:
    return pl.lit(None, dtype=pl.String) if column is None else raw[column].cast(pl.String)


def _unfit(row: dict[str, object]) -> str | None:
    title = row["title"]
    if not isinstance(title, str) or not title.strip():
        return "title missing or empty"
    first, published = row["seen"], row["at"]
    if isinstance(first, int) and isinstance(published, int) and not row["midnight"]:
        latest = first + DAY_NS - 1 if row["seen_midnight"] else first
        if latest < published:
            return "first seen before it was published"
    return None


def _document(row: dict[str, object], symbols: tuple[str, ...]) -> Document:
    at, title, text, url = row["at"], row["title"], row["text"] or "", row["url"] or ""
    assert isinstance(at, int)
    assert isinstance(title, str)
    assert isinstance(text, str)
    assert isinstance(url, str)
    name, seen = row["publisher"], row["seen"]
    publisher = publisher_of(name if isinstance(name, str) else None, url)
    dated = bool(row["midnight"])
    if dated and at % DAY_NS:
        # Midnight of a zone other than UTC: written as the end of that local day, the earliest honest time.
        at, dated = at + DAY_NS, False
    if isinstance(seen, int) and row["seen_midnight"] and seen % DAY_NS:
        seen += DAY_NS  # likewise; a midnight of UTC stays as written and `known_at` moves it
    return Document(
        id=body_hash(title, text, publisher, at),
        source=SOURCE,
        publisher=publisher,
        title=title.strip(),
        published_ns=at,
        text=text.strip(),
        url=url.strip(),
        symbols=symbols,
        date_only=dated,
        first_seen_ns=seen if isinstance(seen, int) else None,
    )


def _subject(symbol: object, quote: str | None) -> tuple[str, ...]:
    if not isinstance(symbol, str) or not symbol.strip():
        return ()
    try:
        return (mention(symbol, quote),)
    except UsageError:
        return ()


def _join(found: dict[str, Document], item: Document) -> str | None:
    """Keep a new item; widen the symbols of a known one. Returns why the row is not a further item."""
    known = found.get(item.id)
    if known is None:
        found[item.id] = item
        return None
    symbols = tuple(sorted({*known.symbols, *item.symbols}))
    if symbols == known.symbols:
        return REPEATED
    found[item.id] = msgspec.structs.replace(known, symbols=symbols)
    return MERGED


def _at_midnight(document: Document) -> bool:
    return document.date_only
