"""Raw rows as a stranger's files hold them, when each could be known at the earliest, and the same with another future.

A row is later than t when it could not be known by t, by rules that are written here once more and call nothing of
the import or the tape: a bar when it is over plus the bar latency, a payment at its stamp plus its latency, a score
when its maker says, a headline when it was first seen, else its stamp plus the lag, a bare date when its day is over,
a corporate action at the open of the first session of or after its date. Another future takes the later rows and
changes prices, volumes, rates, scores, words, publishers, stamps and the order of rows, drops some and adds some.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl

from confidence_engine.config import Config
from confidence_engine.domain.document import Document
from confidence_engine.domain.errors import DataMissing
from confidence_engine.domain.event import SPLIT
from confidence_engine.domain.instrument import Instrument
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from confidence_engine.feeds.calendar import sessions
from confidence_engine.feeds.intake import How, intake
from confidence_engine.feeds.store import Store

__all__ = [
    "Table", "another_future", "as_simulated", "bar_table", "corporate_table", "cut", "export", "funding_table",
    "import_into", "news_table", "score_table", "slice_of",
]  # fmt: skip

DROPPED: Final = 0.1
"""Share of the later rows that another future lacks."""
ADDED: Final = 12
"""Headlines that it has beside those that were."""
STRANGERS: Final = ("0 News", "Aardvark Post", "Zephyr Daily")
"""Publishers that only another future knows; whoever numbers by name would number the past anew."""


class Table(NamedTuple):
    """One file: its kind, what a person says of it, its rows, and for each row the earliest ns it could be known."""

    kind: str
    how: How
    frame: pl.DataFrame
    knowable: np.ndarray


def _stamps(ns: np.ndarray) -> pl.Series:
    return pl.Series(np.asarray(ns, np.int64)).cast(pl.Datetime("ns")).dt.replace_time_zone("UTC")


def _back(column: pl.Series) -> np.ndarray:
    return column.dt.epoch("ns").to_numpy().astype(np.int64)


def bar_table(rows: np.ndarray, one: Instrument, interval_ns: int, latency_ns: int, adjusted: bool = False) -> Table:
    """Bars of one instrument from BAR_ROW rows; a whole session is over at its session's close."""
    columns = {name: rows[letter] for name, letter in zip(("open", "high", "low", "close"), "ohlc", strict=True)}
    volume = {} if np.isnan(rows["v"]).any() else {"volume": rows["v"]}
    opened = rows["open_ns"] // DAY_NS * DAY_NS if interval_ns >= DAY_NS else rows["open_ns"]
    over = opened + interval_ns
    if one.calendar and interval_ns >= DAY_NS:
        over = _session_edges(one.calendar, opened, "close_ns")
    frame = pl.DataFrame({"date": _stamps(opened)} | columns | volume)
    how = How(symbols=(one.symbol,), venue=one.venue, interval_ns=interval_ns, adjusted=adjusted)
    return Table("bars", how, frame, over + latency_ns)


def _session_edges(calendar: str, dates_ns: np.ndarray, edge: str) -> np.ndarray:
    """Open or close of the first session that ends after each midnight, ns."""
    known = sessions(calendar, int(dates_ns.min()) - 7 * DAY_NS, int(dates_ns.max()) + 14 * DAY_NS, HOUR_NS)
    found: np.ndarray = known[edge][np.searchsorted(known["close_ns"], dates_ns, side="right")]
    return found


def funding_table(rows: np.ndarray, one: Instrument, latency_ns: int) -> Table:
    """Funding of one instrument from FUNDING_ROW rows."""
    frame = pl.DataFrame({"date": _stamps(rows["ts_ns"]), "rate": rows["rate"]})
    return Table("funding", How(symbols=(one.symbol,), venue=one.venue), frame, rows["ts_ns"] + latency_ns)


def score_table(rows: np.ndarray, one: Instrument) -> Table:
    """Scores of one instrument from SCORE_ROW rows."""
    frame = pl.DataFrame(
        {"ts_known": _stamps(rows["known_ns"]), "symbol": [one.symbol] * len(rows), "mean": rows["mean"],
         "std": rows["std"], "horizon": rows["horizon_ns"] / SECOND_NS}
    )  # fmt: skip
    return Table("scores", How(venue=one.venue), frame, rows["known_ns"].copy())


def corporate_table(rows: np.ndarray, one: Instrument) -> Table:
    """Splits and dividends of one instrument from CORPORATE_ROW rows."""
    split = rows["what"] == SPLIT
    frame = pl.DataFrame(
        {"ex_date": _stamps(rows["ex_ns"]), "split": np.where(split, rows["value"], 1.0),
         "dividend": np.where(split, 0.0, rows["value"])}
    )  # fmt: skip
    known = _session_edges(one.calendar, rows["ex_ns"], "open_ns") if len(rows) else rows["ex_ns"]
    return Table("corporate", How(symbols=(one.symbol,), venue=one.venue), frame, known)


