"""The small fits against planted truths, the marks against counting, the network against its own export."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from confidence_engine.learn import measure
from confidence_engine.learn.linear import fit_linear, probabilities

TORCH = importlib.util.find_spec("torch") is not None and importlib.util.find_spec("onnxscript") is not None


def test_planted_weights_are_found_again() -> None:
    rng = np.random.default_rng(5)
    x = np.c_[rng.normal(size=(20_000, 2)), np.ones(20_000)]
    true = np.array([[1.0, -1.5], [0.5, 0.8], [-0.3, 0.2]])
    u = x @ true
    p = probabilities(np.stack([u[:, 0], 0 * u[:, 0], u[:, 1]], 1))
    drawn = (rng.random(20_000)[:, None] > p.cumsum(1)).sum(1)
    found = fit_linear(x, np.eye(3)[drawn], np.zeros(3))
    assert np.abs(found - true).max() < 0.1


def test_a_ridge_holds_weights_back() -> None:
    x = np.array([[1.0], [-1.0]] * 50)
    target = np.array([[1.0, 0, 0], [0, 0, 1.0]] * 50)
    free, held = (np.abs(fit_linear(x, target, np.array([ridge]))).max() for ridge in (0.01, 500.0))
    assert held < 0.5 < free


def test_the_stack_finds_the_better_opinion_and_the_warmth() -> None:
    from confidence_engine.learn.stack import fit_stack

    rng = np.random.default_rng(6)
    true = rng.normal(size=(6000, 3)) * 1.5
    drawn = (rng.random(6000)[:, None] > probabilities(true).cumsum(1)).sum(1)
    noise = rng.normal(size=(6000, 3))
    warmth, stack = fit_stack(true * 3, noise, np.eye(3)[drawn])
    assert stack["network"] == pytest.approx(1 / 3, abs=0.03)
    assert abs(stack["hashed"]) < 0.1 * warmth
    warmth, _ = fit_stack(noise, true * 2, np.eye(3)[drawn])
    assert warmth == pytest.approx(2.0, abs=0.15)


def test_marks_are_what_counting_says() -> None:
    shares = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.1, 0.3, 0.6]])
    got = measure.marks(shares, np.array([0, 1, 1, 2]))
    assert got["accuracy"] == 0.75
    assert got["macro_f1"] == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)
    assert got["ece"] == pytest.approx((abs(1.6 - 2) + abs(1.2 - 1)) / 4)


@pytest.mark.skipif(not TORCH, reason="the extra learn is not installed")
@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # torch's own exporter
def test_the_exported_network_says_what_the_trained_one_says(tmp_path: Path) -> None:
    import onnxruntime
    import torch

    from confidence_engine.learn.export import write_network
    from confidence_engine.learn.network import WIDTH, Network

    torch.manual_seed(1)
    torch.set_num_threads(1)
    network = Network(layers=1).eval()
    write_network(network, tmp_path)
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx", providers=["CPUExecutionProvider"])
    for length in (2, 17, 96):
        fed = torch.randn(1, length, WIDTH)
        [got] = session.run(["logits"], {"pieces": fed.numpy()})
        with torch.no_grad():
            assert np.abs(got - network(fed).numpy()).max() < 0.05


@pytest.mark.skipif(not TORCH, reason="the extra learn is not installed")
def test_packed_vectors_are_near(tmp_path: Path) -> None:
    from confidence_engine.learn.export import pack
    from confidence_engine.text.pieces import unpack

    vectors = np.random.default_rng(2).normal(size=(50, 384)).astype(np.float32)
    found = unpack(*pack(vectors))
    assert np.abs(found - vectors).max() < np.abs(vectors).max() / 7 * 0.51
    assert np.array_equal(unpack(*pack(found)), found)
