"""Draws docs/page.png, the page with an answer for examples/meadow.gif (`make picture`)."""

from __future__ import annotations

import io
import sys

from PIL import Image

from gateway.pipeline import local
from gateway.rest.app import create_app
from services.inference import default_library_path
from tests.support.page.browser import CHROMIUM, open_browser
from tests.support.page.server import EXAMPLES, LocalAddresses, serving
from tests.support.paths import ROOT

TARGET = ROOT / "docs" / "page.png"
WIDTH, HEIGHT = 1280, 860  # pixels of the window
MARGIN = 20  # pixels under the strip
COLOURS = 256


def main() -> None:
    """Upload the GIF, wait for the answer, and save the page down to the strip of frames."""
    if CHROMIUM is None:
        sys.exit("make picture: needs chromium or google-chrome on this machine")
    app = create_app(local(library=default_library_path()), LocalAddresses())
    with serving(app) as address, open_browser() as browser:
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light", reduced_motion="reduce"
        )
        page.goto(address)
        page.set_input_files("#file", EXAMPLES / "meadow.gif")
        page.wait_for_selector("[data-state=answered]")
        page.wait_for_function(
            "() => [...document.images].filter((image) => image.src).every((image) => image.complete)"
        )
        strip = page.locator("#strip").bounding_box()
        assert strip is not None
        height = round(strip["y"] + strip["height"] + MARGIN)
        shown = page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": height})
    with Image.open(io.BytesIO(shown)) as picture:
        # Rare colours, such as those of links, count as much as frequent ones.
        few = picture.convert("RGB").quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE)
        few.save(TARGET, optimize=True)


if __name__ == "__main__":
    main()