def news_table(documents: Sequence[Document], lag_ns: int) -> Table:
    """Headlines, a row for each asset that an item was filed under."""
    flat = [(one, symbol) for one in documents for symbol in one.symbols or ("",)]
    seen = [None if one.first_seen_ns is None else one.first_seen_ns for one, _ in flat]
    frame = pl.DataFrame(
        {
            "published_at": _stamps(np.array([one.published_ns for one, _ in flat], np.int64)),
            "first_seen": pl.Series(seen, dtype=pl.Int64).cast(pl.Datetime("ns")).dt.replace_time_zone("UTC"),
            "title": pl.Series([one.title for one, _ in flat], dtype=pl.String),
            "text": pl.Series([one.text for one, _ in flat], dtype=pl.String),
            "source": pl.Series([one.publisher for one, _ in flat], dtype=pl.String),
            "url": pl.Series([one.url for one, _ in flat], dtype=pl.String),
            "symbol": pl.Series([symbol for _, symbol in flat], dtype=pl.String),
        }
    )
    return Table("news", How(), frame, np.array([_earliest(one, lag_ns) for one, _ in flat], np.int64))


def _earliest(one: Document, lag_ns: int) -> int:
    """When an item could be known: an archive's midnight is a date, and a date is over at its end."""
    stamp, lag = one.published_ns, lag_ns
    if one.first_seen_ns is not None:
        stamp, lag = one.first_seen_ns, 0
    midnight = stamp % DAY_NS == 0
    return stamp + DAY_NS + lag_ns if midnight else stamp + lag


def export(store: Store, config: Config, begin_ns: int, end_ns: int) -> list[Table]:
    """Everything `config` uses of the store in [begin, end), as raw tables. Raises StoreDamaged."""
    clock, step, tables = config.timing, config.agent.interval_ns, []
    scores = store.scores() if "score" in config.agent.evidence else {}
    for one in config.instruments():
        try:
            bars = store.bars(one.symbol, one.venue, step)
        except DataMissing:
            continue
        adjusted = store.is_adjusted(one.symbol, one.venue, step)
        tables.append(bar_table(_within(bars, "open_ns", begin_ns, end_ns), one, step, clock.bar_latency_ns, adjusted))
        if one.funding_ns:
            try:
                paid = _within(store.funding(one.symbol, one.venue), "ts_ns", begin_ns, end_ns)
                tables.append(funding_table(paid, one, clock.funding_latency_ns))
            except DataMissing:
                pass  # the engine holds such an instrument degraded, and so does a rebuilt run
        if one.calendar:
            actions = _within(store.corporate(one.symbol, one.venue), "ex_ns", begin_ns, end_ns)
            tables.append(corporate_table(actions, one))
        found = scores.get((one.symbol, one.venue), scores.get((one.symbol, "")))
        if found is not None:
            tables.append(score_table(_within(found, "known_ns", begin_ns, end_ns), one))
    if "news" in config.agent.evidence:
        tables.append(news_table(store.documents(begin_ns, end_ns, clock.news_lag_ns), clock.news_lag_ns))
    held = [table for table in tables if len(table.frame)]
    return as_simulated(held) if store.is_synthetic() else held


def _within(rows: np.ndarray, column: str, begin_ns: int, end_ns: int) -> np.ndarray:
    found: np.ndarray = rows[(rows[column] >= begin_ns) & (rows[column] < end_ns)]
    return found


def as_simulated(tables: Sequence[Table]) -> list[Table]:
    """The same rows as those of a simulated world: whatever is made of them bears the mark."""
    return [table._replace(how=replace(table.how, synthetic=True)) for table in tables]


def slice_of(tables: Sequence[Table], begin_ns: int, end_ns: int) -> list[Table]:
    """The rows that could be known in [begin, end)."""
    return _kept(tables, lambda table: (table.knowable >= begin_ns) & (table.knowable < end_ns))


def cut(tables: Sequence[Table], t: int) -> list[Table]:
    """The rows that could be known by t, and no others."""
    return _kept(tables, lambda table: table.knowable <= t)


def _kept(tables: Sequence[Table], rule: Callable[[Table], np.ndarray]) -> list[Table]:
    left = []
    for table in tables:
        inside = rule(table)
        if inside.any():
            left.append(table._replace(frame=table.frame.filter(pl.Series(inside)), knowable=table.knowable[inside]))
    return left


def import_into(folder: Path, tables: Sequence[Table]) -> Store:
    """A new store under `folder` that every table was imported into as a file. Raises DataRefused."""
    folder.mkdir(parents=True)
    store = Store(folder)
    for number, table in enumerate(tables):
        path = folder / f"{number}-{table.kind}.parquet"
        table.frame.write_parquet(path)
        intake(store, table.kind, path, table.how)
    return store


