"""`confidence study`: what the price does after a story, per source, class and polarity, before any rule of ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from confidence_engine.cli.show import Json, basis, emit, grid, home, note, note_covered, told_period, told_symbols

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from confidence_engine.evaluate.study import Cell, Market, Study

__all__ = ["study"]


def study(
    ctx: typer.Context,
    config: Annotated[Path, typer.Argument(help="Config file, as config/futures.toml.")],
    start: Annotated[str, typer.Option(help="First moment of the period, as 2023-01-01.")],
    end: Annotated[str, typer.Option(help="First moment after it.")],
    symbols: Annotated[
        str | None, typer.Option(help="Only these, as BTC/USDT,ETH/USDT; default: the config's.")
    ] = None,
    horizons: Annotated[
        str | None, typer.Option(help="As -6h,1h,1d (below zero: before the story); default: by the bars' length.")
    ] = None,
    draws: Annotated[int, typer.Option(min=50, max=20_000, help="Times that the stories are moved by lot.")] = 500,
    out: Annotated[Path | None, typer.Option(help="Draw the curves to this file, a picture that ends in .png.")] = None,
    as_json: Json = False,
) -> None:
    """Show the mean move after a story with its interval and the band of chance."""
    import msgspec

    from confidence_engine.cli.readers import reader_for
    from confidence_engine.cli.warm import told_when_slow
    from confidence_engine.config import load
    from confidence_engine.domain.instrument import CLASSES
    from confidence_engine.drivers import replay as driver
    from confidence_engine.drivers.sources import gather_covered
    from confidence_engine.evaluate import study as evaluate
    from confidence_engine.feeds.store import Store
    from confidence_engine.report.curves import study_chart

    if out is not None:
        _refuse_picture(out)
    loaded, store = load(config), Store(home(ctx))
    start_ns, end_ns = told_period(start, end)
    step = loaded.agent.interval_ns
    wanted = evaluate.default_horizons(step) if horizons is None else _horizons(horizons, step)
    chosen = told_symbols(symbols)
    with told_when_slow("gathering stored rows and headlines", "gathering"):
        sources, first_ns, last_ns = gather_covered(loaded, store, start_ns, end_ns, chosen)
    note_covered(sources, (start_ns, end_ns), (first_ns, last_ns), "studied")
    markets = evaluate.markets_of(loaded, sources)
    if horizons is not None:
        _refuse_beyond(wanted, markets, step)
    with told_when_slow(f"reading {len(sources.documents):,} headlines", "reading"):
        reader = reader_for(loaded.text.backend, loaded.text.model, store.folder)
        readings = driver.read(loaded, sources, reader)
    stories = evaluate.told_stories(loaded, sources, readings)
    stories = stories[(stories["known_ns"] >= first_ns) & (stories["known_ns"] < last_ns)]
    found = evaluate.study(stories, markets, wanted, readings.publishers, CLASSES, draws)
    on = basis(loaded, sources, first_ns, last_ns)
    if out is not None:
        study_chart(found, step, out, _title(on))
        note(f"the curves are drawn in {out}")
    emit(as_json, msgspec.to_builtins(found) | {"interval_ns": step} | on, lambda: _page(found, step))


def _title(on: dict[str, Any]) -> str:
    made = "SIMULATED: " if on["synthetic"] else ""
    return f"{made}move after a story, {on['agent']}\n{on['start']} to {on['end']}"


def _refuse_picture(out: Path) -> None:
    """Raise UsageError where no picture can be written to `out`, before minutes are spent on its curves."""
    from confidence_engine.domain.errors import UsageError

    if out.is_dir():
        raise UsageError(f"--out {out} is a folder; name a file in it, as {out / 'curves.png'}")
    if out.suffix.lower() != ".png":
        raise UsageError(f"--out {out}: the curves are drawn as PNG; name a file that ends in .png")
    above = next(one for one in out.absolute().parents if one.exists())
    if not above.is_dir():
        raise UsageError(f"--out {out}: {above} is no folder")


def _refuse_beyond(horizons: Sequence[int], markets: Mapping[int, Market], step_ns: int) -> None:
    """Raise UsageError for a horizon in bars that is longer than all the bars there are."""
    from confidence_engine.domain.errors import UsageError
    from confidence_engine.domain.units import format_interval
    from confidence_engine.evaluate.study import longest
    from confidence_engine.report.curves import horizon_name

    most = longest(markets)
    for one in horizons:
        if abs(one) > most:
            raise UsageError(
                f"--horizons: {horizon_name(one, step_ns)} is longer than the stored bars, {most:,} of "
                f"{format_interval(step_ns)}, the warm-up among them"
            )


def _horizons(text: str, step_ns: int) -> tuple[int, ...]:
    """Horizons in bars. Raises UsageError for one that is no whole number of bars, or none."""
    from confidence_engine.domain.errors import UsageError
    from confidence_engine.domain.units import format_interval, parse_duration

    found = []
    for word in (one.strip() for one in text.split(",")):
        span = parse_duration(word.removeprefix("-"))
        if span < step_ns or span % step_ns:
            raise UsageError(f"--horizons: {word!r} is not a whole number of {format_interval(step_ns)} bars")
        found.append(-(span // step_ns) if word.startswith("-") else span // step_ns)
    return tuple(sorted(set(found)))


def _page(found: Study, step_ns: int) -> Any:
    from rich.console import Group

    from confidence_engine.report.curves import horizon_name

    names = [horizon_name(h, step_ns) for h in found.horizons]
    rows = [(name, max(cell.n for cell in cells), *map(_cell, cells)) for name, cells in found.groups.items()]
    beyond = [
        f"{name} {horizon_name(cell.horizon, step_ns)}: {cell.mean:+.3f}, p {cell.p_adjusted:.3f}"
        for name, cells in found.groups.items()
        for cell in cells
        if cell.p_adjusted is not None and cell.p_adjusted < 0.05
    ]
    small = ", ".join(f"{name} {count}" for name, count in found.small.items())
    return Group(
        grid(("group", "stories", *names), rows, title=f"mean signed move in sigma, {found.draws} draws of chance"),
        "* outside the middle 95 % of chance; ** still so after adjusting for every cell of this table (p < .05)",
        "beyond chance: " + ("; ".join(beyond) if beyond else "nothing"),
        *([f"too few stories for a curve: {small}"] if small else []),
    )


def _cell(cell: Cell) -> str:
    """Mean and half-width, with stars where it lies beyond chance."""
    if cell.mean is None or cell.ci95 is None or cell.null95 is None or cell.p_adjusted is None:
        return "-"
    outside = not cell.null95[0] <= cell.mean <= cell.null95[1]
    stars = "**" if cell.p_adjusted < 0.05 else "*" if outside else ""
    return f"{cell.mean:+.2f}{stars}\n±{cell.ci95[1] - cell.mean:.2f}"
