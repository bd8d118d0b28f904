"""Taking a simulated journal away, whole. One of recorded or live data is never taken away by a program."""

from __future__ import annotations

import shutil

import sqlalchemy as sa

from confidence_engine.domain.errors import DataMissing, DataRefused
from confidence_engine.journal.anchor import read_anchor
from confidence_engine.journal.database import engine_of, is_postgres
from confidence_engine.journal.lock import locked
from confidence_engine.journal.reader import Place, Reader
from confidence_engine.journal.retired import snapshots_of
from confidence_engine.journal.schema import BLOCK, JOURNAL, RECORD

__all__ = ["forget"]


def forget(place: Place) -> bool:
    """Delete a synthetic journal, its anchor and its rows; False where there is none. Raises DataRefused for others."""
    if not place.folder.is_dir():
        return False
    try:
        reader = Reader(place)
    except DataMissing:
        return False
    begun = next(reader.blocks(), None) is not None  # else it died before its first commit: it never was
    synthetic = not begun or reader.genesis().synthetic
    reader.engine.dispose()
    if not synthetic:
        raise DataRefused(f"{place.folder} is not a simulated journal; it is not deleted")
    anchor = read_anchor(place.anchor)
    if is_postgres(place.database) and begun and (anchor is None or anchor.journal != str(reader.uuid)):
        raise DataRefused(f"the database holds a journal {place.name!r} of another home; it is not deleted")
    with locked(place):
        _remove(place)
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
