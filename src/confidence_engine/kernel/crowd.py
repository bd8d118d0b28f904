"""Who says it, how loud, and whether anybody acts on it: factors on strength for what crowds do to evidence.

1 publishers  n_eff = 1 / sum(share_b^2) over publishers' shares of the live weight (Hirschman 1945, Herfindahl 1950);
              a story of n publishers gives each w / n
2 chatter     L = (H - E) / sqrt((E + 1) / 2): H documents heard lately, each fading with `chatter_half_life`, E the
              same sum as the usual rates of these hours of the week make it; the deviation is that of fading Poisson
              arrivals (Campbell's theorem: half of E), and one document more so that it is never zero
3 hype        L above its bound, or documents per live story above theirs at an hour not quieter than usual, while
              neither the move nor the volume since t0 is: the volume against the same hours of the week, |R| against
              how far these hours usually move
4 extremes    |zN| and one-sidedness |sum w s| / sum w|s| beyond their bounds, and the price has moved far already
              (spent), or for a while not at all (ignored)
A move counts by its size, not its direction, so no factor knows bull from bear. Missing numbers find nothing.
d.crowd is the product, clipped; a factor of 1 switches a finding off. Bounds and factors are our own, not fitted.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

import numpy as np

from confidence_engine.domain.finding import BROAD, HYPE, IGNORED, NARROW, SPENT
from confidence_engine.domain.jit import stage
from confidence_engine.domain.params import Bound
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS
from confidence_engine.kernel import narrative, price, session
from confidence_engine.kernel.state import ITEMS, RING_BARS

__all__ = ["Params", "chatter", "hear", "measure", "observe", "publishers", "settle", "several", "stirred"]

LN2 = math.log(2.0)
WEEK_HOURS = 168
STIR_HOURS = 24


class Params(NamedTuple):
    """Bounds of the findings, their factors, and the memory of what is usual."""

    broad_at: Annotated[float, Bound("ratio", 1.0, 64.0)] = 2.2
    broad: Annotated[float, Bound("ratio", 1.0, 2.0)] = 1.1
    narrow_at: Annotated[float, Bound("ratio", 1.0, 64.0)] = 1.5
    narrow_stories: Annotated[int, Bound("count", 1, ITEMS)] = 2
    narrow: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.8
    hype_repeats: Annotated[float, Bound("ratio", 1.0, 1000.0)] = 1.3
    hype_chatter: Annotated[float, Bound("ratio", 0.0, 100.0)] = 2.0
    hype_move: Annotated[float, Bound("ratio", 0.0, 10.0)] = 0.7
    hype_volume: Annotated[float, Bound("ratio", -4.0, 4.0)] = 0.0
    hype: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.5
    extreme_z: Annotated[float, Bound("ratio", 0.0, 10.0)] = 1.5
    one_sided: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.9
    spent_move: Annotated[float, Bound("ratio", 0.0, 10.0)] = 1.5
    spent: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.7
    ignored_move: Annotated[float, Bound("ratio", 0.0, 10.0)] = 0.2
    ignored_after_ns: Annotated[int, Bound("duration", 0, 30 * DAY_NS)] = HOUR_NS
    ignored: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.7
    least: Annotated[float, Bound("ratio", 0.0, 1.0)] = 0.25
    most: Annotated[float, Bound("ratio", 1.0, 2.0)] = 1.5
    chatter_half_life_ns: Annotated[int, Bound("duration", MINUTE_NS, 30 * DAY_NS)] = 3 * HOUR_NS
    memory_weeks: Annotated[float, Bound("ratio", 2.0, 520.0)] = 26.0
    prior_obs: Annotated[float, Bound("ratio", 0.1, 1000.0)] = 8.0


@stage
def hear(s, event, p):
    """One more document about an underlying, whoever tells it."""
    c = s.crowd[event.asset]
    _roll(s, event.asset, event.ts_known, p)
    c.heard = c.heard * _fade(event.ts_known - c.heard_ns, p) + 1.0
    c.heard_ns = event.ts_known
    c.told += 1


@stage
def settle(s, now_ns, p):
    """An hour that is over teaches how much is said at such an hour; silence teaches too."""
    h = s.head[0]
    if now_ns // HOUR_NS != h.talk_hour:
        h.talk_hour = now_ns // HOUR_NS
        for u in range(h.n_underlyings):
            _roll(s, u, now_ns, p)


@stage
def _roll(s, u, now_ns, p):
    """Close the hours that are over: silence teaches too, but a gap of more than a week was nobody listening."""
    c = s.crowd[u]
    hour = now_ns // HOUR_NS
    if c.hour == hour:
        return
    if c.hour > 0:
        last = hour if hour - c.hour <= WEEK_HOURS else c.hour + 1
        for k in range(c.hour, last):
            c.expected = _expected(s, u, (k + 1) * HOUR_NS, p)
            _learn(s.talk, u, k, float(c.told), p)
            c.hour, c.told, c.expected_ns = k + 1, 0, (k + 1) * HOUR_NS
        c.expected = _expected(s, u, hour * HOUR_NS, p)
    c.hour, c.told, c.expected_ns = hour, 0, hour * HOUR_NS


@stage
def _fade(passed_ns, p):
    """What is left of a document after `passed_ns`."""
    return math.exp(-LN2 * float(passed_ns) / p.chatter_half_life_ns)


@stage
def _expected(s, u, now_ns, p):
    """E: what the usual rates of the hours gone by would have left of their documents at `now_ns`."""
    c = s.crowd[u]
    left = _fade(now_ns - c.expected_ns, p)
    whole = p.chatter_half_life_ns / LN2 / HOUR_NS  # documents that a rate of one an hour keeps alive
    return c.expected * left + _usual(s.talk, u, c.hour, p) * whole * (1.0 - left)


@stage
def chatter(s, u, now_ns, p):
    """L: how much more is said than at this hour of the week, in deviations; NaN before a week is known."""
    c = s.crowd[u]
    if s.talk[u, 0].count < WEEK_HOURS:
        return math.nan
    expected = _expected(s, u, now_ns, p)
    return (c.heard * _fade(now_ns - c.heard_ns, p) - expected) / math.sqrt(0.5 * (expected + 1.0))


@stage
def _usual(paces, row, hour, p):
    """Mean of an hour of the week, shrunk to its hour of the day and that to all hours."""
    g, d, w = paces[row, 0], paces[row, 1 + hour % 24], paces[row, 25 + hour % WEEK_HOURS]
    centre = (d.count * d.centre + p.prior_obs * g.centre) / (d.count + p.prior_obs)
    return (w.count * w.centre + p.prior_obs * centre) / (w.count + p.prior_obs)


@stage
def _learn(paces, row, hour, x, p):
    """Running means of all hours, the hour of the day and the hour of the week, from one value an hour."""
    _step(paces[row, 0], x, p.memory_weeks * WEEK_HOURS)
    _step(paces[row, 1 + hour % 24], x, p.memory_weeks * 7.0)
    _step(paces[row, 25 + hour % WEEK_HOURS], x, p.memory_weeks)


@stage
def _step(slot, x, obs):
    """Exact mean at first, exponential after `obs`."""
    slot.centre += (x - slot.centre) * max(1.0 / (slot.count + 1.0), 1.0 / obs)
    slot.count = slot.count + 1


@stage
def observe(s, i, p):
    """How far the newest bar of asset i moved, in units of the volatility before it; learnt when its hour is over."""
    a = s.asset[i]
    if a.n_bars < 2:
        return
    one = s.ring[i, (a.n_bars - 2) % RING_BARS]
    hour = (a.close_ns - 1 + session.offset(s, i, a.close_ns - 1)) // HOUR_NS
    if hour != a.stir_hour:
        if a.stir_n > 0:
            _learn(s.stir, i, a.stir_hour, a.stir_sum / a.stir_n, p)
        a.stir_hour, a.stir_sum, a.stir_n = hour, 0.0, 0
    if one.sigma > 0.0:
        expected = one.sigma
        if a.close_ns - one.close_ns != a.bar_ns:
            expected *= math.sqrt(price.bars_between(s, i, a.n_bars - 2, a.n_bars - 1))
        a.stir_sum += abs(a.price / one.price - 1.0) / expected
        a.stir_n += 1


@stage
def stirred(s, i, from_ns, to_ns, p):
    """How much further than usual the hours between two times move, root mean square; 1 before a week is known."""
    a = s.asset[i]
    every = s.stir[i, 0]
    if every.count * max(a.bar_ns, HOUR_NS) < WEEK_HOURS * HOUR_NS or not every.centre > 0.0:
        return 1.0
    shift = session.offset(s, i, to_ns - 1)
    last = (to_ns - 1 + shift) // HOUR_NS
    first = max(min((from_ns + shift) // HOUR_NS, last), last - STIR_HOURS + 1)
    total = 0.0
    for hour in range(first, last + 1):
        usual = _usual(s.stir, i, hour, p)
        total += usual * usual
    return math.sqrt(total / (last + 1 - first)) / every.centre


@stage
def publishers(s, u):
    """(effective number of publishers of the live weight, one-sidedness, documents) of the live stories."""
    told = s.told[u]
    square, pull, push, documents = 0.0, 0.0, 0.0, 0
    k, left = -1, told.awake
    while left != 0:
        k, left = narrative.next_of(k, left)
        one = s.story[u, k]
        documents += one.n_documents
        pull += one.weight * one.polarity
        push += one.weight * abs(one.polarity)
        each = one.weight / one.n_publishers
        square += each * one.weight
        j, before = -1, told.awake & ((np.uint64(1) << np.uint64(k)) - np.uint64(1))
        while before != 0:
            j, before = narrative.next_of(j, before)
            two = s.story[u, j]
            square += 2.0 * each * two.weight / two.n_publishers * _common(one.publishers, two.publishers)
    sided = abs(pull) / push if push > 0.0 else 0.0
    return told.amount * told.amount / square, sided, documents


@stage
def several(s, u, from_ns):
    """Whether the stories since `from_ns`, live or not, have more than one publisher: where one reports, one is all."""
    everyone = np.uint64(0)
    for k in range(ITEMS):
        one = s.story[u, k]
        if one.n_documents == 0:  # slots are taken in order and never given back
            break
        if one.since_ns >= from_ns:
            everyone |= one.publishers
        if (everyone & (everyone - np.uint64(1))) != 0:
            return True
    return False


@stage
def _common(one, two):
    """Publishers in both sets."""
    both, n = one & two, 0
    while both != 0:
        both &= both - np.uint64(1)
        n += 1
    return float(n)


@stage
def measure(s, i, now_ns, d, p, price_p, memory_ns):
    """Findings and factor of decision `d`; no live story, no finding."""
    u = s.inst[i].underlying
    told = s.told[u]
    if told.live == 0 or d.weight == 0.0:  # nothing is told, or this agent does not listen
        return
    n_eff, sided, documents = publishers(s, u)
    factor = 1.0
    if n_eff >= p.broad_at:
        d.findings |= 1 << BROAD
        factor *= p.broad
    elif n_eff <= p.narrow_at and told.live >= p.narrow_stories and several(s, u, now_ns - memory_ns):
        d.findings |= 1 << NARROW
        factor *= p.narrow
    extreme = abs(told.z_story) >= p.extreme_z and sided >= p.one_sided
    loud = _loud(s, u, now_ns, documents, p)
    if (extreme or loud) and d.reaction == d.reaction:
        moved = abs(d.reaction) / stirred(s, i, told.since_ns, s.asset[i].close_ns, p)
        if loud and moved <= p.hype_move and _untraded(s, i, p, price_p):
            d.findings |= 1 << HYPE
            factor *= p.hype
        if extreme:
            factor *= _extreme(session.ago(s, i, told.since_ns, now_ns), moved, d, p)
    d.crowd = min(max(factor, p.least), p.most)


@stage
def _loud(s, u, now_ns, documents, p):
    """Whether far more is said than usual, or the same things again at an hour that is not quieter than usual."""
    more = chatter(s, u, now_ns, p)
    return more >= p.hype_chatter or (more >= 0.0 and documents >= p.hype_repeats * s.told[u].live)


@stage
def _untraded(s, i, p, price_p):
    """Whether no more was traded since t0 than is usual."""
    return price.volume_since(s, i, s.told[s.inst[i].underlying].since_ns, price_p) <= p.hype_volume


@stage
def _extreme(age_ns, moved, d, p):
    """Factor where everyone says the same and the price is done with it, or does not care."""
    if moved >= p.spent_move:
        d.findings |= 1 << SPENT
        return p.spent
    if moved <= p.ignored_move and age_ns >= p.ignored_after_ns:
        d.findings |= 1 << IGNORED
        return p.ignored
    return 1.0
