"""The log of a journal's rows is copied while somebody writes, and a copy that fails costs nobody anything."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from tests.journal.small import START, begun, put

from confidence_engine.domain.units import HOUR_NS
from confidence_engine.journal import wal
from confidence_engine.journal.log import Journal
from confidence_engine.journal.reader import DATABASE, Place, place_of
from confidence_engine.journal.verify import verify

PATIENCE_S = 20.0


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return place_of(tmp_path / "a home", "futures")


def copied(place: Place) -> int:
    """Blocks in the database file alone, as one sees it who does not know of a log."""
    url = f"{(place.folder / DATABASE).as_uri()}?mode=ro&immutable=1"
    connection = sqlite3.connect(url, uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM block").fetchone()[0])
    except sqlite3.DatabaseError:  # not even its tables are there yet, or a page of two was copied
        return 0
    finally:
        connection.close()


def write(journal: Journal, commits: int) -> None:
    """Commits of six hours each, one after another."""
    rng, first = np.random.default_rng(1), START + (journal.last.number + 1) * 6 * HOUR_NS
    for k in range(commits):
        put(journal, first + 6 * k * HOUR_NS, rng)
        journal.commit()


def copied_in_time(place: Place, blocks: int) -> bool:
    """Whether as many blocks are in the file before patience ends."""
    until = time.monotonic() + PATIENCE_S
    while copied(place) < blocks:
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def test_what_is_committed_is_copied_while_more_is(place: Place) -> None:
    journal = begun(place)
    write(journal, 3)
    assert copied(place) < 4
    with wal.copied_beside(place, 0.01):
        assert copied_in_time(place, 4), "the block of the genesis and three more"
        write(journal, 60)
        assert copied_in_time(place, 64)
    after = copied(place)
    write(journal, 3)
    time.sleep(0.1)
    assert copied(place) == after == 64, "nobody copies once the block has ended"
    journal.close()
    assert verify(place).sound


def test_a_copy_that_fails_is_tried_again_and_stops_nobody(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    real, tried = wal._opened, threading.Event()

    def opened(path: Path) -> sqlite3.Connection:
        if not tried.is_set():
            tried.set()
            raise sqlite3.OperationalError("disk I/O error")
        return real(path)

    monkeypatch.setattr(wal, "_opened", opened)
    journal = begun(place)
    with wal.copied_beside(place, 0.01):
        assert tried.wait(PATIENCE_S)
        write(journal, 3)
        assert copied_in_time(place, 4)
    journal.close()


def test_rows_on_a_server_have_no_log_here(tmp_path: Path) -> None:
    place = place_of(tmp_path, "futures", "postgresql://user@127.0.0.1:1/name")
    with wal.copied_beside(place):
        assert not [one for one in threading.enumerate() if one.name == "wal"]
