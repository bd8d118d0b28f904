"""Parity: the run against the replay of the same period, every difference with one cause.

A replay of the store is laid beside what the run's journal holds. Between the two stands a ladder: on each rung one
more cause is put to what the store would have handed over, as it befell the run, and everything is stepped anew, with
the documents read again, the timers set again and the feed's health judged again. A decision or a trade that differs
has the cause at whose rung it took the run's value for good. The last rung is what the run heard, moment by moment; if
the journal says anything else than this machine makes of it, that is unexplained.
"""

from __future__ import annotations

import bisect
import functools
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from confidence_engine.config import Config
from confidence_engine.domain.errors import ConfidenceError, DataMissing, UsageError
from confidence_engine.domain.event import EVENT, NO_ASSET
from confidence_engine.domain.instrument import Instrument
from confidence_engine.domain.ports import Reader as TextReader
from confidence_engine.domain.units import DAY_NS, format_interval
from confidence_engine.drivers.epochs import Epoch, epochs_of
from confidence_engine.drivers.ladder import Rung, climb, touched
from confidence_engine.drivers.mishaps import CODE, PARAMS, UNEXPLAINED, Edit
from confidence_engine.drivers.restep import told_moments
from confidence_engine.drivers.rungs import Judged, Key, Once, Said, Trade, replayed, said_of
from confidence_engine.drivers.scribe import program
from confidence_engine.drivers.sources import Sources
from confidence_engine.feeds import timing
from confidence_engine.feeds.assemble import Window
from confidence_engine.feeds.clean import BAR_ROW
from confidence_engine.feeds.delivery import Moment
from confidence_engine.journal import kinds
from confidence_engine.journal.reader import Place, Reader
from confidence_engine.journal.verify import verify

__all__ = ["DECISION", "ORDER", "TRADE", "Differing", "Parity", "SourcesFor", "parity"]

DECISION, TRADE, ORDER = "decision", "trade", "order or ledger line"
_FOREVER: Final = 1 << 62

SourcesFor = Callable[[Config, Epoch, int], Sources]
"""(config, the epoch, end in ns) -> what a replay of that period is made from."""


class Differing(NamedTuple):
    """One decision or trade that is not the replay's: `replay` and `run` hold it, None where there is none.

    `ts_ns` is the replay's time of it, the run's where only the run has it. `acts` is whether anything was done
    otherwise, or only other numbers stand beneath. `nearest` is the last thing before it that its cause did to it.
    """

    what: str
    asset: int
    ts_ns: int
    replay: Judged | Trade | None
    run: Judged | Trade | None
    acts: bool
    cause: str
    nearest: Edit | None


class Parity(NamedTuple):
    """What a run and the replay of its period have to say of each other."""

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
    epochs: int  # of the run; only the first is compared
    rungs: tuple[str, ...]

    @property
    def unexplained(self) -> int:
        """Differences that nothing accounts for."""
        return sum(one.cause == UNEXPLAINED for one in self.differing)

    @property
    def equal(self) -> bool:
        """Whether the run is the replay."""
        return not self.differing and self.run_hash == self.replay_hash


class _Ran(NamedTuple):
    """What the journal holds of the epoch that is compared."""

    epoch: Epoch
    config: Config
    moments: list[Moment]
    said: Said
    end_ns: int


def parity(
    place: Place, sources_for: SourcesFor, read_for: Callable[[Config], TextReader], given: Config | None = None
) -> Parity:
    """Compare the first epoch of a run with a replay; `given` is the config that the replay is made with.

    Raises DataMissing, JournalDamaged, KernelHalted, UsageError for a replay's journal or a config that does not fit.
    """
    reader = Reader(place)
    try:
        genesis, epochs = reader.genesis(), epochs_of(reader)
        if genesis.run != "agent":
            raise UsageError(f"{place.folder}: this is the journal of a replay, and there is no run to compare")
        ran = _ran(reader, epochs[0])
        sources = _aligned(sources_for(ran.config, ran.epoch, ran.end_ns), ran.epoch)
        window = ran.epoch.window._replace(end_ns=ran.end_ns)
        rungs, edits = climb(ran.config, sources, window, Once(read_for(ran.config)), ran.moments)
        if given is not None and given.hash != ran.config.hash:
            _refuse(given, ran)
            first = replayed(given, sources, Once(read_for(given)), window)
            rungs = [Rung("", first), rungs[0]._replace(cause=PARAMS), *rungs[1:]]
        told = rungs, ran.said, edits, sources.instruments, ran.config.timing
        found = list(_Comparison(*told, lambda: _residue(reader, ran)).all())
        both = [rungs[0].said, ran.said]
        return Parity(
            genesis.agent, str(reader.uuid), ran.epoch.feed, genesis.synthetic, sources.instruments, window,
            len({key for one in both for key in one.decisions}), len({key for one in both for key in one.trades}),
            edits, found, _hash(ran.said), _hash(rungs[0].said), len(epochs), tuple(one.cause for one in rungs[1:]),
        )  # fmt: skip
    finally:
        reader.close()


