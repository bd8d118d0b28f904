"""The tables say what the journals say, however often and in however many steps they are told."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from tests.journal.agents import BASE, BEGIN, Agent, rows, shown
from tests.simulated import played, summary_of

from confidence_engine.cli.app import main
from confidence_engine.domain.decision import GATE_DAILY_LOSS, GATE_NO_EVIDENCE, GATE_SMALL_GAP
from confidence_engine.domain.errors import DataRefused, JournalDamaged, JournalUnwritable
from confidence_engine.domain.units import DAY_NS, HOUR_NS
from confidence_engine.drivers.replay import play
from confidence_engine.drivers.scribe import Scribe, begin
from confidence_engine.evaluate.performance import trades_from_fills
from confidence_engine.journal import kinds, projector
from confidence_engine.journal.database import engine_of, sqlite_url
from confidence_engine.journal.home import remembered
from confidence_engine.journal.log import reopen
from confidence_engine.journal.projector import drop, project, rebuild
from confidence_engine.journal.reader import place_of
from confidence_engine.journal.sheet import quantity, stamp
from confidence_engine.journal.tables import PROJECTION, RETAINED, TEN

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize("seed", range(2))
def test_any_number_of_steps_and_a_rebuild_end_in_the_same_rows(
    tmp_path: Path, database: str | None, seed: int
) -> None:  # fmt: skip
    rng = random.Random(seed)
    pair = [
        Agent(tmp_path, "hybrid", seed, database),
        Agent(tmp_path, "futures", seed, database, BEGIN + 3 * DAY_NS, BEGIN + 1),
    ]
    while pair[0].now < BEGIN + 34 * DAY_NS:  # beyond what is retained
        rng.choice(pair).live(rng.randint(1, 60), 5 * HOUR_NS)
        if rng.random() < 0.7:
            project(tmp_path, database, records=rng.choice((None, 1, 7, 100, 2000)))
    for one in pair:
        one.close()
    project(tmp_path, database)
    stepped = rows(tmp_path, database)
    told = rebuild(tmp_path, database)
    assert rows(tmp_path, database) == stepped
    assert [(one.agent, one.anew) for one in told] == [("hybrid", True), ("futures", True)]
    assert all(stepped[name] for name in TEN if name != "notification_logs")
    oldest = min(row["timestamp"] for row in shown(tmp_path, "signal_logs", database) if row["agent_type"] == "hybrid")
    assert stamp(pair[0].now - 30 * DAY_NS) <= oldest <= stamp(pair[0].now - 30 * DAY_NS + 5 * HOUR_NS)


def test_both_databases_hold_the_same_rows(tmp_path: Path, fresh: str) -> None:
    for name in ("hybrid", "futures"):
        one = Agent(tmp_path, name, 5)
        one.live(120)
        one.close()
    project(tmp_path)
    project(tmp_path, fresh)
    assert rows(tmp_path, fresh) == rows(tmp_path)


def test_trades_are_those_that_the_evaluation_finds(tmp_path: Path) -> None:
    one = Agent(tmp_path, "futures", 11)
    one.live(1200)
    one.close()
    project(tmp_path)
    wanted = trades_from_fills(np.concatenate(one.entries), BASE)
    found = shown(tmp_path, "trades")
    assert len(found) == len(wanted) > 150
    whole = {row["id"]: row for row in shown(tmp_path, "enhanced_trades")}
    for row, trade in zip(found, wanted, strict=True):
        both = whole[row["trade_id"]]
        for name, value in (("pnl", trade["pnl_usd"]), ("fees", trade["fees_usd"]), ("funding", trade["funding_usd"])):
            assert row[name] == pytest.approx(value, abs=1e-6)
            assert both[name] == row[name]
        assert row["lots"] == trade["lots"]
        assert row["event_timestamp"] == stamp(int(trade["exit_ns"])) == both["exit_event_timestamp"]
        assert both["event_timestamp"] == stamp(int(trade["entry_ns"]))
        assert row["action"] == ("buy" if trade["side"] > 0 else "sell")
        assert row["decision_id"] == (f"futures:{trade['decision']}" if trade["decision"] else None)
        if trade["lots"]:
            assert both["exit_price"] == pytest.approx(trade["exit_price"])
            assert both["entry_price"] == pytest.approx(trade["entry_price"])
    assert [row["status"] for row in whole.values()].count("open") == sum(lots != 0 for lots in one.held)


def test_a_replay_has_the_trades_that_its_report_says(tmp_path: Path) -> None:
    p = played()
    place = place_of(tmp_path / "agents" / p.config.agent.name, p.config.agent.name)
    journal = begin(
        place, p.config, p.sources.instruments, p.tape.streams, p.window, "replay", p.sources.synthetic, reserve=0
    )
    scribe = Scribe(journal, p.config, p.sources, p.readings)
    scribe.end(play(p.config, p.sources.instruments, p.tape.events, keep=scribe.keep), "the end")
    project(tmp_path)
    said = summary_of(p)
    found = shown(tmp_path, "trades")
    assert len(found) == said["trades"] > 5
    assert sum(row["fee"] for row in shown(tmp_path, "fills")) == pytest.approx(said["fees_usd"], abs=1e-6)
    assert sum(row["amount"] for row in shown(tmp_path, "fills") if row["kind"] == "funding") == pytest.approx(
        said["funding_usd"], abs=1e-6
    )
    assert [row["pnl"] for row in found] == pytest.approx(p.made.trades["pnl_usd"].tolist(), abs=1e-6)
    assert len(shown(tmp_path, "signal_logs")) == said["decisions"]
    assert len(shown(tmp_path, "orders")) == said["orders"]
    assert (
        sum(row["trade_count"] for row in shown(tmp_path, "trade_limits") if row["period_type"] == "day")
        == (said["entries"])
    )
    whole = shown(tmp_path, "enhanced_trades")
    assert all(row["synthetic"] == 1 and row["params_hash"] == p.config.hash for row in whole)
    assert all(row["order_id"] and row["confidence"] and row["entry_reason"].startswith("gap") for row in whole)
    assert all(0.0 < row["leverage"] <= 125.0 for row in whole)


def test_fills_orders_and_positions_add_up(tmp_path: Path) -> None:
    one = Agent(tmp_path, "futures", 12)
    one.live(500)
    one.close()
    project(tmp_path)
    fills, orders = shown(tmp_path, "fills"), shown(tmp_path, "orders")
    assert len(fills) == one.seq == len({row["execution_id"] for row in fills})
    assert len(orders) == one.orders == len({row["client_order_id"] for row in orders})
    assert max(len(row["client_order_id"]) for row in orders) <= 36
    filled: dict[int, int] = {}
    for row in fills:
        if row["order_row"] is not None:
            filled[row["order_row"]] = filled.get(row["order_row"], 0) + abs(row["lots"])
    assert filled
    assert {row["id"]: row["filled_lots"] for row in orders if row["filled_lots"]} == filled
    positions = shown(tmp_path, "positions")
    assert len(positions) == 4
    for symbol, lots, base in zip(("BTC/USDT", "SPY"), one.held, ("0.001", "10"), strict=True):
        sides = {row["position_side"]: row for row in positions if row["symbol"] == symbol}
        assert sides["long"]["lots"] - sides["short"]["lots"] == lots
        assert Decimal(sides["long"]["position_qty"]) == max(lots, 0) * Decimal(base)
    money = sum(row["amount"] or 0.0 for row in fills) - sum(row["fee"] for row in fills)
    assert sum(row["pnl_total"] for row in positions) == pytest.approx(money, abs=1e-6)


def test_limits_that_refuse_are_events_with_a_beginning_and_an_end(tmp_path: Path) -> None:
    one, loss = Agent(tmp_path, "futures", 1), 1 << GATE_DAILY_LOSS
    for gates in (1 << GATE_SMALL_GAP, loss, loss | 1 << GATE_SMALL_GAP, 0, 1 << GATE_NO_EVIDENCE, loss):
        one.tick(HOUR_NS)
        one.decide(0, gates)
    one.close()
    project(tmp_path)
    over, running = shown(tmp_path, "risk_events")
    assert (over["event_type"], over["blocked_decisions"], over["limit_exceeded"]) == ("DAILY_LOSS", 2, 0.01)
    assert (over["timestamp"], over["resolved_at"]) == (stamp(BEGIN + 2 * HOUR_NS), stamp(BEGIN + 4 * HOUR_NS))
    assert (running["resolved_at"], running["decision_id"]) == (None, "futures:6")
    said = [(row["signal_decision"], row["reason"]) for row in shown(tmp_path, "signal_logs")]
    assert said[0] == ("stand aside", "SMALL_GAP")
    assert said[2] == ("stand aside", "SMALL_GAP, DAILY_LOSS")
    assert said[3:5] == [("buy", "ENTERED"), ("abstain", "NO_EVIDENCE")]
    assert [row["trade_count"] for row in shown(tmp_path, "trade_limits")] == [1, 1]


def test_days_count_from_their_first_equity(tmp_path: Path) -> None:
    one = Agent(tmp_path, "futures", 1)
    for equity in (100.0, 110.0, 105.0):
        one.tick(12 * HOUR_NS)
        one.value(equity)
    one.close()
    project(tmp_path)
    assert [row["daily_pnl"] for row in shown(tmp_path, "heartbeat_logs")] == [0.0, 0.0, -5.0]
    assert [row["total_pnl"] for row in shown(tmp_path, "performance")] == [0.0, 5.0]
    fall = [row["metric_value"] for row in shown(tmp_path, "performance_metrics") if row["metric_type"] == "drawdown"]
    assert fall == [0.0, 0.0, pytest.approx(5.0 / 110.0)]
    limits = shown(tmp_path, "trade_limits")
    assert [row["period_start"][:10] for row in limits if row["period_type"] == "week"] == ["2022-01-03"]  # a Monday
    assert limits[0]["max_trades"] == 8


def test_the_commands_of_the_roadmap(tmp_path: Path) -> None:
    now = time.time_ns()
    pair = [
        Agent(tmp_path, name, 2, begin_ns=now - 60 * HOUR_NS, created_ns=now - DAY_NS + k)
        for k, name in enumerate(("hybrid", "futures"))
    ]
    for one in pair:
        one.live(24)
        one.tick(11 * HOUR_NS)
        one.decide(0, 0, quality=1_000.0)  # 25 hours old
        one.live(25)
        one.close()
    project(tmp_path)
    with sqlite3.connect(tmp_path / "enhanced_trading.db") as c:
        trades = c.execute("SELECT * FROM enhanced_trades ORDER BY timestamp DESC LIMIT 10;").fetchall()
        said = c.execute(
            "SELECT agent_type, AVG(signal_quality), COUNT(*) FROM signal_logs WHERE timestamp > "
            "datetime('now', '-24 hours') GROUP BY agent_type;"
        ).fetchall()
        young = c.execute("SELECT COUNT(*) FROM signal_logs WHERE signal_quality < 100").fetchone()[0]
    c.close()
    assert len(trades) == 10
    assert [trade[1] for trade in trades] == sorted((trade[1] for trade in trades), reverse=True)
    assert [row[0] for row in said] == ["futures", "hybrid"]
    for _, quality, count in said:
        assert 0.0 < quality < 10.0  # a single row of 1,000 would show
        assert count in (46, 48, 50)  # two an hour
    assert young > 2 * 50


_DIES = """
import os, signal, sys
from pathlib import Path
from confidence_engine.journal import projector, sheet

