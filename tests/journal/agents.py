"""Agents that trade at random and write it down: journals with every kind of record that makes a row.

Fills come in parts, cross zero, and belong to nobody at times; funding, splits and dividends fall on what is held;
limits refuse for a while. Nothing of it means anything, but all of it is as a step would write it.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from confidence_engine.domain.decision import (
    DECISION,
    GATE_DAILY_LOSS,
    GATE_DEGRADED,
    GATE_DRAWDOWN,
    GATE_EXPOSURE,
    GATE_NO_EVIDENCE,
    GATE_SMALL_GAP,
)
from confidence_engine.domain.event import CORPORATE, EVENT_SCHEMA, FILL, FUNDING, LIQUIDATION, timer_events
from confidence_engine.domain.order import INTENT, INTENT_AMEND, INTENT_CANCEL, INTENT_SUBMIT
from confidence_engine.domain.record import ENTRY, EQUITY, LESSON, MARKED
from confidence_engine.domain.units import DAY_NS, HOUR_NS, SECOND_NS, format_time
from confidence_engine.journal import kinds
from confidence_engine.journal.database import engine_of, sqlite_url
from confidence_engine.journal.log import Journal, create
from confidence_engine.journal.reader import Genesis, place_of
from confidence_engine.journal.tables import TABLES, TABLES_FILE

__all__ = ["BASE", "BEGIN", "LAYOUTS", "Agent", "rows", "shown"]

BEGIN = 19_000 * DAY_NS
LAYOUTS = {
    "DECISION": DECISION, "INTENT": INTENT, "ENTRY": ENTRY, "EQUITY": EQUITY, "MARKED": MARKED, "LESSON": LESSON,
}  # fmt: skip
_LOTS, _MULTIPLIERS = (0.001, 1.0), (1.0, 10.0)
BASE = [lot * multiplier for lot, multiplier in zip(_LOTS, _MULTIPLIERS, strict=True)]
"""Base quantity of a lot of each asset."""
_REFUSED = (GATE_NO_EVIDENCE, GATE_SMALL_GAP, GATE_DEGRADED, GATE_DAILY_LOSS, GATE_DRAWDOWN, GATE_EXPOSURE)


class Agent:
    """One agent of a home and its journal, which is committed every few hours of its own time."""

    def __init__(
        self, home: Path, name: str, seed: int, database: str | None = None, begin_ns: int = BEGIN,
        created_ns: int = BEGIN,
    ) -> None:  # fmt: skip
        self.rng, self.now, self.name = random.Random(f"{name}{seed}"), begin_ns, name
        self.held, self.orders, self.seq, self.decisions = [0, 0], 0, 0, 0
        self.entries: list[np.ndarray] = []
        self.refusing = [0, 0]
        place = place_of(home / "agents" / name, name, database)
        layouts = {key: [[n, of[n].str] for n in of.names or ()] for key, of in LAYOUTS.items()}
        journal = str(uuid.UUID(int=self.rng.getrandbits(128)))
        genesis = Genesis(
            journal, name, name, "agent", format_time(created_ns), EVENT_SCHEMA, 1, "revision", layouts, True
        )
        risk = {"trades_a_day": 8, "trades_a_week": 40, "gross_max": 0.5, "daily_loss": 0.01, "max_drawdown": 0.1}
        params = {"hash": f"hash of {name}", "config": {"agent": {"venue": "here"}, "kernel": {"risk": risk}}}
        entries: list[tuple[int, Any]] = [(kinds.PARAMS, params)]
        for asset, symbol in enumerate(("BTC/USDT", "SPY")):
            of = {"asset": asset, "symbol": symbol, "venue": "here", "tick": 0.1, "lot": _LOTS[asset]}
            of |= {"multiplier": _MULTIPLIERS[asset], "max_leverage": 1.0 + 24.0 * (asset == 0)}
            entries.append((kinds.INSTRUMENT, of))
        self.journal: Journal = create(place, genesis, entries, reserve=0, clock=lambda: created_ns)

    def live(self, times: int, apart_ns: int = HOUR_NS) -> None:
        """That many hours more, or longer times apart, committed at the end."""
        for _ in range(times):
            self._go_on(apart_ns)
        self.journal.commit()

    def close(self) -> None:
        """Anchor and let go."""
        self.journal.close()

    def put(self, kind: int, layout: np.dtype[Any] | None, at_ns: int, payload: Any = None, /, **fields: Any) -> None:
        """One record of the last event; fields that are not given are 0."""
        body = b""
        event = self.journal.next_event - 1
        if layout is not None:
            row = np.zeros(1, layout)
            for key, value in (fields | ({"event": event} if "event" in (layout.names or ()) else {})).items():
                row[key] = value
            body = row.tobytes()
            if kind == kinds.ENTRY:
                self.entries.append(row)
        self.journal.put(kind, event, at_ns, body, payload)

    def decide(self, asset: int, gates: int, ts_ns: int | None = None, **fields: Any) -> int:
        """One decision; returns its number."""
        self.decisions += 1
        at = self.now if ts_ns is None else ts_ns
        self.put(
            kinds.DECISION, DECISION, at, seq=self.decisions, ts_ns=at, asset=asset, gates=gates,
            **({"side": 1, "quality": self.rng.uniform(0, 10), "conviction": np.nan, "regime": 2 | 3 << 3, "gap": 1.5,
                "confidence": 0.6, "price": 100.0, "price_ns": at - 1, "trigger": 0.8} | fields),
        )  # fmt: skip
        return self.decisions

    def tick(self, ns: int) -> None:
        """Time goes on, and the journal knows by an event."""
        self.now += ns
        self.journal.put_events(timer_events(np.array([self.now], np.int64), True))

    def value(self, equity: float) -> None:
        """One equity row."""
        self.put(
            kinds.EQUITY, EQUITY, self.now, ts_ns=self.now, equity=equity, balance=equity, gross=abs(self.held[0]),
            net_usd=self.held[0], used_margin=1.0, open_positions=sum(lots != 0 for lots in self.held),
        )  # fmt: skip

    def _go_on(self, ns: int) -> None:
        self.tick(ns)
        for asset in range(2):
            self._judge(asset)
            if self.rng.random() < 0.5:
                self._happen(asset)
        if self.rng.random() < 0.02:
            self.put(kinds.COMMAND, None, self.now, {"what": "halt", "by": "a test"})
        self.value(100_000.0 + self.rng.gauss(0.0, 500.0))

    def _judge(self, asset: int) -> None:
        rng = self.rng
        if rng.random() < 0.3:
            self.refusing[asset] = 1 << rng.choice(_REFUSED) if rng.random() < 0.8 else 0
        decision = self.decide(asset, self.refusing[asset], side=rng.choice((-1, 1)))
        if self.refusing[asset]:
            return
        entry = self._order(asset, rng.choice((-1, 1)) * rng.randint(1, 50), 1, decision, margin_usd=3.7)
        child = self._order(asset, 0, 2, decision, parent_id=entry, trigger_ticks=rng.randint(900, 1100), reduce_only=1)
        for action in (INTENT_AMEND, INTENT_CANCEL):
            if rng.random() < 0.4:
                self._intend(asset, action, child, kind=2, trigger_ticks=rng.randint(900, 1100), decision=decision)

    def _order(self, asset: int, lots: int, kind: int, decision: int, /, **fields: Any) -> int:
        self.orders += 1
        self._intend(asset, INTENT_SUBMIT, self.orders, kind=kind, lots=lots, decision=decision, why=1, **fields)
        return self.orders

    def _intend(self, asset: int, action: int, order: int, /, **fields: Any) -> None:
        self.put(kinds.INTENT, INTENT, self.now, ts_ns=self.now, action=action, order_id=order, asset=asset, **fields)

    def _happen(self, asset: int) -> None:
        """A line of the ledger."""
        rng, held = self.rng, self.held[asset]
        price, fee = rng.uniform(90.0, 110.0), rng.uniform(0.0, 1.0)
        chance = rng.random()
        if held and chance < 0.2:
            self._entry(asset, FUNDING, lots=held, price=price, rate=1e-4, amount_usd=rng.gauss(0.0, 1.0))
        elif held and chance < 0.25:
            rate = rng.choice((2.0, 0.5, 1.0 / 3.0, np.nan))
            after = held if np.isnan(rate) else int(abs(held) * rate + 1e-9) * (1 if held > 0 else -1)
            self._entry(asset, CORPORATE, lots=after - held, price=price, rate=rate, amount_usd=rng.gauss(0.0, 1.0))
            self.held[asset] = after
        else:
            lots = rng.choice((-1, 1)) * rng.randint(1, 60) if chance < 0.9 or not held else -held
            order = 0 if not self.orders or chance > 0.97 else rng.randint(max(1, self.orders - 3), self.orders)
            kind = LIQUIDATION if order == 0 and held else FILL
            self._entry(
                asset, kind, lots=lots, order_id=order, price=price, fee_usd=fee, rate=np.nan, why=rng.randint(1, 7),
                decision=max(self.decisions - rng.randint(0, 3), 1),
                amount_usd=rng.gauss(0.0, 3.0) if held * lots < 0 else 0.0,
            )  # fmt: skip
            self.held[asset] += lots

    def _entry(self, asset: int, kind: int, /, **fields: Any) -> None:
        self.seq += 1
        happened = self.now - 300 * SECOND_NS
        self.put(
            kinds.ENTRY, ENTRY, self.now, seq=self.seq, ts_event=happened, ts_known=self.now, kind=kind, asset=asset,
            **fields,
        )  # fmt: skip


def _all(engine: sa.Engine) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    with engine.connect() as c:
        for table in TABLES.sorted_tables:
            yield table.name, [tuple(row) for row in c.execute(sa.select(table).order_by(*table.primary_key.columns))]


def rows(home: Path, database: str | None = None) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    engine = engine_of(database or sqlite_url(home / TABLES_FILE))
    try:
        return dict(_all(engine))
    finally:
        engine.dispose()


def shown(home: Path, table: str, database: str | None = None) -> list[dict[str, Any]]:
    """The rows of one table by the names of its columns."""
    names = TABLES.tables[table].c.keys()
    return [dict(zip(names, row, strict=True)) for row in rows(home, database)[table]]
