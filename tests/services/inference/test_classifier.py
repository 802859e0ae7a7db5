from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from services.clip import CLIP_SHAPE, Clip
from services.errors import InvalidArgument, ModelError
from services.inference import Classifier
from tests.support.models import mean_colour
from tests.support.programs import python

SaveModel = Callable[..., Path]
ClipOf = Callable[..., Clip]

RED, GREEN, BLUE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128)


def test_the_most_probable_show_comes_first(model_path: Path, clip_of: ClipOf) -> None:
    prediction = Classifier(model_path).classify(clip_of((20, 200, 90)))

    assert [ranked.show for ranked in prediction.shows] == ["Green Show", "Blue Show", "Red Show"]
    assert sum(ranked.probability for ranked in prediction.shows) == pytest.approx(1)
    assert prediction.known


def test_the_probabilities_are_the_softmax_of_the_mean_colour(model_path: Path, clip_of: ClipOf) -> None:
    colour = (20, 200, 90)
    powers = np.exp(8 * mean_colour(colour) / 255)
    expected = powers / powers.sum()

    outputs = Classifier(model_path).run(clip_of(colour).frames[np.newaxis])

    # The graph adds up 50,176 pixels in float32.
    np.testing.assert_allclose(outputs.probabilities, expected[np.newaxis], rtol=5e-3)


def test_every_frame_votes_at_its_own_time(model_path: Path, clip_of: ClipOf) -> None:
    prediction = Classifier(model_path).classify(clip_of(RED, BLUE))

    assert [vote.show for vote in prediction.votes] == ["Red Show"] * 5 + ["Blue Show"] * 5
    assert [vote.offset_ms for vote in prediction.votes] == list(range(50, 1050, 100))
    assert all(0.99 < vote.probability <= 1 for vote in prediction.votes)


def test_a_grey_clip_is_unknown_and_ties_keep_the_order_of_the_model(
    model_path: Path, clip_of: ClipOf
) -> None:
    prediction = Classifier(model_path).classify(clip_of(GREY))

    assert not prediction.known
    assert [ranked.show for ranked in prediction.shows] == ["Red Show", "Green Show", "Blue Show"]


def test_a_clip_is_known_from_the_threshold_on(save_model: SaveModel, clip_of: ClipOf) -> None:
    classifier = Classifier(save_model(metadata={"unknown_threshold": "0"}))

    assert classifier.classify(clip_of(GREY)).known


# A batch


def test_a_batch_gives_the_outputs_of_its_clips(model_path: Path, clip_of: ClipOf) -> None:
    classifier = Classifier(model_path)
    clips = [clip_of(colour).frames for colour in (RED, (9, 90, 45), GREY)]

    batch = classifier.run(np.stack(clips))

    assert batch.probabilities.shape == (3, 3)
    assert batch.frame_probabilities.shape == (3, 10, 3)
    assert batch.embedding.shape == (3, 3)
    assert batch.familiarity.shape == (3,)
    for index, frames in enumerate(clips):
        single = classifier.run(frames[np.newaxis])
        np.testing.assert_allclose(single.probabilities[0], batch.probabilities[index], rtol=1e-5)
        np.testing.assert_allclose(single.familiarity[0], batch.familiarity[index], rtol=1e-5, atol=1e-6)


OPEN = {
    "input_shape": ("batch", "frame", *CLIP_SHAPE[1:]),
    "outputs": {"frame_probabilities": ("batch", "frame", 3)},
}


@pytest.mark.parametrize(
    ("model", "frames", "says"),
    [
        ({}, np.zeros((1, *CLIP_SHAPE), np.float32), "frames: it must be uint8"),
        ({}, np.zeros(CLIP_SHAPE, np.uint8), "frames: it must be shape"),
        ({}, np.zeros((0, *CLIP_SHAPE), np.uint8), "frames: it must be shape"),
        ({}, np.zeros((1, 9, 224, 224, 3), np.uint8), r"\(batch, 10, 224, 224, 3\)"),
        (OPEN, np.zeros((1, 0, 224, 224, 3), np.uint8), r"\(batch, 1..10, 224, 224, 3\)"),
        (OPEN, np.zeros((1, 11, 224, 224, 3), np.uint8), r"\(batch, 1..10, 224, 224, 3\)"),
    ],
    ids=["dtype", "no batch axis", "empty batch", "nine frames", "no frames", "eleven frames"],
)
def test_a_batch_of_another_type_or_shape_is_refused(
    save_model: SaveModel, model: dict[str, Any], frames: np.ndarray, says: str
) -> None:
    classifier = Classifier(save_model(**model))

    assert classifier.takes_any_frames == bool(model)
    with pytest.raises(InvalidArgument, match=says):
        classifier.run(frames)


