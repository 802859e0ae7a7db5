"""Recognises the format of a file by its first bytes, and reads its structure with the module of that format.

Each format is one module. It finds the frames and their delays without decoding pixels, and can decode and
draw a frame. Everything after that is the same for all formats.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from services.errors import NotAGif
from services.preprocess.container import Budget, Container, check_limit
from services.preprocess.formats import gif, jpeg, png, video, webp

_SCANS: dict[str, Callable[[bytes, Budget], Container]] = {
    "gif": gif.scan,
    "jpeg": jpeg.scan,
    "mp4": functools.partial(video.scan, name="mp4"),
    "png": png.scan,
    "webm": functools.partial(video.scan, name="webm"),
    "webp": webp.scan,
}
# (offset, bytes at that offset, the format)
_FORMATS = (
    (0, b"GIF87a", "gif"),
    (0, b"GIF89a", "gif"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"\xff\xd8\xff", "jpeg"),
    (8, b"WEBP", "webp"),
)
_IMAGES_OF_FTYP = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"heim", b"mif1", b"msf1", b"qt  ")
# (offset, bytes at that offset, description) of files that are often named .gif; the first match counts.
_SIGNATURES = (
    (8, b"AVI ", "an AVI video"),
    (8, b"WAVE", "a WAVE sound"),
    (4, b"ftypavi", "an AVIF image"),
    (4, b"ftyphei", "an HEIF image"),
    (4, b"ftypmif1", "an HEIF image"),
    (4, b"ftypqt", "a QuickTime video"),
    (4, b"ftyp", "an HEIF image"),
    (0, b"\x1a\x45\xdf\xa3", "a Matroska video"),
    (0, b"BM", "a BMP image"),
    (0, b"II*\x00", "a TIFF image"),
    (0, b"MM\x00*", "a TIFF image"),
    (0, b"\x00\x00\x01\x00", "an icon (ICO)"),
    (0, b"%PDF-", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "gzip-compressed data"),
)
_TEXTS = (
    ("<!doctype html", "an HTML page"),
    ("<html", "an HTML page"),
    ("<svg", "an SVG image"),
    ("<?xml", "an XML document"),
)
_SNIFFED_BYTES = 512  # of text: enough for a byte-order mark, blanks and an XML declaration


def read(data: bytes, budget: Budget) -> Container:
    """Read the structure of a file up to its end, or up to the first part that is cut off or invalid.

    The frames before that are complete, but their pixels may still prove broken.

    Raises:
        NotAGif: the format is not supported; the message names it.
        CorruptGif: no frame is complete.
        GifTooLarge: a limit of the budget or of the format is exceeded; the message names it.
    """
    name = recognise(data)
    check_limit("length", budget.max_bytes, len(data), "bytes")
    return _SCANS[name](data, budget)


def recognise(data: bytes) -> str:
    """Return the format of a file, a key of `services.clip.FORMATS`; "png" also for APNG.

    Raises:
        NotAGif: the format is not supported; the message names it.
    """
    for offset, signature, name in _FORMATS:
        if data.startswith(signature, offset):
            return name
    if data.startswith(b"ftyp", 4) and data[8:12] not in _IMAGES_OF_FTYP:
        return "mp4"
    if data.startswith(b"\x1a\x45\xdf\xa3") and b"webm" in data[:64]:
        return "webm"
    raise NotAGif(_describe(data))


def _describe(data: bytes) -> str:
    if not data:
        return "an empty file"
    if data.startswith(b"GIF"):
        return "cut short inside the GIF signature" if len(data) < 6 else "a GIF of an unknown version"
    for offset, signature, name in _SIGNATURES:
        if data.startswith(signature, offset):
            return name
    return _describe_text(data[:_SNIFFED_BYTES]) or "of an unknown kind"


def _describe_text(head: bytes) -> str | None:
    """Return the kind of text; None for binary data."""
    try:
        # The sample may end inside a character, which does not make the file binary.
        text = head.decode("utf-8-sig", errors="strict" if len(head) < _SNIFFED_BYTES else "ignore")
    except UnicodeDecodeError:
        return None
    if any(character < " " and character not in "\t\n\r\f" for character in text):
        return None
    start = text.lstrip().lower()
    for mark, name in _TEXTS:
        if mark in start:
            return name
    return "JSON text" if start.startswith(("{", "[")) else "plain text"