def _refuse(given: Config, ran: _Ran) -> None:
    """Raise UsageError for a config that cannot replay what the run traded."""
    mine = {one.underlying for one in ran.epoch.instruments}
    strange = mine - {one.name for one in given.universe.underlyings}
    if strange:
        raise UsageError(f"{given.path}: the run traded {', '.join(sorted(strange))}, which is not in its universe")
    if given.agent.interval_ns != ran.config.agent.interval_ns:
        lasted = format_interval(ran.config.agent.interval_ns), format_interval(given.agent.interval_ns)
        raise UsageError(f"{given.path}: the run heard bars of {lasted[0]}, and this config wants {lasted[1]}")


def _hash(said: Said) -> str:
    return hashlib.sha256(said.rows[0]).hexdigest()


def _ran(reader: Reader, epoch: Epoch) -> _Ran:
    """The run as it is written. Raises DataMissing where it kept nothing of what it heard."""
    last = None if epoch.end is None else epoch.end[1]
    told = reader.records(kinds.DELIVERY, kinds.DOCUMENT, kinds.COMMAND, first=epoch.record, end=last)
    moments = list(told_moments(told))
    if not moments or _retired(reader):
        what = "its beginning is retired" if moments else "it holds no deliveries"
        raise DataMissing(f"{reader.place.folder}: {what}, so there is nothing to compare with a replay")
    leads: dict[int, str] = {}
    for one in reader.records(kinds.DOCUMENT, first=epoch.record, end=last):
        payload = msgspec.json.decode(one.payload or b"")
        for said in payload["heard"]:
            leads.setdefault(int(said["cluster"]), payload["document"]["id"])
    rows = [reader.rows(kind, epoch.record, last) for kind in (kinds.DECISION, kinds.ENTRY, kinds.INTENT)]
    end_ns = max(one.at_ns for one in moments) + 1
    return _Ran(epoch, epoch.config(reader), moments, said_of(rows[0], rows[1], rows[2], leads), end_ns)


def _retired(reader: Reader) -> bool:
    """Whether its first events are no longer there."""
    first = next((one for one in reader.blocks() if one.events), None)
    return first is not None and len(reader.read(first)) < first.events * EVENT.itemsize


def _aligned(sources: Sources, epoch: Epoch) -> Sources:
    """The sources with the instruments of the run under their numbers, without bars where none are stored now."""
    bars = {one.key: sources.bars.get(one.key, np.zeros(0, BAR_ROW)) for one in epoch.instruments}
    return sources._replace(instruments=epoch.instruments, bars=bars)


def _residue(reader: Reader, ran: _Ran) -> str:
    """Why the journal is not what this machine makes of it: other code wrote it, and nobody changed it since."""
    mine = program()
    same = ran.epoch.program.code_revision == mine.code_revision and ran.epoch.program.versions == mine.versions
    try:
        sound = verify(reader.place).sound
    except ConfidenceError:
        sound = False
    return UNEXPLAINED if same or not sound else CODE


