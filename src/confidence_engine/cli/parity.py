"""`confidence parity`: what a run did against what a replay of its period does, each difference with its one cause."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from confidence_engine.cli.show import Json, emit, grid, home, note

if TYPE_CHECKING:
    from confidence_engine.config import Config
    from confidence_engine.drivers.epochs import Epoch
    from confidence_engine.drivers.parity import Parity
    from confidence_engine.drivers.sources import Sources
    from confidence_engine.feeds.store import Store
    from confidence_engine.journal.reader import Place

__all__ = ["parity"]

LATEST = "latest"


def parity(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(help="An agent of the home, or latest: the one that wrote last.")] = LATEST,
    config: Annotated[
        Path | None, typer.Argument(help="Replay with this config; default: the one that the run recorded.")
    ] = None,
    show: Annotated[int, typer.Option(min=0, help="How many differences to tell; 0 for all.")] = 10,
    as_json: Json = False,
) -> None:
    """Compare a run with a replay of its period from the store; exit code 1 where a difference is unexplained."""
    from confidence_engine.cli.readers import reader_for
    from confidence_engine.cli.warm import compile_kernel, told_when_slow
    from confidence_engine.config import load
    from confidence_engine.drivers.parity import parity as compare
    from confidence_engine.report.parity import parity_payload

    place = _place(ctx, run)
    given = None if config is None else load(config)
    compile_kernel()
    with told_when_slow(f"replaying what {place.name} lived through, cause by cause", "replaying"):
        found = compare(
            place, lambda made, epoch, end_ns: _sources(ctx, place, made, epoch, end_ns),
            lambda made: reader_for(made.text.backend, made.text.model, home(ctx)), given,
        )  # fmt: skip
    payload = parity_payload(found, show)
    emit(as_json, payload, lambda: _page(found, payload, show))
    if found.unexplained:
        raise typer.Exit(1)


def _place(ctx: typer.Context, run: str) -> Place:
    """The journal that is meant. Raises DataMissing where there is none."""
    from confidence_engine.cli.operator import places_of
    from confidence_engine.domain.errors import DataMissing

    places = places_of(ctx, None if run == LATEST else run)
    if not places:
        raise DataMissing(f"{home(ctx)} has no agents; `confidence paper` makes one")
    return max(places, key=_wrote)


def _wrote(place: Place) -> int:
    """When its journal was last committed to, ns; 0 where it was never begun."""
    from confidence_engine.domain.errors import DataMissing
    from confidence_engine.journal.reader import Reader

    try:
        reader = Reader(place)
    except DataMissing:
        return 0
    try:
        return reader.last().committed_ns
    finally:
        reader.close()


def _sources(ctx: typer.Context, place: Place, config: Config, epoch: Epoch, end_ns: int) -> Sources:
    """What a replay of the period is made from: the store's rows, or the world that fed the run, made again."""
    from confidence_engine.feeds.store import Store

    told = epoch.feed
    if told.get("feed") == "world":
        return _remade(place, config, told)
    return _stored(Store(home(ctx)), config, epoch, end_ns)


def _stored(store: Store, config: Config, epoch: Epoch, end_ns: int) -> Sources:
    from confidence_engine.domain.instrument import calendars_of
    from confidence_engine.drivers.sources import gather
    from confidence_engine.feeds.calendar import sessions

    load_ns, start_ns = epoch.window.load_ns, epoch.window.start_ns
    if epoch.sealed is not None:  # it may have ended before its first bar
        start_ns = load_ns
    known = {one.key for one in config.universe.instruments}
    symbols = [one.symbol for one in epoch.instruments if one.key in known]
    found = gather(config, store, start_ns, end_ns, symbols, load_ns)
    for name in found.missing:
        note(f"no bars of {name} are stored for the period any more; all of its bars count as never stored")
    hours = {
        name: sessions(name, load_ns, end_ns, config.agent.interval_ns) for name in calendars_of(epoch.instruments)
    }
    return found._replace(sessions=hours)


def _remade(place: Place, config: Config, told: dict[str, Any]) -> Sources:
    from confidence_engine.config.recorded import recorded_world
    from confidence_engine.config.world import made
    from confidence_engine.drivers.sources import of_world

    note("SIMULATED: the world that fed the run, made again from what its journal says of it")
    world = made(recorded_world(told["world"], int(told["start_ns"]), place.folder), int(told["seed"]))
    found = of_world(config, world)
    return found if "news" in config.agent.evidence else found._replace(documents=[])


def _page(found: Parity, payload: dict[str, Any], show: int) -> Any:
    from rich.console import Group
    from rich.text import Text

    from confidence_engine.report.parity import difference_line, left_line

    made = "  SYNTHETIC" if found.synthetic else ""
    title = f"{found.name} against a replay of {payload['start']} to {payload['end']}{made}"
    header = ("cause", "came so", "decisions", "in numbers only", "trades", "in numbers only")
    parts: list[Any] = [title]
    if payload["causes"]:
        parts.append(grid(header, [tuple(one.values()) for one in payload["causes"]]))
    by_act = sorted(found.differing, key=lambda one: (one.cause != "unexplained", not one.acts, one.ts_ns, one.asset))
    parts += [Text(difference_line(one, found.instruments)) for one in (by_act[:show] if show else by_act)]
    if show and len(by_act) > show:
        parts.append(f"... and {len(by_act) - show:,} more; --show 0 tells all")
    told = payload["epochs_compared"] if not found.left_out else f"{payload['epochs_compared']} of {found.epochs}"
    epochs = f" in {told} epochs" if found.epochs > 1 else ""
    total = (
        f"{found.decisions:,} decisions, {found.trades:,} trades compared{epochs}; {len(found.differing):,} differ; "
        f"{found.unexplained:,} unexplained"
    )
    same = f"\nequal: decisions {found.run_hash[:16]}" if found.equal else ""
    return Group(*parts, "", total + same, *(Text(left_line(one)) for one in found.left_out))
