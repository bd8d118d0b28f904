"""A stretch of events stepped, and all that came of it in the order in which a journal tells it.

Who writes a run down, who steps it again to compare and who goes on after a crash all take it from here, so that the
three cannot differ in what they call a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np

from confidence_engine.domain.errors import KernelHalted
from confidence_engine.domain.event import EVENT
from confidence_engine.domain.units import format_time
from confidence_engine.drivers.loop import run
from confidence_engine.journal import kinds
from confidence_engine.kernel.out import OUT_HEAD, STATUS_NAMES, Out, clear
from confidence_engine.kernel.state import State
from confidence_engine.venues.sim import Venue

__all__ = ["Row", "Stretch", "halted", "stretch_of", "stretches"]

_ROWS: Final = (
    (kinds.LESSON, "lessons", "ts_ns"), (kinds.DECISION, "decisions", "ts_ns"), (kinds.INTENT, "intents", "ts_ns"),
    (kinds.ENTRY, "entries", "ts_known"), (kinds.EQUITY, "equities", "ts_ns"), (kinds.MARKED, "marks", "ts_ns"),
)  # fmt: skip
"""Kind, array of the output, field of its time; of one event they stand in this order."""


class Row(NamedTuple):
    """One row of the output: the sequence of its event, its kind, when, and its bytes."""

    event: int
    kind: int
    ts_ns: int
    body: bytes


class Stretch(NamedTuple):
    """EVENT in the order stepped from sequence `first` on; the places `stored` are the feed's, the rest the venue's."""

    first: int
    events: np.ndarray
    stored: np.ndarray
    rows: list[Row]

    @property
    def last(self) -> int:
        """Sequence of its last event, that of the one before it where it is empty."""
        return self.first + len(self.events) - 1


def stretch_of(first: int, events: np.ndarray, out: Out) -> Stretch:
    """What is in the output after stored events, the first event stepped having been `first`."""
    n = int(out.head["heard"][0])
    if n == 0:
        return Stretch(first, events, np.arange(len(events)), _rows(out))
    both = np.zeros(len(events) + n, EVENT)
    said = np.zeros(len(both), bool)
    said[out.heard_at[:n] - first] = True
    both[said], both[~said] = out.heard[:n], events
    return Stretch(first, both, np.flatnonzero(~said), _rows(out))


def _rows(out: Out) -> list[Row]:
    found: list[tuple[int, int, Row]] = []
    counts = dict(zip(OUT_HEAD.names or (), out.head.tolist()[0], strict=True))
    for order, (kind, name, stamp) in enumerate(_ROWS):
        if not counts[name]:
            continue
        of = getattr(out, name)[: counts[name]]
        at = out.decided_at[: len(of)] if kind == kinds.DECISION else of["event"]
        body, size = of.tobytes(), of.itemsize
        found += [
            (event, order, Row(event, kind, ts, body[size * k : size * (k + 1)]))
            for k, (event, ts) in enumerate(zip(at.tolist(), of[stamp].tolist(), strict=True))
        ]
    found.sort(key=lambda one: one[:2])
    return [row for _, _, row in found]


def stretches(
    state: State, venue: Venue, events: np.ndarray, records: tuple[np.ndarray, np.ndarray], out: Out
) -> Iterator[Stretch]:
    """Step stored events to the end; `out` is drained after each stretch. Raises KernelHalted.

    records: one-element records of the kernel's and the venue's parameters, as `loop.run` takes them.
    """
    at = 0
    while at < len(events):
        first = int(state.head["steps"][0])
        done = run(state, venue, events, at, *records, out)
        if out.head["status"][0]:
            raise KernelHalted(halted(out.head[0], events))
        made = stretch_of(first, events[at:done], out)
        clear(out)
        yield made
        at = done


def halted(head: Any, events: np.ndarray) -> str:
    """Where and why a step stopped the run."""
    event = events[min(int(head.where), len(events) - 1)]
    why = STATUS_NAMES.get(int(head.status), f"status {head.status}")
    return f"the kernel stopped at event {head.where}, known {format_time(int(event['ts_known']))}: {why}"
