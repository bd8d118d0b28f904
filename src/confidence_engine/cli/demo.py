"""`confidence demo`: what this is, in a minute, on a simulated world that ends now. No key, no network.

The two agents, hybrid (spot, long only) and futures (perpetuals, both sides), run on paper, each in a process of its
own with its own journal; the second is drawn as it runs, is killed with -9 in the middle and goes on. Meanwhile one
leak is planted and caught, and the same world is replayed beside what only its maker knows: which stories are true.
All of it is SYNTHETIC, and no figure claims an edge: beside the result stands that of a world whose stories are coins.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from confidence_engine.cli.demo_page import SHOWN
from confidence_engine.cli.show import Json, database, home, note
from confidence_engine.domain.errors import ConfidenceError, RunError

if TYPE_CHECKING:
    from confidence_engine.cli.child import Child
    from confidence_engine.drivers.pulse import Status
    from confidence_engine.drivers.simulation import Simulation
    from confidence_engine.feeds.store import Store
    from confidence_engine.journal.reader import Place

__all__ = ["demo"]

AGENTS: Final = ("hybrid", "futures")
LIVE_S = 20.0
"""Seconds that the world takes, from the first decision on, where the machine keeps up."""
KILL_FROM, KILL_BY = 0.3, 0.8
"""Share of the decided time from which it is killed once a position is open, and by which it is in any case."""
FURTHER = 2
"""Worlds of other seeds that are judged as well, for there to be cases enough."""
MUTANT: Final = "document_at_publication"
_POLL_S: Final = 0.05


class _Stage(NamedTuple):
    """Where the demonstration plays."""

    folder: Path
    world: Path
    seed: int
    end_ns: int
    server: str | None

    def config(self, name: str) -> Path:
        return self.folder / "config" / f"{name}.toml"

    def place(self, name: str) -> Place:
        from confidence_engine.journal.reader import place_of

        return place_of(self.folder / "agents" / name, name, self.server)


def demo(
    ctx: typer.Context,
    feed: Annotated[str, typer.Option(help="world: it shows nothing else.")] = "world",
    world: Annotated[
        Path | None, typer.Option(help="World file, as config/worlds/plain.toml; default: its own.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed is another world.")] = 7,
    days: Annotated[int | None, typer.Option(min=12, max=400, help="Length of the world; default: its file's.")] = None,
    until: Annotated[str | None, typer.Option(help="When the world ends, as 2025-04-01T00:00Z; default: now.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Log lines instead of the live view.")] = False,
    as_json: Json = False,
) -> None:
    """Show in a minute what this is: two agents on paper in a simulated world, one killed, all proved."""
    from confidence_engine.cli.child import stopped_like_by_hand
    from confidence_engine.cli.demo_page import told_to_people
    from confidence_engine.cli.show import emit
    from confidence_engine.cli.warm import compile_kernel
    from confidence_engine.domain.errors import UsageError

    if feed != "world":
        raise UsageError(f"--feed is world, not {feed!r}: the demo shows a simulated world; see `confidence paper`")
    began = time.monotonic()
    with stopped_like_by_hand():
        stage = _stage(ctx, world, seed, days, until)
        note(f"SIMULATED: world {stage.world.name} of seed {seed}. Nothing below is a real price, headline or result.")
        compile_kernel()
        own = _simulation(stage, seed)
        _make_room(stage)
        _read(stage, own)
        told = _run(ctx, stage, own, plain or as_json, as_json)
    told["seconds"] = round(time.monotonic() - began, 1)
    emit(as_json, told, lambda: told_to_people(told))
    if told["failed"]:
        raise typer.Exit(1)


def _stage(ctx: typer.Context, world: Path | None, seed: int, days: int | None, until: str | None) -> _Stage:
    """Refuse what has to be refused, then write the world's file and the agents' configs."""
    from confidence_engine.config.simulated import write_agents, write_demo
    from confidence_engine.config.world import load_world
    from confidence_engine.domain.units import DAY_NS, MINUTE_NS, parse_time
    from confidence_engine.drivers.simulation import begin_of
    from confidence_engine.feeds.store import Store
    from confidence_engine.feeds.world import assets, generate
    from confidence_engine.journal.home import server_of

    folder = home(ctx) / "demo" if ctx.obj is None else home(ctx)
    _refuse_real(Store(folder), folder)
    if world is not None:
        load_world(world)  # before anything is written
    ends = time.time_ns() if until is None else parse_time(until)
    end_ns = ends // (5 * MINUTE_NS) * (5 * MINUTE_NS)
    file = write_demo(folder / "config", world, days)
    shape = load_world(file, begin_of(file, end_ns)).shape
    few = generate(seed, assets(shape.assets), days=2, params=load_world(file).params)
    write_agents(folder / "config", few.underlyings, few.ticks, max(shape.warmup_ns // DAY_NS, 0))
    return _Stage(folder, file, seed, end_ns, server_of(folder, database(ctx)))


def _simulation(stage: _Stage, seed: int) -> Simulation:
    """The world of a seed with the agent that is shown in it."""
    from confidence_engine.drivers.simulation import begin_of, folder_of, simulate

    where = folder_of(stage.folder, stage.world, seed, stage.world)  # not one that an agent's process writes
    return simulate(stage.world, seed, where, stage.config(SHOWN), begin_of(stage.world, stage.end_ns))


def _read(stage: _Stage, own: Simulation) -> None:
    """Read the headlines once, for all who will want them."""
    from confidence_engine.cli.readers import reader_for
    from confidence_engine.cli.warm import told_when_slow
    from confidence_engine.drivers.replay import read
    from confidence_engine.text.kept import KeptReader

    reader = reader_for(own.config.text.backend, own.config.text.model, stage.folder)
    with told_when_slow(f"reading {len(own.world.documents):,} made-up headlines", "reading"):
        read(own.config, own.sources, reader)
    if isinstance(reader, KeptReader):
        reader.save()


def _refuse_real(store: Store, folder: Path) -> None:
    """Raises DataRefused where recorded data lives: simulated runs beside real ones would be mistaken for them."""
    from confidence_engine.domain.errors import DataRefused

    if any(not row["synthetic"] for row in store.listing()):
        raise DataRefused(f"{folder} holds recorded data; the demo needs a home of its own, another --home or none")


def _make_room(stage: _Stage) -> None:
    """Take away what earlier simulated selves of the agents left: their journals, then the rows told from them."""
    from confidence_engine.journal.forget import forget
    from confidence_engine.journal.projector import drop

    for name in forget(*(stage.place(name) for name in AGENTS)):
        note(f"the journal of an earlier simulated {name} was taken away")
    drop(stage.folder, stage.server, list(AGENTS))


def _run(ctx: typer.Context, stage: _Stage, own: Simulation, plain: bool, quiet: bool) -> dict[str, Any]:
    """Both agents to the end, and what is found out beside them."""
    from confidence_engine.cli.demo_page import gathered, write_page

    beside = _Beside(lambda: _judged(stage, own))
    shown = stage.folder / f"{SHOWN}.log" if quiet else None
    note("two agents on paper, each in a process of its own; the view is that of " + SHOWN if not plain else
         "two agents on paper, each in a process of its own")  # fmt: skip
    with contextlib.ExitStack() as running:
        children = {}
        for name in AGENTS:
            log = shown if name == SHOWN else stage.folder / f"{name}.log"
            children[name] = running.enter_context(_child(ctx, stage, own, name, plain, log))
        for name, child in children.items():
            child.start(stage.folder / f"{name}.json")
        beside.start()
        leak = _leak()
        kill = _killed(stage, own, children[SHOWN])
        answers = {name: child.answer() for name, child in children.items()}
    found = beside.found()
    told = gathered(stage, own, answers, found, leak, kill)
    write_page(stage, told)
    return told


def _child(ctx: typer.Context, stage: _Stage, own: Simulation, name: str, plain: bool, log: Path | None) -> Child:
    """An agent on paper, its log emptied."""
    from confidence_engine.cli.child import Child
    from confidence_engine.domain.units import format_time

    if log is not None:
        log.write_text("")
    speed = (own.window.end_ns - own.window.start_ns) / 1e9 / LIVE_S if LIVE_S else 0.0
    server = database(ctx)
    words = ["--home", str(stage.folder), *(["--database", server] if server else []), "paper"]
    words += [str(stage.config(name)), "--world", str(stage.world), "--seed", str(stage.seed)]
    words += ["--end", format_time(stage.end_ns), "--speed", f"{speed:.0f}", *(["--plain"] if plain else [])]
    return Child(name, words, log)


def _killed(stage: _Stage, own: Simulation, child: Child) -> dict[str, Any]:
    """Kill the process in the middle of what it decides, with a position open where one is, and start it again."""
    from confidence_engine.drivers.pulse import read_status

    place, span = stage.place(child.name), own.window.end_ns - own.window.start_ns
    while child.runs():
        last = read_status(place)
        if last is not None and last.pid == child.pid and _now(last, own, span):
            pid, answer = child.pid, stage.folder / f"{child.name}.json"
            child.kill()
            _give_back_terminal()
            note(f"kill -9 of {child.name}, process {pid}, at {last.feed_time}; it is started again")
            child.start(answer)
            held = [f"{one.symbol} {one.lots:+d} lots" for one in last.positions]
            return {"done": True, "pid": pid, "again": child.pid, "at": last.feed_time, "held": held}
        time.sleep(_POLL_S)
    return {"done": False, "pid": child.pid, "again": None, "at": None, "held": []}


def _now(last: Status, own: Simulation, span_ns: int) -> bool:
    from confidence_engine.domain.units import parse_time

    if last.feed_time is None:
        return False
    share = (parse_time(last.feed_time) - own.window.start_ns) / span_ns
    return share >= KILL_BY or (share >= KILL_FROM and bool(last.positions))


def _give_back_terminal() -> None:
    """Who is killed while it draws cannot show the cursor again."""
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[?25h\n")
        sys.stderr.flush()


def _leak() -> dict[str, Any]:
    """Plant one leak and let its check look for it; in an installed package there is nothing to plant."""
    from confidence_engine.domain.errors import UsageError
    from confidence_engine.evaluate.leaks.mutants import checkout, planted, try_out

    try:
        folder = checkout()
    except UsageError:
        told = "not done: leaks are planted in a checkout of the source, by `confidence audit CONFIG --mutants`"
        return {"planted": False, "caught": None, "told": told}
    mutant = next(one for one in planted(folder) if one.name == MUTANT)
    verdicts, _ = try_out([mutant], (), 1, lambda _: None)
    one = verdicts[0]
    seen = f"caught by the check {one.check!r}: {one.told}" if one.caught else f"MISSED: {one.told}"
    told = f'planted "{mutant.says}" into a copy of the source; {seen}'
    return {"planted": True, "caught": one.caught, "mutant": one.mutant, "check": one.check, "told": told}


def _judged(stage: _Stage, own: Simulation) -> dict[str, Any]:
    """The confidence in this world and further ones, and where stories are coins."""
    from confidence_engine.cli.readers import reader_for
    from confidence_engine.evaluate.truth import beside_truth, muted

    reader = reader_for(own.config.text.backend, own.config.text.model, stage.folder)
    null = beside_truth([muted(own)], reader, ask=False)

    def worlds() -> Iterator[Simulation]:
        yield own
        for k in range(FURTHER):
            yield _simulation(stage, stage.seed + 1 + k)

    return {"truth": beside_truth(worlds(), reader), "without_information": null}


class _Beside:
    """Work in a thread that nobody waits for where the demonstration is stopped."""

    def __init__(self, work: Callable[[], dict[str, Any]]) -> None:
        self._work = work
        self._made: dict[str, Any] | None = None
        self._broke: Exception | None = None
        self._thread = threading.Thread(target=self._go, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _go(self) -> None:
        try:
            self._made = self._work()
        except (ConfidenceError, OSError) as error:  # told to whoever asks; anything else is shown by its thread
            self._broke = error

    def found(self) -> dict[str, Any]:
        """What came of it. Raises what it raised."""
        while self._thread.is_alive():  # in steps, so that Ctrl-C is heard
            self._thread.join(0.2)
        if self._broke is not None:
            raise self._broke
        if self._made is None:
            raise RunError("the comparison with the truth broke off")
        return self._made
