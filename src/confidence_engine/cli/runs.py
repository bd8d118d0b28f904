"""`confidence runs`, `diff` and `trades`: what replays there are, how two differ, and their trades as CSV."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from confidence_engine.cli.show import Json, emit, grid, home

__all__ = ["diff", "runs", "trades"]


def runs(ctx: typer.Context, as_json: Json = False) -> None:
    """List the replays that were made."""
    from confidence_engine.report.artefacts import list_runs

    found = list_runs(home(ctx))
    columns = ("run", "start", "end", "entries", "trades", "net_pnl_usd", "max_drawdown", "synthetic")

    def table() -> Any:
        rows = [[_short(one.get(name)) for name in columns] for one in found]
        return grid(columns, rows) if rows else "no runs yet; make one with `confidence replay`"

    emit(as_json, {"runs": found}, table)


def diff(
    ctx: typer.Context,
    left: Annotated[str, typer.Argument(help="A run: its name, the start of its name, or its folder.")],
    right: Annotated[str, typer.Argument(help="The other run.")],
    as_json: Json = False,
) -> None:
    """Compare two replays: every figure and parameter that differs, and the first decision that does."""
    import json

    from confidence_engine.report.artefacts import find_run

    (a, one), (b, two) = find_run(home(ctx), left), find_run(home(ctx), right)
    figures = list(_different(one, two))
    params = list(_different(*(json.loads((folder / "config.json").read_text("utf-8")) for folder in (a, b))))
    first = _first_difference(a, b)
    payload = {
        "left": a.name,
        "right": b.name,
        "same_decisions": one["decisions_hash"] == two["decisions_hash"],
        "figures": [dict(zip(("key", "left", "right"), row, strict=True)) for row in figures],
        "params": [dict(zip(("key", "left", "right"), row, strict=True)) for row in params],
        "first_difference": first,
    }

    def table() -> Any:
        from rich.console import Group

        parts: list[Any] = [grid(("figure", a.name, b.name), [[_short(x) for x in row] for row in figures])]
        if params:
            parts.append(grid(("parameter", a.name, b.name), [[_short(x) for x in row] for row in params]))
        parts.append("same decisions" if first is None else f"first decision that differs: {first}")
        return Group(*parts)

    emit(as_json, payload, table)


def trades(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(help="A run: its name, the start of its name, or its folder.")],
    out: Annotated[Path | None, typer.Option(help="CSV file; default: standard output.")] = None,
    as_json: Json = False,
) -> None:
    """Write the trades of a replay as CSV: times in ISO 8601 UTC, prices in quote, amounts in USD."""
    import polars as pl

    from confidence_engine.domain.units import format_time
    from confidence_engine.report.artefacts import find_run

    folder, _ = find_run(home(ctx), run)
    frame = pl.read_parquet(folder / "trades.parquet").drop("asset")
    for name in ("entry", "exit"):
        stamps = [format_time(ns) for ns in frame[f"{name}_ns"].to_list()]
        frame = frame.replace_column(frame.columns.index(f"{name}_ns"), pl.Series(f"{name}_at", stamps, pl.String))
    if as_json:
        emit(True, {"run": folder.name, "trades": frame.to_dicts()}, lambda: None)
    elif out is None:
        sys.stdout.write(frame.write_csv())
    else:
        out.write_text(frame.write_csv(), encoding="utf-8")


def _different(one: Any, two: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(dotted key, left, right) of every leaf that differs."""
    if isinstance(one, dict) and isinstance(two, dict):
        for name in dict.fromkeys([*one, *two]):
            yield from _different(one.get(name), two.get(name), f"{key}.{name}" if key else name)
    elif one != two:
        yield key, one, two


def _first_difference(a: Path, b: Path) -> dict[str, Any] | None:
    """The first row in which the decisions of two runs differ, by time and field; None where they are equal."""
    import polars as pl

    from confidence_engine.domain.units import format_time

    one, two = (pl.read_parquet(folder / "decisions.parquet") for folder in (a, b))
    for k, (x, y) in enumerate(zip(one.iter_rows(named=True), two.iter_rows(named=True), strict=False)):
        fields = [name for name in x if x[name] != y.get(name) and not (x[name] != x[name] and y[name] != y[name])]
        if fields:
            at = min(x["ts_ns"], y["ts_ns"])
            return {"row": k, "at": format_time(at), "symbol": x["symbol"], "fields": fields[:8]}
    if len(one) != len(two):
        return {"row": min(len(one), len(two)), "at": None, "symbol": None, "fields": ["number of decisions"]}
    return None


def _short(value: Any) -> Any:
    """A cell: floats to six digits, long things cut."""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = "-" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
