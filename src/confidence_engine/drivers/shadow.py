"""A shadow steps a journal again and finds every event, decision, order, fill and state byte as it is written, or says
what is not: the proof that a run was made by this machine out of what it says it heard.

Stored events are taken from the segments; what the simulated venue said is found again. `deep` goes one door further
out: documents are read again and bars built again from what was delivered, so that the stored events themselves are
found again. Each epoch is stepped from the state sealed at its beginning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np

from confidence_engine.config import Config
from confidence_engine.domain.errors import ConfidenceError, JournalDamaged, KernelHalted, UsageError
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
from confidence_engine.journal.log import reopen
from confidence_engine.journal.reader import Place, Reader
from confidence_engine.journal.retire import snapshot
from confidence_engine.journal.retired import Sealed, seals
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
    """What the shadow of one journal found. `difference` None: equal to the byte."""

    name: str
    journal: str
    events: int
    rows: int
    epochs: int
    sealed: int  # states that were compared
    decisions_hash: str
    state_hash: str
    deep: bool
    difference: Difference | None
    cause: str

    @property
    def equal(self) -> bool:
        """Whether everything is as it is written."""
        return self.difference is None


def shadow(place: Place, read_for: ReaderFor | None = None, since: int = 0, until: int | None = None) -> Shadowed:
    """Step a journal again, `read_for` deep. Raises JournalDamaged, DataMissing, UsageError.

    `since` and `until` are sequences of events: of the epochs and sealed states only those are taken that are needed
    for what lies between.
    """
    reader = Reader(place)
    try:
        genesis, found = reader.genesis(), epochs_of(reader)
        if read_for is not None and genesis.run != "agent":
            raise UsageError(f"{place.folder}: a replay keeps no deliveries, so there is nothing to read again")
        told = _Told()
        for one in found:
            if (until is not None and one.event >= until) or (one.end is not None and one.end[0] <= since):
                continue
            _Epoch(reader, one, genesis.synthetic, read_for, told, since).step(until)
            told.epochs += 1
            if told.difference is not None:
                break
        cause = "" if told.difference is None else _cause(reader, told, read_for is not None)
        return Shadowed(
            genesis.agent, str(reader.uuid), told.events, told.rows, told.epochs, told.sealed,
            told.decisions.hexdigest(), told.state, read_for is not None, told.difference, cause,
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


class _Told:
    """What is gathered over epochs."""

    def __init__(self) -> None:
        self.events = self.rows = self.epochs = self.sealed = 0
        self.decisions = hashlib.sha256()
        self.state = ""
        self.difference: Difference | None = None
        self.epoch: Epoch | None = None


class _Epoch:
    """One epoch, stepped again."""

    def __init__(
        self, reader: Reader, epoch: Epoch, synthetic: bool, read_for: ReaderFor | None, told: _Told, since: int
    ) -> None:  # fmt: skip
        self._reader, self._epoch, self._told = reader, epoch, told
        told.epoch = epoch
        config = self._config = epoch.config(reader)
        self.state, self.venue = initial(config, epoch.instruments)
        self._out = new_out(len(epoch.instruments))
        self._records = params_record(config.kernel), params_record(config.sim)
        self._seals = {one.event: one for _, one in seals(reader) if _of(one, epoch)}
        begin = self._begin(since)
        event, record, memory = (0, epoch.record, b"") if begin is None else self._restored(begin)
        self._event, self._record = event, record
        self.intake = None
        if read_for is not None:
            held = {name: _calendar(name, config, epoch) for name in calendars_of(epoch.instruments)}
            cast = Cast(config, epoch.instruments, read_for(config), epoch.window, held, synthetic)
            self.intake = cast.intake()
            if memory:
                self.intake.remember(decoded(memory)["intake"])

    def step(self, until: int | None) -> None:
        """To its end, or to the first difference."""
        told, ends = self._told, self._epoch.end
        end = until if ends is None or (until is not None and until < ends[0]) else ends[0]
        written = Written(self._reader, self._event, self._record, None if ends is None else ends[1], end)
        first = self._event
        try:
            for stored in self._stored(end):
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
        if ends is None and until is None:
            self._check_end(written)
        told.difference = told.difference or written.left()
        told.events += int(self.state.head[0].steps) - first
        told.rows += written.rows
        told.state = state_hash(self.state)

    def _check(self, written: Written, made: Stretch) -> None:
        self._told.difference = written.check(made)
        for row in made.rows:
            if row.kind == kinds.DECISION:
                self._told.decisions.update(row.body)

    def _check_end(self, written: Written) -> None:
        """A replay writes the money of its end, which no event made."""
        if self._reader.genesis().run == "agent" or self._told.difference is not None:
            return
        steps = int(self.state.head[0].steps)
        rows = last_rows(self.state)
        self._check(written, Stretch(steps, np.zeros(0, EVENT), np.zeros(0, np.int64), rows))

    def _stored(self, end: int | None) -> Iterator[np.ndarray]:
        """Stored events from here on, in stretches that end where a state was sealed."""
        if self.intake is not None:
            yield from self._built(end)
            return
        held: list[np.ndarray] = []
        at, have = self._event, 0
        for block in self._reader.events(self._event, end):
            held.append(block[~np.isin(block["kind"], SAID)])
            at, have = at + len(block), have + len(block)
            if have >= _AT_ONCE or at in self._seals:
                yield np.concatenate(held)
                held, have = [], 0
        if held:
            yield np.concatenate(held)

    def _built(self, end: int | None) -> Iterator[np.ndarray]:
        """Events built again from what was delivered."""
        assert self.intake is not None
        last = None if self._epoch.end is None else self._epoch.end[1]
        records = self._reader.records(kinds.DELIVERY, kinds.DOCUMENT, kinds.COMMAND, first=self._record, end=last)
        for moment in told_moments(records):
            if end is not None and int(self.state.head[0].steps) >= end:
                return
            yield self.intake.take(moment).events

    def _begin(self, since: int) -> Sealed | None:
        """The state to begin with: the epoch's own, or the last one sealed before what is asked for."""
        gone = self._gone()
        later = [one for event, one in self._seals.items() if max(gone, self._epoch.event) <= event <= max(since, gone)]
        usable = [one for one in later if "at_checkpoint" in one.facts and self._bytes(one) is not None]
        if usable and (since > 0 or gone > self._epoch.event):
            return max(usable, key=lambda one: one.event)
        if gone > self._epoch.event:
            what = f"what came before event {gone} is retired, and no sealed state stands there"
            raise JournalDamaged(f"{self._reader.place.folder}: {what}")
        return self._epoch.sealed

    def _gone(self) -> int:
        """Sequence of the first event whose segment is still there."""
        for block in self._reader.blocks():
            if block.events and len(self._reader.read(block)) == block.events * EVENT.itemsize:
                return block.first_event
        return 0

    def _bytes(self, one: Sealed) -> bytes | None:
        return snapshot(self._reader.place, one, self._reader.disk)

    def _restored(self, begin: Sealed) -> tuple[int, int, bytes]:
        data = self._bytes(begin)
        if data is None:
            raise JournalDamaged(
                f"{self._reader.place.folder}: {begin.file}, with which to begin, is not as it was sealed"
            )
        memory = restore(data, self.state, self.venue)
        return begin.event, int(begin.facts["at_checkpoint"]["record"]), memory

    def _compare_sealed(self) -> None:
        """Hold state and venue against one that was sealed here."""
        steps = int(self.state.head[0].steps)
        one = self._seals.get(steps)
        if one is None or steps <= self._event or (data := self._bytes(one)) is None:
            return
        state, venue = initial(self._config, self._epoch.instruments)
        restore(data, state, venue)
        self._told.sealed += 1
        for a, b, name in zip(
            (*state, *venue), (*self.state, *self.venue), (*state._fields, *venue._fields), strict=True
        ):
            if a.tobytes() != b.tobytes():
                self._told.difference = Difference(steps, f"the sealed state {one.file} differs in {name}", "", [])
                return


def _of(one: Sealed, epoch: Epoch) -> bool:
    """Whether a state was sealed in an epoch; two meet at one event. A replay's seal names none, as it has but one."""
    told = one.facts.get("at_checkpoint", {"epoch": epoch.record})
    return bool(told["epoch"] == epoch.record)


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
