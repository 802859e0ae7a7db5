"""Pages about one GIF: **address of a page** of Giphy or Tenor -> **address of its media file**.

Giphy's addresses end in the id that its media files are named by, so nothing has to be asked:

    giphy.com/gifs/SLUG-ID, /stickers/…, /clips/…, /embed/ID          ->  media.giphy.com/media/ID/giphy.gif
    media0.giphy.com/media/ID/giphy.webp or .mp4, i.giphy.com/ID.webp  ->  the same with .gif
    media0.giphy.com/media/ID/giphy-downsized-small.mp4 and the like   ->  media0.giphy.com/media/ID/giphy.gif

Tenor's media files have a name that its pages alone tell, in what they declare for previews (Open Graph):

    tenor.com/view/SLUG-ID, tenor.com/LANGUAGE/view/SLUG-ID, tenor.com/embed/ID, tenor.com/SHORT.gif
"""

from __future__ import annotations

import dataclasses
import html
import re
from collections.abc import Iterator

from gateway.fetch.address import Address

_GIPHY_PAGE = re.compile(r"/(?:gifs|stickers|clips|embed)/(?:[^/]*-)?(?P<id>[A-Za-z0-9]+)(?:/.*)?")
_OTHER_FORM = re.compile(r"(?P<stem>/.+)\.(?:webp|mp4)", re.IGNORECASE)
# Of Giphy's sizes these exist in each form; the others are of films alone.
_FILM_SIZE = re.compile(r"(?P<folder>/media/.+/)(?!(?:giphy|[0-9]+w?(?:_d)?)$)[^/]+")
_TENOR_PAGE = re.compile(r"/(?:[a-z]{2}(?:-[A-Za-z]{2,4})?/)?(?:view|embed)/[^/]+/?|/[A-Za-z0-9]+\.gif")
# Bounded, and without < or > inside: a page that is made to be slow to read is not.
_TAG = re.compile(rb"<(?:meta|link)\b[^<>]{1,4000}>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""\b([a-z-]{1,20})\s{0,9}=\s{0,9}(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_DECLARES = {"og:image", "og:image:url", "og:image:secure_url", "twitter:image", "contenturl", "image_src"}


def media_by_id(address: Address) -> Address | None:
    """Name the GIF of a page or of another form that tells its id; None when the address is neither."""
    if address.host in ("giphy.com", "www.giphy.com"):
        found = _GIPHY_PAGE.fullmatch(address.path)
        return found and Address("https", "media.giphy.com", 443, f"/media/{found['id']}/giphy.gif")
    if address.host.endswith(".giphy.com"):
        found = _OTHER_FORM.fullmatch(address.path)
        if found is None:
            return None
        film = _FILM_SIZE.fullmatch(found["stem"])
        stem = f"{film['folder']}giphy" if film else found["stem"]
        return dataclasses.replace(address, path=f"{stem}.gif", query="")
    return None


def is_page(address: Address) -> bool:
    """Whether an address is that of a page that has to be read to know its media file."""
    return address.host in ("tenor.com", "www.tenor.com") and _TENOR_PAGE.fullmatch(address.path) is not None


def media_in(page: bytes) -> Iterator[str]:
    """Yield the addresses of GIFs that a page declares, in its order; they are as untrusted as the page."""
    for tag in _TAG.finditer(page):
        attributes = {
            name.lower(): html.unescape(quoted or single)
            for name, quoted, single in _ATTRIBUTE.findall(tag[0].decode("utf-8", "replace"))
        }
        kind = next(
            (attributes[name] for name in ("property", "name", "itemprop", "rel") if name in attributes), ""
        )
        media = attributes.get("content") or attributes.get("href") or ""
        if kind.lower() in _DECLARES and media.partition("?")[0].lower().endswith(".gif"):
            yield media
