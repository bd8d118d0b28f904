"""How a command speaks: machines get one JSON object on stdout, people a table; all else goes to stderr.

A command takes `ctx: typer.Context` and `as_json: Json = False`, finds its folder by `home(ctx)`
and ends in `emit(as_json, payload, table)`. Missing numbers (NaN) are null in JSON. An error is
one line on stderr and the exit code of its class. Rich is imported only when something is drawn.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from confidence_engine.domain.errors import ConfidenceError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress
    from rich.table import Table

    from confidence_engine.config import Config
    from confidence_engine.drivers.sources import Sources

__all__ = [
    "Json", "basis", "database", "emit", "fail", "grid", "home", "note", "note_covered", "progress", "to_json",
    "told_period", "told_symbols",
]  # fmt: skip

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout instead of a table.")]
"""Annotation of every command's `--json` switch."""

_PIPE_WIDTH = 160


def home(ctx: typer.Context) -> Path:
    """Folder that holds the store, the runs and the agents: `--home`, else the user's data folder."""
    if ctx.obj is not None:
        return Path(ctx.obj)
    import platformdirs

    return Path(platformdirs.user_data_dir("confidence-engine", appauthor=False))


def database(ctx: typer.Context) -> str | None:
    """URL of the server that holds the rows of the agents' journals and the tables: `--database`, else none."""
    found: str | None = ctx.find_root().meta.get("database")
    return found


def to_json(payload: dict[str, Any]) -> str:
    """One line of JSON: NaN and infinities become null, NumPy scalars numbers, paths strings."""
    import msgspec

    return msgspec.json.encode(payload, enc_hook=_plain).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot stand in a JSON answer")


def emit(as_json: bool, payload: dict[str, Any], table: Callable[[], RenderableType | None]) -> None:
    """Write the answer to stdout: `payload` as one JSON object, or what `table()` returns, drawn for people."""
    if as_json:
        sys.stdout.write(to_json(payload) + "\n")
        return
    drawn = table()
    if drawn is not None:
        from rich.console import Console

        width = None if sys.stdout.isatty() else _PIPE_WIDTH
        # Words are words: "[text] min_certainty" is a key of a config and no style.
        Console(width=width, highlight=False, markup=False, emoji=False).print(drawn, crop=False)


def grid(header: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> Table:
    """A plain table; columns that hold only numbers are set flush right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    body = [list(row) for row in rows]
    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column, name in enumerate(header):
        numbers = bool(body) and all(isinstance(row[column], (int, float)) for row in body)
        table.add_column(name, justify="right" if numbers else "left", overflow="fold")
    for row in body:
        table.add_row(*(Text("-" if cell is None else str(cell)) for cell in row))
    return table


def note(text: str) -> None:
    """One line for people, on stderr; where nobody reads it any more, nothing ends for that."""
    with contextlib.suppress(BrokenPipeError):
        print(text, file=sys.stderr, flush=True)


def note_covered(sources: Sources, asked: tuple[int, int], found: tuple[int, int], done: str) -> None:
    """Say which symbols have no bars, and which part of the asked (start, end) in ns is `done`, as "replayed"."""
    from confidence_engine.domain.units import format_time

    for name in sources.missing:
        note(f"left out: {name} has no bars in the period")
    if found != asked:
        first, last = (format_time(ns) for ns in found)
        note(f"the bars cover {first} to {last} of the period; only that is {done}")


def basis(config: Config, sources: Sources, start_ns: int, end_ns: int) -> dict[str, Any]:
    """What figures stand on, under the names of a replay's summary: agent, period, symbols and hashes."""
    from confidence_engine.domain.units import format_time

    return {
        "agent": config.agent.name,
        "config": config.path.name,
        "start": format_time(start_ns),
        "end": format_time(end_ns),
        "symbols": [one.symbol for one in sources.instruments],
        "missing_symbols": list(sources.missing),
        "synthetic": sources.synthetic,
        "params_hash": config.hash,
        "data_hash": sources.data_hash,
    }


def progress() -> Progress:
    """A progress bar on stderr: `with progress() as bar: task = bar.add_task("reading", total=n)`."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True))


def fail(error: ConfidenceError) -> NoReturn:
    """Say what went wrong in one line and end with the exit code of its class."""
    note(f"error: {error}")
    raise typer.Exit(error.exit_code)


def told_symbols(text: str | None) -> list[str] | None:
    """Symbols as typed, "BTC/USDT, ETH/USDT"; None leaves them to the config."""
    return None if text is None else [one.strip() for one in text.split(",") if one.strip()]


def told_period(start: str, end: str) -> tuple[int, int]:
    """(start, end) in ns of a period as typed. Raises UsageError where it is empty."""
    from confidence_engine.domain.errors import UsageError
    from confidence_engine.domain.units import parse_time

    start_ns, end_ns = parse_time(start), parse_time(end)
    if end_ns <= start_ns:
        raise UsageError(f"--end {end} is not after --start {start}")
    return start_ns, end_ns
