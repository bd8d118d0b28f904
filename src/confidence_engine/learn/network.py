"""A small BERT in plain torch: six layers of 384, reading one headline as a row of frozen piece vectors.

The architecture is that of Devlin et al. (2019) as distilled by Wang et al. (2020, MiniLM); the three
projections of attention are one matrix, and there is no mask when a headline is read alone. The head sees the
first position and the mean of all: logits = V tanh(U [h_0 ; mean h]) for negative, neutral, positive.
Starting weights: a `model.safetensors` with the names of the public MiniLM-L6-H384 checkpoints.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import torch
from torch import nn
from torch.nn import functional

__all__ = ["HEADS", "LAYERS", "PLACES", "WIDTH", "Layer", "Network", "starting_weights"]

LAYERS: Final = 6
WIDTH: Final = 384
HEADS: Final = 12
PLACES: Final = 96
"""No more pieces of a headline are read than this."""


class Layer(nn.Module):  # type: ignore[misc]
    """Attention and a wide step, each added to what came in and normalised."""

    def __init__(self, drop: float) -> None:
        super().__init__()
        self.three = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.norm_1 = nn.LayerNorm(WIDTH, 1e-12)
        self.wide = nn.Linear(WIDTH, 4 * WIDTH)
        self.narrow = nn.Linear(4 * WIDTH, WIDTH)
        self.norm_2 = nn.LayerNorm(WIDTH, 1e-12)
        self.drop = nn.Dropout(drop)
        self.rate = drop

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """(batch, length, WIDTH) to the same; `mask` (batch, 1, 1, length) is true where there is a piece."""
        n, length, _ = x.shape
        q, k, v = self.three(x).view(n, length, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        if mask is None:
            weights = torch.softmax(q @ k.transpose(-1, -2) * (WIDTH // HEADS) ** -0.5, -1)
            seen = weights @ v
        else:
            seen = functional.scaled_dot_product_attention(q, k, v, mask, self.rate if self.training else 0.0)
        x = self.norm_1(x + self.drop(self.out(seen.transpose(1, 2).reshape(n, length, WIDTH))))
        return self.norm_2(x + self.drop(self.narrow(functional.gelu(self.wide(x)))))


class Network(nn.Module):  # type: ignore[misc]
    """Piece vectors (batch, length, WIDTH) to logits (batch, 3)."""

    def __init__(self, layers: int = LAYERS, drop: float = 0.1) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.zeros(PLACES, WIDTH))
        self.norm = nn.LayerNorm(WIDTH, 1e-12)
        self.layers = nn.ModuleList(Layer(drop) for _ in range(layers))
        self.drop = nn.Dropout(drop)
        self.inner = nn.Linear(2 * WIDTH, WIDTH)
        self.last = nn.Linear(WIDTH, 3)

    def forward(self, pieces: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Logits; `mask` (batch, length) is true where there is a piece, None where every row is whole."""
        x = self.drop(self.norm(pieces + self.places[: pieces.shape[1]]))
        for layer in self.layers:
            x = layer(x, None if mask is None else mask[:, None, None, :])
        if mask is None:
            mean = x.mean(1)
        else:
            share = mask[:, :, None].to(x.dtype)
            mean = (x * share).sum(1) / share.sum(1)
        return self.last(self.drop(torch.tanh(self.inner(self.drop(torch.cat((x[:, 0], mean), 1))))))


def starting_weights(file: Path, network: Network) -> torch.Tensor:
    """Loads the checkpoint into the network and returns the vectors of the pieces (vocabulary, WIDTH)."""
    from safetensors.torch import load_file

    w: dict[str, Any] = load_file(file)
    put: dict[str, torch.Tensor] = {
        # a headline is all of one type: its vector is part of every place
        "places": w["embeddings.position_embeddings.weight"][:PLACES] + w["embeddings.token_type_embeddings.weight"][0],
        "norm.weight": w["embeddings.LayerNorm.weight"],
        "norm.bias": w["embeddings.LayerNorm.bias"],
    }
    for at in range(len(network.layers)):
        old, new = f"encoder.layer.{at}.", f"layers.{at}."
        for kind in ("weight", "bias"):
            parts = [w[f"{old}attention.self.{name}.{kind}"] for name in ("query", "key", "value")]
            put[f"{new}three.{kind}"] = torch.cat(parts)
            put[f"{new}out.{kind}"] = w[f"{old}attention.output.dense.{kind}"]
            put[f"{new}norm_1.{kind}"] = w[f"{old}attention.output.LayerNorm.{kind}"]
            put[f"{new}wide.{kind}"] = w[f"{old}intermediate.dense.{kind}"]
            put[f"{new}narrow.{kind}"] = w[f"{old}output.dense.{kind}"]
            put[f"{new}norm_2.{kind}"] = w[f"{old}output.LayerNorm.{kind}"]
    missing, unexpected = network.load_state_dict(put, strict=False)
    head = {"inner.weight", "inner.bias", "last.weight", "last.bias"}
    if unexpected or set(missing) != head:
        raise ValueError(f"the checkpoint does not fit: missing {sorted(set(missing) - head)}, unknown {unexpected}")
    return w["embeddings.word_embeddings.weight"]
