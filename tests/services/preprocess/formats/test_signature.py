from __future__ import annotations

import io

import pytest
from PIL import Image

from services.errors import NotAGif
from services.preprocess import decode_gif
from services.preprocess.formats import recognise


def save(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 3), "red").save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (save("BMP"), "a BMP image"),
        (save("TIFF"), "a TIFF image"),
        (save("ICO"), "an icon (ICO)"),
        (b"RIFF\x24\0\0\0AVI LIST", "an AVI video"),
        (b"\0\0\0\x14ftypqt  \0\0\2\0qt  ", "a QuickTime video"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1", "an AVIF image"),
        (b"\0\0\0\x1cftypheic\0\0\0\0heicmif1", "an HEIF image"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01", "a Matroska video"),
        (b"<!DOCTYPE html>\n<html><body>404</body></html>", "an HTML page"),
        (b"\xef\xbb\xbf\r\n <HTML lang=en>", "an HTML page"),
        (b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'>", "an HTML page"),
        (b"<?xml version='1.0'?><svg/>", "an SVG image"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "an XML document"),
        (b'{"message": "not found"}', "JSON text"),
        (b"Not found\n", "plain text"),
        ("é".encode() * 400, "plain text"),  # the checked part ends inside a character
        (b"%PDF-1.7\n", "a PDF document"),
        (b"PK\3\4\x14\0", "a ZIP archive"),
        (b"\x1f\x8b\x08\0", "gzip-compressed data"),
        (b"", "an empty file"),
        (b"GIF8", "cut short inside the GIF signature"),
        (b"GIF90a" + bytes(20), "a GIF of an unknown version"),
        (b"\0\1\2\3\4\5", "of an unknown kind"),
        (b"\xff\xfe\xfd", "of an unknown kind"),
    ],
)
def test_an_unsupported_file_is_described(data: bytes, found: str) -> None:
    with pytest.raises(NotAGif) as refused:
        decode_gif(data)

    assert refused.value.details == {"found": found}
    assert found in refused.value.message


def test_the_format_is_checked_before_the_size() -> None:
    with pytest.raises(NotAGif, match="a BMP image"):
        decode_gif(save("BMP") + bytes(26_000_000))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", "mp4"),
        (b"\0\0\0\x20ftypmp42\0\0\0\0mp42isom", "mp4"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01\x42\x82\x84webm", "webm"),
    ],
)
def test_videos_are_recognised(data: bytes, name: str) -> None:
    assert recognise(data) == name


@pytest.mark.parametrize("kind", ["GIF", "PNG", "JPEG", "WebP"])
def test_a_format_is_recognised_by_its_first_bytes_alone(kind: str) -> None:
    data = save(kind.upper())

    assert recognise(data) == recognise(data[:12]) == kind.lower()
