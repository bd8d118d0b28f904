"""`confidence replay` as people and scripts meet it: one object or a table, codes that mean something, whole runs."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.evaluate.test_summary import KINDS
from tests.simulated import END, START, config_file, fill, world
from tests.simulated import home as world_home

from confidence_engine.cli import app
from confidence_engine.config.simulated import VENUE
from confidence_engine.feeds.store import Batch, Store
from confidence_engine.report import artefacts
from confidence_engine.report.artefacts import FILES

PERIOD = ("--start", START, "--end", END)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own with the simulated world; charts are drawn elsewhere."""
    monkeypatch.setattr(artefacts, "chart", lambda picture, path: path.write_bytes(b"png"))
    shutil.copytree(world_home(), tmp_path / "home")
    return tmp_path / "home"


def run(home: Path, *words: str) -> int:
    return app.main(["--home", str(home), *words])


def replay(home: Path, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    code = run(home, "replay", str(home / "config/simulated.toml"), *(words or PERIOD), "--json")
    out = capsys.readouterr()
    assert code == 0, out.err
    assert out.out.count("\n") == 1
    found = json.loads(out.out)
    assert isinstance(found, dict)
    return found


# The answer.


def test_a_machine_gets_every_figure_in_one_object_and_the_run_is_on_disk(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = replay(home, capsys)
    for name, kind in KINDS.items():
        assert type(found[name]) is kind, name
    folder = Path(found["folder"])
    assert folder == home / "runs" / found["run"]
    assert {one.name for one in folder.iterdir()} == set(FILES)
    kept = json.loads((folder / "summary.json").read_text("utf-8"))
    assert kept.pop("artefacts") == artefacts.ARTEFACTS
    assert kept == {name: value for name, value in found.items() if name != "folder"}
    again = replay(home, capsys)
    assert {n: v for n, v in again.items() if n != "cpu_events_per_s"} == {
        n: v for n, v in found.items() if n != "cpu_events_per_s"
    }
    assert [one.name for one in (home / "runs").iterdir()] == [found["run"]]


def test_a_person_gets_a_table_that_says_simulated(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(home, "replay", str(home / "config/simulated.toml"), *PERIOD) == 0
    out, err = capsys.readouterr()
    for words in ("SYNTHETIC", "KVX/USDT", "net P&L", "insufficient (n = 16)", "NO_EVIDENCE", "percentile", "runs/"):
        assert words in out
    assert "replay" in err


def test_as_a_process_stdout_is_one_object_and_nothing_else(home: Path) -> None:
    words = ("replay", str(home / "config/simulated.toml"), "--start", "2025-01-20", "--end", "2025-01-23", "--json")
    done = subprocess.run(
        [sys.executable, "-m", "confidence_engine", "--home", str(home), *words],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    assert json.loads(done.stdout)["synthetic"] is True


def test_symbols_and_a_folder_of_ones_own(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = replay(home, capsys, *PERIOD, "--symbols", "vlt, KVX/USDT", "--out", str(tmp_path / "mine"))
    assert found["symbols"] == ["KVX/USDT", "VLT/USDT"]
    assert (found["run"], found["folder"]) == ("mine", str(tmp_path / "mine"))
    assert set(pl.read_parquet(tmp_path / "mine/decisions.parquet")["symbol"]) == {"KVX/USDT", "VLT/USDT"}
    assert not (home / "runs").exists()
    assert replay(home, capsys, *PERIOD, "--out", str(tmp_path / "mine"))["symbols"] != found["symbols"]


def test_the_order_of_symbols_changes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = replay(home, capsys, *PERIOD, "--symbols", "KVX,PGS,VLT")
    two = replay(home, capsys, *PERIOD, "--symbols", "VLT,KVX,PGS")
    assert one["run"] == two["run"]
    assert one["decisions_hash"] == two["decisions_hash"]


def test_a_period_beyond_the_bars_is_cut_and_said(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(home / "config/simulated.toml")
    assert run(home, "replay", file, "--start", "0001-01-01", "--end", "9999-12-31", "--json") == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert (found["start"], found["end"]) == ("2025-01-01T00:00:00Z", "2025-01-23T00:05:00Z")
    assert "the bars cover 2025-01-01T00:00:00Z to 2025-01-23T00:05:00Z" in err
    assert all(found["first_warm"].values())


def test_a_wider_period_over_the_same_bars_is_the_same_run(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The documents begin before the bars here, so that more could be gathered than the part that is replayed."""
    shutil.rmtree(home / "store")
    store, begin = Store(home), np.datetime64("2025-01-09", "ns").astype("i8")
    fill(store, bars=False)
    bars = {name: rows[rows["open_ns"] >= begin] for name, rows in world().bars.items()}
    store.add(Batch("bars", "w", "bars", 0, VENUE, 5 * 60 * 10**9, rows=bars, synthetic=True))
    wide = replay(home, capsys, "--start", "2020-01-01", "--end", "2025-01-20")
    exact = replay(home, capsys, "--start", "2025-01-09", "--end", "2025-01-20")
    for name in ("run", "decisions_hash", "data_hash", "documents", "outcomes"):
        assert wide[name] == exact[name], name
    late = replay(home, capsys, "--start", "2025-01-15", "--end", "2025-01-20")
    assert exact["warmup_days"] == {"wanted": 6.0, "found": 0.0}
    assert late["warmup_days"] == {"wanted": 6.0, "found": 6.0}


def test_a_warm_up_that_is_not_there_is_said(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(home / "config/simulated.toml")
    said = "the warm-up wants 6 days of bars before"
    assert run(home, "replay", file, "--start", "2025-01-03", "--end", "2025-01-05") == 0
    assert f"{said} 2025-01-03T00:00:00Z, and there are 2;" in capsys.readouterr().err
    assert run(home, "replay", file, "--start", "2025-01-07", "--end", "2025-01-09") == 0
    assert said not in capsys.readouterr().err


def test_a_short_period_is_replayed_whole(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for end in ("2025-01-07T00:15Z", "2025-01-07T00:20Z", "2025-01-07T01:00Z"):
        assert replay(home, capsys, "--start", "2025-01-07T00:00Z", "--end", end)["judged"] > 0
    found = replay(home, capsys, "--start", "2025-01-07T00:02Z", "--end", "2025-01-07T00:21Z")
    assert found["judged"] > 0


# What is missing.


def test_symbols_without_bars_are_named_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config_file(tmp_path / "config")
    fill(Store(tmp_path), without=("ODR/USDT",))
    assert run(tmp_path, "replay", str(tmp_path / "config/simulated.toml"), *PERIOD) == 0
    out, err = capsys.readouterr()
    assert "left out: ODR/USDT has no bars in the period" in err
    assert "left out, no bars" in out
    found = replay(tmp_path, capsys)
    assert found["missing_symbols"] == ["ODR/USDT"]
    assert "ODR/USDT" not in found["first_warm"]


def test_no_news_at_all_is_a_run_without_entries(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config_file(tmp_path / "config")
    fill(Store(tmp_path), news=False)
    found = replay(tmp_path, capsys)
    assert (found["documents"], found["entries"], found["trades"], found["net_pnl_usd"]) == (0, 0, 0, 0.0)
    assert found["random_entry_percentile"] is None
    assert found["refusals"]["NO_EVIDENCE"] == found["judged"] > 1000
    assert run(tmp_path, "replay", str(tmp_path / "config/simulated.toml"), *PERIOD) == 0
    assert "no trades" in capsys.readouterr().out


def test_missing_funding_degrades(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config_file(tmp_path / "config")
    fill(Store(tmp_path), funding=False)
    found = replay(tmp_path, capsys)
    assert found["degraded_share"] == 1.0
    assert found["entries"] == 0


@pytest.mark.parametrize("evidence", ['["score"]', '["news", "score"]'])
def test_a_users_scores_are_judged_by_the_same_gates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], evidence: str
) -> None:
    config_file(tmp_path / "config", evidence=evidence)
    fill(Store(tmp_path))
    days = [f"2025-01-{day:02d}T12:00:00Z" for day in range(8, 22)]
    table = pl.DataFrame({"ts_known": days, "symbol": "PGS/USDT", "horizon": "6h", "mean": 0.015, "std": 0.01})
    table.write_csv(tmp_path / "scores.csv")
    code = run(tmp_path, "import", "scores", str(tmp_path / "scores.csv"), "--venue", VENUE)
    capsys.readouterr()
    assert code == 3  # recorded scores do not enter a simulated home
    rows = np.zeros(len(days), artefacts_row())
    rows["known_ns"] = [np.datetime64(day[:-1], "ns").astype("i8") for day in days]
    rows["horizon_ns"], rows["mean"], rows["std"] = 6 * 3600 * 10**9, 0.015, 0.01
    Store(tmp_path).add(Batch("scores", "s", "scores", len(days), VENUE, rows={"PGS/USDT": rows}, synthetic=True))
    found = replay(tmp_path, capsys)
    decisions = pl.read_parquet(Path(found["folder"]) / "decisions.parquet")
    scored = decisions.filter(pl.col("score_z").is_not_nan())
    assert set(scored["symbol"]) == {"PGS/USDT"}
    assert len(scored.filter(pl.col("gates") == 0)) >= 5
    assert (found["documents"] == 0) == (evidence == '["score"]')


def artefacts_row() -> np.dtype:
    from confidence_engine.feeds.clean import SCORE_ROW

    return SCORE_ROW


def test_real_rows_make_a_run_that_is_not_called_simulated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config_file(tmp_path / "config")
    fill(Store(tmp_path), synthetic=False)
    found = replay(tmp_path, capsys)
    assert found["synthetic"] is False
    decisions = pl.read_parquet(Path(found["folder"]) / "decisions.parquet")
    assert decisions["marks"].to_list() == [0] * len(decisions)


def test_scores_from_a_file_reach_the_decisions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config_file(tmp_path / "config", evidence='["score"]')
    fill(Store(tmp_path), synthetic=False)
    days = [f"2025-01-{day:02d}T12:00:00Z" for day in range(8, 22)]
    table = pl.DataFrame({"ts_known": days, "symbol": "PGS/USDT", "horizon": "6h", "mean": -0.015, "std": 0.01})
    table.write_csv(tmp_path / "scores.csv")
    assert run(tmp_path, "import", "scores", str(tmp_path / "scores.csv")) == 0
    capsys.readouterr()
    found = replay(tmp_path, capsys)
    taken = pl.read_parquet(Path(found["folder"]) / "decisions.parquet").filter(pl.col("gates") == 0)
    assert len(taken) >= 5
    assert set(taken["side"]) == {-1}


# What is refused.


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--start", "yesterday", "--end", END), 2, "not an ISO 8601 time"),
        (("--start", "2025-01-07T00:00", "--end", END), 2, "has no time zone"),
        (("--start", END, "--end", START), 2, "is not after"),
        (("--start", START, "--end", START), 2, "is not after"),
        (("--start", START), 2, "--end"),
        ((*PERIOD, "--symbols", "BTC/USDT"), 2, "unknown symbol"),
        ((*PERIOD, "--symbols", "KVX/USDT@moon"), 2, "trades at moon"),
        ((*PERIOD, "--symbols", ""), 2, "no symbol is named"),
        ((*PERIOD, "--symbols", " , "), 2, "no symbol is named"),
        (("--start", "2026-01-01", "--end", "2026-02-01"), 3, "no 5m bars"),
        (("--start", "2025-01-07T00:00Z", "--end", "2025-01-07T00:01Z"), 3, "no whole bar"),
        (("--start", "2025-01-07T00:00Z", "--end", "2025-01-07T00:10Z"), 3, "at least 3 whole 5m bars"),
    ],
)
def test_a_wrong_period_or_symbol(
    home: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, said: str
) -> None:
    assert run(home, "replay", str(home / "config/simulated.toml"), *words) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert not (home / "runs").exists()


def test_an_ambiguous_symbol_is_2(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    universe = home / "config/universe.toml"
    text = universe.read_text("utf-8")
    mine = next(block for block in text.split("[[instrument]]") if "KVX/USDT" in block)
    universe.write_text(text + "\n[[instrument]]" + mine.replace("KVX/USDT", "KVX/USDC"), encoding="utf-8")
    assert run(home, "replay", str(home / "config/simulated.toml"), *PERIOD, "--symbols", "KVX") == 2
    assert "say KVX/USDT or KVX/USDC" in capsys.readouterr().err


def test_a_bad_config_is_2_with_its_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = home / "config/simulated.toml"
    file.write_text(file.read_text("utf-8") + "\n[kernel.exits]\nstop_atrs = 2\n", encoding="utf-8")
    assert run(home, "replay", str(file), *PERIOD) == 2
    assert "simulated.toml:" in capsys.readouterr().err
    assert run(home, "replay", str(home / "none.toml"), *PERIOD) == 2
    capsys.readouterr()


def test_a_folder_that_is_no_run_is_refused_before_anything_runs(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("four years", encoding="utf-8")
    for where in (precious, precious / "thesis.txt"):
        assert run(home, "replay", str(home / "config/simulated.toml"), *PERIOD, "--out", str(where)) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert "replay" not in err
    assert (precious / "thesis.txt").read_text("utf-8") == "four years"


# What stops it on the way: other processes, because a signal and a limit belong to a process.

_SCRIPT = """
import resource, sys, time
from confidence_engine.cli.app import main
from confidence_engine.drivers import replay
from confidence_engine.report import artefacts
home, what = sys.argv[1:3]
def wait(*_):
    print("ready", flush=True)
    time.sleep(60)
if what == "running":
    replay._drain = wait
elif what == "writing":
    artefacts.chart = wait
elif what == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
words = ["replay", home + "/config/simulated.toml", "--start", sys.argv[3], "--end", sys.argv[4]]
sys.exit(main(["--home", home, *words]))
"""


def _started(home: Path, what: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, str(home), what, START, END],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("what", ["running", "writing"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_process_that_is_stopped_leaves_no_run(
    home: Path, what: str, how: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    with _started(home, what) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        process.send_signal(how)
        _, err = process.communicate(timeout=60)
    assert said == "ready\n", err
    if how == signal.SIGINT:
        assert process.returncode == 130, err
        assert err.rstrip().endswith("stopped")
        assert "Traceback" not in err
        assert list((home / "runs").glob("*") if (home / "runs").exists() else []) == []
    assert run(home, "runs", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"runs": []}
    assert Store(home).listing()


def test_a_full_disk_is_1_in_one_line_and_leaves_nothing(home: Path) -> None:
    with _started(home, "full") as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert out == ""
    assert "Traceback" not in err
    assert "error: the run could not be written" in err.splitlines()[-1]
    assert list((home / "runs").iterdir()) == []
