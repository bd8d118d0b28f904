"""`confidence audit`: does any decision know more than could be known when it was made? Exit 1 on any leak."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from confidence_engine.cli.show import Json, emit, grid, home, note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confidence_engine.config import Config
    from confidence_engine.evaluate.leaks import Scene
    from confidence_engine.evaluate.leaks.mutants import Verdict

__all__ = ["audit"]

STORE, BUNDLED = "store", "bundled"
MOMENTS: Final = {STORE: 50, BUNDLED: 12}
"""Moments at which everything is made again from raw rows, where nothing else is said."""


def audit(
    ctx: typer.Context,
    config: Annotated[Path, typer.Argument(help="Config file, as config/futures.toml.")],
    data: Annotated[
        str | None, typer.Option(help="store or bundled (a small simulated world); default: the store if it has bars.")
    ] = None,
    mutants: Annotated[
        bool, typer.Option("--mutants", help="Plant the leaks of tests/mutants, each to be caught; in a checkout.")
    ] = False,
    moments: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, help="Moments for which everything is made again; default 50 or 12."),
    ] = None,
    cuts: Annotated[int, typer.Option(min=1, max=10_000_000, help="Cuts of the kernel alone.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Another seed is another future and other moments.")] = 1,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Planted leaks that are tried at a time.")] = 2,
    as_json: Json = False,
) -> None:
    """Look for decisions that knew more than could be known when they were made."""
    from confidence_engine.cli.warm import compile_kernel
    from confidence_engine.config import load
    from confidence_engine.evaluate.leaks import Scope
    from confidence_engine.evaluate.leaks import audit as run
    from confidence_engine.evaluate.leaks.mutants import checkout, planted

    if data not in (None, STORE, BUNDLED):
        from confidence_engine.domain.errors import UsageError

        raise UsageError(f"--data is store or bundled, not {data!r}")
    hidden = planted(checkout()) if mutants else None
    loaded = load(config)
    source, scene = _scene(loaded, home(ctx), data)
    compile_kernel()
    scope = Scope(moments or MOMENTS[source], cuts, 40, seed)
    found = run(scene, lambda: _reader(scene.config), scope, note)
    verdicts, alarms = _planted(hidden or (), workers)
    payload: dict[str, Any] = {
        "agent": loaded.agent.name,
        "config": config.name,
        "params_hash": loaded.hash,
        "data": source,
    }
    payload |= {"synthetic": scene.synthetic} | found
    payload["mutants"] = None if hidden is None else _told(verdicts, alarms)
    emit(as_json, payload, lambda: _page(payload))
    if found["leaks"] or any(not one.caught for one in verdicts) or any(one.caught for one in alarms):
        raise typer.Exit(1)


def _scene(config: Config, folder: Path, data: str | None) -> tuple[str, Scene]:
    """(store or bundled, what is audited). Raises DataMissing where there is a store, or should be, and it has nothing
    of this config: an audit of made-up rows would pass for one of the store."""
    from confidence_engine.domain.errors import DataMissing
    from confidence_engine.domain.units import format_interval
    from confidence_engine.evaluate.leaks import bundled, stored
    from confidence_engine.feeds.store import Store

    store = Store(folder)
    scene = stored(config, store) if data != BUNDLED else None
    if scene is not None:
        return STORE, scene
    if data == STORE or (data is None and store.listing()):
        symbols = ", ".join(one.symbol for one in config.instruments())
        wanted = f"{format_interval(config.agent.interval_ns)} bars of {symbols} at {config.agent.venue}"
        raise DataMissing(f"{folder} holds no {wanted} ({config.path.name}); import some, or say --data bundled")
    note("SIMULATED: the bundled world, made on the spot, under this config's parameters")
    return BUNDLED, bundled(config)


def _reader(config: Config) -> Any:
    """A reader without anything kept from before."""
    from confidence_engine.cli.readers import reader_for

    return reader_for(config.text.backend, config.text.model)


def _planted(hidden: Sequence[Any], workers: int) -> tuple[list[Verdict], list[Verdict]]:
    from confidence_engine.evaluate.leaks.mutants import try_out
    from confidence_engine.evaluate.leaks.probe import PROBED

    named = {one.check for one in hidden}
    return try_out(hidden, [one for one in PROBED if one in named], workers, note) if hidden else ([], [])


def _told(verdicts: Sequence[Verdict], alarms: Sequence[Verdict]) -> dict[str, Any]:
    """The planted leaks in numbers and one by one; false alarms on the source as it is."""
    missed = [one.mutant for one in verdicts if not one.caught]
    return {
        "planted": len(verdicts), "caught": len(verdicts) - len(missed), "missed": len(missed), "missed_names": missed,
        "false_alarms": [one.check for one in alarms if one.caught], "each": [one._asdict() for one in verdicts],
    }  # fmt: skip


def _page(told: dict[str, Any]) -> Any:
    from rich.console import Group
    from rich.text import Text

    made = "a SIMULATED world" if told["synthetic"] else "recorded rows"
    rows = [(one["name"], one["what"], one["n"], one["leaks"], one["seconds"]) for one in told["checks"]]
    title = f"leak audit of {told['config']} on {made}, {told['start']} to {told['end']}"
    parts: list[Any] = [grid(("check", "holds that", "n", "leaks", "s"), rows, title=title)]
    if told["moments_without_bars"]:
        parts.append(f"{told['moments_without_bars']} moments without a bar before them were passed over for others")
    parts += [f"LEAK  {one['name']}: {text}" for one in told["checks"] for text in one["examples"]]
    if told["synthetic"]:
        parts.append("what was learnt from data is not held against simulated texts: they stood in no training set")
    parts.append(_learnt(told["learnt"]))
    parts.append(_startup(told["startup"]))
    if told["mutants"] is not None:
        parts += _mutants(told["mutants"])
    parts += ["", "what none of this can see:", *(f"  * {one}" for one in told["blind_spots"])]
    total = told["leaks"]
    parts += ["", f"{total:,} leaks" if total else "no leak found"]
    return Group(*(Text(one) if isinstance(one, str) else one for one in parts))  # [sim] is a section and no markup


def _learnt(rows: Sequence[dict[str, Any]]) -> Any:
    header = ("learnt from data", "until", "decisions before that", "basis")
    return grid(header, [(r["name"], r["trained_until"] or "not said", r["served_earlier"], r["basis"]) for r in rows])


def _startup(found: dict[str, Any]) -> Any:
    from rich.console import Group

    header = ("warm-up", "decisions", "gates or side differ", "share", "size differs", "entries")
    keys = ("warmup", "decisions", "acts_differ", "share", "sizes_differ", "entries")
    rows = [[one[key] for key in keys] for one in found["lengths"]]
    enough = found["enough"] or "longer than any tried"
    told = f"decisions stop changing at a warm-up of: {enough} (configured: {found['configured']}"
    if not found["reached"]:
        told += f", which is longer than the {rows[-1][0]} that there is history for" if rows else ""
    return Group(
        grid(header, rows, title=f"start-up: {found['decided']} decided after warm-ups of several lengths"), told + ")"
    )


def _mutants(found: dict[str, Any]) -> list[Any]:
    rows = [(one["mutant"], one["check"], "caught" if one["caught"] else "MISSED", one["seconds"], one["told"])
            for one in found["each"]]  # fmt: skip
    title = f"planted leaks: {found['caught']} of {found['planted']} caught"
    alarms = ", ".join(found["false_alarms"]) or "none"
    return [grid(("planted", "its check", "", "s", "seen"), rows, title=title), f"false alarms: {alarms}"]
