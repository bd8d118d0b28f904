"""READ THIS FIRST: the whole mind, top to bottom, a line a stage.

`step(state, event, params, out)` is pure: no clock, no randomness, no I/O, no globals. It
writes into the state and the output it is handed and nowhere else. Same state bytes, same
events, same parameters: same bytes. It never raises; a non-zero `out.head.status` means halt.

    what happened to us    -> ledger, orders      what the operator says -> risk
    what the market does   -> price, ledger       what is being told     -> narrative, divergence
    what a feed did wrong  -> feed
    at a TIMER: out of positions first (exits, algos), then every asset that has something new is
    judged (divergence -> horizons, crowd -> confidence -> quality, conviction -> gates), and the best cases
    (ranking) are sized and sent
    (exits.plan -> sizing -> risk -> orders -> algos), the account having the last word.
"""

from __future__ import annotations

import math

from confidence_engine.domain.decision import (
    GATE_COOLDOWN,
    GATE_MARKET_CLOSED,
    GATE_NO_SHORT,
    GATE_ORDER_WORKING,
    GATE_POSITION_OPEN,
    GATE_SAME_STORY,
    GATES,
)
from confidence_engine.domain.event import (
    ADJUSTED,
    BACKFILL,
    BAR,
    CANCELLED,
    COMMAND,
    CORPORATE,
    DEGRADED,
    FEED,
    FILL,
    FUNDING,
    LIQUIDATION,
    REJECT,
    SCORE,
    SESSION,
    SIGNAL,
    SYNTHETIC,
    TIMER,
    bar_close,
    command_code,
    timer_is_grid,
)
from confidence_engine.domain.jit import stage
from confidence_engine.domain.order import CMD_STAND_DOWN, WHY_REVERSED
from confidence_engine.domain.units import HOUR_NS
from confidence_engine.kernel import (
    algos,
    confidence,
    conviction,
    corporate,
    crowd,
    divergence,
    door,
    exits,
    feed,
    feedback,
    gates,
    horizons,
    ledger,
    market,
    narrative,
    orders,
    price,
    quality,
    ranking,
    regime,
    risk,
    session,
    sizing,
)
from confidence_engine.kernel.feedback import UNDECIDED
from confidence_engine.kernel.out import STATUS_NUMBER, STATUS_ORDER, STATUS_UNKNOWN_KIND, STATUS_UNSOUND

__all__ = ["step"]

IN_POSITION = (
    1 << GATE_POSITION_OPEN
    | 1 << GATE_ORDER_WORKING
    | 1 << GATE_NO_SHORT
    | 1 << GATE_SAME_STORY
    | 1 << GATE_COOLDOWN
    | 1 << GATE_MARKET_CLOSED
)
"""Bits that do not weaken a case against the position held: they only forbid a new entry. A reduction that is decided
while the market is closed waits at the venue for the open. DEGRADED is not among them: a position is not turned
against on data that may not be believed, and keeps its stop, its target and its time."""

ENTERED = 1 << 62
"""Private mark of a case that passed its gates and waits for its turn to be sized."""


@stage
def step(s, event, p, out):
    """One event. State NamedTuple, EVENT record, params record, Out NamedTuple."""
    h = s.head[0]
    if event.ts_known < h.now_ns:
        out.head[0].status = STATUS_ORDER
        return
    if not door.sound(s, event):
        out.head[0].status = STATUS_UNSOUND
        return
    h.now_ns = event.ts_known
    out.head[0].event = h.steps
    h.steps += 1
    kind = event.kind
    if kind == BAR:
        price.observe(s, event.asset, event, p.price)
        regime.observe(s, event.asset, event, p.regime)
        crowd.observe(s, event.asset, p.crowd)
        ranking.observe(s, event.asset, event.ts_event, bar_close(event), p.ranking)
        s.book[event.asset].mark_price = bar_close(event)
        exits.reach(s, event.asset)
        if s.asset[event.asset].pending > 0:  # a call hands over the whole state, which costs more than looking
            feedback.settle(s, event, out, p)
    elif kind == TIMER:
        _timer(s, event, p, out)
    elif kind == SIGNAL:
        narrative.hear(s, event, p.narrative)
        crowd.hear(s, event, p.crowd)
    elif kind == SCORE:
        divergence.hear_score(s, event)
    elif kind == FILL or kind == LIQUIDATION:
        ledger.book(s, event, out)
        feedback.book(s, event.asset, out, p.feedback)
        orders.filled(s, event, out)
    elif kind == FUNDING:
        ledger.fund(s, event, out)
        if s.book[event.asset].lots != 0:
            feedback.book(s, event.asset, out, p.feedback)
    elif kind == CANCELLED or kind == REJECT:
        orders.settle(s, event, kind == REJECT)
    elif kind == SESSION:
        session.begin(s, event)
    elif kind == CORPORATE:
        written = out.head[0].entries
        corporate.adjust(s, event, out)
        if out.head[0].entries > written:
            feedback.book(s, event.asset, out, p.feedback)
    elif kind == COMMAND:
        _obey(s, event, out)
    elif kind == FEED:
        feed.hear(s, event, out, p.feed)
    else:
        out.head[0].status = STATUS_UNKNOWN_KIND


