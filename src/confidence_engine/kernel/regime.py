"""How wild the market is for this asset, and which way it drifts, on three timeframes of closed bars.

Volatility is a hidden level on a grid of 48, log-spaced about the class prior. Between bars it stays, or jumps with a
small probability rho to a level drawn from where the asset has been; returns are Student t about it with 4, 9 or 39
degrees of freedom. One Bayes step a bar (Hamilton, Econometrica 57 (1989), p. 357) keeps the joint posterior; the
places it jumps to are the decayed mean of the posterior, rho is learnt by the smoothed count of jumps (Cappe, J. Comp.
Graph. Stat. 20 (2011), p. 728), which costs one number a level because the jump forgets where it came from.
The class is the percentile of the expected level in the trailing, decayed year: low < 25 %, high > 75 %, extreme
> 95 %. The trend is a three-state filter of the drift in units of that volatility: weak by nature, see docs/regimes.md.
A class is confirmed as the median of the three timeframes, one not yet known voting for the middle.
"""

from __future__ import annotations

import math
from typing import Annotated, Final, NamedTuple

import numpy as np

from confidence_engine.domain.decision import GATE_TOO_SMALL
from confidence_engine.domain.event import bar_close, bar_open
from confidence_engine.domain.jit import stage
from confidence_engine.domain.params import Bound
from confidence_engine.domain.regime import TREND_WORDS, VOLATILITY_WORDS, words
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS
from confidence_engine.kernel.price import frame_of, round_the_clock
from confidence_engine.kernel.state import LEVELS, REGIME_FRAMES

__all__ = [
    "ANCHOR", "DOWN", "EXTREME", "HIGH", "LOW", "MEDIUM", "Params", "SIDEWAYS", "STEP", "TREND_WORDS", "UNKNOWN", "UP",
    "VOLATILITY_WORDS", "observe", "packed", "sized", "trend", "trigger", "volatility", "widened", "words",
]  # fmt: skip

UNKNOWN = 0
LOW, MEDIUM, HIGH, EXTREME = 1, 2, 3, 4
DOWN, SIDEWAYS, UP = 1, 2, 3

STEP: Final = 0.15
"""Distance of two levels in the log of volatility."""
ANCHOR: Final = 24
"""Level of the class prior; the grid reaches 36 times below it and 31 times above."""
LEAST_SWITCH, MOST_SWITCH = 1e-4, 0.2
REACH = 0.01  # share of the jumps that may go to any level, however seldom it was seen
TURN = 1e-4  # share of the posterior that reconsiders how heavy the tails are, a bar
SPREAD = 0.6  # standard deviation of the log of volatility that a class prior allows for; the logistic's scale is
LOGISTIC = math.pi / math.sqrt(3.0) / SPREAD  # chosen so that its standard deviation is that
OPEN_SPREAD = 1.2  # the same, of where the level may be before anything was seen


def _scale(nu: float) -> float:
    """Density at 0 of a Student t of unit variance."""
    return math.gamma((nu + 1.0) / 2.0) / math.gamma(nu / 2.0) / math.sqrt(math.pi * (nu - 2.0))


FAT, MIDDLE, THIN = 4.0, 9.0, 39.0  # an odd number's density is a whole power and needs no square root
NUMBER: Final = np.arange(LEVELS, dtype=np.float64)
PRECISION: Final = np.exp(-2.0 * STEP * (NUMBER - ANCHOR))  # 1 / variance, the class prior being 1
FAT_DENSITY: Final = _scale(FAT) * np.sqrt(PRECISION)
MIDDLE_DENSITY: Final = _scale(MIDDLE) * np.sqrt(PRECISION)
THIN_DENSITY: Final = _scale(THIN) * np.sqrt(PRECISION)


