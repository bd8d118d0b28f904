"""The reader `embedded`, the default: a small network and a counted table, added up and warmed to be believed.

We believe two readers that err differently are better than either: a six-layer network over word pieces that
knows sentences (MiniLM, fine-tuned by us, whole numbers of 8 bits) and the hashed table that knows phrases.
logits = (a * network + b * hashed + bias) / T, with a, b, bias fitted on headlines neither was fitted on
(stacking: Wolpert 1992), and T the warmth of text far from home (`hashed.warmth`).
Each text is read alone, on one thread, and told in ten-thousandths: the same text gives the same reading in any batch.
Without onnxruntime or tokenizers the hashed table serves alone, says so in `told`, and has another version.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from confidence_engine.domain.document import Reading
from confidence_engine.text import hashed, pieces

__all__ = ["FILES", "EmbeddedReader", "Stack", "network_logits", "session_of", "stack"]

FILES: Final = ("network.onnx", "pieces.npz", "vocabulary.txt", hashed.FILE, "stack.json")
_NEEDED: Final = ("onnxruntime", "tokenizers")


class Stack(NamedTuple):
    """How the two opinions are added."""

    network: float
    hashed: float
    bias: tuple[float, float, float]


@functools.cache
def stack(folder: Path = pieces.FOLDER) -> Stack:
    """The shipped stack, read once."""
    held = json.loads((folder / "stack.json").read_text("utf-8"))
    return Stack(**(held | {"bias": tuple(held["bias"])}))


@functools.cache
def session_of(folder: Path = pieces.FOLDER) -> Any:
    """The network, loaded once: one thread, one operation after another, so that its sums have one order."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(folder / "network.onnx", options, providers=["CPUExecutionProvider"])


def network_logits(texts: Sequence[str], folder: Path = pieces.FOLDER) -> list[list[float]]:
    """Logits of negative, neutral, positive by the network alone, each text by itself."""
    session = session_of(folder)
    found = []
    for numbers in pieces.tokens(texts, folder):
        row = session.run(["logits"], {"pieces": pieces.vectors(numbers, folder)[None]})[0][0]
        found.append([float(each) for each in row])
    return found


class EmbeddedReader:
    """Port `Reader` with the shipped network; `told` says what is missing where the table serves alone."""

    name = "embedded"

    def __init__(self, folder: Path = pieces.FOLDER) -> None:
        missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
        self._folder = folder
        self._counted = hashed.HashedReader(folder)
        self._stack = None if missing else stack(folder)
        self.told = f"{', '.join(missing)} not installed: the hashed reader serves alone" if missing else ""
        self.version = f"hashed-{self._counted.version}" if missing else _version(folder)

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """One reading a text, in order; a few milliseconds each."""
        if self._stack is None:
            return self._counted.read(texts)
        return [
            hashed.reading_of(self._shares(text, logits))
            for text, logits in zip(texts, network_logits(texts, self._folder), strict=True)
        ]

    def _shares(self, text: str, logits: Sequence[float]) -> list[float]:
        assert self._stack is not None
        how, counted = self._stack, self._counted.logits(text)
        warmth = hashed.warmth(text, self._folder)
        added = zip(logits, counted, how.bias, strict=True)
        return hashed.softmax([(how.network * n + how.hashed * c + b) / warmth for n, c, b in added])


@functools.cache
def _version(folder: Path) -> str:
    """Twelve hex digits of SHA-256 over files and code: all that the readings depend on."""
    digest = hashlib.sha256(hashed.sources())
    for name in FILES:
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()[:12]
