"""`confidence demo`: the whole pipeline on a small simulated world, made on the spot and said to be simulated.

A world of a seed that ends now is generated and imported into a home of its own. The two agents, hybrid (spot, long
only) and futures (perpetuals, both sides), run through it like through recorded data, write their journals and the
home's tables, and their last entry is explained. Beside them stands the same market with stories that carry no
information, drawn anew several times, because one draw says little: their mean and range are what the engine earns by
luck and loses to costs.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from confidence_engine.cli.show import Json, database, emit, grid, home, note

if TYPE_CHECKING:
    from confidence_engine.config import Config
    from confidence_engine.feeds.store import Store
    from confidence_engine.feeds.world import World

__all__ = ["demo"]

WARMUP_DAYS: Final = 15
CONTROLS: Final = 15
"""Draws of stories without information that the result is compared with."""


def demo(
    ctx: typer.Context,
    seed: Annotated[int, typer.Option(min=0, help="Another seed is another world.")] = 7,
    days: Annotated[int, typer.Option(min=WARMUP_DAYS + 5, max=400, help="Length of the world.")] = 90,
    until: Annotated[str | None, typer.Option(help="When the world ends, as 2025-04-01T00:00Z; default: now.")] = None,
    as_json: Json = False,
) -> None:
    """Run the whole pipeline on a small simulated world."""
    from confidence_engine.cli.replay import summary_table
    from confidence_engine.cli.warm import compile_kernel
    from confidence_engine.config import load
    from confidence_engine.config.simulated import write_agents
    from confidence_engine.domain.units import DAY_NS, MINUTE_NS, format_time, parse_time
    from confidence_engine.feeds.store import Store
    from confidence_engine.journal.home import server_of
    from confidence_engine.journal.projector import project

    folder = home(ctx) / "demo" if ctx.obj is None else home(ctx)
    _refuse_real(Store(folder), folder)
    note(f"SIMULATED: world of seed {seed}, {days} days. Nothing below is a real price, headline or result.")
    compile_kernel()
    ends = time.time_ns() if until is None else parse_time(until)
    end = ends // (5 * MINUTE_NS) * (5 * MINUTE_NS)
    begin = end - days * DAY_NS
    start = begin + WARMUP_DAYS * DAY_NS
    told = _world(seed, begin, days, 1.0)
    configs = [load(path) for path in write_agents(folder / "config", told.underlyings, told.ticks, WARMUP_DAYS)]
    server = server_of(folder, database(ctx))
    _make_room(folder, server, [one.agent.name for one in configs])
    store = Store(folder)
    _fill(store, told, f"world of seed {seed}, {days} days to {format_time(end)}")
    ran = [_agent(config, store, start, end, folder, server or config.journal.database or None) for config in configs]
    for other in (one.agent for one in project(folder, server) if one.gone):
        note(
            f"{other}: its journal is gone, so its rows stay as they were; `confidence journal rebuild --drop {other}`"
        )
    config, (run, summary) = configs[-1], ran[-1]
    note(f"the same prices with stories that carry no information, {CONTROLS} draws")
    mute = (_world(seed + k, begin, days, 0.0).documents for k in range(CONTROLS))
    silent = _ranges([_unstored(config, store, told._replace(documents=said), start, end) for said in mute])
    shown = _last_entry(config, store, run, begin)
    payload = {"simulated": True, "seed": seed, "replay": summary, "without_information": silent, "decision": shown}
    payload |= {"folder": run, "agents": {one["agent"]: one for _, one in ran}, "home": folder}
    tables = [summary_table(one, where) for where, one in ran] if not as_json else []
    asked = _next(folder, run, summary, server)
    emit(as_json, payload, lambda: _page(tables, summary, silent, shown, asked))


def _next(folder: Path, run: Path, summary: dict[str, Any], server: str | None) -> str:
    """What to look at now: any decision from its journal, the tables by their own tool, the proof."""
    import polars as pl

    from confidence_engine.journal.database import bare_url
    from confidence_engine.report.artefacts import read_rows

    entered = read_rows(run, "decisions").filter(pl.col("gates") == 0)
    last = int(entered["seq"][-1]) if len(entered) else 1
    question = "SELECT agent_type, AVG(signal_quality), COUNT(*) FROM signal_logs GROUP BY agent_type;"
    ask = f"psql {bare_url(server)} -c" if server else f"sqlite3 {folder}/enhanced_trading.db"
    return "\n".join([
        "the record of this run, to be asked and proved:",
        f"  confidence --home {folder} why {summary['agent']}:{last}",
        f"  confidence --home {folder} journal verify",
        f'  {ask} "{question}"',
    ])  # fmt: skip


def _agent(
    config: Config, store: Store, start_ns: int, end_ns: int, folder: Path, server: str | None
) -> tuple[Path, dict[str, Any]]:
    """One agent's run from its beginning, with its journal."""
    from confidence_engine.cli.replay import run_once
    from confidence_engine.journal.reader import place_of

    name = config.agent.name
    note(f"agent {name}")
    place = place_of(folder / "agents" / name, name, server)
    return run_once(config, store, start_ns, end_ns, None, folder / "runs", False, agent=place)


