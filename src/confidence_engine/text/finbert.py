"""The reader `finbert`: any three-class sentiment model in BERT's manner, from a folder of yours or from the hub.

We believe nothing about the order of a model's classes: it is read from `id2label` in its config.json, and a
model that does not say positive, negative and neutral there is refused. (The wrong order turns good news into
bad: the commonest model has positive, negative, neutral; others count up from negative.)
A folder with `model.onnx` (or onnx/model.onnx) and `tokenizer.json` is read by onnxruntime, which is always there.
Any other folder, and a hub name as ProsusAI/finbert, is read by transformers and torch: the extra `finbert`.
Each text is read alone and told in ten-thousandths. A hub name is loaded from the network where it is not yet there.
The version is a hash over all that a reading rests on: weights, wherever they stand, config (class order) and pieces.
"""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import json
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from confidence_engine.domain.document import Reading
from confidence_engine.domain.errors import DataMissing, DataRefused, UsageError
from confidence_engine.text.hashed import reading_of, softmax, sources
from confidence_engine.text.pieces import headline

__all__ = ["MODEL", "FinbertReader", "class_order"]

MODEL: Final = "ProsusAI/finbert"
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_CLASSES: Final = {
    "negative": 0, "neg": 0, "bearish": 0, "neutral": 1, "neu": 1, "none": 1, "positive": 2, "pos": 2, "bullish": 2,
}  # fmt: skip
_MOST: Final = 512
_EXTRA: Final = "pip install 'confidence-engine[finbert]'"

Logits = Callable[[str], Sequence[float]]


def class_order(config: dict[str, Any], where: str) -> tuple[int, int, int]:
    """Which output is negative, neutral, positive, by `id2label`. Raises DataRefused where it does not say so."""
    named = config.get("id2label")
    if not isinstance(named, dict) or not named:
        raise DataRefused(f"{where} has no id2label: which output is positive cannot be known")
    meant = {int(number): _CLASSES.get(str(label).strip().lower()) for number, label in named.items()}
    if sorted(meant) != [0, 1, 2] or sorted(str(each) for each in meant.values()) != ["0", "1", "2"]:
        raise DataRefused(f"{where}: id2label is {named}; wanted negative, neutral and positive, each once")
    return tuple(next(at for at, each in meant.items() if each == wanted) for wanted in range(3))  # type: ignore[return-value]


class FinbertReader:
    """Port `Reader` round a model of your own. Raises DataMissing, DataRefused, UsageError when it is made."""

    name = "finbert"

    def __init__(self, model: str = MODEL) -> None:
        folder = Path(model).expanduser()
        if folder.is_dir():
            config = _config(folder)
            self._order = class_order(config, str(folder / "config.json"))
            network = next((f for f in (folder / "model.onnx", folder / "onnx" / "model.onnx") if f.is_file()), None)
            if network is not None:
                self._logits = _by_onnx(folder, network, config)
                self.version = _version(_files(folder, network))
                return
        elif not _HUB_NAME.fullmatch(model):
            raise DataMissing(f"there is no folder {folder}, and {model!r} is no hub name (as {MODEL})")
        self.version, self._order, self._logits = _by_transformers(str(folder) if folder.is_dir() else model)

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """One reading a text, in order."""
        found = []
        for text in texts:
            shares = softmax([float(each) for each in self._logits(headline(text))])
            found.append(reading_of([shares[at] for at in self._order]))
        return found


def _config(folder: Path) -> dict[str, Any]:
    try:
        held = json.loads((folder / "config.json").read_text("utf-8"))
    except FileNotFoundError:
        raise DataMissing(f"{folder} has no config.json: no model is there") from None
    except (OSError, ValueError) as error:
        raise DataRefused(f"{folder / 'config.json'} cannot be read: {error}") from error
    if not isinstance(held, dict):
        raise DataRefused(f"{folder / 'config.json'} is not a model's config")
    return held


def _version(parts: Iterable[tuple[str, bytes]]) -> str:
    """12 hex digits over this code and named parts."""
    digest = hashlib.sha256(sources())
    for name, part in parts:
        digest.update(f"{name} {len(part)}\n".encode() + part)
    return digest.hexdigest()[:12]


