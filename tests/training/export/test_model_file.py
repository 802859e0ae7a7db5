"""From a head and a network to the file that inference loads, on real weights where they are installed."""

import dataclasses
import json

import numpy as np
import onnx
import pytest

from services.clip import Clip
from services.inference import CONTRACT, Classifier, EarlyExit, VerdictRule
from services.inference.scoring import score
from training.errors import ExportFailed, InvalidRun
from training.export import model_file as export_module
from training.network.head import Head, Linear, Part, Tap
from training.network.model import OUTPUTS, FittedModel, clip_model, tap_model

SHOWS = ("Blue Bars", "Green Grid", "Red Rings")
WIDTHS = {"top": 576, "expanded_conv_3": 40, "expanded_conv_1": 24 * 25 // 2}


def _fitted(**head_changes) -> FittedModel:
    """A head with all there is: taps of every statistic, other things; drawn, not learned."""
    rng = np.random.default_rng(3)
    width = sum(WIDTHS.values())
    head = Head(
        parts=(
            Part(Tap("top"), unit=True, weight=4.0),
            Part(
                Tap("expanded_conv_3", "deviation"),
                shift=rng.normal(0, 0.1, 40).astype(np.float32),
                scale=rng.uniform(0.5, 1, 40).astype(np.float32),
            ),
            Part(Tap("expanded_conv_1", "covariance"), weight=0.5),
        ),
        linear=Linear(
            rng.normal(0, 0.5, (width, 4)).astype(np.float32), rng.normal(0, 0.1, 4).astype(np.float32)
        ),
        others=True,
        temperature=1.3,
    )
    return FittedModel(
        backbone="MobileNetV3Small",
        shows=SHOWS,
        head=dataclasses.replace(head, **head_changes),
        unknown_threshold=0.123456789012345,
        verdict=VerdictRule(0.5, 0.7, 0.9),
        kinds=dict(zip(SHOWS, ("cartoon", "anime", "cartoon"), strict=True)),
        training_data_sha256="ab" * 32,
        facts={"clips": 18},
    )


def _without_others() -> FittedModel:
    """A model that learned nothing of other things: it knows shows only."""
    fitted = _fitted()
    linear = Linear(fitted.head.linear.matrix[:, :3], fitted.head.linear.bias[:3])
    head = dataclasses.replace(fitted.head, linear=linear, others=False)
    return dataclasses.replace(fitted, head=head, verdict=None, kinds=None)


def _export(fitted, backbone, path, clips, **changes) -> export_module.Exported:
    options = {"version": "1", "licence": "x", "precision": "float32", **changes}
    return export_module.export(fitted, backbone, path, clips=clips, **options)


@pytest.fixture
def frames(drawn_clips) -> np.ndarray:
    return np.stack([drawn_clips.frames(index) for index in (0, 7, 14)])


@pytest.mark.parametrize(
    ("precision", "make"), [("float32", _without_others), ("float16", _fitted), ("float32", _fitted)]
)
def test_the_file_answers_as_keras_and_numpy_do(tmp_path, small_backbone, frames, precision, make):
    fitted = make()
    exported = _export(
        fitted, small_backbone, tmp_path / "model.onnx", frames, version="1.2.3", precision=precision
    )
    assert exported.worst_error <= export_module.TOLERANCE
    assert exported.clips == 3
    classifier = Classifier(exported.path)
    prediction = classifier.classify(Clip(frames[0], tuple(range(10))))
    assert classifier.shows == SHOWS
    assert classifier.threshold == fitted.unknown_threshold
    assert prediction.model.version == "1.2.3"
    # numpy, on what the network itself says of the frames; rounding to float16 may move it a little
    values = tap_model(small_backbone, fitted.head.taps).predict(frames.reshape(-1, 224, 224, 3), verbose=0)
    taps = {t: v.reshape(3, 10, -1) for t, v in zip(fitted.head.taps, values, strict=True)}
    expected, found = fitted.head.answer(taps), classifier.run(frames)
    for name in OUTPUTS if fitted.head.others else OUTPUTS[:-1]:
        ours, theirs = getattr(expected, name), getattr(found, name)
        atol = (1e-5 if precision == "float32" else 2e-2) * np.abs(ours).max()
        np.testing.assert_allclose(theirs, ours, atol=atol, rtol=0)


def test_the_file_answers_clips_of_any_number_of_frames(tmp_path, small_backbone, frames):
    exported = _export(_fitted(), small_backbone, tmp_path / "model.onnx", frames)
    classifier = Classifier(exported.path)
    fixed = clip_model(small_backbone, _fitted().head, frames=3)

    found = classifier.run(frames[:, 4:7])
    whole = classifier.run(frames)

    assert classifier.takes_any_frames
    expected = fixed.predict(frames[:, 4:7], verbose=0)
    for name in OUTPUTS:
        ours, theirs = np.asarray(expected[name]), getattr(found, name)
        np.testing.assert_allclose(theirs, ours, atol=1e-5 * np.abs(ours).max(), rtol=0)
    np.testing.assert_allclose(found.frame_probabilities, whole.frame_probabilities[:, 4:7], atol=1e-5)


def test_the_file_keeps_its_contract_at_half_the_size(tmp_path, small_backbone, frames):
    small = _export(_fitted(), small_backbone, tmp_path / "small.onnx", frames[:1], precision="float16")
    large = _export(_fitted(), small_backbone, tmp_path / "large.onnx", frames[:1])
    assert small.size_bytes < 0.6 * large.size_bytes
    proto = onnx.load(small.path)
    onnx.checker.check_model(proto)
    assert [(entry.domain, entry.version) for entry in proto.opset_import if entry.domain == ""] == [("", 17)]
    assert "BatchNormalization" not in {node.op_type for node in proto.graph.node}
    properties = {entry.key: entry.value for entry in proto.metadata_props}
    assert properties == {
        "contract": CONTRACT,
        "name": "gif-shows",
        "version": "1",
        "shows": json.dumps(SHOWS),
        "clip_shape": "[10, 224, 224, 3]",
        "unknown_threshold": "0.123456789012345",
        "training_data_sha256": "ab" * 32,
        "licence": "x",
        "verdict": '{"show": 0.5, "one_of": 0.7, "kind": 0.9}',
        "kinds": json.dumps(dict(_fitted().kinds)),
    }


RULE = EarlyExit((1, 5, 8), 0.8)


def test_a_file_with_a_rule_stops_early_and_gives_the_same_answer_in_two_parts(
    tmp_path, small_backbone, frames
):
    fitted = _fitted()
    exported = _export(fitted, small_backbone, tmp_path / "model.onnx", frames, early_exit=RULE)
    classifier = Classifier(exported.path, early_exit=True)
    never, always = (dataclasses.replace(RULE, threshold=at) for at in (1.0, 0.0))

    assert classifier.rule == RULE
    whole = classifier.run(frames)
    for number, clip in enumerate(frames):
        parts = score(classifier.run, clip, never)
        np.testing.assert_allclose(parts.probabilities, whole.probabilities[number], atol=1e-5)
        np.testing.assert_allclose(parts.familiarity, whole.familiarity[number], atol=1e-5)
        first = score(classifier.run, clip, always)
        assert first.frames == RULE.frames


def test_a_file_that_answers_differently_is_not_written(tmp_path, small_backbone, frames, monkeypatch):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"the model before")
    convert = export_module.to_onnx

    def broken(model):
        proto = convert(model)
        (matrix,) = [tensor for tensor in proto.graph.initializer if list(tensor.dims) == [916, 4]]
        values = onnx.numpy_helper.to_array(matrix) * np.float32(1.001)
        matrix.CopyFrom(onnx.numpy_helper.from_array(values, matrix.name))
        return proto

    monkeypatch.setattr(export_module, "to_onnx", broken)
    with pytest.raises(ExportFailed, match="differs by"):
        _export(_fitted(), small_backbone, path, frames)
    assert path.read_bytes() == b"the model before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_model_that_inference_refuses_is_not_written(tmp_path, small_backbone, frames):
    fitted = dataclasses.replace(_fitted(), shows=("Same", "Same", "Other"))
    with pytest.raises(ExportFailed, match="must differ"):
        _export(fitted, small_backbone, tmp_path / "m.onnx", frames)
    with pytest.raises(ExportFailed, match="to compare on"):
        _export(_fitted(), small_backbone, tmp_path / "m.onnx", frames[:0])
    assert not list(tmp_path.iterdir())


