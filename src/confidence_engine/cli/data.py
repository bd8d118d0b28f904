"""`confidence import ...` and `confidence data ...`: files into the store, and what the store holds.

What was guessed is shown, what was lost is counted by reason. Where two columns could be meant a person at a
terminal is asked; a script gets the candidates and exit code 2.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from confidence_engine.cli.show import Json, emit, grid, home, note
from confidence_engine.domain.errors import DataMissing, UsageError
from confidence_engine.domain.units import format_time, parse_duration

if TYPE_CHECKING:
    from confidence_engine.feeds.intake import How, Report

__all__ = [
    "check_data", "import_bars", "import_corporate", "import_funding", "import_news", "import_scores", "list_data",
]  # fmt: skip

File = Annotated[Path, typer.Argument(metavar="FILE", help="Parquet, CSV, JSON lines or a JSON array.")]
Map = Annotated[list[str] | None, typer.Option("--map", metavar="FIELD=COLUMN", help="Which column a field is.")]
Zone = Annotated[str | None, typer.Option("--timezone", help="Zone of times that are written without one.")]
Quote = Annotated[str | None, typer.Option(help="Quote currency of bare tickers, as in --quote USD.")]
Symbol = Annotated[str | None, typer.Option(help="BASE/QUOTE; without it a symbol column is read.")]


def import_bars(
    ctx: typer.Context,
    file: File,
    venue: Annotated[str, typer.Option(help="Where it trades, as in binance-perp.")],
    interval: Annotated[str, typer.Option(help="Length of a bar, as in 5m.")],
    symbol: Symbol = None,
    quote: Quote = None,
    mapping: Map = None,
    timezone: Zone = None,
    close_time: Annotated[str | None, typer.Option(help="Local time at which a daily bar is over: 16:00.")] = None,
    close_zone: Annotated[str | None, typer.Option(help="Zone of --close-time: America/New_York.")] = None,
    adjusted: Annotated[bool, typer.Option("--adjusted", help="Prices comparable backwards: replays only.")] = False,
    as_json: Json = False,
) -> None:
    """Bring price bars into the store; the stamp of a bar is its open, a daily one's its (session) date."""
    how = _how(_one(symbol), venue, mapping, timezone, quote)
    session = _session(close_time, close_zone)
    how = replace(how, interval_ns=parse_duration(interval), session=session, adjusted=adjusted)
    _import(ctx, "bars", file, how, as_json)


def import_news(
    ctx: typer.Context,
    file: File,
    symbol: Annotated[list[str] | None, typer.Option(help="What the items are about; may be repeated.")] = None,
    quote: Quote = None,
    mapping: Map = None,
    timezone: Zone = None,
    tokenised: Annotated[bool, typer.Option("--tokenised", help="Texts were split into tokens: join them.")] = False,
    as_json: Json = False,
) -> None:
    """Bring news items into the store; a stamp that reads midnight counts as a bare date."""
    how = replace(_how(tuple(symbol or ()), "", mapping, timezone, quote), tokenised=tokenised)
    _import(ctx, "news", file, how, as_json)


def import_corporate(
    ctx: typer.Context,
    file: File,
    venue: Annotated[str, typer.Option(help="Where the shares trade.")],
    symbol: Symbol = None,
    quote: Quote = None,
    mapping: Map = None,
    timezone: Zone = None,
    as_json: Json = False,
) -> None:
    """Bring splits (new shares for one old) and cash dividends (quote a share) into the store, by ex-date."""
    _import(ctx, "corporate", file, _how(_one(symbol), venue, mapping, timezone, quote), as_json)


def import_funding(
    ctx: typer.Context,
    file: File,
    symbol: Symbol = None,
    venue: Annotated[str, typer.Option(help="Where it is paid.")] = "binance-perp",
    quote: Quote = None,
    mapping: Map = None,
    timezone: Zone = None,
    as_json: Json = False,
) -> None:
    """Bring funding rates into the store: fractions of notional that longs pay shorts."""
    _import(ctx, "funding", file, _how(_one(symbol), venue, mapping, timezone, quote), as_json)


def import_scores(
    ctx: typer.Context,
    file: File,
    venue: Annotated[str, typer.Option(help="Venue the scores are for; without it, any.")] = "",
    quote: Quote = None,
    mapping: Map = None,
    timezone: Zone = None,
    as_json: Json = False,
) -> None:
    """Bring your own model's scores into the store: ts_known, symbol, horizon, mean, std.

    A symbol has one score at a time: of rows with one ts_known and several horizons the first in the file is
    kept, the others are counted as "a second horizon at one time".
    """
    _import(ctx, "scores", file, _how((), venue, mapping, timezone, quote), as_json)


def list_data(ctx: typer.Context, as_json: Json = False) -> None:
    """List what the store holds."""
    from confidence_engine.feeds.store import Store

    folder = home(ctx)
    store = Store(folder)
    rows = store.listing()
    payload = {"home": str(folder), "series": rows, "data_hash": store.data_hash(), "synthetic": store.is_synthetic()}

    def table() -> Any:
        if not rows:
            note(f"nothing is stored under {folder}")
            return None
        body = [
            (
                r["kind"],
                r["symbol"],
                r["venue"],
                r["interval"],
                r["rows"],
                r["first"],
                r["last"],
                r["synthetic"] or None,
                r["adjusted"] or None,
            )
            for r in rows
        ]
        return grid(("kind", "symbol", "venue", "interval", "rows", "first", "last", "simulated", "adjusted"), body)

    emit(as_json, payload, table)


