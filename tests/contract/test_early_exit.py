"""Early exit in every interface: only if it is set, and never for requests of exact probabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from gateway.pipeline import Pipeline, local
from gateway.remote import remote
from gateway.rest.app import create_app
from services.inference import Classifier
from services.pair import build_pair
from services.preprocess import Budget
from services.rpc.server import serving
from services.rpc.settings import ServerSettings

IMAGE = {"content-type": "image/gif"}


@pytest.fixture(params=["local", "remote"])
def pipeline(request: pytest.FixtureRequest, early_exit_path: Path) -> Iterator[Pipeline]:
    """A pipeline that may stop early, local and remote."""
    if request.param == "local":
        yield local(early_exit_path, early_exit=True)
        return
    classifier = Classifier(early_exit_path, early_exit=True)
    with serving(lambda: build_pair(ServerSettings(port=0), classifier, Budget())) as port:
        yield remote(f"127.0.0.1:{port}", f"127.0.0.1:{port}")


@pytest.fixture
def client(pipeline: Pipeline) -> TestClient:
    async def fetch(url: str) -> bytes:
        return Path(url.removeprefix("http://gifs")).read_bytes()

    return TestClient(create_app(pipeline, fetch))


@pytest.fixture
def gif(save_gif: Callable[..., Path]) -> Path:
    """Red, and blue at the end: the first frames give another answer than all frames."""
    return save_gif("red-blue.gif", "red", "red", "red", "red", "#400080")


def test_a_pipeline_stops_early_unless_exact_probabilities_are_requested(
    pipeline: Pipeline, gif: Path, early_exit_path: Path
) -> None:
    early = pipeline.identify(gif.read_bytes())
    exact = pipeline.identify(gif.read_bytes(), exact=True)

    assert [vote.offset_ms for vote in early.votes] == [625, 1375, 2125]
    assert exact == local(early_exit_path).identify(gif.read_bytes())
    assert early.shows != exact.shows


def test_exact_and_early_answers_have_different_etags(client: TestClient, gif: Path) -> None:
    params = {"url": f"http://gifs{gif}"}

    early = client.get("/v1/identify", params=params)
    exact = client.get("/v1/identify", params={**params, "exact": True})
    again = client.get("/v1/identify", params=params)
    held = client.get(
        "/v1/identify", params={**params, "exact": True}, headers={"If-None-Match": early.headers["ETag"]}
    )

    assert len(early.json()["votes"]) == 3
    assert len(exact.json()["votes"]) == 10
    assert early.headers["ETag"] != exact.headers["ETag"]
    assert again.json() == early.json()
    assert held.status_code == 200


def test_with_pictures_all_frames_are_used(client: TestClient, gif: Path) -> None:
    content = gif.read_bytes()
    client.post("/v1/identify", content=content, headers=IMAGE)

    answer = client.post("/v1/identify", content=content, headers=IMAGE, params={"pictures": True}).json()

    assert len(answer["votes"]) == len(answer["pictures"]) == 10
