"""The pixels of frames, as Chromium shows them.

GIF bytes, `Container` and the steps of a plan -> `render` -> one canvas for each frame that is shown.

A pixel of the canvas that nothing was drawn on is 0, transparent black. The canvas is ours, because Pillow's
own follows other rules than browsers do (disposal 2 to the background colour, a canvas that grows).
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator

import numpy as np
from numpy.typing import NDArray

from services.preprocess.ahead import map_ahead
from services.preprocess.backend import Backend, BrokenDataError, Canvas
from services.preprocess.backend.palette import PIXEL
from services.preprocess.container import Container, Disposal
from services.preprocess.plan import Action, Step


class BrokenFrameError(Exception):
    """The compressed pixels of a frame end early or make no sense: browsers end the animation before it."""

    def __init__(self, index: int) -> None:
        super().__init__(f"frame {index} is broken")
        self.index = index


def render(
    gif: bytes, container: Container, steps: Collection[Step], backend: Backend, *, threads: int = 1
) -> Iterator[tuple[int, Canvas]]:
    """Take the steps and yield (index, canvas) for each that shows; the canvas holds until the next one.

    Frames are decompressed on so many threads, some ahead of the one that is drawn.

    Raises:
        BrokenFrameError: a frame that a step draws cannot be decoded.
    """
    canvas = np.zeros((container.height, container.width), PIXEL)
    drawn = [index for index, action in steps if action is not Action.CLEAR]
    decompressed = map_ahead(
        functools.partial(decompress, gif, container, backend=backend), drawn, threads=threads
    )
    for index, action in steps:
        frame = container.frames[index]
        place = frame.rect.clip(container.canvas)
        part = canvas[place.top : place.bottom, place.left : place.right]
        if action is Action.CLEAR:
            part[...] = 0
            continue
        restore = action is Action.SHOW and frame.disposal is Disposal.RESTORE
        before = part.copy() if restore else None
        indices = next(decompressed)
        if place.area:
            backend.paint(canvas, place, indices, frame)
        if action is Action.SHOW:
            yield index, canvas
            if before is not None:
                part[...] = before
            elif frame.disposal is Disposal.CLEAR:
                part[...] = 0
        del before, indices  # up to 80 MB, not to be held while the next frame is drawn


def decompress(gif: bytes, container: Container, index: int, *, backend: Backend) -> NDArray[np.uint8]:
    """Decompress one frame: palette indices, uint8 [height, width].

    Raises:
        BrokenFrameError: the data is short or no LZW.
    """
    frame = container.frames[index]
    if not frame.rect.area:
        width, height = frame.rect.size
        return np.empty((height, width), np.uint8)
    try:
        return backend.decompress(gif, frame)
    except BrokenDataError:
        raise BrokenFrameError(index) from None