@pytest.mark.parametrize("count", [1, 3, 10])
def test_a_model_may_take_clips_of_fewer_frames(save_model: SaveModel, clip_of: ClipOf, count: int) -> None:
    classifier = Classifier(save_model(**OPEN))
    frames = clip_of(RED, (9, 90, 45)).frames[np.newaxis]

    some, whole = classifier.run(frames[:, :count]), classifier.run(frames)

    assert classifier.takes_any_frames
    np.testing.assert_allclose(some.frame_probabilities, whole.frame_probabilities[:, :count], rtol=1e-6)


def test_threads_share_one_classifier(model_path: Path) -> None:
    classifier = Classifier(model_path, threads=2)
    random = np.random.default_rng(0)
    batches = random.integers(0, 256, (8, 1, *CLIP_SHAPE), np.uint8)
    expected = [classifier.run(batch).probabilities for batch in batches]

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda turn: classifier.run(batches[turn % 8]).probabilities, range(64)))

    for turn, answer in enumerate(answers):
        np.testing.assert_array_equal(answer, expected[turn % 8])


def test_less_than_one_thread_is_refused(model_path: Path) -> None:
    with pytest.raises(ValueError, match="threads"):
        Classifier(model_path, threads=0)


# Invalid files


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"input_name": "image"}, "must take one input, clip; its inputs are: image"),
        ({"second_input": True}, "its inputs are: clip, mask"),
        ({"input_type": TensorProto.FLOAT}, "input clip must be uint8, it is float32"),
        (
            {"input_shape": ("batch", 8, 224, 224, 3)},
            r"input clip must have shape \[batch, 10, 224, 224, 3\]",
        ),
        (
            {"input_shape": ("batch", "frame", *CLIP_SHAPE[1:])},
            r"output frame_probabilities must have shape \[batch, frame, 3\], it has \[batch, 10, 3\]",
        ),
        ({"input_shape": ("batch", 10, "height", "width", 3)}, r"it has \[batch, 10, height, width, 3\]"),
        ({"input_shape": (1, *CLIP_SHAPE)}, "input clip must take any batch size, it is fixed at 1"),
        ({"outputs": {"familiarity": None}}, "it gives no output named familiarity"),
        ({"outputs": {"embedding": None, "probabilities": None}}, "no output named probabilities, embedding"),
        ({"metadata": {"shows": '["A", "B"]'}}, r"output probabilities must have shape \[batch, 2\]"),
        ({"metadata": dict.fromkeys(("contract", "shows"))}, "its metadata lack contract, shows"),
        ({"metadata": {"version": " "}}, "its metadata lack version"),
        (
            {"edit": lambda model: model.ClearField("metadata_props")},
            "it carries no metadata of gif-analyzer/1",
        ),
        ({"metadata": {"contract": "gif-analyzer/2"}}, "made for contract gif-analyzer/2, this program for"),
        ({"metadata": {"shows": "Friends"}}, "its shows must be a JSON list of titles, they are Friends"),
        ({"metadata": {"shows": "[]"}}, "its shows must be a JSON list"),
        ({"metadata": {"shows": '["A", "B", 3]'}}, "its shows must be a JSON list"),
        ({"metadata": {"shows": '["A", "B", ""]'}}, "its shows must be a JSON list"),
        ({"metadata": {"shows": "[" * 100_000}}, "its shows must be a JSON list"),
        ({"metadata": {"shows": '["A", "B", "A"]'}}, "its shows must differ; more than once: A"),
        ({"metadata": {"clip_shape": "[16, 224, 224, 3]"}}, r"clip_shape must be \[10, 224, 224, 3\]"),
        (
            {"metadata": {"unknown_threshold": "high"}},
            "unknown_threshold must be a finite number, it is high",
        ),
        ({"metadata": {"unknown_threshold": "nan"}}, "unknown_threshold must be a finite number"),
        ({"metadata": {"unknown_threshold": "-inf"}}, "unknown_threshold must be a finite number"),
        ({"metadata": {"training_data_sha256": "abc"}}, "training_data_sha256 must be 64"),
    ],
)
def test_a_model_that_does_not_fit_the_contract_is_refused(
    save_model: SaveModel, options: dict[str, object], says: str
) -> None:
    path = save_model(**options)

    with pytest.raises(ModelError, match=says) as caught:
        Classifier(path)

    assert caught.value.details["path"] == str(path)


def test_an_embedding_without_a_length_is_refused(save_model: SaveModel) -> None:
    def open_input(model: onnx.ModelProto) -> None:
        """Take the mean over a dimension of unknown size."""
        model.graph.node.append(helper.make_node("NonZero", ["colour"], ["places"]))
        model.graph.node.append(helper.make_node("Cast", ["places"], ["embedding"], to=TensorProto.FLOAT))
        model.graph.node[7].output[0] = "mean"
        for node in model.graph.node[8:10]:
            node.input[0] = "mean"

    with pytest.raises(ModelError, match="output embedding must have a fixed length"):
        Classifier(save_model(edit=open_input, outputs={"embedding": ("batch", "dimension")}))


