"""docs/bundle.md: its commands exist with their options, and its limits are those of the code."""

from __future__ import annotations

import re

import typer.main

from delivery.bundle import UNZIPPED_LIMIT, ZIPPED_LIMIT
from delivery.cli import app
from delivery.cost import CPU_MEMORY_MB, FREE_GB_S, FREE_REQUESTS
from tests.support.documents import commands
from tests.support.paths import ROOT

PAGE = ROOT / "docs/bundle.md"


def test_every_command_of_the_page_exists_with_its_options() -> None:
    group = typer.main.get_command(app)
    found = commands(PAGE, "gif-deliver")

    assert {words[0] for words in found} == {"bundle", "cost"}
    for words in found:
        options = {option for each in group.commands[words[0]].params for option in each.opts}
        assert {word for word in words if word.startswith("--")} <= options


def test_the_limits_of_the_page_are_those_of_the_code() -> None:
    numbers = set(re.findall(r"\d[\d,]+", PAGE.read_text("utf-8")))

    limits = (ZIPPED_LIMIT, UNZIPPED_LIMIT, int(FREE_GB_S), FREE_REQUESTS, CPU_MEMORY_MB)
    assert {f"{limit:,}" for limit in limits} <= numbers
