"""What is odd about stored data, in figures; nothing is mended here and nothing is hidden.

Robust sigma of returns is 1.4826 * MAD (Hampel 1974), taken over the bars that moved. A spike is a return
beyond 12 of these that goes back by at least 80 % within 3 bars: a bad print does, a crash does not. A stale
run is 12 or more bars on which nothing moved. A series without a single Saturday bar closes at weekends:
those gaps stand apart.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from confidence_engine.domain.document import UNKNOWN_PUBLISHER, Document
from confidence_engine.domain.units import DAY_NS, MINUTE_NS, format_duration, format_time, parse_duration
from confidence_engine.feeds.store import Store

__all__ = ["check", "check_documents", "check_stamps", "survey"]

SPIKE_SIGMAS: Final = 12.0
SPIKE_BACK: Final = 0.8
SPIKE_BARS: Final = 3
STALE_BARS: Final = 12
_SHOWN: Final = 5
_SATURDAY: Final = 6


def survey(store: Store, row: dict[str, Any]) -> dict[str, Any]:
    """Findings on one row of `Store.listing`, its files verified first, its import's losses beside it.

    The store itself is clean; what was out of order, twice or broken in the files is in `raw`.
    """
    store.verify(row["key"])
    kind, symbol, venue = row["kind"], row["symbol"] or "", row["venue"] or ""
    if kind == "bars":
        interval_ns = parse_duration(row["interval"])
        found = check(store.bars(symbol, venue, interval_ns), interval_ns)
    elif kind == "news":
        found = check_documents(store.documents(0, np.iinfo(np.int64).max))
    elif kind == "corporate":
        found = check_stamps(store.corporate(symbol, venue)["ex_ns"], DAY_NS)
    elif kind == "funding":
        found = check_stamps(store.funding(symbol, venue)["ts_ns"], MINUTE_NS)
    else:
        found = check_stamps(store.scores()[symbol, venue]["known_ns"], MINUTE_NS)
    return {"key": row["key"], "kind": kind, **found, "raw": row["raw"], "synthetic": row["synthetic"]}


def check(bars: np.ndarray, interval_ns: int) -> dict[str, Any]:
    """Findings on BAR_ROW [n] of one series; counts, shares in [0, 1], times as ISO text."""
    opens = bars["open_ns"]
    step = np.diff(opens)
    ordered = bars[np.argsort(opens, kind="stable")] if (step < 0).any() else bars
    distinct = ordered[np.append(True, np.diff(ordered["open_ns"]) != 0)] if len(bars) else bars
    known = np.isfinite(bars["v"])
    return {
        "rows": len(bars),
        "first": format_time(int(opens.min())) if len(bars) else None,
        "last": format_time(int(opens.max())) if len(bars) else None,
        **_gaps(distinct["open_ns"], interval_ns),
        "duplicates": len(bars) - len(distinct),
        "out_of_order": int((step < 0).sum()),
        "ohlc_violations": int(_broken(bars).sum()),
        "zero_volume_share": _share(bars["v"][known] == 0),
        "volume_unknown_share": _share(~known),
        **_spikes(distinct),
        **_stale(distinct),
    }


def _broken(bars: np.ndarray) -> np.ndarray:
    prices = np.stack([bars[name] for name in "ohlc"])
    top, bottom = np.maximum(bars["o"], bars["c"]), np.minimum(bars["o"], bars["c"])
    return (bars["h"] < top) | (bars["l"] > bottom) | ~(np.isfinite(prices) & (prices > 0)).all(axis=0)


def _share(flags: np.ndarray) -> float | None:
    return round(float(flags.mean()), 6) if len(flags) else None


def _gaps(opens: np.ndarray, interval_ns: int) -> dict[str, Any]:
    """Missing bars between neighbours; weekends apart where the series never has a Saturday."""
    day = (opens // DAY_NS + 4) % 7  # 1970-01-01 was a Thursday; 0 is Sunday
    weekends_off = len(opens) > 0 and not (day == _SATURDAY).any() and bool(opens[-1] - opens[0] > 7 * DAY_NS)
    missing = np.diff(opens) // interval_ns - 1
    at = np.flatnonzero(missing > 0)
    if weekends_off:
        spans = (opens[at + 1] // DAY_NS - (opens[at] // DAY_NS)) >= (_SATURDAY - day[at])
        short = np.diff(opens)[at] <= 4 * DAY_NS
        closed = at[spans & short]
        at = at[~(spans & short)]
    lost = int(missing[at].sum())
    longest = at[np.argsort(-missing[at], kind="stable")][:_SHOWN]
    return {
        "gaps": len(at),
        "missing_bars": lost,
        "longest_gap": format_duration(int(missing[longest[0]]) * interval_ns) if len(at) else None,
        "gap_examples": [
            {"after": format_time(int(opens[i])), "missing": int(missing[i])} for i in longest
        ],
        "weekend_closures": len(closed) if weekends_off else 0,
        "coverage": round(len(opens) / (len(opens) + lost), 6) if len(opens) else None,
    }  # fmt: skip


def _spikes(bars: np.ndarray) -> dict[str, Any]:
    """Returns beyond 12 robust sigma that go back by 80 % within 3 bars."""
    with np.errstate(divide="ignore", invalid="ignore"):
        price = np.log(np.where(bars["c"] > 0, bars["c"], np.nan))
    move = np.diff(price)
    moved = move[np.isfinite(move) & (move != 0)]
    found = np.zeros(0, np.int64)
    if len(moved) >= 30:
        sigma = 1.4826 * np.median(np.abs(moved - np.median(moved)))
        with np.errstate(invalid="ignore"):
            found = np.flatnonzero(np.abs(move) > SPIKE_SIGMAS * sigma)
    back = np.zeros(len(found), bool)
    for ahead in range(1, SPIKE_BARS + 1):
        later = found + 1 + ahead
        inside = later < len(price)
        gone = np.full(len(found), np.nan)
        gone[inside] = price[later[inside]] - price[found[inside] + 1]
        with np.errstate(invalid="ignore"):
            back |= -gone * np.sign(move[found]) >= SPIKE_BACK * np.abs(move[found])
    at = found[back] + 1
    times = [format_time(int(t)) for t in bars["open_ns"][at[:_SHOWN]]]
    return {"spikes": len(at), "spike_examples": times, "large_moves": len(found)}


def _stale(bars: np.ndarray) -> dict[str, Any]:
    """Runs of bars on which nothing moved: flat at the last close, with no volume or the same four prices."""
    if len(bars) < STALE_BARS:
        return {"stale_runs": 0, "longest_stale_bars": 0, "stale_examples": []}
    flat = np.zeros(len(bars), bool)
    same_close = bars["c"][1:] == bars["c"][:-1]
    same_all = np.logical_and.reduce([bars[name][1:] == bars[name][:-1] for name in "ohlc"])
    flat[1:] = same_close & ((bars["v"][1:] == 0) | same_all)
    edge = np.diff(np.concatenate([[0], flat.astype(np.int8), [0]]))
    start, length = np.flatnonzero(edge == 1), np.flatnonzero(edge == -1) - np.flatnonzero(edge == 1) + 1
    long = np.flatnonzero(length >= STALE_BARS)
    worst = long[np.argsort(-length[long], kind="stable")][:_SHOWN]
    return {
        "stale_runs": len(long),
        "longest_stale_bars": int(length[long].max()) if len(long) else 0,
        "stale_examples": [
            {"from": format_time(int(bars["open_ns"][start[i] - 1])), "bars": int(length[i])} for i in worst
        ],
    }


def check_documents(documents: list[Document]) -> dict[str, Any]:
    """Findings on stored items: midnight stamps, unknown publishers, the longest silence."""
    stamps = np.array([d.published_ns for d in documents], np.int64)
    midnight = np.array([d.date_only for d in documents], bool)
    unknown = np.array([d.publisher == UNKNOWN_PUBLISHER for d in documents], bool)
    titles = {d.title.casefold() for d in documents}
    silence = np.diff(stamps)
    longest = int(silence.argmax()) if len(silence) else None
    return {
        "rows": len(documents),
        "first": format_time(int(stamps[0])) if documents else None,
        "last": format_time(int(stamps[-1])) if documents else None,
        "midnight_stamps": int(midnight.sum()),
        "midnight_share": _share(midnight),
        "unknown_publisher_share": _share(unknown),
        "publishers": len({d.publisher for d in documents}),
        "repeated_titles": len(documents) - len(titles),
        "out_of_order": int((silence < 0).sum()),
        "longest_silence": None if longest is None else format_duration(int(silence[longest])),
        "silence_after": None if longest is None else format_time(int(stamps[longest])),
    }


def check_stamps(stamps: np.ndarray, tolerance_ns: int) -> dict[str, Any]:
    """Findings on a series of payments or scores: its usual step, and where that was exceeded."""
    if not len(stamps):
        return {"rows": 0, "first": None, "last": None, "usual_step": None, "gaps": 0, "gap_examples": []}
    step = np.diff(np.unique(stamps))
    usual = int(np.median(step)) if len(step) else 0
    at = np.flatnonzero(step > usual + tolerance_ns)
    return {
        "rows": len(stamps),
        "first": format_time(int(stamps[0])),
        "last": format_time(int(stamps[-1])),
        "usual_step": format_duration(round(usual / 1e9) * 10**9),
        "gaps": len(at),
        "gap_examples": [
            {"after": format_time(int(np.unique(stamps)[i])), "step": format_duration(int(step[i]))}
            for i in at[:_SHOWN]
        ],
    }
