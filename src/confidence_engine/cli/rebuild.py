"""`confidence journal rebuild`: the tables of this home, told anew from its agents' journals."""

from __future__ import annotations

from typing import Any

import typer

from confidence_engine.cli.show import Json, database, emit, grid, home

__all__ = ["rebuild"]


def rebuild(ctx: typer.Context, as_json: Json = False) -> None:
    """Drop all rows of the tables and tell every agent's journal anew; the journals are not touched."""
    from confidence_engine.cli.warm import told_when_slow
    from confidence_engine.domain.errors import DataMissing
    from confidence_engine.journal import projector
    from confidence_engine.journal.tables import TABLES_FILE

    if not (home(ctx) / "agents").is_dir():
        raise DataMissing(f"{home(ctx)} has no agents; `confidence demo` makes two, in a home of their own")
    with told_when_slow("telling the journals anew", "telling"):
        found = projector.rebuild(home(ctx), database(ctx))
    where = database(ctx) is None
    payload: dict[str, Any] = {
        "tables": home(ctx) / TABLES_FILE if where else "server",
        "agents": [{"agent": one.agent, "records": one.records} for one in found],
    }
    rows = [(one.agent, f"{one.records:,}") for one in found]
    emit(as_json, payload, lambda: grid(("agent", "records"), rows, title="told anew"))
