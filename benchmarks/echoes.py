"""How well echoes are found: `python benchmarks/echoes.py [NEWS] [--fit]`, NEWS the folder of the two archives.

Reads the pairs labelled by hand (tests/text/echo_pairs.csv: hashes, no headlines), walks through both archives in
the order of time, and weighs each pair with the counts of words as they stood when its later item came. Prints
precision and recall with Wilson intervals, on the test pairs as sampled and at the natural rate (by weights).
`--fit` prints weights fitted on the tuning pairs alone, what each pair of theirs gets from weights fitted without its
calendar week, and the `echo_from` that follows from that by the rule in docs/echoes.md. Nothing is fitted on the
pairs `test`, nor on the ones `retired` (of an earlier test, from the same weeks).
"""

from __future__ import annotations

import csv
import math
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from confidence_engine.domain.document import UNKNOWN_PUBLISHER, Document, body_hash
from confidence_engine.text.cues import CueReader
from confidence_engine.text.echo import Pair, compare, opposed, probability
from confidence_engine.text.facts import MARKET, Facts, facts
from confidence_engine.text.reading import Params
from confidence_engine.text.similarity import Rarity

ROOT = Path(__file__).resolve().parent.parent
NEWS = ROOT.parent / "shared" / "data" / "news"
LABELS = ROOT / "tests" / "text" / "echo_pairs.csv"
ARCHIVES = ("btc_news_2021-11_2024-02.parquet", "crypto_news_2021-10_2022-07.parquet")
RIDGE = 1.0
BANDED, JOINED = ("tuning", "tuning-first-test"), ("tuning-joined",)
PRECISE, PRECISE_JOINED = 0.92, 0.797  # the latter is what the former weights reached at their .5


class Label(NamedTuple):
    """One pair as labelled: which sample, its stratum's weight, the ids' first 16 digits, echo or not."""

    sample: str
    archive: str
    weight: float
    first: str
    second: str
    echo: bool


class Measured(NamedTuple):
    """A labelled pair as weighed; `opposed` where cue words or readings contradict; year and week of its later item."""

    label: Label
    pair: Pair
    opposed: bool
    week: tuple[int, int]


class Found(NamedTuple):
    """Precision and recall with their counts: hits, called echoes, echoes."""

    hits: float
    called: float
    echoes: float

    @property
    def precision(self) -> float:
        return self.hits / self.called if self.called else math.nan

    @property
    def recall(self) -> float:
        return self.hits / self.echoes if self.echoes else math.nan


def archive(folder: Path, names: tuple[str, ...] = ARCHIVES) -> list[Document]:
    """Items of the archives by (published, id)."""
    found: list[Document] = []
    for name in names:
        frame = pl.read_parquet(folder / name)
        stamps = frame["published_at"].dt.epoch("ns").to_list()
        texts = frame["text"].fill_null("").to_list() if "text" in frame.columns else [""] * len(frame)
        houses = frame["source"].to_list() if "source" in frame.columns else [UNKNOWN_PUBLISHER] * len(frame)
        for title, text, house, at in zip(frame["title"].to_list(), texts, houses, stamps, strict=True):
            found.append(Document(body_hash(title, text, house, at), name, house, title, at, text))
    return sorted(found, key=lambda one: (one.published_ns, one.id))


def labels(file: Path = LABELS) -> list[Label]:
    """The labelled pairs."""
    with file.open(newline="", encoding="utf-8") as rows:
        return [
            Label(row["sample"], row["archive"], float(row["weight"] or "nan"), row["first"], row["second"],
                  row["echo"] == "1")
            for row in csv.DictReader(rows)
        ]  # fmt: skip


def measure(documents: list[Document], pairs: list[Label], params: Params | None = None) -> list[Measured]:
    """Each pair as it looks when its later item comes. Raises KeyError where an item is not in the archives."""
    params = params or Params()
    ids = {one.id[:16]: k for k, one in enumerate(documents)}
    wanted: dict[int, list[tuple[int, Label]]] = {}
    for label in pairs:  # two items of one moment stand in the order of their ids
        first, second = sorted((ids[label.first], ids[label.second]))
        wanted.setdefault(second, []).append((first, label))
    known = {first for found in wanted.values() for first, _ in found}
    rarity, reader = Rarity(params.rarity_half_life_ns, MARKET), CueReader()
    held: dict[int, tuple[Facts, int]] = {}
    titles: set[str] = set()
    ledes: set[str] = set()
    made: list[Measured] = []
    for k, one in enumerate(documents):
        face = facts(one.title, one.text)
        if k in known or k in wanted:
            polarity = reader.read_one(one.title).polarity
            held[k] = face, 0 if abs(polarity) < params.direction_band else 1 if polarity > 0 else -1
        for first, label in wanted.get(k, ()):
            (a, sign_a), (b, sign_b) = held[first], held[k]
            house = documents[first].publisher
            pair = compare(
                a, b, rarity.of(a.words | b.words, one.published_ns), one.published_ns - documents[first].published_ns,
                house == one.publisher != UNKNOWN_PUBLISHER,
            )  # fmt: skip
            year, week, _ = datetime.fromtimestamp(one.published_ns / 1e9, UTC).isocalendar()
            made.append(Measured(label, pair, opposed(a, b, sign_a, sign_b), (year, week)))
        title, lede = face.title[:80], face.lede[:80]
        if not (title in titles or title in ledes or lede in titles):
            rarity.count(face.words, one.published_ns)
        titles.add(title)
        ledes |= {lede} if lede else set()
    return made


