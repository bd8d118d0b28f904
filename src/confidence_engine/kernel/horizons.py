"""The gap again over several horizons, and what the price did before the story was known.

For a horizon h only stories no older than h speak, and they fade with a half-life of h / 2:
    D_h = w_h (zN_h - kappa R_h),   R_h the move since t0_h
with the yardstick of all readings. A horizon is aligned where D_h has the side's sign, opposed where it has the other.
Anticipation is the move in the hours before t0, in what was expected of them. All of it is recorded, shown and left to
a calibration; none of it moves gap or strength: on the recorded data hardly a case beyond its trigger was ever opposed,
so a factor for it changed nothing and was taken out. The definitions are our own.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

import numpy as np

from confidence_engine.domain.finding import ALIGNED_LONG, ALIGNED_MID, ALIGNED_SHORT, OPPOSED
from confidence_engine.domain.jit import stage
from confidence_engine.domain.params import Bound
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS
from confidence_engine.kernel import narrative, price, session
from confidence_engine.kernel.state import ITEMS

__all__ = ["Params", "measure"]

LN2 = math.log(2.0)


class Params(NamedTuple):
    """Lengths of the horizons, shortest first, and of the time before t0."""

    short_ns: Annotated[int, Bound("duration", MINUTE_NS, 60 * DAY_NS)] = HOUR_NS
    mid_ns: Annotated[int, Bound("duration", MINUTE_NS, 60 * DAY_NS)] = 3 * HOUR_NS
    long_ns: Annotated[int, Bound("duration", MINUTE_NS, 60 * DAY_NS)] = 6 * HOUR_NS
    anticipation_ns: Annotated[int, Bound("duration", MINUTE_NS, 60 * DAY_NS)] = 6 * HOUR_NS


@stage
def measure(s, i, now_ns, d, p, told_p, gap_p):
    """Gap of each horizon, anticipation and the alignment bits of decision `d`, NaN where no story is young enough."""
    u = s.inst[i].underlying
    told = s.told[u]
    if gap_p.use_news == 0:
        return
    if told.live > 0:
        reach = max(p.anticipation_ns, s.asset[i].bar_ns)
        d.anticipation = price.move(s, i, told.since_ns - reach, told.since_ns, gap_p.reaction_clip)
    if told.newest_ns == 0 or session.ago(s, i, told.newest_ns, now_ns) > max(p.short_ns, p.mid_ns, p.long_ns):
        return
    _gaps(s, i, u, now_ns, d, p, told_p, gap_p)
    d.findings |= _stand(d.gap_short, d.side, ALIGNED_SHORT)
    d.findings |= _stand(d.gap_mid, d.side, ALIGNED_MID)
    d.findings |= _stand(d.gap_long, d.side, ALIGNED_LONG)


@stage
def _stand(gap, side, bit):
    """The bit of the horizon where its gap has the side's sign, OPPOSED where it has the other."""
    if gap * side > 0.0:
        return 1 << bit
    return 1 << OPPOSED if gap * side < 0.0 else 0


@stage
def _gaps(s, i, u, now_ns, d, p, told_p, gap_p):
    """D_h of the three horizons in one pass over the stories."""
    short, mid, long = (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)
    reach = max(p.short_ns, p.mid_ns, p.long_ns)
    k, left = -1, _young(s, i, u, now_ns, reach)
    while left != 0:
        k, left = narrative.next_of(k, left)
        item = s.story[u, k]
        old = float(session.ago(s, i, item.since_ns, now_ns))
        whole, since = narrative.standing(s, u, item, told_p), float(now_ns - item.since_ns)
        short = _add(short, _left(whole, old, p.short_ns, told_p.w_min), item.polarity, since)
        mid = _add(mid, _left(whole, old, p.mid_ns, told_p.w_min), item.polarity, since)
        long = _add(long, _left(whole, old, p.long_ns, told_p.w_min), item.polarity, since)
    centre, spread = narrative.yardstick(s, u, told_p)
    d.gap_short = _gap(s, i, now_ns, short, centre, spread, told_p, gap_p)
    d.gap_mid = _gap(s, i, now_ns, mid, centre, spread, told_p, gap_p)
    d.gap_long = _gap(s, i, now_ns, long, centre, spread, told_p, gap_p)


@stage
def _young(s, i, u, now_ns, reach):
    """Places of the stories no older than `reach` on the clock of asset i, as bits; a free place began in 1970."""
    c, begun = s.inst[i].calendar, s.told[u].begun
    found = np.uint64(0)
    if c == 0:
        for k in range(ITEMS):
            found |= np.uint64(now_ns - begun[k] <= reach) << np.uint64(k)
        return found
    now = session.clock(s, c, now_ns)
    for k in range(ITEMS):
        if begun[k] == 0:  # places are taken in order and never given back
            break
        if now - session.clock(s, c, begun[k]) <= reach:
            found |= np.uint64(1) << np.uint64(k)
    return found


@stage
def _left(whole, old, horizon_ns, w_min):
    """Weight of a story in a horizon; 0 where it is older or too weak to live."""
    if old > horizon_ns:
        return 0.0
    w = whole * math.exp(-LN2 * 2.0 * old / horizon_ns)
    return w if w >= w_min else 0.0


@stage
def _add(sums, w, polarity, since):
    """(amount, weighted polarity, weighted age) with one story more."""
    return sums[0] + w, sums[1] + w * polarity, sums[2] + w * since


@stage
def _gap(s, i, now_ns, sums, centre, spread, told_p, gap_p):
    """D_h; NaN where no story of the horizon is alive or the price at t0_h is not known."""
    amount, pulled, aged = sums
    if amount == 0.0:
        return math.nan
    z = min(max((pulled / amount - centre) / spread, -told_p.z_clip), told_p.z_clip)
    moved = price.since(s, i, now_ns - int(aged / amount), gap_p.reaction_clip)
    return amount / (amount + told_p.amount_half) * (z - gap_p.kappa * moved)
