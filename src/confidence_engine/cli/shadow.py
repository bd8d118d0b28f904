"""`confidence shadow`: step what is written again and say whether every byte comes out as it stands there."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Annotated, Any

import typer

from confidence_engine.cli.show import Json, database, emit, home

if TYPE_CHECKING:
    from confidence_engine.config import Config
    from confidence_engine.domain.ports import Reader
    from confidence_engine.drivers.shadow import Shadowed
    from confidence_engine.journal.reader import Place

__all__ = ["shadow", "shadow_line", "told_shadow"]


def shadow(
    ctx: typer.Context,
    agent: Annotated[str | None, typer.Option(help="Only this agent; default: every one of the home.")] = None,
    run: Annotated[
        str | None, typer.Option(help="A replay that kept its journal: its name or the start of it.")
    ] = None,
    day: Annotated[str | None, typer.Option(help="Only what was known on this UTC day, as 2025-01-31.")] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also read documents and build bars again from what was delivered.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Step journals again and compare every event, decision, order, fill and state byte."""
    from confidence_engine.cli.readers import reader_for
    from confidence_engine.cli.warm import compile_kernel, told_when_slow
    from confidence_engine.drivers.shadow import shadow as step_again

    places = _places(ctx, agent, run)
    compile_kernel()

    def read_for(config: Config) -> Reader:
        return reader_for(config.text.backend, config.text.model, home(ctx))

    found = []
    for place in places:
        since, until = (0, None) if day is None else _day(place, day)
        with told_when_slow(f"stepping {place.name} again", "stepping"):
            found.append(step_again(place, read_for if deep else None, since, until))
    told = {"shadows": [told_shadow(one) for one in found], "equal": all(one.equal for one in found)}
    emit(as_json, told, lambda: "\n".join(shadow_line(one) for one in found))
    if not told["equal"]:
        raise typer.Exit(1)


def _places(ctx: typer.Context, agent: str | None, run: str | None) -> list[Place]:
    from confidence_engine.cli.operator import places_of
    from confidence_engine.domain.errors import DataMissing, UsageError
    from confidence_engine.journal.reader import place_of
    from confidence_engine.report.artefacts import find_run

    if run is not None:
        if agent is not None:
            raise UsageError("--run or --agent, not both")
        folder, summary = find_run(home(ctx), run)
        if not (folder / "journal").is_dir():
            raise DataMissing(f"{folder.name} kept no journal; make it with `confidence replay --journal`")
        return [place_of(folder, summary["agent"], database(ctx))]
    found = places_of(ctx, agent)
    if not found:
        raise DataMissing(f"{home(ctx)} has no agents; `confidence paper` makes one")
    return found


def _day(place: Place, day: str) -> tuple[int, int]:
    """Sequences of the first event of a day and of the first after it: its segment holds what was known on it."""
    from confidence_engine.domain.errors import DataMissing
    from confidence_engine.domain.units import format_time, parse_time
    from confidence_engine.journal.reader import Reader
    from confidence_engine.journal.retired import retirements

    name = format_time(parse_time(day))[:10].replace("-", "") + ".seg"
    reader = Reader(place)
    try:
        retired = list(retirements(reader))
        there = retired[-1].through_block + 1 if retired else 0
        known = itertools.takewhile(lambda one: one.segment <= name, reader.blocks(there))  # "" holds no events
        found = [one for one in known if one.segment == name]
    finally:
        reader.close()
    if not found:
        if any(name in one.segments for one in retired):
            raise DataMissing(f"{place.folder}: what was known on {day} is retired")
        raise DataMissing(f"{place.folder}: nothing was known on {day}")
    return found[0].first_event, found[-1].end_event


def told_shadow(found: Shadowed) -> dict[str, Any]:
    """What machines are told of a shadow."""
    told = found._asdict() | {"equal": found.equal}
    told["difference"] = None if found.difference is None else found.difference._asdict()
    return told


def shadow_line(found: Shadowed) -> str:
    """What people are told of it."""
    made = "  SYNTHETIC" if found.synthetic else ""
    if not found.equal:
        return f"shadow of {found.name}: DIFFERENT at {found.difference}\n  likely cause: {found.cause}"
    deep = ", documents read and bars built again" if found.deep else ""
    line = (
        f"shadow of {found.name}: equal{deep}: {found.events:,} events, {found.rows:,} rows, {found.sealed} sealed "
        f"states; decisions {found.decisions_hash[:16]}, state {found.state_hash[:16]}{made}"
    )
    if not found.passed_over:
        return line
    what = f"NOT compared are {found.passed_over:,} events, as they or the state before them are retired"
    return f"{line}\n  {what}; the first compared is event {found.first_event:,}"
