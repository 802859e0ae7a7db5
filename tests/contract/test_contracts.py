"""The contracts are documented, and their encoding never changes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from gif_analyzer.v1 import clip_pb2, identification_pb2, inference_pb2, preprocess_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import Message
from open_inference.v2 import open_inference_pb2

from tests.support.paths import ROOT

PROTO = ROOT / "proto"
CONTRACTS = sorted(
    str(path.relative_to(PROTO)) for path in PROTO.glob("**/*.proto") if "gen" not in path.parts
)

# Recorded when each message was new. Changing these bytes breaks every client: add fields, never change them.
GOLDEN: dict[str, tuple[Message, str]] = {
    "clip": (clip_pb2.Clip(frames=b"\x00\x7f\xff", offsets_ms=[0, 50, 1000]), "0a03007fff12040032e807"),
    "decode request": (
        preprocess_pb2.DecodeGifRequest(
            gif=b"GIF89a",
            budget=preprocess_pb2.Budget(
                max_bytes=1, max_canvas_pixels=2, max_frames=0, max_decoded_pixels=1_000_000_000
            ),
        ),
        "0a06474946383961120c080110021800208094ebdc03",
    ),
    "decode response": (
        preprocess_pb2.DecodeGifResponse(
            clip=clip_pb2.Clip(frames=b"\x01", offsets_ms=[5]),
            source=clip_pb2.GifSource(
                width=320, height=240, frame_count=12, duration_ms=4_000_000_000, size_bytes=99, sha256="ab"
            ),
        ),
        "0a060a0101120105121408c00210f001180c2080d0acf30e286332026162",
    ),
    "format of a source": (clip_pb2.GifSource(format="webp"), "3a0477656270"),
    "content of a source": (clip_pb2.GifSource(content_width=320, content_height=180), "40c00248b401"),
    "format of an answer": (identification_pb2.Identification(format="apng"), "420461706e67"),
    "classify request": (
        inference_pb2.ClassifyRequest(clip=clip_pb2.Clip(frames=b"\x02", offsets_ms=[7]), top_k=0),
        "0a060a01021201071000",
    ),
    "classify response": (
        inference_pb2.ClassifyResponse(
            shows=[inference_pb2.ShowProbability(show="Big Buck Bunny", probability=0.75)],
            known=True,
            votes=[inference_pb2.FrameVote(offset_ms=150, show="Big Buck Bunny", probability=0.5)],
            model=inference_pb2.Model(name="m", version="1", training_data_sha256="cd", licence="free"),
        ),
        "0a150a0e426967204275636b2042756e6e79150000403f10011a18089601120e426967204275636b2042756e6e"
        "791d0000003f22100a016d1201311a026364220466726565",
    ),
    "verdict": (
        inference_pb2.ClassifyResponse(
            verdict=inference_pb2.Verdict(level="one_of", names=["Friends", "Seinfeld"], text="both")
        ),
        "2a210a066f6e655f6f661207467269656e647312085365696e66656c641a04626f7468",
    ),
    "identification": (
        identification_pb2.Identification(
            source="a.gif",
            shows=[inference_pb2.ShowProbability(show="a", probability=1)],
            votes=[inference_pb2.FrameVote(offset_ms=1, show="a", probability=1)],
            model=inference_pb2.Model(name="m"),
            pictures=[b"jpeg"],
            verdict=inference_pb2.Verdict(level="show", names=["a"], text="a"),
        ),
        "0a05612e67696612080a0161150000803f220a08011201611d0000803f2a030a016d32046a7065673a0c0a0473"
        "686f771201611a0161",
    ),
    "model request": (inference_pb2.GetModelRequest(), ""),
    "model response": (
        inference_pb2.GetModelResponse(
            model=inference_pb2.Model(name="m"), shows=["a", "b"], unknown_threshold=0.25, embedding_size=3
        ),
        "0a030a016d12016112016219000000000000d03f2003",
    ),
    "matches and neighbours": (
        inference_pb2.ClassifyResponse(
            matches=[
                inference_pb2.Match(
                    show="a",
                    name="a.gif",
                    similarity=0.75,
                    frame_count=9,
                    query=inference_pb2.TimeSpan(start_ms=150, end_ms=2850),
                    known=inference_pb2.TimeSpan(start_ms=4_000_000_000, end_ms=4_000_000_001),
                    mirrored=True,
                )
            ],
            neighbours=[inference_pb2.Neighbour(show="b", name="b.gif", similarity=-0.5)],
        ),
        "32290a01611205612e6769661d0000403f20092a0608960110a216320c0880d0acf30e1081d0acf30e38013a"
        "0f0a01621205622e6769661d000000bf",
    ),
    "evidence of an answer": (
        identification_pb2.Identification(
            matches=[inference_pb2.Match(show="a")], neighbours=[inference_pb2.Neighbour(show="b")]
        ),
        "4a030a016152030a0162",
    ),
    "library": (
        inference_pb2.GetModelResponse(
            library=inference_pb2.LibraryInfo(clip_count=120, shows=["a", "b"], sha256="ab")
        ),
        "2a0c08781201611201621a026162",
    ),
    "infer request": (
        open_inference_pb2.ModelInferRequest(
            model_name="m",
            model_version="1",
            id="7",
            inputs=[
                open_inference_pb2.ModelInferRequest.InferInputTensor(
                    name="clip",
                    datatype="UINT8",
                    shape=[1, 2],
                    contents=open_inference_pb2.InferTensorContents(uint_contents=[1, 200]),
                )
            ],
            outputs=[open_inference_pb2.ModelInferRequest.InferRequestedOutputTensor(name="embedding")],
            raw_input_contents=[b"\x01\x02"],
        ),
        "0a016d1201311a01372a180a04636c6970120555494e54381a0201022a05220301c801320b0a09656d62656464"
        "696e673a020102",
    ),
    "infer response": (
        open_inference_pb2.ModelInferResponse(
            model_name="m",
            model_version="1",
            id="7",
            outputs=[
                open_inference_pb2.ModelInferResponse.InferOutputTensor(
                    name="embedding", datatype="FP32", shape=[1, 1]
                )
            ],
            raw_output_contents=[b"\x00\x00\x80\x3f"],
        ),
        "0a016d1201311a01372a150a09656d62656464696e671204465033321a02010132040000803f",
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_the_encoding_of_a_message_never_changes(name: str) -> None:
    message, golden = GOLDEN[name]

    assert message.SerializeToString(deterministic=True).hex() == golden
    assert type(message).FromString(bytes.fromhex(golden)) == message


def test_a_field_of_a_later_version_is_ignored() -> None:
    later = inference_pb2.ShowProbability(show="a", probability=1).SerializeToString() + b"\x9a\x06\x03new"

    assert inference_pb2.ShowProbability.FromString(later).show == "a"


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> list[FileDescriptorProto]:
    """The contracts as protoc reads them, with their comments."""
    pytest.importorskip(
        "grpc_tools", reason="This test needs grpcio-tools, which holds protoc and is not installed."
    )
    path = tmp_path_factory.mktemp("proto") / "all.binpb"
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", "-I."),
            *("--include_source_info", f"--descriptor_set_out={path}", *CONTRACTS),
        ],
        cwd=PROTO,
        check=True,
    )
    return list(FileDescriptorSet.FromString(path.read_bytes()).file)


def elements(file: FileDescriptorProto) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every service, method, message and field with its path in the descriptor, except map entries."""
    for index, service in enumerate(file.service):
        yield service.name, (6, index)
        for number, method in enumerate(service.method):
            yield f"{service.name}.{method.name}", (6, index, 2, number)

    def inside(
        message: DescriptorProto, name: str, path: tuple[int, ...]
    ) -> Iterator[tuple[str, tuple[int, ...]]]:
        if message.options.map_entry:
            return
        yield name, path
        for number, part in enumerate(message.field):
            yield f"{name}.{part.name}", (*path, 2, number)
        for number, nested in enumerate(message.nested_type):
            yield from inside(nested, f"{name}.{nested.name}", (*path, 3, number))

    for index, message in enumerate(file.message_type):
        yield from inside(message, message.name, (4, index))


