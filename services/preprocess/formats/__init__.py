"""The formats that are read: **bytes** -> recognised by the first of them -> **Container**.

A format is one module: it says where the frames are and when they are on show, without decoding a pixel, and
how one frame is decoded and drawn. All that follows is the same for each of them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from services.preprocess.container import Budget, Container, check_limit
from services.preprocess.formats import gif, jpeg, png, video, webp
from services.preprocess.formats.signature import recognise


def read(data: bytes, budget: Budget) -> Container:
    """Read a file up to its end, or up to what is cut or makes no sense.

    The frames before that are whole as far as their container goes; their pixels may still prove broken.

    Raises:
        NotAGif: it is of no format that is read; the message says what it is.
        CorruptGif: no frame is whole.
        GifTooLarge: a limit of the budget is exceeded, or one of the format; the message names it.
    """
    name = recognise(data)
    check_limit("length", budget.max_bytes, len(data), "bytes")
    return _SCANS[name](data, budget)


_SCANS: dict[str, Callable[[bytes, Budget], Container]] = {
    "gif": gif.scan,
    "jpeg": jpeg.scan,
    "mp4": functools.partial(video.scan, name="mp4"),
    "png": png.scan,
    "webm": functools.partial(video.scan, name="webm"),
    "webp": webp.scan,
}
