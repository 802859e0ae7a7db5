"""Runs Terraform with the configuration of this project: init, plan, apply, destroy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT

FOLDER = ROOT / "terraform"
TIMEOUT_S = 300
CHANGES = 2  # exit code of `terraform plan -detailed-exitcode`

needs_terraform = pytest.mark.skipif(
    shutil.which("terraform") is None, reason="This test needs Terraform, which is not installed."
)


class Terraform:
    """The configuration of this project with a state of its own, in a folder of its own."""

    def __init__(self, folder: Path, environment: Mapping[str, str] = {}) -> None:
        """Install the provider, from a mirror if TF_CLI_ARGS_init names one; skip if that fails."""
        self.backend = f"-backend-config=path={folder / 'state.tfstate'}"
        self.environment = {
            **os.environ,
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
            "TF_DATA_DIR": str(folder / "data"),
            **environment,
        }
        # A copy, so that no file of a developer is in it.
        self.configuration = folder / "terraform"
        shutil.copytree(
            FOLDER,
            self.configuration,
            ignore=shutil.ignore_patterns(".terraform", "*.tfstate*", "*.tfplan", "cloud_override.tf", "hcp"),
        )
        done = self.run("init", "-input=false", "-lockfile=readonly", self.backend, check=False)
        if done.returncode != 0:
            pytest.skip(f"Terraform cannot install its provider: {' '.join(done.stderr.split())}")

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one command in the configuration."""
        done = subprocess.run(
            ["terraform", f"-chdir={self.configuration}", *arguments, "-no-color"],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def apply(self, environment: str, bundle: Path, *options: str) -> dict[str, Any]:
        """Apply, and return the outputs."""
        self.run("apply", "-input=false", "-auto-approve", *self._variables(environment, bundle), *options)
        outputs = json.loads(self.run("output", "-json").stdout)
        return {name: output["value"] for name, output in outputs.items()}

    def has_changes(self, environment: str, bundle: Path, *options: str) -> bool:
        """Whether another apply would change anything."""
        words = ("-input=false", "-detailed-exitcode", *self._variables(environment, bundle), *options)
        done = self.run("plan", *words, check=False)
        assert done.returncode in (0, CHANGES), done.stdout + done.stderr
        return done.returncode == CHANGES

    def destroy(self, environment: str, bundle: Path, *options: str) -> None:
        """Destroy everything."""
        self.run("destroy", "-input=false", "-auto-approve", *self._variables(environment, bundle), *options)

    @staticmethod
    def _variables(environment: str, bundle: Path) -> list[str]:
        return [f"-var-file={environment}.tfvars", f"-var=bundle={bundle}"]
