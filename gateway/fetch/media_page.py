"""Finds the media file of a page about one GIF at Giphy or Tenor.

Giphy's addresses contain the id of the media files, so no request is needed:

    giphy.com/gifs/SLUG-ID, /stickers/…, /clips/…, /embed/ID  ->  media.giphy.com/media/ID/giphy.gif
    media0.giphy.com/media/ID/giphy-downsized-small.mp4       ->  media0.giphy.com/media/ID/giphy.gif
    i.giphy.com/ID.mp4                                        ->  i.giphy.com/ID.gif

Some of Giphy's renditions exist only as videos, but each GIF exists as giphy.gif. A WebP stays as it is.

Only Tenor's pages tell the names of their media files, as previews (Open Graph). The best is the GIF, then
the WebP, the video if videos can be decoded, and the still picture:

    tenor.com/view/SLUG-ID, tenor.com/LANGUAGE/view/SLUG-ID, tenor.com/embed/ID, tenor.com/SHORT.gif
"""

from __future__ import annotations

import dataclasses
import html
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from gateway.fetch.address import Address

_GIPHY_PAGE = re.compile(r"/(?:gifs|stickers|clips|embed)/(?:[^/]*-)?(?P<id>[A-Za-z0-9]+)(?:/.*)?")
_VIDEO = re.compile(r"(?P<folder>/(?:media/(?:[^/]+/)*)?)(?P<name>[^/]+)\.mp4", re.IGNORECASE)
_TENOR_PAGE = re.compile(r"/(?:[a-z]{2}(?:-[A-Za-z]{2,4})?/)?(?:view|embed)/[^/]+/?|/[A-Za-z0-9]+\.gif")
# Bounded, and without < or > inside, so that no page is slow to search.
_TAG = re.compile(rb"<(?:meta|link)\b[^<>]{1,4000}>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""\b([a-z-]{1,20})\s{0,9}=\s{0,9}(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_DECLARES = {
    *("og:image", "og:image:url", "og:image:secure_url", "twitter:image", "contenturl", "image_src"),
    *("og:video", "og:video:url", "og:video:secure_url", "twitter:player:stream"),
}
_VIDEOS = (".mp4", ".webm")
_BEST_FIRST = (".gif", ".webp", *_VIDEOS, ".png", ".jpg", ".jpeg")


def media_by_id(address: Address) -> Address | None:
    """Return the GIF of a Giphy address that contains its id; None for other addresses."""
    if address.host in ("giphy.com", "www.giphy.com"):
        found = _GIPHY_PAGE.fullmatch(address.path)
        return found and Address("https", "media.giphy.com", 443, f"/media/{found['id']}/giphy.gif")
    if address.host.endswith(".giphy.com"):
        found = _VIDEO.fullmatch(address.path)
        if found is None:
            return None
        name = "giphy" if found["folder"].startswith("/media/") else found["name"]
        return dataclasses.replace(address, path=f"{found['folder']}{name}.gif", query="")
    return None


def is_page(address: Address) -> bool:
    """Whether an address is a page that must be read to find its media file."""
    return address.host in ("tenor.com", "www.tenor.com") and _TENOR_PAGE.fullmatch(address.path) is not None


def media_in(page: bytes, *, videos: bool = False) -> list[str]:
    """List the media files that a page declares, best first; they are as untrusted as the page."""
    found = [
        (_BEST_FIRST.index(suffix), media)
        for media in _declared(page)
        for suffix in (PurePosixPath(media.partition("?")[0].lower()).suffix,)
        if suffix in _BEST_FIRST and (videos or suffix not in _VIDEOS)
    ]
    return [media for _, media in sorted(found, key=lambda each: each[0])]


def _declared(page: bytes) -> Iterator[str]:
    for tag in _TAG.finditer(page):
        attributes = {
            name.lower(): html.unescape(quoted or single)
            for name, quoted, single in _ATTRIBUTE.findall(tag[0].decode("utf-8", "replace"))
        }
        kind = next(
            (attributes[name] for name in ("property", "name", "itemprop", "rel") if name in attributes), ""
        )
        media = attributes.get("content") or attributes.get("href") or ""
        if kind.lower() in _DECLARES:
            yield media
