"""What is being told: stories, each counted once however often it is retold.

The unit of evidence is the cluster. A story weighs w_i = c_i r_i v_i q_i 2^(-age / half-life)
(age in trading time) and lives while w_i >= w_min; q_i = 1 - (1 - q)^n over its n independent publishers, each
counted as much as it has earned (`sources`; 1 until learnt), so the same publisher saying it again adds nothing. The
reading N = sum(w s) / sum(w) is compared with past readings of the same underlying: ONE reading a story, taken when it
came alive and learnt only when it and every story that reading held are asleep: no live story is part of its own
yardstick. No live story is no reading, which is not a neutral one.
Sources: noisy-or of independent witnesses, Pearl, Probabilistic Reasoning in Intelligent Systems (1988), p. 184;
running mean and variance, West, Comm. ACM 22 (1979), p. 532. The weights themselves are our own rule.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

import numpy as np

from confidence_engine.domain.event import (
    signal_certainty,
    signal_cluster,
    signal_novelty,
    signal_polarity,
    signal_relevance,
)
from confidence_engine.domain.jit import stage
from confidence_engine.domain.params import Bound
from confidence_engine.domain.units import DAY_NS, MINUTE_NS
from confidence_engine.kernel import session, sources
from confidence_engine.kernel.state import ITEMS

__all__ = ["Params", "hear", "mark_traded", "measure", "next_of", "settle", "standing", "was_traded", "yardstick"]

LN2 = math.log(2.0)


class Params(NamedTuple):
    """How stories weigh, fade and are compared with earlier ones.

    `memory` is how long a story is remembered after it is over, so that a retelling is known for one: not shorter
    than the text stage goes on calling it the same story.
    """

    half_life_ns: Annotated[int, Bound("duration", MINUTE_NS, 30 * DAY_NS)] = 90 * MINUTE_NS
    w_min: Annotated[float, Bound("ratio", 0.001, 0.5)] = 0.05
    memory_ns: Annotated[int, Bound("duration", MINUTE_NS, 60 * DAY_NS)] = 3 * DAY_NS
    amount_half: Annotated[float, Bound("ratio", 0.01, 100.0)] = 1.0
    publisher_weight: Annotated[float, Bound("ratio", 0.01, 1.0)] = 0.8
    readings_half_life: Annotated[float, Bound("ratio", 5.0, 100_000.0)] = 200.0
    readings_prior: Annotated[float, Bound("ratio", 0.0, 10_000.0)] = 20.0
    z_clip: Annotated[float, Bound("ratio", 1.0, 10.0)] = 4.0


@stage
def hear(s, event, p):
    """One reading of one document about one underlying."""
    u = event.asset
    told = s.told[u]
    told.newest_ns = max(told.newest_ns, event.ts_known)
    told.due, told.measured_ns = 1, 0
    cluster = int(signal_cluster(event))
    k = _find(s, u, cluster, event.ts_known, p)
    witnesses = 0
    if k >= 0:
        witnesses = s.story[u, k].n_publishers
        _retell(told, k, s.story[u, k], event)
    else:
        k = _place(s, u, event.ts_known, p)
        _tell(s.story[u, k], cluster, event)
        told.begun[k] = event.ts_known
    item = s.story[u, k]
    sources.hear(s, event.source)
    if item.n_publishers > witnesses:
        item.unsaid *= sources.unsaid(s, event.source, p.publisher_weight)
    if math.isnan(item.reading):
        _read(s, u, item, event.ts_known, p)


@stage
def _tell(item, cluster, event):
    """A story nobody told before."""
    item.cluster, item.since_ns = cluster, event.ts_known
    item.polarity, item.certainty = signal_polarity(event), signal_certainty(event)
    item.relevance, item.novelty = signal_relevance(event), signal_novelty(event)
    item.publishers, item.traded = _bit(event.source), np.uint64(0)
    item.n_publishers, item.n_documents, item.asleep = 1, 1, 0
    item.reading, item.read_ns = math.nan, 0
    item.unsaid, item.judged = 1.0, np.uint64(0)


@stage
def _read(s, u, item, now_ns, p):
    """The reading of a story when it comes alive; while it is too weak to live there is none."""
    measure(s, u, now_ns, p)
    if item.asleep == 0:
        item.reading, item.read_ns = s.told[u].story, now_ns
    s.told[u].measured_ns = 0


@stage
def _bit(source):
    """One of a 64-bit set of publishers or assets; a collision makes two look like one: less evidence, fewer trades."""
    return np.uint64(1) << np.uint64(source & 63)


@stage
def _find(s, u, cluster, now_ns, p):
    """Slot of a remembered story, -1 where it is new or forgotten."""
    for k in range(ITEMS):
        item = s.story[u, k]
        if item.n_documents > 0 and item.cluster == cluster and now_ns - item.since_ns <= p.memory_ns:
            return k
    return -1


@stage
def _retell(told, k, item, event):
    """A known story again: only a publisher that had not told it adds, as a mean over publishers."""
    item.n_documents += 1
    bit = _bit(event.source)
    if item.publishers & bit:
        return
    item.publishers |= bit
    n = float(item.n_publishers)
    item.polarity = (n * item.polarity + signal_polarity(event)) / (n + 1.0)
    item.certainty = (n * item.certainty + signal_certainty(event)) / (n + 1.0)
    item.relevance = max(item.relevance, signal_relevance(event))
    item.n_publishers += 1
    told.awake |= _bit(k)
    item.asleep = 0


@stage
def _place(s, u, now_ns, p):
    """A free slot or a forgotten story's; where there is none the weakest story gives way and is counted."""
    told = s.told[u]
    weakest, least = 0, math.inf
    for k in range(ITEMS):
        item = s.story[u, k]
        if item.n_documents == 0:
            told.awake |= _bit(k)
            return k
        if item.asleep == 1 and now_ns - item.since_ns > p.memory_ns:
            _fold(s, u, item, p)
            told.awake |= _bit(k)
            return k
        w = _weight(s, u, item, now_ns, p)
        if w < least:
            weakest, least = k, w
    s.head[0].clusters_full += 1
    told.awake |= _bit(weakest)
    _fold(s, u, s.story[u, weakest], p)
    return weakest


