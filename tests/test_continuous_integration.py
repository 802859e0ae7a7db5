"""Continuous integration: unexpected skips are failures, and .ci/run takes the locked provider only."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.terraform import Terraform, needs_terraform

TESTS = """
import pytest

CHROMIUM = "This test needs Chromium or Chrome, and neither is installed."

def test_skips():
    pytest.skip(CHROMIUM)

@pytest.mark.skipif(True, reason=CHROMIUM)
def test_is_skipped():
    raise AssertionError

@pytest.mark.xfail(reason="it fails")
def test_is_expected_to_fail():
    raise AssertionError

def test_skips_for_an_allowed_reason():
    pytest.skip("This test needs the shared GIFs: a folder ../shared.")
"""
MODULE = 'import pytest; pytest.importorskip("no_such_module", reason="This test needs no_such_module.")'


def run_pytest(folder: Path, **environment: str) -> str:
    """Run the tests of a folder; return the last line, how many failed or were skipped."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib"),
            *("--continue-on-collection-errors", folder),
        ],
        cwd=ROOT,
        env={
            **{name: value for name, value in os.environ.items() if name not in ("CI", "PYTEST_ADDOPTS")},
            **{"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environment},  # plugins take seconds to import
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.stdout.splitlines()[-1]


def test_an_unexpected_skip_is_a_failure_in_ci_only(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS, "utf-8")
    (tmp_path / "test_module.py").write_text(MODULE, "utf-8")
    shutil.copyfile(ROOT / "tests/conftest.py", tmp_path / "conftest.py")

    assert run_pytest(tmp_path).startswith("4 skipped, 1 xfailed in ")
    assert run_pytest(tmp_path, CI="true").startswith("1 failed, 1 skipped, 1 xfailed, 2 errors in ")


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o755)


@needs_terraform
@pytest.mark.cloud
def test_a_provider_with_another_digest_is_neither_taken_nor_run(tmp_path: Path) -> None:
    """Two folders are found: the first holds a program that is not the provider."""
    Terraform(tmp_path)
    good = tmp_path / "data/providers/registry.terraform.io"
    [provider] = good.glob("hashicorp/aws/*/*/terraform-provider-aws*")
    bad = tmp_path / "bad/registry.terraform.io"
    fake = bad / provider.relative_to(good)
    fake.parent.mkdir(parents=True)
    program(fake, f"touch {tmp_path / 'ran'}")
    programs = tmp_path / "bin"
    programs.mkdir()
    program(programs / "find", f"echo {bad}; echo {good}")
    program(programs / "make", f'echo "$CI $TF_CLI_ARGS_init" >> {tmp_path / "made"}')
    program(programs / "chromium", "exit 1")
    environment = {k: v for k, v in os.environ.items() if k not in ("CI", "TF_CLI_ARGS_init")}

    subprocess.run(
        [ROOT / ".ci/run"],
        env={**environment, "PATH": f"{programs}:{os.environ['PATH']}"},
        check=True,
        timeout=300,
    )

    assert (tmp_path / "made").read_text("utf-8").splitlines() == [f"true -plugin-dir={good.parent}"] * 3
    assert not (tmp_path / "ran").exists()
