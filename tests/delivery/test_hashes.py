"""hashes.txt: the archives of everything that is installed to deploy, or that is deployed."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.documents import constraints
from tests.support.paths import ROOT

TEXT = (ROOT / "hashes.txt").read_text("utf-8")
EXTRAS = {"deliver", "fast", "gate", "grpc", "lambda", "registry", "rest"}  # of `make hashes`
TOOLS = {"cyclonedx-bom", "dvc", "hatchling", "pytest", "setuptools", "uv"}  # the same


def entries() -> dict[str, tuple[str, list[str]]]:
    """Version and SHA-256 digests of each package."""
    found = re.findall(
        r"^([a-z0-9-]+)==(\S+?)(?: ; [^\n]*?)? \\\n((?:    --hash=.*\n?)+)", TEXT, re.MULTILINE
    )
    return {
        name: (version, re.findall(r"sha256:([0-9a-f]{64})\b", hashes)) for name, version, hashes in found
    }


def needed_by(name: str, extras: set[str], seen: set[tuple[str, str]]) -> Iterator[str]:
    """Every package that an installed one needs on this machine, through all others."""
    for line in importlib.metadata.requires(name) or []:
        one = Requirement(line)
        if one.marker and not any(one.marker.evaluate({"extra": extra}) for extra in {"", *extras}):
            continue
        for extra in {"", *one.extras}:
            if (one.name, extra) not in seen:
                seen.add((one.name, extra))
                yield canonicalize_name(one.name)
                yield from needed_by(one.name, {extra}, seen)


def test_every_version_is_that_of_constraints() -> None:
    pins = constraints()
    # constraints.txt holds what was tested together, and no test ran on Windows.
    only_windows = set(re.findall(r"^([a-z0-9-]+)==\S+ ; sys_platform == 'win32'", TEXT, re.MULTILINE))

    assert only_windows == {"pywin32"}
    differ = {name for name, (version, _) in entries().items() if pins.get(name) != version}
    assert differ == only_windows


def test_each_package_has_hashes_and_the_file_no_address() -> None:
    lines = TEXT.splitlines()

    assert len(entries()) == len([line for line in lines if "==" in line.split(";")[0]]) > 100
    assert [name for name, (_, hashes) in entries().items() if not hashes] == []
    assert [line for line in lines if "://" in line or line.startswith("-")] == []


@pytest.mark.tools
def test_it_names_whatever_those_packages_need() -> None:
    needed = {*TOOLS, *needed_by("gif-analyzer", EXTRAS, set())}
    for tool in TOOLS:
        needed.update(needed_by(tool, set(), set()))

    assert needed - {"gif-analyzer"} - entries().keys() == set()


@pytest.mark.skipif(shutil.which("make") is None, reason="This test needs make, which is not installed.")
@pytest.mark.parametrize(
    "verb",
    [
        "candidate",
        "compare",
        "bundle",
        "plan",
        "apply",
        "rollout",
        "test-live",
        "promote",
        "rollback",
        "drift",
    ],
)
def test_no_verb_of_the_deployment_installs_anything_after_setup(verb: str) -> None:
    """What `make -n` would run when `make setup-deploy` has run."""
    stamps = ("serve", "deliver", "live", "registry")
    old = [word for stamp in stamps for word in ("-o", f".venv/{stamp}")]

    done = subprocess.run(
        ["make", "-n", *old, verb], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )

    assert "install" not in done.stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="This test needs make, which is not installed.")
def test_the_live_tests_need_no_more_than_the_deployment_installs() -> None:
    """They run in a process that finds only the packages of hashes.txt."""
    shown = subprocess.run(
        ["make", "-n", "-o", ".venv/live", "test-live"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    [words] = re.findall(r"-m pytest (.*)", shown.stdout)
    names = {
        module
        for module, packages in importlib.metadata.packages_distributions().items()
        if not {canonicalize_name(package) for package in packages} & {*entries(), "gif-analyzer"}
    }
    program = "import sys, pytest; sys.modules.update(dict.fromkeys({!r})); sys.exit(pytest.main({!r}))"

    done = subprocess.run(
        [sys.executable, "-c", program.format(sorted(names), words.split())],
        cwd=ROOT,
        env={
            **{key: value for key, value in os.environ.items() if key not in ("CI", "LIVE_URL")},
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # those are not there either
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert {"onnx", "hypothesis"} <= names
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ skipped", done.stdout)
