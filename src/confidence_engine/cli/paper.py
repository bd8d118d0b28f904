"""`confidence paper`: an agent that lives on the store or on a simulated world, as fast as it is told to, on paper."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from confidence_engine.cli.show import Json, database, emit, grid, home, note

if TYPE_CHECKING:
    from confidence_engine.config import Config
    from confidence_engine.drivers.agent import Agent
    from confidence_engine.drivers.epochs import Epoch
    from confidence_engine.drivers.paper import Heard
    from confidence_engine.drivers.shadow import Shadowed
    from confidence_engine.journal.reader import Place

__all__ = ["paper", "place_of_agent"]

_TABLES_S: Final = 30.0
"""How often the home's tables are told what is new, while it runs."""


def paper(
    ctx: typer.Context,
    config: Annotated[
        Path | None, typer.Argument(help="Config file, as config/futures.toml; may be left out with --world.")
    ] = None,
    feed: Annotated[
        str | None, typer.Option(help="store: recorded data; world: a simulated world; default: world with --world.")
    ] = None,
    world: Annotated[Path | None, typer.Option(help="World file, as config/worlds/plain.toml.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Another seed is another world; 7 unless told.")] = None,
    start: Annotated[
        str | None, typer.Option(help="First moment that is decided; default: as early as can be.")
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(help="End of the feed, or of the world; default: of what is stored, or as its file says."),
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0.0, help="Times as fast as the clock on the wall; 0: as fast as can be.")
    ] = 600.0,
    plain: Annotated[bool, typer.Option("--plain", help="Log lines instead of the live view.")] = False,
    as_json: Json = False,
) -> None:
    """Run one agent on paper; run again, it goes on where it was."""
    from confidence_engine.cli.readers import reader_for
    from confidence_engine.cli.shadow import told_shadow
    from confidence_engine.cli.view import watcher
    from confidence_engine.cli.warm import compile_kernel
    from confidence_engine.drivers.paper import agent_of, feed_of, run
    from confidence_engine.drivers.pulse import Pulse
    from confidence_engine.text.kept import KeptReader

    loaded, heard, origin = _heard(ctx, config, feed, world, seed, start, end)
    compile_kernel()
    reader = reader_for(loaded.text.backend, loaded.text.model, home(ctx))
    place = place_of_agent(ctx, loaded, origin)
    agent = agent_of(place, loaded, heard, reader)
    try:
        coming, pulse = feed_of(loaded, heard, agent.intake.at_ns), Pulse(agent)
        with watcher(agent, speed, plain) as seen:
            why = run(agent, coming, speed, [seen, pulse], _beside(_tables(ctx), seen.beside, pulse.beside))
        pulse.write()
    finally:
        agent.journal.abandon()
        if isinstance(reader, KeptReader):
            reader.save()
    found = _shadowed(place)
    _tell_tables(ctx)
    payload = {"agent": loaded.agent.name, "ended": why, "equity": float(agent.state.head[0].equity)}
    payload |= {"begun": float(agent.state.head[0].start_equity)}
    payload |= {"events": int(agent.state.head[0].steps), "synthetic": heard.sources.synthetic}
    payload |= {"shadow": told_shadow(found)}
    emit(as_json, payload, lambda: _page(payload, found, agent))
    if not found.equal:
        raise typer.Exit(1)


def _heard(
    ctx: typer.Context, config: Path | None, feed: str | None, world: Path | None, seed: int | None, start: str | None,
    end: str | None,
) -> tuple[Config, Heard, str]:  # fmt: skip
    """(config, what feeds it, the agent's name)."""
    from confidence_engine.domain.errors import UsageError

    if feed not in (None, "store", "world"):
        raise UsageError(f"--feed is store or world, not {feed!r}")
    if feed == "world" or (feed is None and world is not None):
        return _simulated(ctx, config, world, 7 if seed is None else seed, start, end)
    if world is not None:
        raise UsageError("--feed store has no --world; leave one of them out")
    if seed is not None:
        raise UsageError("--seed is a world's; there is no --world")
    if config is None:
        raise UsageError("wanted CONFIG, or --world FILE")
    return _stored(ctx, config, start, end)


def _simulated(
    ctx: typer.Context, config: Path | None, world: Path | None, seed: int, start: str | None, end: str | None
) -> tuple[Config, Heard, str]:  # fmt: skip
    from confidence_engine.cli.warm import told_when_slow
    from confidence_engine.config import load
    from confidence_engine.domain.errors import UsageError
    from confidence_engine.domain.units import parse_time
    from confidence_engine.drivers.paper import Heard
    from confidence_engine.drivers.simulation import begin_of, folder_of, simulate

    if world is None:
        raise UsageError("--feed world wants --world FILE, as config/worlds/plain.toml")
    if start is not None:
        raise UsageError("a world brings its own period; leave --start out")
    note(f"SIMULATED: world {world.name} of seed {seed}. Nothing below is a real price, headline or result.")
    with told_when_slow("making the world", "making"):
        begin = None if end is None else begin_of(world, parse_time(end))
        made = simulate(world, seed, folder_of(home(ctx), world, seed, config), config, begin)
    told = {"feed": "world", "seed": seed, "world": made.file.tree(), "start_ns": made.file.start_ns}
    name = made.config.agent.name if config is None else load(config).agent.name
    return made.config, Heard(made.sources, made.window, told, made.file.faults, seed), name


