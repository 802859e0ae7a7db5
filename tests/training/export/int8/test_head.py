"""The head fitted again brings an inexact model's answers nearer to those of the exact one."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from training.errors import ExportFailed
from training.export.int8 import fit_head, put_head
from training.network.head import Linear

HEAD = Linear(
    np.array([[3.0, -1.0], [-2.0, 0.5], [0.25, 4.0]], np.float32) / 64, np.array([0.5, -0.5], np.float32)
)


def model(scale: tuple[float, float, float], shift: float) -> onnx.ModelProto:
    """The mean colour of a clip as its embedding, each channel a little off, and a linear head."""
    proto = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["": 17]>
        colours (uint8[b, f, h, w, 3] clip) => (float[b, 3] embedding, float[b, 2] logits) {
            pixels = Cast <to = 1> (clip)
            mean = ReduceMean <axes = [1, 2, 3], keepdims = 0> (pixels)
            scaled = Mul (mean, scale)
            embedding = Add (scaled, shift)
            product = MatMul (embedding, matrix)
            logits = Add (product, bias)
        }""")
    stored = {"scale": scale, "shift": [shift], "matrix": HEAD.matrix, "bias": HEAD.bias}
    for name, values in stored.items():
        proto.graph.initializer.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
    return proto


def logits(proto: onnx.ModelProto, clips: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"clip": clips})[0]


def drawn(seed: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.uniform(0, 255, (count, 1, 1, 1, 3)) * np.ones((1, 10, 4, 4, 1))).astype(np.uint8)


def test_clips_that_it_did_not_see_are_answered_more_nearly() -> None:
    exact, inexact, others = model((1, 1, 1), 0), model((0.9, 1.1, 1.05), 3), drawn(1, 50)
    wanted, before = logits(exact, others), logits(inexact, others)

    put_head(inexact, HEAD, fit_head(exact, inexact, HEAD, list(drawn(0, 64))))

    error = np.abs(logits(inexact, others) - wanted).mean()
    assert error < 0.5 * np.abs(before - wanted).mean()


def test_a_model_with_another_head_is_refused() -> None:
    other = Linear(HEAD.matrix + 1, HEAD.bias)

    with pytest.raises(ExportFailed, match="does not hold the head"):
        put_head(model((1, 1, 1), 0), other, HEAD)
