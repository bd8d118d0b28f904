"""The kernel, the venue and their loop cannot look ahead: two lanes through one tape, at every cut byte for byte equal.

Lane one is handed the events up to the cut and no others. Lane two is handed the whole tape with everything after the
cut replaced: at the cut stands an event that the loop must refuse, behind it all numbers are others. Both are stepped
from cut to cut, so a pass over the tape serves any number of cuts. At a cut the two states, the venues' books and all
that was said since the last cut are compared. By induction from cut to cut: what was held and said at a cut depends
on nothing after it, nor on whether there was anything.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from confidence_engine.config import Config
from confidence_engine.domain.decision import DECISION
from confidence_engine.domain.errors import KernelHalted
from confidence_engine.domain.event import BAR, EVENT, FUNDING, SCORE, SIGNAL, TIMER
from confidence_engine.domain.instrument import Instrument
from confidence_engine.domain.order import INTENT
from confidence_engine.domain.params import params_record
from confidence_engine.domain.units import format_time
from confidence_engine.drivers import replay
from confidence_engine.drivers.loop import run
from confidence_engine.evaluate.leaks.found import Check
from confidence_engine.kernel.out import STATUS_NAMES, STATUS_OK, STATUS_ORDER, Out, clear, new_out
from confidence_engine.kernel.state import State
from confidence_engine.venues.sim import Venue

__all__ = ["KERNEL_FUTURE", "Lane", "cuts_of", "kernel_future", "lane", "scrambled"]

KERNEL_FUTURE: Final = "kernel-future"
SAID: Final = {
    "decisions": "decisions", "decided_at": "decisions", "intents": "intents", "entries": "entries",
    "equities": "equities", "marks": "marks", "lessons": "lessons", "heard": "heard", "heard_at": "heard",
}  # fmt: skip
"""Rows of the output and the count that says how many of them are new."""


class Lane(NamedTuple):
    """A state on its way through a tape, with what it needs."""

    state: State
    venue: Venue
    out: Out
    params: np.ndarray
    assume: np.ndarray

    def step(self, events: np.ndarray, at: int, until: int) -> dict[str, bytes]:
        """Step events[at:until] of the array that is shown whole, and say what was said, the rows of SAID.

        An array that goes on beyond `until` must hold there an event that is refused. Raises KernelHalted.
        """
        head = self.out.head[0]
        said: dict[str, list[bytes]] = {name: [] for name in SAID}
        wanted = STATUS_OK if until == len(events) else STATUS_ORDER
        while True:
            clear(self.out)
            at = int(run(self.state, self.venue, events, at, self.params, self.assume, self.out))
            for name, count in SAID.items():
                said[name].append(getattr(self.out, name)[: int(head[count])].tobytes())
            if at == until or head.status != STATUS_OK:
                break  # else there was no more room for what is said
        if at != until or head.status != wanted:
            raise KernelHalted(f"the kernel stopped at event {at}: {STATUS_NAMES[int(head.status)]}")
        head.status = STATUS_OK
        return {name: b"".join(parts) for name, parts in said.items()}

    def held(self) -> list[np.ndarray]:
        """All arrays of the state and of the venue's books, without the rows that no asset uses."""
        h = self.state.head[0]
        used, size = max(int(h.n_assets), int(h.n_underlyings)), len(self.state.asset)
        return [one[:used] if len(one) == size else one for one in (*self.state, *self.venue)]

    def copy_from(self, other: Lane) -> None:
        """Become what another lane is."""
        for mine, its in zip((*self.state, *self.venue), (*other.state, *other.venue), strict=True):
            mine[...] = its


def lane(config: Config, instruments: tuple[Instrument, ...], rows: int = 8192) -> Lane:
    """A lane before the first event, with room for what a stretch between two cuts says."""
    state, venue = replay.initial(config, instruments)
    records = params_record(config.kernel), params_record(config.sim)
    return Lane(state, venue, new_out(len(instruments), rows), *records)


def scrambled(events: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """EVENT [n] of the same kinds, assets and times with other prices, volumes, rates, readings and scores."""
    other, n = events.copy(), len(events)
    factor = np.exp(rng.normal(0.0, 0.2, n))
    bar = other["kind"] == BAR
    for name in ("x0", "x1", "x2", "x3"):
        other[name][bar] *= factor[bar]
    other["x4"][bar] *= rng.uniform(0.1, 10.0, int(bar.sum()))
    for kind, count in ((SIGNAL, 4), (SCORE, 2), (FUNDING, 1)):
        some = other["kind"] == kind
        for k in range(count):
            other[f"x{k}"][some] = rng.uniform(0.0 if k else -1.0, 1.0, int(some.sum()))
    ticks = other["kind"] == TIMER
    other["x0"][ticks] = 1.0 - other["x0"][ticks]
    return other


def cuts_of(events: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` places between two events, by chance and each once; all there are where they are fewer."""
    places = np.arange(1, len(events))
    return places if len(places) <= count else np.sort(rng.choice(places, count, replace=False))


def kernel_future(
    config: Config, instruments: tuple[Instrument, ...], events: np.ndarray, cuts: np.ndarray,
    rng: np.random.Generator, check: Check,
) -> None:  # fmt: skip
    """Compare the two lanes at every cut (index of the first event after it). Raises KernelHalted."""
    with check.timed():
        blind, seeing = lane(config, instruments), lane(config, instruments)
        shown, at = scrambled(events, rng), 0
        for k in cuts.tolist():
            one = blind.step(events[:k], at, k)
            shown[at:k] = events[at:k]
            shown[k] = _refused(events[k - 1])
            two = seeing.step(shown, at, k)
            at = k
            check.n += 1
            check.count(
                decisions=len(one["decisions"]) // DECISION.itemsize, orders=len(one["intents"]) // INTENT.itemsize
            )
            told = _different(one, two) or _apart(blind, seeing)
            if told is not None:
                check.leak(f"at {format_time(int(events[k - 1]['ts_known']))}, event {k}: {told}")
                seeing.copy_from(blind)


def _refused(last: Any) -> np.ndarray:
    """An event older than the last one: the loop stops at it before anything is touched."""
    stop = np.zeros(1, EVENT)
    stop["kind"], stop["ts_known"], stop["ts_event"] = TIMER, last["ts_known"] - 1, last["ts_known"] - 1
    return stop[0]


def _different(one: dict[str, bytes], two: dict[str, bytes]) -> str | None:
    """What was said that is not the same, in words."""
    names = [name for name in one if one[name] != two[name]]
    return f"{names[0]} are others with another future" if names else None


def _apart(one: Lane, two: Lane) -> str | None:
    """The first array of the two states that is not the same, in words."""
    names = (*State._fields, *(f"venue.{name}" for name in Venue._fields))
    for name, a, b in zip(names, one.held(), two.held(), strict=True):
        if a.tobytes() != b.tobytes():
            return f"the state ({name}) is another with another future"
    return None
