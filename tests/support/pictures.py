"""PNG, APNG, WebP and JPEG files on which decoders disagree.

    python -m tests.support.pictures tests/corpus/pictures      # writes them
    python -m tests.support.page.frames tests/corpus            # records what Chromium shows of them

The files are part of the repository, because other versions of the encoders write other bytes.
"""

from __future__ import annotations

import io
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.clip import check_clip
from services.errors import GifError
from services.preprocess import Budget, decode_gif
from tests.support.picture_writer import (
    GREY,
    GREY_ALPHA,
    PALETTE,
    RGB,
    RGBA,
    Part,
    chunk,
    compress_png,
    compress_webp,
    frame_control,
    png_header,
    riff,
    webp_file,
    write_anmf,
    write_apng,
    write_png,
    write_webp,
)

WIDTH, HEIGHT = 26, 18
COLOURS = bytes(range(30, 30 + 48))  # sixteen of them


def noise(seed: int, height: int = HEIGHT, width: int = WIDTH, channels: int = 4) -> NDArray[np.uint8]:
    """Random pixels, some of them opaque and some transparent."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    if channels in (2, 4):
        pixels[: height // 3, :, -1] = 255
        pixels[height // 3 : height // 2, :, -1] = 0
    return pixels


def smooth(turn: int = 0, height: int = 75, width: int = 101) -> NDArray[np.uint8]:
    """RGB that compresses well."""
    y, x = np.mgrid[0:height, 0:width]
    return np.dstack([x * 2 + turn * 9, y * 3, (x + y + turn * 20) % 256]).astype(np.uint8)


def solid(colour: tuple[int, ...], height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    """One colour."""
    return np.full((height, width, len(colour)), colour, np.uint8)


def saved(pixels: NDArray[np.uint8], kind: str, mode: str | None = None, **options: Any) -> bytes:
    """Pixels as Pillow writes them."""
    image = Image.fromarray(pixels)
    file = io.BytesIO()
    (image.convert(mode) if mode else image).save(file, kind, **options)
    return file.getvalue()


def saved_animation(kind: str) -> bytes:
    """Three pictures of noise as Pillow animates them."""
    others = [Image.fromarray(noise(each)) for each in (1, 2)]
    return saved(noise(0), kind, save_all=True, append_images=others, duration=70)


def apng(parts: Sequence[Part], colour: int = RGBA, **options: Any) -> bytes:
    """An APNG of the usual size."""
    return write_apng(WIDTH, HEIGHT, parts, colour, **options)


def webp(parts: Sequence[Part], **options: Any) -> bytes:
    """An animated WebP of the usual size."""
    return write_webp(WIDTH, HEIGHT, parts, **options)


def exif(orientation: int, order: str = "<") -> bytes:
    """EXIF that holds only the orientation."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(f"{order}IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def pngs() -> dict[str, bytes]:
    """Still pictures of every colour type."""
    found = {}
    for depth in (1, 2, 4, 8, 16):
        high = (1 << depth) - 1
        grey = np.random.default_rng(depth).integers(0, high + 1, (HEIGHT, WIDTH, 1))
        key = chunk(b"tRNS", struct.pack(">H", int(grey[0, 0, 0])))
        for interlaced in (False, True):
            end = f"{depth}{'-interlaced' if interlaced else ''}"
            options = {"depth": depth, "interlaced": interlaced}
            found[f"png-grey-{end}"] = write_png(grey, GREY, **options)
            found[f"png-grey-key-{end}"] = write_png(grey, GREY, before=key, **options)
            if depth <= 8:
                index = grey % 16
                before = chunk(b"PLTE", COLOURS[: 3 * min(high + 1, 16)])
                found[f"png-palette-{end}"] = write_png(index, PALETTE, before=before, **options)
                before += chunk(b"tRNS", bytes((0, 128, 255, 7))[: min(high + 1, 4)])
                found[f"png-palette-alpha-{end}"] = write_png(index, PALETTE, before=before, **options)
            if depth >= 8:
                rng = np.random.default_rng(depth)
                for colour, channels, name in (
                    (RGB, 3, "rgb"),
                    (GREY_ALPHA, 2, "grey-alpha"),
                    (RGBA, 4, "rgba"),
                ):
                    pixels = rng.integers(0, high + 1, (HEIGHT, WIDTH, channels))
                    found[f"png-{name}-{end}"] = write_png(pixels, colour, **options)
                    if colour == RGB:
                        before = chunk(b"tRNS", struct.pack(">HHH", *pixels[1, 1].tolist()))
                        found[f"png-rgb-key-{end}"] = write_png(pixels, RGB, before=before, **options)
    beyond = np.full((HEIGHT, WIDTH, 1), 200)
    beyond[::2] = 3
    found["png-palette-beyond"] = write_png(beyond, PALETTE, before=chunk(b"PLTE", COLOURS))
    found["png-palette-missing"] = write_png(beyond, PALETTE)
    found["png-gamma"] = write_png(noise(1), before=chunk(b"gAMA", struct.pack(">I", 100_000)))
    primaries = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)  # of Display P3
    wide = chunk(b"gAMA", struct.pack(">I", 45455)) + chunk(b"cHRM", struct.pack(">8I", *primaries))
    found["png-wide"] = write_png(noise(1), before=wide)
    found["png-srgb"] = write_png(noise(1), before=chunk(b"sRGB", b"\0"))
    for orientation in range(1, 10):
        before = chunk(b"eXIf", exif(orientation, "<" if orientation % 2 else ">"))
        found[f"png-turned-{orientation}"] = write_png(noise(orientation), before=before)
    found["png-cut"] = write_png(noise(2))[:900]
    found["png-no-end"] = write_png(noise(2))[:-12]
    found["png-filtered"] = saved(smooth(), "PNG")
    whole = write_png(noise(3))
    found["png-bad-crc"] = whole[:-20] + bytes((whole[-20] ^ 1,)) + whole[-19:]
    found["png-tail"] = write_png(noise(3)) + b"more"
    return found


