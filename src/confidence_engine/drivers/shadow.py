"""A shadow steps a journal again and finds every event, decision, order, fill and state byte as it is written, or says
what is not: the proof that a run was made by this machine out of what it says it heard.

Stored events are taken from the segments; what the simulated venue said is found again. `deep` goes one door further
out: documents are read again and bars built again from what was delivered, so that the stored events themselves are
found again. Each epoch is stepped from the state sealed at its beginning; where a retirement has taken that, from the
first state that is left, and what cannot be stepped any more is counted. A journal that is being written is taken up to
the commit that was the last one when the shadow began.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np

from confidence_engine.config import Config
from confidence_engine.domain.errors import ConfidenceError, DataMissing, JournalDamaged, KernelHalted, UsageError
from confidence_engine.domain.event import ACK, ADL, CANCELLED, EVENT, FILL, LIQUIDATION, REJECT
from confidence_engine.domain.instrument import calendars_of
from confidence_engine.domain.params import params_record
from confidence_engine.domain.ports import Reader as TextReader
from confidence_engine.drivers.agent import Cast
from confidence_engine.drivers.epochs import Epoch, epochs_of
from confidence_engine.drivers.intake import decoded
from confidence_engine.drivers.replay import initial, last_rows
from confidence_engine.drivers.restep import Difference, Written, told_moments
from confidence_engine.drivers.scribe import program
from confidence_engine.drivers.snapshot import restore
from confidence_engine.drivers.stretch import Stretch, stretches
from confidence_engine.feeds.calendar import sessions
from confidence_engine.journal import kinds
from confidence_engine.journal.chain import Block, Record
from confidence_engine.journal.log import reopen
from confidence_engine.journal.reader import Place, Reader
from confidence_engine.journal.retire import snapshot
from confidence_engine.journal.retired import Sealed, last_retired, retirements, seals
from confidence_engine.journal.verify import verify
from confidence_engine.kernel.out import new_out
from confidence_engine.kernel.state import state_hash

__all__ = ["SAID", "Shadowed", "record_incident", "shadow"]

SAID: Final = (ACK, REJECT, CANCELLED, FILL, ADL, LIQUIDATION)
"""Kinds that a venue says; all others were stored."""
_AT_ONCE: Final = 65_536
_YEAR_NS: Final = 366 * 24 * 3600 * 10**9

ReaderFor = Callable[[Config], TextReader]


class Shadowed(NamedTuple):
    """What the shadow of one journal found of what was asked for. `difference` None: equal to the byte."""

    name: str
    journal: str
    events: int  # compared, of those that were asked for; so are rows, decisions and sealed states
    rows: int
    epochs: int
    sealed: int  # states that were compared
    decisions_hash: str
    state_hash: str
    deep: bool
    difference: Difference | None
    cause: str
    first_event: int  # the first that was compared
    passed_over: int  # events asked for that cannot be stepped: the state before them is retired, or they are
    synthetic: bool

    @property
    def equal(self) -> bool:
        """Whether everything is as it is written."""
        return self.difference is None


def shadow(place: Place, read_for: ReaderFor | None = None, since: int = 0, until: int | None = None) -> Shadowed:
    """Step a journal again, `read_for` deep. Raises JournalDamaged, DataMissing, UsageError.

    `since` and `until` are sequences of events: of the epochs and sealed states only those are taken that are needed
    for what lies between, and only what lies between is counted. DataMissing where none of it can be stepped any more.
    """
    reader = Reader(place)
    try:
        genesis, part = reader.genesis(), _part(reader, since, until)
        if read_for is not None and genesis.run != "agent":
            raise UsageError(f"{place.folder}: a replay keeps no deliveries, so there is nothing to read again")
        told = _Told()
        epochs = _epochs(reader, part)
        told.passed_over = part.overlap(0, epochs[0].event) if epochs else 0
        for one in epochs:
            _Epoch(reader, one, genesis.synthetic, read_for, told, part).step()
            if told.difference is not None:
                break
        if told.epochs == 0:
            what = f"what came before event {part.gone[0]} is retired, and no sealed state is left"
            raise (JournalDamaged if part.whole else DataMissing)(
                f"{place.folder}: {what} to step events {since} to {part.until} from"
            )
        cause = "" if told.difference is None else _cause(reader, told, read_for is not None)
        return Shadowed(
            genesis.agent, str(reader.uuid), told.events, told.rows, told.epochs, told.sealed,
            told.decisions.hexdigest(), told.state, read_for is not None, told.difference, cause, told.first,
            told.passed_over, genesis.synthetic,
        )  # fmt: skip
    finally:
        reader.close()


def record_incident(place: Place, found: Shadowed) -> None:
    """Put a difference into the journal that has it. Raises JournalDamaged and JournalUnwritable."""
    journal = reopen(place, reserve=0)
    try:
        told = {"what": "shadow", "difference": str(found.difference), "cause": found.cause}
        journal.put(kinds.INCIDENT, journal.next_event - 1, journal.clock(), payload=told)
        journal.anchor()
    finally:
        journal.abandon()


class _Part(NamedTuple):
    """What of a journal is stepped again: events from `since` up to `until` are counted."""

    since: int
    until: int
    end: int  # up to here is stepped: what the venue said last comes with the stored event after it
    last: Block
    gone: tuple[int, int]  # event and record up to which it is retired
    removed: frozenset[str]  # files of sealed states that were retired

    @property
    def whole(self) -> bool:
        """Whether its end is the journal's."""
        return self.until == self.last.end_event

    def overlap(self, first: int, end: int) -> int:
        """Events from `first` to `end` that are counted."""
        return max(min(end, self.until) - max(first, self.since), 0)


