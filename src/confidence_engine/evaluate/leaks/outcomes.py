"""Nothing is learnt from an outcome before it is one: every settled case is settled again from the bars alone.

A case enters at the first open after its decision (`grace` aside) and is over when price comes to the barrier that
wins or to the one that loses, the loss first where both lie in one bar, or at t + H. The lesson must name the close of
the very bar that decided it, must not be known before that bar, and must say the same result. Written here once more,
in plain Python over raw bars, without the function that the kernel learns with. Assets with sessions, whose horizons
run on another clock, and cases of a warm-up, which leave no decision, are left out.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from confidence_engine.domain.outcome import UNRESOLVED
from confidence_engine.domain.record import LESSON_OUTCOME
from confidence_engine.domain.units import format_time
from confidence_engine.drivers.replay import Result
from confidence_engine.evaluate.leaks.found import Check
from confidence_engine.evaluate.leaks.rebuilt import Rebuilt

__all__ = ["OUTCOMES", "outcomes"]

OUTCOMES: Final = "outcomes"


def outcomes(run: Rebuilt, result: Result, check: Check) -> None:
    """Every outcome that `result` learnt from, against the bars of `run`."""
    with check.timed():
        decided = {(int(d["asset"]), int(d["ts_ns"])): d for d in result.decisions}
        for lesson in result.lessons[result.lessons["kind"] == LESSON_OUTCOME]:
            one = run.sources.instruments[int(lesson["asset"])]
            decision = decided.get((int(lesson["asset"]), int(lesson["at_ns"])))
            if one.calendar or decision is None or lesson["decision"] == 0:
                continue
            check.n += 1
            cost = 2.0 * (one.taker * run.config.sim.fee_factor + one.half_spread * run.config.sim.spread_factor)
            over_ns, y, net = _settled(run.sources.bars[one.key], decision, int(lesson["side"]), cost, run)
            when = f"{one.symbol}, decided {format_time(int(lesson['at_ns']))}"
            if lesson["resolved_ns"] < over_ns or lesson["ts_ns"] < over_ns:
                at = format_time(int(lesson["resolved_ns"]))
                check.leak(f"{when}: learnt {at}, and it was over {format_time(over_ns)}")
            elif (lesson["resolved_ns"], lesson["y"]) != (over_ns, y) or not _equal(lesson["net_return"], net):
                check.leak(f"{when}: learnt {lesson['y']} ({lesson['net_return']:.6f}), the bars say {y} ({net:.6f})")


def _equal(a: float, b: float) -> bool:
    return bool(math.isnan(a) and math.isnan(b)) or abs(a - b) <= 1e-9


def _settled(rows: np.ndarray, decision: Any, side: int, cost: float, run: Rebuilt) -> tuple[int, int, float]:
    """(close of the bar that ended the case, y, net return) by the words of the definition."""
    event, grace, bar_ns = run.config.outcome, run.config.sim.grace_ns, run.config.agent.interval_ns
    at = int(decision["ts_ns"])
    end, sigma = at + event.horizon_ns, float(decision["sigma"]) * math.sqrt(event.horizon_ns / bar_ns)
    win, loss = event.win_sigma * sigma + cost, event.loss_sigma * sigma
    first = int(np.searchsorted(rows["open_ns"], at - grace))
    if first == len(rows):
        return 2**62, UNRESOLVED, math.nan
    entry, span = float(rows["o"][first]), int(rows["close_ns"][first] - rows["open_ns"][first])
    if rows["open_ns"][first] - at > span:
        return int(rows["close_ns"][first]), UNRESOLVED, math.nan
    for k in range(first, len(rows)):
        opened, closed = int(rows["open_ns"][k]), int(rows["close_ns"][k])
        if closed > end:  # t + H falls into this bar, at its open at the earliest
            if opened < end - grace:
                continue
            if k == first or opened - end > span:
                return closed, UNRESOLVED, math.nan
            gross = side * (float(rows["o"][k]) / entry - 1.0)
            return closed, int(gross - cost > 0.0), gross - cost
        touch = _touch(rows[k], entry, side, win, loss)
        if touch is not None:
            return closed, int(touch >= win), touch - cost
        if closed + grace >= end:
            gross = side * (float(rows["c"][k]) / entry - 1.0)
            return closed, int(gross - cost > 0.0), gross - cost
    return 2**62, UNRESOLVED, math.nan


def _touch(bar: Any, entry: float, side: int, win: float, loss: float) -> float | None:
    """Gross return where the bar came to a barrier: at its open, else at the loss, else at the win."""
    o, worst, best = (side * (float(x) / entry - 1.0) for x in (bar["o"], *_ends(bar, side)))
    if o <= -loss or o >= win:
        return o
    if worst <= -loss:
        return -loss
    return win if best >= win else None


def _ends(bar: Any, side: int) -> tuple[float, float]:
    """(worst, best) price of a bar for a side."""
    return (float(bar["l"]), float(bar["h"])) if side > 0 else (float(bar["h"]), float(bar["l"]))
