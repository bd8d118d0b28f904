"""Rows on their way into the tables: written once, perhaps changed, and handed to the database all at once.

An id says where a row comes from: agent number x 10^14 + journal record x 100 + which row of that record. So the same
journal gives the same ids, whenever and in however many steps it is projected.
"""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa

from confidence_engine.journal.tables import RETAINED, TABLES

__all__ = ["Sheet", "number", "quantity", "row_id", "stamp"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_BLANK: Final[dict[str, dict[str, Any]]] = {
    name: dict.fromkeys(table.c.keys()) for name, table in TABLES.tables.items()
}


def stamp(ns: int) -> str:
    """'YYYY-MM-DD HH:MM:SS.ffffff' in UTC, cut to the microsecond."""
    return (_EPOCH + timedelta(microseconds=ns // 1000)).isoformat(" ", "microseconds")


def number(value: float) -> float | None:
    """The value, or None where it is missing (NaN) or has no bounds."""
    return value if math.isfinite(value) else None


def quantity(lots: int, lot: float, multiplier: float) -> str:
    """Lots as an exact decimal of the base, of no sign: quantity(50, 0.001, 1.0) = "0.05"."""
    exact = abs(lots) * Decimal(repr(lot)) * Decimal(repr(multiplier))
    told = format(exact, "f")
    return told.rstrip("0").rstrip(".") if "." in told else told


def row_id(agent: int, record: int, which: int = 0) -> int:
    """Id of a row of `record` of agent number `agent`."""
    return (agent * 10**12 + record) * 100 + which


class Sheet:
    """Rows of one agent that are not in the database yet; `horizon` is the time before which nothing is retained."""

    def __init__(self, connection: sa.Connection, agent: int, name: str, horizon: str) -> None:
        self.agent, self.name, self.horizon = agent, name, horizon
        self.head: dict[str, Any] = {}
        self._connection = connection
        self._rows: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
        self._changes: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
        self._orders: dict[int, int] = {}

    def keeps(self, table: str, ts_ns: int) -> bool:
        """Whether a row of that time is still retained."""
        return table not in RETAINED or stamp(ts_ns) >= self.horizon

    def put(self, table: str, record: int, ts_ns: int, which: int = 0, **values: Any) -> int:
        """A new row; returns its id. What is not given is NULL."""
        at = row_id(self.agent, record, which)
        if self.keeps(table, ts_ns):
            row = _BLANK[table] | self.head | values
            row |= {"id": at, "timestamp": stamp(ts_ns), "agent_type": self.name}
            self._rows[table][at] = row
            if table == "orders":
                self._orders[row["order_number"]] = at
        return at

    def change(self, table: str, at: int, **values: Any) -> None:
        """New values for a row that was put, now or in an earlier step."""
        row = self._rows[table].get(at)
        if row is None:
            row = self._changes[table].setdefault(at, {})
        row.update(values)

    def order(self, order_number: int) -> dict[str, Any] | None:
        """The order as it is now, None where no intent of it was recorded."""
        at = self._orders.get(order_number)
        if at is not None and at in self._rows["orders"]:
            return self._rows["orders"][at]
        orders = TABLES.tables["orders"]
        query = sa.select(orders).where(orders.c.agent_type == self.name, orders.c.order_number == order_number)
        row = self._connection.execute(query).mappings().one_or_none()
        return None if row is None else dict(row) | self._changes["orders"].get(row["id"], {})

    def flush(self) -> None:
        """Hand everything over, tables that others refer to first."""
        for table in TABLES.sorted_tables:
            rows = self._rows.pop(table.name, None)
            if rows:
                self._connection.execute(sa.insert(table), list(rows.values()))
        for table in TABLES.sorted_tables:
            alike: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
            for at, values in self._changes.pop(table.name, {}).items():
                alike[tuple(values)].append({"row": at} | {f"new_{name}": v for name, v in values.items()})
            for names, many in alike.items():
                update = sa.update(table).where(table.c.id == sa.bindparam("row"))
                self._connection.execute(update.values({n: sa.bindparam(f"new_{n}") for n in names}), many)
