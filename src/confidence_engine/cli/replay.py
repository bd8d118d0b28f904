"""`confidence replay`: recorded bars and headlines in, decisions and simulated trades out, on disk and summed up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from confidence_engine.cli.show import Json, emit, grid, home, note, progress

if TYPE_CHECKING:
    from confidence_engine.config import Config
    from confidence_engine.drivers.sources import Sources
    from confidence_engine.feeds.store import Store

__all__ = ["replay", "run_once", "summary_table"]


def replay(
    ctx: typer.Context,
    config: Annotated[Path, typer.Argument(help="Config file, as config/futures.toml.")],
    start: Annotated[str, typer.Option(help="First moment that is decided, as 2023-01-01 or 2023-01-01T00:00Z.")],
    end: Annotated[str, typer.Option(help="First moment that is no longer decided, written alike.")],
    symbols: Annotated[
        str | None, typer.Option(help="Only these, as BTC/USDT,ETH/USDT; default: the config's.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the artefacts, new or an older run's; default HOME/runs/<id>.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Replay stored bars and news through the kernel and simulate the trades."""
    from confidence_engine.config import load
    from confidence_engine.domain.errors import UsageError
    from confidence_engine.domain.units import parse_time
    from confidence_engine.feeds.store import Store
    from confidence_engine.report.artefacts import refuse_foreign

    loaded = load(config)
    start_ns, end_ns = parse_time(start), parse_time(end)
    if end_ns <= start_ns:
        raise UsageError(f"--end {end} is not after --start {start}")
    chosen = None if symbols is None else [one.strip() for one in symbols.split(",") if one.strip()]
    where = home(ctx) / "runs" if out is None else out.resolve()
    if out is not None:
        refuse_foreign(where)
    folder, summary = run_once(loaded, Store(home(ctx)), start_ns, end_ns, chosen, where, out is not None)
    emit(as_json, summary | {"run": folder.name, "folder": folder}, lambda: summary_table(summary, folder))


def run_once(
    config: Config, store: Store, start_ns: int, end_ns: int, symbols: list[str] | None, where: Path, exact: bool
) -> tuple[Path, dict[str, Any]]:
    """One replay from the store to its folder: `where` itself if `exact`, else a folder named after the run in it."""
    from confidence_engine.cli.readers import reader_for
    from confidence_engine.cli.warm import compile_kernel, told_when_slow
    from confidence_engine.domain.errors import DataMissing
    from confidence_engine.domain.units import format_time
    from confidence_engine.drivers import replay as driver
    from confidence_engine.drivers.sources import gather_covered
    from confidence_engine.evaluate.summary import figures, summarise
    from confidence_engine.report.artefacts import run_id, write_run

    with told_when_slow("gathering stored rows and headlines", "gathering"):
        sources, first_ns, last_ns = gather_covered(config, store, start_ns, end_ns, symbols)
    for name in sources.missing:
        note(f"left out: {name} has no bars in the period")
    if (first_ns, last_ns) != (start_ns, end_ns):
        note(f"the bars cover {format_time(first_ns)} to {format_time(last_ns)} of the period; only that is replayed")
    _note_warmup(config, sources, first_ns)
    with told_when_slow(f"reading {len(sources.documents):,} headlines", "reading"):
        reader = reader_for(config.text.backend, config.text.model, store.folder)
        readings = driver.read(config, sources, reader)
    compile_kernel()
    window = driver.window_of(config, first_ns, last_ns)
    tape = driver.compose(config, sources, readings, window)
    with progress() as bar:
        task = bar.add_task("replay", total=len(tape.events))
        moved: Callable[[int, int], None] = lambda done, _: bar.update(task, completed=done)  # noqa: E731
        result = driver.play(config, sources.instruments, tape.events, moved)
    if len(result.equities) == 0:
        raise DataMissing(f"no decision falls between {format_time(first_ns)} and {format_time(last_ns)}")
    made = figures(config, sources, result)
    summary = summarise(config, sources, window, tape, result, made)
    folder = where if exact else where / run_id(config, window, summary)
    return write_run(folder, config, sources, window, result, made, summary), summary


