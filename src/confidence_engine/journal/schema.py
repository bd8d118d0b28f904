"""The journal's tables: one row a commit block, one row a record. The bytes of events are files, not rows.

One database may hold several journals, told apart by name; an embedded one holds its own alone.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table

__all__ = ["BLOCK", "JOURNAL", "LOG", "RECORD"]

LOG = MetaData()

JOURNAL = Table(
    "journal", LOG,
    Column("name", String(80), primary_key=True),
    Column("uuid", String(36), nullable=False, unique=True),
    Column("created_ns", BigInteger, nullable=False),
)  # fmt: skip

BLOCK = Table(
    "block", LOG,
    Column("name", String(80), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("first_event", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("segment", String(40), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("events_hash", LargeBinary(32), nullable=False),
    Column("first_record", BigInteger, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("records_hash", LargeBinary(32), nullable=False),
    Column("committed_ns", BigInteger, nullable=False),
    Column("prev_hash", LargeBinary(32), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
)  # fmt: skip

RECORD = Table(
    "record", LOG,
    Column("name", String(80), primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("block", BigInteger, nullable=False),
    Column("event", BigInteger, nullable=False),
    Column("kind", Integer, nullable=False),
    Column("ts_ns", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("payload", LargeBinary),
    Index("record_kind", "name", "kind", "id"),
)  # fmt: skip