def apngs() -> dict[str, bytes]:
    """Animations with every disposal and blend mode, and unusual ones."""
    found = {}
    for dispose in (0, 1, 2):
        for over in (False, True):
            parts = [
                Part(noise(seed), over=over, dispose=dispose)
                if seed % 3 == 0
                else Part(noise(seed, 7, 9), left=seed, top=seed % 5, over=over, dispose=dispose)
                for seed in range(9)
            ]
            found[f"apng-dispose-{dispose}-{'over' if over else 'source'}"] = apng(parts)
    many = [Part(noise(0)), *(Part(noise(seed, 12, 20), seed, seed % 6, over=True) for seed in range(1, 7))]
    mixed = [
        Part(noise(seed, 10, 12), seed, seed % 8, dispose=seed % 3, over=bool(seed % 2))
        for seed in range(1, 12)
    ]
    found["apng-mixed"] = apng([Part(noise(0), dispose=2), *mixed])
    found["apng-interlaced"] = apng(many, interlaced=True)
    found["apng-many-chunks"] = apng(many, data_chunks=9)
    found["apng-default-apart"] = apng(many, default=noise(99))
    found["apng-one-frame"] = apng(many[:1])
    found["apng-one-frame-default-apart"] = apng(many[:1], default=noise(99))
    found["apng-rgb"] = apng([Part(noise(0, channels=3)), Part(noise(1, 6, 6, 3), 3, 3, over=True)], RGB)
    found["apng-rgb-key"] = apng(
        [
            Part(solid((9, 8, 7))),
            Part(noise(1, 6, 6, 3) % 2 + 8, 3, 3, over=True),
            Part(solid((9, 8, 7)), over=True),
        ],
        RGB,
        before=chunk(b"tRNS", struct.pack(">HHH", 9, 8, 7)),
    )
    indices = [Part(noise(0, channels=1) % 16), Part(noise(1, 6, 6, 1) % 16, 3, 3, over=True)]
    palette = chunk(b"PLTE", COLOURS)
    found["apng-palette"] = apng(indices, PALETTE, before=palette)
    palette += chunk(b"tRNS", bytes((0, 100, 200)))
    found["apng-palette-alpha"] = apng(indices, PALETTE, before=palette)
    found["apng-grey"] = apng([Part(noise(0, channels=1)), Part(noise(1, 6, 6, 1), 3, 3)], GREY)
    found["apng-grey-alpha"] = apng(
        [Part(noise(0, channels=2)), Part(noise(1, 6, 6, 2), 3, 3, over=True)], GREY_ALPHA
    )
    deep = [Part(noise(seed).astype(np.uint16) * 251 + seed, over=bool(seed)) for seed in range(3)]
    found["apng-16"] = apng(deep, depth=16)
    times = (0, 1, 9, 10, 11, 33, 65535)
    found["apng-times"] = apng([Part(noise(each), delay_ms=each) for each in times])
    found["apng-parts-of-time"] = odd_times()
    found["apng-fewer-frames"] = apng(many, count=12)
    found["apng-more-frames"] = apng(many, count=3)
    found["apng-count-0"] = apng(many, count=0)
    found["apng-count-1"] = apng(many, count=1)
    found["apng-first-part"] = apng([Part(noise(1, 6, 6), 2, 2), *many])
    found["apng-outside"] = apng([*many[:3], Part(noise(1, 6, 6), WIDTH - 3, 2), *many[3:]])
    found["apng-empty-frame"] = apng([*many[:3], Part(noise(1, 0, 6)), Part(noise(1, 6, 6))])
    found["apng-short-frame"] = apng([*many[:3], Part(noise(1), data=compress_png(noise(1, 9))), *many[3:]])
    found["apng-broken-frame"] = apng([*many[:3], Part(noise(1), data=b"no zlib"), *many[3:]])
    found["apng-no-data"] = apng([*many[:3], Part(noise(1), data=b""), *many[3:]])
    found["apng-broken-first"] = apng([Part(noise(1), data=b"no zlib"), *many])
    whole = apng(many)
    found["apng-cut-in-frame"] = whole[: whole.rindex(b"fdAT") + 500]
    found["apng-cut-before-frame"] = whole[: whole.rindex(b"fcTL") - 4]
    found["apng-no-end"] = whole[:-12]
    found["apng-turned"] = apng(many, before=chunk(b"eXIf", exif(6)))
    found["apng-gap-in-sequence"] = without_chunk(whole, b"fcTL", 3)
    found["apng-control-behind"] = animation_control_behind(many)
    found["apng-pillow"] = saved_animation("PNG")
    return found


