"""The artefacts alone reproduce equity: an independent Decimal ledger reads the Parquet files of a run."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from confidence_engine.domain.event import KIND_NAMES
from confidence_engine.domain.units import DAY_NS
from confidence_engine.drivers import replay
from confidence_engine.evaluate.summary import figures, summarise
from confidence_engine.report.artefacts import write_run
from tests.ledger_reference import curve

from .conftest import Case

pytestmark = pytest.mark.realdata

NUMBERS = {name: number for number, name in KIND_NAMES.items()}


@pytest.mark.parametrize("agent", ["futures", "eager_spot"])
def test_equity_at_every_hour_to_a_millionth_of_a_dollar(
    agent: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    case: Case = request.getfixturevalue(agent)
    tape = replay.compose(case.config, case.sources, case.readings, case.window)
    result = replay.play(case.config, case.sources.instruments, tape.events)
    made = figures(case.config, case.sources, result)
    summary = summarise(case.config, case.sources, case.window, tape, result, made, "default")
    folder = write_run(tmp_path / "run", case.config, case.sources, case.window, result, made, summary)
    fills = pl.read_parquet(folder / "fills.parquet").with_columns(
        pl.col("kind").replace_strict(NUMBERS, return_dtype=pl.Int64)
    )
    marks = pl.read_parquet(folder / "marks.parquet")
    equity = pl.read_parquet(folder / "equity.parquet").filter(pl.col("ts_ns") <= int(marks["ts_ns"].max()))  # type: ignore[arg-type]
    steps = {k: (repr(one.tick), repr(one.lot)) for k, one in enumerate(case.sources.instruments)}
    start = case.config.agent.initial_equity_usd
    found = curve(start, steps, fills.iter_rows(named=True), marks.iter_rows(named=True), equity["ts_ns"].to_list())
    worst = max(abs(one - Decimal(repr(two))) for one, two in zip(found, equity["equity"].to_list(), strict=True))
    assert len(equity["ts_ns"].to_numpy() // DAY_NS) > 24 * 30
    assert len(fills) >= 20
    assert worst < Decimal("1e-6")
