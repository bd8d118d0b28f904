"""A journal that two programs wrote, whose rows are laid out differently: every reader takes each as it was meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa
from tests.journal import agents
from tests.journal.agents import BEGIN, Agent, rows, shown

from confidence_engine.domain.decision import DECISION
from confidence_engine.domain.errors import JournalDamaged
from confidence_engine.domain.units import DAY_NS, HOUR_NS
from confidence_engine.drivers import scribe
from confidence_engine.journal import kinds
from confidence_engine.journal.database import engine_of
from confidence_engine.journal.epoch import Epochs, Program
from confidence_engine.journal.export import export
from confidence_engine.journal.log import reopen
from confidence_engine.journal.projector import project, rebuild
from confidence_engine.journal.reader import Reader
from confidence_engine.journal.retire import retire, seal
from confidence_engine.journal.schema import RECORD
from confidence_engine.journal.verify import verify

NEWER = np.dtype([("learnt", "<f8"), *((name, DECISION[name].str) for name in reversed(DECISION.names or ()))])
"""The decisions of the next program: another order, and a field more at the front."""


def told(layout: np.dtype[Any]) -> list[list[str]]:
    return [[name, layout[name].str] for name in layout.names or ()]


def upgraded(agent: Agent, patch: pytest.MonkeyPatch) -> None:
    """From here on another program writes."""
    layouts = {name: told(layout) for name, layout in agents.LAYOUTS.items()} | {"DECISION": told(NEWER)}
    agent.put(kinds.UPGRADE, None, agent.now, msgspec.to_builtins(Program(1, 2, "the next revision", layouts)))
    agent.journal.commit()
    patch.setattr(agents, "DECISION", NEWER)


def plain(home: Path, table: str) -> list[dict[str, Any]]:
    """Rows without the ids, which count the upgrade's record too."""
    ids = ("id", "run_id", "row", "order_row", "parent", "trade_id", "next_trade_id")
    return [{name: value for name, value in row.items() if name not in ids} for row in shown(home, table)]


def test_the_tables_say_the_same_whoever_wrote_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, halfway in (("one", False), ("two", True)):
        agent = Agent(tmp_path / name, "futures", 3)
        agent.live(60)
        project(tmp_path / name)
        if halfway:
            upgraded(agent, monkeypatch)
        agent.live(60)
        agent.close()
        project(tmp_path / name)
    for table in ("signal_logs", "risk_events", "enhanced_trades", "heartbeat_logs", "trade_limits"):
        found = plain(tmp_path / "two", table)
        assert len(found) > 1
        assert found == plain(tmp_path / "one", table)
    once = rows(tmp_path / "two")
    rebuild(tmp_path / "two")
    assert rows(tmp_path / "two") == once


def test_it_is_checked_thinned_and_exported_by_each_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = Agent(tmp_path, "futures", 5)
    agent.live(60, 5 * HOUR_NS)
    upgraded(agent, monkeypatch)
    agent.live(160, 5 * HOUR_NS)
    agent.close()
    place = agent.journal.place
    assert verify(place).sound
    export(Reader(place), tmp_path / "before")
    names = {"decision": 120, "decision-2": 320}
    for name, count in names.items():
        frame = pl.read_parquet(tmp_path / f"before/records/{name}.parquet")
        assert (len(frame), "learnt" in frame.columns) == (count, name == "decision-2")
        assert frame["gates"].n_unique() > 3
        assert set(frame["asset"]) == {0, 1}
    project(tmp_path)
    once = rows(tmp_path)
    journal = reopen(place, reserve=0)
    seal(journal, b"state", {})
    gone = retire(journal, BEGIN + 400 * DAY_NS)
    journal.close()
    assert gone is not None
    upgrade = next(Reader(place).records(kinds.UPGRADE)).id
    assert gone.first_record < upgrade < gone.end_record
    assert verify(place).sound
    rebuild(tmp_path)
    for table in ("signal_logs", "risk_events", "enhanced_trades"):
        assert rows(tmp_path)[table] == once[table]


