"""`confidence runs`, `diff` and `trades`: what replays there are, how two differ, and their trades as CSV."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from confidence_engine.cli.show import Json, emit, grid, home, note

__all__ = ["diff", "runs", "trades"]

_OF_THE_MACHINE: Final = ("run", "cpu_events_per_s")
"""Keys of a summary that say nothing of the result."""


def runs(ctx: typer.Context, as_json: Json = False) -> None:
    """List the replays that were made."""
    from confidence_engine.report.artefacts import list_runs

    found = list_runs(home(ctx))
    columns = ("run", "start", "end", "entries", "trades", "net_pnl_usd", "max_drawdown", "synthetic")

    def table() -> Any:
        rows = [[_short(one.get(name)) for name in columns] for one in found]
        for one in found:
            if "problem" in one:
                note(f"damaged: {one['problem']}")
        return grid(columns, rows) if rows else "no runs yet; make one with `confidence replay`"

    emit(as_json, {"runs": found}, table)


def diff(
    ctx: typer.Context,
    left: Annotated[str, typer.Argument(help="A run: its name, the start of its name, or its folder.")],
    right: Annotated[str, typer.Argument(help="The other run.")],
    as_json: Json = False,
) -> None:
    """Compare two replays: every figure and parameter that differs, and the first decision that does."""
    from confidence_engine.domain.errors import DataRefused
    from confidence_engine.report.artefacts import find_run, read_config

    (a, one), (b, two) = find_run(home(ctx), left), find_run(home(ctx), right)
    if one.get("synthetic", False) != two.get("synthetic", False):
        raise DataRefused(f"one of {a.name} and {b.name} is simulated: its figures say nothing of the other's")
    figures = [row for row in _different(one, two) if row[0] not in _OF_THE_MACHINE]
    params = list(_different(read_config(a), read_config(b)))
    first = _first_difference(a, b)
    payload = {
        "left": a.name,
        "right": b.name,
        "synthetic": one.get("synthetic", False),
        "same_decisions": first is None,
        "figures": [dict(zip(("key", "left", "right"), row, strict=True)) for row in figures],
        "params": [dict(zip(("key", "left", "right"), row, strict=True)) for row in params],
        "first_difference": first,
    }

    def table() -> Any:
        from rich.console import Group

        parts: list[Any] = ["SYNTHETIC: both runs are of simulated worlds"] if payload["synthetic"] else []
        parts += [] if figures else ["same figures"]
        if figures:
            parts.append(grid(("figure", a.name, b.name), [[_short(x) for x in row] for row in figures]))
        if params:
            parts.append(grid(("parameter", a.name, b.name), [[_short(x) for x in row] for row in params]))
        parts.append("same decisions" if first is None else f"first decision that differs: {_told(first)}")
        return Group(*parts)

    emit(as_json, payload, table)


def trades(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(help="A run: its name, the start of its name, or its folder.")],
    out: Annotated[Path | None, typer.Option(help="CSV file; default: standard output.")] = None,
    as_json: Json = False,
) -> None:
    """Write the trades of a replay as CSV: times in ISO 8601 UTC, prices in quote, amounts in USD.

    Every row says whether it is synthetic: the file leaves the home that knows.
    """
    import polars as pl

    from confidence_engine.domain.errors import UsageError
    from confidence_engine.domain.units import format_time
    from confidence_engine.feeds.manifest import replace_file
    from confidence_engine.report.artefacts import find_run, read_rows

    if out is not None and out.is_dir():
        raise UsageError(f"--out {out} is a folder; name a file in it, as {out / 'trades.csv'}")
    folder, summary = find_run(home(ctx), run)
    synthetic = bool(summary.get("synthetic", False))
    frame = read_rows(folder, "trades").drop("asset").with_columns(pl.lit(synthetic).alias("synthetic"))
    for name in ("entry", "exit"):
        stamps = [format_time(ns) for ns in frame[f"{name}_ns"].to_list()]
        frame = frame.replace_column(frame.columns.index(f"{name}_ns"), pl.Series(f"{name}_at", stamps, pl.String))
    if out is not None:
        replace_file(out, lambda file: file.write(frame.write_csv().encode()))
        note(f"{len(frame)} {'SYNTHETIC ' if synthetic else ''}trades of {folder.name} written to {out}")
    elif synthetic:
        note(f"SYNTHETIC: {folder.name} is of a simulated world")
    if as_json:
        emit(True, {"run": folder.name, "synthetic": synthetic, "trades": frame.to_dicts()}, lambda: None)
    elif out is None:
        sys.stdout.write(frame.write_csv())


def _different(one: Any, two: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(dotted key, left, right) of every leaf that differs."""
    if isinstance(one, dict) and isinstance(two, dict):
        for name in dict.fromkeys([*one, *two]):
            yield from _different(one.get(name), two.get(name), f"{key}.{name}" if key else name)
    elif one != two:
        yield key, one, two


def _first_difference(a: Path, b: Path) -> dict[str, Any] | None:
    """The first row in which the decisions of two runs differ, by time and field; None where they are equal."""
    from confidence_engine.domain.units import format_time
    from confidence_engine.report.artefacts import read_rows

    one, two = (read_rows(folder, "decisions").drop("synthetic", strict=False) for folder in (a, b))  # said before
    for k, (x, y) in enumerate(zip(one.iter_rows(named=True), two.iter_rows(named=True), strict=False)):
        fields = [name for name in x if x[name] != y.get(name) and not (x[name] != x[name] and y[name] != y[name])]
        if fields:
            at = min(x["ts_ns"], y["ts_ns"])
            return {"row": k, "at": format_time(at), "symbol": x["symbol"], "fields": fields[:8]}
    if len(one) != len(two):
        return {"row": min(len(one), len(two)), "at": None, "symbol": None, "fields": ["number of decisions"]}
    return None


def _told(first: dict[str, Any]) -> str:
    where = f"row {first['row']}" + (f", {first['symbol']} at {first['at']}" if first["at"] else "")
    return f"{where}: {', '.join(first['fields'])}"


def _short(value: Any) -> Any:
    """A cell: floats to six digits, long things cut."""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = "-" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
