"""What came of what was judged: every story is watched to its end, traded or not, and teaches then.

A case is opened at the first judgement at which a story, or a score where no story speaks, has a side and a known
gap for an asset, whatever the gates said: one pending for each asset and story. It is settled bar by bar with
`domain.outcome.follow`, the very function that labels afterwards, so it becomes known at the bar that decides it and
not before. It is tallied by what refused it and by side, its publishers share the credit by their weight, and a
trade is tallied by why it was left, with its realised net. All counts fade with `half_life` outcomes; nothing is
taken away by subtraction. In BACKFILL cases are opened and settled too, as nothing learnt from them depends on the
account; they bear no gates, because nothing was decided.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

import numpy as np

from confidence_engine.domain import outcome
from confidence_engine.domain.decision import GATES
from confidence_engine.domain.event import bar_close, bar_high, bar_low, bar_open
from confidence_engine.domain.jit import stage
from confidence_engine.domain.order import WHY_NONE
from confidence_engine.domain.params import Bound
from confidence_engine.domain.record import LESSON_EXIT, LESSON_OUTCOME, LESSON_SOURCE, LESSON_TRIGGER
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from confidence_engine.kernel import session, sources, thresholds
from confidence_engine.kernel.margin import unit
from confidence_engine.kernel.state import (
    PENDINGS,
    SOURCES,
    TALLY_ALL,
    TALLY_EXIT,
    TALLY_GATE,
    TALLY_LONG,
    TALLY_PASSED,
    TALLY_SHORT,
    TALLY_TAKEN,
)

__all__ = ["UNDECIDED", "Params", "book", "settle", "watch"]

LN2 = math.log(2.0)
UNDECIDED = -1
"""In place of gate bits: the case of a warm-up, at which no gate was asked."""


class Params(NamedTuple):
    """The event that is settled, which [outcome] and [sim] decide, and after how many outcomes a count is halved.

    The horizon is trading time.
    """

    horizon_ns: Annotated[int, Bound("duration", MINUTE_NS, 365 * DAY_NS)] = 6 * HOUR_NS
    win_sigma: Annotated[float, Bound("ratio", 0.05, 20.0)] = 1.0
    loss_sigma: Annotated[float, Bound("ratio", 0.05, 20.0)] = 1.0
    grace_ns: Annotated[int, Bound("duration", 0, 10 * MINUTE_NS)] = 3 * SECOND_NS
    fee_factor: Annotated[float, Bound("ratio", 0.0, 20.0)] = 1.0
    spread_factor: Annotated[float, Bound("ratio", 0.0, 20.0)] = 1.0
    half_life: Annotated[float, Bound("ratio", 5.0, 1e9)] = 200.0


@stage
def watch(s, d, p):
    """Open the pending of the case in `d`, after the account has had its say, unless its story has one already."""
    if d.side == 0 or math.isnan(d.gap):
        return
    a = s.asset[d.asset]
    if d.stories > 0 and d.weight > 0.0:
        item = s.story[d.underlying, s.told[d.underlying].lead_slot]
        if (item.judged & _mine(d.asset)) == np.uint64(0):
            _open(s, d, True, p)
    elif a.watched_ns != a.score_ns:
        _open(s, d, False, p)


@stage
def _mine(i):
    """Bit of an asset; two assets of one underlying 64 ids apart would share it: a case fewer."""
    return np.uint64(1) << np.uint64(i & 63)


@stage
def _open(s, d, told, p):
    """A new pending, of the leading story or, where none is told, of the score."""
    i = d.asset
    inst = s.inst[i]
    item = s.story[d.underlying, s.told[d.underlying].lead_slot]
    sigma_h = d.sigma * math.sqrt(float(p.horizon_ns) / float(inst.bar_ns))
    cost = 2.0 * (inst.taker * p.fee_factor + inst.half_spread * p.spread_factor)
    if not outcome.sound(d.side, sigma_h, p.loss_sigma, p.win_sigma, cost):
        return
    if told:
        item.judged |= _mine(i)
    else:
        s.asset[i].watched_ns = s.asset[i].score_ns
    c = s.pending[i, _place(s, i)]
    at_ns = session.clock(s, inst.calendar, d.ts_ns)
    c.told_ns, c.at_ns, c.decision, c.cluster = d.ts_ns, at_ns, d.seq, d.lead if told else -1
    c.side, c.gates = d.side, d.gates
    c.publishers = item.publishers if told else np.uint64(0)
    c.passed = 1 if abs(d.gap) >= d.trigger and d.gap * d.side > 0.0 else 0
    c.entry_price, c.span_ns, c.end_ns = 0.0, 0, at_ns + p.horizon_ns
    c.win, c.loss, c.cost = p.win_sigma * sigma_h + cost, p.loss_sigma * sigma_h, cost


@stage
def _place(s, i):
    """A free slot of asset i; where there is none the oldest case is dropped and counted."""
    w = s.asset[i]
    oldest = 0
    for k in range(PENDINGS):
        at = s.pending[i, k].at_ns
        if at == 0:
            w.pending += 1
            return k
        if at < s.pending[i, oldest].at_ns:
            oldest = k
    w.dropped += 1
    return oldest


@stage
def settle(s, event, out, p):
    """One bar of one asset: every case of it that is open sees it, and those that are over teach."""
    i = event.asset
    w = s.asset[i]
    left = w.pending
    if left == 0:
        return
    calendar, q = s.inst[i].calendar, p.feedback
    open_ns = session.clock(s, calendar, session.opened(s, i, event.ts_event))
    close_ns = session.clock(s, calendar, event.ts_event)
    o, h, low, close = bar_open(event), bar_high(event), bar_low(event), bar_close(event)
    for k in range(PENDINGS):
        if left == 0:
            return
        c = s.pending[i, k]
        if c.at_ns == 0:
            continue
        left -= 1
        phase, c.entry_price, c.span_ns, gross = outcome.follow(
            c.entry_price, c.span_ns, open_ns, close_ns, o, h, low, close, c.at_ns, c.end_ns, c.side, c.win, c.loss,
            q.grace_ns,
        )  # fmt: skip
        if phase > outcome.HELD:
            _over(s, i, c, phase, gross, event, out, p)
            c.at_ns = 0
            w.pending -= 1


@stage
def _over(s, i, c, phase, gross, event, out, p):
    """A case is over: written down, and where it could be seen to its end, tallied and learnt from."""
    y, net = outcome.verdict(phase, gross, c.win, c.cost)
    row = _lesson(i, c, event, out)
    row.kind, row.y, row.net_return = LESSON_OUTCOME, y, net
    if y == outcome.UNRESOLVED:
        return
    fade = math.exp(-LN2 / p.feedback.half_life)
    won = y == outcome.WON
    _count(s.tally[TALLY_ALL], won, net, 1.0, fade)
    _count(s.tally[TALLY_LONG if c.side > 0 else TALLY_SHORT], won, net, 1.0, fade)
    if c.passed:
        _count(s.tally[TALLY_PASSED], won, net, 1.0, fade)
    if c.gates == 0:
        _count(s.tally[TALLY_TAKEN], won, net, 1.0, fade)
    for g in range(GATES):
        if c.gates != UNDECIDED and (c.gates >> g) & 1:
            _count(s.tally[TALLY_GATE + g], won, net, 1.0, fade)
    loss = min(max((c.win - gross) / (c.win + c.loss), 0.0), 1.0)  # 0 at the barrier that wins, 1 at the other
    _credit(s, i, c, loss, won, net, fade, event, out, p)
    k = s.inst[i].klass
    r = s.klass[k]
    if c.passed:
        before = thresholds.learn(s, k, won, p.thresholds)
        if r.factor != before:
            row = _lesson(i, c, event, out)
            row.kind, row.before, row.after = LESSON_TRIGGER, before, r.factor
    _lose(r, loss, fade)


@stage
def _lose(r, loss, fade):
    """One outcome more in what the stories of a class lose on average; what it begins with counts as one."""
    r.outcomes += 1
    r.loss += (loss - r.loss) * max(1.0 / (r.outcomes + 1.0), 1.0 - fade)


@stage
def _credit(s, i, c, loss, won, net, fade, event, out, p):
    """Every publisher of the story bears its share of the outcome, against what stories of the class lose."""
    if c.publishers == np.uint64(0):  # a score has no publisher
        return
    total = sources.credit(s, c.publishers)
    reference = s.klass[s.inst[i].klass].loss
    for j in range(SOURCES):
        if (c.publishers >> np.uint64(j)) & np.uint64(1):
            share = s.tally[j].factor / total
            _count(s.tally[j], won, net, share, fade)
            sources.learn(s, j, share, loss, reference, p.sources)
    mean = sources.mean_weight(s, p.sources)
    for j in range(SOURCES):
        before = sources.act(s, j, mean, p.sources)
        r = s.tally[j]
        if r.factor != before:
            row = _lesson(i, c, event, out)
            row.kind, row.stream, row.before, row.after = LESSON_SOURCE, r.stream, before, r.factor


@stage
def _count(r, won, net, share, fade):
    """One outcome more for a tally: wins and losses and what they made, each fading."""
    r.outcomes += 1
    r.wins *= fade
    r.losses *= fade
    r.won *= fade
    r.lost *= fade
    if won:
        r.wins += share
        r.won += share * net
    else:
        r.losses += share
        r.lost += share * net


@stage
def book(s, i, out, p):
    """What the ledger has just written about asset i: the position's net so far, and its tally once it is flat."""
    b = s.book[i]
    paid = out.entries[out.head[0].entries - 1]
    b.net_usd += paid.amount_usd - paid.fee_usd
    before = b.lots - paid.lots
    opened = abs(b.lots) if before * b.lots <= 0 else abs(b.lots) - abs(before)
    if paid.ticks != 0 and opened > 0:  # a fill that added to it, or the part of it beyond flat
        b.notional += opened * unit(s.inst[i]) * paid.price
    if b.lots != 0:
        return
    net = b.net_usd / b.notional
    _count(s.tally[TALLY_EXIT + paid.why], net > 0.0, net, 1.0, math.exp(-LN2 / p.half_life))
    row = _row(out, i, paid.ts_known, paid.ts_event)
    row.kind, row.decision, row.side, row.why = LESSON_EXIT, paid.decision, -1 if paid.lots > 0 else 1, paid.why
    row.y, row.net_return, row.net_usd = 1 if net > 0.0 else 0, net, b.net_usd
    b.net_usd, b.notional = 0.0, 0.0


@stage
def _lesson(i, c, event, out):
    """A row about a case that is over; the caller says what was learnt."""
    row = _row(out, i, event.ts_known, event.ts_event)
    row.at_ns, row.decision, row.cluster, row.publishers = c.told_ns, c.decision, c.cluster, c.publishers
    row.side, row.gates, row.passed = c.side, c.gates, c.passed
    return row


@stage
def _row(out, i, known_ns, resolved_ns):
    """An empty row of what was learnt about asset i."""
    head = out.head[0]
    row = out.lessons[head.lessons]
    head.lessons += 1
    row.event, row.ts_ns, row.resolved_ns, row.asset, row.kind = head.event, known_ns, resolved_ns, i, 0
    row.at_ns, row.decision, row.cluster, row.side, row.gates, row.passed = 0, 0, -1, 0, 0, 0
    row.publishers = np.uint64(0)
    row.why, row.y, row.stream = WHY_NONE, outcome.UNRESOLVED, -1
    row.net_return, row.net_usd, row.before, row.after = math.nan, math.nan, math.nan, math.nan
    return row
