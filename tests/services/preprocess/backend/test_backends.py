from __future__ import annotations

import logging
import threading

import numpy as np
import pytest

from services.clip import CLIP_CHANNELS, CLIP_SIZE
from services.preprocess import decode_gif
from services.preprocess.backend import PICTURE_SIZE, Backend, FastestSoFar, fastest, portable
from services.preprocess.container import Rect
from tests.support.paths import ROOT


def canvas_of(pixels: np.ndarray) -> np.ndarray:
    """Return RGBA uint8 [height, width, 4] as a canvas."""
    return pixels.copy().view("<u4")[..., 0]


def resized(backend: Backend, picture: np.ndarray, content: Rect) -> np.ndarray:
    """Return a part of a picture as a frame of a clip."""
    frame = np.zeros((CLIP_SIZE, CLIP_SIZE, CLIP_CHANNELS), np.uint8)
    backend.resize(picture, content, frame)
    return frame


@pytest.mark.parametrize(("height", "width"), [(1, 1), (200, 356), (447, 895), (1, 895)])
def test_a_small_canvas_is_not_copied(height: int, width: int, backend: Backend) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 4), np.uint8)
    canvas = canvas_of(pixels)

    picture = backend.shrink(canvas)

    assert np.array_equal(picture, pixels)
    assert np.shares_memory(picture, canvas)


def test_a_large_canvas_is_shrunk_by_whole_factors(backend: Backend) -> None:
    pixels = np.zeros((1000, 5000, 4), np.uint8)
    pixels[:, 2500:] = (10, 20, 30, 255)

    picture = backend.shrink(canvas_of(pixels))

    assert picture.shape[0] == 1000 // 2 and PICTURE_SIZE <= picture.shape[1] < 2 * PICTURE_SIZE
    assert picture[:, :227].max() == 0
    assert (picture[:, 228:, :3] == (10, 20, 30)).all()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (224, 224), (100, 300), (800, 20)])
def test_a_plain_picture_stays_plain(height: int, width: int, backend: Backend) -> None:
    picture = np.full((height, width, 4), (7, 130, 250, 255), np.uint8)

    frame = resized(backend, picture, Rect(0, 0, width, height))

    assert (frame == (7, 130, 250)).all()


def test_a_picture_of_the_clips_size_is_unchanged(backend: Backend) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (CLIP_SIZE, CLIP_SIZE, 4), np.uint8)

    assert np.array_equal(resized(backend, picture, Rect(0, 0, CLIP_SIZE, CLIP_SIZE)), picture[..., :3])


def test_only_the_content_is_scaled_and_it_fills_the_square(backend: Backend) -> None:
    picture = np.full((300, 400, 4), 255, np.uint8)
    picture[50:250, 100:300, :3] = (1, 2, 3)

    assert (resized(backend, picture, Rect(100, 50, 300, 250)) == (1, 2, 3)).all()


def test_a_wide_picture_is_squeezed_not_padded(backend: Backend) -> None:
    picture = np.zeros((100, 400, 4), np.uint8)
    picture[:, 200:] = 200

    frame = resized(backend, picture, Rect(0, 0, 400, 100))

    assert (frame[:, :110] == 0).all()
    assert (frame[:, 114:] == 200).all()


def test_fine_detail_is_averaged_not_skipped(backend: Backend) -> None:
    picture = np.zeros((896, 896, 4), np.uint8)
    picture[::2] = 200

    frame = resized(backend, picture, Rect(0, 0, 896, 896))

    assert abs(frame.astype(int) - 100).max() <= 1


# The backend of a server


def wait_for_the_thread() -> None:
    for thread in threading.enumerate():
        if thread.name == "compile":
            thread.join(60)


def test_the_portable_backend_is_used_until_the_compiled_one_is_loaded() -> None:
    gif = (ROOT / "examples" / "meadow.gif").read_bytes()
    there = threading.Event()

    def compile_slowly() -> Backend:
        there.wait(60)
        return fastest()

    backend = FastestSoFar(compile_slowly)
    first = backend()
    before = decode_gif(gif, backend=first)
    there.set()
    wait_for_the_thread()

    assert first is portable()
    assert backend() is fastest()
    assert decode_gif(gif, backend=backend()).frames.tobytes() == before.frames.tobytes()


def test_the_portable_backend_stays_if_compilation_fails(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> Backend:
        raise ImportError("Numba and NumPy do not fit")

    with caplog.at_level(logging.ERROR):
        backend = FastestSoFar(fail)
        wait_for_the_thread()

    assert backend() is portable()
    assert "the compiled loops cannot be loaded" in caplog.text
