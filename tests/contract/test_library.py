"""A library of known clips in every interface: the same matches, neighbours and ranking, and no restart."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from fastapi.testclient import TestClient
from gif_analyzer.v1 import inference_pb2 as pb
from gif_analyzer.v1.identification_pb2 import Identification
from gif_analyzer.v1.inference_pb2_grpc import InferenceServiceStub
from google.protobuf import json_format

from delivery.request import Request, from_result, to_event
from gateway.answer import prediction_json
from gateway.pipeline import Pipeline, local
from gateway.remote import remote
from gateway.rest.app import create_app
from services.inference import Classifier, default_model_path
from services.inference.rpc import RemoteClassifier
from services.pair import build_pair
from services.preprocess import Budget, decode_gif
from services.rpc.server import serving
from services.rpc.settings import ServerSettings
from tests.support.library import add_gifs
from tests.support.paths import ROOT

MODEL = default_model_path()
MEADOW, BROOK, SPINNER = (ROOT / "examples" / f"{name}.gif" for name in ("meadow", "brook", "spinner"))
IMAGE = {"content-type": "image/gif"}

Answer = dict[str, Any]
Ask = Callable[[Path], Answer]


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library with a clip of a show that the model knows, and one of a show that only the library knows."""
    return add_gifs(tmp_path / "some.library", MODEL, {"Big Buck Bunny": [MEADOW], "Spinners": [SPINNER]})


@pytest.fixture
def address(library: Path) -> Iterator[str]:
    """The address of both services, which use the library."""
    classifier = Classifier(MODEL, library=library)
    with serving(lambda: build_pair(ServerSettings(port=0), classifier, Budget())) as port:
        yield f"127.0.0.1:{port}"


def answer_of(pipeline: Pipeline) -> Ask:
    return lambda gif: prediction_json("", pipeline.identify(gif.read_bytes()))


async def no_fetch(url: str) -> bytes:
    raise AssertionError(f"nothing is fetched here: {url}")


@pytest.fixture(
    params=["local pipeline", "gRPC pair", "REST in process", "REST over gRPC", "Lambda"],
)
def ask(request: pytest.FixtureRequest, library: Path) -> Iterator[Ask]:
    """A function that identifies a GIF with one interface: file -> JSON."""
    way = request.param
    if way == "Lambda":
        from gateway.lambda_handler import build_handler

        handler = build_handler(local(MODEL, library=library), no_fetch)

        def ask_lambda(gif: Path) -> Answer:
            event = to_event(Request("POST", "/v1/identify", "", IMAGE, gif.read_bytes()))
            answer: Answer = from_result(handler(json.loads(json.dumps(event)), None)).json()
            return answer

        yield ask_lambda
        return
    if "gRPC" in way:
        address = request.getfixturevalue("address")
        pipeline = remote(address, address)
    else:
        pipeline = local(MODEL, library=library)
    if "REST" not in way:
        yield answer_of(pipeline)
        return
    with TestClient(create_app(pipeline, no_fetch)) as client:

        def ask_client(gif: Path) -> Answer:
            response = client.post("/v1/identify", content=gif.read_bytes(), headers=IMAGE)
            json_format.Parse(response.content, Identification())  # raises for unknown fields
            answer: Answer = response.json()
            return answer

        yield ask_client


def directly(library: Path, gif: Path) -> Answer:
    """What the two functions answer."""
    prediction = Classifier(MODEL, library=library).classify(decode_gif(gif.read_bytes()))
    return prediction_json("", prediction)


def test_matches_neighbours_and_ranking_are_those_of_the_functions(ask: Ask, library: Path) -> None:
    for gif in (MEADOW, BROOK, SPINNER):
        answer = ask(gif)
        answer.pop("pictures", None)

        assert answer == directly(library, gif)
    assert answer["shows"][0]["show"] == "Spinners"
    assert answer["verdict"]["names"] == ["Spinners"]
    [match] = answer["matches"]
    assert (match["name"], match["frame_count"], match["mirrored"]) == ("spinner.gif", 10, False)
    assert match["query"] == match["known"] == {"start_ms": 150, "end_ms": 2850}
    assert [each["name"] for each in answer["neighbours"]] == ["spinner.gif", "meadow.gif"]


