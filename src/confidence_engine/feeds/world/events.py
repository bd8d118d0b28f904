"""What happens in a simulated world, and how the price takes it in.

An event moves the log fundamental F by its impact at once; the price takes a of it at once and closes the gap with a
half-life h, as far as it closes at all (share k): A(t) = I (1 - (1 - a) (1 - k (1 - 2^(-t / h)))). With a above 1 it
runs beyond the fundamental and comes back. Rumours and hype have no impact: they are told all the same.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from confidence_engine.domain.units import DAY_NS
from confidence_engine.feeds.world.params import Events
from confidence_engine.feeds.world.plain import KINDS

__all__ = ["EVENT_TRUTH", "absorbed", "left", "occur"]

EVENT_TRUTH: Final = np.dtype(
    [("event", "i8"), ("asset", "i8"), ("at_ns", "i8"), ("kind", "i8"), ("impact", "f8"), ("told", "i8"),
     ("clarity", "f8"), ("hype", "i8")]
)  # fmt: skip
"""A latent event: its jump of the log fundamental (0 for a rumour without an event), the direction told first, how
clear it is, and whether it is hype: a rumour that every house shouts."""
_OVER: Final = 60
"""Half-lives after which nothing of a gap is left that a float could hold."""


def occur(
    rng: np.random.Generator, loud: np.random.Generator, assets: int, start_ns: int, days: int, p: Events
) -> np.ndarray:
    """EVENT_TRUTH by Poisson counts, in order of time; rumours have no impact."""
    rows = []
    for asset in range(assets):
        kinds = ((p.events_a_day, p.impact, rng), (p.rumours_a_day, 0.0, rng), (p.hype_a_day, 0.0, loud))
        for hype, (rate, size, chance) in enumerate(kinds):
            count = chance.poisson(rate * days)
            some = np.zeros(count, EVENT_TRUTH)
            some["asset"], some["hype"] = asset, hype == 2
            some["at_ns"] = start_ns + chance.integers(0, days * DAY_NS, count)
            some["kind"] = chance.integers(0, len(KINDS), count)
            some["impact"] = size * chance.choice([-1.0, 1.0], count) * chance.lognormal(0.0, p.impact_spread, count)
            rows.append(some)
    truth = np.concatenate(rows)
    truth = truth[np.argsort(truth["at_ns"], kind="stable")]
    truth["event"] = np.arange(len(truth))
    return truth


def left(age_ns: np.ndarray, p: Events) -> np.ndarray:
    """Share of the part not taken at once that is still open after age_ns."""
    halves = np.exp2(-(age_ns / p.half_life_ns))
    found: np.ndarray = halves if p.closing == 1.0 else 1.0 - p.closing * (1.0 - halves)
    return found


def absorbed(events: np.ndarray, close_ns: np.ndarray, p: Events) -> np.ndarray:
    """Part of the news that is in the log price at each close, f8[n]: some at once, the rest by the half-life."""
    taken = np.zeros(len(close_ns))
    for event in events[events["impact"] != 0.0]:
        ends = np.searchsorted(close_ns, [event["at_ns"], event["at_ns"] + _OVER * p.half_life_ns])
        first, last = int(ends[0]), int(ends[1])
        age_ns = close_ns[first:last] - event["at_ns"]
        taken[first:last] += event["impact"] * (1.0 - (1.0 - p.at_once) * left(age_ns, p))
        taken[last:] += event["impact"] * (1.0 - (1.0 - p.at_once) * (1.0 - p.closing))
    return taken
