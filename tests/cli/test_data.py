"""The commands of the store as a person and as a script meet them: answers, exit codes, and no harm done."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from confidence_engine.cli import app
from confidence_engine.domain.units import MINUTE_NS, format_time
from confidence_engine.feeds.store import Store

BARS = ("--venue", "binance-perp", "--interval", "5m")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def frame() -> pl.DataFrame:
    at = [f"2023-01-01T0{i // 12}:{5 * (i % 12):02d}:00Z" for i in range(24)]
    close = [100.0 + i for i in range(24)]
    return pl.DataFrame(
        {"Date": at, "Open": close, "High": [c + 1 for c in close], "Low": [c - 1 for c in close], "Close": close,
         "Volume": [1.0] * 24}
    )  # fmt: skip


def run(home: Path, *words: str) -> int:
    return app.main(["--home", str(home), *words])


def answer(home: Path, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    code = run(home, *words, "--json")
    out = capsys.readouterr()
    assert code == 0, out.err
    found = json.loads(out.out)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("form", ["parquet", "csv", "ndjson"])
def test_bars_come_in_once(
    home: Path, tmp_path: Path, frame: pl.DataFrame, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / f"bars.{form}"
    getattr(frame, f"write_{form}")(file)
    words = ("import", "bars", str(file), "--symbol", "BTCUSDT", *BARS)
    first, again = answer(home, capsys, *words), answer(home, capsys, *words)
    assert (first["rows_read"], first["new"], first["known"], first["conflicts"]) == (24, 24, 0, 0)
    assert (again["rows_read"], again["new"], again["known"], again["conflicts"]) == (24, 0, 24, 0)
    assert first["mapping"]["time"] == "Date"
    assert (first["first"], first["last"]) == ("2023-01-01T00:00:00Z", "2023-01-01T01:55:00Z")
    assert len(Store(home).bars("BTC/USDT", "binance-perp", 5 * MINUTE_NS)) == 24


def test_losses_conflicts_and_checks_add_up(
    home: Path, tmp_path: Path, frame: pl.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bars.csv"
    frame.write_csv(file)
    words = ("import", "bars", str(file), "--symbol", "BTC/USDT", *BARS)
    answer(home, capsys, *words)
    close = [*frame["Close"][:5], frame["Close"][5] + 0.5, float("nan"), *frame["Close"][7:]]
    hurt = pl.concat([frame.with_columns(Close=pl.Series(close)), frame[3:4]])
    hurt.write_csv(file)
    got = answer(home, capsys, *words)
    assert (got["new"], got["known"], got["conflicts"]) == (0, 22, 1)
    assert got["rows_read"] == got["new"] + got["known"] + got["conflicts"] + sum(got["dropped"].values())
    found = answer(home, capsys, "data", "check", "--symbol", "BTC/USDT")["series"]
    assert [one["key"] for one in found] == ["bars/binance-perp/BTC-USDT/5m"]
    assert found[0]["gaps"] == 0
    listed = answer(home, capsys, "data", "list")
    assert [row["rows"] for row in listed["series"]] == [24]
    assert len(listed["data_hash"]) == 64


def test_news_funding_scores(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text(
        '{"date": "2023-01-01T00:00:00Z", "headline": "a", "link": "https://www.reuters.com/1"}\n'
        '{"date": "2023-01-01T07:30:00Z", "headline": "b"}\nnot json\n'
    )
    got = answer(home, capsys, "import", "news", str(file), "--symbol", "BTC/USDT")
    assert (got["new"], got["midnight_stamps"], sum(got["dropped"].values())) == (2, 1, 1)
    assert [d.publisher for d in Store(home).documents(0, 2**62)] == ["reuters.com", "unknown"]
    assert {d.symbols for d in Store(home).documents(0, 2**62)} == {("BTC/USDT",)}
    file.write_text('{"ts": 1672531200000, "funding_rate": 0.0001}\n')
    assert answer(home, capsys, "import", "funding", str(file), "--symbol", "BTC/USDT")["new"] == 1
    file.write_text('{"ts_known": 1672531200000, "symbol": "BTC/USDT", "horizon": "6h", "mean": 0.01, "std": 0.02}\n')
    assert answer(home, capsys, "import", "scores", str(file))["new"] == 1
    kinds = [row["kind"] for row in answer(home, capsys, "data", "check")["series"]]
    assert kinds == ["funding", "news", "scores"]


def test_a_wrong_interval_is_exit_3_and_names_both(
    home: Path, tmp_path: Path, frame: pl.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bars.csv"
    frame.write_csv(file)
    for interval in ("1m", "1h"):
        words = ("import", "bars", str(file), "--symbol", "BTC/USDT", "--venue", "binance-perp", "--interval", interval)
        assert run(home, *words) == 3
        told = capsys.readouterr().err
        assert interval in told
        assert "5m" in told
    assert not Store(home).listing()


def test_a_base_names_all_its_pairs(
    home: Path, tmp_path: Path, frame: pl.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bars.csv"
    frame.write_csv(file)
    for symbol in ("BTC/USDT", "BTC/EUR", "ETH/BTC"):
        answer(home, capsys, "import", "bars", str(file), "--symbol", symbol, *BARS)
    keys = [one["key"] for one in answer(home, capsys, "data", "check", "--symbol", "btc")["series"]]
    assert keys == ["bars/binance-perp/BTC-EUR/5m", "bars/binance-perp/BTC-USDT/5m"]
    assert len(answer(home, capsys, "data", "check", "--symbol", "BTC/EUR")["series"]) == 1
    assert run(home, "data", "check", "--symbol", "XRP") == 3


def test_an_unquoted_comma_costs_its_headline_and_no_other(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "news.csv"
    file.write_text("date,title\n2023-01-01T07:00Z,a\n2023-01-01T08:00Z,b, c\n2023-01-01T09:00Z,d\n")
    got = answer(home, capsys, "import", "news", str(file))
    assert (got["rows_read"], got["new"], sum(got["dropped"].values())) == (3, 2, 1)
    assert [d.title for d in Store(home).documents(0, 2**62)] == ["a", "d"]


def test_a_second_horizon_at_one_time_is_counted(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "scores.csv"
    at = "2023-01-01T07:00Z,BTC/USDT"
    file.write_text(f"ts_known,symbol,horizon,mean,std\n{at},6h,0.1,0.2\n{at},1h,0.3,0.2\n")
    got = answer(home, capsys, "import", "scores", str(file))
    assert (got["new"], got["dropped"]) == (1, {"a second horizon at one time": 1})
    assert Store(home).scores()["BTC/USDT", ""]["mean"].tolist() == [0.1]


@pytest.mark.parametrize(("said", "code"), [("ts", 0), ("neither", 2)])
def test_a_person_is_asked_which_column_is_meant(
    home: Path, tmp_path: Path, frame: pl.DataFrame, said: str, code: int, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    file = tmp_path / "bars.csv"
    frame.with_columns(ts=pl.lit("1999-01-01") + pl.col("Date").str.slice(10)).write_csv(file)
    words = ("import", "bars", str(file), "--symbol", "BTC/USDT", *BARS)
    assert run(home, *words) == 2  # nobody there to be asked
    capsys.readouterr()
    terminal = io.StringIO(f"{said}\n")
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin", terminal)
    assert run(home, *words) == code
    told = capsys.readouterr()
    for candidate in ("time", "Date", "ts"):
        assert candidate in told.err
    if code == 0:
        stored = Store(home).bars("BTC/USDT", "binance-perp", 5 * MINUTE_NS)
        assert format_time(int(stored["open_ns"][0])) == "1999-01-01T00:00:00Z"
    assert run(home, *words, "--json") == 2  # a script is not asked, terminal or not
    assert "--map time=ts" in capsys.readouterr().err


def test_people_get_tables(home: Path, tmp_path: Path, frame: pl.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bars.csv"
    frame.write_csv(file)
    words = ("import", "bars", str(file), "--symbol", "BTC/USDT", *BARS)
    assert run(home, "data", "list") == 0
    assert run(home, *words) == 0
    capsys.readouterr()
    assert run(home, *words) == 0
    assert "0 new" in capsys.readouterr().out
    for command in ("list", "check"):
        assert run(home, "data", command) == 0
        assert "BTC" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("body", "more", "code"),
    [
        ("", (), 3),
        ("a,b\n1,2\n", (), 3),
        ("date,open,high,low,close\n2023-01-01 00:00,1,1,1,1\n", (), 3),
        ("date,open,high,low,close\n2023-01-01T00:00Z,1,1,1,1\n2023-01-01T00:05,1,1,1,1\n", (), 3),
        ("date,open,high,low,close\n2023-01-01T00:00Z,nan,1,1,1\n", (), 3),
        ("date,ts,open,high,low,close\n2023-01-01T00:00Z,1,1,1,1,1\n", (), 2),
        ("date,open,high,low,close\n2023-01-01T00:00Z,1,1,1,1\n", ("--map", "open=nowhere"), 2),
        ("date,open,high,low,close\n2023-01-01T00:00Z,1,1,1,1\n", ("--map", "open"), 2),
        ("date,open,high,low,close\n2023-01-01T00:00Z,1,1,1,1\n", ("--timezone", "Mars"), 2),
        ("date,open,high,low,close\n2023-01-01T00:00Z,1,1,1,1\n", ("--interval", "7m"), 2),
        ("date,open,high,low,close\n2023-01-01T00:00Z,1,1,1,1\n", ("--symbol", "BTC"), 2),
        ("date,open,high,low,close\n2023-01-01T00:00Z,1,1,1,1\n", ("--venue", "A/B"), 2),
        ("date,open,high,low,close\n2023-01-01T00:00Z,1,1,1,1\n", ("--close-time", "16:00"), 2),
        ("date,open,high,low,close\n2023-01-01T00:00Z,1,1,1,1\n", ("--nonsense",), 2),
    ],
)
def test_refusals_have_their_code_and_leave_the_store(
    home: Path, tmp_path: Path, frame: pl.DataFrame, body: str, more: tuple[str, ...], code: int,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    file = tmp_path / "good.csv"
    frame.write_csv(file)
    answer(home, capsys, "import", "bars", str(file), "--symbol", "BTC/USDT", *BARS)
    before = {p: p.read_bytes() for p in home.rglob("*") if p.is_file()}
    bad = tmp_path / "bad.csv"
    bad.write_text(body)
    assert run(home, "import", "bars", str(bad), "--symbol", "ETH/USDT", *BARS, *more) == code
    out = capsys.readouterr()
    assert out.out == ""
    assert "Traceback" not in out.err
    assert {p: p.read_bytes() for p in home.rglob("*") if p.is_file()} == before


def test_nothing_stored_is_exit_3(home: Path, tmp_path: Path) -> None:
    assert run(home, "data", "check") == 3
    assert run(home, "import", "bars", str(tmp_path / "nowhere.csv"), "--symbol", "A/B", *BARS) == 3
    assert not home.exists()


@pytest.mark.realdata
def test_the_recorded_files_come_in(home: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    perp = shared_data / "market/crypto_perp_5m/BTCUSDT_2023-01_2024-05.parquet"
    got = answer(home, capsys, "import", "bars", str(perp), "--symbol", "BTC/USDT", *BARS)
    assert (got["new"], got["dropped"]) == (143_900, {})
    stocks = shared_data / "market/equity_1d/stocknet_87.parquet"
    got = answer(
        home, capsys, "import", "bars", str(stocks), "--venue", "us-equity", "--interval", "1d", "--quote", "USD",
        "--close-time", "16:00", "--close-zone", "America/New_York",
    )  # fmt: skip
    assert (len(got["series"]), got["rows_read"], sum(got["dropped"].values())) == (88, 108_592, 3)
    news = shared_data / "news/crypto_news_2021-10_2022-07.parquet"
    got = answer(home, capsys, "import", "news", str(news))
    assert (got["new"], got["publishers"], got["midnight_stamps"]) == (7_495, 3, 129)
