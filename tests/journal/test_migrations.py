"""The revisions lead to the tables that the code wants, on both databases, and rows made under the first survive."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from tests.journal.agents import Agent, rows

from confidence_engine.journal.database import engine_of, sqlite_url, upgrade
from confidence_engine.journal.projector import project
from confidence_engine.journal.sheet import stamp
from confidence_engine.journal.tables import TABLES, TABLES_FILE, TEN

_FIRST = ("agents", "cursors", *TEN)
_CURSOR = {"agent_type": "futures", "next_record": 7, "block": 1, "block_hash": "", "projection": 1, "carry": "{}"}
_AGENT = {"number": 1, "name": "futures", "journal": "j", "created": stamp(0), "run": "agent", "code_revision": "r"}
_SIGNAL = {
    "id": 1, "timestamp": stamp(1_000), "agent_type": "futures", "run_id": "j", "params_hash": "h", "synthetic": 1,
    "symbol": "BTC", "decision_id": "futures:1", "regime_trend": "up", "regime_volatility": "low",
    "signal_decision": "buy", "reason": "as it was told then",
}  # fmt: skip


@pytest.fixture
def engine(tmp_path: Path, database: str | None) -> Iterator[sa.Engine]:
    made = engine_of(database or sqlite_url(tmp_path / TABLES_FILE))
    yield made
    made.dispose()


def test_the_first_revision_has_the_ten_tables_and_no_orders(engine: sa.Engine) -> None:
    upgrade(engine, "tables", "0001")
    names = set(sa.inspect(engine).get_table_names())
    assert names == {*_FIRST, "tables_version"}


def test_the_last_revision_is_what_the_code_wants(engine: sa.Engine) -> None:
    upgrade(engine, "tables")
    with engine.connect() as c:
        context = MigrationContext.configure(c, opts={"version_table": "tables_version"})
        assert compare_metadata(context, TABLES) == []
        for name in TABLES.tables:
            named = {one["name"] for one in sa.inspect(c).get_check_constraints(name)}
            table = TABLES.tables[name]
            asked = {*table.constraints, *(one for column in table.c for one in column.constraints)}
            assert named == {one.name for one in asked if isinstance(one, sa.CheckConstraint)}, name


def test_rows_of_the_first_revision_survive_until_they_are_told_anew(
    tmp_path: Path, database: str | None, engine: sa.Engine
) -> None:  # fmt: skip
    upgrade(engine, "tables", "0001")
    given = {"agents": _AGENT, "cursors": _CURSOR, "signal_logs": _SIGNAL}
    with engine.begin() as c:
        for name, row in given.items():
            c.execute(sa.insert(TABLES.tables[name]), [row])
    upgrade(engine, "tables")
    found = rows(tmp_path, database)
    for name, row in given.items():
        assert found[name] == [tuple(row.get(column) for column in TABLES.tables[name].c.keys())]  # noqa: SIM118
    assert found["orders"] == found["fills"] == []
    one = Agent(tmp_path, "futures", 1, database)
    one.live(20)
    one.close()
    assert [told.anew for told in project(tmp_path, database)] == [True]
    told = rows(tmp_path, database)
    assert not [row for row in told["signal_logs"] if "as it was told then" in row]
    assert told["orders"]
    assert told["fills"]


def test_revisions_stand_on_their_own_and_are_not_taken_back() -> None:
    from importlib import import_module

    folder = "confidence_engine.journal.migrations.tables.versions"
    for name in ("r0001_ten_tables", "r0002_orders_fills", "r0003_homes"):
        module = import_module(f"{folder}.{name}")
        assert "confidence_engine" not in inspect.getsource(module)
        with pytest.raises(NotImplementedError, match="journal rebuild"):
            module.downgrade()
