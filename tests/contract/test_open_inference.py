"""The Open Inference Protocol: with a real client, and with requests that this client cannot send."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import pytest
from open_inference.v2 import open_inference_pb2 as pb
from open_inference.v2 import open_inference_pb2_grpc as pb_grpc

from services.clip import CLIP_SHAPE, Clip
from services.inference import OUTPUTS, Classifier
from tests.support.paths import ROOT

TRITON = ROOT / ".venv/triton"
RED, GREEN, BLUE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128)
YELLOW, OLIVE = (255, 255, 0), (200, 200, 60)


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    """A clip of noise: uint8 [10, 224, 224, 3]."""
    return np.random.default_rng(0).integers(0, 256, CLIP_SHAPE, np.uint8)


@pytest.fixture(scope="module")
def triton(address: str, frames: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The answers to tritonclient, in another process, because one cannot load two copies of the contract."""
    if not (TRITON / "ready").exists():
        pytest.skip("This test needs tritonclient, which is not installed: make .venv/triton/ready.")
    path = tmp_path_factory.mktemp("clip") / "clip.npy"
    np.save(path, frames)
    done = subprocess.run(
        [TRITON / "bin/python", ROOT / "tests/contract/ask_with_triton.py", address, path],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.tools
def test_tritonclient_finds_the_server_and_the_model_ready(triton: dict[str, Any]) -> None:
    assert (triton["live"], triton["ready"], triton["model_ready"]) == (True, True, True)
    assert not triton["other_ready"]
    assert triton["server"]["name"] == "gif-analyzer"


@pytest.mark.tools
def test_tritonclient_reads_inputs_and_outputs_of_the_model(triton: dict[str, Any]) -> None:
    metadata = triton["metadata"]

    assert (metadata["name"], metadata["versions"]) == ("mean-colour", ["1.2.3"])
    assert metadata["inputs"] == [
        {"name": "clip", "datatype": "UINT8", "shape": ["-1", "10", "224", "224", "3"]}
    ]
    assert {output["name"]: (output["datatype"], output["shape"]) for output in metadata["outputs"]} == {
        "probabilities": ("FP32", ["-1", "3"]),
        "frame_probabilities": ("FP32", ["-1", "10", "3"]),
        "embedding": ("FP32", ["-1", "3"]),
        "familiarity": ("FP32", ["-1"]),
        "verdict": ("BYTES", ["-1"]),
        "verdict_names": ("BYTES", ["-1", "3"]),
    }


def test_the_properties_contain_the_shows(channel: grpc.Channel) -> None:
    # tritonclient's copy of the contract has no properties.
    stub = pb_grpc.GRPCInferenceServiceStub(channel)

    properties = stub.ModelMetadata(pb.ModelMetadataRequest(name="mean-colour", version="1.2.3")).properties

    assert json.loads(properties["shows"]) == ["Red Show", "Green Show", "Blue Show"]
    assert float(properties["unknown_threshold"]) == -1


@pytest.mark.tools
def test_tritonclient_gets_the_outputs_of_the_model(
    triton: dict[str, Any], classifier: Classifier, frames: np.ndarray
) -> None:
    here = classifier.run(frames[np.newaxis])

    assert triton["id"] == "42"
    assert list(triton["outputs"]) == [*OUTPUTS, "verdict", "verdict_names"]
    for name in OUTPUTS:
        expected, output = getattr(here, name), triton["outputs"][name]
        assert (output["dtype"], tuple(output["shape"])) == ("float32", expected.shape)
        assert output["hex"] == expected.tobytes().hex()
    verdict, names = triton["outputs"]["verdict"], triton["outputs"]["verdict_names"]
    assert (verdict["dtype"], verdict["shape"], verdict["text"]) == ("object", [1], ["unknown"])
    assert (names["dtype"], names["shape"], names["text"]) == ("object", [1, 3], ["", "", ""])
    assert triton["batch"] == {"probabilities": [2, 3], "familiarity": [2], "verdict": [2]}


@pytest.mark.tools
@pytest.mark.parametrize(
    ("kind", "code", "says"),
    [
        ("model", "NOT_FOUND", "no such model: resnet; this service has mean-colour 1.2.3"),
        ("version", "NOT_FOUND", "no such model: mean-colour 9;"),
        ("name", "INVALID_ARGUMENT", "inputs.name: it must be clip, the only input, this is image"),
        ("output", "INVALID_ARGUMENT", "outputs.name: it must be one of probabilities, frame_probabilities"),
        ("shape", "INVALID_ARGUMENT", "inputs.shape: it must be [1..8, 10, 224, 224, 3], this is [1, 9, 224"),
        (
            "batch",
            "INVALID_ARGUMENT",
            "inputs.shape: it must be [1..8, 10, 224, 224, 3], this is [9, 10, 224",
        ),
        ("dtype", "INVALID_ARGUMENT", "inputs.datatype: it must be UINT8, this is FP32"),
    ],
)
def test_tritonclient_gets_the_reason_of_an_error(
    triton: dict[str, Any], kind: str, code: str, says: str
) -> None:
    error = triton["errors"][kind]

    assert error["code"] == f"StatusCode.{code}"
    assert says in error["message"]


# What tritonclient cannot send


def infer(channel: grpc.Channel, frames: np.ndarray, **options: Any) -> pb.ModelInferResponse:
    """Send a request, with typed contents by default."""
    tensor = pb.ModelInferRequest.InferInputTensor(
        name="clip",
        datatype="UINT8",
        shape=options.pop("shape", [1, *CLIP_SHAPE]),
        contents=pb.InferTensorContents(
            **options.pop("contents", {"uint_contents": frames.ravel().tolist()})
        ),
    )
    request = pb.ModelInferRequest(
        model_name="mean-colour", inputs=[tensor] * options.pop("times", 1), **options
    )
    return pb_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request, timeout=30)


