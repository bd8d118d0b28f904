"""What the price says: how far it usually moves, how far it has moved, how many take part.

Volatility is an exponentially weighted variance of log returns a bar (RiskMetrics Technical
Document, 1996, p. 78), bias-corrected and shrunk to the class prior while history is short.
Range is Wilder's ATR (New Concepts in Technical Trading Systems, 1978, p. 21) on closed frames
of fixed length; in a market with sessions frames are counted from the open. Participation is the surprise
of log volume against the same hour of the week, before three weeks are known against the hour of the day,
before that against all hours; with sessions hours are local, and a whole session is one of its weekday.
Every score is taken before the current bar enters the statistics it is measured against.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from confidence_engine.domain.event import bar_close, bar_high, bar_low, bar_open, bar_volume
from confidence_engine.domain.jit import stage
from confidence_engine.domain.params import Bound
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS
from confidence_engine.kernel import session
from confidence_engine.kernel.state import RING_BARS

__all__ = [
    "Params", "at", "bars_between", "frame_of", "move", "observe", "recent_volume", "round_the_clock", "since",
    "volume_since",
]  # fmt: skip

LN2 = math.log(2.0)
SECOND = 1e-9


class Params(NamedTuple):
    """How history turns into volatility, range and participation."""

    vol_half_life_ns: Annotated[int, Bound("duration", HOUR_NS, 365 * DAY_NS)] = DAY_NS
    vol_prior_obs: Annotated[float, Bound("ratio", 1.0, 10_000.0)] = 50.0
    min_obs: Annotated[int, Bound("count", 20, 100_000)] = 288
    full_obs: Annotated[int, Bound("count", 21, 1_000_000)] = 4032
    stale_bars: Annotated[float, Bound("ratio", 1.0, 100.0)] = 3.0
    atr_frame_ns: Annotated[int, Bound("duration", MINUTE_NS, 30 * DAY_NS)] = HOUR_NS
    atr_obs: Annotated[float, Bound("ratio", 2.0, 200.0)] = 14.0
    volume_obs: Annotated[float, Bound("ratio", 10.0, 100_000.0)] = 500.0
    volume_prior_weeks: Annotated[float, Bound("ratio", 0.1, 520.0)] = 3.0
    volume_smooth: Annotated[float, Bound("ratio", 0.01, 1.0)] = 0.3


@stage
def observe(s, i, event, p):
    """One closed bar of asset i: price, ring, volatility, range and participation."""
    a = s.asset[i]
    close = bar_close(event)
    _volatility(s, i, event.ts_event, close, p)
    _participation(s, i, event.ts_event, bar_volume(event), p)
    a.open, a.high, a.low, a.price = bar_open(event), bar_high(event), bar_low(event), close
    _frame(s, i, event.ts_event, p)
    a.close_ns, a.known_ns = event.ts_event, event.ts_known
    a.seen_marks |= event.marks
    a.due = 1
    r = s.ring[i, a.n_bars % RING_BARS]
    r.close_ns, r.price, r.sigma, r.volume = event.ts_event, close, a.sigma, bar_volume(event)
    a.n_bars += 1
    span = float(max(p.full_obs - p.min_obs, 1))
    a.warmth = min(max((a.n_bars - p.min_obs) / span, 0.0), 1.0)
    if a.n_bars == p.min_obs:
        a.first_warm_ns = event.ts_known


@stage
def _volatility(s, i, close_ns, close, p):
    """Variance of one bar's log return; a return over k missing bars of a 24x7 market counts as k bars."""
    a, inst = s.asset[i], s.inst[i]
    c = s.klass[inst.klass]
    bar_s = inst.bar_ns * SECOND
    prior = c.annual_variance * bar_s / c.year_s
    if inst.bar_ns >= DAY_NS:  # a session is a bar, however few hours trade in it
        prior = c.annual_variance / 252.0 if c.year_s < 365 * 86400.0 else prior
    if a.n_bars == 0:
        a.bar_ns = inst.bar_ns
        a.decay = math.exp(-LN2 * inst.bar_ns / max(p.vol_half_life_ns, 10 * inst.bar_ns))
        a.sigma = math.sqrt(prior)
        return
    move = math.log(close / a.price)
    bars = _bars(s, i, close_ns - a.close_ns, 1)
    a.variance = a.decay * a.variance + (1.0 - a.decay) * move * move / bars
    a.variance_weight = a.decay * a.variance_weight + (1.0 - a.decay)
    seen = float(a.n_bars)
    mean = a.variance / a.variance_weight
    a.sigma = math.sqrt((seen * mean + p.vol_prior_obs * prior) / (seen + p.vol_prior_obs))