def _make_room(folder: Path, server: str | None, agents: list[str]) -> None:
    """Take away what earlier simulated selves of the agents left: their journals, then the rows told from them."""
    from confidence_engine.journal.forget import forget
    from confidence_engine.journal.projector import drop
    from confidence_engine.journal.reader import place_of

    for name in forget(*(place_of(folder / "agents" / name, name) for name in agents)):
        note(f"the journal of an earlier simulated {name} was taken away")
    drop(folder, server, agents)


def _refuse_real(store: Store, folder: Path) -> None:
    """Raises DataRefused where recorded data lives: simulated runs beside real ones would be mistaken for them."""
    from confidence_engine.domain.errors import DataRefused

    if any(not row["synthetic"] for row in store.listing()):
        raise DataRefused(f"{folder} holds recorded data; the demo needs a home of its own, another --home or none")


def _world(seed: int, begin_ns: int, days: int, information: float) -> World:
    from confidence_engine.feeds.world import generate

    return generate(seed, start_ns=begin_ns, days=days, information=information)


def _fill(store: Store, world: World, name: str) -> None:
    """Import the world like any other data; a second time changes nothing, another world takes its place."""
    from confidence_engine.config.simulated import SPOT, VENUE
    from confidence_engine.domain.units import MINUTE_NS
    from confidence_engine.feeds.store import Batch

    _clear_other(store, name)
    rows = sum(map(len, world.bars.values()))
    for venue in (VENUE, SPOT):
        key = f"{name}: bars at {venue}"
        store.add(Batch("bars", key, key, rows, venue, 5 * MINUTE_NS, rows=world.bars, synthetic=True))
    rows = sum(map(len, world.funding.values()))
    store.add(Batch("funding", name, f"{name}: funding", rows, VENUE, rows=world.funding, synthetic=True))
    store.add(Batch("news", name, f"{name}: news", len(world.documents), documents=world.documents, synthetic=True))


def _clear_other(store: Store, name: str) -> None:
    """Forget another simulated world of this home; recorded data is never touched, it was refused before."""
    from confidence_engine.feeds.manifest import Manifest, exclusive, read_manifest, write_manifest

    with exclusive(store.folder):
        held = read_manifest(store.folder)
        names = {one.name for one in held.imports.values()}
        others = sorted(one for one in names if one != name and not one.startswith(f"{name}: "))
        if others and all(one.synthetic for one in held.series.values()):
            note(f"the simulated store of this home held another world ({others[0]}); now it holds {name}")
            write_manifest(store.folder, Manifest())


