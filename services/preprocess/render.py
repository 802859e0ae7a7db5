"""Draws frames as Chromium shows them: the steps of a plan to one canvas for each shown frame.

A pixel of the canvas on which nothing was drawn is 0, transparent black. Pillow's own rendering is not used,
because it differs from browsers: disposal 2 clears to the background colour, and the canvas may grow.
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
    """Yield (index, canvas) for each shown frame; a canvas is valid until the next one is requested.

    The canvas is drawn on black and turned by the orientation of the file. Several threads decode frames
    ahead of the one that is drawn.

    Raises:
        BrokenFrameError: a frame cannot be decoded.
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
        del pixels  # up to 80 MB, which is freed before the next frame is drawn
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
    """Turn a canvas by an EXIF orientation, 1..8. The result is C-contiguous, and a copy unless it is 1."""
    if orientation == 1:
        return canvas
    turned = canvas.T if orientation >= 5 else canvas
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return np.ascontiguousarray(turned)
