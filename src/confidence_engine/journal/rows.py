"""The rows of one commit to SQLite, in as few steps as its driver knows.

A commit a moment means that what a general layer does around each statement is most of a commit: composing, caching,
hooks. Here a transaction is four calls of the driver on a connection of the engine's own pool, and the statements are
made once from the tables. What fails is raised as SQLAlchemy would, so whoever commits need not know which way it went.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from confidence_engine.journal.cut import Cut
from confidence_engine.journal.schema import BLOCK, RECORD

__all__ = ["put_rows"]


def _insert(table: sa.Table) -> str:
    names = [column.name for column in table.columns]
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


_RECORDS: Final = _insert(RECORD)
_BLOCKS: Final = _insert(BLOCK)


def put_rows(engine: sa.Engine, name: str, blocks: Sequence[Cut]) -> None:
    """Commit blocks and their records to the SQLite behind `engine`, all or nothing. Raises sa.exc.DBAPIError."""
    records = [
        (name, one.id, block.number, one.event, one.kind, one.ts_ns, one.body, one.payload)
        for block, _, mine in blocks for one in mine
    ]  # fmt: skip
    try:
        _transaction(engine, records, [(name, *block) for block, _, _ in blocks])
    except sqlite3.Error as error:
        raise sa.exc.DBAPIError("the rows of a commit", None, error) from error


def _transaction(engine: sa.Engine, records: list[tuple[Any, ...]], blocks: list[tuple[Any, ...]]) -> None:
    dialect, held = engine.dialect, engine.raw_connection()
    try:
        cursor = held.cursor()
        dialect.do_execute(cursor, "BEGIN IMMEDIATE", ())
        if records:
            dialect.do_executemany(cursor, _RECORDS, records)
        dialect.do_executemany(cursor, _BLOCKS, blocks)
        dialect.do_commit(held.dbapi_connection)  # type: ignore[arg-type]
        cursor.close()
    finally:
        held.close()  # back into the pool, which rolls back what was not committed