def _unstored(config: Config, store: Store, world: World, start_ns: int, end_ns: int) -> dict[str, Any]:
    """The figures of a world that is not kept: the same market, stories drawn without looking at it."""
    from confidence_engine.cli.readers import reader_for
    from confidence_engine.drivers import replay as driver
    from confidence_engine.drivers.sources import of_world
    from confidence_engine.evaluate.summary import figures, summarise

    sources = of_world(config, world)
    reader = reader_for(config.text.backend, config.text.model, store.folder)
    readings = driver.read(config, sources, reader)
    window = driver.window_of(config, start_ns, end_ns)
    tape = driver.compose(config, sources, readings, window)
    result = driver.play(config, sources.instruments, tape.events)
    made = figures(config, sources, result)
    return summarise(config, sources, window, tape, result, made, f"{reader.name} {reader.version}")


def _last_entry(config: Config, store: Store, run: Path, load_ns: int) -> dict[str, Any] | None:
    """The last decision that entered, explained as of its moment; None where nothing was entered."""
    import polars as pl

    from confidence_engine.cli.readers import reader_for
    from confidence_engine.report.artefacts import read_rows
    from confidence_engine.report.moment import decide_at

    entered = read_rows(run, "decisions").filter(pl.col("gates") == 0)
    if not len(entered):
        return None
    last = entered.row(-1, named=True)
    reader = reader_for(config.text.backend, config.text.model, store.folder)
    return decide_at(config, store, last["symbol"], last["ts_ns"], reader, load_ns)


class _Figure(NamedTuple):
    """A figure over the draws that have it: how many they are, their mean, lowest and highest."""

    n: int
    mean: float | None
    lowest: float | None
    highest: float | None


def _ranges(draws: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and range of the figures that the page compares."""
    found: dict[str, Any] = {"synthetic": True, "range_of": len(draws)}
    for name in ("entries", "net_pnl_usd", "closed", "random_entry_percentile"):
        of = [one["outcomes"]["closed"]["value"] if name == "closed" else one[name] for one in draws]
        seen = [float(value) for value in of if value is not None]
        mean = sum(seen) / len(seen) if seen else None
        figure = _Figure(len(seen), mean, min(seen, default=None), max(seen, default=None))
        found[name] = figure._asdict()
    return found


def _page(
    figures: list[Any], told: dict[str, Any], mute: dict[str, Any], shown: dict[str, Any] | None, after: str
) -> Any:
    from rich.console import Group

    def spread(name: str, form: str) -> str:
        one = mute[name]
        if not one["n"]:
            return "-"
        return f"{one['mean']:{form}} ({one['lowest']:{form}} to {one['highest']:{form}})"

    closed, luck = told["outcomes"]["closed"], told["random_entry_percentile"]
    share = "-" if closed["value"] is None else f"{closed['value']:.2f} of {closed['n']}"
    at = "-" if luck is None else f"{luck:.1f}"
    header = ("stories", "entries", "net P&L, USD", "gap closed", "percentile among random entries")
    rows = [
        ("carry information", told["entries"], f"{told['net_pnl_usd']:,.2f}", share, at),
        (f"carry none (same prices): mean and range of {mute['range_of']}", spread("entries", ".0f"),
         spread("net_pnl_usd", ",.2f"), spread("closed", ".2f"), spread("random_entry_percentile", ".1f")),
    ]  # fmt: skip
    parts = ["SIMULATED world: every figure below is about made-up prices and headlines", *figures,
             grid(header, rows, title=f"does it live on the stories? ({told['agent']})")]  # fmt: skip
    if shown:
        parts += [grid(("", f"last entry, {shown['symbol']} at {shown['at']}"), [
            ("action", shown["action"]), *[("", line) for line in shown["evidence"]],
            *[("headline", f"{one['age']}: {one['title']}") for one in shown["headlines"] if one["accepted"]][:4],
        ])]  # fmt: skip
    return Group(*parts, after)
