"""Tests of a deployment at its address: `make test-live ENVIRONMENT=stage`.

LIVE_URL is the address; without it these tests skip. MODEL is the delivered model file, with which answers
are compared; without it, answers are compared with those of the packaged model if the deployment has that.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.pipeline import Pipeline, local
from services.inference import default_model_path
from tests.support.paths import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.gif"))
URL = os.environ.get("LIVE_URL", "")
KEY = os.environ.get("GIF_DELIVER_KEY", "")
TOLERANCE = 1e-4  # of a probability, because processors sum in different orders
COLD_S = 60.0  # for the first request

pytestmark = pytest.mark.skipif(
    not URL, reason="This test needs a deployment whose address is in LIVE_URL: make test-live."
)


@pytest.fixture(scope="module")
def live() -> Iterator[httpx.Client]:
    headers = {"X-API-Key": KEY} if KEY else {}
    with httpx.Client(base_url=URL, headers=headers, timeout=COLD_S, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def own(live: httpx.Client) -> Pipeline:
    """A local pipeline with the deployed model."""
    model = os.environ.get("MODEL", "") or str(default_model_path())
    pipeline = local(model)
    there, here = live.get("/v1/model").json()["model"]["version"], pipeline.describe().model.version
    if "MODEL" in os.environ:
        assert there == here, f"model {there} is deployed, {here} was delivered"
    elif there != here:
        pytest.skip(f"Model {there} is deployed, and only {here} is here to compare it with.")
    return pipeline


def test_it_is_ready(live: httpx.Client) -> None:
    assert live.get("/health/ready").json() == {"status": "ready"}


@pytest.mark.parametrize("form", ["multipart", "raw"])
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_it_answers_as_the_local_pipeline(live: httpx.Client, own: Pipeline, path: Path, form: str) -> None:
    gif = path.read_bytes()
    expected = own.identify(gif, top_k=3)

    if form == "multipart":
        answer = live.post("/v1/identify?top_k=3", files={"file": (path.name, gif, "image/gif")})
    else:
        answer = live.post("/v1/identify?top_k=3", content=gif, headers={"Content-Type": "image/gif"})

    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["known"] == expected.known
    assert [vote["offset_ms"] for vote in found["votes"]] == [v.offset_ms for v in expected.votes]
    probabilities = {show["show"]: show["probability"] for show in found["shows"]}
    for ranked in expected.shows:
        assert probabilities[ranked.show] == pytest.approx(ranked.probability, abs=TOLERANCE)


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"<html></html>", 422, "NOT_A_GIF"),
        (b"GIF89a", 422, "CORRUPT_GIF"),
        (b"", 400, "INVALID_REQUEST"),
    ],
    ids=["not a GIF", "corrupt", "empty"],
)
def test_a_bad_file_is_a_problem_with_its_reason(
    live: httpx.Client, body: bytes, status: int, reason: str
) -> None:
    answer = live.post("/v1/identify", content=body, headers={"Content-Type": "image/gif"})

    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)


def test_a_body_over_the_limit_is_refused_with_advice(live: httpx.Client) -> None:
    longest = 4_700_000  # bytes: over the limit of the program, below that of Lambda

    answer = live.post("/v1/identify", content=bytes(longest), headers={"Content-Type": "image/gif"})

    assert (answer.status_code, answer.json()["reason"]) == (413, "REQUEST_TOO_LARGE")
    assert "address" in answer.json()["detail"]


def test_a_private_address_is_refused(live: httpx.Client) -> None:
    answer = live.get("/v1/identify", params={"url": "http://169.254.169.254/latest/meta-data/"})

    assert (answer.status_code, answer.json()["reason"]) == (403, "ADDRESS_REFUSED")


def test_it_serves_the_page(live: httpx.Client) -> None:
    page = live.get("/")

    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
