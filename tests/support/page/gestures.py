"""Drag and drop and the clipboard in a real browser."""

from __future__ import annotations

import base64
from pathlib import Path

from playwright.sync_api import Page

COPY = 1  # the operation that a drag allows, in the DevTools protocol


def drop_file(page: Page, path: Path, *, at: tuple[int, int] = (30, 30)) -> None:
    """Drag a file onto the page and drop it."""
    _drop(page, {"items": [], "files": [str(path)], "dragOperationsMask": COPY}, at)


def drop_text(page: Page, media_type: str, text: str, *, at: tuple[int, int] = (30, 30)) -> None:
    """Drag a link or a picture of another page onto the page and drop it."""
    item = {"mimeType": media_type, "data": text}
    _drop(page, {"items": [item], "files": [], "dragOperationsMask": COPY}, at)


def drag_over(page: Page, path: Path) -> None:
    """Drag a file over the page without dropping it."""
    data = {"items": [], "files": [str(path)], "dragOperationsMask": COPY}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 30, "y": 30, "data": data})


def paste(page: Page, *, file: Path | None = None, media_type: str = "image/gif", **texts: str) -> None:
    """Paste a file, and texts by their kind (`html`, `plain`)."""
    page.evaluate(
        """({name, type, content, texts}) => {
            const transfer = new DataTransfer();
            if (content !== null) {
                const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
                transfer.items.add(new File([bytes], name, {type}));
            }
            for (const [kind, text] of Object.entries(texts)) transfer.setData(`text/${kind}`, text);
            const options = {clipboardData: transfer, bubbles: true, cancelable: true};
            document.activeElement.dispatchEvent(new ClipboardEvent("paste", options));
        }""",
        {
            "name": file.name if file else "",
            "type": media_type,
            "content": base64.b64encode(file.read_bytes()).decode() if file else None,
            "texts": texts,
        },
    )


def _drop(page: Page, data: dict[str, object], at: tuple[int, int]) -> None:
    session = page.context.new_cdp_session(page)
    x, y = at
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": x, "y": y, "data": data})