@stage
def _timer(s, event, p, out):
    """Account first, then exits, then judgement; during backfill beliefs are learnt and nothing is decided."""
    h = s.head[0]
    ledger.mark(s)
    if not math.isfinite(h.equity):
        out.head[0].status = STATUS_NUMBER
        return
    risk.roll(s, h.now_ns)
    risk.watch(s, p.risk)
    for u in range(h.n_underlyings):
        narrative.measure(s, u, h.now_ns, p.narrative)
        if timer_is_grid(event):
            narrative.settle(s, u, p.narrative)
    if timer_is_grid(event):
        crowd.settle(s, h.now_ns, p.crowd)
        market.settle(s, h.now_ns, p.market)
    if event.marks & BACKFILL:
        _watch_due(s, event, p, out)
        return
    if h.now_ns // HOUR_NS != h.last_equity_ns // HOUR_NS:
        h.last_equity_ns = h.now_ns
        ledger.snapshot(s, out)
    for i in range(h.n_assets):
        exits.review(s, i, out)
        algos.release(s, i, out, p.algos)
    ranking.refresh(s)
    first = out.head[0].decisions
    _judge_due(s, event, p, out)
    _enter_best(s, first, p, out)
    _conclude(s, first, out, p)


@stage
def _obey(s, event, out):
    """An operator's command takes effect with the event, not with the next timer."""
    h = s.head[0]
    risk.command(s, event)
    if h.halted != 0 or command_code(event) == CMD_STAND_DOWN:
        for i in range(h.n_assets):
            exits.obey(s, i, out)


@stage
def _judge_due(s, event, p, out):
    """Judge every asset that has something new."""
    h = s.head[0]
    for i in range(h.n_assets):
        a = s.asset[i]
        u = s.inst[i].underlying
        if a.active and (a.due or s.told[u].due):
            a.due = 0
            _judge(s, i, event, p, out)
    for u in range(h.n_underlyings):
        s.told[u].due = 0


@stage
def _watch_due(s, event, p, out):
    """During backfill nothing is decided; what becomes of the stories is learnt all the same, whatever the account.

    `due` 2 has been watched and is still to be judged by the first timer that decides.
    """
    h = s.head[0]
    d = out.decisions[out.head[0].decisions]  # a row to work on, never counted
    for i in range(h.n_assets):
        a = s.asset[i]
        if a.active and (a.due == 1 or s.told[s.inst[i].underlying].due == 1):
            if a.due == 1:
                a.due = 2
            _weigh(s, i, event, d, p)
            d.gates = UNDECIDED
            feedback.watch(s, d, p.feedback)
    for u in range(h.n_underlyings):
        if s.told[u].due == 1:
            s.told[u].due = 2


@stage
def _judge(s, i, event, p, out):
    """One asset: gap, confidence, gates; written in full when evidence lives, a position is open or a gate flips."""
    h, a, b, head = s.head[0], s.asset[i], s.book[i], out.head[0]
    d = out.decisions[head.decisions]
    evidence = _weigh(s, i, event, d, p)
    d.edge = ranking.edge(s, i, d, p.algos.style == algos.LIMIT, p.exits.hold_ns, p.ranking)
    d.gates = gates.data(s, i, h.now_ns, p.price.min_obs, p.price.stale_bars, p.gates)
    head.degraded += d.gates != 0
    head.judged += 1
    quality.judge(s, i, d, p.narrative.half_life_ns, p.price.stale_bars)
    conviction.judge(s, i, d, p.conviction)
    d.gates |= gates.check(s, i, h.now_ns, d, evidence, p.gates)
    if d.gates == 0:
        d.gates = ENTERED
    elif b.lots * d.side < 0 and (d.gates & ~IN_POSITION) == 0:
        orders.reduce(s, i, out, WHY_REVERSED)
    elif b.limit_ticks != 0 and b.entry_leaves * d.side < 0 and (d.gates & ~IN_POSITION) == 0:
        orders.stand_down(s, i, out)
    if evidence or b.lots != 0 or d.gates != b.last_gates:
        h.decision_seq += 1
        d.seq = h.decision_seq
        out.decided_at[head.decisions] = head.event
        head.decisions += 1
    else:
        _count(out, d.gates)
    a.seen_marks &= SYNTHETIC | ADJUSTED


