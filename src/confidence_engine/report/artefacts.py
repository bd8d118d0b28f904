"""A run on disk: one folder, written whole or not at all.

decisions, fills (with funding), orders, marks, equity, trades and outcomes as Parquet, the
summary and the resolved config as JSON, one chart. The folder's name is made of what the run
was: agent, period and a hash over parameters, data and code, so that the same run is the same folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from confidence_engine.config import Config
from confidence_engine.domain.decision import gate_names
from confidence_engine.domain.errors import DataMissing, RunError, StoreDamaged
from confidence_engine.domain.event import KIND_NAMES
from confidence_engine.domain.instrument import Instrument
from confidence_engine.domain.order import EXIT_NAMES, INTENT_NAMES, ORDER_NAMES
from confidence_engine.drivers.replay import Result
from confidence_engine.drivers.sources import Sources
from confidence_engine.evaluate.summary import Figures
from confidence_engine.feeds.assemble import Window
from confidence_engine.report.chart import Picture, chart

__all__ = ["find_run", "list_runs", "run_id", "runs_folder", "write_run"]

SUMMARY = "summary.json"


def runs_folder(home: Path) -> Path:
    """Where replays of this home are kept."""
    return home / "runs"


def run_id(config: Config, window: Window, summary: dict[str, Any]) -> str:
    """ "futures-20230101-20240301-1a2b3c4d"."""
    words = [summary[name] for name in ("params_hash", "data_hash", "code_revision")]
    digest = hashlib.sha256("\0".join([*words, *summary["symbols"]]).encode()).hexdigest()[:8]
    day = (summary["start"][:10].replace("-", ""), summary["end"][:10].replace("-", ""))
    return f"{config.agent.name}-{day[0]}-{day[1]}-{digest}"


def write_run(
    folder: Path, config: Config, sources: Sources, window: Window, result: Result, made: Figures,
    summary: dict[str, Any],
) -> Path:  # fmt: skip
    """Write everything beside `folder` and put it in place at once; an older run of the same name is replaced.

    Raises RunError where the disk does not take it; nothing half-written stays.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            _tables(part, sources.instruments, result, made)
            chart(_picture(config, sources, window, result, made, summary), part / "chart.png")
            (part / "config.json").write_bytes(msgspec.json.format(msgspec.json.encode(config.tree()), indent=2))
            text = json.dumps(_finite(summary | {"run": folder.name}), indent=2, default=_plain)
            (part / SUMMARY).write_text(text + "\n", encoding="utf-8")
            part.chmod(0o755)
            if folder.exists():
                shutil.rmtree(folder)
            os.replace(part, folder)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    except OSError as error:
        raise RunError(f"the run could not be written to {folder}: {error}") from error
    return folder


def _tables(part: Path, instruments: tuple[Instrument, ...], result: Result, made: Figures) -> None:
    symbols = [one.symbol for one in instruments]
    decisions = _frame(result.decisions, symbols).with_columns(
        pl.Series("refused", [" ".join(gate_names(bits)) for bits in result.decisions["gates"].tolist()], pl.String)
    )
    decisions.write_parquet(part / "decisions.parquet")
    entries = _frame(result.entries, symbols).with_columns(_named("kind", KIND_NAMES), _named("why", EXIT_NAMES))
    entries.write_parquet(part / "fills.parquet")
    orders = _frame(result.intents, symbols).with_columns(
        _named("action", INTENT_NAMES), _named("kind", ORDER_NAMES), _named("why", EXIT_NAMES)
    )
    orders.write_parquet(part / "orders.parquet")
    _frame(result.marks, symbols).write_parquet(part / "marks.parquet")
    _frame(result.equities, symbols).write_parquet(part / "equity.parquet")
    _frame(made.trades, symbols).with_columns(_named("why", EXIT_NAMES)).write_parquet(part / "trades.parquet")
    _frame(made.labelled, symbols).write_parquet(part / "outcomes.parquet")


def _frame(rows: np.ndarray, symbols: list[str]) -> pl.DataFrame:
    """Columns of a structured array; `asset` gains the symbol, and times stay int64 ns UTC."""
    frame = pl.DataFrame({name: np.ascontiguousarray(rows[name]) for name in rows.dtype.names or ()})
    if "asset" in frame.columns:
        named = pl.Series("symbol", [symbols[i] for i in rows["asset"].tolist()], pl.String)
        frame = frame.insert_column(frame.columns.index("asset") + 1, named)
    return frame


def _named(column: str, names: dict[int, str]) -> pl.Expr:
    return pl.col(column).replace_strict(names, return_dtype=pl.String)


def _picture(
    config: Config, sources: Sources, window: Window, result: Result, made: Figures, summary: dict[str, Any]
) -> Picture:
    """The chart's data: equity, and price and gaps of the symbol that was traded (or judged) most."""
    most = made.trades["asset"] if len(made.trades) else result.decisions["asset"]
    asset = int(np.bincount(most).argmax()) if len(most) else 0
    one = sources.instruments[asset]
    bars = sources.bars[one.key]
    bars = bars[bars["close_ns"] >= window.start_ns]
    mine = result.decisions[result.decisions["asset"] == asset]
    note = f"{summary['start'][:10]} to {summary['end'][:10]}, params {summary['params_hash']}, code {summary['code_revision']}"
    return Picture(
        config.agent.name, one.symbol, sources.synthetic, result.equities["ts_ns"], result.equities["equity"],
        made.hold, bars["close_ns"], bars["c"], made.trades[made.trades["asset"] == asset], mine["ts_ns"],
        np.where(mine["side"] != 0, mine["gap"], np.nan), mine["trigger"], note,
    )  # fmt: skip


def list_runs(home: Path) -> list[dict[str, Any]]:
    """Summaries of all runs of a home, by name; a folder without a readable summary is reported, not hidden."""
    folder = runs_folder(home)
    if not folder.is_dir():
        return []
    return [_summary(one) for one in sorted(folder.iterdir()) if one.is_dir() and not one.name.startswith(".")]


def find_run(home: Path, name: str) -> tuple[Path, dict[str, Any]]:
    """Folder and summary of a run by its name, the start of its name, or its path.

    Raises DataMissing where none or more than one fits, StoreDamaged where its summary cannot be read.
    """
    path = Path(name)
    if (path / SUMMARY).is_file():
        return path, _summary(path)
    folder = runs_folder(home)
    fits = (
        [one for one in sorted(folder.glob(f"{name}*")) if one.is_dir()] if folder.is_dir() and "/" not in name else []
    )
    exact = [one for one in fits if one.name == name]
    if len(exact or fits) != 1:
        names = ", ".join(one.name for one in fits) or "see `confidence runs`"
        raise DataMissing(f"{len(fits)} runs are named {name}...: {names}")
    return (exact or fits)[0], _summary((exact or fits)[0])


def _summary(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreDamaged(f"{folder / SUMMARY} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise StoreDamaged(f"{folder / SUMMARY} is not a summary")
    return found


def _finite(value: Any) -> Any:
    """JSON has no NaN: a missing number is null."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot stand in a summary")
