"""What the next record needs to know of all before it, kept with the cursor so that a projection can stop anywhere."""

from __future__ import annotations

import msgspec

from confidence_engine.domain.decision import (
    GATE_DAILY_LOSS,
    GATE_DEGRADED,
    GATE_DRAWDOWN,
    GATE_EXPOSURE,
    GATE_HALTED,
    GATE_MARGIN,
    GATE_NAMES,
    GATE_POSITION_LIMIT,
    GATE_TRADE_LIMIT,
)

__all__ = ["LIMIT_GATES", "Carry", "Chosen", "Held", "Limits", "Refused", "Traded", "Trip"]

LIMIT_GATES = {
    GATE_NAMES[bit]: bit
    for bit in (
        GATE_DEGRADED, GATE_HALTED, GATE_DAILY_LOSS, GATE_DRAWDOWN, GATE_TRADE_LIMIT, GATE_POSITION_LIMIT,
        GATE_EXPOSURE, GATE_MARGIN,
    )
}  # fmt: skip
"""Gates whose refusals are events of risk -> their bits."""


class Traded(msgspec.Struct, frozen=True):
    """An instrument as far as rows need it."""

    symbol: str
    venue: str
    tick: float
    lot: float
    multiplier: float
    max_leverage: float

    @property
    def base(self) -> float:
        """Base quantity of one lot, multiplier included."""
        return self.lot * self.multiplier


class Limits(msgspec.Struct, frozen=True):
    """The limits of the parameters; None where a journal's parameters do not tell."""

    trades_a_day: int | None = None
    trades_a_week: int | None = None
    gross_max: float | None = None
    daily_loss: float | None = None
    max_drawdown: float | None = None
    max_positions: int | None = None


class Chosen(msgspec.Struct, frozen=True):
    """A decision that entered, as the trade it leads to will want to know it."""

    seq: int
    quality: float | None
    conviction: float | None
    confidence: float | None
    regime: int
    reason: str


class Trip(msgspec.Struct):
    """A trade that is open: sums over its fills, lots counted positive, and the average cost of what is held."""

    row: int
    side: int
    entry_ns: int
    decision: int
    order: str | None
    lots_in: int = 0
    lots_out: int = 0
    cash_in: float = 0.0
    cash_out: float = 0.0
    fees: float = 0.0
    funding: float = 0.0
    cost: float = 0.0

    @property
    def left(self) -> int:
        """Lots still held."""
        return self.lots_in - self.lots_out


class Held(msgspec.Struct):
    """A symbol and side that was ever held: its row, and what it earned in all and on the last day it moved."""

    row: int
    day: int
    today: float = 0.0
    total: float = 0.0


class Refused(msgspec.Struct):
    """A limit that refuses, since the row `row` began."""

    row: int
    decisions: int


class Carry(msgspec.Struct):
    """All of it; amounts in USD. Days and weeks are counted from 1970."""

    params_hash: str = ""
    synthetic: bool = False
    run_id: str = ""
    venue: str = ""
    limits: Limits = Limits()
    instruments: dict[int, Traded] = {}
    chosen: dict[int, list[Chosen]] = {}
    trips: dict[int, Trip] = {}
    held: dict[str, Held] = {}
    refused: dict[str, Refused] = {}
    regimes: dict[int, int] = {}
    quality: float | None = None
    conviction: float | None = None
    heartbeats: int = 0
    began_ns: int = 0
    first_equity: float | None = None
    peak: float = 0.0
    gross: float | None = None
    equity: float | None = None
    day: int = -1
    day_row: int = 0
    day_equity: float | None = None  # first of the day
    day_closed: int = 0
    day_faults: int = 0
    periods: dict[str, list[int]] = {}  # "day", "week" -> [number of it, row, entries]
    closed: int = 0
    won: int = 0
    fees: float = 0.0
    funding: float = 0.0