class Params(NamedTuple):
    """Timeframes, memory, and what other stages do differently in a regime; 1 changes nothing, unknown counts as 1."""

    follow: Annotated[bool, Bound("flag")] = True
    middle_frame_ns: Annotated[int, Bound("duration", MINUTE_NS, 30 * DAY_NS)] = HOUR_NS
    long_frame_ns: Annotated[int, Bound("duration", MINUTE_NS, 365 * DAY_NS)] = 4 * HOUR_NS
    min_age_ns: Annotated[int, Bound("duration", 0, 365 * DAY_NS)] = 14 * DAY_NS
    full_age_ns: Annotated[int, Bound("duration", DAY_NS, 3650 * DAY_NS)] = 365 * DAY_NS
    min_bars: Annotated[int, Bound("count", 2, 10_000)] = 60
    prior_bars: Annotated[float, Bound("ratio", 1.0, 100_000.0)] = 500.0
    switch: Annotated[float, Bound("ratio", 1e-4, 0.2)] = 0.01
    drift: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.15
    trend_bars: Annotated[float, Bound("ratio", 2.0, 100_000.0)] = 100.0
    trend_sure: Annotated[float, Bound("ratio", 0.34, 1.0)] = 0.6
    trigger_low: Annotated[float, Bound("ratio", 1.0, 10.0)] = 1.0
    trigger_medium: Annotated[float, Bound("ratio", 1.0, 10.0)] = 1.0
    trigger_high: Annotated[float, Bound("ratio", 1.0, 10.0)] = 1.0
    trigger_extreme: Annotated[float, Bound("ratio", 1.0, 10.0)] = 1.25
    stop_low: Annotated[float, Bound("ratio", 1.0, 5.0)] = 1.0
    stop_medium: Annotated[float, Bound("ratio", 1.0, 5.0)] = 1.0
    stop_high: Annotated[float, Bound("ratio", 1.0, 5.0)] = 1.0
    stop_extreme: Annotated[float, Bound("ratio", 1.0, 5.0)] = 1.25
    size_low: Annotated[float, Bound("ratio", 0.0, 1.0)] = 1.0
    size_medium: Annotated[float, Bound("ratio", 0.0, 1.0)] = 1.0
    size_high: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.7
    size_extreme: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.4


@stage
def observe(s, i, event, p):
    """One closed bar of asset i: every timeframe that it closes takes one step."""
    if not p.follow:
        return
    close, close_ns, bar_ns = bar_close(event), event.ts_event, s.inst[i].bar_ns
    for f in range(REGIME_FRAMES):
        frame_ns = bar_ns
        if f > 0:
            frame_ns = max(p.middle_frame_ns if f == 1 else p.long_frame_ns, bar_ns)
        r = s.regime[i, f]
        if frame_ns == bar_ns:
            if r.last_ns == 0:
                _begin(r, bar_open(event), close_ns - bar_ns, p)
            _advance(s, i, r, close, close_ns, frame_ns, p)
            continue
        frame = frame_of(s, i, close_ns, frame_ns)
        if r.last_ns == 0:
            _begin(r, bar_open(event), close_ns - bar_ns, p)
        elif frame != r.frame:  # closed by the first bar that ends after it
            _advance(s, i, r, r.price, r.price_ns, frame_ns, p)
        r.frame, r.price, r.price_ns = frame, close, close_ns


@stage
def _begin(r, price, ns, p):
    """Before the first bar: any level near the class prior, any tail, no trend."""
    total = 0.0
    for k in range(LEVELS):
        z = float(k - ANCHOR) * STEP / OPEN_SPREAD
        r.home[k] = math.exp(-0.5 * z * z)
        total += r.home[k]
    for k in range(LEVELS):
        r.home[k] = r.home[k] / total
        r.fat[k] = r.middle[k] = r.thin[k] = r.home[k] / 3.0
        r.jumps[k] = p.switch
    r.w_fat = r.w_middle = r.w_thin = 1.0 / 3.0
    r.back = p.switch
    r.switch, r.level, r.rank = p.switch, float(ANCHOR), math.nan
    r.down = r.calm = r.up = 1.0 / 3.0
    r.last, r.last_ns, r.first_ns = price, ns, ns


@stage
def _advance(s, i, r, close, close_ns, frame_ns, p):
    """One closed frame: the trend with the volatility expected before it, then the volatility, then the classes."""
    c = s.klass[s.inst[i].klass]
    year = _year_bars(c.year_s, frame_ns)
    passed = 1.0
    if round_the_clock(s, i):
        passed = max(1.0, math.floor(float(close_ns - r.last_ns) / float(frame_ns) + 0.5))
    x = math.log(close / r.last) / math.sqrt(passed * c.annual_variance / year)
    _drift(r, x * math.exp(-STEP * (r.level - ANCHOR)), passed, p)
    stay = 1.0 - r.switch if passed == 1.0 else math.exp(passed * math.log(1.0 - r.switch))
    step = max(2.0 / (float(r.n_bars) + 1.0 + p.prior_bars), 2.0 / year)
    _filter(r, x, stay, step)
    r.last, r.last_ns = close, close_ns
    r.n_bars += 1
    _classify(r, year, p)


