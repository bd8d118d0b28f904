"""A run on disk: one folder, written whole beside its place and then put there, or not at all.

decisions, fills (with funding), orders, marks, equity, trades, outcomes and lessons as Parquet, each row of which says
whether it is `synthetic`, the summary and the resolved config as JSON, one chart. The folder's name is made of what
the run was: agent, period and a hash over parameters, data and code, so that the same run is the same folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import polars as pl

from confidence_engine.config import Config
from confidence_engine.domain.decision import gate_names
from confidence_engine.domain.errors import DataMissing, RunError, StoreDamaged, UsageError
from confidence_engine.domain.event import KIND_NAMES
from confidence_engine.domain.instrument import Instrument
from confidence_engine.domain.order import EXIT_NAMES, INTENT_NAMES, ORDER_NAMES
from confidence_engine.domain.record import LESSON_NAMES
from confidence_engine.drivers.replay import Result
from confidence_engine.drivers.sources import Sources
from confidence_engine.evaluate.summary import Figures
from confidence_engine.feeds.assemble import Window
from confidence_engine.journal.lock import is_locked
from confidence_engine.kernel.regime import TREND_WORDS, VOLATILITY_WORDS
from confidence_engine.report.chart import Picture, chart

__all__ = [
    "ARTEFACTS",
    "FILES",
    "beside",
    "find_run",
    "list_runs",
    "read_config",
    "read_rows",
    "refuse_foreign",
    "run_id",
    "runs_folder",
    "write_run",
]

SUMMARY: Final = "summary.json"
_CONFIG: Final = "config.json"
ARTEFACTS: Final = 3
"""Version of what a run's folder holds, in its summary: one more when a column comes or changes its meaning."""
_TABLES: Final = ("decisions", "fills", "orders", "marks", "equity", "trades", "outcomes", "lessons")
JOURNAL: Final = ("journal", "anchor.json")
"""What `replay --journal` adds."""
FILES: Final = (SUMMARY, _CONFIG, "chart.png", *(f"{name}.parquet" for name in _TABLES))
"""What a run's folder holds, and all that it holds beside a journal."""

_STALE_S: Final = 3600.0
"""A part that nobody has written to for this long was left by a process that died."""


def runs_folder(home: Path) -> Path:
    """Where replays of this home are kept."""
    return home / "runs"


def run_id(config: Config, window: Window, summary: dict[str, Any]) -> str:
    """ "futures-20230101-20240301-1a2b3c4d"."""
    words = [summary[name] for name in ("params_hash", "data_hash", "code_revision", "reader")]
    words += [str(window.start_ns), str(window.end_ns), *summary["symbols"]]
    digest = hashlib.sha256("\0".join(words).encode()).hexdigest()[:8]
    day = (summary["start"][:10].replace("-", ""), summary["end"][:10].replace("-", ""))
    return f"{config.agent.name}-{day[0]}-{day[1]}-{digest}"


def write_run(
    folder: Path, config: Config, sources: Sources, window: Window, result: Result, made: Figures,
    summary: dict[str, Any], journal: Path | None = None,
) -> Path:  # fmt: skip
    """Write everything beside `folder` and put it in place at once; an older run there is replaced.

    `journal` is a folder with the run's journal and its anchor, which are moved in.

    Raises RunError where the disk does not take it, UsageError where `folder` holds something else than a run;
    nothing half-written stays.
    """
    refuse_foreign(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder.parent)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=_PART, dir=folder.parent))
        try:
            _tables(part, sources.instruments, result, made, sources.synthetic)
            chart(_picture(config, sources, window, result, made, summary), part / "chart.png")
            (part / _CONFIG).write_bytes(msgspec.json.format(msgspec.json.encode(config.tree()), indent=2))
            text = json.dumps(_finite(summary | {"run": folder.name, "artefacts": ARTEFACTS}), indent=2, default=_plain)
            (part / SUMMARY).write_text(text + "\n", encoding="utf-8")
            if journal is not None:
                for name in JOURNAL:
                    os.replace(journal / name, part / name)
            elif (folder / JOURNAL[0]).is_dir():
                _carry(folder, part, summary)
            part.chmod(0o755)
            _put(part, folder)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    except (OSError, pl.exceptions.PolarsError) as error:
        raise RunError(f"the run could not be written to {folder}: {error}") from error
    return folder


def _carry(folder: Path, part: Path, summary: dict[str, Any]) -> None:
    """The journal of the same run stays. Raises UsageError where it is another run's: it would be lost."""
    if _summary(folder).get("state_hash") != summary["state_hash"]:
        raise UsageError(f"{folder} holds the journal of another run; name a new folder, or write it anew by --journal")
    shutil.copytree(folder / JOURNAL[0], part / JOURNAL[0])
    shutil.copy2(folder / JOURNAL[1], part / JOURNAL[1])


_PART: Final = ".run.part"  # no other writer's: an export beside the runs is none of them


