"""What a file really is, by its first bytes: the name of a format, or `NotAGif` that says what was found.

Collections of GIFs hold WebP, MP4 and error pages under the name .gif; their owners need to know which.
"""

from __future__ import annotations

from services.errors import NotAGif

# (offset, bytes there, the format)
_FORMATS = (
    (0, b"GIF87a", "gif"),
    (0, b"GIF89a", "gif"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"\xff\xd8\xff", "jpeg"),
    (8, b"WEBP", "webp"),
)
_IMAGES_OF_FTYP = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"heim", b"mif1", b"msf1", b"qt  ")
# (offset, bytes there, what such a file is); the first that fits is the answer.
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
_SNIFFED_BYTES = 512  # of text: enough to pass a byte-order mark, blanks and an XML declaration


def recognise(data: bytes) -> str:
    """Name the format of a file: a key of `services.clip.FORMATS`; "png" is any PNG.

    Raises:
        NotAGif: it is of none of them; the message says what it is.
    """
    for offset, signature, name in _FORMATS:
        if data.startswith(signature, offset):
            return name
    if data.startswith(b"ftyp", 4) and data[8:12] not in _IMAGES_OF_FTYP:
        return "mp4"
    if data.startswith(b"\x1a\x45\xdf\xa3") and b"webm" in data[:64]:
        return "webm"
    raise NotAGif(_name(data))


def _name(data: bytes) -> str:
    if not data:
        return "an empty file"
    if data.startswith(b"GIF"):
        return "cut short inside the GIF signature" if len(data) < 6 else "a GIF of an unknown version"
    for offset, signature, name in _SIGNATURES:
        if data.startswith(signature, offset):
            return name
    return _name_text(data[:_SNIFFED_BYTES]) or "of an unknown kind"


def _name_text(head: bytes) -> str | None:
    """Name the kind of text; None where it is no text."""
    try:
        # A character cut at the end of the sample is no reason to call the file binary.
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