def test_a_clip_that_is_added_counts_at_once(ask: Ask, library: Path) -> None:
    before = ask(BROOK)

    add_gifs(library, MODEL, {"Brooks": [BROOK]})
    after = ask(BROOK)

    assert before["neighbours"][0]["name"] == "meadow.gif"
    assert (after["neighbours"][0]["show"], after["matches"][0]["name"]) == ("Brooks", "brook.gif")
    assert "Brooks" in {ranked["show"] for ranked in after["shows"]}


def test_a_library_that_is_damaged_changes_no_answer(
    ask: Ask, library: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = ask(SPINNER)

    library.write_bytes(library.read_bytes()[:1000])
    answers = [ask(SPINNER) for _ in range(2)]

    assert answers == [before, before]
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert ["it is damaged" in record.getMessage() for record in warnings] == [True]


@pytest.fixture(params=["in process", "over gRPC"])
def client(request: pytest.FixtureRequest, library: Path) -> Iterator[TestClient]:
    """A client of the REST API, where every address leads to the spinner."""
    if request.param == "over gRPC":
        address = request.getfixturevalue("address")
        pipeline = remote(address, address)
    else:
        pipeline = local(MODEL, library=library)

    async def fetch(url: str) -> bytes:
        return SPINNER.read_bytes()

    with TestClient(create_app(pipeline, fetch)) as client:
        yield client


def test_the_library_is_described(client: TestClient, library: Path) -> None:
    before = client.get("/v1/model").json()["library"]
    add_gifs(library, MODEL, {"Brooks": [BROOK]})

    after, shows = client.get("/v1/model").json(), client.get("/v1/shows").json()["shows"]

    assert (before["clip_count"], before["shows"]) == (2, ["Big Buck Bunny", "Spinners"])
    assert (after["library"]["clip_count"], after["library"]["shows"][-1]) == (3, "Brooks")
    assert before["sha256"] != after["library"]["sha256"]
    assert shows == [*Classifier(MODEL).shows, "Spinners", "Brooks"]
    assert after["shows"] == list(Classifier(MODEL).shows)


def test_an_etag_ends_when_the_library_changes(client: TestClient, library: Path) -> None:
    params = {"url": "http://gifs/spinner.gif"}
    first = client.get("/v1/identify", params=params)
    held = {"If-None-Match": first.headers["ETag"]}
    same = client.get("/v1/identify", params=params, headers=held)

    add_gifs(library, MODEL, {"Brooks": [BROOK]})
    changed = client.get("/v1/identify", params=params, headers=held)

    assert (first.status_code, same.status_code, changed.status_code) == (200, 304, 200)
    assert len(changed.json()["neighbours"]) == len(first.json()["neighbours"]) + 1


def test_get_model_says_which_library_is_used(address: str, library: Path) -> None:
    with grpc.insecure_channel(address) as channel:
        response = InferenceServiceStub(channel).GetModel(pb.GetModelRequest())
    with RemoteClassifier(address) as client:
        described = client.library

    assert (response.library.clip_count, list(response.library.shows)) == (2, ["Big Buck Bunny", "Spinners"])
    assert described == Classifier(MODEL, library=library).library
    assert set(response.shows) == set(Classifier(MODEL).shows)


def test_without_a_library_there_is_none(
    address: str, model_path: Path, classifier: Classifier, gif: bytes
) -> None:
    with (
        serving(lambda: build_pair(ServerSettings(port=0), classifier, Budget())) as port,
        RemoteClassifier(f"127.0.0.1:{port}") as client,
    ):
        assert client.library is None
        answer = client.classify(decode_gif(gif))
    with TestClient(create_app(local(model_path), no_fetch)) as rest:
        assert rest.get("/v1/model").json()["library"] is None

    assert (answer.matches, answer.neighbours) == ((), ())
