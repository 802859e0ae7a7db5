"""README.md: what it says the commands print is what they print."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from benchmarks.bench import report
from benchmarks.bench.results import load
from tests.support.paths import ROOT
from tests.support.programs import call

TEXT = (ROOT / "README.md").read_text("utf-8")
TOLERANCE = 0.3  # percent: processors sum in another order


def identify(*words: str) -> str:
    done = call("gif-analyzer", "identify", *words)
    assert done.returncode == 0
    return done.stdout


RANK = re.compile(r"^  \d+  (.+?)\s+([\d.]+)%(?:  [█▏▎▍▌▋▊▉]+)?$", re.MULTILINE)
VOTES = re.compile(r"^  [\d.]+(?:-[\d.]+)? s  (.+?)  (\d+) of 10 frames$", re.MULTILINE)


def votes(table: str) -> dict[str, int]:
    """Frames by show."""
    found: Counter[str] = Counter()
    for show, count in VOTES.findall(table):
        found[show] += int(count)
    return found


def test_the_tables_it_shows_are_what_the_demo_prints() -> None:
    """Shows that are almost equally probable may change places from machine to machine."""
    [shown] = re.findall(r"`make demo` prints:\n\n```\n(.*?)```", TEXT, re.DOTALL)
    tables = re.split(r"^(?=examples/)", shown, flags=re.MULTILINE)[1:]

    assert len(tables) == 3
    for table in tables:
        heading = table.splitlines()[0]
        name = heading.split(":")[0]
        printed, exact = identify(name), json.loads(identify("--json", "--top-k", "100", name))
        probabilities = {show["show"]: 100 * show["probability"] for show in exact["shows"]}
        ranks = [(show, float(percent)) for show, percent in RANK.findall(table)]

        assert heading == printed.splitlines()[0]
        assert [float(percent) for _, percent in RANK.findall(printed)] == pytest.approx(
            [percent for _, percent in ranks], abs=TOLERANCE
        )
        assert {show: probabilities[show] for show, _ in ranks} == pytest.approx(dict(ranks), abs=TOLERANCE)
        if ": unknown" in heading:
            assert table == printed
            continue
        assert len(RANK.findall(table)) + len(VOTES.findall(table)) + 1 == len(table.splitlines())
        assert sum(votes(table).values()) == 10
        assert votes(table) == pytest.approx(votes(printed), abs=2)


def test_the_line_of_json_it_shows_is_what_the_command_prints() -> None:
    [shown] = re.findall(r"^\{.*\}$", TEXT.split("With `--json`")[1].split("\n\nA file")[0], re.MULTILINE)
    printed = identify("--json", "--top-k", "2", "examples/meadow.gif")
    number = re.compile(r"(?<=\"probability\": )[\d.e-]+")
    start, end = shown.split(" …], ")

    assert number.sub("?", printed).startswith(number.sub("?", start))
    assert printed.strip().endswith(end)


def test_its_figures_of_speed_are_those_of_the_page_and_that_those_of_the_results() -> None:
    section = re.search(r"## How fast it is\n(.*?)\n## ", TEXT, re.DOTALL)
    assert section
    rows = [line for line in section[1].splitlines() if line.startswith("|")]
    page = (ROOT / "docs/benchmarks.md").read_text("utf-8")

    assert len(rows) > 10
    assert set(rows) <= set(page.splitlines())
    assert page == report.page(load(ROOT / "benchmarks/results.json"), plot="benchmarks.png")
