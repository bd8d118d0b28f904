"""The stretches of an agent's life in which nothing about it changed: program, parameters, what it trades.

Each begins with a PARAMS record. The first begins with nothing; every later one with a state that was sealed at its
beginning, in which what was held is a fact carried over and what was believed was learnt anew.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from confidence_engine.config import Config, recorded
from confidence_engine.domain.errors import JournalDamaged
from confidence_engine.domain.instrument import Instrument
from confidence_engine.drivers.checkpoint import Checkpoint
from confidence_engine.feeds.assemble import Window
from confidence_engine.journal import kinds
from confidence_engine.journal.chain import Record
from confidence_engine.journal.epoch import Program
from confidence_engine.journal.reader import Reader
from confidence_engine.journal.retired import Sealed, seals

__all__ = ["Epoch", "epochs_of", "last_epoch", "last_writer"]


class Epoch(NamedTuple):
    """One of them: its PARAMS record and what it says, the program that wrote it, and where it begins and ends.

    `sealed` is the state that it begins with, None for the first; `end` is None while it is the last.
    """

    record: int
    params: dict[str, Any]
    instruments: tuple[Instrument, ...]
    program: Program
    sealed: Sealed | None
    event: int
    end: tuple[int, int] | None  # event and record with which the next begins

    def config(self, reader: Reader) -> Config:
        """The config as it was. Raises ConfigError where this program reads it as another."""
        return recorded(self.params["config"], self.params["hash"], reader.place.folder)

    @property
    def window(self) -> Window:
        """From when it was loaded and decided; it has no end."""
        return Window(int(self.params["load_ns"]), int(self.params["start_ns"]), 1 << 62)

    @property
    def feed(self) -> dict[str, Any]:
        """What fed it, as whoever began it told; nothing where that was not told."""
        return dict(self.params.get("feed", {}))


def epochs_of(reader: Reader) -> list[Epoch]:
    """All epochs in order. Raises JournalDamaged where one cannot be read."""
    programs, found = reader.epochs(), list[Epoch]()
    begun = {
        at.epoch: one
        for _, one in seals(reader)
        if (at := _placed(one)) is not None and one.facts.get("why") == "an epoch began"
    }
    told = list(reader.records(kinds.PARAMS, kinds.INSTRUMENT))
    starts = [one for one in told if one.kind == kinds.PARAMS]
    for k, one in enumerate(starts):
        sealed = begun.get(one.id)
        if k > 0 and sealed is None:
            continue  # it died before the epoch began
        end = starts[k + 1].id if k + 1 < len(starts) else None
        mine = [record for record in told if record.id > one.id and (end is None or record.id < end)]
        known = [record for record in mine if record.kind == kinds.INSTRUMENT]  # each epoch tells all of its own
        event = 0 if sealed is None else sealed.event
        found.append(Epoch(one.id, _said(one), _instruments(known), programs.program(one.id), sealed, event, None))
    return [
        one if k + 1 == len(found) else one._replace(end=(found[k + 1].event, found[k + 1].record))
        for k, one in enumerate(found)
    ]


def last_epoch(reader: Reader) -> Epoch:
    """The one that goes on. Raises JournalDamaged where there is none."""
    found = epochs_of(reader)
    if not found:
        raise JournalDamaged(f"{reader.place.folder}: no parameters are recorded")
    return found[-1]


def last_writer(reader: Reader) -> Program:
    """The program whose layouts hold for the next row: another than the last epoch's where an upgrade was cut off."""
    return reader.epochs().program(reader.last().end_record)


def _placed(one: Sealed) -> Checkpoint | None:
    told = one.facts.get("at_checkpoint")
    return None if told is None else msgspec.convert(told, Checkpoint)


def _instruments(records: list[Record]) -> tuple[Instrument, ...]:
    """By id; what is told again later counts."""
    found: dict[int, Instrument] = {}
    for record in records:
        said = _said(record)
        found[int(said.pop("asset"))] = msgspec.convert(said, Instrument)
    if sorted(found) != list(range(len(found))):
        raise JournalDamaged(f"the instruments {sorted(found)} are told, and there are {len(found)}")
    return tuple(found[k] for k in sorted(found))


def _said(record: Record) -> dict[str, Any]:
    try:
        said: dict[str, Any] = msgspec.json.decode(record.payload or b"")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise JournalDamaged(f"record {record.id} cannot be read: {error}") from error
    return said
