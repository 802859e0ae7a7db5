"""Other ways from **a GIF file** to **ten frames, uint8 [10, 224, 224, 3] RGB**.

Each is written as its library's users write it: ten frames evenly over the frame count by their index, each
fitted into a black square of 224 pixels with its proportions kept. What a GIF asks for beyond that (how long
frames last, letterbox bars, transparency) is left to the library; only this project's own step must do all.
Libraries are imported inside, because each lives in an environment of its own.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.worker import Subject

FRAMES, SIZE = 10, 224
Pixels = NDArray[np.uint8]
Decoder = Callable[[str], Pixels]


def indices(count: int) -> list[int]:
    """Ten frame numbers, evenly over so many frames; a short GIF repeats some."""
    return [index * count // FRAMES for index in range(FRAMES)]


def this_project() -> Subject:
    """services.preprocess.decode_gif by Pillow and NumPy alone."""
    from services.preprocess.backend import portable  # noqa: PLC0415 - as all libraries here

    return _ours(_version("PIL", "Pillow"), portable())


def compiled() -> Subject:
    """The same by the loops of the extra `fast`."""
    from services.preprocess.backend import compiled as load  # noqa: PLC0415

    return _ours(_version("numba", "Numba"), load())


def _ours(version: str, backend: Any) -> Subject:
    from pathlib import Path  # noqa: PLC0415

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
    """FFmpeg's decoder; the count of frames comes from reading its packets first."""
    av: Any = importlib.import_module("av")

    def decode(path: str) -> Pixels:
        with av.open(path) as container:
            count = sum(1 for packet in container.demux(video=0) if packet.size)
        wanted = indices(max(count, 1))
        clip = np.zeros((FRAMES, SIZE, SIZE, 3), np.uint8)
        with av.open(path) as container:
            stream = container.streams.video[0]
            stream.thread_count = 1
            for index, frame in enumerate(container.decode(stream)):
                if index in wanted:
                    height, width, top, left = _fit(frame.height, frame.width)
                    small = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
                    for position in (place for place, number in enumerate(wanted) if number == index):
                        clip[position, top : top + height, left : left + width] = small
                if index >= wanted[-1]:
                    break
        return clip

    return _subject(_version("av", "PyAV"), decode)


def opencv() -> Subject:
    """VideoCapture: grab every frame, retrieve those that are wanted."""
    cv2: Any = importlib.import_module("cv2")
    cv2.setNumThreads(1)

    def decode(path: str) -> Pixels:
        capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        try:
            wanted = indices(max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 1))
            clip = np.zeros((FRAMES, SIZE, SIZE, 3), np.uint8)
            for index in range(wanted[-1] + 1):
                if not capture.grab():
                    raise ValueError(f"no frame {index}")
                if index in wanted:
                    _, frame = capture.retrieve()
                    height, width, top, left = _fit(*frame.shape[:2])
                    small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
                    small = cv2.cvtColor(small, cv2.COLOR_BGR2RGB)
                    for position in (place for place, number in enumerate(wanted) if number == index):
                        clip[position, top : top + height, left : left + width] = small
            return clip
        finally:
            capture.release()

    return _subject(_version("cv2", "OpenCV"), decode)


def imageio() -> Subject:
    """Imread of each sampled frame through imageio.v3, one file handle for all."""
    iio: Any = importlib.import_module("imageio.v3")

    def decode(path: str) -> Pixels:
        with iio.imopen(path, "r", plugin="pillow") as file:
            count = file.properties(index=...).n_images or 1
            return _stack(file.read(index=index, mode="RGB") for index in indices(count))

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
    """Libvips: all pages in one pass, then the sampled ones thumbnailed and set on black."""
    vips: Any = importlib.import_module("pyvips")

    def decode(path: str) -> Pixels:
        count = vips.Image.new_from_file(path).get("n-pages")
        clip = np.empty((FRAMES, SIZE, SIZE, 3), np.uint8)
        # Up to the last that is wanted; libvips draws each page on the one before.
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


def _subject(version: str, decode: Decoder) -> Subject:
    return Subject(version, decode, check=_check)


def _check(clip: Pixels) -> None:
    """Hold a clip to its shape; which pixels it has is each library's own view of a GIF."""
    if clip.shape != (FRAMES, SIZE, SIZE, 3) or clip.dtype != np.uint8:
        raise ValueError(f"not a clip: {clip.dtype} {clip.shape}")
    if not clip.any():
        raise ValueError("its frames are all black")


def _version(module: str, name: str) -> str:
    return f"{name} {importlib.import_module(module).__version__}"


def _fit(height: int, width: int) -> tuple[int, int, int, int]:
    """Height, width, top and left of a picture that is fitted into the square."""
    scale = SIZE / max(height, width)
    high, wide = max(round(height * scale), 1), max(round(width * scale), 1)
    return high, wide, (SIZE - high) // 2, (SIZE - wide) // 2


def _stack(frames: Iterable[Pixels]) -> Pixels:
    from PIL import Image, ImageOps  # noqa: PLC0415

    return np.stack([np.asarray(ImageOps.pad(Image.fromarray(frame), (SIZE, SIZE))) for frame in frames])