def test_every_service_method_message_and_field_is_documented(described: list[FileDescriptorProto]) -> None:
    seen, silent = 0, []
    for file in described:
        comments = {
            tuple(place.path): place.leading_comments.strip() for place in file.source_code_info.location
        }
        for name, path in elements(file):
            seen += 1
            if not comments.get(path, "").endswith((".", "details.")) and "\n" not in comments.get(path, ""):
                silent.append(name)

    assert seen > 100
    assert silent == []


def test_every_contract_names_its_packages_in_other_languages(described: list[FileDescriptorProto]) -> None:
    ours = [file.options for file in described if file.package == "gif_analyzer.v1"]

    assert len(ours) == 4
    assert {(each.go_package, each.java_package, each.csharp_namespace) for each in ours} == {
        ("gif_analyzer/v1;gifanalyzerv1", "gifanalyzer.v1", "GifAnalyzer.V1")
    }
    assert all(each.java_multiple_files for each in ours)
    assert len({each.java_outer_classname for each in ours}) == 4


def test_one_thing_has_one_name(described: list[FileDescriptorProto]) -> None:
    """`frames` are pixels alone; a count ends in `_count`, and an instant of a clip is an offset."""
    fields = {
        f"{message.name}.{field.name}"
        for file in described
        if file.package == "gif_analyzer.v1"
        for message in file.message_type
        for field in message.field
    }

    assert {name for name in fields if name.endswith(".frames")} == {"Clip.frames"}
    assert {name for name in fields if name.endswith(".clips")} == set()
    assert {name for name in fields if "timestamp" in name} == set()
    assert {"GifSource.frame_count", "Match.frame_count", "LibraryInfo.clip_count"} <= fields
    assert {"ClassifyResponse.votes", "Identification.votes", "FrameVote.offset_ms"} <= fields


