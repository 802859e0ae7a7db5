"""What `make demo` shows: the example GIFs through the packaged model."""

from __future__ import annotations

import pytest

from gateway.pipeline import Pipeline, local
from services.preprocess import decode_gif
from tests.support import programs
from tests.support.paths import EXAMPLES


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return local()


@pytest.mark.parametrize("name", ["meadow.gif", "brook.gif", "spinner.gif"])
def test_an_example_lasts_three_seconds(name: str) -> None:
    clip = decode_gif((EXAMPLES / name).read_bytes())

    assert clip.source is not None
    assert (clip.source.width, clip.source.height) == (256, 144)
    assert clip.source.duration_ms == 3_000
    assert clip.timestamps_ms == tuple(range(150, 3_000, 300))


@pytest.mark.parametrize("name", ["meadow.gif", "brook.gif"])
def test_unseen_seconds_are_named(pipeline: Pipeline, name: str) -> None:
    prediction = pipeline.identify((EXAMPLES / name).read_bytes())

    assert prediction.known
    assert prediction.shows[0].show == "Big Buck Bunny"


def test_a_drawing_is_unknown(pipeline: Pipeline) -> None:
    assert not pipeline.identify((EXAMPLES / "spinner.gif").read_bytes()).known


def test_the_command_needs_no_setting_to_name_them() -> None:
    done = programs.run("gif-analyzer", "identify", *EXAMPLES.glob("*.gif"))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count(".gif: ") == len(list(EXAMPLES.glob("*.gif")))
