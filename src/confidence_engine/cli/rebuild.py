"""`confidence journal rebuild`: the tables of this home, told anew from its agents' journals."""

from __future__ import annotations

from typing import Any

import typer

from confidence_engine.cli.show import Json, database, emit, grid, home, note

__all__ = ["rebuild"]


def rebuild(ctx: typer.Context, as_json: Json = False) -> None:
    """Drop all rows of the tables and tell every agent's journal anew; the journals are not touched."""
    from confidence_engine.cli.warm import told_when_slow
    from confidence_engine.domain.errors import DataMissing
    from confidence_engine.journal import projector
    from confidence_engine.journal.home import server_of
    from confidence_engine.journal.tables import TABLES_FILE

    if not (home(ctx) / "agents").is_dir():
        raise DataMissing(f"{home(ctx)} has no agents; `confidence demo` makes two, in a home of their own")
    before = server_of(home(ctx))
    with told_when_slow("telling the journals anew", "telling"):
        found = projector.rebuild(home(ctx), database(ctx))
    server, told = server_of(home(ctx)), [one for one in found if not one.gone]
    if before != server:
        note(f"the tables of this home are now in {server}; what {before or 'its file'} holds is not kept up any more")
    for one in found:
        if one.gone:
            note(f"{one.agent}: neither its journal nor its anchor is here any more, and its rows are gone too")
    payload: dict[str, Any] = {
        "tables": server or home(ctx) / TABLES_FILE,
        "agents": [{"agent": one.agent, "records": one.records} for one in told],
        "gone": [one.agent for one in found if one.gone],
    }
    rows = [(one.agent, f"{one.records:,}") for one in told]
    emit(as_json, payload, lambda: grid(("agent", "records"), rows, title="told anew"))