def _files(folder: Path, network: Path) -> Iterator[tuple[str, bytes]]:
    """(name, SHA-256) of the network, its config and pieces, and the files that hold weights for it.

    A network names those (external data: their place from its own folder), so a file beside it whose name stands in
    it counts for one; one too many costs a version, one too few a wrong reading.
    """
    inside = network.read_bytes()
    beside = sorted(file.relative_to(network.parent).as_posix() for file in network.parent.rglob("*") if file.is_file())
    held = [network.parent / name for name in beside if name.encode() in inside]
    for name, file in [
        ("config.json", folder / "config.json"), ("tokenizer.json", folder / "tokenizer.json"), ("network", network),
        *((file.relative_to(folder).as_posix(), file) for file in held),
    ]:  # fmt: skip
        with file.open("rb") as stream:
            yield name, hashlib.file_digest(stream, "sha256").digest()


def _by_onnx(folder: Path, network: Path, config: dict[str, Any]) -> Logits:
    """Logits of one text by onnxruntime and the folder's tokenizer.json."""
    missing = [name for name in ("onnxruntime", "tokenizers") if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"{network} needs {' and '.join(missing)}: {_EXTRA}")
    if not (folder / "tokenizer.json").is_file():
        raise DataMissing(f"{folder} has no tokenizer.json beside its model")
    from tokenizers import Tokenizer

    cutter = Tokenizer.from_file(str(folder / "tokenizer.json"))
    cutter.no_padding()
    cutter.enable_truncation(min(_MOST, int(config.get("max_position_embeddings", _MOST))))
    session = _session(network)
    inputs = {one.name for one in session.get_inputs()}
    first = session.get_outputs()[0].name

    def logits(text: str) -> Sequence[float]:
        cut = cutter.encode(text)
        offered = {"input_ids": cut.ids, "attention_mask": cut.attention_mask, "token_type_ids": cut.type_ids}
        fed = {name: np.array([row], np.int64) for name, row in offered.items() if name in inputs}
        return session.run([first], fed)[0][0].tolist()

    return _three(logits, str(network))


def _session(network: Path) -> Any:
    """One thread, one operation after another. Raises DataRefused where the file is no network."""
    import onnxruntime
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidGraph, InvalidProtobuf

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    except (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf) as error:
        raise DataRefused(f"{network} is no network that onnxruntime can read: {error}") from error


def _by_transformers(model: str) -> tuple[str, tuple[int, int, int], Logits]:
    """(version, class order, logits of one text) by transformers and torch; a hub name may be fetched."""
    missing = [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"{model} has no model.onnx, so it needs {' and '.join(missing)}: {_EXTRA}")
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

    try:
        config = AutoConfig.from_pretrained(model)
        order = class_order({"id2label": config.id2label}, f"the config of {model}")
        cutter = AutoTokenizer.from_pretrained(model)
        network = AutoModelForSequenceClassification.from_pretrained(model).eval()
    except (OSError, ValueError) as error:
        raise DataMissing(f"{model} cannot be loaded: {error}") from error
    longest = min(_MOST, int(getattr(config, "max_position_embeddings", _MOST)))

    def logits(text: str) -> Sequence[float]:
        with torch.no_grad():
            cut = cutter(text, return_tensors="pt", truncation=True, max_length=longest)
            return network(**cut).logits[0].tolist()

    pieces = _pieces(cutter)
    held = {name: value for name, value in config.to_dict().items() if name != "_name_or_path"}
    weights = ((name, weight.contiguous().numpy().tobytes()) for name, weight in sorted(network.state_dict().items()))
    told = ("config", json.dumps(held, sort_keys=True, default=str).encode())
    return _version(itertools.chain([told], pieces, weights)), order, _three(logits, model)


def _pieces(cutter: Any) -> list[tuple[str, bytes]]:
    """(name, content) of all files that a tokenizer is stored as."""
    with tempfile.TemporaryDirectory() as folder:
        cutter.save_pretrained(folder)
        return [(file.name, file.read_bytes()) for file in sorted(Path(folder).iterdir())]


def _three(logits: Logits, where: str) -> Logits:
    """The same, after it was seen to have three outputs. Raises DataRefused."""
    found = len(logits("Shares rise"))
    if found != 3:
        raise DataRefused(f"{where} has {found} outputs; wanted three: negative, neutral, positive")
    return logits
