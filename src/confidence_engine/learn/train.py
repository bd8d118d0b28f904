"""Fine-tunes the network on labelled headlines, the piece vectors held fast, and keeps a mean of its last weights.

Each pass sees every headline once, half of them varied (augment), and new templates. Loss: cross-entropy
against the shares, smoothed by SMOOTHING (Szegedy et al. 2016), each label weighed by 1 / its share of the set.
AdamW (Loshchilov and Hutter 2019), rate RATE after a warm-up of a twentieth, then straight down; lower layers
learn slower by SLOWER each. The result is the exponential mean of the weights (Polyak and Juditsky 1992).
One seed decides everything that is drawn; on one machine two runs give the same weights.
"""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, Final

import numpy as np
import torch
from torch.nn import functional

from confidence_engine.learn.augment import templates, varied
from confidence_engine.learn.network import Network
from confidence_engine.learn.sets import Example

__all__ = ["BATCH", "PASSES", "RATE", "SMOOTHING", "batches", "train"]

RATE: Final = 8e-5
PASSES: Final = 3
BATCH: Final = 32
SMOOTHING: Final = 0.05
SLOWER: Final = 0.9
DECAY: Final = 0.01
MEAN: Final = 0.995
TEMPLATES: Final = 1500
VARIED: Final = 0.5
HOLD: Final = 64
"""Pieces of a headline seen in training; a headline of 240 characters has about that."""


def batches(numbers: Sequence[Sequence[int]], rng: Random) -> Iterator[list[int]]:
    """Indices in batches of like length, in an order of chance."""
    order = sorted(range(len(numbers)), key=lambda at: (len(numbers[at]) // 3, rng.random()))
    cut = [order[at : at + BATCH] for at in range(0, len(order), BATCH)]
    rng.shuffle(cut)
    yield from cut


def _padded(rows: Sequence[Sequence[int]], table: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    length = max(len(row) for row in rows)
    ids, mask = torch.zeros((len(rows), length), dtype=torch.long), torch.zeros((len(rows), length), dtype=torch.bool)
    for at, row in enumerate(rows):
        ids[at, : len(row)], mask[at, : len(row)] = torch.tensor(row), True
    return table[ids], mask


def _rates(network: Network, rate: float) -> list[dict[str, Any]]:
    """One group of parameters a layer, the lower the slower; vectors of one dimension are not decayed."""
    groups: list[dict[str, Any]] = []
    top = len(network.layers)
    for name, weight in network.named_parameters():
        at = int(name.split(".")[1]) if name.startswith("layers.") else top if name[:5] in ("inner", "last.") else -1
        slow = SLOWER ** (top - 1 - min(at, top - 1))
        decay = DECAY if weight.ndim > 1 and name != "places" else 0.0
        groups.append({"params": [weight], "lr": rate * slow, "weight_decay": decay, "rate": rate * slow})
    return groups


def train(
    network: Network, table: torch.Tensor, examples: Sequence[Example], cut: Any, passes: int, seed: int
) -> Network:
    """The mean network after `passes`; `cut` turns texts into lists of piece numbers."""
    rng = Random(seed)
    torch.manual_seed(seed)
    share = np.mean([one.target for one in examples], 0)
    weigh = torch.tensor(1 / (3 * share), dtype=torch.float32)
    optimiser = torch.optim.AdamW(_rates(network, RATE), fused=True)
    mean = copy.deepcopy(network).eval()
    total = passes * -(-(len(examples) + TEMPLATES) // BATCH)
    step, begin, losses = 0, time.perf_counter(), 0.0
    network.train()
    for _ in range(passes):
        seen = [varied(one, rng) if rng.random() < VARIED else one for one in examples] + templates(TEMPLATES, rng)
        numbers = [row[:HOLD] for row in cut([one.text for one in seen])]
        for chosen in batches(numbers, rng):
            pieces, mask = _padded([numbers[at] for at in chosen], table)
            target = torch.tensor([seen[at].target for at in chosen])
            target = target * (1 - SMOOTHING) + SMOOTHING / 3
            each = -(target * functional.log_softmax(network(pieces, mask), 1)).sum(1)
            loss = (each * (target @ weigh)).mean()
            now = min(1.0, step / (0.05 * total)) * max(0.02, 1 - step / total)
            for group in optimiser.param_groups:
                group["lr"] = group["rate"] * now
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            keep = min(MEAN, step / (step + 10))
            with torch.no_grad():
                for old, new in zip(mean.parameters(), network.parameters(), strict=True):
                    old.lerp_(new, 1 - keep)
            step, losses = step + 1, losses + float(loss.detach())
            if step % 50 == 0:
                print(
                    f"{step}/{total} loss {losses / 50:.3f} {time.perf_counter() - begin:.0f}s",
                    file=sys.stderr,
                    flush=True,
                )
                losses = 0.0
    return mean
