"""One picture of a replay: was it worth it, how deep did it fall, where did it trade, and on what gap.

Four strips on one time axis: equity against holding, drawdown, the price of the most traded symbol with every entry
and exit, and the gap D of its decisions against the trigger. A long run is thinned to what the eye can see: each
bucket keeps its first, lowest, highest and last point, so that no extreme is lost. The trigger moves with every bar's
volume, so it is drawn as the band of its middle 80 % per bucket of time, with its median. Lines break where nothing
was recorded for more than a day. Simulated input is named in the title; nothing is drawn that is not in the record.
"""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from confidence_engine.domain.units import SECOND_NS, format_time

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Picture", "band", "broken", "chart", "thin"]

_BUCKETS: Final = 900
_BANDS: Final = 200
_INK, _GREY, _GOOD, _BAD, _GAP = "#1f3b63", "#9aa0a6", "#1b7f4d", "#b3261e", "#6b4fa0"


class Picture(NamedTuple):
    """Everything on the chart; times in ns UTC, money in USD. Arrays may be empty, then the strip says so."""

    agent: str
    symbol: str  # the most traded one
    synthetic: bool
    ts_ns: np.ndarray  # i8[n], as equity and hold
    equity: np.ndarray
    hold: np.ndarray | None
    price_ns: np.ndarray  # i8[m], closes of the symbol
    price: np.ndarray
    trades: np.ndarray  # TRADE[k] of the symbol
    decision_ns: np.ndarray  # i8[d], decisions on the symbol
    gap: np.ndarray  # f8[d], NaN = no reading
    trigger: np.ndarray  # f8[d]
    note: str = ""  # a second line: figures, hashes


def thin(x: np.ndarray, y: np.ndarray, buckets: int = _BUCKETS) -> tuple[np.ndarray, np.ndarray]:
    """The first, lowest, highest and last finite point of each of `buckets` equal slices of the index, in order."""
    seen = np.flatnonzero(np.isfinite(y))
    if len(seen) <= 4 * buckets:
        return x[seen], y[seen]
    kept: list[int] = []
    for part in np.array_split(seen, buckets):
        kept += {int(part[0]), int(part[np.argmin(y[part])]), int(part[np.argmax(y[part])]), int(part[-1])}
    index = np.sort(np.array(kept))
    return x[index], y[index]


