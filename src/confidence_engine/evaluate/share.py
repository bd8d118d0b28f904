"""The share of cases that came true, with an interval that knows that cases of one day are not independent.

Horizons overlap and one market moves them all, so a day of ten cases says less than ten days of one. The variance
of the share is summed by clusters, which are days of trading time or stretches as long as the horizon where that is
longer, and gives the number of independent cases that would be as sure: n_eff = p (1 - p) / Var, between 1 and n; a
share of 0 or 1 counts its clusters. The interval is Wilson's with n_eff. The rule is the same for every share of a run.
Source: the linearised variance of a ratio under cluster sampling, Cochran, Sampling Techniques (1977), ch. 9 and 11.
"""

from __future__ import annotations

import msgspec
import numpy as np

from confidence_engine.domain.trading import trading_time
from confidence_engine.domain.units import DAY_NS
from confidence_engine.drivers.sources import Sources
from confidence_engine.evaluate.performance import wilson

__all__ = ["Share", "cluster_error", "share_by_day", "share_of_cases", "stretch_ns"]


class Share(msgspec.Struct, frozen=True):
    """A share with its 95 % interval, of n cases on n_days days or stretches; None where there is no case."""

    value: float | None
    ci95: tuple[float, float] | None
    n: int
    n_days: int


def stretch_ns(horizon_ns: int) -> int:
    """Trading time within which cases of that horizon are not independent: they are held over the same days."""
    return max(DAY_NS, horizon_ns)


def share_of_cases(hit: np.ndarray, at_ns: np.ndarray, sources: Sources, horizon_ns: int) -> Share:
    """Share of hit (bool[n]) of cases judged at at_ns i8[n] and held for a horizon, clustered by its stretches.

    Where all trade in sessions the stretches are trading time, on the first of their calendars.
    """
    names = sorted(sources.sessions)
    if names and all(one.calendar for one in sources.instruments):
        at_ns = trading_time(sources.sessions[names[0]], at_ns)
    return share_by_day(hit, at_ns // stretch_ns(horizon_ns))


def share_by_day(hit: np.ndarray, day: np.ndarray) -> Share:
    """Share of hit (bool[n]) with its interval; day i8[n] is the cluster that each case belongs to."""
    n = len(hit)
    if n == 0:
        return Share(None, None, 0, 0)
    _, cluster = np.unique(day, return_inverse=True)
    days = int(cluster.max()) + 1
    p = float(np.mean(hit))
    return Share(p, wilson(p, _effective(hit, cluster, days, p)), n, days)


def _effective(hit: np.ndarray, cluster: np.ndarray, days: int, p: float) -> float:
    """How many independent cases are as sure as these; one day alone is one case."""
    n = len(hit)
    if days == 1:
        return 1.0
    sums = np.bincount(cluster, weights=hit - p, minlength=days)
    variance = days / (days - 1) * float((sums**2).sum()) / n**2
    if not 0.0 < p < 1.0:
        return float(days)
    if variance <= 0.0:
        return float(n)
    return min(max(p * (1.0 - p) / variance, 1.0), float(n))


def cluster_error(value: np.ndarray, day: np.ndarray) -> float:
    """Standard error of the mean of value f8[n] whose clusters are the days i8[n], of which there are two or more."""
    _, cluster = np.unique(day, return_inverse=True)
    days = int(cluster.max()) + 1
    sums = np.bincount(cluster, weights=value - value.mean(), minlength=days)
    return float(np.sqrt(days / (days - 1) * (sums**2).sum())) / len(value)