@stage
def _weigh(s, i, event, d, p):
    """The case of one asset, whatever the account may do about it; returns whether any evidence lives."""
    now_ns = s.head[0].now_ns
    _describe(s, i, event, d)
    market.measure(s, i, d)
    evidence = divergence.measure(s, i, now_ns, d, p.divergence)
    d.trigger *= regime.trigger(d.regime, p.regime)
    horizons.measure(s, i, now_ns, d, p.horizons, p.narrative, p.divergence)
    crowd.measure(s, i, now_ns, d, p.crowd, p.price, p.narrative.memory_ns)
    confidence.judge(d, p.confidence)
    return evidence


@stage
def _describe(s, i, event, d):
    """What is known before judging."""
    h, a, b = s.head[0], s.asset[i], s.book[i]
    d.seq, d.ts_ns, d.asset, d.underlying = 0, h.now_ns, i, s.inst[i].underlying
    d.price, d.price_ns, d.sigma, d.atr = a.price, a.close_ns, a.sigma, a.atr
    d.volume_z, d.warmth, d.equity, d.size_r = a.volume_z, a.warmth, h.equity, 0.0
    d.held_lots, d.target_lots = b.lots, b.lots
    d.stop_ticks, d.target_ticks, d.deadline_ns, d.margin_usd = b.stop_ticks, b.target_ticks, b.deadline_ns, b.margin
    d.marks = (event.marks | a.seen_marks) & (DEGRADED | SYNTHETIC | ADJUSTED)
    if feed.faulty(s, i) != 0:
        d.marks |= DEGRADED
    d.regime, d.findings, d.crowd, d.edge = regime.packed(s, i), 0, 1.0, math.nan
    d.gap_short, d.gap_mid, d.gap_long, d.anticipation = math.nan, math.nan, math.nan, math.nan
    d.market, d.quality, d.conviction = math.nan, math.nan, math.nan


@stage
def _enter_best(s, first, p, out):
    """Cases that passed, the best first, so that limits are spent on them whatever the order of assets.

    At most `top` a timer; one that the account refuses makes room for the next.
    """
    last = out.head[0].decisions
    taken = 0
    while taken < p.ranking.top:
        best = ranking.pick(out, first, last, ENTERED)
        if best < 0:
            return
        d = out.decisions[best]
        d.gates = 0
        _enter(s, d, p, out)
        if d.gates == 0:
            taken += 1
            ledger.mark(s)
    ranking.refuse(out, first, last, ENTERED)


@stage
def _enter(s, d, p, out):
    """Size one case under the account's limits and send it; or set the bit that refused."""
    i = d.asset
    b, h = s.book[i], s.head[0]
    stop_distance = regime.widened(d.regime, exits.distance(s, i, d, p.exits), p.regime)
    lots = sizing.target(s, i, d, stop_distance, p.sizing)
    if lots != 0:
        lots = regime.sized(d, lots, p.regime)
    if lots != 0:
        lots = risk.limit(s, i, d, lots, p.risk)
    margin = 0.0
    if lots != 0:
        lots, margin = sizing.afford(s, i, d, lots, stop_distance, p.exits.hold_ns, p.sizing)
    if lots != 0 and orders.diff(s, i, d, lots) == 0:
        lots = 0
    if lots == 0:
        d.size_r = 0.0
        return
    exits.plan(s, i, d, stop_distance, p.exits)
    b.decision = d.seq
    narrative.mark_traded(s, d.underlying, i)
    d.target_lots, d.margin_usd = lots, margin
    d.size_r = sizing.taken(s, i, d, lots, stop_distance, p.sizing)
    h.day_trades += 1
    h.week_trades += 1
    algos.first(s, i, out, lots, margin, p.algos)


@stage
def _conclude(s, first, out, p):
    """Count what refused, remember the final bits, and watch what becomes of the case."""
    for k in range(first, out.head[0].decisions):
        d = out.decisions[k]
        s.book[d.asset].last_gates = d.gates
        feedback.watch(s, d, p.feedback)
        _count(out, d.gates)


@stage
def _count(out, bits):
    """One more for every gate that refused."""
    for g in range(GATES):
        out.refusals[g] += (bits >> g) & 1