def test_a_fitted_model_is_saved_and_loaded(tmp_path, small_backbone, frames):
    fitted = _fitted()
    fitted.save(tmp_path / "model.npz")
    loaded = FittedModel.load(tmp_path / "model.npz")
    assert (loaded.shows, loaded.backbone, loaded.facts) == (fitted.shows, fitted.backbone, fitted.facts)
    assert loaded.unknown_threshold == fitted.unknown_threshold
    assert (loaded.verdict, loaded.kinds) == (fitted.verdict, fitted.kinds)
    one = clip_model(small_backbone, loaded.head).predict(frames, verbose=0)
    two = clip_model(small_backbone, fitted.head).predict(frames, verbose=0)
    for name in OUTPUTS:
        np.testing.assert_array_equal(one[name], two[name])


def test_other_files_than_fitted_models_are_refused(tmp_path):
    with pytest.raises(InvalidRun, match="no fitted model"):
        FittedModel.load(tmp_path / "none.npz")
    for content in (b"", b"PK\x03\x04", b"text"):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(InvalidRun, match="not a fitted model"):
            FittedModel.load(tmp_path / "bad.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(InvalidRun, match="not a fitted model"):
        FittedModel.load(tmp_path / "other.npz")
    np.savez(tmp_path / "tuned.npz", **{"weights:top_conv/kernel": np.zeros(3)})
    with pytest.raises(InvalidRun, match="fine-tuned"):
        FittedModel.load(tmp_path / "tuned.npz")


def test_int8_names_the_same_shows_in_a_smaller_file(tmp_path, small_backbone, drawn_clips):
    every = [drawn_clips.frames(index) for index in range(len(drawn_clips))]
    clips, options = np.stack(every[1::2]), {"precision": "int8", "calibration": every[::2]}

    whole = _export(_fitted(), small_backbone, tmp_path / "float.onnx", clips)
    small = _export(_fitted(), small_backbone, tmp_path / "int8.onnx", clips, **options)

    assert small.size_bytes < 0.5 * whole.size_bytes
    assert (small.agreement, small.clips) == (1.0, 9)
    assert small.worst_error > export_module.TOLERANCE
    assert Classifier(small.path).shows == SHOWS


def test_int8_that_names_other_shows_is_not_written(tmp_path, small_backbone, drawn_clips, monkeypatch):
    every = np.stack([drawn_clips.frames(index) for index in range(len(drawn_clips))])

    def broken(exact, quantized, linear, clips):
        return Linear(np.roll(linear.matrix, 1, axis=1), linear.bias)

    monkeypatch.setattr(export_module, "fit_head", broken)
    options = {"precision": "int8", "calibration": every[::2]}

    with pytest.raises(ExportFailed, match="int8 answers as float32 does for"):
        _export(_fitted(), small_backbone, tmp_path / "int8.onnx", every[1::2], **options)

    assert not list(tmp_path.iterdir())
