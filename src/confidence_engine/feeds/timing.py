"""When things become known, and when anything is judged.

A bar is known a little after its close, a funding rate a little after it is paid, an archived
headline some minutes after its stamp, because the stamp is the publisher's and not ours. Judging
happens on a grid (decision interval, plus a settle delay so that the bar is in) and shortly after
evidence (the coalescing delay, so that a burst of retellings is judged once).
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from confidence_engine.domain.params import Bound
from confidence_engine.domain.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

__all__ = ["Params"]


class Params(NamedTuple):
    """Delays and the decision grid, all durations in ns."""

    bar_latency_ns: Annotated[int, Bound("duration", 0, HOUR_NS)] = SECOND_NS
    news_lag_ns: Annotated[int, Bound("duration", 0, 7 * DAY_NS)] = 5 * MINUTE_NS
    funding_latency_ns: Annotated[int, Bound("duration", 0, HOUR_NS)] = 2 * SECOND_NS
    grid_ns: Annotated[int, Bound("duration", SECOND_NS, DAY_NS)] = 5 * MINUTE_NS
    settle_ns: Annotated[int, Bound("duration", 0, HOUR_NS)] = 2 * SECOND_NS
    coalesce_ns: Annotated[int, Bound("duration", 0, HOUR_NS)] = SECOND_NS
