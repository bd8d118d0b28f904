"""Which column of a stranger's file is which: guessed by name, shown, and asked for when two could be meant.

A guess is a match of the whole name against a short list, never of a part of it ("adj close"
is not the close). Two columns that could both be the time are not guessed between: the
question goes to the person, or the command ends with the candidates named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from confidence_engine.domain.errors import DataRefused, UsageError

__all__ = ["FIELDS", "Ask", "Field", "canonical_symbol", "guess", "mention", "parse_map"]

Ask = Callable[[str, list[str]], str]
"""Puts the question (field, candidates) to a person and returns the column chosen."""


class Field(NamedTuple):
    """One thing a file may hold, the names it goes by, and whether the file is of no use without it."""

    name: str
    aliases: tuple[str, ...]
    required: bool = True


_STAMPS: Final = ("time", "date", "datetime", "date_time", "timestamp", "ts")
_SYMBOL: Final = Field("symbol", ("symbol", "ticker", "pair", "instrument"), False)

FIELDS: Final[dict[str, tuple[Field, ...]]] = {
    "bars": (
        Field("time", (*_STAMPS, "open_time", "opentime", "start", "start_time", "bar_time"), False),
        Field("close_time", ("close_time", "closetime", "end", "end_time"), False),
        Field("open", ("open", "o")),
        Field("high", ("high", "h")),
        Field("low", ("low", "l")),
        Field("close", ("close", "c")),
        Field("volume", ("volume", "v", "vol", "base_volume"), False),
        _SYMBOL,
    ),
    "news": (
        Field(
            "published", (*_STAMPS, "published_at", "published", "pubdate", "pub_date", "created_at", "publish_time")
        ),
        Field("first_seen", ("first_seen", "first_seen_at"), False),
        Field("title", ("title", "headline")),
        Field("text", ("text", "body", "summary", "lede", "description", "content"), False),
        Field("publisher", ("source", "publisher", "site", "provider"), False),
        Field("url", ("url", "link"), False),
        _SYMBOL,
    ),
    "funding": (
        Field("time", (*_STAMPS, "funding_time", "fundingtime")),
        Field("rate", ("funding_rate", "fundingrate", "rate")),
        _SYMBOL,
    ),
    "corporate": (
        Field("time", (*_STAMPS, "ex_date", "exdate")),
        Field("split", ("split", "split_ratio", "stock_splits", "ratio"), False),
        Field("dividend", ("dividend", "dividends", "amount", "cash"), False),
        _SYMBOL,
    ),
    "scores": (
        Field("known", ("ts_known", "known_at", "known")),
        Field("symbol", _SYMBOL.aliases),
        Field("horizon", ("horizon",)),
        Field("mean", ("mean",)),
        Field("std", ("std",)),
    ),
}

_QUOTES: Final = ("USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USD", "EUR", "GBP", "JPY", "TRY", "BTC", "ETH", "BNB")
_BASE: Final = re.compile(r"[A-Z0-9][A-Z0-9.\-]{0,19}")
_QUOTE: Final = re.compile(r"[A-Z0-9]{2,10}")


def parse_map(pairs: Sequence[str]) -> dict[str, str]:
    """`FIELD=COLUMN` words of the command line as a dict. Raises UsageError for a word without both."""
    chosen: dict[str, str] = {}
    for pair in pairs:
        field, equals, column = pair.partition("=")
        if not (field.strip() and equals and column.strip()):
            raise UsageError(f"--map {pair!r} is not FIELD=COLUMN, as in --map open=Open")
        chosen[field.strip()] = column.strip()
    return chosen


def guess(kind: str, columns: Sequence[str], chosen: dict[str, str], ask: Ask | None = None) -> dict[str, str]:
    """Field -> column for one kind of file; `chosen` overrides.

    Raises UsageError where two columns fit and nobody can be asked, or where `chosen` names what is not
    there; DataRefused where a required field has no column.
    """
    fields = {field.name: field for field in FIELDS[kind]}
    for name, column in chosen.items():
        if name not in fields:
            raise UsageError(f"--map {name}=...: {kind} have the fields {', '.join(fields)}")
        if column not in columns:
            raise UsageError(f"--map {name}={column}: the file has the columns {', '.join(columns)}")
    taken = set(chosen.values())
    found: dict[str, str] = {}
    for field in fields.values():
        fitting = [c for c in columns if _plain(c) in field.aliases and c not in taken]
        if field.name in chosen:
            found[field.name] = chosen[field.name]
        elif len(fitting) > 1:
            found[field.name] = _asked(field.name, fitting, ask)
        elif fitting:
            found[field.name] = fitting[0]
    _require(kind, columns, found)
    return found


def _asked(field: str, fitting: list[str], ask: Ask | None) -> str:
    if ask is None:
        options = " or ".join(f"--map {field}={column}" for column in fitting)
        raise UsageError(f"which column is the {field}? {', '.join(fitting)} all could be; say {options}")
    answer = ask(field, fitting)
    if answer not in fitting:
        raise UsageError(f"{answer!r} is none of {', '.join(fitting)}")
    return answer


def _require(kind: str, columns: Sequence[str], found: dict[str, str]) -> None:
    missing = [field.name for field in FIELDS[kind] if field.required and field.name not in found]
    if kind == "bars" and not {"time", "close_time"} & set(found):
        missing.insert(0, "time")
    if missing:
        have = ", ".join(columns) or "none"
        raise DataRefused(f"no column for {', '.join(missing)}; the file has {have}; name it with --map FIELD=COLUMN")


def _plain(column: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", column.strip().lower()).strip("_")


def canonical_symbol(text: str, quote: str | None = None) -> str:
    """ "BASE/QUOTE" in upper case from that, "BTC-USDT", "BTC_USDT", "BTCUSDT", or a bare ticker with `quote`.

    Raises UsageError where the text can be split in two ways ("BTCBUSD") or in none.
    """
    symbol = text.strip().upper()
    if "/" in symbol:
        splits = [tuple(symbol.split("/"))]
    elif quote is not None:
        splits = [(symbol, quote.strip().upper())]
    else:
        splits = [(symbol[: -len(q)].rstrip("-_"), q) for q in _QUOTES if symbol.endswith(q)]
        separated = [pair for pair in splits if re.search(r"[-_]", symbol) and symbol[-len(pair[1]) - 1] in "-_"]
        splits = separated or splits
    good = [s for s in splits if len(s) == 2 and _BASE.fullmatch(s[0]) and _QUOTE.fullmatch(s[1])]
    if len(good) == 1:
        return "/".join(good[0])
    if good:
        raise UsageError(f"symbol {text!r} could be {' or '.join('/'.join(s) for s in good)}; write it with a slash")
    raise UsageError(f"{text!r} is not a symbol; write BASE/QUOTE as in BTC/USDT, or a bare ticker with --quote USD")


def mention(text: str, quote: str | None = None) -> str:
    """What a news row calls its subject: a canonical symbol where it reads as one, else the bare ticker."""
    symbol = text.strip().upper().removeprefix("$")
    if quote is None and _BASE.fullmatch(symbol) and not any(symbol.endswith(q) and symbol != q for q in _QUOTES):
        return symbol
    return canonical_symbol(symbol, quote)