@stage
def _weight(s, u, item, now_ns, p):
    """w_i at `now_ns`; exactly one exponential. What a publisher counts was fixed when it told the story."""
    c = s.told[u].calendar
    age = float(session.clock(s, c, now_ns) - session.clock(s, c, item.since_ns)) / p.half_life_ns
    return item.certainty * item.relevance * item.novelty * (1.0 - item.unsaid) * math.exp(-LN2 * age)


@stage
def standing(s, u, item, p):
    """What a story of underlying u weighs before it fades."""
    return _weight(s, u, item, item.since_ns, p)


@stage
def measure(s, u, now_ns, p):
    """Amount, weight, reading and standardised reading of underlying u at `now_ns`, once a time."""
    told = s.told[u]
    if told.measured_ns == now_ns:
        return
    told.measured_ns = now_ns
    amount, pulled, said, age_pulled, strongest = 0.0, 0.0, 0.0, 0.0, 0.0
    told.live, told.lead = 0, -1
    told.rising = told.falling = np.uint64(0)
    oldest_ns, k, left = now_ns + 1, -1, told.awake
    while left != 0:
        k, left = next_of(k, left)
        item = s.story[u, k]
        w = _weight(s, u, item, now_ns, p)
        item.weight = w
        if w < p.w_min:
            item.asleep, told.unsettled = 1, 1
            told.awake ^= _bit(k)
            continue
        told.live += 1
        oldest_ns = min(oldest_ns, item.since_ns)
        amount += w
        pulled += w * item.polarity
        age_pulled += w * float(now_ns - item.since_ns)
        said += w * abs(item.polarity)
        _side(told, item)
        if abs(w * item.polarity) > strongest or told.lead < 0:
            strongest, told.lead, told.lead_slot = abs(w * item.polarity), item.cluster, k
    told.oldest_ns, told.amount = oldest_ns, amount
    told.agreement = pulled / said if said > 0.0 else 0.0
    told.weight = amount / (amount + p.amount_half)
    if told.live == 0:
        told.story, told.z_story, told.since_ns = math.nan, math.nan, 0
        return
    told.story = pulled / amount
    told.since_ns = now_ns - int(age_pulled / amount)
    _standardise(s, u, p)