def odd_times() -> bytes:
    """An APNG with delays in unusual fractions of a second."""
    png = png_header(WIDTH, HEIGHT, RGBA)
    fractions = ((1, 30), (1, 0), (7, 0), (1, 7), (0, 5), (1001, 30000), (2, 3), (65535, 1))
    png += chunk(b"acTL", struct.pack(">II", len(fractions), 0))
    sequence = 0
    for index, (time, parts) in enumerate(fractions):
        part = frame_control(sequence, Part(noise(index)))[8:-4]
        png += chunk(b"fcTL", part[:20] + struct.pack(">HH", time, parts) + part[24:])
        data = compress_png(noise(index))
        png += chunk(b"fdAT", struct.pack(">I", sequence + 1) + data) if index else chunk(b"IDAT", data)
        sequence += 2 if index else 1
    return png + chunk(b"IEND")


def without_chunk(png: bytes, kind: bytes, which: int) -> bytes:
    """A PNG without one of its chunks."""
    position = 0
    for _ in range(which + 1):
        position = png.index(kind, position + 1)
    length = int.from_bytes(png[position - 4 : position], "big")
    return png[: position - 4] + png[position + length + 8 :]


def animation_control_behind(parts: list[Part]) -> bytes:
    """An APNG whose acTL comes after its pixels, where it is ignored."""
    whole = apng(parts)
    control = whole[whole.index(b"acTL") - 4 :][:20]
    moved = without_chunk(whole, b"acTL", 0)
    at = moved.index(b"fcTL", moved.index(b"IDAT")) - 4
    return moved[:at] + control + moved[at:]