def _part(reader: Reader, since: int, until: int | None) -> _Part:
    """What is asked for, of what is committed by now."""
    last, gone = reader.last(), _gone(reader)
    until = last.end_event if until is None else min(until, last.end_event)
    end = until
    while gone[0] < end < last.end_event and next(reader.events(end - 1, end))["kind"][0] in SAID:
        end += 1
    removed = frozenset(name for one in retirements(reader) for name in one.snapshots)
    return _Part(since, until, end, last, gone, removed)


def _gone(reader: Reader) -> tuple[int, int]:
    """Event and record up to which a journal is retired."""
    retired = last_retired(reader)
    if retired is None:
        return 0, 0
    through = next(reader.blocks(retired.through_block), None)
    if through is None:
        raise JournalDamaged(f"{reader.place.folder}: block {retired.through_block} is retired and is not there")
    return through.end_event, retired.end_record


def _epochs(reader: Reader, part: _Part) -> list[Epoch]:
    """Those that hold something of a part; one that began after its last commit is not there yet."""
    end, passed = part.last.end_record, part.gone[0]
    found = [one for one in epochs_of(reader) if one.record < end and not _later(one.sealed, part.last)]
    found[-1] = found[-1]._replace(end=None)
    return [
        one
        for one in found
        if one.event < part.until + part.whole and (one.end is None or one.end[0] > max(part.since, passed))
    ]


def _later(one: Sealed | None, last: Block) -> bool:
    """Whether a state was sealed after a block."""
    return one is not None and one.block >= last.number


class _Told:
    """What is gathered over epochs."""

    def __init__(self) -> None:
        self.events = self.rows = self.epochs = self.sealed = self.passed_over = 0
        self.first = -1
        self.decisions = hashlib.sha256()
        self.state = ""
        self.difference: Difference | None = None
        self.epoch: Epoch | None = None