def another_future(tables: Sequence[Table], t: int, until_ns: int, rng: np.random.Generator) -> list[Table]:
    """The same past and, after t, another world; its rows stand in front of the file and out of order."""
    made = []
    for table in tables:
        later = table.knowable > t
        past, future = table.frame.filter(pl.Series(~later)), table.frame.filter(pl.Series(later))
        if not len(past):
            continue  # what was not there by t has no past to compare
        changed = _CHANGES[table.kind](past, future, t, until_ns, rng)
        kept = changed.filter(pl.Series(rng.random(len(changed)) >= DROPPED))
        mixed = kept[rng.permutation(len(kept)).tolist()]
        made.append(table._replace(frame=pl.concat([mixed, past]), knowable=np.zeros(0, np.int64)))
    return made


def _other_bars(past: pl.DataFrame, future: pl.DataFrame, t: int, until_ns: int, rng: Any) -> pl.DataFrame:
    """Another path from the last close, as long again by a few bars."""
    del t, until_ns
    n, level = len(future), float(past["close"][-1])
    path = level * np.exp(np.cumsum(rng.standard_t(3, n) * 0.01))
    opened = np.concatenate([[level], path[:-1]])[:n]
    columns = {
        "open": opened, "close": path, "high": np.maximum(opened, path) * 1.002, "low": np.minimum(opened, path) * 0.998
    }  # fmt: skip
    if "volume" in future.columns:
        columns["volume"] = future["volume"].to_numpy() * rng.uniform(0.05, 20.0, n)
    changed = future.with_columns(**{name: pl.Series(name, values) for name, values in columns.items()})
    if n < 8:
        return changed
    at = _back(future["date"])
    more = changed.head(5).with_columns(date=_stamps(at[:5] + at[-1] - at[0] + (at[1] - at[0])))
    return pl.concat([changed, more])


def _other_funding(past: pl.DataFrame, future: pl.DataFrame, t: int, until_ns: int, rng: Any) -> pl.DataFrame:
    del past, t, until_ns
    return future.with_columns(rate=pl.Series(rng.normal(0.0, 1e-3, len(future))))


def _other_scores(past: pl.DataFrame, future: pl.DataFrame, t: int, until_ns: int, rng: Any) -> pl.DataFrame:
    del past, t, until_ns
    mean, std = rng.normal(0.0, 0.02, len(future)), rng.uniform(0.001, 0.05, len(future))
    return future.with_columns(mean=pl.Series(mean), std=pl.Series(std))


def _other_corporate(past: pl.DataFrame, future: pl.DataFrame, t: int, until_ns: int, rng: Any) -> pl.DataFrame:
    del past, t, until_ns
    return future.with_columns(split=pl.Series(rng.choice([2.0, 3.0], len(future))), dividend=pl.lit(0.0))


def _other_news(past: pl.DataFrame, future: pl.DataFrame, t: int, until_ns: int, rng: Any) -> pl.DataFrame:
    """Other words, some of them those of past items; other houses, some of them new; half of them at another time."""
    more = past[rng.integers(0, len(past), ADDED).tolist()]
    shuffled = pl.concat([future, more])
    n, held = len(shuffled), len(future)
    titles, texts = shuffled["title"].to_list(), shuffled["text"].to_list()
    said = past["title"].to_list()
    for k in range(n):
        words = str(titles[int(rng.integers(n))]).split()
        titles[k] = said[int(rng.integers(len(said)))] if rng.random() < 0.3 else " ".join(rng.permutation(words))
        texts[k] = texts[int(rng.integers(n))]
    houses = [*shuffled["source"].unique().sort().to_list(), *STRANGERS]
    moved = (rng.random(n) < 0.5) | (np.arange(n) >= held)
    stamps = _back(shuffled["published_at"])
    late = np.maximum(stamps, t) + rng.integers(1, max((until_ns - t) // MINUTE_NS, 2), n) * MINUTE_NS + SECOND_NS
    seen = shuffled["first_seen"].dt.epoch("ns").to_numpy()
    lag = np.where(np.isnan(seen.astype(float)), np.nan, seen - stamps)
    at = np.where(moved, late, stamps)
    first = [None if np.isnan(x) else int(a + x) for a, x in zip(at, lag, strict=True)]
    return shuffled.with_columns(
        published_at=_stamps(at), title=pl.Series(titles, dtype=pl.String), text=pl.Series(texts, dtype=pl.String),
        first_seen=pl.Series(first, dtype=pl.Int64).cast(pl.Datetime("ns")).dt.replace_time_zone("UTC"),
        source=pl.Series(rng.choice(houses, n).tolist(), dtype=pl.String),
    )  # fmt: skip


_CHANGES: Final[dict[str, Callable[..., pl.DataFrame]]] = {
    "bars": _other_bars, "corporate": _other_corporate, "funding": _other_funding, "news": _other_news,
    "scores": _other_scores,
}  # fmt: skip
