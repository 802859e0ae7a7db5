import dataclasses

import keras
import numpy as np
import pytest

from training.network.backbone import load_backbone
from training.network.batch_norm import fold_batch_norm


@pytest.mark.parametrize("name", ["efficientnet-lite0", "MobileNetV3Small"])
def test_a_folded_network_computes_the_same_with_no_normalisation_left(name):
    backbone = load_backbone(name, weights=None)
    rng = np.random.default_rng(0)
    for layer in backbone.model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            size = layer.gamma.shape
            # Far from the identity that a new layer is, but such that numbers neither vanish nor explode.
            gamma, beta = rng.uniform(0.5, 2, size), rng.normal(0, 0.3, size)
            mean, variance = rng.normal(0, 0.1, size), rng.uniform(0.2, 1, size)
            layer.set_weights([gamma, beta, mean, variance])
    folded = fold_batch_norm(backbone)
    pictures = rng.integers(0, 256, (2, 224, 224, 3)).astype(np.float32)
    before = backbone.model.predict(pictures, verbose=0)
    after = folded.model.predict(pictures, verbose=0)
    assert np.abs(before - after).max() <= 1e-4 * np.abs(before).max()
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in folded.model.layers)
    assert folded.blocks == backbone.blocks
    folded.output(folded.blocks[3])


def test_a_normalisation_whose_input_is_read_elsewhere_stays():
    image = keras.Input((8, 8, 3))
    convolved = keras.layers.Conv2D(4, 1)(image)
    normal = keras.layers.BatchNormalization()(convolved)
    both = keras.layers.Add()([convolved, normal])
    active = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 1, activation="relu")(both))
    model = keras.Model(image, active)
    backbone = load_backbone("MobileNetV3Small", weights=None)
    folded = fold_batch_norm(dataclasses.replace(backbone, model=model)).model
    assert sum(isinstance(layer, keras.layers.BatchNormalization) for layer in folded.layers) == 2
    pictures = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(
        folded.predict(pictures, verbose=0), model.predict(pictures, verbose=0), rtol=1e-5, atol=1e-6
    )