def _stored(ctx: typer.Context, config: Path, start: str | None, end: str | None) -> tuple[Config, Heard, str]:
    from confidence_engine.config import load
    from confidence_engine.domain.errors import UsageError
    from confidence_engine.domain.units import parse_time
    from confidence_engine.drivers.paper import Heard, held_epoch
    from confidence_engine.drivers.replay import window_of
    from confidence_engine.drivers.sources import covered, gather
    from confidence_engine.feeds.store import Store

    loaded, store = load(config), Store(home(ctx))
    if loaded.agent.real_money:
        raise UsageError(f"{config}: the agent {loaded.agent.name} trades real money; paper is not for it")
    held = held_epoch(place_of_agent(ctx, loaded, loaded.agent.name))
    symbols = _with_held(loaded, held)
    if held is not None and held.feed.get("feed") == "store":  # it goes on with what it began with
        start_ns = int(held.params["start_ns"])
        if start is not None and parse_time(start) != start_ns:
            raise UsageError(f"{loaded.agent.name} decides since {held.params['start']}; leave --start out to go on")
    else:
        everything = gather(loaded, store, 0, 1 << 62, load_ns=0, run="paper")
        first_ns, _ = covered(everything, 0, 1 << 62)
        start_ns = parse_time(start) if start is not None else first_ns + loaded.agent.warmup_ns
    end_ns = parse_time(end) if end is not None else 1 << 62
    sources = gather(loaded, store, start_ns, end_ns, symbols, run="paper")
    _, last_ns = covered(sources, start_ns, end_ns)
    told = {"feed": "store", "synthetic": sources.synthetic}
    return loaded, Heard(sources, window_of(loaded, start_ns, last_ns), told), loaded.agent.name


def _with_held(config: Config, held: Epoch | None) -> list[str]:
    """What the config trades, and what the agent knows from before: a position in it still has to be left."""
    mine = {one.key for one in config.instruments()}
    known = {one.key for one in config.universe.instruments}
    before = [] if held is None else [one for one in held.instruments if one.key not in mine]
    for one in before:
        if one.key not in known:
            note(f"{one.key} is no longer in the universe: nothing more is heard of it")
    return [*config.agent.symbols, *(one.key for one in before if one.key in known)]


def place_of_agent(ctx: typer.Context, config: Config, name: str) -> Place:
    """Where the journal of an agent of the home is, or will be. Raises UsageError where two servers are meant."""
    from confidence_engine.domain.errors import UsageError
    from confidence_engine.journal.database import bare_url, same_server
    from confidence_engine.journal.home import server_of
    from confidence_engine.journal.reader import place_of

    server, own = server_of(home(ctx), database(ctx)), config.journal.database
    if server and own and not same_server(server, own):
        what = f"[journal] database is {bare_url(own)}, and this home's is {bare_url(server)}"
        raise UsageError(f"{config.path}: {what}; leave it out, or name the same one")
    return place_of(home(ctx) / "agents" / name, name, server or own or None)


def _beside(*each: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """All of them at a time."""

    async def beside() -> None:
        await asyncio.gather(*(one() for one in each))

    return beside


def _tables(ctx: typer.Context) -> Callable[[], Awaitable[None]]:
    """Tells the home's tables what is new, now and then, in a thread beside the loop."""

    async def beside() -> None:
        while True:
            await asyncio.sleep(_TABLES_S)
            await asyncio.to_thread(_tell_tables, ctx)

    return beside


def _tell_tables(ctx: typer.Context) -> None:
    """The record is the journal: tables that cannot be told what is new wait, whoever's journal is the reason."""
    from confidence_engine.domain.errors import ConfidenceError
    from confidence_engine.journal.projector import project

    try:
        project(home(ctx), database(ctx))
    except (ConfidenceError, OSError) as error:
        note(f"the tables wait: {error}")


def _shadowed(place: Place) -> Shadowed:
    """The run's own shadow; one that differs is an incident, on record where the record still takes it."""
    from confidence_engine.cli.warm import told_when_slow
    from confidence_engine.domain.errors import ConfidenceError
    from confidence_engine.drivers.shadow import record_incident, shadow

    with told_when_slow("stepping the journal again", "stepping"):
        found = shadow(place)
    if not found.equal:
        try:
            record_incident(place, found)
        except ConfidenceError as error:
            note(f"the incident is not on record: {error}")
    return found


def _page(payload: dict[str, Any], found: Shadowed, agent: Agent) -> Any:
    from rich.console import Group

    from confidence_engine.cli.shadow import shadow_line

    head = agent.state.head[0]
    rows = [
        ("ended", payload["ended"] + ("  SYNTHETIC" if payload["synthetic"] else "")),
        ("equity", f"{head.equity:,.2f} USD, begun with {head.start_equity:,.2f}"),
        ("fees, funding", f"{head.fees:,.2f} USD, {head.funding:+,.2f} USD"),
        ("events", f"{payload['events']:,}"),
        ("open positions", int(head.open_positions)),
    ]
    return Group(grid(("", payload["agent"]), rows), shadow_line(found))
