"""The workflows of GitHub Actions: valid, safe, and made of steps that also run locally."""

from __future__ import annotations

import os
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
DEPLOY = FOLDER / "workflows/deploy.yml"
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
        assert "contents" in job["permissions"], name
        assert job["timeout-minutes"] <= 90, name
        # A job that runs code of a commit may not write to the repository, an issue or a pull request.
        written = {scope for scope, access in job["permissions"].items() if access != "read"}
        allowed = {"id-token"} if runs_the_commit(job) else {"attestations", "contents", "id-token", "issues"}
        assert written <= allowed, name


def runs_the_commit(job: dict[str, Any]) -> bool:
    return any("actions/checkout" in step.get("uses", "") for step in job["steps"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_failed_command_in_a_pipe_fails_its_step(path: Path) -> None:
    assert read(path)["defaults"] == {"run": {"shell": "bash"}}  # GitHub adds pipefail to this one only


@pytest.mark.parametrize("path", [FOLDER / "workflows/ci.yml", FOLDER / "workflows/weekly.yml"])
def test_a_pull_request_deploys_nothing_and_has_no_secrets(path: Path) -> None:
    text = path.read_text("utf-8")

    assert "secrets." not in text
    assert "id-token" not in text
    assert "pull_request_target" not in text
    assert not {job.get("environment") for job in read(path)["jobs"].values()} - {None}


def test_the_checks_of_main_are_never_cancelled() -> None:
    """A group that two commits of main share would cancel the older one, even while it waits."""
    concurrency = read(FOLDER / "workflows/ci.yml")["concurrency"]

    assert concurrency == {
        "group": "ci-${{ github.event.pull_request.number || github.sha }}",
        "cancel-in-progress": "${{ github.event_name == 'pull_request' }}",
    }


def test_the_versions_are_audited_each_week() -> None:
    path = FOLDER / "workflows/weekly.yml"

    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", read(path)["on"]["schedule"][0]["cron"])
    assert "make audit" in [step.get("run") for step in steps(path)]


def test_dependabot_follows_every_kind_of_dependency() -> None:
    updates = read(FOLDER / "dependabot.yml")["updates"]

    assert {(update["package-ecosystem"], update["directory"]) for update in updates} == {
        ("docker", "/"),
        ("docker-compose", "/"),
        ("github-actions", "/"),
        ("pip", "/"),
        ("terraform", "/terraform"),
    }
    assert all(update["cooldown"]["default-days"] >= 7 for update in updates)


# The deployment. tests/delivery/test_deploy_workflow.py runs it.


def test_one_deployment_runs_at_a_time_and_without_stored_aws_keys() -> None:
    workflow = read(DEPLOY)

    assert workflow["concurrency"] == {"group": "deploy", "cancel-in-progress": False}
    assert "AWS_ACCESS_KEY" not in DEPLOY.read_text("utf-8")
    for name, job in workflow["jobs"].items():
        assert signs_in(job) == (job["permissions"].get("id-token") == "write"), name


def signs_in(job: dict[str, Any]) -> bool:
    return any("aws-actions/" in step.get("uses", "") for step in job["steps"])


def test_only_a_commit_of_main_whose_checks_passed_is_deployed() -> None:
    workflow = read(DEPLOY)
    first, *others = workflow["jobs"].items()

    assert set(workflow["on"]) == {"workflow_run", "workflow_dispatch"}
    assert workflow["on"]["workflow_run"]["workflows"] == [read(FOLDER / "workflows/ci.yml")["name"]]
    asked = first[1]["steps"][0]["run"]
    assert "gh run list --workflow ci.yml --branch main --event push --status success --limit 1" in asked
    for name, job in others:
        assert first[0] in job["needs"], name
        [checkout] = [step for step in job["steps"] if "actions/checkout" in step.get("uses", "")]
        assert checkout["with"]["ref"] == "${{ needs.commit.outputs.sha }}", name


def test_without_such_a_commit_nothing_is_deployed(tmp_path: Path) -> None:
    """The step of the first job, with a `gh` that found no run."""
    gh, output = tmp_path / "gh", tmp_path / "output"
    gh.write_text("#!/bin/sh\necho sha=\n", "utf-8")
    gh.chmod(0o755)
    [step] = read(DEPLOY)["jobs"]["commit"]["steps"]

    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "GITHUB_OUTPUT": str(output)},
        check=False,
    )

    assert done.returncode != 0
    assert output.read_text("utf-8") == ""


def test_nothing_is_installed_once_a_step_has_credentials() -> None:
    """tests/delivery/test_hashes.py checks that other verbs install nothing after `make setup-deploy`."""
    for name, job in read(DEPLOY)["jobs"].items():
        secret = [
            number
            for number, step in enumerate(job["steps"])
            if "secrets." in str(step) or "aws-actions/" in step.get("uses", "")
        ]
        setup = [number for number, step in enumerate(job["steps"]) if step.get("run") == "make setup-deploy"]
        python = any("setup-python" in step.get("uses", "") for step in job["steps"])

        assert "secrets." not in str(job.get("env", {})), name
        assert len(setup) == python, name
        assert not secret or not setup or setup[0] < secret[0], name