@stage
def round_the_clock(s, i):
    """Whether asset i trades without sessions, so that a missing bar is time."""
    return s.inst[i].calendar == 0 and s.klass[s.inst[i].klass].year_s >= 365 * 86400.0


@stage
def _bars(s, i, passed_ns, counted):
    """Bars of time that passed, at least one: round the clock a missing bar is time, in sessions only bars count."""
    if round_the_clock(s, i):
        return max(1.0, math.floor(passed_ns / s.inst[i].bar_ns + 0.5))
    return max(1.0, float(counted))


@stage
def frame_of(s, i, close_ns, frame_ns):
    """Id of the frame of `frame_ns` that holds the instant before `close_ns`; it never falls while time goes on.

    Round the clock frames are multiples of their length since 1970. With sessions they start anew at every open, the
    last of a session is as short as the rest of it, and frames of whole days are as many sessions.
    """
    c = s.inst[i].calendar
    k, opened_ns = session.number(s, c, close_ns) if c > 0 else (-1, 0)
    if k < 0:
        return (close_ns - 1) // frame_ns
    if frame_ns >= DAY_NS:
        return k // (frame_ns // DAY_NS)
    return k * ((DAY_NS + frame_ns - 1) // frame_ns) + (close_ns - 1 - opened_ns) // frame_ns


@stage
def _frame(s, i, close_ns, p):
    """Wilder's ATR over closed frames; a frame is closed by the first bar that ends after it."""
    a = s.asset[i]
    frame_ns = max(p.atr_frame_ns, a.bar_ns)
    frame = frame_of(s, i, close_ns, frame_ns)
    if a.n_bars == 0:
        a.frame, a.frame_high, a.frame_low, a.frame_prior = frame, a.high, a.low, a.open
    elif frame != a.frame:
        reach = max(a.frame_high, a.frame_prior) - min(a.frame_low, a.frame_prior)
        if a.atr_n == 0:
            a.atr = reach
        else:
            step = max(1.0 / p.atr_obs, 1.0 / (a.atr_n + 1.0))
            a.atr += (reach - a.atr) * step
        a.atr_n += 1
        a.frame_prior = a.frame_close
        a.frame, a.frame_high, a.frame_low = frame, a.high, a.low
    a.frame_high, a.frame_low = max(a.frame_high, a.high), min(a.frame_low, a.low)
    a.frame_close = a.price


@stage
def _participation(s, i, close_ns, volume, p):
    """Smoothed surprise of log volume, in deviations, clipped to +-4; an unknown volume teaches nothing.

    A bar without a trade scores -4 times how unusual silence is: in a thin market it is nothing special.
    """
    a = s.asset[i]
    if math.isnan(volume):
        return
    score = _surprise(s, i, close_ns, volume, p)
    if volume > 0.0:
        x = math.log(volume)
        hour = _hour(s, i, close_ns)
        _learn(s.slot[i, 0], x, p.volume_obs)
        _learn(s.slot[i, 1 + hour % 24], x, p.volume_obs)
        _learn(s.slot[i, 25 + hour % 168], x, p.volume_obs)
    silent = 0.0 if volume > 0.0 else 1.0
    a.silent += (silent - a.silent) * max(1.0 / (a.volume_n + 1.0), 1.0 / p.volume_obs)
    if a.volume_n == 0:
        a.volume_z = score
    else:
        a.volume_z += p.volume_smooth * (score - a.volume_z)
    a.volume_n += 1


@stage
def _whole(s, i):
    """Whether a bar of asset i is a whole session, one a weekday."""
    return s.inst[i].calendar > 0 and s.inst[i].bar_ns >= DAY_NS


@stage
def _hour(s, i, close_ns):
    """Local hour since 1970 in which a bar ended; that of a whole session is its day's first."""
    hour = (close_ns - 1 + session.offset(s, i, close_ns - 1)) // HOUR_NS
    return hour - hour % 24 if _whole(s, i) else hour


@stage
def _surprise(s, i, close_ns, volume, p):
    """How unusual the volume of one bar is for its hour of the week, in deviations."""
    a = s.asset[i]
    if not volume > 0.0:
        return -4.0 * (1.0 - a.silent)
    hour = _hour(s, i, close_ns)
    g, d, w = s.slot[i, 0], s.slot[i, 1 + hour % 24], s.slot[i, 25 + hour % 168]
    k = max(p.volume_prior_weeks * HOUR_NS / a.bar_ns, 1.0)  # bars of one hour of the week in that time
    if _whole(s, i):
        k = max(p.volume_prior_weeks, 1.0)
    centre = (d.count * d.centre + k * g.centre) / (d.count + k)
    centre = (w.count * w.centre + k * centre) / (w.count + k)
    spread = (d.count * d.deviation + k * g.deviation) / (d.count + k)
    spread = (w.count * w.deviation + k * spread) / (w.count + k)
    if not spread > 0.0:
        return 0.0
    # 1.2533 = sqrt(pi / 2): mean absolute deviation to standard deviation
    return min(max((math.log(volume) - centre) / (1.2533141373155001 * spread), -4.0), 4.0)


@stage
def _learn(slot, x, obs):
    """Running centre and mean absolute deviation: exact means at first, exponential after `obs`."""
    step = max(1.0 / (slot.count + 1.0), 1.0 / obs)
    if slot.count > 0:
        slot.deviation += (abs(x - slot.centre) - slot.deviation) * step
    slot.centre += (x - slot.centre) * step
    slot.count = slot.count + 1


@stage
def at(s, i, ns):
    """Bar number of the last bar of asset i that closed at or before `ns`; -1 where the ring no longer holds it."""
    a = s.asset[i]
    low, high = max(0, a.n_bars - RING_BARS), a.n_bars - 1
    if high < 0 or s.ring[i, low % RING_BARS].close_ns > ns:
        return -1
    newest_ns, bar_ns = s.ring[i, high % RING_BARS].close_ns, s.inst[i].bar_ns
    if ns >= newest_ns:
        return high
    guess = high - (newest_ns - ns + bar_ns - 1) // bar_ns  # right where no bar is missing since
    if guess >= low and s.ring[i, guess % RING_BARS].close_ns <= ns < s.ring[i, (guess + 1) % RING_BARS].close_ns:
        return guess
    while low < high:
        middle = (low + high + 1) // 2
        if s.ring[i, middle % RING_BARS].close_ns <= ns:
            low = middle
        else:
            high = middle - 1
    return low


@stage
def since(s, i, ns, clip):
    """Move since `ns` in units of what was expected then: ln(P / P0) / (sigma_0 sqrt(bars)), clipped; NaN unknown.

    Time is counted as in the volatility: round the clock missing bars are part of it; at least one bar of sigma.
    """
    a = s.asset[i]
    start = at(s, i, ns)
    if start < 0:
        return math.nan
    r = s.ring[i, start % RING_BARS]
    if not r.sigma > 0.0:
        return math.nan
    bars = _bars(s, i, a.close_ns - r.close_ns, a.n_bars - 1 - start)
    move = math.log(a.price / r.price) / (r.sigma * math.sqrt(bars))
    return min(max(move, -clip), clip)


@stage
def bars_between(s, i, first, last):
    """Bars of time from bar number `first` to `last`, counted as in the volatility."""
    passed_ns = s.ring[i, last % RING_BARS].close_ns - s.ring[i, first % RING_BARS].close_ns
    return _bars(s, i, passed_ns, last - first)


@stage
def move(s, i, from_ns, to_ns, clip):
    """Move between two times in units of what was expected at the first, clipped; NaN where it holds no bar."""
    first, last = at(s, i, from_ns), at(s, i, to_ns)
    if first < 0 or last <= first:
        return math.nan
    one, two = s.ring[i, first % RING_BARS], s.ring[i, last % RING_BARS]
    if not one.sigma > 0.0:
        return math.nan
    z = math.log(two.price / one.price) / (one.sigma * math.sqrt(bars_between(s, i, first, last)))
    return min(max(z, -clip), clip)


@stage
def volume_since(s, i, ns, p):
    """Mean surprise of the volume of the bars that closed after `ns`; NaN where none is known."""
    a = s.asset[i]
    total, known = 0.0, 0
    for n in range(at(s, i, ns) + 1, a.n_bars):
        r = s.ring[i, n % RING_BARS]
        if n >= a.n_bars - RING_BARS and r.volume == r.volume:
            total += _surprise(s, i, r.close_ns, r.volume, p)
            known += 1
    return total / known if known > 0 else math.nan


@stage
def recent_volume(s, i, bars):
    """Mean volume in base of up to `bars` last bars; 0 before the first."""
    a = s.asset[i]
    count = min(bars, min(a.n_bars, RING_BARS))
    total = 0.0
    for k in range(count):
        total += s.ring[i, (a.n_bars - 1 - k) % RING_BARS].volume
    return total / count if count > 0 else 0.0
