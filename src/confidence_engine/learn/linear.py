"""Multinomial logistic regression by maximum likelihood with a ridge: the two small fits beside the network.

loss = -sum log softmax(X W)[label shares] + ridge/2 |W|^2, minimised by L-BFGS (Liu and Nocedal 1989). Columns of X
may be free of the ridge. Probabilities of neutral are the reference: its logit is 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["fit_linear", "probabilities"]


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Softmax along the rows."""
    parts = np.exp(logits - logits.max(1, keepdims=True))
    return parts / parts.sum(1, keepdims=True)


def fit_linear(x: Any, target: np.ndarray, ridge: np.ndarray, weigh: np.ndarray | None = None) -> np.ndarray:
    """Weights (features, 2) for negative and positive against neutral; `ridge` (features,), `weigh` (rows,)."""
    from scipy.optimize import minimize

    n, width = x.shape
    each = np.ones(n) if weigh is None else weigh
    penalty = np.repeat(ridge[:, None], 2, 1)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        w = flat.reshape(width, 2)
        u = x @ w
        p = probabilities(np.stack([u[:, 0], np.zeros(n), u[:, 1]], 1))
        error = (p - target)[:, [0, 2]] * each[:, None]
        value = -(each[:, None] * target * np.log(np.maximum(p, 1e-12))).sum() + 0.5 * (penalty * w * w).sum()
        return float(value), (x.T @ error + penalty * w).ravel()

    best = minimize(loss, np.zeros(2 * width), jac=True, method="L-BFGS-B", options={"maxiter": 400})
    return best.x.reshape(width, 2)
