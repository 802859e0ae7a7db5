"""The gateway does what its OpenAPI document says: schemathesis sends requests that it allows, and others.

There must be no server error, and no status, media type or schema that the document does not have.
"""

from __future__ import annotations

import itertools

import onnx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.library import ServedLibrary
from gateway.pipeline import local
from gateway.rest.app import create_app
from gateway.settings import RestSettings
from services.errors import (
    AddressRefused,
    FetchFailed,
    FetchTimeout,
    GifTooLarge,
    InvalidAddress,
    NotFetchable,
)
from services.inference import Classifier
from tests.support.gif_writer import Picture, plain, write_gif
from tests.support.library import add_gifs
from tests.support.models import mean_colour_model

CHECKS = (
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
FAULTS = (
    InvalidAddress("it begins with neither http:// nor https://"),
    AddressRefused("host", "this host is not allowed"),
    FetchTimeout("host", timeout_s=20),
    NotFetchable("host", "it answered 404 Not Found"),
    GifTooLarge("length", allowed=10, found=20, unit="bytes"),
)
RED = write_gif(8, 8, [Picture(plain(8, 8, 1))])

# Sent as a GIF: a GIF, a part of one, or anything.
gifs = st.sampled_from([RED, RED[:40], RED[:6]]) | st.binary(max_size=64)
schemathesis.openapi.media_type("image/gif", gifs)


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> schemathesis.BaseSchema:
    """The document of a gateway with a library that fetches a GIF, or fails with one error after another."""
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    onnx.save(mean_colour_model(), path)
    red = path.with_name("red.gif")
    red.write_bytes(RED)
    library = add_gifs(path.with_name("some.library"), path, {"Red Show": [red]})
    answers = itertools.cycle((RED, *FAULTS, FetchFailed("host", "it answered 503"), b"<html>"))

    async def fetch(url: str) -> bytes:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    taught = ServedLibrary(library, teacher=Classifier(path), keep_thumbnails=True)
    gifs = path.with_name("gifs")
    gifs.mkdir()
    keyed = RestSettings(api_keys=("key",), feedback_gifs=gifs)
    app = create_app(local(path, library=library), fetch, settings=keyed, library=taught)
    return schemathesis.openapi.from_asgi("/openapi.json", app)


OPERATIONS = (
    ("POST", "/v1/identify"),
    ("GET", "/v1/identify"),
    ("GET", "/v1/model"),
    ("GET", "/v1/shows"),
    ("GET", "/v1/library"),
    ("POST", "/v1/library"),
    ("DELETE", "/v1/library"),
    ("GET", "/v1/library/thumbnail"),
    ("GET", "/v1/feedback"),
    ("POST", "/v1/feedback"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
)


def send(operation: schemathesis.APIOperation, headers: dict[str, str], examples: int) -> set[int]:
    """Send requests that the document allows and others; return the statuses of the answers."""
    statuses = set()
    cases = operation.as_strategy(GenerationMode.POSITIVE) | operation.as_strategy(GenerationMode.NEGATIVE)

    @settings(max_examples=examples, database=None, suppress_health_check=list(HealthCheck))
    @given(case=cases)
    def check(case: schemathesis.Case) -> None:
        response = case.call_and_validate(checks=list(CHECKS), headers=headers)
        assert response.status_code != 500, response.text  # 502 and 504 are about the fetched address
        statuses.add(response.status_code)

    check()
    return statuses


def test_every_operation_is_tested(document: schemathesis.BaseSchema) -> None:
    found = {(each.ok().method.upper(), each.ok().path) for each in document.get_all_operations()}

    assert found == set(OPERATIONS)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_answer_is_documented(document: schemathesis.BaseSchema, method: str, path: str) -> None:
    statuses = send(document[path][method], {"X-API-Key": "key"}, examples=200)

    names_a_clip = (method, path) in (("DELETE", "/v1/library"), ("GET", "/v1/library/thumbnail"))
    makes = method == "POST" and path in ("/v1/library", "/v1/feedback")
    assert (201 if makes else 404 if names_a_clip else 200) in statuses
    if (method, path) == ("GET", "/v1/identify"):  # of the bodies of POST, few have an address
        assert {400, 403, 422, 502, 504} <= statuses


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_answer_without_a_key_is_documented(
    document: schemathesis.BaseSchema, method: str, path: str
) -> None:
    statuses = send(document[path][method], {}, examples=5)

    assert statuses == ({200} if path.startswith("/health") else {401})