def check_data(
    ctx: typer.Context,
    symbol: Annotated[str | None, typer.Option(help="BASE/QUOTE, or BASE for all its pairs; without it, all.")] = None,
    as_json: Json = False,
) -> None:
    """Look for gaps, duplicates, spikes and other faults in the store, and verify its files."""
    from confidence_engine.feeds.columns import mention
    from confidence_engine.feeds.quality import survey
    from confidence_engine.feeds.store import Store

    store = Store(home(ctx))
    wanted = None if symbol is None else mention(symbol)
    rows = [r for r in store.listing() if wanted is None or wanted in _names(r["symbol"])]
    if not rows:
        raise DataMissing(f"nothing is stored {f'for {wanted} ' if wanted else ''}under {home(ctx)}")
    found = [survey(store, row) for row in rows]
    emit(as_json, {"series": found}, lambda: _check_table(found))


def _names(symbol: str | None) -> tuple[str, ...]:
    """A stored symbol and its base; news have none."""
    return () if symbol is None else (symbol, symbol.partition("/")[0])


def _one(symbol: str | None) -> tuple[str, ...]:
    return () if symbol is None else (symbol,)


def _how(symbols: tuple[str, ...], venue: str, mapping: list[str] | None, zone: str | None, quote: str | None) -> How:
    from confidence_engine.feeds.columns import parse_map
    from confidence_engine.feeds.intake import How
    from confidence_engine.feeds.stamps import zone_named

    return How(symbols, venue, 0, parse_map(mapping or ()), zone and zone_named(zone), quote, None)


def _session(at: str | None, zone: str | None) -> Any:
    from confidence_engine.feeds.clean import Session
    from confidence_engine.feeds.stamps import zone_named

    if at is None and zone is None:
        return None
    if at is None or zone is None:
        raise UsageError("--close-time and --close-zone go together")
    try:
        return Session(datetime.strptime(at, "%H:%M").time(), zone_named(zone))
    except ValueError as error:
        raise UsageError(f"--close-time {at!r} is not a time of day, as in 16:00") from error


def _ask(field: str, candidates: list[str]) -> str:
    return str(typer.prompt(f"which column is the {field}? {', '.join(candidates)}", err=True)).strip()


def _import(ctx: typer.Context, kind: str, file: Path, how: How, as_json: bool) -> None:
    from confidence_engine.feeds.intake import intake
    from confidence_engine.feeds.store import Store

    ask = _ask if sys.stdin.isatty() and not as_json else None
    report = intake(Store(home(ctx)), kind, file, how, ask)
    emit(as_json, _payload(kind, file, report), lambda: _import_table(kind, file, report))


def _payload(kind: str, file: Path, report: Report) -> dict[str, Any]:
    got = report.receipt
    return {
        "kind": kind,
        "file": file.name,
        "mapping": report.mapping,
        **got._asdict(),
        "first": format_time(got.first_ns),
        "last": format_time(got.last_ns),
        **report.notes,
    }


def _import_table(kind: str, file: Path, report: Report) -> Any:
    got = report.receipt
    rows: list[tuple[str, object]] = [
        ("columns", ", ".join(f"{field} = {column}" for field, column in report.mapping.items())),
        ("rows read", f"{got.rows_read:,}"),
        ("new", f"{got.new:,} new"),
        ("known already", f"{got.known:,}"),
        ("conflicts", f"{got.conflicts:,}" + (" (the first stored is kept)" if got.conflicts else "")),
    ]
    rows += [("conflict", f"{one}") for one in got.conflict_examples]
    rows += [(f"dropped, {why}", f"{n:,}") for why, n in got.dropped.items()]
    rows += [("stamps out of order", f"{got.out_of_order:,}")] if got.out_of_order else []
    rows += [(name.replace("_", " "), str(value)) for name, value in report.notes.items()]
    rows += [("series", got.series[0] if len(got.series) == 1 else f"{len(got.series)} series")]
    rows += [("first", format_time(got.first_ns)), ("last", format_time(got.last_ns))]
    return grid((kind, file.name), rows)


def _check_table(found: list[dict[str, Any]]) -> Any:
    from rich.console import Group

    bars = [one for one in found if one["kind"] == "bars"]
    rest = [one for one in found if one["kind"] != "bars"]
    head = (
        "series",
        "rows",
        "coverage",
        "gaps",
        "missing",
        "longest",
        "zero vol",
        "spikes",
        "stale",
        "OHLC",
        "raw faults",
    )
    rows = [
        (one["key"].removeprefix("bars/"), one["rows"], one["coverage"], one["gaps"], one["missing_bars"],
         one["longest_gap"], one["zero_volume_share"], one["spikes"], one["stale_runs"], one["ohlc_violations"],
         _said(one["raw"]))
        for one in bars
    ]  # fmt: skip
    tables = [grid(head, rows)] if rows else []
    tables += [
        grid((one["key"], ""), [(k.replace("_", " "), _said(v)) for k, v in one.items() if k not in ("key", "kind")])
        for one in rest
    ]
    return Group(*tables)


def _said(value: Any) -> str | None:
    if isinstance(value, dict):
        return "; ".join(f"{n} x {why}" for why, n in value.items()) or None
    if isinstance(value, list):
        return "; ".join(
            ", ".join(f"{k} {v}" for k, v in one.items()) if isinstance(one, dict) else str(one) for one in value
        )
    return None if value is None else str(value)
