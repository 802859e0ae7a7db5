"""What is deployed, asked at its address as its users ask it: `make test-live ENVIRONMENT=stage`.

LIVE_URL is the address; without one these tests skip. MODEL is the model file that was delivered: answers are
compared with this machine's own; without one, with the packaged model where that is what answers there.
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
TOLERANCE = 1e-4  # of a probability: another processor sums in another order
COLD_S = 60.0  # of a first request

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
    """A pipeline with the model that answers there."""
    model = os.environ.get("MODEL", "") or str(default_model_path())
    pipeline = local(model)
    there, here = live.get("/v1/model").json()["version"], pipeline.describe().model.version
    if "MODEL" in os.environ:
        assert there == here, f"{there} answers, {here} was delivered"
    elif there != here:
        pytest.skip(f"Model {there} answers there, and only {here} is here to compare it with.")
    return pipeline


def test_it_is_ready(live: httpx.Client) -> None:
    assert live.get("/health/ready").json() == {"status": "ready"}


@pytest.mark.parametrize("form", ["multipart", "raw"])
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_it_answers_as_this_machine_does(live: httpx.Client, own: Pipeline, path: Path, form: str) -> None:
    gif = path.read_bytes()
    expected = own.identify(gif, top_k=3)

    if form == "multipart":
        answer = live.post("/v1/identify?top_k=3", files={"file": (path.name, gif, "image/gif")})
    else:
        answer = live.post("/v1/identify?top_k=3", content=gif, headers={"Content-Type": "image/gif"})

    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["known"] == expected.known
    assert [vote["timestamp_ms"] for vote in found["frames"]] == [v.timestamp_ms for v in expected.frames]
    probabilities = {show["show"]: show["probability"] for show in found["shows"]}
    for ranked in expected.shows:
        assert probabilities[ranked.show] == pytest.approx(ranked.probability, abs=TOLERANCE)


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"<html></html>", 415, "NOT_A_GIF"),
        (b"GIF89a", 422, "CORRUPT_GIF"),
        (b"", 400, "INVALID_REQUEST"),
    ],
    ids=["not a GIF", "corrupt", "empty"],
)
def test_a_bad_file_is_one_clear_problem(live: httpx.Client, body: bytes, status: int, reason: str) -> None:
    answer = live.post("/v1/identify", content=body, headers={"Content-Type": "image/gif"})

    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)


def test_a_body_that_cannot_be_carried_is_told_of_addresses(live: httpx.Client) -> None:
    longest = 4_700_000  # bytes: too long for the program, and not yet for Lambda's own door

    answer = live.post("/v1/identify", content=bytes(longest), headers={"Content-Type": "image/gif"})

    assert (answer.status_code, answer.json()["reason"]) == (413, "REQUEST_TOO_LARGE")
    assert "address" in answer.json()["detail"]


def test_an_address_that_is_not_allowed_is_never_asked(live: httpx.Client) -> None:
    answer = live.get("/v1/identify", params={"url": "http://169.254.169.254/latest/meta-data/"})

    assert (answer.status_code, answer.json()["reason"]) == (403, "ADDRESS_REFUSED")


def test_the_page_is_there(live: httpx.Client) -> None:
    page = live.get("/")

    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