projector.BATCH = 150
flush, left = sheet.Sheet.flush, [int(sys.argv[3])]

def die(self):
    left[0] -= 1
    flush(self)
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)

sheet.Sheet.flush = die
getattr(projector, sys.argv[1])(Path(sys.argv[2]))
"""


def test_killed_in_the_middle_and_started_again(tmp_path: Path) -> None:
    one = Agent(tmp_path, "futures", 3)
    one.live(300)
    one.close()

    def die(what: str, after: int) -> None:
        command = [sys.executable, "-c", _DIES, what, str(tmp_path), str(after)]
        done = subprocess.run(command, check=False, env=os.environ | {"PYTHONPATH": str(ROOT / "src")})
        assert done.returncode == -signal.SIGKILL

    die("project", 0)
    assert not any(rows(tmp_path).values())
    reached = 0
    for after in (3, 4):
        die("project", after)
        (cursor,) = shown(tmp_path, "cursors")
        assert cursor["next_record"] > reached
        reached = cursor["next_record"]
        assert reached % 150 == 0
    project(tmp_path)
    once = rows(tmp_path)
    assert once["cursors"][0][1] == one.journal.next_record > 1000
    die("rebuild", 4)
    assert rows(tmp_path) == once
    rebuild(tmp_path)
    assert rows(tmp_path) == once


def test_a_journal_cut_back_or_begun_anew_is_told_anew(tmp_path: Path) -> None:
    one = Agent(tmp_path, "futures", 4)
    one.live(30)
    place, last = one.journal.place, one.journal.last
    one.live(30)
    project(tmp_path)
    one.journal.abandon()
    engine = engine_of(place.database)
    with engine.begin() as c:  # what a power cut takes back
        c.exec_driver_sql(f"DELETE FROM block WHERE number > {last.number}")
        c.exec_driver_sql(f"DELETE FROM record WHERE id >= {last.end_record}")
    engine.dispose()
    reopen(place, reserve=0).close()
    assert [(one.records, one.anew) for one in project(tmp_path)] == [(last.end_record, True)]
    cut = rows(tmp_path)
    rebuild(tmp_path)
    assert rows(tmp_path) == cut
    place.folder.rename(tmp_path / "gone")
    for _ in range(2):  # with its anchor and without
        for again in (project, rebuild):
            assert [(one.agent, one.gone) for one in again(tmp_path)] == [("futures", True)]
            assert rows(tmp_path) == cut
        place.anchor.unlink(missing_ok=True)
    other = Agent(tmp_path, "futures", 5)
    other.live(10)
    other.close()
    project(tmp_path)
    assert [row["journal"] for row in shown(tmp_path, "agents")] == [str(other.journal.uuid)]


def test_an_older_journal_that_turns_up_renumbers_all(tmp_path: Path) -> None:
    for name, created in (("futures", 2), ("hybrid", 1)):
        one = Agent(tmp_path, name, 1, created_ns=BEGIN + created)
        one.live(20)
        one.close()
        project(tmp_path)
    assert [(row["number"], row["name"]) for row in shown(tmp_path, "agents")] == [(1, "hybrid"), (2, "futures")]
    once = rows(tmp_path)
    rebuild(tmp_path)
    assert rows(tmp_path) == once


def test_rows_of_older_rules_are_told_anew(tmp_path: Path) -> None:
    one = Agent(tmp_path, "futures", 1)
    one.live(20)
    one.close()
    project(tmp_path)
    once = rows(tmp_path)
    with sqlite3.connect(tmp_path / "enhanced_trading.db") as c:
        c.execute("UPDATE cursors SET projection = ?", [PROJECTION - 1])
        c.execute("UPDATE signal_logs SET reason = 'as it was told then'")
    c.close()
    assert project(tmp_path)[0].anew
    assert rows(tmp_path) == once


def test_a_folder_without_a_journal_is_passed_by_and_a_bad_record_is_not(tmp_path: Path) -> None:
    (tmp_path / "agents/none/journal").mkdir(parents=True)
    (tmp_path / "agents/begun/journal").mkdir(parents=True)
    engine = engine_of(sqlite_url(tmp_path / "agents/begun/journal/journal.db"))
    with engine.begin() as c:
        c.exec_driver_sql("PRAGMA user_version")
    engine.dispose()
    one = Agent(tmp_path, "futures", 1)
    one.live(5)
    assert [told.agent for told in project(tmp_path)] == ["futures"]
    once = rows(tmp_path)
    one.journal.put(kinds.DECISION, one.journal.next_event - 1, one.now, b"not a decision")
    one.close()
    with pytest.raises(JournalDamaged, match="decision record"):
        project(tmp_path)
    assert rows(tmp_path) == once


def test_one_projector_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    monkeypatch.setattr(projector, "WAIT_S", 0.2)
    with (tmp_path / projector.LOCK).open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(JournalUnwritable, match="another process projects"):
            project(tmp_path)
    assert project(tmp_path) == []


def test_one_projector_at_a_time_on_a_server(
    tmp_path: Path, fresh: str, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(projector, "WAIT_S", 0.2)
    engine = engine_of(fresh)
    with engine.connect() as c:
        c.exec_driver_sql(f"SELECT pg_advisory_lock({projector._ADVISORY})")
        with pytest.raises(JournalUnwritable, match="into this database"):
            project(tmp_path, fresh)
    engine.dispose()
    assert project(tmp_path, fresh) == []


def test_two_homes_share_a_server(tmp_path: Path, fresh: str) -> None:
    homes = [tmp_path / "a", tmp_path / "b"]
    for k, home in enumerate(homes):
        one = Agent(home, f"agent{k}", 1, fresh, created_ns=BEGIN + k)
        one.live(20)
        one.close()
    for home in homes:
        project(home, fresh)
    once = rows(homes[0], fresh)
    assert [row[:2] for row in once["agents"]] == [(1, "agent0"), (2, "agent1")]
    rebuild(homes[0], fresh)
    assert rows(homes[0], fresh) == once


def test_homes_whose_journals_are_files_share_the_tables_of_a_server(tmp_path: Path, fresh: str) -> None:
    """The server knows nothing of their journals: by the home's id one leaves the other's rows alone."""
    homes = [tmp_path / "a", tmp_path / "b"]
    for k, home in enumerate(homes):
        one = Agent(home, f"agent{k}", 1, created_ns=BEGIN - k)  # the second home's is the older one
        one.live(20)
        one.close()
        project(home, fresh)
    once = rows(tmp_path, fresh)
    assert [row[:2] for row in once["agents"]] == [(1, "agent0"), (2, "agent1")]
    for home in homes:
        rebuild(home)
        assert rows(tmp_path, fresh) == once
    shutil.rmtree(homes[0] / "agents")
    assert [(one.agent, one.gone) for one in rebuild(homes[0])] == [("agent0", True)]
    assert rows(tmp_path, fresh) == once
    assert drop(homes[0], None, ["agent0", "agent1", "nobody"]) == ["agent0"]
    assert [row[:2] for row in rows(tmp_path, fresh)["agents"]] == [(2, "agent1")]


def test_an_agent_that_went_keeps_its_number_until_its_rows_are_dropped(tmp_path: Path) -> None:
    pair = [Agent(tmp_path, name, 1, created_ns=BEGIN + k) for k, name in enumerate(("hybrid", "futures"))]
    for one in pair:
        one.live(20)
        one.close()
    project(tmp_path)
    once = rows(tmp_path)
    (tmp_path / "home.json").unlink()  # rows of a file are its home's, whatever its id
    rebuild(tmp_path)
    ids = {name: [row[0] for row in of] for name, of in rows(tmp_path).items()}
    assert ids == {name: [row[0] for row in of] for name, of in once.items()}
    once = rows(tmp_path)
    (tmp_path / "agents").rename(tmp_path / "unmounted")
    assert [one.gone for one in rebuild(tmp_path)] == [True, True]
    assert rows(tmp_path) == once
    (tmp_path / "unmounted").rename(tmp_path / "agents")
    with pytest.raises(JournalDamaged, match="are not dropped"):
        drop(tmp_path, None, ["hybrid"])
    shutil.rmtree(tmp_path / "agents/hybrid")
    assert [(one.agent, one.gone) for one in rebuild(tmp_path)] == [("futures", False), ("hybrid", True)]
    assert rows(tmp_path) == once
    assert drop(tmp_path, None, ["hybrid"]) == ["hybrid"]
    assert [row[:2] for row in rows(tmp_path)["agents"]] == [(2, "futures")]
    assert {row["agent_type"] for row in shown(tmp_path, "signal_logs")} == {"futures"}
    rebuild(tmp_path)
    assert [row[:2] for row in rows(tmp_path)["agents"]] == [(1, "futures")]


def test_one_journal_that_cannot_be_read_keeps_no_other_from_being_told(tmp_path: Path) -> None:
    pair = [Agent(tmp_path, name, 1, created_ns=BEGIN + k) for k, name in enumerate(("hybrid", "futures"))]
    for one in pair:
        one.live(20)
    project(tmp_path)
    for one in pair:
        one.live(20)
        one.close()
    segment = max(pair[0].journal.place.segments.glob("*.seg"))
    segment.unlink()
    for again in (project, rebuild):
        with pytest.raises(JournalDamaged, match="the last event is not there"):
            again(tmp_path)
        told = {row["agent_type"]: row["next_record"] for row in shown(tmp_path, "cursors")}
        assert told["futures"] == pair[1].journal.next_record
        assert told["hybrid"] < pair[0].journal.next_record
        assert [row[:2] for row in rows(tmp_path)["agents"]] == [(1, "hybrid"), (2, "futures")]
    segment.mkdir()
    with pytest.raises(JournalDamaged, match="Is a directory"):
        project(tmp_path)


def test_ruined_tables_are_named_with_the_way_out(tmp_path: Path) -> None:
    one = Agent(tmp_path, "futures", 1)
    one.live(20)
    one.close()
    project(tmp_path)
    once = rows(tmp_path)
    for file in tmp_path.glob("enhanced_trading.db*"):
        file.unlink()
    (tmp_path / "enhanced_trading.db").write_bytes(b"these are no tables, though their file is named so")
    with pytest.raises(JournalUnwritable, match=r"delete enhanced_trading\.db there and run"):
        rebuild(tmp_path)
    (tmp_path / "enhanced_trading.db").unlink()
    rebuild(tmp_path)
    assert rows(tmp_path) == once


def test_an_agent_of_another_home_keeps_its_name(tmp_path: Path, fresh: str) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        one = Agent(tmp_path / name, "futures", seed)
        one.live(20)
        one.close()
    project(tmp_path / "a", fresh)
    once = rows(tmp_path, fresh)
    for again in (project, rebuild):
        with pytest.raises(DataRefused, match="an agent 'futures' of another home"):
            again(tmp_path / "b", fresh)
        assert rows(tmp_path, fresh) == once
    assert not (tmp_path / "b/enhanced_trading.db").exists()
    assert remembered(tmp_path / "b").database == ""  # it was refused, and the home is where it was
    project(tmp_path / "b")
    assert (tmp_path / "b/enhanced_trading.db").exists()
    (tmp_path / "a").rename(tmp_path / "moved")
    (tmp_path / "moved/home.json").unlink()  # its journal still says whose rows they are
    project(tmp_path / "moved", fresh)
    (agent,) = shown(tmp_path, "agents", fresh)
    assert agent["home"] == remembered(tmp_path / "moved").id != once["agents"][0][-1]


def test_a_server_named_once_is_meant_from_then_on(tmp_path: Path, fresh: str) -> None:
    one = Agent(tmp_path, "futures", 1)
    one.live(20)
    project(tmp_path, fresh)
    one.live(20)
    one.close()
    project(tmp_path)
    assert not (tmp_path / "enhanced_trading.db").exists()
    (cursor,) = shown(tmp_path, "cursors", fresh)
    assert cursor["next_record"] == one.journal.next_record
    assert remembered(tmp_path).database == fresh
    for wrong in (b"{", b'{"database": 5}', b"\xff"):
        (tmp_path / "home.json").write_bytes(wrong)
        with pytest.raises(JournalDamaged, match=r"home\.json cannot be read"):
            project(tmp_path)


def test_a_server_that_does_not_answer_is_named_and_nothing_is_told_elsewhere(tmp_path: Path) -> None:
    one = Agent(tmp_path, "futures", 1)
    one.live(5)
    one.close()
    with pytest.raises(JournalUnwritable, match=r"cannot be written: .*refused"):
        project(tmp_path, "postgresql://postgres@127.0.0.1:9/nobody")
    assert remembered(tmp_path).database == ""
    assert not (tmp_path / "enhanced_trading.db").exists()


def test_a_damaged_journal_is_what_is_blamed(tmp_path: Path) -> None:
    for name in ("futures", "hybrid"):
        one = Agent(tmp_path, name, 1)
        one.live(5)
        one.close()
    project(tmp_path)
    once = rows(tmp_path)
    (tmp_path / "agents/hybrid/journal/journal.db").write_bytes(b"not a database, whatever its name says")
    with pytest.raises(JournalDamaged, match="agents/hybrid/journal: its rows cannot be read"):
        rebuild(tmp_path)
    assert rows(tmp_path) == once


@pytest.mark.parametrize("said", [5, [1], {"hash": "x", "config": 5}, {"hash": "x", "config": {"agent": []}}])
def test_parameters_that_are_none_are_damage(said: object, tmp_path: Path) -> None:
    one = Agent(tmp_path, "futures", 1)
    one.put(kinds.PARAMS, None, one.now, said)
    one.close()
    with pytest.raises(JournalDamaged, match=r"params record \d+ cannot be read"):
        project(tmp_path)


def test_the_last_heartbeat_of_a_run_that_ended_says_so(tmp_path: Path) -> None:
    one = Agent(tmp_path, "futures", 1)
    one.live(30)
    project(tmp_path)
    assert {row["system_status"] for row in shown(tmp_path, "heartbeat_logs")} <= {"running", "degraded", "halted"}
    one.put(kinds.ENDED, None, one.now, {"why": "the end"})
    one.journal.commit()
    project(tmp_path)
    *_, before, last = shown(tmp_path, "heartbeat_logs")
    assert last["system_status"] == "stopped"
    same = ("timestamp", "run_count", "daily_pnl", "total_trades", "platform")
    assert [last[name] for name in same] == [before[name] for name in same]
    assert last["active_positions"] == sum(lots != 0 for lots in one.held)
    one.live(1)
    one.close()
    project(tmp_path)
    assert shown(tmp_path, "heartbeat_logs")[-1]["system_status"] != "stopped"
    once = rows(tmp_path)
    rebuild(tmp_path)
    assert rows(tmp_path) == once


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(tmp_path), "journal", "rebuild"]) == 3
    one = Agent(tmp_path, "futures", 1)
    one.live(20)
    one.close()
    project(tmp_path)
    once = rows(tmp_path)
    with sqlite3.connect(tmp_path / "enhanced_trading.db") as c:
        c.execute("UPDATE signal_logs SET reason = 'what somebody wrote'")
    c.close()
    capsys.readouterr()
    assert main(["--home", str(tmp_path), "journal", "rebuild", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["agents"] == [{"agent": "futures", "records": one.journal.next_record}]
    assert rows(tmp_path) == once
    assert place_of(tmp_path / "agents/futures", "futures").folder.is_dir()


def test_the_command_tells_sound_journals_only_unless_told_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = [Agent(tmp_path, name, 1, created_ns=BEGIN + k) for k, name in enumerate(("hybrid", "futures"))]
    for one in pair:
        one.live(20)
        one.close()
    told = ["--home", str(tmp_path), "journal", "rebuild"]
    assert main(told) == 0
    once = rows(tmp_path)
    with closing(sqlite3.connect(pair[0].journal.place.folder / "journal.db")) as c, c:
        c.execute("DELETE FROM record WHERE kind = 20 AND id > 20")
    assert main(told) == 3
    assert "or tell it with --unchecked" in capsys.readouterr().err
    assert rows(tmp_path) == once
    assert main([*told, "--unchecked"]) == 0
    assert rows(tmp_path) != once
    shutil.rmtree(tmp_path / "agents/hybrid")
    assert main(told) == 3
    assert "hybrid: its journal is gone, so its rows stay as they were" in capsys.readouterr().err
    assert main([*told, "--drop", "futures"]) == 3
    assert {row["name"] for row in shown(tmp_path, "agents")} == {"hybrid", "futures"}
    assert main([*told, "--drop", "hybrid"]) == 0
    assert {row["name"] for row in shown(tmp_path, "agents")} == {"futures"}


def test_quantities_are_exact() -> None:
    given = ((3, 0.1, 1.0), (-7, 1e-8, 1.0), (100, 0.01, 50.0), (0, 0.1, 1.0))
    assert [quantity(*one) for one in given] == ["0.3", "0.00000007", "50", "0"]
    assert set(RETAINED) < set(TEN)
