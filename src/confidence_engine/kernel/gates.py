"""Why nothing is entered, as bits. Every gate that has something to look at is asked: a refusal names all its reasons.

`data` asks whether the inputs may be believed at all, `check` whether the case is strong and
timely enough. Limits of the account come later, in sizing and risk. The gates are our own rules; none is fitted.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from confidence_engine.domain.decision import (
    GATE_ADJUSTED,
    GATE_COOLDOWN,
    GATE_DEGRADED,
    GATE_LOW_CONVICTION,
    GATE_LOW_QUALITY,
    GATE_MARKET_CLOSED,
    GATE_NAMES,
    GATE_NO_EVIDENCE,
    GATE_NO_SHORT,
    GATE_ORDER_WORKING,
    GATE_OVERREACTION,
    GATE_POSITION_OPEN,
    GATE_PRICE_COLD,
    GATE_PRICE_STALE,
    GATE_SAME_STORY,
    GATE_SMALL_GAP,
    GATE_WEAK_STRENGTH,
    GATE_WEAK_VOLUME,
    GATES,
)
from confidence_engine.domain.event import ADJUSTED, DEGRADED
from confidence_engine.domain.jit import stage
from confidence_engine.domain.params import Bound
from confidence_engine.domain.units import DAY_NS, HOUR_NS
from confidence_engine.kernel import feed, narrative, session

__all__ = ["Params", "check", "data"]

OF_CASE = (
    1 << GATE_SMALL_GAP | 1 << GATE_OVERREACTION | 1 << GATE_WEAK_STRENGTH | 1 << GATE_WEAK_VOLUME
    | 1 << GATE_SAME_STORY | 1 << GATE_COOLDOWN
)  # fmt: skip
"""Gates that judge a case and may be waived; those that say what is missing, held or forbidden are facts and stay."""

WAIVABLE = tuple(name if OF_CASE >> k & 1 else "" for k, name in enumerate(GATE_NAMES))


class Params(NamedTuple):
    """What a case must show before it may be sized; `waived` sets gates of a case aside, in a replay only.

    `[kernel.gates] waived = ["COOLDOWN"]` is how to see what a gate is worth; empty waives none. Here it is bits.
    """

    min_strength: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.02
    min_volume_z: Annotated[float, Bound("ratio", -5.0, 4.0)] = -1.5
    cooldown_ns: Annotated[int, Bound("duration", 0, 30 * DAY_NS)] = 6 * HOUR_NS
    funding_patience: Annotated[float, Bound("ratio", 1.0, 100.0)] = 1.5
    waived: Annotated[int, Bound("names", 0, (1 << GATES) - 1, WAIVABLE)] = 0
    refuse_adjusted: Annotated[bool, Bound("flag")] = False
    min_quality: Annotated[float, Bound("ratio", 0.0, 10.0)] = 0.0
    min_conviction: Annotated[float, Bound("ratio", 0.0, 10.0)] = 0.0


@stage
def data(s, i, now_ns, min_obs, stale_bars, p):
    """Bits that forbid believing the price of asset i: cold, stale, or an input it needs is missing or in doubt."""
    a, inst = s.asset[i], s.inst[i]
    bits = 0
    age = session.clock(s, inst.calendar, now_ns) - session.clock(s, inst.calendar, a.close_ns)
    if a.n_bars < min_obs or a.atr_n < 2:
        bits |= 1 << GATE_PRICE_COLD
    if a.n_bars == 0 or age > stale_bars * inst.bar_ns:
        bits |= 1 << GATE_PRICE_STALE
    unfunded = inst.funding_ns > 0 and now_ns - a.funding_ns > p.funding_patience * inst.funding_ns
    if unfunded or (a.seen_marks & DEGRADED) != 0 or feed.faulty(s, i) != 0:
        bits |= 1 << GATE_DEGRADED
    return bits


@stage
def check(s, i, now_ns, d, evidence, p):
    """Bits of the case itself."""
    bits = 0
    if not evidence or d.side == 0:
        return 1 << GATE_NO_EVIDENCE
    if math.isnan(d.gap):
        return 1 << GATE_PRICE_COLD
    if abs(d.gap) < d.trigger:
        bits |= 1 << GATE_SMALL_GAP
    if d.gap * d.side < 0.0:
        bits |= 1 << GATE_OVERREACTION
    if d.strength < p.min_strength:
        bits |= 1 << GATE_WEAK_STRENGTH
    if d.volume_z < p.min_volume_z:
        bits |= 1 << GATE_WEAK_VOLUME
    if p.min_quality > 0.0 and not d.quality >= p.min_quality:  # 0 asks for nothing
        bits |= 1 << GATE_LOW_QUALITY
    if p.min_conviction > 0.0 and not d.conviction >= p.min_conviction:
        bits |= 1 << GATE_LOW_CONVICTION
    if d.side < 0 and s.inst[i].can_short == 0:
        bits |= 1 << GATE_NO_SHORT
    return (bits | _timely(s, i, now_ns, d, p)) & ~(p.waived & OF_CASE)


@stage
def _timely(s, i, now_ns, d, p):
    """In a session, on prices as they were; one story one trade, one position an asset, and a pause after each."""
    b, inst = s.book[i], s.inst[i]
    bits = 0
    if not session.enterable(s, i, now_ns):
        bits |= 1 << GATE_MARKET_CLOSED
    if p.refuse_adjusted and (s.asset[i].seen_marks & ADJUSTED) != 0:
        bits |= 1 << GATE_ADJUSTED
    if b.lots != 0:
        bits |= 1 << GATE_POSITION_OPEN
    if b.entry_id != 0 or b.exit_id != 0:
        bits |= 1 << GATE_ORDER_WORKING
    if d.stories > 0 and narrative.was_traded(s, d.underlying, i):
        bits |= 1 << GATE_SAME_STORY
    pause = session.clock(s, inst.calendar, now_ns) - session.clock(s, inst.calendar, b.closed_ns)
    if b.closed_ns > 0 and pause < p.cooldown_ns:
        bits |= 1 << GATE_COOLDOWN
    return bits
