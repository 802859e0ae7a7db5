"""Every document: its commands, settings, files and figures are those of the code and the results."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import pytest
import typer.main

from gateway.settings import Settings
from services.errors import catalogue
from tests.support.documents import commands
from tests.support.paths import ROOT

DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
MODULES = {
    "gif-analyzer": "gateway.cli",
    "gif-deliver": "delivery.cli",
    "gif-train": "training.cli",
    "python -m benchmarks": "benchmarks.__main__",
}

each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix()
)


@each_document
def test_every_make_verb_exists(document: Path) -> None:
    verbs = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))

    named = {word for words in commands(document, "make") for word in words[:1] if "=" not in word}

    assert named <= verbs


@pytest.mark.parametrize("program", MODULES)
@each_document
def test_every_command_exists_with_its_options(document: Path, program: str) -> None:
    group = typer.main.get_command(importlib.import_module(MODULES[program]).app)
    for given in commands(document, program):
        names_a_gif = any(char in word for word in given for char in "./") or given[:1] == ["-"]
        leaves_identify_out = program == "gif-analyzer" and names_a_gif
        leaves_identify_out &= not set(given) & set(getattr(group, "commands", {}))
        words = ["identify", *given] if leaves_identify_out else given
        command, known = group, {"--help", "-h", "--install-completion"}
        for word in words:
            subcommands = getattr(command, "commands", {})
            if word in subcommands:
                command = subcommands[word]
            elif subcommands and not word.startswith("-"):
                pytest.fail(f"{program} has no command {word}")
            known |= {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
            if word.startswith("-") and word != "-":
                assert word.split("=")[0] in known, " ".join(words)


@each_document
def test_every_variable_is_a_setting(document: Path) -> None:
    named = set(re.findall(r"GIF_ANALYZER_[A-Z_]+", document.read_text("utf-8")))

    assert named - {"GIF_ANALYZER_"} <= Settings.variables()


def test_every_setting_is_in_a_document() -> None:
    text = "\n".join(document.read_text("utf-8") for document in DOCUMENTS)

    assert [name for name in Settings.variables() if f"`{name}`" not in text] == []


@each_document
def test_every_linked_file_exists(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text("utf-8"))

    assert [link for link in links if ":" not in link and not (document.parent / link).exists()] == []


@each_document
def test_every_ratio_lies_within_its_spread(document: Path) -> None:
    header: list[str] = []
    for line in document.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if "spread" in cells or not cells:
            header = cells
        elif header and cells[header.index("spread")].count("-") == 1:
            low, high = map(float, cells[header.index("spread")].split("-"))
            assert low <= float(cells[header.index("ratio")]) <= high, line


@pytest.mark.parametrize(("name", "rows"), [("rest.md", 27), ("grpc.md", 9), ("fetch.md", 6)])
def test_the_tables_of_errors_are_those_of_the_code(name: str, rows: int) -> None:
    text = (ROOT / "docs" / name).read_text("utf-8")
    table = re.search(r"^\| reason \|.*?(?=\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    assert table
    found = re.findall(r"^\| `([A-Z_]+)` \|(?: `?(\w+)`? \| `?(\w+)?)?", table[0], re.MULTILINE)

    assert len(found) == rows
    for reason, code, exception in found:
        error = catalogue()[reason]
        if name == "rest.md":
            assert error.http_status == int(code)
        if name == "grpc.md":
            assert (error.grpc_code, error.__name__) == (code, exception)


def test_the_table_of_early_exit_is_what_was_measured() -> None:
    text = (ROOT / "docs/effort.md").read_text("utf-8")
    measured = json.loads((ROOT / "docs/evaluation/effort.json").read_text("utf-8"))

    rows = re.findall(r"^\| (of known shows|of other things|all) \|(.*)\|$", text, re.MULTILINE)
    assert len(rows) == len(measured["followed"])
    for (clips, cells), found in zip(rows, measured["followed"], strict=True):
        stopped, frames, saved, changed = (
            found[key]["value"] for key in ("stopped", "frames", "saved", "changed")
        )
        assert clips == found["clips"]
        assert [cell.strip().removesuffix(" %") for cell in cells.split("|")] == [
            f"{100 * stopped:.1f}",
            f"{frames:.1f}",
            f"{100 * saved:.1f}",
            f"{100 * changed:.1f}",
        ]
    assert f"{measured['accuracy']['value']:.3f}" in text
    [within] = re.findall(r"to within (0\.\d+)", text)
    assert max(abs(measured["change"][end]) for end in ("low", "high")) < float(within) + 0.0005


def test_the_table_of_taught_shows_is_what_was_measured() -> None:
    text = (ROOT / "docs/library.md").read_text("utf-8")
    measured = json.loads((ROOT / "docs/evaluation/teaching.json").read_text("utf-8"))

    rows = re.findall(r"^\| (\d+) GIFs? \|(.*)\|$", text, re.MULTILINE)
    assert len(rows) == len(measured["taught"])
    for (gifs, cells), found in zip(rows, measured["taught"], strict=True):
        assert int(gifs) == found["gifs"]
        assert [cell.strip() for cell in cells.split("|")] == [
            f"{found['recall']['value']:.2f}",
            f"{found['recall']['low']:.2f} to {found['recall']['high']:.2f}",
            f"{found['share']['value']:.2f}",
            f"{found['named']['value']:.2f}",
            *(f"{round(100 * found[name]['value'], 1) + 0:.1f}" for name in ("lost", "called_known")),
        ]
    assert f"training on the show gives {measured['trained']['value']:.2f}" in text


def test_the_tables_of_same_footage_are_what_was_measured() -> None:
    text = (ROOT / "docs/library.md").read_text("utf-8")
    measured = json.loads((ROOT / "docs/evaluation/footage.json").read_text("utf-8"))

    for each in measured["changes"]:
        found = each["found"]
        cells = f"{found['value']:.3f} | {found['low']:.3f} to {found['high']:.3f}"
        assert f"| {each['change']} | {cells} | {each['false_in_10_000']['value']:.2f} |" in text
    for each in measured["absent"]:
        cells = f"{100 * each['matched']['value']:.1f} % | {each['false_in_10_000']['value']:.2f}"
        assert f"| {each['change']} | {cells} |" in text
    assert f"Frames agree if {measured['same_whole']} of their signs are equal" in text


def test_the_rule_of_early_exit_is_the_one_that_was_found() -> None:
    from training.fit.operating import read_rule

    text = (ROOT / "docs/effort.md").read_text("utf-8")
    rule = read_rule(ROOT / "docs/evaluation/effort.json")

    *first, last = rule.frames
    assert f"Frames {', '.join(map(str, first))} and {last} of 0 to 9" in text
    assert f"a probability of {rule.threshold:.4f} on" in text
