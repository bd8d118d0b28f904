"""One agent with its journal: takes what a feed hands over, steps it, commits, and only then lets anything out.

A batch of moments is one commit, made after it was stepped: what was delivered, the events in the order stepped, all
rows that came of them and the intents among those are in the journal together or not at all. Nothing has left the
process before, so a death at any point leaves either a journal without the batch, and a world that knows nothing of
it, or one with it. Who goes on steps what is written since the last checkpoint and finds every byte as it is written,
or does not start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from confidence_engine.config import Config
from confidence_engine.domain.decision import GATE_NAMES
from confidence_engine.domain.errors import JournalDamaged, StateUnkept
from confidence_engine.domain.event import joined
from confidence_engine.domain.instrument import Instrument
from confidence_engine.domain.params import params_record
from confidence_engine.domain.ports import Reader as TextReader
from confidence_engine.domain.units import format_time
from confidence_engine.drivers.carry import FACTS
from confidence_engine.drivers.checkpoint import Checkpoint, Kept, candidates, keep
from confidence_engine.drivers.epochs import last_epoch
from confidence_engine.drivers.intake import Intake, Taken, decoded, encoded
from confidence_engine.drivers.replay import initial
from confidence_engine.drivers.restep import Written, told_moments
from confidence_engine.drivers.scribe import begin, told_of
from confidence_engine.drivers.snapshot import restore, restore_facts, snapshot
from confidence_engine.drivers.stretch import Stretch, stretches
from confidence_engine.feeds.assemble import Streams, Window
from confidence_engine.feeds.delivery import Moment, packed
from confidence_engine.journal import kinds
from confidence_engine.journal.log import Journal, reopen
from confidence_engine.journal.reader import Place, Reader
from confidence_engine.journal.retire import seal
from confidence_engine.kernel.out import new_out

__all__ = ["Agent", "Cast", "go_on", "start"]

_AT_ONCE: Final = 512
"""Moments that are stepped together when a journal is stepped again."""
_OUT_ROWS: Final = 4096


class Cast(NamedTuple):
    """Who an agent is: its config, what it trades by id, and who reads for it."""

    config: Config
    instruments: tuple[Instrument, ...]
    reader: TextReader
    window: Window
    sessions: Mapping[str, np.ndarray]
    synthetic: bool

    def intake(self) -> Intake:
        """A fresh one."""
        return Intake(self.config, self.instruments, self.reader, self.window, self.sessions, self.synthetic)


class Agent:
    """The mind, what it remembers at the rim, and the journal. Made by `start` and `go_on`."""

    def __init__(self, cast: Cast, journal: Journal, epoch: int) -> None:
        self.cast, self.journal, self.epoch = cast, journal, epoch
        self.intake = cast.intake()
        self.state, self.venue = initial(cast.config, cast.instruments)
        self.out = new_out(len(cast.instruments), _OUT_ROWS)
        self._records = params_record(cast.config.kernel), params_record(cast.config.sim)
        self._heard = 0
        self._turn = 0

    @property
    def now_ns(self) -> int:
        """When the last thing became known."""
        return self.intake.now_ns

    def take(self, moments: Sequence[Moment]) -> list[Stretch]:
        """Step moments and make them part of the journal; what is returned may leave the process.

        Raises KernelHalted and JournalUnwritable; after either nothing more is taken.
        """
        taken = [self.intake.take(one) for one in moments]
        made = self._step(taken)
        self._write(moments, taken, made)
        self.journal.commit()
        return made

    def again(self, moments: Iterable[Moment], written: Written) -> int:
        """Step moments that are in the journal; how many there were. Raises JournalDamaged at the first difference."""
        count = 0
        for some in _some(moments, _AT_ONCE):
            taken = [self.intake.take(one) for one in some]
            for made in self._step(taken):
                if (found := written.check(made)) is not None:
                    raise JournalDamaged(f"{self.journal.place.folder}: {found}")
            self._heard += sum(len(one.read.documents) for one in taken if one.read is not None)
            count += len(some)
        if (found := written.left()) is not None:
            raise JournalDamaged(f"{self.journal.place.folder}: {found}")
        return count

    def learn(self, events: np.ndarray) -> None:
        """Step EVENT [n] of the past from a fresh state, on which nothing is decided and nothing is written."""
        for made in stretches(self.state, self.venue, events, self._records, self.out):
            if any(row.kind in (kinds.DECISION, kinds.INTENT, kinds.ENTRY) for row in made.rows):
                raise JournalDamaged(f"{self.journal.place.folder}: something was decided while learning anew")

    def take_over(self, before: Agent) -> None:
        """Count on from the agent of the epoch before."""
        self._heard, self._turn = before._heard, before._turn

    def works_on_entries(self) -> bool:
        """Whether an entry still works at the venue, or is planned."""
        book = self.state.book
        return bool((book["entry_id"] != 0).any() or (book["plan_lots"] != 0).any())

    def counts(self) -> dict[str, Any]:
        """What was judged, degraded and refused since the epoch began."""
        head = self.out.head[0]
        refusals = dict(zip(GATE_NAMES, self.out.refusals.tolist(), strict=True))
        return {"judged": int(head.judged), "degraded": int(head.degraded), "refusals": refusals}

    def checkpoint(self) -> None:
        """Anchor and keep a rolling snapshot, so that the next start has little to read and to step again.

        Raises OSError and JournalUnwritable.
        """
        at = self._place()
        self.journal.anchor()  # a start reads again all that came after the anchor
        keep(self.journal.place, self.journal.disk, at, self._snapshot(), self._turn)
        self._turn += 1

    def seal(self, why: str, reserve: bool = True) -> None:
        """Make the state part of the record, on a full disk with the journal's `reserve`.

        Raises StateUnkept where there is no room for it, after which the agent can go on, and JournalUnwritable.
        """
        at = self._place()
        facts = {"why": why, "at": format_time(max(self.now_ns, 0)), "at_checkpoint": msgspec.to_builtins(at)}
        facts["equity"] = float(self.state.head[0].equity)
        seal(self.journal, self._snapshot(), facts, reserve)

    def report(self, what: str, why: str) -> None:
        """Put on record, with the next commit, that something failed which is no part of the record."""
        journal, told = self.journal, {"what": what, "why": why}
        journal.put(kinds.INCIDENT, journal.next_event - 1, max(self.now_ns, 0), payload=told)

    def stop(self, why: str) -> None:
        """Seal, say that it ended, anchor, and let go of the journal; without room for the seal it is said instead."""
        journal = self.journal
        told = {"why": why, "events": journal.next_event} | self.counts()
        try:
            self.seal(why)
        except StateUnkept as error:
            told["unsealed"] = str(error)
        journal.put(kinds.ENDED, journal.next_event - 1, max(self.now_ns, 0), payload=told)
        journal.close()

    def _step(self, taken: list[Taken]) -> list[Stretch]:
        events = joined([one.events for one in taken])
        return list(stretches(self.state, self.venue, events, self._records, self.out))

    def _write(self, moments: Sequence[Moment], taken: list[Taken], made: list[Stretch]) -> None:
        """Put what was delivered, stepped and came of it; each record stands at its event."""
        told = list(self._told(moments, taken))
        at, place = 0, 0
        for number, one in enumerate(made):
            if self.journal.put_events(one.events) != one.first:
                raise ValueError(f"the journal stands at event {self.journal.next_event}, the run at {one.first}")
            end = len(told) if number == len(made) - 1 else None
            where = one.first + one.stored
            mine: list[tuple[int, int, int, bytes, Any]] = []
            while at < len(told) and (end is not None or told[at][0] < place + len(where)):
                k = told[at][0] - place
                event = int(where[k]) if k < len(where) else one.last
                mine.append((event, *told[at][1:]))
                at += 1
            self._put(mine, one)
            place += len(where)
        if not made:  # nothing happened: the words alone are kept
            for _, kind, ts_ns, body, payload in told:
                self.journal.put(kind, self.journal.next_event - 1, ts_ns, body, payload)

    def _put(self, told: list[tuple[int, int, int, bytes, Any]], made: Stretch) -> None:
        """Rows and words by event, the words first."""
        k = 0
        for row in made.rows:
            while k < len(told) and told[k][0] <= row.event:
                self.journal.put(told[k][1], told[k][0], *told[k][2:])
                k += 1
            self.journal.put(row.kind, row.event, row.ts_ns, row.body)
        for event, kind, ts_ns, body, payload in told[k:]:
            self.journal.put(kind, event, ts_ns, body, payload)

    def _told(self, moments: Sequence[Moment], taken: list[Taken]) -> Iterator[tuple[int, int, int, bytes, Any]]:
        """(place among the stored events of the batch, kind, when, body, payload) of what was delivered."""
        place = 0
        for moment, one in zip(moments, taken, strict=True):
            at, now = place + one.first, max(moment.at_ns, 0)
            for k, name in one.streams:
                yield at, kinds.STREAM, now, b"", {"id": k, "name": name}
            yield at, kinds.DELIVERY, now, packed(moment), None
            if one.read is not None:
                for payload in told_of(self.cast.config, one.read, self._heard):
                    yield at, kinds.DOCUMENT, now, b"", payload
                self._heard += len(one.read.documents)
            for command in moment.commands:
                yield at, kinds.COMMAND, now, b"", msgspec.to_builtins(command)
            place += len(one.events)

    def _place(self) -> Checkpoint:
        """Where a snapshot of now stands; what was put is committed first."""
        last = self.journal.commit()
        return Checkpoint(self.journal.next_event, self.journal.next_record, self.epoch, last.number, last.hash.hex())

    def _snapshot(self) -> bytes:
        memory = {"intake": self.intake.memory(), "heard": self._heard, "counts": self.counts(), "turn": self._turn}
        return snapshot(self.state, self.venue, encoded(memory))

    def restore(self, data: bytes) -> None:
        """Be as a snapshot of the same epoch says. Raises JournalDamaged."""
        counts = self._remember(decoded(restore(data, self.state, self.venue)))
        self.out.head[0].judged, self.out.head[0].degraded = counts["judged"], counts["degraded"]
        self.out.refusals[:] = [counts["refusals"][name] for name in GATE_NAMES]

    def restore_facts(self, data: bytes) -> None:
        """Hold what a snapshot of another program holds, and know what its rim knew; nothing is believed, so this agent
        can only be carried over. Raises JournalDamaged.
        """
        self._remember(decoded(restore_facts(data, self.state, self.venue, FACTS)))

    def _remember(self, memory: dict[str, Any]) -> dict[str, Any]:
        """Know what the rim knew; what was counted."""
        try:
            self.intake.remember(memory["intake"])
            self._heard, self._turn = memory["heard"], memory["turn"]
            counts: dict[str, Any] = memory["counts"]
        except (KeyError, TypeError, ValueError, msgspec.ValidationError) as error:
            what = f"what the rim remembered cannot be read: {error!r}"
            raise JournalDamaged(f"{what}; go on with the version that wrote it") from error
        return counts


def start(place: Place, cast: Cast, *, clock: Callable[[], int], **options: Any) -> Agent:
    """A new agent with a new journal; `options` go to `journal.log.create`. Raises JournalUnwritable."""
    journal = begin(
        place, cast.config, cast.instruments, Streams(()), cast.window, "agent", cast.synthetic, clock=clock, **options
    )
    return Agent(cast, journal, 1)  # the genesis record is 0, the parameters follow it


def go_on(
    place: Place, cast: Cast, *, clock: Callable[[], int], wrote: str = "",
    agreed: Callable[[Agent], None] = lambda agent: None, **options: Any,
) -> Agent:  # fmt: skip
    """The agent as its journal left it; `options` go to `journal.log.reopen`.

    `wrote` names another program that wrote it: where nothing came after its last snapshot the agent has the facts
    alone, and has to be renewed. `agreed` may refuse it, before anything is written.
    Raises JournalDamaged where what is stepped again is not what is written, JournalUnwritable where another process
    writes the journal, DataMissing where there is none.
    """
    journal = reopen(place, clock=clock, **options)
    reader = Reader(place, journal.disk)
    try:
        epoch = last_epoch(reader)
        agent = Agent(cast, journal, epoch.record)
        found = next((one for one in candidates(reader) if one.at.epoch == epoch.record), None)
        at = Checkpoint(epoch.event, epoch.record, epoch.record, -1, "") if found is None else found.at
        if wrote and found is not None and _ends(reader, at):
            agent.restore_facts(found.data)
            stepped = 0
        else:
            stepped = _again(agent, reader, at, found, wrote)
        agreed(agent)
        told = {"from": "the beginning" if found is None else found.name, "event": at.event, "moments": stepped}
        journal.put(kinds.RESUMED, journal.next_event - 1, max(agent.now_ns, 0), payload=told)
        journal.commit()
    except BaseException:
        journal.abandon()
        raise
    finally:
        reader.close()
    return agent


def _ends(reader: Reader, at: Checkpoint) -> bool:
    """Whether nothing was delivered and nothing came of it after a snapshot."""
    more = reader.records(kinds.DELIVERY, *kinds.ROWS, first=at.record, limit=1)
    return reader.last().end_event == at.event and next(more, None) is None


def _again(agent: Agent, reader: Reader, at: Checkpoint, found: Kept | None, wrote: str) -> int:
    """Step what came after a snapshot; how many moments. Raises JournalDamaged where it is not as it is written."""
    try:
        if found is not None:
            agent.restore(found.data)
        moments = told_moments(reader.records(kinds.DELIVERY, kinds.DOCUMENT, kinds.COMMAND, first=at.record))
        return agent.again(moments, Written(reader, at.event, at.record))
    except JournalDamaged as error:
        if not wrote:
            raise
        what = f"{wrote} wrote it, and this program does not step its end as it is written: {error}"
        raise JournalDamaged(f"{what}; start that version once more, stop it, and then this one") from error


def _some(moments: Iterable[Moment], count: int) -> Iterator[list[Moment]]:
    held: list[Moment] = []
    for one in moments:
        held.append(one)
        if len(held) == count:
            yield held
            held = []
    if held:
        yield held
