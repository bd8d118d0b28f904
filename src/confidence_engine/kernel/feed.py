"""Whether what is heard may be believed now: a feed that is silent, holed or on a wrong clock stops entries.

A bit stands for each kind that a feed brings, of an asset or of all. STALE, GAP and CLOCK set it, BACK clears it, and
nobody has to do it by hand. Under a bit nothing is entered, what is left of an entry is given up, and a decision is
DEGRADED; stops, targets, the ratchet, the time and commands go on, because leaving needs less knowledge than
entering. A position is not turned against on such data either. DUPLICATE, LATE, REVISED and UNSOUND are rows that
ingress dropped: they degrade the next judgement of their asset, once; about no asset they are on record only.
Rule of our own; controls before an order leaves, SEC rule 15c3-5 (c)(1)(i).
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from confidence_engine.domain.event import (
    DEGRADED,
    FEED_BACK,
    FEED_CLOCK,
    FEED_GAP,
    FEED_STALE,
    FEED_UNSOUND,
    NO_ASSET,
    feed_of,
    feed_value,
    feed_what,
)
from confidence_engine.domain.jit import stage
from confidence_engine.domain.params import Bound
from confidence_engine.kernel import orders

__all__ = ["Params", "faulty", "hear", "orderly"]

KINDS = 63
"""Bits of a word of 64 that can be told from its sign."""


class Params(NamedTuple):
    """`heed` false leaves FEED events on the record without effect, in a replay that asks what they are worth."""

    heed: Annotated[bool, Bound("flag")] = True


@stage
def faulty(s, i):
    """Bits of the feeds about asset i, its own or of all, that may not be believed now; 0 = all well."""
    return s.asset[i].feed | s.head[0].feeds


@stage
def orderly(s, event):
    """Whether a FEED says something that is known, of a kind there can be, about an asset or about all."""
    what, of = feed_what(event), feed_of(event)
    if not (FEED_STALE <= what <= FEED_UNSOUND and what == math.floor(what)):
        return False
    if not (0.0 <= of < KINDS and of == math.floor(of)):
        return False
    if what == FEED_CLOCK and (of != 0.0 or event.asset != NO_ASSET):
        return False
    return (event.asset == NO_ASSET or event.asset < s.head[0].n_assets) and abs(feed_value(event)) != math.inf


@stage
def hear(s, event, out, p):
    """What a feed did: set or clear its bit, or degrade the next judgement."""
    if not p.heed:
        return
    h = s.head[0]
    what, bit = int(feed_what(event)), 1 << int(feed_of(event))
    stops = what == FEED_STALE or what == FEED_GAP or what == FEED_CLOCK
    if not (stops or what == FEED_BACK):
        if event.asset != NO_ASSET:
            s.asset[event.asset].seen_marks |= DEGRADED
    elif event.asset == NO_ASSET:
        h.feeds = h.feeds | bit if stops else h.feeds & ~bit
        for i in range(h.n_assets):
            _turn(s, i, stops, out)
    else:
        a = s.asset[event.asset]
        a.feed = a.feed | bit if stops else a.feed & ~bit
        _turn(s, event.asset, stops, out)


@stage
def _turn(s, i, stops, out):
    """Asset i is judged anew at the next timer, so that the record shows the turn; entries are given up on a stop."""
    a, b = s.asset[i], s.book[i]
    if a.due == 0 and a.n_bars > 0:
        a.due = 1
    if stops and (b.plan_lots != 0 or b.entry_id != 0):
        orders.stand_down(s, i, out)
        if b.lots == 0 and b.entry_id == 0:  # a plan between two orders: nothing will come that could end it
            orders.forget(s, i)
