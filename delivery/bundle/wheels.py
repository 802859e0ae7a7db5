"""Everything that others wrote: **pyproject.toml, constraints.txt** -> wheels of the target -> **a folder**.

Only wheels, never a source: what is built here would be for this machine. No byte-code yet.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from delivery.bundle.target import Target
from delivery.errors import FailedStep, MissingTool

EXTRA = "lambda"


@dataclass(frozen=True)
class Package:
    """One that was installed.

    Attributes:
        name: as its own metadata write it.
        version: as constraints.txt pins it.
        files: paths from the folder, with / between.
    """

    name: str
    version: str
    files: frozenset[str]


def install_wheels(root: Path, folder: Path, target: Target) -> list[Package]:
    """Put the pinned packages of the lambda extra into a folder.

    Args:
        root: of the project, with pyproject.toml and constraints.txt.
        folder: to install into.
        target: that the wheels must fit.

    Raises:
        MissingTool: uv is not there.
        FailedStep: a wheel cannot be had for this target.
    """
    command = [
        *(_find_uv(), "pip", "install", "--quiet", "--target", str(folder)),
        *(
            "--python",
            sys.executable,
            "--python-version",
            target.python,
            "--python-platform",
            target.platform,
        ),
        *("--only-binary", ":all:", "--no-compile-bytecode", "--link-mode", "copy"),
        *("--constraint", str(root / "constraints.txt"), "--requirement", str(root / "pyproject.toml")),
        *("--extra", EXTRA),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FailedStep("installing the wheels", done.stderr)
    (folder / ".lock").unlink(missing_ok=True)  # of uv, while it installed
    return sorted(map(_read_package, folder.glob("*.dist-info")), key=lambda package: package.name.lower())


def _find_uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise MissingTool("uv", "pip install uv")
    return found


def _read_package(information: Path) -> Package:
    name, _, version = information.name.removesuffix(".dist-info").rpartition("-")
    with (information / "RECORD").open(newline="", encoding="utf-8") as record:
        return Package(name, version, frozenset(row[0] for row in csv.reader(record)))
