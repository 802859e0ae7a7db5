"""README.md and docs/command-line.md: the output and the figures that they show are the real ones."""

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
COMMAND_LINE = (ROOT / "docs/command-line.md").read_text("utf-8")
KNOWN = "--library", "services/inference/default.library"  # as the Makefile has it
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
        printed, exact = identify(*KNOWN, name), json.loads(identify("--json", "--top-k", "100", name))
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
        found = RANK.findall(table), VOTES.findall(table), evidence(table)
        assert sum(map(len, found)) + 1 == len(table.splitlines())
        assert evidence(table) == evidence(printed)
        assert sum(votes(table).values()) == 10
        assert votes(table) == pytest.approx(votes(printed), abs=2)


def evidence(table: str) -> list[str]:
    """The lines on the library, without similarities."""
    lines = [line for line in table.splitlines() if line.startswith(("  same footage: ", "  looks like: "))]
    return [re.sub(r"\(0\.\d\d\)", "", line) for line in lines]


def test_the_lines_for_several_gifs_are_what_the_command_prints() -> None:
    [shown] = re.findall(r"print one line each:\n\n```\n(.*?)```", COMMAND_LINE, re.DOTALL)
    printed = identify(*(line.split(":")[0] for line in shown.splitlines() if line.startswith("examples/")))
    percent = re.compile(r"(?<=\()[\d.]+(?=%\))")

    assert percent.sub("?", printed) == percent.sub("?", shown)


def test_the_line_of_json_is_what_the_command_prints() -> None:
    [shown] = re.findall(r"^\{.*\}$", COMMAND_LINE, re.MULTILINE)
    printed = identify("--json", "--top-k", "2", "examples/meadow.gif")
    number = re.compile(r"(?<=ity\": )[\d.e-]+")  # a probability or a similarity
    parts = [re.escape(number.sub("?", part)) for part in shown.split("…")]

    assert re.fullmatch(".*".join(parts), number.sub("?", printed).strip())


def test_the_figures_of_accuracy_are_those_of_the_evaluation() -> None:
    def cell(figure: dict[str, float]) -> str:
        return f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"

    evaluation = json.loads((ROOT / "docs/evaluation/evaluation.json").read_text("utf-8"))
    systems = {
        each["name"]: {**each, **{f"top_{top['k']}": top["accuracy"] for top in each["top_k"]}}
        for each in evaluation["comparison"]["systems"]
    }
    this, plain = systems["style first, covariances, augmented"], systems["plain recipe"]

    for name, measure in (
        ("the first show is right", "top_1"),
        ("the same, mean of the shows", "mean_of_shows"),
        ("the right show is among the first three", "top_3"),
    ):
        assert f"| {name} | {cell(this[measure])} | {cell(plain[measure])} |" in TEXT


def test_the_figures_of_speed_are_those_of_the_results() -> None:
    section = re.search(r"## How fast it is\n(.*?)\n## ", TEXT, re.DOTALL)
    assert section
    rows = [line for line in section[1].splitlines() if line.startswith("|")]
    page = (ROOT / "docs/benchmarks.md").read_text("utf-8")

    assert len(rows) > 5
    assert set(rows) <= set(page.splitlines())
    assert page == report.page(load(ROOT / "benchmarks/results.json"), plot="benchmarks.png")