def test_an_output_of_another_type_is_refused(save_model: SaveModel) -> None:
    def count_instead(model: onnx.ModelProto) -> None:
        model.graph.node[10].output[0] = "difference"
        model.graph.node.append(
            helper.make_node("Cast", ["difference"], ["familiarity"], to=TensorProto.INT64)
        )
        model.graph.output[3].type.tensor_type.elem_type = TensorProto.INT64

    with pytest.raises(ModelError, match=r"output familiarity must be float32, it is tensor\(int64\)"):
        Classifier(save_model(edit=count_instead))


def test_some_other_onnx_model_is_refused(tmp_path: Path) -> None:
    tensor = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3))
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 3))
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", [tensor], [result])
    path = tmp_path / "relu.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)

    with pytest.raises(ModelError, match="must take one input, clip; its inputs are: x"):
        Classifier(path)


@pytest.mark.parametrize(
    ("name", "says"), [("none.onnx", "there is no such file"), ("", "it is a directory")]
)
def test_a_missing_file_or_a_directory_is_refused(tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        Classifier(tmp_path / name)


@pytest.mark.skipif(
    not Path("/dev/full").is_char_device(),
    reason="This test needs the device /dev/full, which this system does not have.",
)
def test_a_device_is_refused() -> None:
    with pytest.raises(ModelError, match="it is not a regular file"):
        Classifier("/dev/full")


@pytest.mark.skipif(
    os.geteuid() == 0, reason="This test needs a file that cannot be read, and root may read every file."
)
def test_a_file_that_may_not_be_read_is_refused(model_path: Path) -> None:
    model_path.chmod(0)

    with pytest.raises(ModelError, match="it cannot be read: permission denied"):
        Classifier(model_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda whole: b"", "it is empty"),
        (lambda whole: b"GIF89a\x01\x00\x01\x00", "it is not an ONNX file, or only a part of one"),
        (lambda whole: b"version https://git-lfs.github.com/spec/v1\n", "it is not an ONNX file"),
        (lambda whole: whole[: len(whole) // 2], "it is not an ONNX file, or only a part of one"),
    ],
    ids=["empty", "gif", "pointer", "half"],
)
def test_a_file_that_is_not_onnx_is_refused(
    model_path: Path, change: Callable[[bytes], bytes], says: str
) -> None:
    model_path.write_bytes(change(model_path.read_bytes()))

    with pytest.raises(ModelError, match=says):
        Classifier(model_path)


def test_a_file_larger_than_any_model_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    with path.open("wb") as file:
        file.truncate(2**31)  # sparse

    with pytest.raises(ModelError, match="has at most 2,147,483,647 bytes, this has 2,147,483,648"):
        Classifier(path)


def test_onnx_runtime_prints_nothing(tmp_path: Path) -> None:
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    program = (
        "import sys; from services.errors import ModelError; from services.inference import Classifier\n"
        "try: Classifier(sys.argv[1])\n"
        "except ModelError: sys.exit(7)"
    )

    done = python(program, tmp_path / "junk.onnx")

    assert (done.returncode, done.stdout, done.stderr) == (7, "", "")


# Models that return invalid numbers


def test_outputs_that_are_not_finite_are_an_error(save_model: SaveModel, clip_of: ClipOf) -> None:
    with pytest.raises(ModelError, match="numbers that are not finite in probabilities"):
        Classifier(save_model(scale=float("inf"))).classify(clip_of(RED))


def test_outputs_that_are_not_probabilities_are_an_error(save_model: SaveModel, clip_of: ClipOf) -> None:
    def logits_for_probabilities(model: onnx.ModelProto) -> None:
        model.graph.node[6].op_type = "Identity"
        model.graph.node[6].ClearField("attribute")

    with pytest.raises(ModelError, match=r"numbers outside 0\.\.1 in probabilities"):
        Classifier(save_model(edit=logits_for_probabilities)).classify(clip_of(RED))


def test_a_graph_that_fails_on_a_clip_is_an_error(save_model: SaveModel, clip_of: ClipOf) -> None:
    def cut_to_seven(model: onnx.ModelProto) -> None:
        """Reshape to a shape that fits only multiples of seven colours."""
        shape = helper.make_tensor("shape", TensorProto.INT64, (2,), (-1, 7))
        model.graph.initializer.append(shape)
        model.graph.node.insert(3, helper.make_node("Reshape", ["colour", "shape"], ["sevens"]))
        model.graph.node.insert(4, helper.make_node("ReduceMean", ["sevens"], ["seven"], keepdims=1))
        model.graph.node[5].input[1] = "seven"

    with pytest.raises(ModelError, match="it does not run"):
        Classifier(save_model(edit=cut_to_seven)).classify(clip_of(RED))