def test_each_environment_has_a_token_of_terraform_of_its_own() -> None:
    """One that is stored for the whole repository by mistake would otherwise serve both."""
    tokens: dict[str, set[str]] = {}
    for job in read(DEPLOY)["jobs"].values():
        for step in job["steps"]:
            if token := step.get("env", {}).get("TF_TOKEN_app_terraform_io"):
                tokens.setdefault(job["environment"], set()).add(token)

    assert tokens == {"stage": {"${{ secrets.STAGE_TF_TOKEN }}"}, "prod": {"${{ secrets.PROD_TF_TOKEN }}"}}


def test_production_is_rolled_back_after_a_failure_a_cancellation_and_a_timeout() -> None:
    job = read(DEPLOY)["jobs"]["production"]
    *before, last = job["steps"]

    assert last["run"] == "make rollback ENVIRONMENT=prod"
    assert last["if"] == "(failure() || cancelled()) && steps.before.outputs.version"
    # A step that hangs ends by its own limit, which is a failure, and the job has time left.
    limits = [step["timeout-minutes"] for step in (*before, last) if "run" in step]
    assert sum(limits) + 10 <= job["timeout-minutes"]
    runs = [step["run"] for step in before if "run" in step]
    assert runs.index("make status ENVIRONMENT=prod") + 1 == runs.index("make rollout ENVIRONMENT=prod")


def test_production_applies_the_plan_that_its_reviewers_saw() -> None:
    jobs = read(DEPLOY)["jobs"]

    assert jobs["plan"]["env"]["PLAN"] == jobs["production"]["env"]["PLAN"]
    assert "plan" in jobs["production"]["needs"]
    made, used = ([step.get("run", "") for step in jobs[name]["steps"]] for name in ("plan", "production"))
    assert any(line.startswith("make plan ENVIRONMENT=prod") for line in made)
    assert any(line.endswith('>> "$GITHUB_STEP_SUMMARY"') for line in made)
    assert "make apply ENVIRONMENT=prod" in used
    assert "make deploy ENVIRONMENT=prod" not in used  # it would make a plan of its own
    [uploaded] = [
        step["with"]["path"] for step in jobs["plan"]["steps"] if "upload-artifact" in step.get("uses", "")
    ]
    assert uploaded == f"{jobs['plan']['env']['PLAN']}.sealed"  # whoever reads the repository can download it


def test_a_release_is_built_without_credentials_and_published_without_stored_ones() -> None:
    path = FOLDER / "workflows/release.yml"
    jobs = read(path)["jobs"]

    assert read(path)["on"] == {"push": {"tags": ["v*"]}}
    assert "secrets." not in path.read_text("utf-8")
    assert [name for name, job in jobs.items() if runs_the_commit(job)] == ["build"]
    assert jobs["build"]["permissions"] == {"contents": "read"}
    assert {name: job.get("needs") for name, job in jobs.items()} == {
        "build": None,
        "attest": "build",
        "pypi": "attest",
        "github": "pypi",
    }
    assert jobs["pypi"]["environment"] == "pypi"
    assert jobs["pypi"]["permissions"] == {"contents": "read", "id-token": "write"}


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


# Drift.


def test_drift_is_looked_for_each_week_and_told_in_one_issue() -> None:
    path = FOLDER / "workflows/drift.yml"
    compared, told = read(path)["jobs"]["compare"], read(path)["jobs"]["issue"]

    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", read(path)["on"]["schedule"][0]["cron"])
    assert compared["environment"] == "watch"
    assert any(step.get("run", "").startswith("make drift") for step in compared["steps"])
    assert told["if"] == "needs.compare.outputs.drifted == 'true'"
    assert "secrets." not in str(told)
    assert set(compared["outputs"]) == {"drifted", "conclusion"}


@pytest.mark.parametrize(("number", "expected"), [("", ["create"]), ("7", ["comment"])])
def test_the_issue_is_opened_once_and_then_updated(tmp_path: Path, number: str, expected: list[str]) -> None:
    """The steps of the job, with a `gh` that notes what it is asked."""
    gh, output, asked = tmp_path / "gh", tmp_path / "output", tmp_path / "asked"
    gh.write_text(f'#!/bin/sh\necho "$2" >> {asked}\n[ "$2" != list ] || echo "number={number}"\n', "utf-8")
    gh.chmod(0o755)
    job = read(FOLDER / "workflows/drift.yml")["jobs"]["issue"]
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "GITHUB_OUTPUT": str(output),
        "TITLE": job["env"]["TITLE"],
        "CONCLUSION": "drift in verdicts",
        "RUN": "https://example.org/run",
        "NUMBER": number,
    }

    for step in job["steps"]:
        condition = step.get("if", "")
        if not condition or ("== ''" in condition) == (number == ""):
            subprocess.run(["bash", "-eo", "pipefail", "-c", step["run"]], env=environment, check=True)

    assert output.read_text("utf-8") == f"number={number}\n"
    assert asked.read_text("utf-8").split() == ["list", *expected]