def webps() -> dict[str, bytes]:
    """Still pictures and animations, lossless and lossy, with every disposal and blend mode, and more."""
    found = {
        "webp-lossless": saved(noise(0), "WEBP", lossless=True, exact=True),
        "webp-lossless-rgb": saved(smooth(), "WEBP", lossless=True),
        "webp-lossy": saved(smooth(), "WEBP", quality=60),
        "webp-lossy-alpha": saved(noise(0), "WEBP", quality=60),
        "webp-turned": saved(smooth(), "WEBP", lossless=True, exif=b"Exif\0\0" + exif(6)),
    }
    for lossless in (True, False):
        for dispose in (0, 1):
            for over in (False, True):
                parts = [
                    Part(noise(seed), over=over, dispose=dispose)
                    if seed % 3 == 0
                    else Part(
                        noise(seed, 7, 9), left=2 * seed, top=2 * (seed % 5), over=over, dispose=dispose
                    )
                    for seed in range(8)
                ]
                name = f"webp-{'lossless' if lossless else 'lossy'}-{dispose}-{'over' if over else 'source'}"
                found[name] = webp(parts, lossless=lossless)
    many = [
        Part(noise(0)),
        *(Part(noise(seed, 8, 10), 2 * seed, 2 * (seed % 4), over=True) for seed in range(1, 7)),
    ]
    mixed = [
        Part(noise(seed, 8, 10), 2 * (seed % 7), 2 * (seed % 4), dispose=seed % 2, over=seed % 3 > 0)
        for seed in range(1, 12)
    ]
    opaque = [Part(smooth(turn)) for turn in range(4)]
    found["webp-mixed"] = webp(mixed)
    found["webp-background"] = webp(mixed, background=bytes((10, 20, 30, 255)))
    found["webp-no-alpha-flag"] = webp(mixed, flags=0x02)
    found["webp-opaque"] = write_webp(101, 75, opaque, lossless=False)
    found["webp-opaque-lossless"] = write_webp(101, 75, opaque, flags=0x02)
    found["webp-opaque-on-larger"] = write_webp(
        120, 90, [Part(smooth(), 4, 6), Part(smooth(3), 10, 2, dispose=1)]
    )
    times = (0, 1, 9, 10, 11, 33, 0xFFFFFF)
    found["webp-times"] = webp([Part(noise(each), delay_ms=each) for each in times])
    found["webp-one-frame"] = webp(many[:1])
    found["webp-small-first"] = webp([Part(noise(1, 6, 6), 4, 4), *many])
    found["webp-outside"] = webp([*many[:3], Part(noise(1, 6, 6), WIDTH - 4, 2), *many[3:]])
    wrong_size = Part(noise(1), data=compress_webp(noise(1, 6, 6)))
    found["webp-wrong-size"] = webp([*many[:3], wrong_size, *many[3:]])
    broken = compress_webp(noise(1))
    broken = broken[:20] + bytes(len(broken) - 20)
    found["webp-broken-frame"] = webp([*many[:3], Part(noise(1), data=broken), *many[3:]])
    found["webp-no-data"] = webp([*many[:3], Part(noise(1), data=b""), *many[3:]])
    whole = webp(many)
    found["webp-cut-in-frame"] = whole[: whole.rindex(b"ANMF") + 60]
    found["webp-cut-before-frame"] = whole[: whole.rindex(b"ANMF")]
    found["webp-longer"] = whole + b"more"
    found["webp-no-animation-flag"] = webp(many, flags=0x10)
    found["webp-no-frames"] = webp([])
    found["webp-unknown-chunks"] = webp(many, after=riff(b"XMP ", b"<x/>") + riff(b"abcd", b"1"))
    found["webp-still-extended"] = webp_file(
        riff(b"VP8X", bytes((0x10, 0, 0, 0)) + bytes((WIDTH - 1, 0, 0, HEIGHT - 1, 0, 0)))
        + compress_webp(noise(2))
    )
    found["webp-cut"] = found["webp-lossless"][:900]
    found["webp-extended-frames-only"] = webp_file(
        riff(b"VP8X", bytes((0x12, 0, 0, 0)) + bytes((WIDTH - 1, 0, 0, HEIGHT - 1, 0, 0)))
        + riff(b"ANMF", write_anmf(many[0]))
    )
    found["webp-pillow"] = saved_animation("WEBP")
    found["webp-pillow-mixed"] = saved(
        smooth(),
        "WEBP",
        save_all=True,
        append_images=[Image.fromarray(smooth(turn)) for turn in range(1, 12)],
        duration=40,
        allow_mixed=True,
        minimize_size=True,
    )
    return found


