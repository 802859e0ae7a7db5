from __future__ import annotations

import time

import pytest

from gateway.fetch.address import Address
from gateway.fetch.media_page import is_page, media_by_id, media_in

MEDIA = "https://media.giphy.com/media/yAqdjThdDEMF2/giphy.gif"


@pytest.mark.parametrize(
    "page",
    [
        "https://giphy.com/gifs/yAqdjThdDEMF2",
        "https://giphy.com/gifs/cat-funny-yAqdjThdDEMF2",
        "http://www.giphy.com/gifs/cat-yAqdjThdDEMF2/links/fullscreen?utm=1",
        "https://giphy.com/stickers/cat-yAqdjThdDEMF2",
        "https://giphy.com/clips/some-show-cat-yAqdjThdDEMF2",
        "https://giphy.com/embed/yAqdjThdDEMF2",
    ],
)
def test_giphy_pages_contain_the_id(page: str) -> None:
    media = media_by_id(Address.parse(page))

    assert media is not None
    assert media.whole == MEDIA


@pytest.mark.parametrize(
    ("video", "gif"),
    [
        (
            "https://media.giphy.com/media/abc/giphy-downsized-small.mp4?cid=1&rid=giphy.mp4",
            "https://media.giphy.com/media/abc/giphy.gif",
        ),
        (
            "https://media2.giphy.com/media/v1.Y2lk/abc/200w.mp4",
            "https://media2.giphy.com/media/v1.Y2lk/abc/giphy.gif",
        ),
        ("https://i.giphy.com/abc.MP4", "https://i.giphy.com/abc.gif"),
        *(
            (
                f"https://media.giphy.com/media/{folder}/{name}",
                f"https://media.giphy.com/media/{folder}/giphy.gif",
            )
            for folder in ("abc", "v1.Y2lk/abc")
            for name in ("giphy-downsized-small.mp4", "giphy-hd.mp4", "giphy-preview.mp4", "480w.MP4.mp4")
        ),
    ],
)
def test_giphy_video_leads_to_the_gif(video: str, gif: str) -> None:
    media = media_by_id(Address.parse(video))

    assert media is not None
    assert media.whole == gif


@pytest.mark.parametrize(
    "text",
    [
        MEDIA,
        "https://i.giphy.com/yAqdjThdDEMF2.gif",
        "https://giphy.com/",
        "https://giphy.com/explore/cat-dog",
        "https://giphy.com/gifs/",
        "https://giphy.com/gifs/cat-%2e%2e",
        "https://notgiphy.com/gifs/cat-yAqdjThdDEMF2",
        "https://giphy.com.example/gifs/cat-yAqdjThdDEMF2",
        "https://example.org/media/abc/giphy.mp4",
        "https://media0.giphy.com/media/abc/giphy.webp?cid=1",
    ],
)
def test_no_other_address_is_changed(text: str) -> None:
    assert media_by_id(Address.parse(text)) is None


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("https://tenor.com/view/cat-gif-12345", True),
        ("https://tenor.com/pt-BR/view/cat-gif-12345", True),
        ("https://www.tenor.com/view/12345/", True),
        ("https://tenor.com/embed/12345", True),
        ("https://tenor.com/bqrZK.gif", True),
        ("https://tenor.com/search/cat-gifs", False),
        ("https://media.tenor.com/view/cat-gif-12345", False),
        ("https://media1.tenor.com/m/abcAAAAC/cat.gif", False),
        ("https://example.org/view/cat-gif-12345", False),
    ],
)
def test_pages_of_tenor_are_known_by_their_address(text: str, page: bool) -> None:
    assert is_page(Address.parse(text)) is page


def test_media_files_of_a_page_best_first() -> None:
    page = b"""<!doctype html><html><head>
        <meta name="description" content="https://media1.tenor.com/m/no/description.gif">
        <meta class="dynamic" property="og:title" content="Cat &gt; dog">
        <meta property="og:video" content="https://media1.tenor.com/m/four/cat.mp4">
        <meta class="dynamic" property="og:image" content="https://media1.tenor.com/m/one/cat.gif?a=1&amp;b=2">
        <META CONTENT='https://media1.tenor.com/m/two/cat.gif' ITEMPROP='contentUrl'/>
        <link rel="image_src" href="/three.gif"><link rel="icon" href="/icon.gif">
        <meta property="og:image" content="https://media1.tenor.com/m/five/cat.png">
        <meta property="og:image" content="https://media1.tenor.com/m/webp/cat.webp">
        <meta property="og:image" content="https://media1.tenor.com/m/no/cat.svg">
        """

    pictures = [
        "https://media1.tenor.com/m/one/cat.gif?a=1&b=2",
        "https://media1.tenor.com/m/two/cat.gif",
        "/three.gif",
        "https://media1.tenor.com/m/webp/cat.webp",
    ]
    still, video = "https://media1.tenor.com/m/five/cat.png", "https://media1.tenor.com/m/four/cat.mp4"
    assert media_in(page) == [*pictures, still]
    assert media_in(page, videos=True) == [*pictures, video, still]


@pytest.mark.parametrize(
    "piece",
    [b"<meta", b"<meta ", b"<", b'<meta a="', b"<meta a-a-a-a-", b"<meta content='a'", b"<meta =", b"\xff"],
)
def test_page_made_to_be_slow(piece: bytes) -> None:
    page = (piece * (1_000_000 // len(piece)))[:-1] + b">"
    begun = time.process_time()

    assert media_in(page) == []

    assert time.process_time() - begun < 5  # it takes a fraction of a second; what is quadratic takes minutes
