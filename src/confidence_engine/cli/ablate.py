"""`confidence ablate`: each stage, source and gate neutralised in turn, the figures of the runs side by side."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from confidence_engine.cli.show import (
    Json,
    basis,
    emit,
    grid,
    home,
    note,
    note_covered,
    progress,
    told_period,
    told_symbols,
)  # fmt: skip

if TYPE_CHECKING:
    from confidence_engine.config import Config
    from confidence_engine.drivers.sources import Sources
    from confidence_engine.evaluate.ablation import Part, Row
    from confidence_engine.feeds.assemble import Window

__all__ = ["ablate"]

START = "2025-01-01"
"""Where a planted world begins: its tables are to be compared from one day to another."""

DAYS: Final = 90
WARMUP_DAYS: Final = 15


def ablate(
    ctx: typer.Context,
    config: Annotated[Path | None, typer.Argument(help="Config file, as config/futures.toml.")] = None,
    start: Annotated[str | None, typer.Option(help="First moment that is decided, as 2023-01-01.")] = None,
    end: Annotated[str | None, typer.Option(help="First moment that is no longer decided.")] = None,
    symbols: Annotated[
        str | None, typer.Option(help="Only these, as BTC/USDT,ETH/USDT; default: the config's.")
    ] = None,
    world: Annotated[
        int | None, typer.Option(min=0, help="Instead of a config: the simulated world of a seed.")
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=WARMUP_DAYS + 5, max=400, help=f"Length of that world; default {DAYS}.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Neutralise each stage, source and gate in turn, and compare the figures."""
    import msgspec

    from confidence_engine.cli.readers import reader_for
    from confidence_engine.cli.warm import compile_kernel
    from confidence_engine.evaluate import ablation
    from confidence_engine.feeds.store import Store

    loaded, sources, window = _given(ctx, config, start, end, symbols, world, days)
    compile_kernel()
    with progress() as bar:
        task = bar.add_task("parts", total=1)
        moved: Callable[[int, int], None] = lambda done, of: bar.update(task, completed=done, total=of)  # noqa: E731
        kept = Store(home(ctx)).folder
        rows = ablation.ablate(loaded, sources, lambda p: reader_for(p.backend, p.model, kept), window, moved)
    still = ablation.at_neutral(loaded)
    on = basis(loaded, sources, window.start_ns, window.end_ns)
    left = [{"kind": part.kind, "name": part.name} for part in still]
    payload = on | {"rows": msgspec.to_builtins(rows), "at_neutral": left}
    emit(as_json, payload, lambda: _page(rows, still, on))


def _given(
    ctx: typer.Context, config: Path | None, start: str | None, end: str | None, symbols: str | None,
    world: int | None, days: int | None,
) -> tuple[Config, Sources, Window]:  # fmt: skip
    """Config, rows and window of what was asked for. Raises UsageError for half of a question."""
    from confidence_engine.domain.errors import UsageError

    stored = config is not None and start is not None and end is not None and days is None
    if world is not None and config is None and start is None and end is None and symbols is None:
        return _simulated(world, DAYS if days is None else days)
    if world is not None or not stored:
        raise UsageError("wanted CONFIG with --start and --end, or --world SEED alone or with the --days of that world")
    assert config is not None
    assert start is not None
    assert end is not None
    return _recorded(ctx, config, start, end, symbols)


def _recorded(
    ctx: typer.Context, config: Path, start: str, end: str, symbols: str | None
) -> tuple[Config, Sources, Window]:
    from confidence_engine.cli.warm import told_when_slow
    from confidence_engine.config import load
    from confidence_engine.drivers import replay as driver
    from confidence_engine.drivers.sources import gather_covered
    from confidence_engine.feeds.store import Store

    loaded = load(config)
    with told_when_slow("gathering stored rows and headlines", "gathering"):
        asked, wanted = told_period(start, end), told_symbols(symbols)
        sources, first_ns, last_ns = gather_covered(loaded, Store(home(ctx)), *asked, wanted)
    note_covered(sources, asked, (first_ns, last_ns), "compared")
    return loaded, sources, driver.window_of(loaded, first_ns, last_ns)


def _simulated(seed: int, days: int) -> tuple[Config, Sources, Window]:
    from confidence_engine.config import load
    from confidence_engine.config.simulated import write_simulated
    from confidence_engine.domain.units import DAY_NS, parse_time
    from confidence_engine.drivers import replay as driver
    from confidence_engine.drivers.sources import of_world
    from confidence_engine.feeds.world import generate

    note(f"SIMULATED: world of seed {seed}, {days} days. Nothing below is a real price, headline or result.")
    begin = parse_time(START)
    made = generate(seed, start_ns=begin, days=days)
    with tempfile.TemporaryDirectory() as folder:
        loaded = load(write_simulated(Path(folder), made.underlyings, made.ticks, WARMUP_DAYS))
    window = driver.window_of(loaded, begin + WARMUP_DAYS * DAY_NS, begin + days * DAY_NS)
    return loaded, of_world(loaded, made), window


def _nothing(row: Row) -> str:
    """What to say of a part that changed nothing, or no trade."""
    if row.inert:
        return ": CHANGES NOTHING"
    same = row.kind != "whole" and row.moved == 0 and row.delta_usd == 0.0
    return ": no trade differs" if same else ""


def _page(rows: list[Row], still: Sequence[Part], on: dict[str, Any]) -> Any:
    from rich.console import Group

    header = ("kind", "part", "neutralised", "entries", "moved", "net USD", "change", "95 %", "p adj.", "gap closed")
    body = [
        (
            row.kind, row.name, row.what + _nothing(row), row.entries, row.moved,
            round(row.net_usd, 2), f"{row.delta_usd:+.2f}",
            "-" if row.delta_ci95 is None else f"[{row.delta_ci95[0]:+.1f}, {row.delta_ci95[1]:+.1f}]",
            "-" if row.p_adjusted is None else f"{row.p_adjusted:.3f}",
            "-" if row.closed.value is None else f"{row.closed.value:.2f} of {row.closed.n}",
        )
        for row in rows
    ]  # fmt: skip
    left = ", ".join(one.name for one in still)
    made = "SIMULATED: " if on["synthetic"] else ""
    title = f"{made}what each part of {on['agent']} is worth, {on['start']} to {on['end']}"
    return Group(
        grid(header, body, title=title),
        "change: net less the whole run's, interval from a bootstrap of daily differences; p adjusted (Holm) over rows",
        *([f"at neutral in this config already, so without a row: {left}"] if left else []),
    )