def jpegs() -> dict[str, bytes]:
    """Pictures of every mode, and turned ones."""
    found = {}
    for sampling, name in ((0, "444"), (1, "422"), (2, "420")):
        found[f"jpeg-{name}"] = saved(smooth(), "JPEG", subsampling=sampling)
        found[f"jpeg-{name}-progressive"] = saved(smooth(), "JPEG", subsampling=sampling, progressive=True)
    found["jpeg-grey"] = saved(smooth(), "JPEG", "L")
    found["jpeg-cmyk"] = saved(smooth(), "JPEG", "CMYK")
    found["jpeg-restarts"] = saved(smooth(), "JPEG", restart_marker_rows=1)
    found["jpeg-rgb"] = saved(smooth(), "JPEG", keep_rgb=True)
    for orientation in range(1, 10):
        found[f"jpeg-turned-{orientation}"] = saved(smooth(), "JPEG", exif=b"Exif\0\0" + exif(orientation))
    found["jpeg-comment"] = saved(smooth(), "JPEG", comment=b"\xff\xc0" * 40)
    found["jpeg-cut"] = found["jpeg-444"][:-300]
    found["jpeg-tail"] = found["jpeg-444"] + b"more"
    found["jpeg-no-end"] = found["jpeg-444"][:-2]
    return found


def pictures() -> dict[str, bytes]:
    """All of them, by the names of their files."""
    suffixes = {"png": ".png", "apng": ".png", "webp": ".webp", "jpeg": ".jpg"}
    found = {**pngs(), **apngs(), **webps(), **jpegs()}
    return {f"{name}{suffixes[name.partition('-')[0]]}": data for name, data in found.items()}


_RED = Part(solid((250, 5, 5, 255), 48, 64), delay_ms=500)
# One red file of each format beside GIF.
FORMATS_OF = {
    "png": write_png(_RED.pixels),
    "apng": write_apng(64, 48, [_RED, _RED]),
    "webp": write_webp(64, 48, [_RED, _RED]),
    "jpeg": saved(solid((250, 5, 5), 48, 64), "JPEG"),
}


def main() -> None:
    """Write them into a folder."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in pictures().items():
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()


def colours(file: bytes) -> list[tuple[int, ...]]:
    """The colour of each frame of a clip with plain frames."""
    frames = decode_gif(file).frames
    assert all((frame == frame[0, 0]).all() for frame in frames)
    return [tuple(frame[0, 0].tolist()) for frame in frames]


def assert_clip_or_error(data: bytes, budget: Budget) -> None:
    """Check that any bytes give a valid clip or an error with a message."""
    try:
        clip = decode_gif(data, budget=budget)
    except GifError as refused:
        assert refused.message
    else:
        check_clip(clip)
