"""The REST API in three forms: with local steps, with the two gRPC services, and as the Lambda handler.

The Lambda handler gets real events of a Function URL.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from gif_analyzer.v1.identification_pb2 import Identification
from gif_analyzer.v1.inference_pb2 import GetModelResponse
from google.protobuf import json_format

from delivery.request import Ask, Request, Response, from_result, to_event
from gateway.answer import prediction_json
from gateway.fetch.address import FetchSettings
from gateway.fetch.fetcher import Fetcher
from gateway.pipeline import local
from gateway.remote import remote
from gateway.rest.app import create_app
from services.errors import catalogue
from services.inference import Classifier
from services.preprocess import decode_gif
from tests.support.local_host import NO_TRUST, Detour, LocalHost, Names, http_answer, redirect
from tests.support.pictures import FORMATS_OF

IMAGE = {"content-type": "image/gif"}
JSON = {"content-type": "application/json"}


@pytest.fixture
def host(gif: bytes) -> Iterator[LocalHost]:
    """The host that every address leads to."""
    host = LocalHost(
        {
            "/a.gif": http_answer(gif),
            "/a.gif?key=1": http_answer(gif),
            "/moved.gif": redirect("/a.gif"),
            "/digits.gif": http_answer(Content_Type="image/gif").replace(
                b"Length: 0", b"Length: " + b"9" * 5_000
            ),
        }
    )
    yield host
    host.close()


@pytest.fixture
def fetch(host: LocalHost) -> Fetcher:
    return Fetcher(FetchSettings(), resolver=Names(), connector=Detour(host), tls=NO_TRUST)


@pytest.fixture(params=["in process", "over gRPC", "in Lambda"])
def ask(request: pytest.FixtureRequest, model_path: Path, fetch: Fetcher) -> Iterator[Ask]:
    """A function that sends a request to one form of the REST API."""
    if request.param == "in Lambda":
        from gateway.lambda_handler import build_handler

        handler = build_handler(local(model_path), fetch)
        yield lambda asked: from_result(handler(json.loads(json.dumps(to_event(asked))), None))
        return
    if request.param == "over gRPC":
        address = request.getfixturevalue("address")
        pipeline = remote(address, address)
    else:
        pipeline = local(model_path)
    with TestClient(create_app(pipeline, fetch)) as client:

        def ask_client(asked: Request) -> Response:
            answer = client.request(
                asked.method,
                asked.path + (f"?{asked.query}" if asked.query else ""),
                headers=dict(asked.headers),
                content=asked.body,
            )
            return Response(
                answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, answer.content
            )

        yield ask_client


@pytest.mark.parametrize("name", FORMATS_OF)
def test_other_formats_are_supported_and_named(ask: Ask, name: str) -> None:
    file = FORMATS_OF[name]
    media_type = "image/png" if name == "apng" else f"image/{name}"

    answers = [ask(each) for each in (raw(file), raw(file, **{"content-type": media_type}), multipart(file))]

    for answer in answers:
        assert answer.status == 200, answer.body
        told = json.loads(answer.body)
        assert (told["format"], told["shows"][0]["show"]) == (name, "Red Show")


def multipart(content: bytes, *, field: str = "file", more: str = '; filename="a.gif"') -> Request:
    """A form with one file."""
    boundary = "----form"
    head = f'--{boundary}\r\nContent-Type: image/gif\r\nContent-Disposition: form-data; name="{field}"{more}'
    body = head.encode() + b"\r\n\r\n" + content + f"\r\n--{boundary}--\r\n".encode()
    return Request(
        "POST", "/v1/identify", "", {"content-type": f"multipart/form-data; boundary={boundary}"}, body
    )


def raw(content: bytes, query: str = "", **headers: str) -> Request:
    """A GIF as the body."""
    return Request("POST", "/v1/identify", query, {**IMAGE, **headers}, content)


def by_address(url: str) -> Request:
    """JSON with an address."""
    return Request("POST", "/v1/identify", "", JSON, json.dumps({"url": url}).encode())


def by_query(url: str, more: str = "") -> Request:
    """An address in the query."""
    return Request("GET", "/v1/identify", f"url={quote(url, safe='')}{more}")


ADDRESS = "http://media.giphy.com/a.gif?key=1"
WAYS: dict[str, Callable[[bytes], tuple[Request, str]]] = {
    "multipart": lambda gif: (multipart(gif), "a.gif"),
    "no file name": lambda gif: (multipart(gif, more=""), ""),
    "another file name": lambda gif: (multipart(gif, more="; filename*=UTF-8''%E2%98%83.gif"), "☃.gif"),
    "raw": lambda gif: (raw(gif), ""),
    "JSON": lambda gif: (by_address(ADDRESS), ADDRESS),
    "GET": lambda gif: (by_query(ADDRESS), ADDRESS),
    "redirected": lambda gif: (by_query("http://giphy.com/moved.gif"), "http://giphy.com/moved.gif"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_gif_is_identified_however_it_is_sent(
    ask: Ask, gif: bytes, classifier: Classifier, way: str
) -> None:
    request, source = WAYS[way](gif)

    response = ask(request)

    assert (response.status, response.headers["content-type"]) == (200, "application/json")
    answer = response.json()
    expected = prediction_json(source, classifier.classify(decode_gif(gif)))
    assert {part: answer[part] for part in expected} == expected
    message = json_format.Parse(response.body, Identification())  # raises for unknown fields
    assert (message.source, message.known, message.verdict.level) == (source, True, "one_of")


def test_integers_are_numbers_which_a_parser_of_protojson_accepts(ask: Ask, gif: bytes) -> None:
    answer = ask(raw(gif))

    offsets = [vote["offset_ms"] for vote in answer.json()["votes"]]
    assert [type(each) for each in offsets] == [int, int]
    message = json_format.Parse(answer.body, Identification())
    assert [vote.offset_ms for vote in message.votes] == offsets
    written = json_format.MessageToDict(message, preserving_proto_field_name=True)
    # which is why the contract says so
    assert [vote["offset_ms"] for vote in written["votes"]] == [str(each) for each in offsets]


def test_a_still_image_is_one_frame_with_one_picture(ask: Ask, save_gif: Callable[..., Path]) -> None:
    still = save_gif("red.gif", "red").read_bytes()

    answer = ask(raw(still, "pictures=true")).json()

    assert answer["verdict"] == {"level": "show", "names": ["Red Show"], "text": "Red Show"}
    assert [vote["offset_ms"] for vote in answer["votes"]] == [25]
    assert len(answer["pictures"]) == 1


@pytest.mark.parametrize(("top_k", "named"), [(1, 1), (2, 2), (100, 3)])
def test_top_k_shows_are_named(ask: Ask, gif: bytes, top_k: int, named: int) -> None:
    assert len(ask(raw(gif, f"top_k={top_k}")).json()["shows"]) == named
    assert len(ask(by_query(ADDRESS, f"&top_k={top_k}")).json()["shows"]) == named


def test_an_answer_with_the_same_etag_is_not_sent_again(ask: Ask) -> None:
    first = ask(by_query(ADDRESS))
    again = ask(dataclasses.replace(by_query(ADDRESS), headers={"if-none-match": first.headers["etag"]}))
    assert (again.status, again.body) == (304, b"")


# tests/gateway/rest and tests/gateway/fetch have every kind.
ERRORS: dict[str, tuple[Request, str]] = {
    "a PDF": (raw(b"%PDF-1.7\n" + bytes(100)), "NOT_A_GIF"),
    "the start of a GIF": (raw(b"GIF89a"), "CORRUPT_GIF"),
    "no host": (by_address("http://"), "INVALID_ADDRESS"),
    "a host not allowed": (by_address("http://example.org/a.gif"), "ADDRESS_REFUSED"),
    "a length of 5,000 digits": (by_query("http://giphy.com/digits.gif"), "FETCH_FAILED"),
    "half a character": (by_address("http://giphy.com/\ud800.gif"), "INVALID_ADDRESS"),
    "a file that is not there": (by_query("http://giphy.com/none.gif"), "NOT_FETCHABLE"),
    "no form field": (multipart(b"GIF89a", field="other"), "INVALID_REQUEST"),
    "broken JSON": (Request("POST", "/v1/identify", "", JSON, b"{"), "INVALID_REQUEST"),
    "another media type": (
        Request("POST", "/v1/identify", "", {"content-type": "text/plain"}, b"GIF89a"),
        "UNSUPPORTED_MEDIA",
    ),
}


@pytest.mark.parametrize(("request_", "reason"), ERRORS.values(), ids=ERRORS)
def test_every_error_is_a_problem_with_its_reason(ask: Ask, request_: Request, reason: str) -> None:
    response = ask(request_)

    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["reason"] == reason
    assert problem["status"] == response.status == catalogue()[reason].http_status
    assert problem["title"] and problem["message"] == problem["detail"]
    assert "key=1" not in problem["message"]


def test_the_model_and_its_shows_are_described(ask: Ask) -> None:
    model, shows = ask(Request("GET", "/v1/model")), ask(Request("GET", "/v1/shows"))

    assert (model.status, shows.status) == (200, 200)
    described = json_format.ParseDict(model.json(), GetModelResponse())  # refuses unknown fields
    assert model.json()["model"] == {
        **{"name": "mean-colour", "version": "1.2.3"},
        **{"training_data_sha256": "0" * 64, "licence": "Apache-2.0"},
    }
    assert (described.unknown_threshold, described.embedding_size) == (-1.0, 3)
    assert shows.json()["shows"] == ["Red Show", "Green Show", "Blue Show"]


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_reports_alive_and_ready(ask: Ask, path: str) -> None:
    assert ask(Request("GET", path)).status == 200
    assert (ask(Request("HEAD", path)).status, ask(Request("HEAD", path)).body) == (200, b"")


def test_a_request_id_comes_back(ask: Ask, gif: bytes) -> None:
    assert ask(raw(gif, **{"x-request-id": "abc-1"})).headers["x-request-id"] == "abc-1"
    assert ask(raw(b"none", **{"x-request-id": "abc-2"})).headers["x-request-id"] == "abc-2"
    assert ask(raw(gif)).headers["x-request-id"]


def test_unknown_paths_and_methods_are_problems(ask: Ask) -> None:
    assert ask(Request("GET", "/v1/none")).status == 404
    assert ask(Request("PUT", "/v1/identify")).status == 405
