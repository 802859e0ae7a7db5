"""README.md: what it says the commands print is what they print."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.results import load
from services.inference import default_model_path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text("utf-8")
TOLERANCE = 0.3  # percent: processors sum in another order

pytestmark = pytest.mark.skipif(
    not default_model_path().exists(), reason="this copy carries no default model"
)


def identify(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", "from gateway.cli import main; main()", "identify", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def without_numbers(text: str) -> str:
    """What a table says apart from its percents and the bars that draw them."""
    return re.sub(r"\s+[\d.]+%\s+\S+$", "", text, flags=re.MULTILINE)


def test_the_table_it_shows_is_what_the_demo_prints() -> None:
    [shown] = re.findall(r"`make demo` prints:\n\n```\n(.*?)```", TEXT, re.DOTALL)

    printed = identify(*(f"examples/{name}.gif" for name in ("brook", "meadow", "spinner")))

    assert without_numbers(shown) == without_numbers(printed)
    assert [float(n) for n in re.findall(r"([\d.]+)%", shown)] == pytest.approx(
        [float(n) for n in re.findall(r"([\d.]+)%", printed)], abs=TOLERANCE
    )


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
