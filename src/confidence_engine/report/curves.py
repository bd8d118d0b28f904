"""One picture of a study: the mean move after a story, with its interval, over the band of chance.

A panel a group: the line is the mean signed move in sigma by horizon, its bars the 95 % interval, the grey band what
the same stories give when moved to other days. A line inside its band is what no edge looks like. Horizons stand
side by side at equal steps and not to scale, those before the story left of the dashed line.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from confidence_engine.domain.units import format_interval
from confidence_engine.evaluate.study import Cell, Study
from confidence_engine.feeds.manifest import replace_file

__all__ = ["PANELS", "horizon_name", "study_chart"]

PANELS: Final = 12
"""Most groups on the picture; the others are in the table."""
_INK, _GREY = "#1f3b63", "#c3c7cc"


def horizon_name(bars: int, interval_ns: int) -> str:
    """ "6h" after the story, "-6h" before it."""
    return ("-" if bars < 0 else "") + format_interval(abs(bars) * interval_ns)


def study_chart(found: Study, interval_ns: int, path: Path, title: str) -> None:
    """Draw `found`, which has a curve at least, to `path` (PNG) and make its folder. Raises OSError if it cannot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = list(found.groups.items())[:PANELS]
    columns = min(3, len(shown))
    lines = -(-len(shown) // columns)
    figure = Figure(figsize=(5.0 * columns, 3.0 * lines + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    names = [horizon_name(h, interval_ns) for h in found.horizons]
    for k, (name, cells) in enumerate(shown):
        _panel(figure.add_subplot(lines, columns, k + 1), name, cells, names)
    replace_file(path, lambda file: figure.savefig(file, format="png", dpi=110, metadata={"Software": None}))


def _panel(axes: Any, name: str, cells: Sequence[Cell], names: Sequence[str]) -> None:
    seen = [
        (k, cell.mean, cell.ci95[1] - cell.mean, *cell.null95)
        for k, cell in enumerate(cells)
        if cell.mean is not None and cell.ci95 is not None and cell.null95 is not None
    ]
    if seen:
        at, mean, half, low, high = zip(*seen, strict=True)
        axes.fill_between(at, low, high, color=_GREY, alpha=0.6, linewidth=0)
        axes.errorbar(at, mean, yerr=half, color=_INK, marker="o", markersize=3, linewidth=1.2, capsize=2)
    axes.axhline(0.0, color="black", linewidth=0.6)
    before = sum(cell.horizon < 0 for cell in cells)
    axes.axvline(before - 0.5, color="black", linewidth=0.6, linestyle="--")
    axes.set_xticks(range(len(names)), names, fontsize=8)
    axes.set_title(f"{name}: {max((cell.n for cell in cells), default=0):,} stories", fontsize=10)
    axes.set_ylabel("signed move, sigma", fontsize=8)
    axes.tick_params(axis="y", labelsize=8)
