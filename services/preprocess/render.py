"""The pixels of frames, as Chromium shows them.

`Container` and the steps of a plan -> `render` -> one canvas for each frame that is shown.

A pixel of the canvas that nothing was drawn on is 0, transparent black. The canvas is ours, because Pillow's
own follows other rules than browsers do (disposal 2 to the background colour, a canvas that grows).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from services.preprocess.backend import Backend, Canvas
from services.preprocess.container import PIXEL, Container, Disposal
from services.preprocess.plan import Action, Step


def render(
    container: Container, steps: Collection[Step], backend: Backend, *, threads: int = 1
) -> Iterator[tuple[int, Canvas]]:
    """Take the steps and yield (index, canvas) for each that shows; the canvas holds until the next one.

    What is yielded is drawn on black and turned as the file asks for. Frames are decoded on so many threads,
    some ahead of the one that is drawn.

    Raises:
        BrokenFrameError: a frame that a step draws cannot be decoded.
    """
    canvas = np.zeros((container.height, container.width), PIXEL)
    drawn = [index for index, action in steps if action is not Action.CLEAR]
    decoded = container.decode(drawn, backend, threads=threads)
    for index, action in steps:
        frame = container.frames[index]
        place = frame.rect.clip(container.canvas)
        part = canvas[place.top : place.bottom, place.left : place.right]
        if action is Action.CLEAR:
            part[...] = 0
            continue
        restore = action is Action.SHOW and frame.disposal is Disposal.RESTORE
        before = part.copy() if restore else None
        pixels = next(decoded)
        if place.area:
            frame.paint(canvas, place, pixels, backend)
        del pixels  # up to 80 MB, not to be held while the next frame is drawn
        if action is Action.SHOW:
            yield index, _shown(canvas, container, backend)
            if before is not None:
                part[...] = before
            elif frame.disposal is Disposal.CLEAR:
                part[...] = 0
        del before


def _shown(canvas: Canvas, container: Container, backend: Backend) -> Canvas:
    return turn(backend.on_black(canvas) if container.translucent else canvas, container.orientation)


def turn(canvas: Canvas, orientation: int) -> Canvas:
    """Turn a canvas as EXIF's orientations 1..8 ask for; C-contiguous, and a copy unless it is 1."""
    if orientation == 1:
        return canvas
    turned = canvas.T if orientation >= 5 else canvas
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return np.ascontiguousarray(turned)