def band(ns: np.ndarray, y: np.ndarray, buckets: int = _BANDS) -> tuple[np.ndarray, np.ndarray]:
    """(times f8[k], quantiles f8[k, 3] at 10, 50, 90 %) of y in each of `buckets` equal spans of time that hold any.

    A time is the mean of its span's times.
    """
    seen = np.isfinite(y)
    ns, y = ns[seen], y[seen]
    if len(ns) == 0:
        return np.zeros(0), np.zeros((0, 3))
    width = (int(ns[-1]) - int(ns[0])) // buckets + 1
    starts = np.unique((ns - ns[0]) // width, return_index=True)[1]
    cut = list(zip(starts, [*starts[1:], len(ns)], strict=True))
    middle = np.array([ns[0] + float(np.mean(ns[a:b] - ns[0])) for a, b in cut])
    return middle, np.array([np.quantile(y[a:b], (0.1, 0.5, 0.9)) for a, b in cut])


def broken(x: np.ndarray, y: np.ndarray, recorded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x and y (f8[n] or [n, k]) with NaN wherever `recorded`, the days of all points, has a gap that x runs across.

    A gap is more than a day, or than four usual steps of a slower series.
    """
    steps = np.diff(recorded)
    if len(steps) == 0:
        return x, y
    ends = recorded[1:][steps > max(1.0, 4.0 * float(np.median(steps)))]
    at = np.unique(np.searchsorted(x, ends))
    at = at[(at > 0) & (at < len(x))]
    return np.insert(x, at, np.nan), np.insert(y, at, np.nan, axis=0)


def chart(picture: Picture, path: Path) -> Path:
    """Write the PNG (1800 x 1500 pixels) to path and return it; the same picture gives the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(12, 10), dpi=150, layout=ConstrainedLayoutEngine(hspace=0.07))
    FigureCanvasAgg(figure)
    axes = figure.subplots(4, 1, sharex=True, gridspec_kw={"height_ratios": (3, 1.2, 3, 1.6)})
    _title(figure, picture)
    _equity(axes[0], picture)
    _drawdown(axes[1], picture)
    _price(axes[2], picture)
    _gap(axes[3], picture)
    _frame(axes, picture)
    figure.savefig(path, format="png", metadata={"Software": None})
    return path


def _days(ns: np.ndarray) -> np.ndarray:
    """Matplotlib's dates: days since 1970."""
    return np.asarray(ns, np.float64) / (86_400.0 * SECOND_NS)


def _title(figure: Figure, p: Picture) -> None:
    start, end = format_time(int(p.ts_ns[0]))[:10], format_time(int(p.ts_ns[-1]))[:10]
    flag = "SYNTHETIC  |  " if p.synthetic else ""
    title = f"{flag}agent {p.agent}  |  {start} to {end}  |  most traded: {p.symbol}"
    figure.suptitle(f"{title}\n{p.note}\n", fontsize=12, color=_BAD if p.synthetic else "black")


def _equity(ax: Axes, p: Picture) -> None:
    _own_and_hold(ax, p.ts_ns, p.equity, p.hold, "equity", "USD", f"equity, ends at {p.equity[-1]:,.0f}", _INK)
    ax.axhline(p.equity[0], color="black", lw=0.5, ls=":")
    ax.yaxis.set_major_formatter("{x:,.0f}")


def _drawdown(ax: Axes, p: Picture) -> None:
    fall, held = (None if c is None else 100.0 * (c / np.maximum.accumulate(c) - 1.0) for c in (p.equity, p.hold))
    assert fall is not None
    label = f"equity, deepest {float(fall.min()):.2f} %"
    _own_and_hold(ax, p.ts_ns, fall, held, "drawdown", "%", label, _BAD)


def _own_and_hold(
    ax: Axes, ts: np.ndarray, own: np.ndarray, hold: np.ndarray | None, what: str, unit: str, label: str, colour: str
) -> None:
    """Our curve on the left scale; holding on a scale of its own, or small sizes would be a flat line beside it."""
    lines = ax.plot(*broken(*thin(_days(ts), own), _days(ts)), color=colour, lw=1.2, label=label, zorder=3)
    ax.set_ylabel(f"{what}, {unit}")
    if hold is not None:
        right = ax.twinx()
        end = f"ends at {hold[-1]:,.0f}" if unit == "USD" else f"deepest {float(hold.min()):.1f} %"
        lines += right.plot(
            *broken(*thin(_days(ts), hold), _days(ts)), color=_GREY, lw=0.8, label=f"hold (right scale), {end}"
        )
        right.set_ylabel(f"hold, {unit}", color=_GREY)
        right.yaxis.set_major_formatter("{x:,.0f}" if unit == "USD" else "{x:g}")
        right.tick_params(axis="y", colors=_GREY)
        ax.set_zorder(right.get_zorder() + 1)
        ax.patch.set_visible(False)
    _legend(ax, lines)


def _price(ax: Axes, p: Picture) -> None:
    if len(p.price) == 0:
        _say(ax, f"no bars of {p.symbol}")
        return
    x, y = broken(*thin(_days(p.price_ns), p.price), _days(p.price_ns))
    ax.plot(x, y, color=_GREY, lw=0.8)
    won = p.trades["pnl_usd"] > 0.0
    for side, marker, name in ((1, "^", "long"), (-1, "v", "short")):
        for good, colour, how in ((True, _GOOD, "won"), (False, _BAD, "lost")):
            some = p.trades[(p.trades["side"] == side) & (won == good)]
            _marks(ax, some["entry_ns"], some["entry_price"], marker, colour, f"{name}, {how} ({len(some)})")
    _marks(ax, p.trades["exit_ns"], p.trades["exit_price"], "x", "black", "exit")
    ax.set_ylabel(p.symbol)
    ax.yaxis.set_major_formatter("{x:,.6g}")
    _legend(ax) if len(p.trades) else _say(ax, "no trades")


def _marks(ax: Axes, ns: np.ndarray, price: np.ndarray, marker: str, colour: str, name: str) -> None:
    if len(ns) == 0:
        return
    size = 16 if marker == "x" else 40 if len(ns) < 100 else 18
    edge: dict[str, Any] = {} if marker == "x" else {"edgecolors": "white"}
    ax.scatter(_days(ns), price, marker=marker, s=size, color=colour, label=name, zorder=3, linewidths=0.7, **edge)


def _gap(ax: Axes, p: Picture) -> None:
    spoke = np.isfinite(p.gap)
    ax.set_ylabel("gap D")
    if not spoke.any():
        _say(ax, "no decision had a reading")
        return
    at, gap, trigger = _days(p.decision_ns[spoke]), p.gap[spoke], p.trigger[spoke]
    over = np.abs(gap) >= trigger
    x, y = thin(at, np.where(over, np.nan, gap))
    ax.plot(x, y, ls="", marker=".", ms=2.2, color=_GREY, label="below the trigger")
    x, y = thin(at, np.where(over, gap, np.nan))
    ax.plot(x, y, ls="", marker=".", ms=3.0, color=_GAP, label="at or above it")
    ns, levels = band(p.decision_ns[spoke], trigger)
    x, y = broken(_days(ns), levels, at)
    for sign in (1.0, -1.0):
        ax.fill_between(x, sign * y[:, 0], sign * y[:, 2], color="black", alpha=0.15, lw=0, zorder=2)
        ax.plot(x, sign * y[:, 1], color="black", lw=0.8, label="trigger" if sign > 0 else None, zorder=2)
    ax.axhline(0.0, color="black", lw=0.4)
    _legend(ax)


def _legend(ax: Axes, lines: list[Any] | None = None) -> None:
    """In one row above the strip, where it hides nothing."""
    row = ax.legend(
        handles=lines,
        loc="lower right",
        bbox_to_anchor=(1.0, 0.98),
        ncols=6,
        fontsize=9,
        frameon=False,
        borderaxespad=0.1,
    )
    row.set_in_layout(False)  # the strips keep their place whatever they show


def _say(ax: Axes, words: str) -> None:
    ax.text(0.5, 0.5, words, transform=ax.transAxes, fontsize=9, ha="center")


def _frame(axes: Any, p: Picture) -> None:
    """Common look: grid, dates in UTC, the limits of the run."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(tz=UTC)  # type: ignore[no-untyped-call]
    for ax in axes:
        ax.grid(visible=True, lw=0.3, alpha=0.6)
        ax.spines[["top", "right"]].set_visible(False)
        ax.margins(x=0.01)
    axes[-1].xaxis_date(UTC)
    axes[-1].xaxis.set_major_locator(locator)
    axes[-1].xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))  # type: ignore[no-untyped-call]
    span = _days(np.array([p.ts_ns[0], p.ts_ns[-1]]))
    if span[1] > span[0]:
        axes[-1].set_xlim(span[0] - 0.005 * (span[1] - span[0]), span[1] + 0.005 * (span[1] - span[0]))
    axes[-1].set_xlabel("time, UTC")