class _Comparison:
    """The run against the lowest rung, each difference with the cause that the ladder gives it."""

    def __init__(
        self, rungs: Sequence[Rung], run: Said, edits: Sequence[Edit], instruments: tuple[Instrument, ...],
        clock: timing.Params, residue: Callable[[], str],
    ) -> None:  # fmt: skip
        self._rungs, self._run, self._clock, self._residue = rungs, run, clock, functools.cache(residue)
        about: dict[str, frozenset[str]] = {}
        for one in rungs:
            for name, names in one.said.about.items():
                about[name] = about.get(name, frozenset()) | names
        self._edits: dict[str, list[tuple[Edit, frozenset[int] | None]]] = defaultdict(list)
        for edit in edits:
            self._edits[edit.cause].append((edit, touched(edit, instruments, about)))

    def all(self) -> Iterator[Differing]:
        """Decisions, then trades, each by time; then what of the bytes is left."""
        decisions = [rung.said.decisions for rung in self._rungs]
        moved = _moved(decisions[0], self._run.decisions, self._clock)
        found = [*self._of(DECISION, decisions, self._run.decisions, moved)]
        found += self._of(TRADE, [rung.said.trades for rung in self._rungs], self._run.trades, moved)
        yield from found
        last = self._rungs[-1].said
        if last.rows != self._run.rows and not any(one.cause in (CODE, UNEXPLAINED) for one in found):
            yield Differing(ORDER, NO_ASSET, 0, None, None, True, self._residue(), None)

    def _of(
        self, what: str, ladder: Sequence[Mapping[Key, Any]], run: Mapping[Key, Any], moved: Mapping[Key, Key]
    ) -> list[Differing]:
        """Differences of one sort; one that `moved` is looked for under both of its keys."""
        pairs = {key: moved.get(key, key) for key in ladder[0]}
        met = set(pairs.values())
        pairs |= {key: key for key in (*run, *ladder[-1]) if key not in met and key not in pairs}
        found = []
        for key, other in sorted(pairs.items(), key=lambda one: (min(one[0][1], one[1][1]), one)):
            tellings = [(one.get(key), one.get(other)) for one in ladder]
            told = run.get(key), run.get(other)
            if tellings[0] == told == tellings[-1]:
                continue
            replay, mine = tellings[0][0], told[1]
            done = [tuple(map(_act, one)) for one in tellings]
            acts = done[0] != done[-1]
            cause = _settled_at(self._rungs, done if acts else tellings) if tellings[-1] == told else self._residue()
            near = self._nearest(cause, key[0], _until(key, other, replay, mine))
            found.append(Differing(what, key[0], min(key[1], other[1]), replay, mine, acts, cause, near))
        return found

    def _nearest(self, cause: str, asset: int, until_ns: int) -> Edit | None:
        """The last thing that its cause did to the asset by then; else to any."""
        some = self._edits.get(cause, [])
        before = some[: bisect.bisect_right(some, until_ns, key=lambda one: one[0].at_ns)]
        mine = next((one for one, about in reversed(before) if about is None or asset in about), None)
        if mine is None and some:  # a clock that is behind lets it come later than what it did
            mine = (before[-1] if before else some[0])[0]
        return mine


def _settled_at(rungs: Sequence[Rung], tellings: Sequence[Any]) -> str:
    """The cause at whose rung the last value was taken for good."""
    k = len(tellings) - 1
    while k > 0 and tellings[k - 1] == tellings[-1]:
        k -= 1
    return rungs[k].cause


def _act(one: Judged | Trade | None) -> Any:
    """What was done, without how much of it and the numbers beneath."""
    if isinstance(one, Trade):
        return one.side, one.entry_ns, one.exit_ns, one.why
    return None if one is None else one.act


def _until(key: Key, other: Key, replay: Any, run: Any) -> int:
    """Before when the cause of a difference is to be looked for."""
    if isinstance(replay, Trade) and isinstance(run, Trade) and replay[:4] == run[:4]:
        left = [one.exit_ns for one in (replay, run) if one.exit_ns >= 0]
        return min(left, default=_FOREVER)
    return min(key[1], other[1])


def _moved(replay: Mapping[Key, Judged], run: Mapping[Key, Judged], clock: timing.Params) -> dict[Key, Key]:
    """Decisions of the replay alone, each with the nearest of the run alone that is of its asset, story and side.

    Only what was decided upon evidence moves with it; on the grid nothing does.
    """
    waiting: dict[tuple[int, str, int], list[Key]] = defaultdict(list)
    for key in sorted(run.keys() - replay.keys()):
        if not _on_grid(key, clock):
            waiting[key[0], run[key].story, run[key].act[0]].append(key)
    found: dict[Key, Key] = {}
    for key in sorted(replay.keys() - run.keys()):
        one = replay[key]
        mine = waiting.get((key[0], one.story, one.act[0]), []) if one.story and not _on_grid(key, clock) else []
        if mine:
            at = bisect.bisect(mine, key)
            near = min((k for k in (at - 1, at) if 0 <= k < len(mine)), key=lambda k: abs(mine[k][1] - key[1]))
            if abs(mine[near][1] - key[1]) <= DAY_NS:
                found[key] = mine.pop(near)
    return found


def _on_grid(key: Key, clock: timing.Params) -> bool:
    return (key[1] - clock.settle_ns) % clock.grid_ns == 0
