"""`confidence shadow`: step what is written again and say whether every byte comes out as it stands there."""

from __future__ import annotations

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
    """Sequences of the first event of a day and of the first after it."""
    from confidence_engine.domain.errors import DataMissing
    from confidence_engine.domain.units import DAY_NS, parse_time
    from confidence_engine.journal.reader import Reader

    begin = parse_time(day) // DAY_NS * DAY_NS
    reader, at = Reader(place), 0
    first = last = None
    try:
        for events in reader.events():
            known: Any = events["ts_known"]
            inside = (known >= begin) & (known < begin + DAY_NS)
            if inside.any():
                first = at + int(inside.argmax()) if first is None else first
                last = at + len(known) - int(inside[::-1].argmax())
            at += len(events)
    finally:
        reader.close()
    if first is None or last is None:
        raise DataMissing(f"{place.folder}: nothing was known on {day}")
    return first, last


def told_shadow(found: Shadowed) -> dict[str, Any]:
    """What machines are told of a shadow."""
    told = found._asdict() | {"equal": found.equal}
    told["difference"] = None if found.difference is None else found.difference._asdict()
    return told


def shadow_line(found: Shadowed) -> str:
    """What people are told of it."""
    if found.equal:
        deep = ", documents read and bars built again" if found.deep else ""
        return (
            f"shadow of {found.name}: equal{deep}: {found.events:,} events, {found.rows:,} rows, {found.sealed} sealed "
            f"states; decisions {found.decisions_hash[:16]}, state {found.state_hash[:16]}"
        )
    return f"shadow of {found.name}: DIFFERENT at {found.difference}\n  likely cause: {found.cause}"
