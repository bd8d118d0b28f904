"""Puts what was trained into the files that the package ships: network.onnx, pieces.npz, vocabulary.txt.

Piece vectors become whole numbers -7..7 in groups of 32 with a scale each, before training, so that the network
learns on what it will be fed. The network's matrices become whole numbers of 8 bits, a scale a column
(onnxruntime's dynamic quantisation; 7 bits of them used, so that processors without the wider
multiply-and-add do not overflow and give the same readings).
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from confidence_engine.learn.network import PLACES, WIDTH, Network
from confidence_engine.text.pieces import GROUP

__all__ = ["forget_origin", "pack", "write_network", "write_pieces"]


def pack(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(nibbles (n, width / 2) uint8, scales (n, width / GROUP) float16) of vectors (n, width)."""
    groups = vectors.reshape(len(vectors), -1, GROUP)
    scales = (np.abs(groups).max(-1) / 7).astype(np.float16)
    steps = np.maximum(scales.astype(np.float32), 1e-8)[..., None]
    whole = (np.clip(np.rint(groups / steps), -7, 7) + 8).astype(np.uint8).reshape(len(vectors), -1)
    return whole[:, 0::2] | (whole[:, 1::2] << 4), scales


def write_pieces(vectors: np.ndarray, vocabulary: Path, folder: Path) -> None:
    """pieces.npz and vocabulary.txt."""
    folder.mkdir(parents=True, exist_ok=True)
    nibbles, scales = pack(vectors)
    np.savez(folder / "pieces.npz", nibbles=nibbles, scales=scales)
    shutil.copyfile(vocabulary, folder / "vocabulary.txt")


def write_network(network: Network, folder: Path) -> None:
    """network.onnx: piece vectors (1, length, WIDTH) to logits (1, 3)."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    network.eval()
    length = torch.export.Dim("length", min=2, max=PLACES)
    with tempfile.TemporaryDirectory() as beside:
        whole = Path(beside) / "whole.onnx"
        torch.onnx.export(
            network, (torch.zeros(1, 24, WIDTH),), whole, dynamo=True, dynamic_shapes=({1: length},),
            input_names=["pieces"], output_names=["logits"], external_data=False, opset_version=20, verbose=False,
        )  # fmt: skip
        quantize_dynamic(
            whole, folder / "network.onnx", per_channel=True, reduce_range=True, weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gemm"],
        )  # fmt: skip
    forget_origin(folder / "network.onnx")


def forget_origin(path: Path) -> None:
    """Take out of an ONNX file what its exporter noted of where it ran: its traces bear the paths of a machine."""
    import onnx

    model = onnx.load(path)
    parts: list[Any] = [model, model.graph, *model.functions]
    for graph in (model.graph, *model.functions):
        parts += graph.node
    for part in (*model.graph.initializer, *model.graph.input, *model.graph.output, *model.graph.value_info):
        parts.append(part)
    for part in parts:
        del part.metadata_props[:]
        part.ClearField("doc_string")
    path.write_bytes(model.SerializeToString(deterministic=True))