@stage
def _year_bars(year_s, frame_ns):
    """Frames in a year of the class; a daily session is a frame, however few hours trade in it."""
    if frame_ns >= DAY_NS and year_s < 365 * 86400.0:
        return 252.0 * DAY_NS / frame_ns
    return year_s * 1e9 / frame_ns


@stage
def _filter(r, x, stay, step):
    """Bayes step over levels and tails, in place; x is the return in units of the class prior."""
    fat, middle, thin, jumps, home = r.fat, r.middle, r.thin, r.jumps, r.home
    _likelihood(r, x * x, stay, step)
    w_fat, w_middle, w_thin = _sum(fat), _sum(middle), _sum(thin)
    once = 1.0 / (w_fat + w_middle + w_thin)
    r.w_fat, r.w_middle, r.w_thin = w_fat * once, w_middle * once, w_thin * once
    for k in range(LEVELS):
        fat[k] = fat[k] * once
        middle[k] = middle[k] * once
        thin[k] = thin[k] * once
        home[k] = home[k] + step * (fat[k] + middle[k] + thin[k] - home[k])
    r.level = _mean(r, NUMBER)
    r.back = _mean(r, jumps)
    r.switch = min(max(r.back, LEAST_SWITCH), MOST_SWITCH)


@stage
def _likelihood(r, x2, stay, step):
    """Prediction times density in place of the posterior, the count of jumps moved along."""
    fat, middle, thin, jumps, home = r.fat, r.middle, r.thin, r.jumps, r.home
    keep, turn = stay * (1.0 - TURN), stay * TURN / 3.0
    away, anywhere = (1.0 - stay) * (1.0 - REACH), (1.0 - stay) * REACH / LEVELS
    w_fat = (1.0 - TURN) * r.w_fat + TURN / 3.0
    w_middle = (1.0 - TURN) * r.w_middle + TURN / 3.0
    w_thin = (1.0 - TURN) * r.w_thin + TURN / 3.0
    u_fat, u_middle, u_thin = x2 / (FAT - 2.0), x2 / (MIDDLE - 2.0), x2 / (THIN - 2.0)
    for k in range(LEVELS):
        here = fat[k] + middle[k] + thin[k]
        jump = away * home[k] + anywhere
        both = stay * here + jump
        a = math.sqrt(1.0 + u_fat * PRECISION[k])
        b, c = 1.0 + u_middle * PRECISION[k], 1.0 + u_thin * PRECISION[k]
        ab, c_both = a * b, c * both
        once = 1.0 / (ab * c_both)  # one division for four, which is what a level costs
        came = jump * (once * ab * c)
        jumps[k] = (1.0 - step) * (jumps[k] + came * (r.back - jumps[k])) + step * came
        a, b, c = once * c_both * b, once * c_both * a, once * ab * both  # now their inverses
        a2, b2, c2 = a * a, b * b, c * c
        b4, c4 = b2 * b2, c2 * c2
        fat[k] = (keep * fat[k] + turn * here + jump * w_fat) * FAT_DENSITY[k] * (a2 * a2 * a)
        middle[k] = (keep * middle[k] + turn * here + jump * w_middle) * MIDDLE_DENSITY[k] * (b4 * b)
        thin[k] = (keep * thin[k] + turn * here + jump * w_thin) * THIN_DENSITY[k] * (c4 * c4 * c4 * c4 * c4)


