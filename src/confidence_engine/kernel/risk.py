"""The account has the last word: limits cut or refuse, and only ever entries.

Exposure counts what is held and what is still working. Drawdown is measured from the peak of
marked equity and halts entries until a person resumes; the loss of a UTC day stops entries until
the next day. Reductions are never blocked by anything here.
Sources: drawdown from the running peak, Grossman and Zhou, Mathematical Finance 3 (1993), p. 241; limits before an
order leaves, SEC rule 15c3-5 (c)(1).
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from confidence_engine.domain.decision import (
    GATE_DAILY_LOSS,
    GATE_DRAWDOWN,
    GATE_EXPOSURE,
    GATE_HALTED,
    GATE_POSITION_LIMIT,
    GATE_TRADE_LIMIT,
)
from confidence_engine.domain.event import command_code, command_value
from confidence_engine.domain.jit import stage
from confidence_engine.domain.order import CMD_FLATTEN, CMD_HALT, CMD_LIMIT, CMD_RESUME
from confidence_engine.domain.params import Bound
from confidence_engine.domain.units import DAY_NS, WEEK_NS
from confidence_engine.kernel.margin import unit

__all__ = ["HALT_DRAWDOWN", "HALT_FLATTEN", "HALT_OPERATOR", "Params", "command", "limit", "roll", "watch"]

HALT_OPERATOR, HALT_DRAWDOWN, HALT_FLATTEN = 1, 2, 4


class Params(NamedTuple):
    """Limits, as fractions of equity and counts of entries."""

    gross_max: Annotated[float, Bound("fraction", 0.0, 25.0)] = 1.0
    net_max: Annotated[float, Bound("fraction", 0.0, 25.0)] = 0.8
    single_max: Annotated[float, Bound("fraction", 0.0, 5.0)] = 0.25
    single_max_usd: Annotated[float, Bound("usd", 0.0, 1e12)] = 1e12  # notional; the default caps nothing
    max_drawdown: Annotated[float, Bound("fraction", 0.001, 1.0)] = 0.1
    daily_loss: Annotated[float, Bound("fraction", 0.001, 1.0)] = 0.03
    trades_a_day: Annotated[int, Bound("count", 0, 10_000)] = 8
    trades_a_week: Annotated[int, Bound("count", 0, 50_000)] = 40
    max_positions: Annotated[int, Bound("count", 0, 256)] = 5


@stage
def roll(s, now_ns):
    """New UTC day, new week (from Monday): counters start again from the equity of that moment."""
    h = s.head[0]
    day = now_ns // DAY_NS
    if day != h.day:
        h.day, h.day_equity, h.day_trades = day, h.equity, 0
    week = (now_ns + 3 * DAY_NS) // WEEK_NS
    if week != h.week:
        h.week, h.week_trades = week, 0


@stage
def watch(s, p):
    """Peak of marked equity, and the halt when it is left too far behind."""
    h = s.head[0]
    h.peak_equity = max(h.peak_equity, h.equity)
    if h.equity < h.peak_equity * (1.0 - p.max_drawdown):
        h.halted |= HALT_DRAWDOWN


@stage
def command(s, event):
    """What the operator says; a resume lifts every halt and starts the drawdown anew, a limit of no value lifts it."""
    h = s.head[0]
    code = int(command_code(event))
    if code == CMD_HALT:
        h.halted |= HALT_OPERATOR
    elif code == CMD_FLATTEN:
        h.halted |= HALT_OPERATOR | HALT_FLATTEN
    elif code == CMD_RESUME:
        h.halted, h.peak_equity = 0, h.equity
    elif code == CMD_LIMIT and not command_value(event) < 0.0:
        h.gross_limit = command_value(event)


@stage
def limit(s, i, d, lots, p):
    """Lots that the account allows, towards zero only; sets the bits of what refused."""
    h = s.head[0]
    bits = 0
    if h.halted & (HALT_OPERATOR | HALT_FLATTEN):
        bits |= 1 << GATE_HALTED
    if h.halted & HALT_DRAWDOWN:
        bits |= 1 << GATE_DRAWDOWN
    if h.equity < h.day_equity * (1.0 - p.daily_loss):
        bits |= 1 << GATE_DAILY_LOSS
    if h.day_trades >= p.trades_a_day or h.week_trades >= p.trades_a_week:
        bits |= 1 << GATE_TRADE_LIMIT
    if h.open_positions >= p.max_positions:
        bits |= 1 << GATE_POSITION_LIMIT
    if bits != 0:
        d.gates |= bits
        return 0
    one = unit(s.inst[i]) * d.price
    gross_max = p.gross_max * h.equity
    if h.gross_limit >= 0.0:  # NaN until an operator sets one
        gross_max = min(gross_max, h.gross_limit)
    room = min(min(p.single_max * h.equity, p.single_max_usd), gross_max - h.gross)
    room = min(room, p.net_max * h.equity - d.side * h.net_usd)
    allowed = min(abs(lots), int(math.floor(max(room, 0.0) / one)))
    if allowed < 1:
        d.gates |= 1 << GATE_EXPOSURE
        return 0
    return d.side * allowed