@pytest.mark.tools
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("int64 duration_ms = 4;", "int64 duration_ms = 9;"),
        ("int64 duration_ms = 4;", "int32 duration_ms = 4;"),
        ("rpc GetModel(GetModelRequest) returns (GetModelResponse);", ""),
    ],
    ids=["renumbered", "retyped", "removed"],
)
def test_buf_finds_breaking_changes(tmp_path: Path, before: str, after: str) -> None:
    buf = Path(sys.executable).with_name("buf")
    if not buf.exists():
        pytest.skip("This test needs buf, which is not installed: make setup.")
    released, changed = tmp_path / "released", tmp_path / "changed"
    for folder in (released, changed):
        shutil.copytree(PROTO, folder, ignore=shutil.ignore_patterns("gen"))
    for path in changed.glob("*/*/*.proto"):
        path.write_text(path.read_text("utf-8").replace(before, after), "utf-8")

    def breaks(contracts: Path) -> int:
        command = [buf, "breaking", contracts, "--against", released]
        return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode

    assert breaks(released) == 0
    assert breaks(changed) == 100  # buf's code for findings


def test_the_field_numbers_are_those_of_the_open_inference_protocol() -> None:
    request = open_inference_pb2.ModelInferRequest.DESCRIPTOR
    numbers = {field.name: field.number for field in request.fields}

    assert request.full_name == "inference.ModelInferRequest"
    assert numbers == {
        "model_name": 1,
        "model_version": 2,
        "id": 3,
        "parameters": 4,
        "inputs": 5,
        "outputs": 6,
        "raw_input_contents": 7,
    }
    contents = open_inference_pb2.InferTensorContents.DESCRIPTOR
    assert {field.name: field.number for field in contents.fields} == {
        f"{kind}_contents": number
        for number, kind in enumerate(
            ("bool", "int", "int64", "uint", "uint64", "fp32", "fp64", "bytes"), start=1
        )
    }
