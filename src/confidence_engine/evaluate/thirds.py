"""Does a score say how well a case can be predicted? Cases in thirds of the score, judged where nothing was fitted.

Cases are cut in two halves by time. On the first half the score's terciles are taken and in each a predictor is
fitted, p(Y = 1) = 1 / (1 + exp(-(a + b strength))), by maximum likelihood with a unit normal prior on a and b. On
the second half each third's log-loss is measured, -mean(Y ln p + (1 - Y) ln(1 - p)), that of the engine's own
confidence beside it, and the share of Y = 1 and the mean net return, which need no predictor.
Source: log-loss as a proper score, Good, J. R. Statist. Soc. B 14 (1952), p. 107.
"""

from __future__ import annotations

import msgspec
import numpy as np

from confidence_engine.domain.errors import DataMissing

__all__ = ["Third", "fit_logistic", "log_loss", "thirds"]

_LEAST = 10


class Third(msgspec.Struct, frozen=True):
    """One third of a score, lowest first: its range in the first half, and what its cases of the second half show."""

    low: float
    high: float
    fitted: int
    n: int
    log_loss: float
    log_loss_rule: float
    won: float
    net_sigma: float


def thirds(cases: np.ndarray, by: str) -> tuple[Third, Third, Third]:
    """The thirds of `by` of cases (fields ts_ns, strength, confidence, y, net_sigma and `by`) in order of time.

    Raises DataMissing where a third holds fewer than ten cases of either half.
    """
    half = len(cases) // 2
    before, after = cases[:half], cases[half:]
    edges = np.quantile(before[by], (1.0 / 3.0, 2.0 / 3.0)) if half else np.zeros(2)
    first, second = np.searchsorted(edges, before[by], side="right"), np.searchsorted(edges, after[by], side="right")
    found = []
    for k in range(3):
        fit, seen = before[first == k], after[second == k]
        if min(len(fit), len(seen)) < _LEAST:
            raise DataMissing(f"third {k + 1} of {by} holds {len(fit)} and {len(seen)} cases; {_LEAST} are needed")
        a, b = fit_logistic(fit["strength"], fit["y"])
        p = 1.0 / (1.0 + np.exp(-(a + b * seen["strength"])))
        found.append(
            Third(
                float(fit[by].min()),
                float(fit[by].max()),
                len(fit),
                len(seen),
                log_loss(p, seen["y"]),
                log_loss(seen["confidence"], seen["y"]),
                float(seen["y"].mean()),
                float(seen["net_sigma"].mean()),
            )
        )
    return found[0], found[1], found[2]


def log_loss(p: np.ndarray, y: np.ndarray) -> float:
    """Mean negative log-likelihood in nats of y (0 or 1) under p in (0, 1)."""
    return float(-np.mean(np.where(y == 1, np.log(p), np.log1p(-p))))


def fit_logistic(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """(a, b) of the logistic curve of y (0 or 1) over x with a unit normal prior on both, by Newton's method."""
    design = np.column_stack([np.ones(len(x)), x])
    at = np.zeros(2)
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-design @ at))
        slope = design.T @ (y - p) - at
        curve = (design * (p * (1.0 - p))[:, None]).T @ design + np.eye(2)
        step = np.linalg.solve(curve, slope)
        at = at + step
        if float(np.abs(step).max()) < 1e-12:
            break
    return float(at[0]), float(at[1])
