"""Batch normalisation folded away: **trained network** -> **the same function with fewer layers**.

At inference batch normalisation multiplies each channel by a constant and adds another; both can be taken
into the convolution before it. Done here in place of leaving it to a converter, because rounded weights
must be rounded after folding.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.network.backbone import Backbone


def fold_batch_norm(backbone: Backbone) -> Backbone:
    """Return a copy of the network whose convolutions hold the batch normalisation that follows them.

    Batch normalisation that follows something else stays. The copy is for inference: it has its own weights.
    """
    model = backbone.model
    behind = _convolutions_before(model)
    folded = {id(convolution) for convolution in behind.values()}

    def copy(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if layer.name in behind:
            return keras.layers.Identity(name=layer.name)
        if id(layer) in folded:
            config["use_bias"] = True
        return layer.__class__.from_config(config)

    def call(layer: keras.layers.Layer, *args: Any, mask: Any = None, **kwargs: Any) -> Any:
        return layer(*args, **kwargs)  # batch normalisation takes a mask, what stands for it does not

    result = keras.models.clone_model(model, clone_function=copy, call_function=call)
    norms = {id(convolution): model.get_layer(name) for name, convolution in behind.items()}
    for layer in model.layers:
        if layer.weights and layer.name not in behind:
            weights = _fold(layer, norms[id(layer)]) if id(layer) in folded else layer.get_weights()
            result.get_layer(layer.name).set_weights(weights)
    return dataclasses.replace(backbone, model=result)


def _convolutions_before(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """The convolution that feeds each batch normalisation and nothing else, by the latter's name."""
    maker = {id(layer.output): layer for layer in model.layers}
    readers: dict[int, int] = {}
    for operation in model.operations[1:]:
        for tensor in keras.tree.flatten(operation.input):
            readers[id(tensor)] = readers.get(id(tensor), 0) + 1
    found = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            before = maker[id(layer.input)]
            plain = getattr(before, "activation", None) is keras.activations.linear
            if (
                isinstance(before, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D))
                and plain
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
    spread = factor.reshape(kernel.shape[2:]) if depthwise else factor
    return [(kernel * spread).astype(np.float32), shift.astype(np.float32)]
