"""docs/fetch.md names the limits and the default hosts of the code."""

from __future__ import annotations

import re

from gateway.fetch.address import DEFAULT_HOSTS, MAX_LENGTH, FetchSettings, HostRule
from tests.support.paths import ROOT

TEXT = (ROOT / "docs/fetch.md").read_text("utf-8")


def test_the_limits_are_those_of_the_settings() -> None:
    settings = FetchSettings()

    assert f"| {settings.max_bytes:,} bytes |" in TEXT
    assert f"| {settings.timeout_s:g} s | `GIF_ANALYZER_FETCH_TIMEOUT_S`" in TEXT
    assert f"| {settings.connect_s:g} s | `GIF_ANALYZER_FETCH_CONNECT_S`" in TEXT
    assert f"at most {settings.page_max_bytes:,} bytes of it" in TEXT
    assert f"At most {settings.max_redirects} are followed" in TEXT
    assert f"At most {MAX_LENGTH:,} characters" in TEXT


def test_the_default_hosts_are_those_named() -> None:
    named = re.search(r"The default is `(.+?)`", TEXT)

    assert named is not None
    assert tuple(HostRule.parse(text) for text in named[1].split(", ")) == DEFAULT_HOSTS
