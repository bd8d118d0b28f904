"""The recorded tweets and daily bars of 86 companies through the commands that a person types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from confidence_engine.cli import app

pytestmark = pytest.mark.realdata


def answer(home: Path, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    code = app.main(["--home", str(home), *words, "--json"])
    said = capsys.readouterr()
    assert code == 0, said.err
    found: dict[str, Any] = json.loads(said.out)
    return found


@pytest.mark.nightly  # a small one with a split and a dividend is in every run: tests/drivers/test_stocks.py
def test_the_recorded_stocks_run_from_import_to_figures(
    tmp_path: Path, project_root: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bars = answer(
        tmp_path, capsys, "import", "bars", str(shared_data / "market/equity_1d/stocknet_87.parquet"), "--venue",
        "alpaca", "--interval", "1d", "--quote", "USD", "--adjusted",
    )  # fmt: skip
    assert (bars["adjusted"], len(bars["series"])) == (True, 88)
    news = answer(
        tmp_path, capsys, "import", "news", str(shared_data / "news/stocknet_tweets_2014_2015h1.parquet"), "--quote",
        "USD", "--tokenised",
    )  # fmt: skip
    assert news["new"] == 62_243
    config = str(project_root / "config" / "stocks.toml")
    period = ("--start", "2014-03-01", "--end", "2014-05-01")
    told = answer(tmp_path, capsys, "replay", config, *period)
    assert len(told["symbols"]) + len(told["missing_symbols"]) == 86
    assert told["adjusted_symbols"] == told["symbols"]
    assert told["bars_outside_sessions"] == 0
    assert told["entries"] > 20
    assert list(told["outcomes_by_horizon"]) == ["1d", "3d", "5d"]
    moment = answer(tmp_path, capsys, "decide", "AAPL", "--at", "2014-04-24T12:00:00Z", "--config", config)
    assert moment["symbol"] == "AAPL/USD"
