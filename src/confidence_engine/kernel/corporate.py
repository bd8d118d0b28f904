"""What a company does to its shares: a split changes the measure of everything, a dividend moves cash and the price.

On the ex-date, at the open, before anything trades. A split of g new shares for one old: prices / g, quantities g,
volumes g; a broken lot is paid out at the last price. A dividend of D: longs are paid D a share, shorts pay it, and
the past prices are multiplied by (P - D) / P, P the last close, so that the fall of the price by D is no return
(CRSP, Data Descriptions Guide: factor to adjust prices). Stops and targets fall by D, as exchanges reduce open
orders (FINRA rule 5330). Neither changes equity by itself: q D is gained in cash and lost at the mark.
"""

from __future__ import annotations

import math

from confidence_engine.domain.event import CORPORATE, SPLIT, corporate_value, corporate_what
from confidence_engine.domain.jit import stage
from confidence_engine.kernel import ledger, ranking
from confidence_engine.kernel.margin import unit
from confidence_engine.kernel.state import PENDINGS, REGIME_FRAMES, RING_BARS, SLOTS

__all__ = ["adjust", "lower", "rescale", "whole"]


@stage
def whole(lots, ratio):
    """Whole lots that `lots` become, towards zero; a ratio's last bits make no broken lot."""
    exact = abs(lots) * ratio
    kept = int(math.floor(exact + 1e-9))
    return kept if lots > 0 else -kept


@stage
def rescale(ticks, ratio):
    """A level in ticks after a split; 0 stays none."""
    return max(int(math.floor(ticks / ratio + 0.5)), 1) if ticks > 0 else 0


@stage
def lower(ticks, tick, dividend):
    """A level in ticks after a dividend; 0 stays none."""
    return max(int(math.floor(ticks - dividend / tick + 0.5)), 1) if ticks > 0 else 0


@stage
def adjust(s, event, out):
    """One CORPORATE event of asset event.asset."""
    i, value = event.asset, corporate_value(event)
    if corporate_what(event) == SPLIT:
        _history(s, i, 1.0 / value, value)
        _split(s, i, value, event, out)
    else:
        p = s.asset[i].price
        if s.asset[i].n_bars > 0:
            _history(s, i, (p - value) / p, 1.0)
        _dividend(s, i, value, event, out)


@stage
def _history(s, i, f, g):
    """Past prices times f and volumes times g; volatility and what depends on ratios alone stay as they are."""
    a = s.asset[i]
    a.open, a.high, a.low, a.price, a.atr = a.open * f, a.high * f, a.low * f, a.price * f, a.atr * f
    a.frame_high, a.frame_low = a.frame_high * f, a.frame_low * f
    a.frame_close, a.frame_prior = a.frame_close * f, a.frame_prior * f
    for k in range(REGIME_FRAMES):
        frame = s.regime[i, k]
        frame.last, frame.price = frame.last * f, frame.price * f
    s.beta[i].price *= f
    ranking.rescale(s, i, f)
    for k in range(PENDINGS):
        s.pending[i, k].entry_price *= f
    for k in range(min(a.n_bars, RING_BARS)):
        r = s.ring[i, k]
        r.price, r.volume = r.price * f, r.volume * g
    if g != 1.0:
        shift = math.log(g)
        for k in range(SLOTS):
            if s.slot[i, k].count > 0:
                s.slot[i, k].centre += shift


@stage
def _split(s, i, g, event, out):
    """Position, orders and levels in new shares."""
    b, inst, h = s.book[i], s.inst[i], s.head[0]
    b.mark_price, b.entry_price, b.best = b.mark_price / g, b.entry_price / g, b.best / g
    b.trail_from, b.trail_by, b.plan_margin = b.trail_from / g, b.trail_by / g, b.plan_margin / g
    b.stop_ticks, b.target_ticks = rescale(b.stop_ticks, g), rescale(b.target_ticks, g)
    b.limit_ticks, b.plan_price = rescale(b.limit_ticks, g), b.plan_price / g
    b.entry_leaves, b.exit_leaves = whole(b.entry_leaves, g), whole(b.exit_leaves, g)
    b.plan_lots = whole(b.plan_lots, g)
    if b.lots == 0:
        return
    before, kept = b.lots, whole(b.lots, g)
    broken = before * g - kept
    gain = broken * unit(inst) * (b.mark_price - b.entry_price) if abs(broken) > 1e-9 else 0.0
    b.margin *= kept / (before * g)
    b.lots = kept
    b.realised += gain
    h.realised += gain
    h.balance += gain
    row = ledger.note(s, i, event, out)
    row.kind, row.lots, row.price, row.rate, row.amount_usd = CORPORATE, kept - before, b.mark_price, g, gain
    if kept == 0:
        ledger.close(s, i, event, out)


@stage
def _dividend(s, i, dividend, event, out):
    """Cash for longs, from shorts; levels fall with the price."""
    b, inst, h = s.book[i], s.inst[i], s.head[0]
    b.stop_ticks = lower(b.stop_ticks, inst.tick, dividend)
    b.target_ticks = lower(b.target_ticks, inst.tick, dividend)
    b.limit_ticks = lower(b.limit_ticks, inst.tick, dividend)
    b.best -= dividend
    b.plan_price -= dividend
    if b.lots != 0:  # cost stays, prices fall: the ratchet counts from where the position stands with the dividend
        b.trail_from -= (1 if b.lots > 0 else -1) * dividend
    if b.mark_price > dividend:
        b.mark_price -= dividend
    if b.lots == 0:
        return
    amount = b.lots * unit(inst) * dividend
    b.realised += amount
    h.realised += amount
    h.balance += amount
    row = ledger.note(s, i, event, out)
    row.kind, row.price, row.rate, row.amount_usd = CORPORATE, b.mark_price, math.nan, amount