def test_a_row_of_the_wrong_epoch_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = Agent(tmp_path, "futures", 5)
    agent.live(5)
    upgraded(agent, monkeypatch)
    monkeypatch.setattr(agents, "DECISION", DECISION)
    agent.live(1)
    agent.close()
    found = verify(agent.journal.place)
    assert "its body has" in found.faults[0].where
    with pytest.raises(JournalDamaged, match="decision record"):
        project(tmp_path)


def test_an_upgrade_that_is_no_text_is_a_fault(tmp_path: Path) -> None:
    agent = Agent(tmp_path, "futures", 5)
    agent.live(5)
    agent.put(kinds.UPGRADE, None, agent.now, {"code_revision": msgspec.Raw(b'"\xff"')})
    agent.close()
    assert "upgrade record" in verify(agent.journal.place).faults[0].where
    with pytest.raises(JournalDamaged, match=r"upgrade record \d+ cannot be read"):
        Reader(agent.journal.place).epochs()


def test_an_upgrade_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    agent = Agent(tmp_path, "futures", 5)
    agent.live(5)
    agent.put(kinds.UPGRADE, None, agent.now, {"code_revision": 5})
    agent.close()
    assert "upgrade record" in verify(agent.journal.place).faults[0].where
    with pytest.raises(JournalDamaged, match=r"upgrade record \d+ cannot be read"):
        project(tmp_path)


def test_rows_of_two_layouts_are_no_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = Agent(tmp_path, "futures", 5)
    agent.live(5)
    upgraded(agent, monkeypatch)
    agent.live(5)
    agent.close()
    reader = Reader(agent.journal.place)
    upgrade = next(reader.records(kinds.UPGRADE)).id
    with pytest.raises(ValueError, match="2 layouts"):
        reader.rows(kinds.DECISION)
    old, new = reader.rows(kinds.DECISION, 0, upgrade), reader.rows(kinds.DECISION, upgrade)
    assert (old.dtype, new.dtype) == (DECISION, NEWER)
    assert [*old["seq"], *new["seq"]] == list(range(1, 21))


def test_an_epoch_begins_with_its_record() -> None:
    first, second = (Program(1, k, f"r{k}", {"EQUITY": [["equity", code]]}) for k, code in ((1, "<f8"), (2, "<f4")))
    both = Epochs([(0, first), (10, second)])
    assert [both.program(id_).code_revision for id_ in (0, 9, 10, 99)] == ["r1", "r1", "r2", "r2"]
    assert [both.layout(kinds.EQUITY, id_).itemsize for id_ in (9, 10)] == [8, 4]
    for kind in (kinds.DECISION, kinds.PARAMS):
        with pytest.raises(JournalDamaged, match="the layouts of record 10 tell nothing"):
            both.layout(kind, 11)


def test_a_program_that_is_another_opens_an_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = Agent(tmp_path, "futures", 5)
    agent.live(5)
    assert scribe.upgrade(agent.journal)  # "revision" wrote it so far
    assert not scribe.upgrade(agent.journal)
    assert Reader(agent.journal.place).epochs().program(agent.journal.next_record) == scribe.program()
    agent.live(5)
    monkeypatch.setattr(scribe, "STATE_SCHEMA", 99)
    assert scribe.upgrade(agent.journal)
    monkeypatch.setattr(scribe, "EVENT_SCHEMA", 99)
    with pytest.raises(JournalDamaged, match="begin a new journal"):
        scribe.upgrade(agent.journal)
    agent.close()
    assert len(Reader(agent.journal.place).epochs()) == 3
    assert verify(agent.journal.place).sound


def test_a_changed_upgrade_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = Agent(tmp_path, "futures", 5)
    agent.live(5)
    upgraded(agent, monkeypatch)
    agent.live(5)
    agent.close()
    engine = engine_of(agent.journal.place.database)
    with engine.begin() as c:
        told = c.execute(sa.select(RECORD.c.payload).where(RECORD.c.kind == kinds.UPGRADE)).scalar_one()
        changed = told.replace(b"the next", b"the last")
        c.execute(sa.update(RECORD).where(RECORD.c.kind == kinds.UPGRADE).values(payload=changed))
    engine.dispose()
    assert not verify(agent.journal.place).sound
