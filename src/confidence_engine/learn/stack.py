"""Fits the counted table on the training headlines, and how both opinions are added on the checking ones.

The table sees each headline twice, once as it is and once varied, and templates; its ridge is RIDGE. The stack has
four numbers: the shares of network and table and the bias of negative and
positive against neutral, by maximum likelihood on headlines that neither was fitted on. `warmth` calibrates the
table where it serves alone: one temperature, on the same headlines.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np

from confidence_engine.learn.augment import templates, varied
from confidence_engine.learn.linear import fit_linear, probabilities
from confidence_engine.learn.sets import Example
from confidence_engine.text import embedded, hashed

__all__ = ["RIDGE", "fit_stack", "fit_table", "write_stack", "write_table"]

RIDGE: Final = 0.15
TEMPLATES: Final = 1000


def _rows(texts: Sequence[str]) -> Any:
    """Features (texts, SIZE + cues + 1) as the reader sums them."""
    from scipy.sparse import csr_matrix, hstack

    chosen = [hashed.rows_of(text) for text in texts]
    ends = np.cumsum([0, *map(len, chosen)])
    values = np.concatenate([np.full(len(rows), max(1, len(rows)) ** -0.5) for rows in chosen])
    counted = csr_matrix((values, np.concatenate(chosen).astype(np.int64), ends), shape=(len(texts), hashed.SIZE))
    found = csr_matrix(np.array([hashed.cue_row(text) for text in texts]))
    return hstack([counted, found, csr_matrix(np.ones((len(texts), 1)))]).tocsr()


def fit_table(train: Sequence[Example], seed: int) -> dict[str, Any]:
    """The arrays of `hashed.Weights`, with a warmth of 1."""
    rng = Random(seed)
    seen = [*train, *(varied(one, rng) for one in train), *templates(TEMPLATES, rng)]
    x = _rows([one.text for one in seen])
    ridge = np.full(x.shape[1], RIDGE)
    ridge[hashed.SIZE :] = 3 * RIDGE
    ridge[-1] = 0.0
    w = fit_linear(x, np.array([one.target for one in seen]), ridge)
    table = w[: hashed.SIZE]
    scale = np.abs(table).max(0) / 127
    known = np.zeros(hashed.KNOWN // 8, np.uint8)
    for bit in {bit for one in train for bit in hashed.words_of(one.text)}:
        known[bit >> 3] |= 1 << (bit & 7)
    return {
        "table": np.rint(table / scale).astype(np.int8), "scale": scale, "bias": w[-1],
        "cues": w[hashed.SIZE : -1].astype(np.float32), "warmth": np.float64(1.0), "known": known,
    }  # fmt: skip


def write_table(arrays: dict[str, Any], folder: Path) -> None:
    """hashed.npz; the same arrays give the same bytes."""
    np.savez_compressed(folder / hashed.FILE, **arrays)  # type: ignore[arg-type]
    hashed.weights.cache_clear()


def fit_stack(network: np.ndarray, counted: np.ndarray, target: np.ndarray) -> tuple[float, dict[str, Any]]:
    """(warmth of the table alone, the stack) from logits (n, 3) of both and shares (n, 3)."""
    from scipy.optimize import minimize

    def loss_of(logits: np.ndarray) -> float:
        return float(-(target * np.log(np.maximum(probabilities(logits), 1e-12))).sum())

    def added(w: np.ndarray) -> np.ndarray:
        return w[0] * network + w[1] * counted + np.array([w[2], 0.0, w[3]])

    # a ridge of one on the biases: what a hundred headlines cannot show is not claimed
    best = minimize(lambda w: loss_of(added(w)) + w[2] ** 2 + w[3] ** 2, np.array([0.7, 0.5, 0.0, 0.0]), method="BFGS")
    warm = minimize(lambda w: loss_of(counted / w[0]), np.array([1.0]), bounds=[(0.3, 5.0)], method="L-BFGS-B")
    a, b, negative, positive = (round(float(each), 4) for each in best.x)
    return round(float(warm.x[0]), 4), {
        "network": a,
        "hashed": b * round(float(warm.x[0]), 4),
        "bias": [negative, 0.0, positive],
    }


def write_stack(stack: dict[str, Any], folder: Path) -> None:
    """stack.json."""
    (folder / "stack.json").write_text(json.dumps(stack, indent=1) + "\n", "utf-8")
    embedded.stack.cache_clear()
