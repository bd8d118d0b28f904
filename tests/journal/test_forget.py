"""A simulated journal can be taken away whole; any other never is, and nothing goes where one of several may not."""

from __future__ import annotations

from pathlib import Path

import msgspec
import psycopg
import pytest
from tests.journal.small import filled, genesis

from confidence_engine.domain.errors import DataRefused, JournalDamaged
from confidence_engine.journal.forget import forget
from confidence_engine.journal.log import create
from confidence_engine.journal.reader import Place, place_of


def test_all_of_it_goes(place: Place) -> None:
    filled(place, 2).close()
    assert forget(place) == ["probe"]
    assert not place.folder.exists()
    assert not place.anchor.exists()
    if not place.database.startswith("sqlite"):
        with psycopg.connect(place.database) as c:
            for table in ("journal", "block", "record"):
                assert c.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    assert forget(place) == []
    filled(place, 1).close()  # there is room for another


def test_one_that_may_not_go_keeps_all(tmp_path: Path) -> None:
    first, second = (place_of(tmp_path / name, name) for name in ("first", "second"))
    filled(first, 1).close()
    real = msgspec.structs.replace(genesis("second"), synthetic=False)
    create(second, real, [], reserve=0).close()
    with pytest.raises(DataRefused, match="is not a simulated journal"):
        forget(first, second)
    second.anchor.write_text("{")
    with pytest.raises(JournalDamaged, match="not an anchor"):
        forget(first, second)
    assert first.folder.is_dir()
    assert second.folder.is_dir()


def test_an_anchor_alone_is_not_taken_away(tmp_path: Path) -> None:
    place = place_of(tmp_path, "probe")
    filled(place, 1).close()
    place.folder.rename(tmp_path / "elsewhere")
    with pytest.raises(JournalDamaged, match="the anchor of a journal that is gone"):
        forget(place)
    assert place.anchor.exists()


def test_a_folder_that_never_was_a_journal_is_left(tmp_path: Path) -> None:
    place = place_of(tmp_path, "probe")
    place.segments.mkdir(parents=True)
    assert forget(place) == []
    assert place.folder.is_dir()
