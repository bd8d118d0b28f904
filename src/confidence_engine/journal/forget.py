"""Taking a simulated journal away, whole. One of recorded or live data is never taken away by a program."""

from __future__ import annotations

import contextlib
import shutil

import sqlalchemy as sa

from confidence_engine.domain.errors import DataMissing, DataRefused, JournalDamaged
from confidence_engine.journal.anchor import read_anchor
from confidence_engine.journal.database import engine_of, is_postgres
from confidence_engine.journal.lock import locked
from confidence_engine.journal.reader import Place, Reader
from confidence_engine.journal.retired import snapshots_of
from confidence_engine.journal.schema import BLOCK, JOURNAL, RECORD

__all__ = ["forget"]


def forget(*places: Place) -> list[str]:
    """Delete synthetic journals, their anchors and their rows; returns the names of those that were there.

    All are looked at before the first goes. Raises DataRefused for one that is not synthetic or is another home's,
    JournalDamaged for one of which only the anchor is left.
    """
    there = [place for place in places if _is_there(place)]
    for place in there:
        with locked(place):
            _remove(place)
    return [place.name for place in there]


def _is_there(place: Place) -> bool:
    """Whether there is a journal; one that died before its first commit never was."""
    anchor = read_anchor(place.anchor)
    try:
        reader = Reader(place)
    except DataMissing:
        if anchor is not None:
            raise JournalDamaged(f"{place.anchor}: the anchor of a journal that is gone; move it away first") from None
        return False
    with contextlib.closing(reader):
        begun = next(reader.blocks(), None) is not None
        if begun and not reader.genesis().synthetic:
            raise DataRefused(f"{place.folder} is not a simulated journal; it is not deleted")
        if is_postgres(place.database) and begun and (anchor is None or anchor.journal != str(reader.uuid)):
            raise DataRefused(f"the database holds a journal {place.name!r} of another home; it is not deleted")
    return True


def _remove(place: Place) -> None:
    if is_postgres(place.database):
        engine = engine_of(place.database)
        with engine.begin() as c:
            for table in (RECORD, BLOCK, JOURNAL):
                c.execute(sa.delete(table).where(table.c.name == place.name))
        engine.dispose()
    place.anchor.unlink(missing_ok=True)
    shutil.rmtree(snapshots_of(place), ignore_errors=True)
    shutil.rmtree(place.folder)
