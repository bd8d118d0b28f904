"""What a journal holds of a run, epoch by epoch: the moments it heard, what it said, and with what each epoch began.

The first epoch begins with nothing, every later one with the state that was sealed there; stories that were begun
before it, trades that were not over and decisions on which orders still worked come with it. An epoch whose beginning
is no longer there, or that this program cannot read, is named and left out; what is left of its money still counts for
the trades of those behind it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
import numpy as np

from confidence_engine.config import Config, recorded
from confidence_engine.domain.errors import ConfigError, DataMissing, JournalDamaged
from confidence_engine.domain.event import EVENT
from confidence_engine.drivers.agent import Cast
from confidence_engine.drivers.epochs import Epoch
from confidence_engine.drivers.mishaps import Item, Part, items_of
from confidence_engine.drivers.restep import told_moments
from confidence_engine.drivers.rungs import NEEDED, NOTHING, Begin, Past, Said, brought, opened, said_of
from confidence_engine.drivers.scribe import program
from confidence_engine.feeds.assemble import Window
from confidence_engine.feeds.delivery import Moment
from confidence_engine.journal import kinds
from confidence_engine.journal.reader import Reader
from confidence_engine.journal.retire import snapshot

__all__ = ["LeftOut", "Life", "Lived", "life_of", "unreadable"]

_UNREADABLE: Final = LookupError, TypeError, ValueError, msgspec.DecodeError
"""What it comes to where another program laid out otherwise what it remembered."""

_Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


class Lived(NamedTuple):
    """One epoch: its number from 1, its config, what it heard, said and began with, and which part of a life it is."""

    number: int
    epoch: Epoch
    config: Config
    moments: list[Moment]
    said: Said
    begin: Begin | None
    part: Part

    @property
    def window(self) -> Window:
        """From when it was loaded and decided, to the last thing that came."""
        end_ns = max((one.at_ns for one in self.moments), default=self.epoch.window.start_ns) + 1
        return self.epoch.window._replace(end_ns=end_ns)


class LeftOut(NamedTuple):
    """An epoch that cannot be compared, from when to when it lasted, and why."""

    number: int
    start_ns: int
    end_ns: int
    why: str


class Life(NamedTuple):
    """A run: the epochs that can be compared, the others, and all that was heard in order."""

    lived: list[Lived]
    left_out: list[LeftOut]
    heard: list[Item]


def life_of(reader: Reader, epochs: list[Epoch]) -> Life:
    """A run as it is written. Raises JournalDamaged for a record that nobody could read."""
    life, past, gone = Life([], [], []), NOTHING, _gone(reader)
    for number, epoch in enumerate(epochs, 1):
        last = None if epoch.end is None else epoch.end[1]
        told = reader.records(kinds.DELIVERY, kinds.DOCUMENT, kinds.COMMAND, first=epoch.record, end=last)
        moments, first, before = list(told_moments(told)), len(life.heard), past
        life.heard.extend(items_of(moments, first))
        past = past._replace(leads=_leads(reader, epoch.record, last, past))
        try:
            rows = _rows(reader, epoch.record, last)
            said, past = said_of(*rows, past), brought(*rows[:2], past)
            if gone > epoch.event or not (moments or (number > 1 and not said.decisions)):
                what = "its beginning is retired" if gone > epoch.event else "it holds no deliveries"
                raise DataMissing(f"{reader.place.folder}: {what}, so there is nothing to compare with a replay")
            config = _config(reader, epoch)
            begin, after_ns = _begun(reader, epoch, config, before)
        except (ConfigError, DataMissing, JournalDamaged) as error:
            life.left_out.append(LeftOut(number, *_lasted(reader, epochs, number), str(error)))
            continue
        part = Part(after_ns, first, len(life.heard))
        life.lived.append(Lived(number, epoch, config, moments, said, begin, part))
    return life


def _leads(reader: Reader, first: int, last: int | None, past: Past) -> dict[int, str]:
    """The first document of every story by the end of an epoch."""
    leads = dict(past.leads)
    for one in reader.records(kinds.DOCUMENT, first=first, end=last):
        payload = msgspec.json.decode(one.payload or b"")
        for said in payload["heard"]:
            leads.setdefault(int(said["cluster"]), payload["document"]["id"])
    return leads


def _rows(reader: Reader, first: int, last: int | None) -> _Rows:
    """Decisions, entries and intents. Raises DataMissing where they were laid out so that they say something else."""
    try:
        told = [reader.rows(kind, first, last) for kind in (kinds.DECISION, kinds.ENTRY, kinds.INTENT)]
    except ValueError as error:
        raise DataMissing(str(error)) from error
    for rows, needed in zip(told, NEEDED, strict=False):
        if lost := needed - set(rows.dtype.names or ()):
            what = f"its rows say nothing of {', '.join(sorted(lost))}: another program wrote them"
            raise DataMissing(f"{reader.place.folder}: {what}")
    return told[0], told[1], told[2]


def _config(reader: Reader, epoch: Epoch) -> Config:
    """The config as it was; another program's parameters may be more or fewer. Raises ConfigError."""
    mine = epoch.program == program()
    return recorded(epoch.params["config"], epoch.params["hash"] if mine else None, reader.place.folder)


def _begun(reader: Reader, epoch: Epoch, config: Config, past: Past) -> tuple[Begin | None, int]:
    """With what an epoch began, and when the last thing had come by then. Raises DataMissing and JournalDamaged."""
    if epoch.sealed is None:
        return None, Part().after_ns
    data = snapshot(reader.place, epoch.sealed, reader.disk)
    if data is None:
        what = f"{epoch.sealed.file}, with which it began, is not as it was sealed"
        raise DataMissing(f"{reader.place.folder}: {what}")
    try:
        *_, memory = opened(config, epoch.instruments, data)
        return Begin(data, past), int(memory["at_ns"])
    except _UNREADABLE as error:
        raise DataMissing(f"{reader.place.folder}: {_strange(epoch, error)}") from error


def unreadable(cast: Cast, lived: Lived) -> str:
    """Why an intake of this program cannot remember what that of an epoch did, "" where it can."""
    if lived.begin is None:
        return ""
    *_, memory = opened(cast.config, cast.instruments, lived.begin.data)
    try:
        cast.intake().remember(memory)
    except _UNREADABLE as error:
        return _strange(lived.epoch, error)
    return ""


def _strange(epoch: Epoch, error: BaseException) -> str:
    return f"what {epoch.program.code_revision} remembered as it began reads otherwise by this program: {error!r}"


def _gone(reader: Reader) -> int:
    """Sequence of the first event that is still there; behind the last one where none is."""
    end = 0
    for block in reader.blocks():
        if block.events and len(reader.read(block)) == block.events * EVENT.itemsize:
            return block.first_event
        end = block.end_event
    return end


def _lasted(reader: Reader, epochs: list[Epoch], number: int) -> tuple[int, int]:
    """From when to when an epoch decided; the last one until the last record."""
    begin_ns = epochs[number - 1].window.start_ns
    if number < len(epochs):
        return begin_ns, epochs[number].window.start_ns
    return begin_ns, max(begin_ns, *(one.ts_ns for one in reader.records(backwards=True, limit=1)))