@stage
def _sum(x):
    """Sum over the levels as four sums side by side: one alone waits for each addition before it begins the next."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for k in range(0, LEVELS, 4):
        a += x[k]
        b += x[k + 1]
        c += x[k + 2]
        d += x[k + 3]
    return (a + b) + (c + d)


@stage
def _mean(r, x):
    """Mean of x [LEVELS] over the posterior of the levels, summed in the same way."""
    fat, middle, thin = r.fat, r.middle, r.thin
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for k in range(0, LEVELS, 4):
        a += (fat[k] + middle[k] + thin[k]) * x[k]
        b += (fat[k + 1] + middle[k + 1] + thin[k + 1]) * x[k + 1]
        c += (fat[k + 2] + middle[k + 2] + thin[k + 2]) * x[k + 2]
        d += (fat[k + 3] + middle[k + 3] + thin[k + 3]) * x[k + 3]
    return (a + b) + (c + d)


@stage
def _drift(r, z, passed, p):
    """Three states of the drift, down, none, up; z is the return in units of the volatility expected for it."""
    stay = math.exp(-passed / p.trend_bars)
    d = p.drift * math.sqrt(passed)
    a, b, c = _far(z + d), _far(z), _far(z - d)
    down = (stay * r.down + (1.0 - stay) / 3.0) * (b * c)  # all three densities times a b c
    calm = (stay * r.calm + (1.0 - stay) / 3.0) * (a * c)
    up = (stay * r.up + (1.0 - stay) / 3.0) * (a * b)
    once = 1.0 / (down + calm + up)
    r.down, r.calm, r.up = down * once, calm * once, up * once


@stage
def _far(z):
    """One over the Student t with 9 degrees of freedom, up to a constant: one outlier never turns a trend."""
    u = 1.0 + z * z * (1.0 / (MIDDLE - 2.0))
    u2 = u * u
    return u2 * u2 * u


@stage
def _classify(r, year, p):
    """Percentile of the level against the year before it, shrunk to the class while young; classes when old enough."""
    age = float(r.last_ns - r.first_ns)
    young = float(p.min_age_ns) * (1.0 - min(age / p.full_age_ns, 1.0))  # what the class prior still weighs
    prior = 1.0 / (1.0 + math.exp(-LOGISTIC * STEP * (r.level - ANCHOR)))
    k = int(math.floor(r.level + 0.5))
    below = r.seen[k] * (r.level + 0.5 - float(k))
    for j in range(k):
        below += r.seen[j]
    r.rank = (age * below + young * prior) / (age + young)
    step = max(1.0 / float(r.n_bars), 2.0 * DAY_NS * 365.0 / (float(p.full_age_ns) * year))
    for j in range(LEVELS):
        r.seen[j] = (1.0 - step) * r.seen[j]
    r.seen[k] = r.seen[k] + step
    if age < p.min_age_ns or r.n_bars < p.min_bars:
        return
    r.warmth = min(max((age - p.min_age_ns) / max(float(p.full_age_ns - p.min_age_ns), 1.0), 0.0), 1.0)
    r.volatility = LOW if r.rank < 0.25 else (MEDIUM if r.rank <= 0.75 else (HIGH if r.rank <= 0.95 else EXTREME))
    r.trend = DOWN if r.down >= p.trend_sure else (UP if r.up >= p.trend_sure else SIDEWAYS)


@stage
def packed(s, i):
    """Classes of asset i as one number: confirmed volatility, confirmed trend, then both of each timeframe."""
    x, y, z = s.regime[i, 0], s.regime[i, 1], s.regime[i, 2]
    bits = _confirmed(x.volatility, y.volatility, z.volatility, MEDIUM)
    bits |= _confirmed(x.trend, y.trend, z.trend, SIDEWAYS) << 3
    for f in range(REGIME_FRAMES):
        r = s.regime[i, f]
        bits |= (r.volatility | r.trend << 3) << (5 + 5 * f)
    return bits


@stage
def _confirmed(x, y, z, middle):
    """Median of three classes, an unknown one standing in the middle; unknown where fewer than two are known."""
    if min(x, 1) + min(y, 1) + min(z, 1) < 2:
        return UNKNOWN
    x = middle if x == UNKNOWN else x
    y = middle if y == UNKNOWN else y
    z = middle if z == UNKNOWN else z
    return max(min(x, y), min(max(x, y), z))


@stage
def volatility(bits):
    """Confirmed volatility class of a packed regime."""
    return bits & 7


@stage
def trend(bits):
    """Confirmed trend of a packed regime."""
    return bits >> 3 & 3


@stage
def _of(bits, low, medium, high, extreme):
    """One of four numbers by the volatility class; 1 where it is unknown."""
    k = volatility(bits)
    if k == LOW:
        return low
    if k == MEDIUM:
        return medium
    if k == HIGH:
        return high
    return extreme if k == EXTREME else 1.0


@stage
def trigger(bits, p):
    """Factor on the gap that is asked for."""
    return _of(bits, p.trigger_low, p.trigger_medium, p.trigger_high, p.trigger_extreme)


@stage
def widened(bits, distance, p):
    """Stop distance in quote, never narrower than it was."""
    return distance * _of(bits, p.stop_low, p.stop_medium, p.stop_high, p.stop_extreme)


@stage
def sized(d, lots, p):
    """Signed lots of decision `d`, never more than they were; sets GATE_TOO_SMALL where none is left."""
    share = _of(d.regime, p.size_low, p.size_medium, p.size_high, p.size_extreme)
    left = int(math.floor(abs(lots) * share))
    if left == 0:
        d.gates |= 1 << GATE_TOO_SMALL
    return left if lots > 0 else -left
