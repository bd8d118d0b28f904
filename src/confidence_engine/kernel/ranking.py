"""Which cases go first, and how many: the edge of a case in units that mean the same for every asset.

edge = (2 p - 1) (1 + rotation side score) - cost / sigma_H: what the event Y of `domain/outcome` wins on average at
probability p, as multiples of the move sigma_H = sigma sqrt(H / bar) expected over the holding time, less the round
trip in the same unit. An asset whose costs eat its move ranks low, below zero where they eat all of it.
score in [-1, 1] is the mean of two ranks within the asset's class over daily closes: momentum, the return of
`lookback` days without the last `skip`, in sigma (Jegadeesh and Titman, J. Finance 48, 1993, p. 65; for coins
Liu, Tsyvinski and Wu, J. Finance 77, 2022, p. 1133), and calm, the smaller volatility (Blitz and van Vliet, J.
Portfolio Management 34, 2007, p. 102). Both are found over months; that they help over hours is not shown, so rotation
only tilts an order among cases that stories made. Impact is not in the cost: it depends on the size, which comes later.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from confidence_engine.domain.decision import GATE_NOT_RANKED
from confidence_engine.domain.jit import stage
from confidence_engine.domain.params import Bound
from confidence_engine.domain.units import DAY_NS, HOUR_NS, WEEK_NS
from confidence_engine.kernel.state import DAYS

__all__ = ["Params", "edge", "frame_end", "observe", "pick", "refresh", "refuse", "rescale"]

MIN_DAYS = 10
"""Fewer daily returns than this rank nothing."""


class Params(NamedTuple):
    """How many cases a timer takes, and what tilts their order; neutral: top 256, rotation 0, cost_factor 0."""

    top: Annotated[int, Bound("count", 1, 256)] = 3
    rotation: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.25
    cost_factor: Annotated[float, Bound("ratio", 0.0, 20.0)] = 1.0
    lookback: Annotated[int, Bound("count", 11, DAYS - 1)] = 60
    skip: Annotated[int, Bound("count", 0, 30)] = 5


@stage
def frame_end(close_ns):
    """End of the day that a bar belongs to; a bar that ends at midnight belongs to the day before it."""
    return ((close_ns - 1) // DAY_NS + 1) * DAY_NS


@stage
def observe(s, i, close_ns, close, p):
    """One closed bar of asset i, in its order; the first bar of a new day closes the day before."""
    t = s.trend[i]
    if close_ns > t.ends_ns:
        if t.ends_ns != 0:
            s.day[i, t.frames % DAYS].log_close = math.log(t.close)
            t.frames += 1
            _measure(s, i, p)
            s.head[0].unranked = 1
        t.ends_ns = frame_end(close_ns)
    t.closed_ns, t.close = close_ns, close


@stage
def rescale(s, i, factor):
    """Past closes of asset i times `factor`, as after a split or a dividend: no day's return comes of it."""
    t = s.trend[i]
    t.close *= factor
    for k in range(min(t.frames, DAYS)):
        s.day[i, k].log_close += math.log(factor)


@stage
def _measure(s, i, p):
    """Momentum and volatility from the days that are closed, with fresh sums; NaN where they are too few."""
    t = s.trend[i]
    moves = min(min(t.frames, DAYS) - 1, p.lookback)
    t.momentum, t.daily_sigma = math.nan, math.nan
    if moves < MIN_DAYS:
        return
    total = 0.0
    for k in range(moves):
        move = _log_close(s, i, k) - _log_close(s, i, k + 1)
        total += move * move
    skip = min(p.skip, moves // 2)
    t.daily_sigma = math.sqrt(total / moves)
    if t.daily_sigma > 0.0:
        t.momentum = (_log_close(s, i, skip) - _log_close(s, i, moves)) / (t.daily_sigma * math.sqrt(moves - skip))


@stage
def _log_close(s, i, ago):
    """Log close of the day that closed `ago` days before the newest."""
    return s.day[i, (s.trend[i].frames - 1 - ago) % DAYS].log_close


@stage
def refresh(s):
    """Rank every class anew where a day has closed, at most once an hour of event time."""
    h = s.head[0]
    if h.unranked == 0:
        return
    hour = h.now_ns // HOUR_NS
    if hour == h.ranked_hour:
        return
    h.unranked, h.ranked_hour = 0, hour
    for i in range(h.n_assets):
        t = s.trend[i]
        t.rank_momentum, t.rank_calm = math.nan, math.nan
        if _ranked(s, i):
            _place(s, i)


@stage
def _ranked(s, i):
    """Whether asset i takes part: active, known for long enough, and heard of within the week."""
    t = s.trend[i]
    return s.asset[i].active != 0 and t.momentum == t.momentum and s.head[0].now_ns - t.closed_ns < WEEK_NS


@stage
def _place(s, i):
    """Ranks of one asset among its class: (below - above) / (others), so equals share a rank and ids do not matter."""
    mine = s.trend[i]
    others, faster, calmer = 0, 0, 0
    for k in range(s.head[0].n_assets):
        t = s.trend[k]
        if k != i and s.inst[k].klass == s.inst[i].klass and _ranked(s, k):
            others += 1
            faster += _sign(mine.momentum - t.momentum)
            calmer += _sign(t.daily_sigma - mine.daily_sigma)
    if others > 0:
        mine.rank_momentum, mine.rank_calm = faster / others, calmer / others


@stage
def _sign(x):
    """1, 0 or -1."""
    return 1 if x > 0.0 else (-1 if x < 0.0 else 0)


@stage
def edge(s, i, d, maker, hold_ns, p):
    """Net edge of case `d` in sigma of the holding time; NaN without a side or a gap. `maker`: the entry rests."""
    if d.side == 0 or math.isnan(d.gap):
        return math.nan
    inst, t = s.inst[i], s.trend[i]
    gross = 2.0 * d.confidence - 1.0
    score = 0.5 * (t.rank_momentum + t.rank_calm)
    if score == score:
        gross *= 1.0 + p.rotation * d.side * score
    expected = d.sigma * math.sqrt(max(hold_ns / inst.bar_ns, 1.0))
    cost = inst.taker + inst.half_spread
    cost += inst.maker if maker else cost
    if not expected > 0.0:
        return math.nan
    return gross - p.cost_factor * cost / expected


@stage
def pick(out, first, last, waiting):
    """Row of the best case that waits, -1 for none: the largest edge, then strength, then the gap in triggers."""
    best = -1
    for k in range(first, last):
        if out.decisions[k].gates == waiting and (best < 0 or _ahead(out.decisions[k], out.decisions[best])):
            best = k
    return best


@stage
def _ahead(one, other):
    """Whether `one` goes before `other`; an exact tie leaves the smaller id ahead. An unknown edge goes last."""
    if one.edge != other.edge and not (math.isnan(one.edge) and math.isnan(other.edge)):
        return one.edge > other.edge or math.isnan(other.edge)
    if one.strength != other.strength:
        return one.strength > other.strength
    return abs(one.gap) / one.trigger > abs(other.gap) / other.trigger


@stage
def refuse(out, first, last, waiting):
    """Every case that still waits is one too many."""
    for k in range(first, last):
        if out.decisions[k].gates == waiting:
            out.decisions[k].gates = 1 << GATE_NOT_RANKED
