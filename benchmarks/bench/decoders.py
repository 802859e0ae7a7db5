"""Decoders to measure: each makes a clip, uint8 [10, 224, 224, 3] RGB, from a GIF file.

Each is written as its library's users write it: ten frames evenly over the frame count by their index, each
fitted into a black square of 224 pixels with its proportions kept. The rest (how long frames last, letterbox
bars, transparency) is left to the library; only this project's decoder does all of it.
Libraries are imported inside the functions, because each is installed in an environment of its own.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench.worker import Subject

FRAMES, SIZE = 10, 224
Pixels = NDArray[np.uint8]


def indices(count: int) -> list[int]:
    """Return ten frame numbers, evenly over so many frames; of a short GIF some come twice."""
    return [index * count // FRAMES for index in range(FRAMES)]


def this_project() -> Subject:
    """services.preprocess.decode_gif with Pillow and NumPy alone."""
    from services.preprocess.backend import portable  # noqa: PLC0415

    return _ours(_version("PIL", "Pillow"), portable())


def compiled() -> Subject:
    """The same with the loops of the extra `fast`."""
    from services.preprocess.backend import compiled as load  # noqa: PLC0415

    return _ours(_version("numba", "Numba"), load())


def _ours(version: str, backend: Any) -> Subject:
    from services.preprocess import decode_gif  # noqa: PLC0415

    return _subject(version, lambda path: decode_gif(Path(path).read_bytes(), backend=backend).frames)


def pillow() -> Subject:
    """Seek, pad and convert for each sampled frame, as tutorials do."""
    from PIL import Image, ImageOps  # noqa: PLC0415

    def decode(path: str) -> Pixels:
        clip = np.empty((FRAMES, SIZE, SIZE, 3), np.uint8)
        with Image.open(path) as image:
            for position, index in enumerate(indices(getattr(image, "n_frames", 1))):
                image.seek(index)
                clip[position] = np.asarray(ImageOps.pad(image.convert("RGB"), (SIZE, SIZE)))
        return clip

    return _subject(_version("PIL", "Pillow"), decode)


def pyav() -> Subject:
    """FFmpeg's decoder; the number of frames comes from reading the packets first."""
    av: Any = importlib.import_module("av")

    def decode(path: str) -> Pixels:
        with av.open(path) as container:
            count = sum(1 for packet in container.demux(video=0) if packet.size)
        with av.open(path) as container:
            stream = container.streams.video[0]
            stream.thread_count = 1
            return _fill(count, enumerate(container.decode(stream)), fit)

    def fit(frame: Any) -> Pixels:
        height, width = _fitted(frame.height, frame.width)
        pixels: Pixels = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
        return pixels

    return _subject(_version("av", "PyAV"), decode)


def opencv() -> Subject:
    """VideoCapture: grab every frame, retrieve the sampled ones."""
    cv2: Any = importlib.import_module("cv2")
    cv2.setNumThreads(1)

    def decode(path: str) -> Pixels:
        capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        try:
            count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
            return _fill(count, grab(capture), fit)
        finally:
            capture.release()

    def grab(capture: Any) -> Iterator[tuple[int, Any]]:
        index = 0
        while capture.grab():
            yield index, capture
            index += 1
        raise ValueError(f"no frame {index}")

    def fit(capture: Any) -> Pixels:
        _, frame = capture.retrieve()
        height, width = _fitted(*frame.shape[:2])
        small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
        pixels: Pixels = cv2.cvtColor(small, cv2.COLOR_BGR2RGB)
        return pixels

    return _subject(_version("cv2", "OpenCV"), decode)


def imageio() -> Subject:
    """Read each sampled frame through imageio.v3, with one file handle for all."""
    from PIL import Image, ImageOps  # noqa: PLC0415

    iio: Any = importlib.import_module("imageio.v3")

    def decode(path: str) -> Pixels:
        with iio.imopen(path, "r", plugin="pillow") as file:
            count = file.properties(index=...).n_images or 1
            frames = (file.read(index=index, mode="RGB") for index in indices(count))
            return np.stack(
                [np.asarray(ImageOps.pad(Image.fromarray(each), (SIZE, SIZE))) for each in frames]
            )

    return _subject(_version("imageio", "imageio"), decode)


def tensorflow() -> Subject:
    """tf.io.decode_gif, which decodes every frame, then tf.image for the sampled ones."""
    tf: Any = importlib.import_module("tensorflow")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)

    def decode(path: str) -> Pixels:
        frames = tf.io.decode_gif(tf.io.read_file(path))
        sampled = tf.gather(frames, indices(int(frames.shape[0])))
        fitted = tf.image.resize_with_pad(sampled, SIZE, SIZE, antialias=True)
        pixels: Pixels = tf.cast(tf.round(fitted), tf.uint8).numpy()
        return pixels

    return _subject(f"TensorFlow {tf.__version__}", decode)


def pyvips() -> Subject:
    """Libvips: all pages in one pass, then thumbnails of the sampled ones on black."""
    vips: Any = importlib.import_module("pyvips")

    def decode(path: str) -> Pixels:
        count = vips.Image.new_from_file(path).get("n-pages")
        clip = np.empty((FRAMES, SIZE, SIZE, 3), np.uint8)
        # Up to the last sampled page; libvips draws each page on the one before.
        tall = vips.Image.new_from_file(path, n=indices(count)[-1] + 1, access="sequential")
        page_height = tall.get("page-height")
        if tall.bands < 3:
            tall = tall.colourspace("srgb")
        if tall.hasalpha():
            tall = tall.flatten(background=[0, 0, 0])
        pixels = tall.numpy().reshape(-1, page_height, tall.width, 3)
        for position, index in enumerate(indices(count)):
            page = vips.Image.new_from_array(pixels[index], interpretation="srgb")
            small = page.thumbnail_image(SIZE, height=SIZE)
            clip[position] = small.gravity("centre", SIZE, SIZE).numpy()
        return clip

    version = ".".join(str(vips.version(part)) for part in range(3))
    return _subject(f"pyvips {vips.__version__}, libvips {version}", decode)


def _subject(version: str, decode: Callable[[str], Pixels]) -> Subject:
    return Subject(version, decode, check=_check)


def _check(clip: Pixels) -> None:
    """Check the shape of a clip; its pixels differ from library to library."""
    if clip.shape != (FRAMES, SIZE, SIZE, 3) or clip.dtype != np.uint8:
        raise ValueError(f"not a clip: {clip.dtype} {clip.shape}")
    if not clip.any():
        raise ValueError("its frames are all black")


def _version(module: str, name: str) -> str:
    return f"{name} {importlib.import_module(module).__version__}"


def _fitted(height: int, width: int) -> tuple[int, int]:
    """The size of a picture that is scaled to fit into the square."""
    scale = SIZE / max(height, width)
    return max(round(height * scale), 1), max(round(width * scale), 1)


def _fill(count: int, frames: Iterable[tuple[int, Any]], fit: Callable[[Any], Pixels]) -> Pixels:
    """A clip of the sampled ones of so many frames, each scaled down by `fit` and centred on black."""
    wanted = indices(max(count, 1))
    clip = np.zeros((FRAMES, SIZE, SIZE, 3), np.uint8)
    for index, frame in frames:
        if index in wanted:
            small = fit(frame)
            height, width = small.shape[:2]
            top, left = (SIZE - height) // 2, (SIZE - width) // 2
            for position in (place for place, number in enumerate(wanted) if number == index):
                clip[position, top : top + height, left : left + width] = small
        if index >= wanted[-1]:
            break
    return clip
