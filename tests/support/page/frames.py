"""Records what Chromium shows of pictures and animations, as the lines of a `chromium.csv`.

    python -m tests.support.page.frames tests/corpus            # writes tests/corpus/chromium.csv anew

tests/corpus/README.md describes the columns. Frames come from `ImageDecoder`. It returns JPEG, and lossy WebP
of one frame, as YUV, which can be converted to RGB in several ways. For these the bitmap that a page draws is
used.
"""

from __future__ import annotations

import argparse
import base64
import csv
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from playwright.sync_api import Page

from tests.support.page.browser import CHROMIUM, open_browser

FRAMES = 60  # of each file
COLUMNS = ("path", "frames", "error", "durations_ms", "crc32")
MEDIA_TYPES = {
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".png": "image/png",
    ".apng": "image/png",
    ".jpg": "image/jpeg",
}

_DECODE = """async ({data, type, limit}) => {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    const found = {frames: 0, error: "", durations: [], pictures: []};
    const text = (buffer) => {
        let letters = "";
        for (let start = 0; start < buffer.length; start += 8192) {
            letters += String.fromCharCode(...buffer.subarray(start, start + 8192));
        }
        return btoa(letters);
    };
    const drawn = async () => {
        const bitmap = await createImageBitmap(new Blob([bytes], {type}), {colorSpaceConversion: "none"});
        const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
        context.drawImage(bitmap, 0, 0);
        const {data, width, height} = context.getImageData(0, 0, bitmap.width, bitmap.height);
        return {width, height, pixels: text(data), rotation: 0, flip: false};
    };
    let decoder;
    try {
        decoder = new ImageDecoder({data: bytes, type, preferAnimation: true});
        await decoder.tracks.ready;
        await decoder.completed;
        found.frames = decoder.tracks.selectedTrack.frameCount;
        for (let index = 0; index < Math.min(found.frames, limit); index++) {
            const {image} = await decoder.decode({frameIndex: index});
            found.durations.push(image.duration === null ? 0 : image.duration / 1000);
            if (image.format.startsWith("I4")) {
                found.pictures.push(await drawn());
            } else {
                const layout = {format: "RGBA"};
                const buffer = new Uint8Array(image.allocationSize(layout));
                await image.copyTo(buffer, layout);
                const {codedWidth: width, codedHeight: height, rotation, flip} = image;
                found.pictures.push({width, height, pixels: text(buffer), rotation, flip});
            }
            image.close();
        }
    } catch (error) {
        found.error = `${error.name}: ${error.message}`;
    }
    if (decoder) decoder.close();
    return found;
}"""


@dataclass(frozen=True)
class Shown:
    """What Chromium shows of one file."""

    frames: int  # how many it counts
    error: str  # of the first frame that it cannot decode; "" if it decodes all
    durations_ms: tuple[int, ...]  # of the first frames that it can decode
    crc32: tuple[int, ...]  # `zlib.crc32` of the RGB bytes of each of them, drawn on black

    def row(self, path: str) -> dict[str, str | int]:
        """The line of a `chromium.csv`."""
        durations, checksums = (" ".join(map(str, each)) for each in (self.durations_ms, self.crc32))
        return dict(zip(COLUMNS, (path, self.frames, self.error, durations, checksums), strict=True))


@contextmanager
def decoding_page() -> Iterator[Page]:
    """Open a page at a secure address, where ImageDecoder is available; no network is used."""
    with open_browser() as browser:
        page = browser.new_page()
        page.route("**/*", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
        page.goto("https://localhost/")
        yield page


def show(page: Page, data: bytes, media_type: str) -> Shown:
    """Decode one file with Chromium."""
    given = {"data": base64.b64encode(data).decode(), "type": media_type, "limit": FRAMES}
    found = page.evaluate(_DECODE, given)
    return Shown(
        found["frames"],
        found["error"],
        tuple(round(duration) for duration in found["durations"]),
        tuple(zlib.crc32(on_black(picture)) for picture in found["pictures"]),
    )


def on_black(picture: dict[str, object]) -> bytes:
    """The RGB bytes of a picture as it is shown: rotated as its file says, and drawn on black."""
    shape = picture["height"], picture["width"], 4
    pixels = np.frombuffer(base64.b64decode(str(picture["pixels"])), np.uint8).reshape(shape)
    colours, alpha = pixels[..., :3].astype(np.uint32), pixels[..., 3:].astype(np.uint32)
    black = ((colours * alpha * 2 + 255) // 510).astype(np.uint8)
    turned = np.rot90(black, -int(str(picture["rotation"])) // 90)
    return (turned[:, ::-1] if picture["flip"] else turned).tobytes()


def main() -> None:
    """Write the table of a folder."""
    parser = argparse.ArgumentParser(
        description="Write what Chromium shows of a folder's files to its chromium.csv."
    )
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    if CHROMIUM is None:
        sys.exit("This needs chromium or google-chrome on this machine.")
    paths = sorted(path for path in folder.rglob("*") if path.suffix in MEDIA_TYPES)
    with decoding_page() as page:
        rows = [
            show(page, path.read_bytes(), MEDIA_TYPES[path.suffix]).row(path.relative_to(folder).as_posix())
            for path in paths
        ]
    with (folder / "chromium.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    main()
