"""Rungs from the replay of the store up to what a run heard, one more cause on each.

On the first stands a replay as `replay` makes it; on the second the same rows taken moment by moment, as a run takes
them, which has to be the same: what differs there is explained by nothing. Then, cause by cause in one order, all that
befell the run by then is put to it, and at last the run's own moments as they came. Each rung is a world that could
have been, so each is stepped from the beginning. Of a later epoch of a run that is the state that was sealed there: the
lowest rung is a mind that begins so and takes what the store says came behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    Part,
    clock_edits,
    edits_between,
    items_of,
    moments_of,
)
from confidence_engine.drivers.rungs import Begin, Said, fed, replayed
from confidence_engine.drivers.sources import Sources
from confidence_engine.feeds.assemble import Window
from confidence_engine.feeds.delivery import DOCUMENTS, Moment

__all__ = ["Ladder", "Period", "Rung", "climb", "lowest", "touched"]


class Rung(NamedTuple):
    """What is said once a cause is put to all those before it; "" on the lowest."""

    cause: str
    said: Said


class Ladder(NamedTuple):
    """The rungs from the lowest, and everything that came otherwise."""

    rungs: list[Rung]
    edits: list[Edit]


class Period(NamedTuple):
    """A stretch of a run's life in which nothing about it changed: what is stored of it, and with what it begins.

    `part` says which of the run's things came in it; `begin` is None for a mind that begins with nothing.
    """

    sources: Sources
    window: Window
    part: Part
    begin: Begin | None

    def cast(self, config: Config, reader: Reader) -> Cast:
        """Who lives through it."""
        sources = self.sources
        return Cast(config, sources.instruments, reader, self.window, sources.sessions, sources.synthetic)

    def stored(self, config: Config) -> list[Item]:
        """All that the store would have handed over by its end, from before it too."""
        return items_of(deliveries(self.sources, config.timing, self.window))


def lowest(config: Config, period: Period, reader: Reader) -> Said:
    """What is said where everything comes as it is stored. Raises KernelHalted."""
    if period.begin is None:
        return replayed(config, period.sources, reader, period.window)
    due = period.part.due(period.stored(config))
    return fed(period.cast(config, reader), moments_of(due, period.window.end_ns), period.begin)


def climb(config: Config, period: Period, reader: Reader, now: list[Item], heard: list[Moment]) -> Ladder:
    """The ladder from what is stored to the moments `heard`; `now` is all that the run heard in its life.

    Raises KernelHalted.
    """
    cast, part, end_ns = period.cast(config, reader), period.part, period.window.end_ns
    stored = period.stored(config)
    due = part.due(stored)
    edits, steps = edits_between(stored, now, config, part), clock_edits(heard)
    rungs = [Rung("", lowest(config, period, reader))]
    exact = fed(cast, heard, period.begin)
    if not edits and not steps and exact.rows == rungs[0].said.rows:
        return Ladder([*rungs, Rung(TIMER, exact)], [])
    if period.begin is None:
        rungs.append(Rung(UNEXPLAINED, fed(cast, moments_of(due, end_ns))))
    applied: set[str] = set()
    for cause in CAUSES:
        if any(one.cause == cause for one in edits):
            applied.add(cause)
            told = moments_of(_edited(due, edits, applied, part), end_ns)
            rungs.append(Rung(cause, fed(cast, told, period.begin)))
    rungs.append(Rung(CLOCK if steps else TIMER, exact))
    return Ladder(rungs, sorted([*edits, *steps], key=lambda one: (one.at_ns, one.name)))


def _edited(due: Sequence[Item], edits: list[Edit], applied: set[str], part: Part) -> list[Item]:
    """What the store would have handed over, with all that befell the run by causes that are `applied`."""
    chosen = [one for one in edits if one.cause in applied]
    gone = {one.name for one in chosen}
    found = [one for one in due if one.name not in gone]
    behind = max((one.place for one in due), default=0) + 1
    for one in chosen:
        found += [item._replace(place=behind + item.place) for item in part.heard(one.now)]
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
