"""Decisions as rows: what was judged, and every stretch of time in which a limit refused.

A limit's event begins with the first judgement of an asset that it refuses and is resolved by the first that it does
not; a decision is written whenever a gate turns, so neither moment is missed.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from confidence_engine.domain.decision import GATE_NAMES, GATE_NO_EVIDENCE, GATE_WORDS, gate_names
from confidence_engine.domain.regime import TREND_WORDS, VOLATILITY_WORDS
from confidence_engine.journal import kinds
from confidence_engine.journal.carry import LIMIT_GATES, Carry, Chosen, Limits, Refused
from confidence_engine.journal.chain import Record
from confidence_engine.journal.periods import counted, faulty
from confidence_engine.journal.sheet import Sheet, number, stamp

__all__ = ["decided", "said"]

_KEPT: Final = 4
"""Decisions of an asset that entered and may still become a trade."""
_SEVERITY: Final = {"DEGRADED": "info", "DAILY_LOSS": "critical", "DRAWDOWN": "critical", "HALTED": "critical"}
_LIMIT_OF: Final = {
    "DAILY_LOSS": "daily_loss", "DRAWDOWN": "max_drawdown", "TRADE_LIMIT": "trades_a_day",
    "POSITION_LIMIT": "max_positions", "EXPOSURE": "gross_max",
}  # fmt: skip
_NO_EVIDENCE: Final = 1 << GATE_NO_EVIDENCE
_WATCHED: Final = sum(1 << bit for bit in LIMIT_GATES.values())


def decided(c: Carry, sheet: Sheet, record: Record, d: Any) -> None:
    """One DECISION."""
    c.regimes[d.asset] = d.regime
    c.quality, c.conviction = number(d.quality), number(d.conviction)
    if sheet.keeps("signal_logs", d.ts_ns):
        _log(c, sheet, record, d)
    if d.gates == 0:
        gap = f"gap {d.gap:+.2f} beyond the trigger {d.trigger:.2f}"
        one = Chosen(d.seq, number(d.quality), number(d.conviction), number(d.confidence), d.regime, gap)
        c.chosen[d.asset] = [*c.chosen.get(d.asset, []), one][-_KEPT:]
        counted(c, sheet, record, d.ts_ns)
    if d.gates & _WATCHED or c.refused:
        _limits(c, sheet, record, d)


def _log(c: Carry, sheet: Sheet, record: Record, d: Any) -> None:
    """The row of `signal_logs`."""
    if d.gates == 0:
        action = "buy" if d.side > 0 else "sell"
    else:
        action = "abstain" if d.gates & _NO_EVIDENCE else "stand aside"
    sheet.put(
        "signal_logs", record.id, d.ts_ns, symbol=c.instruments[d.asset].symbol, decision_id=f"{sheet.name}:{d.seq}",
        signal_quality=number(d.quality), conviction_score=number(d.conviction),
        regime_trend=TREND_WORDS[d.regime >> 3 & 3], regime_volatility=VOLATILITY_WORDS[d.regime & 7],
        signal_decision=action, reason=", ".join(gate_names(d.gates)) or "ENTERED", sentiment=number(d.story),
        price_momentum=number(d.reaction), volume_z_score=number(d.volume_z), gap=number(d.gap),
        gap_trigger=number(d.trigger), strength=number(d.strength), confidence=number(d.confidence),
        price=number(d.price) if d.price_ns else None, price_timestamp=stamp(d.price_ns) if d.price_ns else None,
        evidence_timestamp=stamp(d.newest_ns) if d.newest_ns else None,
    )  # fmt: skip


def _limits(c: Carry, sheet: Sheet, record: Record, d: Any) -> None:
    """Stretches that begin, go on or end with this decision."""
    for name, bit in LIMIT_GATES.items():
        key, refuses = f"{d.asset}:{name}", bool(d.gates >> bit & 1)
        running = c.refused.get(key)
        if refuses and running is None:
            row = sheet.put(
                "risk_events", record.id, d.ts_ns, bit, event_type=name, symbol=c.instruments[d.asset].symbol,
                description=GATE_WORDS[name], severity=_SEVERITY.get(name, "warning"),
                action_taken="entries refused", trade_blocked=1, blocked_decisions=1, current_exposure=c.gross,
                limit_exceeded=_limit(c.limits, name), decision_id=f"{sheet.name}:{d.seq}",
            )  # fmt: skip
            c.refused[key] = Refused(row, 1)
            if name == "DEGRADED":
                faulty(c, sheet)
        elif refuses and running is not None:
            running.decisions += 1
            sheet.change("risk_events", running.row, blocked_decisions=running.decisions)
        elif running is not None:
            sheet.change("risk_events", running.row, resolved_at=stamp(d.ts_ns))
            del c.refused[key]


def _limit(limits: Limits, gate: str) -> float | None:
    of = _LIMIT_OF.get(gate)
    value = None if of is None else getattr(limits, of)
    return None if value is None else float(value)


def said(c: Carry, sheet: Sheet, record: Record) -> None:
    """A COMMAND, an INCIDENT or what was RECOVERED."""
    told = (record.payload or b"").decode()
    if record.kind == kinds.RECOVERED:
        name, severity, action = "RECOVERED", "critical", "the last blocks were taken out"
        faulty(c, sheet)
    elif record.kind == kinds.INCIDENT:
        shadow = msgspec.json.decode(record.payload or b"{}").get("what") == "shadow"
        name, severity = "INCIDENT", "critical" if shadow else "warning"
        action = "told, and the command ended with 1" if shadow else "told, and the agent went on"
        faulty(c, sheet)
    else:
        name, severity, action = "COMMAND", "warning", "obeyed"
    sheet.put(
        "risk_events", record.id, record.ts_ns, 0, event_type=name, description=told, severity=severity,
        action_taken=action, trade_blocked=0, blocked_decisions=0, current_exposure=c.gross,
    )  # fmt: skip


assert len(GATE_NAMES) < 100, "a gate's number is the last two digits of a row's id"
