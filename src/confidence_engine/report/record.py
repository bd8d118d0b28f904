"""What an agent's journal tells of a whole run: its equity, its trades, and the decisions worth a look.

Everything is read from the journal, nothing from the run that wrote it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from confidence_engine.domain.decision import GATE_NO_EVIDENCE, GATE_ORDER_WORKING, GATE_POSITION_OPEN
from confidence_engine.domain.instrument import Instrument
from confidence_engine.domain.order import EXIT_NAMES
from confidence_engine.domain.units import format_time
from confidence_engine.evaluate.performance import trades_from_fills
from confidence_engine.evaluate.summary import base_per_lot
from confidence_engine.journal import kinds
from confidence_engine.journal.reader import Place, Reader

__all__ = ["Record", "equity_of", "record_of_run", "telling"]


class Record(NamedTuple):
    """Equity by the hour, closed trades, and how much else there is."""

    ts_ns: np.ndarray
    equity: np.ndarray
    trades: list[dict[str, Any]]
    decisions: np.ndarray  # DECISION
    entries: int
    fees_usd: float


def record_of_run(place: Place, instruments: tuple[Instrument, ...]) -> Record:
    """The journal at a place. Raises DataMissing, JournalDamaged."""
    reader = Reader(place)
    try:
        decisions, fills, equities = (reader.rows(kind) for kind in (kinds.DECISION, kinds.ENTRY, kinds.EQUITY))
    finally:
        reader.close()
    trades = [_trade(row, instruments) for row in trades_from_fills(fills, base_per_lot(instruments))]
    return Record(
        equities["ts_ns"], equities["equity"], trades, decisions, int((decisions["gates"] == 0).sum()),
        float(fills["fee_usd"].sum()),
    )  # fmt: skip


def equity_of(place: Place) -> tuple[np.ndarray, np.ndarray]:
    """(times in ns, equity in USD) by the hour. Raises DataMissing, JournalDamaged."""
    reader = Reader(place)
    try:
        rows = reader.rows(kinds.EQUITY)
    finally:
        reader.close()
    return rows["ts_ns"], rows["equity"]


def _trade(row: np.void, instruments: tuple[Instrument, ...]) -> dict[str, Any]:
    return {
        "symbol": instruments[int(row["asset"])].symbol, "side": "long" if row["side"] > 0 else "short",
        "entered": format_time(int(row["entry_ns"])), "left": format_time(int(row["exit_ns"])),
        "entry_price": float(row["entry_price"]), "exit_price": float(row["exit_price"]),
        "pnl_usd": float(row["pnl_usd"]), "why": EXIT_NAMES[int(row["why"])], "decision": int(row["decision"]),
    }  # fmt: skip


def telling(decisions: np.ndarray) -> tuple[int | None, int | None]:
    """Sequences of the newest entry, and of the strongest case that a gate refused although nothing was held."""
    entered = decisions[decisions["gates"] == 0]
    busy = (1 << GATE_NO_EVIDENCE) | (1 << GATE_POSITION_OPEN) | (1 << GATE_ORDER_WORKING)
    refused = decisions[(decisions["gates"] != 0) & (decisions["gates"] & busy == 0) & (decisions["strength"] > 0.0)]
    return (
        int(entered["seq"][-1]) if len(entered) else None,
        int(refused["seq"][int(np.argmax(refused["strength"]))]) if len(refused) else None,
    )