def score(
    measured: list[Measured], echo_from: float, given: list[float] | None = None, weighted: bool = False
) -> Found:
    """Hits among the pairs; `given` probabilities stand for those of WEIGHTS, `weighted` counts each pair for all those
    of its stratum that it stands for."""
    given = [probability(one.pair) for one in measured] if given is None else given
    hits = called = echoes = 0.0
    for one, sure in zip(measured, given, strict=True):
        w = one.label.weight if weighted else 1.0
        told = not one.opposed and sure >= echo_from
        hits, called, echoes = hits + w * (told and one.label.echo), called + w * told, echoes + w * one.label.echo
    return Found(hits, called, echoes)


def wilson(hits: float, n: float, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    if not n:
        return math.nan, math.nan
    p = hits / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def fit(measured: list[Measured], ridge: float = RIDGE) -> tuple[float, ...]:
    """Ridge logistic weights: the constant (free), then one for each field of Pair."""
    from scipy.optimize import minimize

    x = np.array([(1.0, *one.pair) for one in measured])
    y = np.array([one.label.echo for one in measured], float)
    penalty = np.r_[0.0, np.full(x.shape[1] - 1, ridge)]

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        s = x @ w
        value = float(np.sum(np.logaddexp(0.0, s) - y * s) + 0.5 * np.sum(penalty * w * w))
        return value, x.T @ (1.0 / (1.0 + np.exp(-s)) - y) + penalty * w

    return tuple(minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B").x.tolist())


def unseen(measured: list[Measured], folds: int = 20, rounds: int = 3) -> list[float]:
    """Probability of each pair by weights fitted on other weeks only; the middle of several ways to part the weeks."""
    weeks = sorted({one.week for one in measured})
    number = np.array([weeks.index(one.week) for one in measured])
    sure = np.zeros((rounds, len(measured)))
    for turn in range(rounds):
        fold = (np.random.default_rng(turn).permutation(len(weeks)) % folds)[number]
        for k in range(folds):
            weights = fit([one for one, at in zip(measured, fold, strict=True) if at != k])
            for i in np.flatnonzero(fold == k):
                sure[turn, i] = probability(measured[i].pair, weights)
    middle: list[float] = np.median(sure, axis=0).tolist()
    return middle


def found(measured: list[Measured], given: list[float], samples: tuple[str, ...], echo_from: float) -> Found:
    """Precision and recall on the pairs of some samples, by probabilities already given."""
    kept = [(one, sure) for one, sure in zip(measured, given, strict=True) if one.label.sample in samples]
    return score([one for one, _ in kept], echo_from, [sure for _, sure in kept])


def chosen(measured: list[Measured], given: list[float]) -> float | None:
    """The smallest `echo_from` at which the banded and the joined tuning pairs are precise enough (docs/echoes.md)."""
    for level in range(30, 61):
        banded, joined = (found(measured, given, samples, level / 100) for samples in (BANDED, JOINED))
        if banded.precision >= PRECISE and joined.precision >= PRECISE_JOINED:
            return level / 100
    return None


def line(name: str, found: Found) -> str:
    """One row: precision and recall with intervals."""
    low, high = wilson(found.hits, found.called)
    least, most = wilson(found.hits, found.echoes)
    return (
        f"{name:34s} precision {found.precision:.2f} [{low:.2f}, {high:.2f}] of {found.called:.0f}, "
        f"recall {found.recall:.2f} [{least:.2f}, {most:.2f}] of {found.echoes:.0f}"
    )


def tell_fit(tuning: list[Measured]) -> None:
    """Print the weights, the figures by weeks unseen, and the threshold that follows from them."""
    print("weights", tuple(round(w, 2) for w in fit(tuning)))
    given = unseen(tuning)
    told = np.array([one.label.echo for one in tuning])
    print(f"log loss by weeks unseen {-np.mean(np.log(np.where(told, given, 1 - np.array(given)))):.4f}")
    level = chosen(tuning, given)
    print("echo_from chosen", level)
    for samples in (BANDED, JOINED, ("tuning-hard",)):
        for at in sorted({0.4, 0.5, 0.6, level or 0.5}):
            print(line(f"{samples[0]}, unseen, from {at}", found(tuning, given, samples, at)))


def main(arguments: list[str]) -> int:
    """Print the figures; 1 where the archives are not there."""
    named = [word for word in arguments if not word.startswith("-")]
    folder = Path(named[0]) if named else NEWS
    if not folder.is_dir():
        print(f"the recorded news is not at {folder}", file=sys.stderr)
        return 1
    documents = archive(folder)
    start = time.perf_counter()
    measured = measure(documents, labels())
    print(f"{len(documents)} items walked through in {time.perf_counter() - start:.1f} s")
    echo_from = Params().echo_from
    if "--fit" in arguments:
        tell_fit([one for one in measured if one.label.sample.startswith("tuning")])
        return 0
    test = [one for one in measured if one.label.sample == "test"]
    print(line("test", score(test, echo_from)))
    for name in ("btc_news", "crypto_news"):
        print(line(f"test, {name}", score([one for one in test if one.label.archive == name], echo_from)))
    natural = score(test, echo_from, weighted=True)
    print(f"test, at the natural rate: precision {natural.precision:.2f}, recall {natural.recall:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
