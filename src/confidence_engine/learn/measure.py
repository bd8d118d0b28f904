"""The table of readers: how often right, how evenly right, how far to be believed, how fast, how large.

macro-F1 = mean over the three labels of 2 hits / (told + true). Expected calibration error: headlines in ten bins of
the largest probability; the mean distance of that probability from the share that is right, weighed by the bins
(Guo et al. 2017). Milliseconds are processor time a headline, one thread, loading not counted.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from confidence_engine.domain.document import Reading
from confidence_engine.domain.ports import Reader
from confidence_engine.learn.sets import Example
from confidence_engine.text import embedded, hashed
from confidence_engine.text.cues import CueReader

__all__ = ["Majority", "figures", "marks", "megabytes", "page", "readers"]

BINS: Final = 10


class Majority:
    """Says neutral of everything, with the shares of the training headlines."""

    name, version = "majority", "1"

    def __init__(self, shares: Sequence[float]) -> None:
        self._reading = Reading(*shares)

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """The same of each."""
        return [self._reading] * len(texts)


def marks(shares: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """accuracy, macro_f1, ece of probabilities (n, 3) against labels (n,)."""
    guess, top = shares.argmax(1), shares.max(1)
    f1 = [2 * ((guess == k) & (labels == k)).sum() / max(1, (guess == k).sum() + (labels == k).sum()) for k in range(3)]
    bins = np.minimum((top * BINS).astype(int), BINS - 1)
    off = sum(abs(top[bins == k].sum() - (guess == labels)[bins == k].sum()) for k in range(BINS))
    return {
        "accuracy": float((guess == labels).mean()),
        "macro_f1": float(np.mean(f1)),
        "ece": float(off / len(labels)),
    }


def figures(reader: Reader, examples: Sequence[Example]) -> dict[str, float]:
    """Marks and milliseconds of a reader on labelled headlines."""
    texts = [one.text for one in examples]
    reader.read(texts[:20])
    begin = time.process_time()
    read = reader.read(texts)
    spent = time.process_time() - begin
    shares = np.array([[one.p_negative, one.p_neutral, one.p_positive] for one in read])
    return marks(shares, np.array([one.label for one in examples])) | {"ms": 1000 * spent / len(texts)}


def readers(train: Sequence[Example], folder: Path) -> dict[str, Reader]:
    """The readers of the table, in its order."""
    shares = np.mean([one.target for one in train], 0)
    return {
        "majority": Majority(shares.tolist()),
        "cues": CueReader(),
        "hashed": hashed.HashedReader(folder),
        "embedded": embedded.EmbeddedReader(folder),
    }


def megabytes(folder: Path, name: str) -> float:
    """Size of the files a reader needs, in 10^6 bytes."""
    files = {"embedded": embedded.FILES, "hashed": (hashed.FILE,)}.get(name, ())
    return sum((folder / file).stat().st_size for file in files) / 1e6


def page(sets: Mapping[str, Sequence[Example]], known: Mapping[str, Any], folder: Path) -> str:
    """The table in Markdown: a row a set and reader."""
    lines = [
        "| set | n | reader | accuracy | macro-F1 | ECE | ms a headline | MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for title, examples in sets.items():
        for name, reader in known.items():
            got = figures(reader, examples)
            lines.append(
                f"| {title} | {len(examples):,} | {name} | {got['accuracy']:.3f} | {got['macro_f1']:.3f} "
                f"| {got['ece']:.3f} | {got['ms']:.2f} | {megabytes(folder, name):.2f} |"
            )
    return "\n".join(lines)