def _put(part: Path, folder: Path) -> None:
    """Rename `part` to `folder`; what stood there is moved aside first and removed last."""
    if not folder.exists():
        os.replace(part, folder)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=_PART, dir=folder.parent))
    os.replace(folder, aside)
    try:
        os.replace(part, folder)
    except BaseException:
        os.replace(aside, folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Remove the parts of runs whose process died long ago; a journal that is being written to is of no dead one."""
    for part in parent.glob(f".*{_PART}"):
        try:
            old = part.is_dir() and time.time() - part.stat().st_mtime > _STALE_S
        except FileNotFoundError:  # a run that is being written beside this one is in its place now
            continue
        if old and not is_locked(part / JOURNAL[0]):
            shutil.rmtree(part, ignore_errors=True)


@contextlib.contextmanager
def beside(where: Path) -> Iterator[Path]:
    """A folder beside `where` for the journal of a run that is not written yet; it is gone at the end."""
    where.parent.mkdir(parents=True, exist_ok=True)
    _sweep(where.parent)
    with tempfile.TemporaryDirectory(prefix=".journal.", suffix=_PART, dir=where.parent) as folder:
        yield Path(folder)


def refuse_foreign(folder: Path) -> None:
    """Raises UsageError where a run written to `folder` would replace what is not a run."""
    if not os.path.lexists(folder):
        return
    if not folder.is_dir() or folder.is_symlink():
        raise UsageError(f"{folder} is not a folder; name a new one for the run")
    known = (*FILES, *JOURNAL) if (folder / SUMMARY).is_file() else FILES  # a journal alone is an agent's
    strange = sorted(one.name for one in folder.iterdir() if one.name not in known)
    if strange:
        raise UsageError(f"{folder} holds {strange[0]!r}, which is no part of a run; name a new folder")


def _tables(
    part: Path, instruments: tuple[Instrument, ...], result: Result, made: Figures, synthetic: bool
) -> None:  # fmt: skip
    symbols, left_by = [one.symbol for one in instruments], _named("why", EXIT_NAMES)
    frames = {
        "decisions": _frame(result.decisions, symbols).with_columns(_judged(result.decisions)),
        "fills": _frame(result.entries, symbols).with_columns(_named("kind", KIND_NAMES), left_by),
        "orders": _frame(result.intents, symbols).with_columns(
            _named("action", INTENT_NAMES), _named("kind", ORDER_NAMES), left_by
        ),
        "marks": _frame(result.marks, symbols),
        "equity": _frame(result.equities, symbols),
        "trades": _frame(made.trades, symbols).with_columns(left_by),
        "outcomes": _frame(made.labelled, symbols),
        "lessons": _frame(result.lessons, symbols).with_columns(_named("kind", LESSON_NAMES), left_by),
    }  # fmt: skip
    for name in _TABLES:
        frames[name].with_columns(pl.lit(synthetic).alias("synthetic")).write_parquet(part / f"{name}.parquet")


def _judged(decisions: np.ndarray) -> list[pl.Series]:
    """Gates and regimes in words."""
    return [
        pl.Series("refused", [" ".join(gate_names(bits)) for bits in decisions["gates"].tolist()], pl.String),
        pl.Series("volatility", [VOLATILITY_WORDS[k] for k in (decisions["regime"] & 7).tolist()], pl.String),
        pl.Series("trend", [TREND_WORDS[k] for k in (decisions["regime"] >> 3 & 3).tolist()], pl.String),
    ]


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
    note = f"params {summary['params_hash']}, data {summary['data_hash'][:16]}, code {summary['code_revision']}"
    return Picture(
        config.agent.name, one.symbol, sources.synthetic, result.equities["ts_ns"], result.equities["equity"],
        made.hold, bars["close_ns"], bars["c"], made.trades[made.trades["asset"] == asset], mine["ts_ns"],
        np.where(mine["side"] != 0, mine["gap"], np.nan), mine["trigger"], note,
    )  # fmt: skip


def list_runs(home: Path) -> list[dict[str, Any]]:
    """Summaries of all runs of a home, by name; one that cannot be read is listed with its `problem`, not hidden."""
    found: list[dict[str, Any]] = []
    for folder in _folders(home):
        try:
            found.append(_summary(folder))
        except StoreDamaged as error:
            found.append({"run": folder.name, "problem": str(error)})
    return found


def _folders(home: Path) -> list[Path]:
    folder = runs_folder(home)
    if not folder.is_dir():
        return []
    return [one for one in sorted(folder.iterdir()) if one.is_dir() and not one.name.startswith(".")]


def find_run(home: Path, name: str) -> tuple[Path, dict[str, Any]]:
    """Folder and summary of a run by its name, the start of its name, or its path.

    Raises DataMissing where none or more than one fits, StoreDamaged where its summary cannot be read.
    """
    path = Path(name).resolve()
    if name and (path / SUMMARY).is_file():
        return path, _summary(path)
    fits = [one for one in _folders(home) if name and one.name.startswith(name)]
    exact = [one for one in fits if one.name == name] or fits
    if not exact:
        raise DataMissing(f"there is no run {name!r}; see `confidence runs`")
    if len(exact) > 1:
        raise DataMissing(f"{name!r} is the start of {len(exact)} runs: {', '.join(one.name for one in exact)}")
    return exact[0], _summary(exact[0])


def read_rows(folder: Path, table: str) -> pl.DataFrame:
    """One table of a run, as "trades". Raises StoreDamaged where it cannot be read."""
    try:
        return pl.read_parquet(folder / f"{table}.parquet")
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StoreDamaged(f"{folder / table}.parquet cannot be read: {error}") from error


def read_config(folder: Path) -> dict[str, Any]:
    """The resolved config of a run. Raises StoreDamaged where it cannot be read."""
    return _object(folder / _CONFIG)


def _summary(folder: Path) -> dict[str, Any]:
    found = _object(folder / SUMMARY) | {"run": folder.name}
    written = found.setdefault("artefacts", 1)
    if not isinstance(written, int) or written > ARTEFACTS:
        raise StoreDamaged(f"{folder}: written as artefacts {written}, this program reads up to {ARTEFACTS}")
    return found


def _object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreDamaged(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise StoreDamaged(f"{path} does not hold one object")
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