@stage
def next_of(k, left):
    """(place, what is left) of the next of a set of places after place k; `left` is not empty."""
    one = np.uint64(1)
    k += 1
    while left & one == 0:
        left >>= one
        k += 1
    return k, left >> one


@stage
def _side(told, item):
    """The publishers of a live story stand on the side that it takes."""
    if item.polarity > 0.0:
        told.rising |= item.publishers
    elif item.polarity < 0.0:
        told.falling |= item.publishers


@stage
def was_traded(s, u, i):
    """Whether the story that pulls most was entered on by asset i already, however many others came between."""
    told = s.told[u]
    return told.live > 0 and (s.story[u, told.lead_slot].traded & _bit(i)) != 0


@stage
def mark_traded(s, u, i):
    """The story that pulls most is used up for asset i."""
    told = s.told[u]
    if told.live > 0:
        s.story[u, told.lead_slot].traded |= _bit(i)


@stage
def _standardise(s, u, p):
    """zN = (N - m) / s, clipped."""
    told = s.told[u]
    centre, spread = yardstick(s, u, p)
    told.z_story = min(max((told.story - centre) / spread, -p.z_clip), p.z_clip)


@stage
def yardstick(s, u, p):
    """m and s of past readings, shrunk to the class: s^2 = (n s_a^2 + k s_c^2) / (n + k)."""
    told = s.told[u]
    c = s.klass[told.klass]
    k = p.readings_prior
    nc, na = _effective(c.readings, p), _effective(told.readings, p)
    centre_c = nc * c.centre / (nc + k) if nc + k > 0.0 else 0.0
    spread_c = (nc * c.spread2 + k * c.prior_spread2) / (nc + k) if nc + k > 0.0 else c.prior_spread2
    centre, spread2 = centre_c, spread_c
    if na + k > 0.0:
        centre = (na * told.centre + k * centre_c) / (na + k)
        spread2 = (na * told.spread2 + k * spread_c) / (na + k)
    return centre, math.sqrt(max(spread2, 1e-12))


@stage
def _effective(count, p):
    """Readings that count: exponential forgetting remembers about half-life / ln 2 of them."""
    return min(float(count), p.readings_half_life / LN2)


@stage
def settle(s, u, p):
    """Learn the readings that hold no live story, in the order they were taken.

    Only on the decision grid: when a yardstick moves must not depend on how often a thing is said.
    """
    told = s.told[u]
    if told.unsettled == 0:
        return
    told.unsettled = 0
    k = _oldest_over(s, u, told.oldest_ns)
    while k >= 0:
        _fold(s, u, s.story[u, k], p)
        k = _oldest_over(s, u, told.oldest_ns)
    if told.live > 0:
        _standardise(s, u, p)


@stage
def _oldest_over(s, u, oldest_ns):
    """Slot of the earliest reading still to be learnt, taken before the oldest live story was known; -1 for none."""
    first = -1
    for k in range(ITEMS):
        item = s.story[u, k]
        over = item.n_documents > 0 and item.asleep == 1 and 0 < item.read_ns < oldest_ns
        if over and (first < 0 or item.read_ns < s.story[u, first].read_ns):
            first = k
    return first


@stage
def _fold(s, u, item, p):
    """Learn from a story that is over: its reading when it came alive, once; `read_ns` 0 is learnt or never alive."""
    if item.read_ns == 0:
        return
    item.read_ns = 0
    told = s.told[u]
    c = s.klass[told.klass]
    told.centre, told.spread2 = _learn(told.centre, told.spread2, told.readings, item.reading, p)
    told.readings += 1
    if u == c.market:  # what is said of the whole market is no prior for one asset
        return
    c.centre, c.spread2 = _learn(c.centre, c.spread2, c.readings, item.reading, p)
    c.readings += 1


@stage
def _learn(centre, spread2, count, x, p):
    """Decayed mean and variance (West 1979), exact while short."""
    step = max(1.0 / (count + 1.0), LN2 / p.readings_half_life)
    gap = x - centre
    return centre + step * gap, (1.0 - step) * (spread2 + step * gap * gap)
