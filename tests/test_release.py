"""A release: the same bytes when it is built twice, its notes, its SBOM, and a tag that must fit."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.paths import ROOT

BIN = Path(sys.executable).parent
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
needs_make = pytest.mark.skipif(
    shutil.which("make") is None, reason="This test needs make, which is not installed."
)


def run(*words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def make(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a target as if everything were installed."""
    return run("make", "-s", "-o", ".venv/release", *words, **variables)


@pytest.mark.parametrize("target", ["wheel", "sdist"])
def test_built_twice_it_is_the_same_to_the_byte(target: str, tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="This test needs hatchling, which is not installed.")
    built = []
    for name, umask in (("first", "022"), ("second", "077")):
        program = (
            f'umask {umask}; exec "{sys.executable}" -m hatchling build -t {target} -d "{tmp_path / name}"'
        )
        done = run("sh", "-c", program, SOURCE_DATE_EPOCH="1790000000", HOME=str(tmp_path / name))
        assert done.returncode == 0, done.stderr
        [path] = (tmp_path / name).iterdir()
        built.append((path.name, path.read_bytes()))

    assert built[0] == built[1]


@needs_make
def test_the_notes_are_the_section_of_the_change_log() -> None:
    done = make("notes")
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    section = re.search(rf"^## {re.escape(VERSION)} .*?\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)

    assert section is not None
    assert (done.returncode, done.stdout) == (0, section[1])


@needs_make
def test_a_tag_of_another_version_is_refused() -> None:
    done = make("dist", "TAG=v9.9.9")

    assert done.returncode != 0
    assert f"the tag v9.9.9 is not v{VERSION}, the version of pyproject.toml" in done.stderr


def test_the_sbom_is_reproducible_and_valid(tmp_path: Path) -> None:
    if not (BIN / "cyclonedx-py").exists():
        pytest.skip("This test needs cyclonedx-bom, which is not installed: make setup.")
    [line] = re.findall(
        r"cyclonedx-py (environment .*?)-o ", (ROOT / "Makefile").read_text("utf-8"), re.DOTALL
    )
    words = line.replace("\\\n", " ").split()
    made, python = [], tmp_path / "venv/bin/python"
    run(BIN / "uv", "venv", "-q", "-p", sys.executable, tmp_path / "venv", **os.environ)
    packages = ("-c", ROOT / "constraints.txt", "pillow")
    installed = run(BIN / "uv", "pip", "install", "-q", "-p", python, *packages, **os.environ)
    assert installed.returncode == 0, installed.stderr
    for name in ("first.json", "second.json"):
        done = run(BIN / "cyclonedx-py", *words, "-o", tmp_path / name, python)
        assert done.returncode == 0, done.stderr  # it validates what it writes
        made.append((tmp_path / name).read_bytes())
    sbom = json.loads(made[0])

    assert made[0] == made[1]
    assert (sbom["bomFormat"], sbom["metadata"]["component"]["name"]) == ("CycloneDX", "gif-analyzer")
    assert [each["name"] for each in sbom["components"]] == ["pillow"]
