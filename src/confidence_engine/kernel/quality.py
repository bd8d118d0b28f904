"""How good the evidence behind a decision is, 0 to 10: nothing here looks at how much it would earn.

Q = 10 (F I A W H)^(1/5), the geometric mean of five legs in [0, 1], so that a missing one is not bought back:
  F freshness     2^(-age of the evidence / its half-life)
  I independence  n / (n + 1), n independent publishers on the decision's side
  A agreement     max(0, side sum(w s) / sum(w |s|)): words against the side count against it
  W amount        1 - (1 - w)(1 - w_S), what news and score weigh together
  H health        0 where a data gate refuses or an input is degraded, else (1 + warmth) / 2, less as the bar ages
A live score is one more witness. The legs are ours and FROZEN: fitted to nothing, weighed alike. Equal weights in a
geometric mean after UNDP, Human Development Report (2010), technical note 1. Table of values: docs/quality.md.
"""

from __future__ import annotations

import math

import numpy as np

from confidence_engine.domain.event import DEGRADED
from confidence_engine.domain.jit import stage
from confidence_engine.kernel import session

__all__ = ["judge", "rooted"]

LN2 = math.log(2.0)
TOP = 10.0


@stage
def judge(s, i, d, half_life_ns, stale_bars):
    """Quality of the evidence of decision `d` on asset i; NaN where it has none. Its data gates are set already."""
    d.quality = math.nan
    weight = d.weight + d.score_weight
    if d.side == 0 or not weight > 0.0:
        return
    told = s.told[d.underlying]
    agreed, fresh, witnesses = 0.0, 0.0, 0
    if d.weight > 0.0:
        agreed += d.weight * told.agreement
        fresh += d.weight * math.exp(-LN2 * float(session.ago(s, i, d.since_ns, d.ts_ns)) / float(half_life_ns))
        witnesses += _count(told.rising if d.side > 0 else told.falling)
    if d.score_weight > 0.0:
        toward = 1.0 if d.score_z > 0.0 else (-1.0 if d.score_z < 0.0 else 0.0)
        agreed += d.score_weight * toward
        fresh += d.score_weight * d.score_weight
        if d.side * toward > 0.0:
            witnesses += 1
    independent = float(witnesses) / float(witnesses + 1)
    amount = 1.0 - (1.0 - d.weight) * (1.0 - d.score_weight)
    agreement = max(d.side * agreed / weight, 0.0)
    d.quality = TOP * rooted(fresh / weight * independent * agreement * amount * _health(s, i, d, stale_bars), 5.0)


@stage
def _count(bits):
    """Members of a 64-bit set; two publishers that share a bit count as one: less independence, never more."""
    n = 0
    while bits != np.uint64(0):
        bits &= bits - np.uint64(1)
        n += 1
    return n


@stage
def _health(s, i, d, stale_bars):
    """Whether the price may be believed: half of it is history, and a bar older than one loses up to `stale_bars`."""
    if d.gates != 0 or (d.marks & DEGRADED) != 0:
        return 0.0
    age = float(session.ago(s, i, d.price_ns, d.ts_ns)) / float(s.inst[i].bar_ns)
    left = min(max((stale_bars - age) / max(stale_bars - 1.0, 1e-9), 0.0), 1.0)
    return left * (1.0 + d.warmth) / 2.0


@stage
def rooted(product, legs):
    """Geometric mean of `legs` numbers whose product this is; 0 where one of them is."""
    if not product > 0.0:
        return 0.0
    return math.exp(math.log(product) / legs)
