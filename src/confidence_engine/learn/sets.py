"""The labelled headlines, and the rule by which they are parted: fixed by the words alone, never by chance.

We believe a figure counts only on headlines that nothing was fitted on. FOLDER holds `twitter_fin_train.csv`,
`twitter_fin_valid.csv` (0 bearish, 1 bullish, 2 neutral; MIT card, Ricky Costa) and `sentfin.csv` (SEntFiN 1.0,
MIT, Sinha, Kedas, Kumar and Malo 2022). Two rows are the same headline if their `key` is: lower case, links
and punctuation removed, cashtags kept as words. With h = SHA-256(key):
  test      every twitter valid row whose key is not in twitter train; SEntFiN headlines with h[0] % 5 == 0
  check     of the others, h[1] % 10 == 0: for stacking, temperature and early looks
  train     the rest, less every key that stands in a test set; longer than LONGEST characters left out
SEntFiN labels entities. A headline whose entities agree has their label. One that mixes a sign with neutral
is trained on with shares for probabilities and not tested on, and so is one that holds both signs.
"""

from __future__ import annotations

import csv
import hashlib
import re
from pathlib import Path
from typing import Final, NamedTuple

from confidence_engine.text.plain import normalised

__all__ = ["Example", "LONGEST", "Sets", "key_of", "load"]

LONGEST: Final = 240
"""Longer rows of twitter train are currency commentary of many sentences, labelled for one leg of the pair."""

_TWITTER: Final = {"0": 0, "1": 2, "2": 1}
_NAMES: Final = ("negative", "neutral", "positive")
_LABEL = re.compile(r": '(negative|neutral|positive)'")
_LINK = re.compile(r"https?://\S*")


class Example(NamedTuple):
    """A headline, its shares of negative, neutral, positive, and the set it is from."""

    text: str
    target: tuple[float, float, float]
    origin: str

    @property
    def label(self) -> int:
        """0 negative, 1 neutral, 2 positive: the largest share."""
        return max(range(3), key=self.target.__getitem__)


class Sets(NamedTuple):
    """The four parts, and how many rows the rule left out."""

    train: list[Example]
    check: list[Example]
    sentfin: list[Example]
    twitter: list[Example]
    left_out: dict[str, int]


def key_of(text: str) -> str:
    """What makes two rows the same headline."""
    return normalised(_LINK.sub(" ", text))


def load(folder: Path) -> Sets:
    """The parts by the rule above. Raises OSError where a file is missing."""
    train, valid = (_twitter(folder / f"twitter_fin_{part}.csv") for part in ("train", "valid"))
    known = {key_of(one.text) for one in train}
    twitter = [one for one in valid if key_of(one.text) not in known]
    entities = _sentfin(folder / "sentfin.csv")
    sentfin = [one for one in entities if max(one.target) == 1.0 and _hash(one)[0] % 5 == 0]
    barred = {key_of(one.text) for one in (*valid, *sentfin)}
    mixed_in_test = [one for one in entities if max(one.target) < 1.0 and _hash(one)[0] % 5 == 0]
    barred |= {key_of(one.text) for one in mixed_in_test}
    short = [one for one in (*train, *entities) if len(one.text) <= LONGEST]
    ours = [one for one in short if key_of(one.text) not in barred]
    check = [one for one in ours if _hash(one)[1] % 10 == 0]
    left_out = {
        "valid rows that stand in train": len(valid) - len(twitter),
        "rows too long": len(train) + len(entities) - len(short),
        "SEntFiN headlines of mixed label in the test fifth": len(mixed_in_test),
    }
    return Sets([one for one in ours if _hash(one)[1] % 10], check, sentfin, twitter, left_out)


def _hash(one: Example) -> bytes:
    return hashlib.sha256(key_of(one.text).encode()).digest()


def _twitter(file: Path) -> list[Example]:
    with file.open(newline="", encoding="utf-8") as rows:
        return [Example(row["text"], _one_hot(_TWITTER[row["label"]]), "twitter") for row in csv.DictReader(rows)]


def _one_hot(label: int) -> tuple[float, float, float]:
    return tuple(float(label == at) for at in range(3))  # type: ignore[return-value]


def _sentfin(file: Path) -> list[Example]:
    found = []
    with file.open(newline="", encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            labels = [_NAMES.index(name) for name in _LABEL.findall(row["Decisions"])]
            if labels:
                shares = tuple(labels.count(at) / len(labels) for at in range(3))
                found.append(Example(row["Title"], shares, "sentfin"))  # type: ignore[arg-type]
    return found
