"""What the tests of the page share: a browser, a gateway, and a page that may not complain."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

from gateway.pipeline import Pipeline, local
from gateway.rest.app import create_app
from tests.support.page.browser import CHROMIUM, open_browser
from tests.support.page.server import LocalAddresses, serving


@pytest.fixture(scope="module")  # while it is open, nobody else can run an event loop in this thread
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("This test needs Chromium or Chrome, and neither is installed.")
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def pipeline() -> Pipeline:
    return local()


@pytest.fixture
def addresses() -> LocalAddresses:
    return LocalAddresses()


@pytest.fixture
def server(pipeline: Pipeline, addresses: LocalAddresses) -> Iterator[str]:
    """The address of a gateway that anybody may ask."""
    with serving(create_app(pipeline, addresses)) as address:
        yield address
        addresses.released.set()  # nothing is left waiting


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """A function that opens an address in a fresh browser context; options are those of the context.

    At the end no page has complained, broken its own security policy, or asked anybody but its server. What
    a browser itself says of an answer of 400 or more, and of none where `offline_is_meant`, is no complaint.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(address: str, *, offline_is_meant: bool = False, **options: Any) -> Page:
        expected = r"Failed to load resource: the server responded with a status of [45]\d\d"
        if offline_is_meant:
            expected += "|Failed to load resource: net::ERR_(INTERNET_DISCONNECTED|CONNECTION_REFUSED)"
        server = f"{urlsplit(address).scheme}://{urlsplit(address).netloc}/"
        context = browser.new_context(**options)
        context.set_default_timeout(30_000)
        contexts.append(context)

        def hear(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning") and not re.match(expected, message.text):
                complaints.append(message.text)

        def see(request: Request) -> None:
            if not request.url.startswith((server, "data:", "blob:")):
                complaints.append(f"asked for {request.url}")

        context.on("console", hear)
        context.on("weberror", lambda found: complaints.append(str(found.error)))
        context.on("request", see)
        page = context.new_page()
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
