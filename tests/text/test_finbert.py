"""The reader `finbert`: the class order is the model's own, and what cannot be used is refused by name."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from tests.text.tiny_model import tiny_model

from confidence_engine.domain.errors import DataMissing, DataRefused, UsageError
from confidence_engine.text import finbert
from confidence_engine.text.finbert import FinbertReader, class_order
from confidence_engine.text.kept import KeptReader

ORDERS: list[Mapping[int, str]] = [
    {0: "positive", 1: "negative", 2: "neutral"},
    {0: "negative", 1: "neutral", 2: "positive"},
    {0: "Neutral", 1: "Positive", 2: "Negative"},
]


def _relabelled(folder: Path) -> None:
    """Good and bad change places, and nothing else does."""
    held = json.loads((folder / "config.json").read_text())
    held["id2label"] = {"0": "negative", "1": "positive", "2": "neutral"}
    (folder / "config.json").write_text(json.dumps(held))


@pytest.mark.parametrize("order", ORDERS)
def test_good_news_is_good_whatever_the_order_of_the_classes(order: Mapping[int, str], tmp_path: Path) -> None:
    reader = FinbertReader(str(tiny_model(tmp_path, order)))
    good, bad, flat = reader.read(["Rise", "fall fall", "meet"])
    assert good.p_positive > 0.99
    assert bad.p_negative > 0.99
    assert flat.p_neutral > 0.99
    assert abs(reader.read(["rise fall"])[0].polarity) < 1e-3


def test_swapped_labels_turn_the_reading(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path, ORDERS[0])
    _relabelled(folder)
    assert FinbertReader(str(folder)).read(["rise"])[0].p_negative > 0.99


@pytest.mark.parametrize(
    "named",
    [
        None,
        {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"},
        {0: "positive", 1: "negative"},
        {0: "positive", 1: "positive", 2: "negative"},
        {0: "positive", 1: "negative", 2: "neutral", 3: "mixed"},
        {1: "positive", 2: "negative", 3: "neutral"},
    ],
)
def test_a_model_that_does_not_say_its_order_is_refused(named: Mapping[int, str] | None, tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="id2label"):
        FinbertReader(str(tiny_model(tmp_path, named)))


def test_every_permutation_is_resolved() -> None:
    assert class_order({"id2label": {0: "bearish", 1: "bullish", 2: "neutral"}}, "here") == (0, 2, 1)
    assert class_order({"id2label": {"2": "NEG", "0": "pos", "1": "neu"}}, "here") == (2, 1, 0)


def test_the_version_is_the_model(tmp_path: Path) -> None:
    one, other = (FinbertReader(str(tiny_model(tmp_path / str(at), ORDERS[at]))) for at in (0, 1))
    again = FinbertReader(str(tiny_model(tmp_path / "2", ORDERS[0])))
    assert one.version == again.version != other.version


def test_readings_kept_under_other_labels_do_not_come_back(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "model", ORDERS[0])
    assert KeptReader(FinbertReader(str(folder)), tmp_path).read(["rise"])[0].p_positive > 0.99
    _relabelled(folder)
    assert KeptReader(FinbertReader(str(folder)), tmp_path).read(["rise"])[0].p_negative > 0.99


def test_readings_kept_under_other_pieces_do_not_come_back(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "model", ORDERS[0])
    assert KeptReader(FinbertReader(str(folder)), tmp_path).read(["rise"])[0].p_positive > 0.99
    pieces = folder / "tokenizer.json"
    text = pieces.read_text()
    pieces.write_text(text.replace('"rise"', '"other"').replace('"fall"', '"rise"').replace('"other"', '"fall"'))
    assert KeptReader(FinbertReader(str(folder)), tmp_path).read(["rise"])[0].p_negative > 0.99


def test_readings_kept_under_other_weights_beside_the_network_do_not_come_back(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "model", ORDERS[0], beside="model.onnx_data")
    assert KeptReader(FinbertReader(str(folder)), tmp_path).read(["rise"])[0].p_positive > 0.99
    weights = np.frombuffer((folder / "model.onnx_data").read_bytes(), "<f4").reshape(-1, 3)
    (folder / "model.onnx_data").write_bytes(weights[:, [1, 0, 2]].tobytes())
    assert KeptReader(FinbertReader(str(folder)), tmp_path).read(["rise"])[0].p_negative > 0.99


def test_what_a_reading_does_not_rest_on_leaves_the_version(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "model", ORDERS[0])
    before = FinbertReader(str(folder)).version
    (folder / "README.md").write_text("a model")
    assert FinbertReader(str(folder)).version == before
    assert FinbertReader(str(folder.rename(tmp_path / "moved"))).version == before


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="no folder"):
        FinbertReader(str(tmp_path / "nothing"))
    with pytest.raises(DataMissing, match=r"no config\.json"):
        FinbertReader(str(tmp_path))
    folder = tiny_model(tmp_path, ORDERS[0])
    (folder / "tokenizer.json").unlink()
    with pytest.raises(DataMissing, match=r"tokenizer\.json"):
        FinbertReader(str(folder))


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path, ORDERS[0])
    (folder / "model.onnx").write_bytes(b"not a network")
    with pytest.raises(DataRefused, match=r"model\.onnx"):
        FinbertReader(str(folder))
    (folder / "config.json").write_text("{")
    with pytest.raises(DataRefused, match=r"config\.json"):
        FinbertReader(str(folder))


def test_without_the_extra_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny_model(tmp_path, ORDERS[0])
    (folder / "model.onnx").unlink()
    monkeypatch.setattr(finbert.importlib.util, "find_spec", lambda name: None)
    for model in (str(folder), "somebody/some-model"):
        with pytest.raises(UsageError, match=r"confidence-engine\[finbert\]"):
            FinbertReader(model)


@pytest.mark.skipif(importlib.util.find_spec("transformers") is None, reason="the extra finbert is not installed")
@pytest.mark.parametrize("order", ORDERS[:2])
def test_a_folder_without_onnx_is_read_by_transformers(order: Mapping[int, str], tmp_path: Path) -> None:
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "rise", "fall"]
    (tmp_path / "vocab.txt").write_text("\n".join(vocabulary))
    small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    label2id = {label: number for number, label in order.items()}
    config = BertConfig(vocab_size=7, id2label=dict(order), label2id=label2id, max_position_embeddings=32, **small)
    network = BertForSequenceClassification(config)
    with torch.no_grad():
        network.classifier.weight.zero_()
        network.classifier.bias.copy_(torch.tensor([9.0 if order[at] == "positive" else 0.0 for at in range(3)]))
    folder = tmp_path / "model"
    network.save_pretrained(folder)
    BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(folder)
    reader = FinbertReader(str(folder))
    assert reader.read(["rise " * 100])[0].p_positive > 0.99
    assert reader.read(["rise"]) == reader.read(["rise", "fall"])[:1]
    assert "tokenizers" in sys.modules
    folder = folder.rename(tmp_path / "moved")
    again = KeptReader(FinbertReader(str(folder)), tmp_path)
    assert again.version == reader.version
    good = again.read(["rise"])[0].p_positive
    turned = {"positive": "negative", "negative": "positive", "neutral": "neutral"}
    held = json.loads((folder / "config.json").read_text())
    held["id2label"] = {number: turned[label] for number, label in held["id2label"].items()}
    (folder / "config.json").write_text(json.dumps(held))
    assert KeptReader(FinbertReader(str(folder)), tmp_path).read(["rise"])[0].p_negative == good > 0.99
    pieces = json.loads((folder / "tokenizer.json").read_text())
    pieces["model"]["vocab"] |= {"rise": 6, "fall": 5}
    (folder / "tokenizer.json").write_text(json.dumps(pieces))
    assert FinbertReader(str(folder)).version not in (reader.version, again.version)
