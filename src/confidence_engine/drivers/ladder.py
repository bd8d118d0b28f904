"""Rungs from the replay of the store up to what a run heard, one more cause on each.

On the first stands a replay as `replay` makes it; on the second the same rows taken moment by moment, as a run takes
them, which has to be the same: what differs there is explained by nothing. Then, cause by cause in one order, all that
befell the run by then is put to it, and at last the run's own moments as they came. Each rung is a world that could
have been, so each is stepped from the beginning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from confidence_engine.config import Config
from confidence_engine.domain.instrument import Instrument
from confidence_engine.domain.ports import Reader
from confidence_engine.drivers.agent import Cast
from confidence_engine.drivers.feed import deliveries
from confidence_engine.drivers.mishaps import (
    CAUSES,
    CLOCK,
    TIMER,
    UNEXPLAINED,
    Edit,
    Item,
    clock_edits,
    edits_between,
    items_of,
    moments_of,
)
from confidence_engine.drivers.rungs import Said, fed, replayed
from confidence_engine.drivers.sources import Sources
from confidence_engine.feeds.assemble import Window
from confidence_engine.feeds.delivery import DOCUMENTS, Moment

__all__ = ["Ladder", "Rung", "climb", "touched"]


class Rung(NamedTuple):
    """What is said once a cause is put to all those before it; "" on the lowest."""

    cause: str
    said: Said


class Ladder(NamedTuple):
    """The rungs from the lowest, and everything that came otherwise."""

    rungs: list[Rung]
    edits: list[Edit]


def climb(config: Config, sources: Sources, window: Window, reader: Reader, heard: list[Moment]) -> Ladder:
    """The ladder from the replay of `sources` to the moments `heard`. Raises KernelHalted."""
    cast = Cast(config, sources.instruments, reader, window, sources.sessions, sources.synthetic)
    was = items_of(deliveries(sources, config.timing, window))
    now = items_of(heard)
    edits, steps = edits_between(was, now, config), clock_edits(heard)
    rungs = [Rung("", replayed(config, sources, reader, window))]
    exact = fed(cast, sources, heard)
    if not edits and not steps and exact.rows == rungs[0].said.rows:
        return Ladder([*rungs, Rung(TIMER, exact)], [])
    rungs.append(Rung(UNEXPLAINED, fed(cast, sources, moments_of(was, window.end_ns))))
    applied: set[str] = set()
    for cause in CAUSES:
        if any(one.cause == cause for one in edits):
            applied.add(cause)
            told = moments_of(_edited(was, edits, applied), window.end_ns)
            rungs.append(Rung(cause, fed(cast, sources, told)))
    rungs.append(Rung(CLOCK if steps else TIMER, exact))
    return Ladder(rungs, sorted([*edits, *steps], key=lambda one: (one.at_ns, one.name)))


def _edited(was: list[Item], edits: list[Edit], applied: set[str]) -> list[Item]:
    """What the store would have handed over, with all that befell the run by causes that are `applied`."""
    chosen = [one for one in edits if one.cause in applied]
    gone = {one.name for one in chosen}
    found = [one for one in was if one.name not in gone]
    behind = len(was)
    for one in chosen:
        found += [item._replace(place=behind + item.place) for item in one.now]
    return found


def touched(
    edit: Edit, instruments: tuple[Instrument, ...], about: Mapping[str, frozenset[str]]
) -> frozenset[int] | None:
    """Numbers of the assets that an edit is about; None where it is about all of them.

    `about` names the underlyings of each document.
    """
    kind, key, _, name = edit.name
    if kind == DOCUMENTS and name in about:
        mine = {one.underlying for one in instruments}
        if not about[name] <= mine:
            return None  # it speaks of a market
        return frozenset(k for k, one in enumerate(instruments) if one.underlying in about[name])
    if kind == DOCUMENTS and edit.was + edit.now:
        return frozenset()  # about nothing that is traded, or not to be read
    found: Any = frozenset(k for k, one in enumerate(instruments) if one.key == key or (key and one.calendar == key))
    return found or None
