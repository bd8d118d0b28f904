"""`confidence journal rebuild`: the tables of this home, told anew from its agents' journals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from confidence_engine.cli.show import Json, database, emit, grid, home, note

__all__ = ["rebuild"]


def rebuild(
    ctx: typer.Context,
    drop: Annotated[list[str] | None, typer.Option(help="Delete the rows of an agent whose journal is gone.")] = None,
    unchecked: Annotated[bool, typer.Option("--unchecked", help="Tell the journals without checking them.")] = False,
    as_json: Json = False,
) -> None:
    """Check every agent's journal and tell the tables anew from them; the journals are not touched."""
    from confidence_engine.cli.warm import told_when_slow
    from confidence_engine.domain.errors import DataMissing
    from confidence_engine.journal import projector
    from confidence_engine.journal.home import server_of
    from confidence_engine.journal.tables import TABLES_FILE

    if not (home(ctx) / "agents").is_dir():
        raise DataMissing(f"{home(ctx)} has no agents; `confidence demo` makes two, in a home of their own")
    before = server_of(home(ctx))
    if not unchecked:
        with told_when_slow("checking the journals", "checking"):
            _check(home(ctx))
    if drop:
        for name in projector.drop(home(ctx), database(ctx), drop):
            note(f"{name}: its rows were dropped")
    with told_when_slow("telling the journals anew", "telling"):
        found = projector.rebuild(home(ctx), database(ctx))
    server, told = server_of(home(ctx)), [one for one in found if not one.gone]
    if before != server:
        note(f"the tables of this home are now in {server}; what {before or 'its file'} holds is not kept up any more")
    for one in found:
        if one.gone:
            note(f"{one.agent}: its journal is gone, so its rows stay as they were; --drop {one.agent} deletes them")
    payload: dict[str, Any] = {
        "tables": server or home(ctx) / TABLES_FILE,
        "agents": [{"agent": one.agent, "records": one.records} for one in told],
        "gone": [one.agent for one in found if one.gone],
    }
    rows = [(one.agent, f"{one.records:,}") for one in told]
    emit(as_json, payload, lambda: grid(("agent", "records"), rows, title="told anew"))
    if payload["gone"]:
        raise typer.Exit(DataMissing.exit_code)


def _check(home: Path) -> None:
    """Raises JournalDamaged for the first journal that has a fault: its tables would say what it never said."""
    from confidence_engine.domain.errors import DataMissing, JournalDamaged
    from confidence_engine.journal.reader import place_of
    from confidence_engine.journal.verify import verify

    for folder in sorted((home / "agents").glob("*/journal")):
        try:
            found = verify(place_of(folder.parent, folder.parent.name))
        except DataMissing:  # begun, and never more
            continue
        if not found.sound:
            first = found.faults[0]
            told = "; see `confidence journal verify`, or tell it with --unchecked"
            raise JournalDamaged(f"{found.folder}: {first.what}: {first.where}{told}")
