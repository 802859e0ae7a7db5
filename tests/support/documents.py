"""Reads the code in documents, and the pins of constraints.txt."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from packaging.utils import canonicalize_name

from tests.support.paths import ROOT


def code_in(document: Path) -> Iterator[str]:
    """Yield each line of code in a document, and each piece of inline code."""
    fenced = False
    for line in document.read_text("utf-8").splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield line.strip()
        else:
            yield from re.findall("`([^`]+)`", line)


def commands(document: Path, program: str) -> list[list[str]]:
    """The arguments of each call of a program in a document's code, without comments."""
    name = program.split()
    found = []
    for code in code_in(document):
        for part in re.split(r"\||&&|;", code.removeprefix("$ ").split("#")[0]):
            words = part.strip().removeprefix(".venv/bin/").split()
            if words[: len(name)] == name:
                found.append(words[len(name) :])
    return found


def constraints() -> dict[str, str]:
    """The versions that constraints.txt pins, by name; it must hold names and exact versions only."""
    pins = {}
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            found = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!]+)", line)
            assert found, line
            name = canonicalize_name(found[1])
            assert name not in pins, f"{name} is pinned twice"
            pins[name] = found[2]
    return pins
