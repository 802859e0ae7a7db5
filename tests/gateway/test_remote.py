from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.pipeline import local
from gateway.remote import remote
from services.errors import GifTooLarge, NotAGif, ServiceUnavailable
from services.inference import Classifier
from services.pair import build_pair
from services.preprocess import Budget
from services.rpc.server import serving
from services.rpc.settings import ChannelSettings, ServerSettings

SaveGif = Callable[..., Path]


@pytest.fixture
def address(model_path: Path) -> Iterator[str]:
    classifier = Classifier(model_path)
    with serving(lambda: build_pair(ServerSettings(port=0), classifier, Budget())) as port:
        yield f"127.0.0.1:{port}"


def test_remote_equals_local(address: str, model_path: Path, save_gif: SaveGif) -> None:
    gif = save_gif("two.gif", "red", "blue").read_bytes()

    assert remote(address, address).identify(gif, 2) == local(model_path).identify(gif, 2)


def test_a_remote_pipeline_raises_what_a_local_one_raises(address: str) -> None:
    with pytest.raises(NotAGif, match="this is plain text"):
        remote(address, address).identify(b"hello, world")


def test_a_remote_pipeline_keeps_a_tighter_budget(address: str, save_gif: SaveGif) -> None:
    pipeline = remote(address, address, budget=Budget(max_frames=1))

    with pytest.raises(GifTooLarge, match="animation is limited to 1 frames"):
        pipeline.identify(save_gif("two.gif", "red", "blue").read_bytes())


def test_a_service_that_is_not_there_is_named(save_gif: SaveGif) -> None:
    pipeline = remote("127.0.0.1:1", "127.0.0.1:1", channel=ChannelSettings(attempts=1))

    with pytest.raises(ServiceUnavailable, match=r"cannot reach 127\.0\.0\.1:1"):
        pipeline.identify(save_gif("red.gif", "red").read_bytes())


def test_a_remote_pipeline_describes_the_model_of_the_service(address: str, model_path: Path) -> None:
    pipeline = remote(address, address)

    pipeline.check()
    assert pipeline.describe() == local(model_path).describe()


def test_a_remote_pipeline_is_not_ready_without_its_services(address: str) -> None:
    here, nowhere = address, "127.0.0.1:1"
    impatient = ChannelSettings(attempts=1)

    for preprocess, inference in ((here, nowhere), (nowhere, here)):
        with pytest.raises(ServiceUnavailable, match=r"cannot reach 127\.0\.0\.1:1"):
            remote(preprocess, inference, channel=impatient).check()