def test_typed_contents_give_the_same_outputs(
    channel: grpc.Channel, classifier: Classifier, frames: np.ndarray
) -> None:
    response = infer(channel, frames)

    assert [output.name for output in response.outputs] == [*OUTPUTS, "verdict", "verdict_names"]
    here = classifier.run(frames[np.newaxis])
    assert response.raw_output_contents[0] == here.probabilities.tobytes()
    assert list(response.outputs[1].shape) == [1, 10, 3]


def read_texts(content: bytes) -> list[str]:
    """The elements of a BYTES tensor; each follows its length in four bytes, little-endian."""
    texts = []
    while content:
        end = 4 + int.from_bytes(content[:4], "little")
        texts.append(content[4:end].decode())
        content = content[end:]
    return texts


def test_each_clip_of_a_batch_gets_the_answer_of_classify(
    channel: grpc.Channel, classifier: Classifier, clip_of: Callable[..., Clip], frames: np.ndarray
) -> None:
    times = clip_of(RED).timestamps_ms
    clips = [
        clip_of(RED),
        clip_of(RED, GREEN, YELLOW),
        clip_of(OLIVE),
        clip_of(GREY),
        Clip(frames, times),
    ]
    predictions = [classifier.classify(clip, top_k=3) for clip in clips]
    raw = b"".join(clip.frames.tobytes() for clip in clips)

    response = infer(channel, np.empty(0), contents={}, raw_input_contents=[raw], shape=[5, *CLIP_SHAPE])

    shapes = {output.name: list(output.shape) for output in response.outputs}
    contents = dict(zip(shapes, response.raw_output_contents, strict=True))
    assert shapes == {
        "probabilities": [5, 3],
        "frame_probabilities": [5, 10, 3],
        "embedding": [5, 3],
        "familiarity": [5],
        "verdict": [5],
        "verdict_names": [5, 3],
    }
    assert [prediction.verdict.level for prediction in predictions] == [
        *("show", "one_of", "kind", "unknown", "unknown")
    ]
    assert read_texts(contents["verdict"]) == [prediction.verdict.level for prediction in predictions]
    names = [[*each.verdict.names, "", "", ""][:3] for each in predictions]
    assert read_texts(contents["verdict_names"]) == [name for each in names for name in each]
    probabilities = np.frombuffer(contents["probabilities"], "<f4").reshape(5, 3)
    votes = np.frombuffer(contents["frame_probabilities"], "<f4").reshape(5, 10, 3)
    for index, prediction in enumerate(predictions):
        exact = {ranked.show: ranked.probability for ranked in prediction.shows}
        assert [float(value) for value in probabilities[index]] == [exact[show] for show in classifier.shows]
        for frame, instant in enumerate(times):
            latest = [vote for vote in prediction.votes if vote.offset_ms <= instant][-1]
            assert float(votes[index, frame].max()) == latest.probability


def test_a_full_batch_of_typed_contents_fits_into_a_message(channel: grpc.Channel) -> None:
    tensor = pb.ModelInferRequest.InferInputTensor(
        name="clip",
        datatype="UINT8",
        shape=[8, *CLIP_SHAPE],
        contents=pb.InferTensorContents(uint_contents=np.full(8 * np.prod(CLIP_SHAPE), 255).tolist()),
    )
    request = pb.ModelInferRequest(model_name="mean-colour", inputs=[tensor])

    response = pb_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request, timeout=240)

    assert list(response.outputs[0].shape) == [8, 3]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"contents": {"uint_contents": [1, 2]}}, "it must be 1505280 values, this is 2 values"),
        ({"contents": {"int_contents": [1]}}, "it must be 1505280 values, this is 0 values"),
        ({"contents": {}, "raw_input_contents": [b"abc"]}, "it must be 1505280 bytes, this is 3 bytes"),
        ({"raw_input_contents": [b"abc"]}, "one for each input, and then no typed contents"),
        ({"contents": {}, "raw_input_contents": [b"", b""]}, "one for each input"),
        ({"times": 2}, "it must be clip, the only input, this is clip, clip"),
        ({"times": 0}, "it must be clip, the only input, this is none"),
    ],
    ids=["few", "other type", "raw few", "both", "two raw", "twice", "none"],
)
def test_invalid_contents_are_refused(
    channel: grpc.Channel, frames: np.ndarray, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        infer(channel, frames, **options)

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert says in caught.value.details()


def test_values_above_255_are_refused(channel: grpc.Channel, frames: np.ndarray) -> None:
    values = frames.ravel().astype(np.uint32)
    values[7] = 256

    with pytest.raises(grpc.RpcError, match=r"values in 0\.\.255, this is 256"):
        infer(channel, frames, contents={"uint_contents": values.tolist()})


def test_raw_contents_are_classified(channel: grpc.Channel, clip_of: Callable[..., Clip]) -> None:
    raw = clip_of(BLUE).frames.tobytes()

    response = infer(
        channel,
        np.empty(0),
        contents={},
        raw_input_contents=[raw],
        outputs=[pb.ModelInferRequest.InferRequestedOutputTensor(name="probabilities")],
    )

    [probabilities] = response.raw_output_contents
    assert np.frombuffer(probabilities, "<f4").argmax() == 2