class _Epoch:
    """One epoch, stepped again."""

    def __init__(
        self, reader: Reader, epoch: Epoch, synthetic: bool, read_for: ReaderFor | None, told: _Told, part: _Part
    ) -> None:  # fmt: skip
        self._reader, self._epoch, self._told, self._part = reader, epoch, told, part
        self._end = (part.last.end_event, part.last.end_record) if epoch.end is None else epoch.end
        told.epoch = epoch
        config = self._config = epoch.config(reader)
        self.state, self.venue = initial(config, epoch.instruments)
        self._out = new_out(len(epoch.instruments))
        self._records = params_record(config.kernel), params_record(config.sim)
        self._seals = {one.event: one for record, one in seals(reader) if self._mine(record, one)}
        self._begun = self._begin()
        self.intake = None
        if read_for is not None:
            held = {name: _calendar(name, config, epoch) for name in calendars_of(epoch.instruments)}
            cast = Cast(config, epoch.instruments, read_for(config), epoch.window, held, synthetic)
            self.intake = cast.intake()
            if self._begun is not None and self._begun[2]:
                self.intake.remember(decoded(self._begun[2])["intake"])

    def step(self) -> None:
        """To its end, or to the first difference."""
        told, part = self._told, self._part
        if self._begun is None or (self._begun[0] >= part.until and not part.whole):
            told.passed_over += part.overlap(self._epoch.event, self._end[0])
            return
        first, record, _ = self._begun
        told.passed_over += part.overlap(self._epoch.event, first)
        told.first = max(first, part.since) if told.epochs == 0 else told.first
        told.epochs += 1
        written = Written(self._reader, first, record, self._end[1], self._end[0])
        try:
            for stored in self._stored():
                for made in stretches(self.state, self.venue, stored, self._records, self._out):
                    self._check(written, made)
                    if told.difference is not None:
                        return
                self._compare_sealed()
                if told.difference is not None:
                    return
        except KernelHalted as error:
            told.difference = Difference(int(self.state.head[0].steps), str(error), "", [])
            return
        if self._end[0] <= part.end:
            self._check_end(written)
            told.difference = told.difference or written.left()
        else:
            told.difference = written.left(int(self.state.head[0].steps))
        told.state = state_hash(self.state)

    def _check(self, written: Written, made: Stretch) -> None:
        told, part = self._told, self._part
        told.difference = written.check(made)
        if told.difference is not None:
            return
        told.events += part.overlap(made.first, made.last + 1)
        for row in made.rows:
            if part.since <= row.event < part.until:
                told.rows += 1
                if row.kind == kinds.DECISION:
                    told.decisions.update(row.body)

    def _check_end(self, written: Written) -> None:
        """A replay writes the money of its end, which no event made."""
        if self._reader.genesis().run == "agent" or self._told.difference is not None:
            return
        steps = int(self.state.head[0].steps)
        rows = last_rows(self.state)
        self._check(written, Stretch(steps, np.zeros(0, EVENT), np.zeros(0, np.int64), rows))

    def _stored(self) -> Iterator[np.ndarray]:
        """Stored events from here on, in stretches that end where a state was sealed."""
        assert self._begun is not None
        first, end = self._begun[0], min(self._part.end, self._end[0])
        if self.intake is not None:
            yield from self._built(self._begun[1], end)
            return
        held: list[np.ndarray] = []
        at, have = first, 0
        for block in self._reader.events(first, end):
            held.append(block[~np.isin(block["kind"], SAID)])
            at, have = at + len(block), have + len(block)
            if have >= _AT_ONCE or at in self._seals:
                yield np.concatenate(held)
                held, have = [], 0
        if held:
            yield np.concatenate(held)

    def _built(self, record: int, end: int) -> Iterator[np.ndarray]:
        """Events built again from what was delivered; the last moment may make some beyond the end."""
        assert self.intake is not None
        records = self._reader.records(kinds.DELIVERY, kinds.DOCUMENT, kinds.COMMAND, first=record, end=self._end[1])
        for moment in told_moments(records):
            if int(self.state.head[0].steps) >= end:
                return
            yield self.intake.take(moment).events

    def _mine(self, record: Record, one: Sealed) -> bool:
        """Whether a state was sealed in this epoch, by now, is not retired, and is laid out as this program's are.

        Two epochs meet at one event. A replay's seal names no epoch, as it has but one.
        """
        if self._epoch.program.state_schema != program().state_schema:
            return False
        told = one.facts.get("at_checkpoint", {"epoch": self._epoch.record})
        here = told["epoch"] == self._epoch.record and record.id < self._part.last.end_record
        return bool(here and one.file not in self._part.removed)

    def _begin(self) -> tuple[int, int, bytes] | None:
        """Event, record and memory of the state to begin with, which is restored; None where none is left.

        It is the last one sealed before what is asked for, or the epoch's own, or the first after what is retired.
        """
        own, (event, record) = self._epoch.sealed, self._part.gone
        known = [one for one in sorted(self._seals.values(), key=lambda one: one.event) if "at_checkpoint" in one.facts]
        left = [one for one in known if one.event >= event and one.facts["at_checkpoint"]["record"] >= record]
        for one in reversed([one for one in left if one.event <= self._part.since]):
            if (data := self._bytes(one)) is not None:
                return self._restored(one, data)
        if own is None and event == 0:
            return 0, self._epoch.record, b""
        for one in left:
            if (data := self._bytes(one)) is not None:
                return self._restored(one, data)
            if one == own:
                what = f"{one.file}, with which to begin, is not as it was sealed"
                raise JournalDamaged(f"{self._reader.place.folder}: {what}")
        return None

    def _bytes(self, one: Sealed) -> bytes | None:
        return snapshot(self._reader.place, one, self._reader.disk)

    def _restored(self, begin: Sealed, data: bytes) -> tuple[int, int, bytes]:
        memory = restore(data, self.state, self.venue)
        return begin.event, int(begin.facts["at_checkpoint"]["record"]), memory

    def _compare_sealed(self) -> None:
        """Hold state and venue against one that was sealed here."""
        steps = int(self.state.head[0].steps)
        one = self._seals.get(steps)
        assert self._begun is not None
        if one is None or steps <= self._begun[0] or (data := self._bytes(one)) is None:
            return
        state, venue = initial(self._config, self._epoch.instruments)
        restore(data, state, venue)
        self._told.sealed += self._part.since <= steps <= self._part.until
        for a, b, name in zip(
            (*state, *venue), (*self.state, *self.venue), (*state._fields, *venue._fields), strict=True
        ):
            if a.tobytes() != b.tobytes():
                self._told.difference = Difference(steps, f"the sealed state {one.file} differs in {name}", "", [])
                return


