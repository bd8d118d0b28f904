"""`confidence replay`: recorded bars and headlines in, decisions and simulated trades out, on disk and summed up."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from confidence_engine.cli.show import Json, emit, grid, home, note, note_covered, progress, told_period, told_symbols

if TYPE_CHECKING:
    from confidence_engine.config import Config
    from confidence_engine.drivers.scribe import Scribe
    from confidence_engine.drivers.simulation import Simulation
    from confidence_engine.drivers.sources import Sources
    from confidence_engine.feeds.assemble import Tape, Window
    from confidence_engine.feeds.store import Store
    from confidence_engine.journal.reader import Place
    from confidence_engine.text.reading import Readings

__all__ = ["play_once", "replay", "run_once", "simulated", "summary_table"]

SHOWN_WARM: Final = 10


def replay(
    ctx: typer.Context,
    config: Annotated[
        Path | None, typer.Argument(help="Config file, as config/futures.toml; may be left out with --world.")
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="First moment that is decided, as 2023-01-01 or 2023-01-01T00:00Z.")
    ] = None,
    end: Annotated[str | None, typer.Option(help="First moment that is no longer decided, written alike.")] = None,
    symbols: Annotated[
        str | None, typer.Option(help="Only these, as BTC/USDT,ETH/USDT; default: the config's.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the artefacts, new or an older run's; default HOME/runs/<id>.")
    ] = None,
    journal: Annotated[
        bool, typer.Option("--journal", help="Write the journal of the run into its folder too.")
    ] = False,
    feed: Annotated[
        str | None, typer.Option(help="store: recorded data; world: a simulated world; default: world with --world.")
    ] = None,
    world: Annotated[
        Path | None,
        typer.Option(help="Not stored data but a simulated world, as config/worlds/plain.toml."),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Another seed is another world; default 7.")] = None,
    as_json: Json = False,
) -> None:
    """Replay stored bars and news, or a simulated world, through the kernel and simulate the trades."""
    from confidence_engine.config import load
    from confidence_engine.domain.errors import UsageError
    from confidence_engine.feeds.store import Store
    from confidence_engine.report.artefacts import refuse_foreign

    _refuse_feed(feed, world)
    where = home(ctx) / "runs" if out is None else out.resolve()
    if out is not None:
        refuse_foreign(where)
    placed = where, out is not None, journal
    if world is not None:
        if not start is end is symbols is None:
            raise UsageError("--world brings its own period and symbols; leave --start, --end and --symbols out")
        folder, summary = _in_world(ctx, config, world, 7 if seed is None else seed, *placed)
    elif config is None or start is None or end is None or seed is not None:
        raise UsageError("wanted CONFIG with --start and --end, or --world FILE, alone or with --seed")
    else:
        loaded, period, chosen = load(config), told_period(start, end), told_symbols(symbols)
        folder, summary = run_once(loaded, Store(home(ctx)), period[0], period[1], chosen, *placed)
    emit(as_json, summary | {"run": folder.name, "folder": folder}, lambda: summary_table(summary, folder))


def _refuse_feed(feed: str | None, world: Path | None) -> None:
    """Raises UsageError for a feed that is none, and for one that does not go with the world."""
    from confidence_engine.domain.errors import UsageError

    if feed not in (None, "store", "world"):
        raise UsageError(f"--feed is store or world, not {feed!r}")
    if feed == "store" and world is not None:
        raise UsageError("--feed store has no --world; leave one of them out")
    if feed == "world" and world is None:
        raise UsageError("--feed world wants --world FILE, as config/worlds/plain.toml")


def _in_world(
    ctx: typer.Context, config: Path | None, world: Path, seed: int, where: Path, exact: bool, journal: bool
) -> tuple[Path, dict[str, Any]]:
    """A replay of a simulated world, whose file, seed and parameters stand in its summary."""
    from confidence_engine.feeds.store import Store

    found = simulated(ctx, config, world, seed)
    begin, end = found.window.start_ns, found.window.end_ns
    told = {"world": {"file": world.name, "seed": seed} | found.file.tree()}
    return play_once(found.config, found.sources, begin, end, Store(home(ctx)), where, exact, journal, told=told)


def simulated(ctx: typer.Context, config: Path | None, world: Path, seed: int) -> Simulation:
    """The world of a file and a seed with an agent in it; its files are written under HOME/worlds."""
    from confidence_engine.cli.warm import told_when_slow
    from confidence_engine.drivers.simulation import folder_of, simulate

    note(f"SIMULATED: world {world.name} of seed {seed}. Nothing below is a real price, headline or result.")
    with told_when_slow("making the world", "making"):
        return simulate(world, seed, folder_of(home(ctx), world, seed), config)


def run_once(
    config: Config, store: Store, start_ns: int, end_ns: int, symbols: list[str] | None, where: Path, exact: bool,
    journal: bool = False, agent: Place | None = None,
) -> tuple[Path, dict[str, Any]]:  # fmt: skip
    """One replay from the store to its folder: `where` itself if `exact`, else a folder named after the run in it.

    With `journal` the folder holds the run's journal too; with `agent` the run is that agent's, and its journal there.
    """
    from confidence_engine.cli.warm import told_when_slow
    from confidence_engine.drivers.sources import gather_covered

    with told_when_slow("gathering stored rows and headlines", "gathering"):
        sources, first_ns, last_ns = gather_covered(config, store, start_ns, end_ns, symbols)
    note_covered(sources, (start_ns, end_ns), (first_ns, last_ns), "replayed")
    return play_once(config, sources, first_ns, last_ns, store, where, exact, journal, agent)


def play_once(
    config: Config, sources: Sources, first_ns: int, last_ns: int, store: Store, where: Path, exact: bool,
    journal: bool = False, agent: Place | None = None, told: dict[str, Any] | None = None,
) -> tuple[Path, dict[str, Any]]:  # fmt: skip
    """One replay of gathered rows to its folder, as `run_once`; of the store only its kept readings are used.

    `told` stands in the summary too: what world the rows are from.
    """
    from confidence_engine.cli.readers import reader_for
    from confidence_engine.cli.warm import compile_kernel, told_when_slow
    from confidence_engine.domain.errors import DataMissing
    from confidence_engine.domain.units import format_time
    from confidence_engine.drivers import replay as driver
    from confidence_engine.evaluate.summary import figures, summarise
    from confidence_engine.report.artefacts import beside, run_id, write_run

    _note_warmup(config, sources, first_ns)
    with told_when_slow(f"reading {len(sources.documents):,} headlines", "reading"):
        reader = reader_for(config.text.backend, config.text.model, store.folder)
        readings = driver.read(config, sources, reader)
    compile_kernel()
    window = driver.window_of(config, first_ns, last_ns)
    tape = driver.compose(config, sources, readings, window)
    with contextlib.ExitStack() as kept:
        scribe = part = None
        if journal:
            part = kept.enter_context(beside(where))
        kept_at = part or agent
        if kept_at is not None:
            scribe = _scribe(config, sources, readings, tape, window, kept_at)
            kept.callback(scribe.journal.abandon)
        with progress() as bar:
            task = bar.add_task("replay", total=len(tape.events))
            moved: Callable[[int, int], None] = lambda done, _: bar.update(task, completed=done)  # noqa: E731
            keep = None if scribe is None else scribe.keep
            result = driver.play(config, sources.instruments, tape.events, moved, keep=keep)
        if len(result.equities) == 0:
            raise DataMissing(f"no decision falls between {format_time(first_ns)} and {format_time(last_ns)}")
        if scribe is not None:
            scribe.end(result, "end of the replay")
        made = figures(config, sources, result)
        summary = summarise(config, sources, window, tape, result, made, f"{reader.name} {reader.version}")
        summary |= told or {}
        folder = where if exact else where / run_id(config, window, summary)
        return write_run(folder, config, sources, window, result, made, summary, part), summary


def _scribe(
    config: Config, sources: Sources, readings: Readings, tape: Tape, window: Window, where: Path | Place
) -> Scribe:  # fmt: skip
    """Who writes the journal: an agent's at its place, or a replay's in a folder, with no room set aside there."""
    from confidence_engine.drivers.scribe import Scribe, begin
    from confidence_engine.journal.reader import place_of

    given = config, sources.instruments, tape.streams, window
    if isinstance(where, Path):
        journal = begin(place_of(where, config.agent.name), *given, "replay", sources.synthetic, reserve=0)
    else:
        full, reserve = config.journal.full, config.journal.reserve_mb << 20
        journal = begin(where, *given, "agent", sources.synthetic, full=full, reserve=reserve)
    return Scribe(journal, config, sources, readings, sealed=not isinstance(where, Path))


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

    sharpe, several = summary["sharpe"], summary["outcomes_by_horizon"]
    made = "  SYNTHETIC" if summary["synthetic"] else "  ADJUSTED PRICES" if summary["adjusted_symbols"] else ""
    rows = [
        ("period", f"{summary['start']} to {summary['end']}{made}"),
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
        *([(f"gap closed, {name}", _closed(one)) for name, one in several.items()]
          or [("gap closed", _closed(summary["outcomes"]))]),
        ("against random entries", _percentile(summary)),
        ("stories watched", _watched(summary["feedback"])),
        ("weights of sources", _weights(summary["feedback"])),
        ("degraded", "-" if summary["degraded_share"] is None else f"{summary['degraded_share']:.3%} of judgements"),
        ("first warm", _first_warm(summary["first_warm"])),
        ("params, decisions", f"{summary['params_hash']}, {summary['decisions_hash'][:16]}"),
        ("code", summary["code_revision"]),
        ("speed", f"{summary['cpu_events_per_s'] or 0:,.0f} events a CPU second"),
        ("folder", folder),
    ]  # fmt: skip
    refused = sorted(((n, name) for name, n in summary["refusals"].items() if n), reverse=True)
    return Group(
        grid(("figure", "value"), rows, title=f"replay of {summary['agent']}"),
        grid(
            ("refused by", "times", "stories", "would have won", "net return"),
            [(name, n, *_spared(summary["feedback"]["refused"].get(name))) for n, name in refused],
        ),
    )


def _closed(outcomes: dict[str, Any]) -> str:
    """Share with its interval, over how many stretches of time that may count as independent."""
    closed, block = outcomes["closed"], outcomes["block"]
    over = f"{closed['n_days']} days" if block == "1d" else f"{closed['n_days']} stretches of {block}"
    return f"{_with_interval(closed)} on {over}, {outcomes['unresolved']} unresolved"


def _first_warm(warm: dict[str, str | None]) -> str:
    """Symbols by the moment at which they were first warm, those of one moment together where they are many."""
    if len(warm) <= SHOWN_WARM:
        return ", ".join(f"{name} {at or 'never'}" for name, at in warm.items())
    moments = sorted({at or "never" for at in warm.values()})
    counts = [(sum((at or "never") == moment for at in warm.values()), moment) for moment in moments]
    return ", ".join(f"{n} at {moment}" for n, moment in counts)


def _spared(one: dict[str, Any] | None) -> tuple[str, str, str]:
    """What became of the stories that a gate refused at their first judgement."""
    if one is None:
        return "0", "-", "-"
    return f"{one['won']['n']:,}", f"{one['won']['value']:.1%}", f"{one['mean_net_return']:+.3%}"


def _watched(found: dict[str, Any]) -> str:
    cases, exits = found["cases"]["all"]["won"], found["exits"]
    left = ", ".join(f"{why} {one['n']} ({one['net_usd']:+,.2f} USD)" for why, one in exits.items())
    told = f"{_with_interval(cases)}, {found['unresolved']} unresolved, {found['dropped']} dropped"
    return f"{told}; trades left by {left}" if left else told


def _weights(found: dict[str, Any]) -> str:
    weights = ", ".join(f"{name} {one['weight']:.2f}" for name, one in found["sources"].items()) or "none heard"
    return weights + "".join(f"; trigger of {name} x {factor:.3f}" for name, factor in found["triggers"].items())


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
