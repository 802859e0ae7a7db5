"""The workflows of GitHub Actions: valid, safe, and made of steps that also run locally."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.paths import ROOT

FOLDER = ROOT / ".github"
WORKFLOWS = sorted((FOLDER / "workflows").glob("*.yml"))
BIN = Path(sys.executable).parent


def read(path: Path) -> dict[str, Any]:
    # YAML 1.1 reads the key `on` as true
    return {("on" if key is True else key): value for key, value in yaml.safe_load(path.read_text()).items()}


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in read(path)["jobs"].values() for step in job["steps"]]


def run(tool: str, *words: str | Path) -> None:
    if not (BIN / tool).exists():
        pytest.skip(f"This test needs {tool}, which is not installed: make setup.")
    done = subprocess.run(
        [BIN / tool, *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_finds_nothing() -> None:
    run("actionlint", *WORKFLOWS)


def test_zizmor_finds_nothing() -> None:
    run("zizmor", "--offline", "--quiet", "--no-progress", FOLDER)


def test_they_match_their_schemas() -> None:
    run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)
    run("check-jsonschema", "--builtin-schema", "vendor.dependabot", FOLDER / "dependabot.yml")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_to_a_commit(path: Path) -> None:
    used = re.findall(r"uses: (\S+)(.*)", path.read_text("utf-8"))

    assert used
    for action, version in used:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", version), f"{action}: add its version in a comment"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_job_only_has_the_permissions_that_it_names(path: Path) -> None:
    workflow = read(path)

    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        assert job["permissions"]["contents"] == "read", name
        assert job["timeout-minutes"] <= 90, name


def test_a_pull_request_deploys_nothing_and_has_no_secrets() -> None:
    text = (FOLDER / "workflows/ci.yml").read_text("utf-8")

    assert "secrets." not in text
    assert "id-token" not in text
    assert "pull_request_target" not in text
    assert not {job.get("environment") for job in read(FOLDER / "workflows/ci.yml")["jobs"].values()} - {None}


def test_one_deployment_runs_at_a_time_and_without_stored_aws_keys() -> None:
    path = FOLDER / "workflows/deploy.yml"
    workflow = read(path)

    assert workflow["concurrency"] == {"group": "deploy", "cancel-in-progress": False}
    assert "pull_request" not in workflow["on"]
    assert "AWS_ACCESS_KEY" not in path.read_text("utf-8")
    for name, job in workflow["jobs"].items():
        signs_in = any("aws-actions/" in step.get("uses", "") for step in job["steps"])
        assert signs_in == (job["permissions"].get("id-token") == "write"), name


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_step_is_one_command_that_also_runs_locally(path: Path) -> None:
    verbs = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))

    for step in steps(path):
        if "run" not in step:
            continue
        words = step["run"].split()
        assert "\n" not in step["run"].strip(), step["run"]
        if words[0] == "make":
            assert words[1] in verbs, step["run"]