def _note_warmup(config: Config, sources: Sources, start_ns: int) -> None:
    """One line where the bars before the start are fewer than the config's warm-up, a gap of a few bars aside."""
    from confidence_engine.domain.units import format_time
    from confidence_engine.evaluate.summary import warmup_days

    days = warmup_days(config, sources, start_ns)
    if days["found"] < 0.99 * days["wanted"]:
        note(
            f"the warm-up wants {days['wanted']:g} days of bars before {format_time(start_ns)}, and there are "
            f"{days['found']:g}; the first decisions know less"
        )


def summary_table(summary: dict[str, Any], folder: Path) -> Any:
    """The figures for people, and what refused."""
    from rich.console import Group

    sharpe, closed, unseen = summary["sharpe"], summary["outcomes"]["closed"], summary["outcomes"]["unresolved"]
    rows = [
        ("period", f"{summary['start']} to {summary['end']}" + ("  SYNTHETIC" if summary["synthetic"] else "")),
        ("symbols", ", ".join(summary["symbols"])),
        *([("left out, no bars", ", ".join(summary["missing_symbols"]))] if summary["missing_symbols"] else []),
        ("events", f"{summary['events']:,} ({summary['bars']:,} bars, {summary['documents']:,} documents)"),
        ("decisions", f"{summary['judged']:,} judged, {summary['decisions']:,} written, {summary['entries']} entered"),
        ("orders, fills, trades", f"{summary['orders']}, {summary['fills']}, {summary['trades']}"),
        ("net P&L", f"{summary['net_pnl_usd']:,.2f} USD"),
        ("of which", f"fees {-summary['fees_usd']:,.2f} USD, funding {summary['funding_usd']:+,.2f} USD"),
        ("turnover", f"{summary['turnover_usd']:,.0f} USD"),
        ("hold the same, unlevered", f"{summary['hold_pnl_usd']:,.2f} USD"),
        ("max drawdown", f"{summary['max_drawdown']:.4%}"),
        ("sharpe", _with_interval(sharpe)),
        ("win rate", _with_interval(summary["win_rate"])),
        ("gap closed", _with_interval(closed) + f" on {closed['n_days']} days, {unseen} unresolved"),
        ("against random entries", _percentile(summary)),
        ("degraded", "-" if summary["degraded_share"] is None else f"{summary['degraded_share']:.3%} of judgements"),
        ("first warm", ", ".join(f"{name} {at or 'never'}" for name, at in summary["first_warm"].items())),
        ("params, decisions", f"{summary['params_hash']}, {summary['decisions_hash'][:16]}"),
        ("code", summary["code_revision"]),
        ("speed", f"{summary['cpu_events_per_s'] or 0:,.0f} events a CPU second"),
        ("folder", folder),
    ]  # fmt: skip
    refused = sorted(((n, name) for name, n in summary["refusals"].items() if n), reverse=True)
    return Group(
        grid(("figure", "value"), rows, title=f"replay of {summary['agent']}"),
        grid(("refused by", "times"), [(name, n) for n, name in refused]),
    )


def _with_interval(one: dict[str, Any]) -> str:
    if one["value"] is None:
        return f"insufficient (n = {one['n']})"
    return f"{one['value']:.2f} [{one['ci95'][0]:.2f}, {one['ci95'][1]:.2f}], n = {one['n']}"


def _percentile(summary: dict[str, Any]) -> str:
    if summary["random_entry_percentile"] is None:
        return str(summary["random_entry"]["reason"])
    luck = summary["random_entry"]
    where = f"{luck['draws']} at hours with evidence"
    return f"percentile {luck['percentile']:.1f} of {where} (mean {luck['mean_usd']:,.2f} USD)"
