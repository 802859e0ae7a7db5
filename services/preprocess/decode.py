"""Decodes the bytes of a file to a `Clip`, or to whole canvases.

The steps are: read the structure, sample the timeline, plan, render, shrink, find borders, resize. A frame is
scaled to a square without padding, in training as in serving. Transparent pixels are 0 and so become black.

A canvas or picture is valid until the next one is requested from its iterator. Steps that keep it longer copy
it.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
from collections.abc import Collection, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from services.clip import CLIP_FRAMES, CLIP_SHAPE, FORMATS, Clip, GifSource
from services.errors import CorruptGif
from services.preprocess.backend import Backend, Picture, fastest
from services.preprocess.container import BrokenFrameError, Budget, Container, Rect, check_limit
from services.preprocess.crop import cut
from services.preprocess.formats import read
from services.preprocess.plan import Step, Timeline, cost_pixels, plan, sample
from services.preprocess.render import render
from services.tracing import Attributes, traced
from services.workers import map_ahead

# The version of the pixels of clips. Raise it when the clip of any GIF changes, because every cache of clips,
# and of results computed from clips, uses it as a key. A golden test fails if pixels change without it.
PIXELS_VERSION = 2

DEFAULT_BUDGET = Budget()


def _describe(clip: Clip) -> Attributes:
    """Say what a trace may hold of a clip: nothing that identifies the file."""
    source = clip.source
    assert source is not None, "decode_gif sets the source"
    return {
        "gif_analyzer.format": source.format,
        "gif_analyzer.bytes": source.size_bytes,
        "gif_analyzer.frame_count": source.frame_count,
        "gif_analyzer.width": source.width,
        "gif_analyzer.height": source.height,
    }


@traced("preprocess", _describe)
def decode_gif(
    gif: bytes, *, budget: Budget = DEFAULT_BUDGET, backend: Backend | None = None, threads: int = 1
) -> Clip:
    """Create the clip of a GIF: ten frames at the middles of ten equal parts of its duration.

    Only the frames that the clip needs are decompressed. If one of them is broken, the animation ends before
    the first broken frame, as in a browser, and the clip is made of the frames before it. A broken frame that
    the clip does not need is not noticed: it changes no pixel, but it counts in the duration.

    Args:
        gif: the bytes of a file in any format of `services.clip.FORMATS`.
        budget: limits on its cost.
        backend: processes pixels; None for the fastest that is installed. The clip is the same with any.
        threads: that decompress and scale frames, at least 1. One is used if the backend gains nothing by
            more.

    Raises:
        NotAGif: the format is not supported; the message names it.
        CorruptGif: no frame is complete.
        GifTooLarge: a limit of the budget is exceeded; the message names it.
    """
    container = read(gif, budget)
    backend = backend or fastest()
    threads = threads if backend.gains_by_threads else 1
    make = functools.partial(_make_clip, budget=budget, backend=backend, threads=threads)
    try:
        return make(container, spent=0)
    except BrokenFrameError as broken:
        spent = container.cost_pixels(range(broken.index + 1))
        _check_pixels(spent, budget)
        whole = _count_whole(container, broken.index, backend)
    return make(dataclasses.replace(container, frames=container.frames[:whole]), spent=spent)


def render_frames(
    gif: bytes, indices: Iterable[int], *, budget: Budget = DEFAULT_BUDGET, backend: Backend | None = None
) -> Iterator[NDArray[np.uint8]]:
    """Yield frames of a GIF as a browser shows them: uint8 [height, width, 4] RGBA, the whole canvas, copied.

    Colours are on a black background: red, green and blue are 0 where alpha is 0. In a GIF, alpha is 0 where
    nothing was drawn, and 255 elsewhere.

    Args:
        gif: the bytes of a file in any format of `services.clip.FORMATS`.
        indices: of the frames, counted from 0, increasing.
        budget: `max_decoded_pixels` limits all of these frames together.
        backend: processes pixels; None for the fastest that is installed.

    Raises:
        NotAGif, CorruptGif, GifTooLarge: as `decode_gif`; CorruptGif also during iteration, if a frame cannot
            be decoded.
        ValueError: the indices do not increase, or there is no such frame.
    """
    wanted = list(indices)
    container = read(gif, budget)
    if any(later <= earlier for earlier, later in itertools.pairwise(wanted)):
        raise ValueError(f"frame indices must increase: {wanted}")
    if wanted and not 0 <= wanted[0] <= wanted[-1] < len(container.frames):
        raise ValueError(f"frame indices must be in 0..{len(container.frames) - 1}: {wanted}")
    steps = plan(container, wanted)
    _check_pixels(cost_pixels(container, steps), budget)

    def canvases() -> Iterator[NDArray[np.uint8]]:
        try:
            for _, canvas in render(container, steps, backend or fastest()):
                yield canvas.copy().view(np.uint8).reshape(*canvas.shape, 4)
        except BrokenFrameError as broken:
            raise CorruptGif(str(broken), kind=FORMATS[container.format]) from broken

    return canvases()


def _make_clip(container: Container, *, budget: Budget, spent: int, backend: Backend, threads: int) -> Clip:
    """Create the clip of these frames; `spent` is the number of pixels decoded for it before.

    Raises:
        BrokenFrameError: a frame that it needs is broken.
        GifTooLarge: it takes more than `max_decoded_pixels`.
    """
    timeline = sample([frame.delay_ms for frame in container.frames])
    steps = plan(container, timeline.frames)
    _check_pixels(spent + cost_pixels(container, steps), budget)
    shown = sorted(set(timeline.frames))  # a frame that is sampled several times is drawn once
    pictures = _draw(container, steps, backend, threads=threads)
    cropped = cut(pictures, len(shown), backend)
    frames, shares = _scale(cropped, len(shown), backend, threads=threads)
    if len(shown) < CLIP_FRAMES:
        frames = frames[np.searchsorted(shown, timeline.frames)]
    return Clip(frames, timeline.instants_ms, _source(container, timeline, shares))


def _draw(
    container: Container, steps: Collection[Step], backend: Backend, *, threads: int
) -> Iterator[Picture]:
    """Yield the picture of each step that shows a frame."""
    for _, canvas in render(container, steps, backend, threads=threads):
        yield backend.shrink(canvas)
        del canvas  # up to 64 MB, which is freed before the next frame is decoded


def _scale(
    cropped: Iterable[tuple[Picture, Rect]], count: int, backend: Backend, *, threads: int
) -> tuple[NDArray[np.uint8], tuple[float, float]]:
    """Scale the part inside the borders of each picture.

    Returns:
        uint8 [count, 224, 224, 3], and the shares of a picture's width and height inside the borders, 0 to 1.
    """
    frames = np.empty((count, *CLIP_SHAPE[1:]), np.uint8)
    shares = (1.0, 1.0)
    if threads > 1:  # because later pictures are drawn while these wait for a thread
        cropped = ((picture.copy(), content) for picture, content in cropped)

    def scale(each: tuple[NDArray[np.uint8], tuple[Picture, Rect]]) -> None:
        nonlocal shares
        place, (picture, content) = each
        backend.resize(picture, content, place)
        (width, height), (rows, columns) = content.size, picture.shape[:2]
        shares = width / columns, height / rows  # the same for every picture of a clip

    for _ in map_ahead(scale, zip(frames, cropped, strict=True), threads=threads):
        pass
    return frames, shares


def _source(container: Container, timeline: Timeline, shares: tuple[float, float]) -> GifSource:
    width, height = container.shown_size
    return GifSource(
        format=container.format,
        width=width,
        height=height,
        frame_count=len(container.frames),
        duration_ms=timeline.duration_ms,
        size_bytes=len(container.data),
        sha256=hashlib.sha256(container.data).hexdigest(),
        content_width=max(round(width * shares[0]), 1),
        content_height=max(round(height * shares[1]), 1),
    )


def _check_pixels(found: int, budget: Budget) -> None:
    check_limit("decoding", budget.max_decoded_pixels, found, "pixels")


def _count_whole(container: Container, broken: int, backend: Backend) -> int:
    """Count the frames before the first broken one, which is at `broken` or earlier."""
    try:
        for _ in container.decode(range(broken), backend, threads=1):
            pass
    except BrokenFrameError as first:
        return first.index
    return broken
