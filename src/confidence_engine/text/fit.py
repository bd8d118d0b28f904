"""Fits the weights of the reader `cues` and says how good it is: `python -m confidence_engine.text.fit FOLDER`.

We believe weights are facts that can be made again: maximum likelihood with a small ridge, on
labelled headlines of two public sets. FOLDER holds `twitter_fin_train.csv`, `twitter_fin_valid.csv`
(0 bearish, 1 bullish, 2 neutral) and `sentfin.csv`. SEntFiN labels entities: a headline is used where
all its entities agree, and every fifth of those (by a hash of the normalised title) is held out.
A valid headline that also stands in train (lower case, links and punctuation removed, cashtags kept
as words) is left out of the evaluation. Only texts with at least one cue are fitted, and of those no
currency-pair commentary (many sentences, labelled for one leg of the pair: noise for a headline reader).
"""

from __future__ import annotations

import csv
import hashlib
import re
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from confidence_engine.text import cues, weights
from confidence_engine.text import plain as _plain

__all__ = ["MAX_FITTED", "RIDGE", "evaluate", "fit", "load", "main"]

RIDGE: Final = 1.0
MAX_FITTED: Final = 200
_PAIR = re.compile(r"\b(EUR|USD|GBP|AUD|NZD|JPY|CAD|CHF)/?(USD|JPY|CHF|CAD|GBP|EUR|AUD)")
_LABELS: Final = {"0": 0, "1": 2, "2": 1, "negative": 0, "neutral": 1, "positive": 2}

_LINK = re.compile(r"https?://\S*")

Sample = list[tuple[str, int]]


def _key(text: str) -> str:
    return _plain.normalised(_LINK.sub(" ", text))


def load(folder: Path) -> tuple[Sample, Sample, Sample, int]:
    """(train, valid, held-out SEntFiN, number of valid rows dropped as known); labels 0 neg, 1 neutral, 2 pos."""
    train, valid = _twitter(folder / "twitter_fin_train.csv"), _twitter(folder / "twitter_fin_valid.csv")
    known = {_key(text) for text, _ in train}
    fresh = [(text, label) for text, label in valid if _key(text) not in known]
    held: Sample = []
    barred = {_key(text) for text, _ in valid}
    with (folder / "sentfin.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            labels = set(re.findall(r": '(negative|neutral|positive)'", row["Decisions"]))
            key = _key(row["Title"])
            if len(labels) == 1 and key not in barred:
                fifth = hashlib.sha256(key.encode()).digest()[0] % 5 == 0
                (held if fifth else train).append((row["Title"], _LABELS[labels.pop()]))
    return train, fresh, held, len(valid) - len(fresh)


def _twitter(file: Path) -> Sample:
    with file.open(newline="", encoding="utf-8") as rows:
        return [(row["text"], _LABELS[row["label"]]) for row in csv.DictReader(rows)]


def fit(train: Sample, ridge: float = RIDGE) -> tuple[np.ndarray, np.ndarray]:
    """(direction, emphasis) weights that maximise the likelihood less ridge/2 |w|^2; the constant is free."""
    from scipy.optimize import minimize

    lines = [(text, label) for text, label in train if not (_PAIR.search(text) or len(text) > MAX_FITTED)]
    pairs = [(found, label) for text, label in lines if (found := cues.scan(text)).cues]
    made = [cues.features(found) for found, _ in pairs]
    odd, even = np.array([o for o, _ in made]), np.array([e for _, e in made])
    target = np.eye(3)[[label for _, label in pairs]]
    width = odd.shape[1]
    penalty = np.full(width + even.shape[1], ridge)
    penalty[width] = 0.0

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        d, e = odd @ w[:width], even @ w[width:]
        z = np.stack([e - d, np.zeros_like(d), e + d], 1)
        z -= z.max(1, keepdims=True)
        p = np.exp(z)
        p /= p.sum(1, keepdims=True)
        error = p - target
        slope = np.concatenate([odd.T @ (error[:, 2] - error[:, 0]), even.T @ (error[:, 2] + error[:, 0])])
        return float(-(target * np.log(p)).sum() + 0.5 * (penalty * w * w).sum()), slope + penalty * w

    best = minimize(loss, np.zeros(len(penalty)), jac=True, method="L-BFGS-B", options={"maxiter": 2000})
    return best.x[:width], best.x[width:]


def evaluate(sample: Sample, bins: int = 10) -> dict[str, Any]:
    """Accuracy, macro-F1 and expected calibration error (largest probability, equal-width bins) of the reader."""
    p = np.array([[r.p_negative, r.p_neutral, r.p_positive] for r in cues.CueReader().read([t for t, _ in sample])])
    y = np.array([label for _, label in sample])
    spoke = np.array([bool(cues.scan(text).cues) for text, _ in sample])
    guess = p.argmax(1)
    scores = []
    for label in range(3):
        hit = ((guess == label) & (y == label)).sum()
        scores.append(2 * hit / ((guess == label).sum() + (y == label).sum()))
    return {
        "n": len(y),
        "accuracy": float((guess == y).mean()),
        "macro_f1": float(np.mean(scores)),
        "f1": [round(float(s), 3) for s in scores],
        "ece": _ece(p, y, bins),
        "ece_where_it_speaks": _ece(p[spoke], y[spoke], bins),
        "spoke": float(spoke.mean()),
        "accuracy_where_it_speaks": float((guess == y)[spoke].mean()),
        "neutral_share_where_silent": float((y[~spoke] == 1).mean()),
    }


def _ece(p: np.ndarray, y: np.ndarray, bins: int) -> float:
    top, right = p.max(1), p.argmax(1) == y
    bucket = np.minimum((top * bins).astype(int), bins - 1)
    return float(sum(abs(top[bucket == b].sum() - right[bucket == b].sum()) for b in range(bins)) / len(y))


def main(folder: str) -> None:
    """Fit, print the two tuples of `weights.py` on stdout and the figures of the fitted weights on stderr."""
    train, valid, held, dropped = load(Path(folder))
    fitted = [tuple(float(f"{v:.3f}") for v in part) for part in fit(train)]
    weights.DIRECTION, weights.EMPHASIS = fitted
    for name, values in zip(("DIRECTION", "EMPHASIS"), fitted, strict=True):
        rows = [", ".join(f"{v:.3f}" for v in values[i : i + 10]) for i in range(0, len(values), 10)]
        print(f"{name}: tuple[float, ...] = (\n    " + ",\n    ".join(rows) + ",\n)")
    for name, sample in (("train", train), ("twitter valid", valid), ("SEntFiN held out", held)):
        print(name, evaluate(sample), file=sys.stderr)
    print(f"{dropped} valid rows also stand in train", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1])
