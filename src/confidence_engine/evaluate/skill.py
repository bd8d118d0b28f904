"""How good chances are: do they rank cases (AUC), and are they worth believing (Brier score, log-loss)?

AUC = P(score of a case that came true > score of one that did not), ties by half (Hanley and McNeil, Radiology 143,
1982, p. 29). Brier = mean (p - y)^2, log-loss = -mean(y ln p + (1 - y) ln(1 - p)), p kept off 0 and 1 by a thousandth.
Intervals are percentiles of a bootstrap that draws clusters (worlds, or days of a world), because cases of one day
are not independent (Davison and Hinkley, Bootstrap Methods, 1997, ch. 3.8). The same draws serve all who are compared.
"""

from __future__ import annotations

import itertools
from typing import Final, NamedTuple

import msgspec
import numpy as np

from confidence_engine.evaluate.share import share_by_day

__all__ = ["Bucket", "Interval", "Skill", "auc", "buckets", "ratio_of_skill", "skill"]

DRAWS: Final = 1000
_EDGE: Final = 1e-3


class Interval(msgspec.Struct, frozen=True):
    """A figure with its 95 % interval; None where there is no figure."""

    value: float | None
    ci95: tuple[float, float] | None


class Skill(msgspec.Struct, frozen=True):
    """What chances of n cases in n_clusters clusters are worth."""

    n: int
    n_clusters: int
    auc: Interval
    brier: Interval
    log_loss: Interval


class Bucket(NamedTuple):
    """Cases of about one confidence: what was claimed, what oracle A knew, and what came true with its interval."""

    low: float
    high: float
    n: int
    confidence: float
    oracle: float
    realised: float
    ci95: tuple[float, float]


class _Ranked(NamedTuple):
    """Scores as ranks: the place of each case among the different scores, which came true, and how many places."""

    place: np.ndarray
    y: np.ndarray
    places: int

    def auc(self, weight: np.ndarray) -> float:
        won = np.bincount(self.place, weight * self.y, self.places)
        lost = np.bincount(self.place, weight * (1.0 - self.y), self.places)
        pairs = won.sum() * lost.sum()
        below = np.cumsum(lost) - 0.5 * lost
        return float((won * below).sum() / pairs) if pairs > 0.0 else float("nan")


def _ranked(score: np.ndarray, y: np.ndarray) -> _Ranked:
    values, place = np.unique(score, return_inverse=True)
    return _Ranked(place, y.astype(np.float64), len(values))


def auc(score: np.ndarray, y: np.ndarray) -> float:
    """AUC of scores f8[n] for outcomes y[n] in {0, 1}; NaN where all came out alike."""
    return _ranked(score, y).auc(np.ones(len(y)))


def skill(
    chance: np.ndarray, y: np.ndarray, cluster: np.ndarray, score: np.ndarray | None = None, draws: int = DRAWS,
    seed: int = 0,
) -> Skill:  # fmt: skip
    """AUC, Brier score and log-loss of chances f8[n] for y[n], cluster i8[n]; `score` ranks where it is given."""
    n = len(y)
    groups, number = np.unique(cluster, return_inverse=True)
    if n == 0:
        none = Interval(None, None)
        return Skill(0, 0, none, none, none)
    p = np.clip(chance, _EDGE, 1.0 - _EDGE)
    squared = (chance - y) ** 2
    lost = -(y * np.log(p) + (1.0 - y) * np.log1p(-p))
    ranks = _ranked(chance if score is None else score, y)
    weights = _drawn(number, len(groups), draws, seed)
    return Skill(
        n,
        len(groups),
        _interval(ranks.auc(np.ones(n)), np.array([ranks.auc(w) for w in weights])),
        _interval(float(squared.mean()), np.array([np.average(squared, weights=w) for w in weights])),
        _interval(float(lost.mean()), np.array([np.average(lost, weights=w) for w in weights])),
    )


def ratio_of_skill(
    score: np.ndarray, against: np.ndarray, y: np.ndarray, cluster: np.ndarray, draws: int = DRAWS, seed: int = 0
) -> Interval:
    """(AUC of score - 1/2) / (AUC of against - 1/2): the share of what could be known that is reached."""
    groups, number = np.unique(cluster, return_inverse=True)
    mine, best = _ranked(score, y), _ranked(against, y)

    def share(w: np.ndarray) -> float:
        reached, known = mine.auc(w) - 0.5, best.auc(w) - 0.5
        return reached / known if known > 0.0 else float("nan")

    drawn = np.array([share(w) for w in _drawn(number, len(groups), draws, seed)])
    return _interval(share(np.ones(len(y))), drawn)


def _drawn(number: np.ndarray, groups: int, draws: int, seed: int) -> list[np.ndarray]:
    """How often each case is drawn, f8[n], for each draw of clusters."""
    rng = np.random.Generator(np.random.PCG64(seed))
    return [np.bincount(rng.integers(0, groups, groups), minlength=groups)[number].astype(float) for _ in range(draws)]


def _interval(value: float, drawn: np.ndarray) -> Interval:
    if not np.isfinite(value):
        return Interval(None, None)
    seen = drawn[np.isfinite(drawn)]
    if len(seen) < 0.9 * len(drawn):
        return Interval(value, None)
    low, high = np.quantile(seen, (0.025, 0.975))
    return Interval(value, (float(low), float(high)))


def buckets(
    confidence: np.ndarray, oracle: np.ndarray, y: np.ndarray, day: np.ndarray, edges: tuple[float, ...]
) -> list[Bucket]:
    """Cases by confidence f8[n] between edges (the last is closed), beside oracle A's chance and the realised share.

    day i8[n] clusters the interval. A bucket without a case is left out.
    """
    found = []
    for low, high in itertools.pairwise(edges):
        mine = (confidence >= low) & ((confidence < high) | ((high == edges[-1]) & (confidence <= high)))
        share = share_by_day(y[mine] == 1, day[mine])
        if share.value is None or share.ci95 is None:
            continue
        claimed, known = float(confidence[mine].mean()), float(oracle[mine].mean())
        found.append(Bucket(low, high, share.n, claimed, known, share.value, share.ci95))
    return found
