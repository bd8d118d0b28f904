"""A sentiment model of three words and three numbers, written byte by byte: no library makes it.

The bytes are those of ONNX's protocol buffers: a field is (number << 3 | kind), then a varint (kind 0) or a length
and so many bytes (kind 2). The graph is Gather(table, input_ids) -> ReduceMean over the pieces -> logits.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["tiny_model"]

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "rise", "fall", "meet")
MEANING = {"rise": "positive", "fall": "negative", "meet": "neutral"}
FLOAT, INT64 = 1, 7


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    held = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(held)) + held


def _tensor(name: str, shape: Sequence[int], kind: int, data: bytes) -> bytes:
    return b"".join(_number(1, each) for each in shape) + _number(2, kind) + _bytes(8, name) + _bytes(9, data)


def _value(name: str, kind: int, shape: Sequence[str]) -> bytes:
    dims = b"".join(_bytes(1, _bytes(2, each)) for each in shape)
    return _bytes(1, name) + _bytes(2, _bytes(1, _number(1, kind) + _bytes(2, dims)))


def _node(kind: str, inputs: Sequence[str], output: str, attributes: bytes = b"") -> bytes:
    return b"".join(_bytes(1, each) for each in inputs) + _bytes(2, output) + _bytes(4, kind) + attributes


def _table(width: int, weights: bytes, beside: str) -> bytes:
    """The table of the words, its numbers within, or in the file `beside` (external data: location)."""
    shape = (len(WORDS), width)
    if not beside:
        return _tensor("table", shape, FLOAT, weights)
    place = _bytes(13, _bytes(1, "location") + _bytes(2, beside))
    head = b"".join(_number(1, each) for each in shape) + _number(2, FLOAT) + _bytes(8, "table")
    return head + place + _number(14, 1)


def tiny_model(folder: Path, order: Mapping[int, str] | None, beside: str = "") -> Path:
    """Writes model.onnx, tokenizer.json and config.json; class number -> label as `order`, or no id2label.

    The weights stand in the network, or `beside` it in a file of that name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    places = {
        label.lower(): number for number, label in (order or {0: "negative", 1: "neutral", 2: "positive"}).items()
    }
    width = max(3, len(places))
    rows = []
    for word in WORDS:
        loud = places.get(MEANING.get(word, ""), -1)
        rows += [12.0 if at == loud else 0.0 for at in range(width)]
    keep = _bytes(5, _bytes(1, "keepdims") + _number(3, 0) + _number(20, 2))
    graph = _bytes(1, _node("Gather", ("table", "input_ids"), "pieces"))
    graph += _bytes(1, _node("ReduceMean", ("pieces", "axes"), "logits", keep)) + _bytes(2, "tiny")
    weights = struct.pack(f"<{len(rows)}f", *rows)
    graph += _bytes(5, _table(width, weights, beside))
    graph += _bytes(5, _tensor("axes", (1,), INT64, struct.pack("<q", 1)))
    graph += _bytes(11, _value("input_ids", INT64, ("n", "length"))) + _bytes(12, _value("logits", FLOAT, ("n", "k")))
    model = _number(1, 9) + _bytes(7, graph) + _bytes(8, _bytes(1, "") + _number(2, 18))
    (folder / "model.onnx").write_bytes(model)
    if beside:
        (folder / beside).write_bytes(weights)
    _tokenizer(folder)
    config = {} if order is None else {"id2label": {str(number): label for number, label in order.items()}}
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))
    return folder


def _tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    made = Tokenizer(models.WordPiece(vocab={word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.save(str(folder / "tokenizer.json"))