def _calendar(name: str, config: Config, epoch: Epoch) -> np.ndarray:
    window = epoch.window
    return sessions(name, window.load_ns, window.start_ns + 3 * _YEAR_NS, config.agent.interval_ns)


def _cause(reader: Reader, told: _Told, deep: bool) -> str:
    """The likeliest one."""
    assert told.epoch is not None
    assert told.difference is not None
    try:
        found = verify(reader.place)
    except ConfidenceError as error:
        return f"the journal cannot be checked: {error}"
    if found.faults:
        return f"the journal was changed: {found.faults[0].what}, {found.faults[0].where}"
    mine = program()
    if told.epoch.program.code_revision != mine.code_revision:
        return f"code: {told.epoch.program.code_revision} wrote it, this is {mine.code_revision}"
    if told.epoch.program.versions != mine.versions:
        return f"another machine or library: {told.epoch.program.versions} wrote it, this is {mine.versions}"
    what = told.difference.what
    if deep and "SIGNAL" in what:
        return "text: the documents read otherwise (reader, its model, or what it remembered)"
    if deep and what.split()[0] in ("BAR", "FUNDING", "SCORE", "SESSION", "CORPORATE", "FEED", "TIMER"):
        return "building: what was delivered makes another event"
    if any(name in what for name in ("FILL", "REJECT", "CANCELLED", "LIQUIDATION")):
        return "the simulated venue answered otherwise"
    return "not known: neither the journal, nor the code, nor the parameters differ"
