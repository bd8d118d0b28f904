"""Parity: the run against the replay of the same period, every difference with one cause.

A replay of the store is laid beside what the run's journal holds. Between the two stands a ladder: on each rung one
more cause is put to what the store would have handed over, as it befell the run, and everything is stepped anew, with
the documents read again, the timers set again and the feed's health judged again. A decision or a trade that differs
has the cause at whose rung it took the run's value for good. The last rung is what the run heard, moment by moment; if
the journal says anything else than this machine makes of it, that is unexplained. Every epoch has a ladder of its own,
that of a later one from the state that was sealed at its beginning.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from confidence_engine.config import Config
from confidence_engine.domain.errors import ConfidenceError, DataMissing, UsageError
from confidence_engine.domain.instrument import Instrument
from confidence_engine.domain.ports import Reader as TextReader
from confidence_engine.domain.units import format_interval
from confidence_engine.drivers.differing import DECISION, ORDER, TRADE, Comparison, Differing
from confidence_engine.drivers.epochs import Epoch, epochs_of
from confidence_engine.drivers.ladder import Ladder, Period, Rung, climb, lowest
from confidence_engine.drivers.lived import LeftOut, Lived, life_of, unreadable
from confidence_engine.drivers.mishaps import CODE, PARAMS, TIMER, UNEXPLAINED, Edit, Item
from confidence_engine.drivers.replay import told_about
from confidence_engine.drivers.rungs import Once, Said
from confidence_engine.drivers.scribe import program
from confidence_engine.drivers.sources import Sources
from confidence_engine.feeds.assemble import Window
from confidence_engine.feeds.clean import BAR_ROW
from confidence_engine.journal.reader import Place, Reader
from confidence_engine.journal.verify import verify

__all__ = ["DECISION", "ORDER", "TRADE", "Differing", "LeftOut", "Parity", "SourcesFor", "parity"]

SourcesFor = Callable[[Config, Epoch, int], Sources]
"""(config, the epoch, end in ns) -> what a replay of that period is made from."""
_ReadFor = Callable[[Config], TextReader]


class Parity(NamedTuple):
    """What a run and the replay of its period have to say of each other, all epochs together."""

    name: str
    journal: str
    feed: dict[str, Any]
    synthetic: bool
    instruments: tuple[Instrument, ...]
    window: Window
    decisions: int
    trades: int
    edits: list[Edit]
    differing: list[Differing]
    run_hash: str
    replay_hash: str
    epochs: int  # of the run
    rungs: tuple[str, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def unexplained(self) -> int:
        """Differences that nothing accounts for."""
        return sum(one.cause == UNEXPLAINED for one in self.differing)

    @property
    def equal(self) -> bool | None:
        """Whether the run is the replay; None where it is as far as it could be compared, and some could not."""
        if self.differing or self.run_hash != self.replay_hash:
            return False
        return None if self.left_out else True


class _Compared(NamedTuple):
    """One epoch beside its ladder."""

    lived: Lived
    rungs: list[Rung]
    edits: list[Edit]
    differing: list[Differing]


def parity(place: Place, sources_for: SourcesFor, read_for: _ReadFor, given: Config | None = None) -> Parity:
    """Compare every epoch of a run with a replay; `given` is the config that the replay is made with.

    Raises DataMissing where no epoch can be compared, JournalDamaged, KernelHalted, UsageError for a replay's journal
    or a config that does not fit.
    """
    reader = Reader(place)
    try:
        genesis, epochs = reader.genesis(), epochs_of(reader)
        if genesis.run != "agent":
            raise UsageError(f"{place.folder}: this is the journal of a replay, and there is no run to compare")
        life = life_of(reader, epochs)
        desk, found = _Desk(place, sources_for, read_for, given, life.heard), list[_Compared]()
        left_out = list(life.left_out)
        for one in life.lived:
            compared = desk.compare(one)
            if isinstance(compared, LeftOut):
                left_out.append(compared)
            else:
                found.append(compared)
        if not found:
            raise DataMissing(left_out[0].why)
        first = epochs[0]
        return Parity(
            genesis.agent, str(reader.uuid), first.feed, genesis.synthetic, epochs[-1].instruments,
            first.window._replace(end_ns=found[-1].lived.window.end_ns), _count(found, "decisions"),
            _count(found, "trades"), [edit for one in found for edit in one.edits],
            [other for one in found for other in one.differing], _hash(one.lived.said for one in found),
            _hash(one.rungs[0].said for one in found), len(epochs),
            tuple(dict.fromkeys(rung.cause for one in found for rung in one.rungs[1:])),
            tuple(sorted(left_out)),
        )  # fmt: skip
    finally:
        reader.close()


def _count(found: list[_Compared], what: str) -> int:
    """Decisions or trades of either side; a trade that lasts over a change is one."""
    both = [said for one in found for said in (one.rungs[0].said, one.lived.said)]
    return len({key for said in both for key in getattr(said, what)})


def _hash(said: Iterable[Said]) -> str:
    """SHA-256 over the decisions of all epochs in order."""
    digest = hashlib.sha256()
    for one in said:
        digest.update(one.rows[0])
    return digest.hexdigest()


class _Desk:
    """Where the epochs of one run are compared, one after another."""

    def __init__(
        self, place: Place, sources_for: SourcesFor, read_for: _ReadFor, given: Config | None, heard: list[Item]
    ) -> None:  # fmt: skip
        self._place, self._sources_for, self._read_for = place, sources_for, read_for
        self._given, self._heard = given, heard
        self._readers: dict[Any, Once] = {}
        self._sound = functools.cache(self._verified)

    def compare(self, one: Lived) -> _Compared | LeftOut:
        """An epoch beside its ladder, or why it cannot be. Raises KernelHalted and UsageError."""
        window, config = one.window, one.config
        try:
            sources = _aligned(self._sources_for(config, one.epoch, window.end_ns), one.epoch)
        except DataMissing as error:
            return LeftOut(one.number, window.start_ns, window.end_ns, str(error))
        period, reader = Period(sources, window, one.part, one.begin), self._reader(config)
        if strange := unreadable(period.cast(config, reader), one):
            return LeftOut(one.number, window.start_ns, window.end_ns, f"{self._place.folder}: {strange}")
        rungs, edits = self._climbed(one, period)
        edits = [edit._replace(epoch=one.number) for edit in edits]
        told = rungs, one.said, edits, sources.instruments, config.timing
        found = Comparison(*told, lambda: self._residue(one.epoch)).all()
        return _Compared(one, rungs, edits, [other._replace(epoch=one.number) for other in found])

    def _climbed(self, one: Lived, period: Period) -> Ladder:
        """Its ladder, with a rung below it where another config is given."""
        config, given = one.config, self._given
        if not one.moments:  # it ended before anything came
            return Ladder([Rung("", one.said), Rung(TIMER, one.said)], [])
        rungs, edits = climb(config, period, self._reader(config), self._heard, one.moments)
        if given is not None and given.hash != config.hash:
            _refuse(given, one)
            first = lowest(given, period, self._reader(given))
            rungs = [Rung("", first), rungs[0]._replace(cause=PARAMS), *rungs[1:]]
        return Ladder(rungs, edits)

    def _reader(self, config: Config) -> Once:
        """Who reads for a config; for those that ask for the same one, the same."""
        if config.text not in self._readers:
            self._readers[config.text] = Once(self._read_for(config))
        return self._readers[config.text]

    def _residue(self, epoch: Epoch) -> str:
        """Why the journal is not what this machine makes of it: other code wrote it, and nobody changed it since."""
        mine = program()
        same = epoch.program.code_revision == mine.code_revision and epoch.program.versions == mine.versions
        return UNEXPLAINED if same or not self._sound() else CODE

    def _verified(self) -> bool:
        try:
            return bool(verify(self._place).sound)
        except ConfidenceError:
            return False


def _refuse(given: Config, lived: Lived) -> None:
    """Raise UsageError for a config that cannot replay what the run traded."""
    instruments = lived.epoch.instruments
    strange = {one.underlying for one in instruments} - {one.name for one in given.universe.underlyings}
    if strange:
        raise UsageError(f"{given.path}: the run traded {', '.join(sorted(strange))}, which is not in its universe")
    if given.agent.interval_ns != lived.config.agent.interval_ns:
        lasted = format_interval(lived.config.agent.interval_ns), format_interval(given.agent.interval_ns)
        raise UsageError(f"{given.path}: the run heard bars of {lasted[0]}, and this config wants {lasted[1]}")
    names = [told_about(instruments, one.universe.underlyings) for one in (given, lived.config)]
    if lived.begin is not None and names[0] != names[1]:
        what = f"epoch {lived.number} of the run began knowing {', '.join(names[1])}, and this is {', '.join(names[0])}"
        raise UsageError(f"{given.path}: {what}")


def _aligned(sources: Sources, epoch: Epoch) -> Sources:
    """The sources with the instruments of the run under their numbers, without bars where none are stored now."""
    bars = {one.key: sources.bars.get(one.key, np.zeros(0, BAR_ROW)) for one in epoch.instruments}
    return sources._replace(instruments=epoch.instruments, bars=bars)
