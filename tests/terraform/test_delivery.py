"""Terraform and gif-deliver together: apply, a new model, a bad model, rollback, destroy.

They are steps of one test, because each step needs the state that the step before left.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.cloud import THIS_PYTHON, Cloud, cloud_on_loopback, small_bundle
from tests.support.emulator import needs_emulator_for
from tests.support.paths import ROOT
from tests.support.programs import Done, run
from tests.support.terraform import Terraform, needs_terraform

pytestmark = [needs_terraform, needs_emulator_for(THIS_PYTHON)]
GIF = ROOT / "examples/meadow.gif"
NAME = "gif-analyzer-stage"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with cloud_on_loopback(tmp_path / "functions") as cloud:
        yield cloud


@pytest.fixture
def terraform(cloud: Cloud, tmp_path: Path) -> Terraform:
    return Terraform(tmp_path, cloud.environment)


def deliver(cloud: Cloud, *words: str) -> Done:
    """Run `gif-deliver`, which learns from the environment alone where AWS is."""
    return run("gif-deliver", *words, **cloud.environment)


def model_that_answers(address: str) -> str:
    answer = httpx.post(
        f"{address}v1/identify", content=GIF.read_bytes(), headers={"content-type": "image/gif"}, timeout=60
    )
    assert answer.status_code == 200, answer.text
    version: str = answer.json()["model"]["version"]
    return version


def everything_in(cloud: Cloud) -> list[str]:
    """The names of all resources that Terraform may have created."""
    return [
        *(one["FunctionName"] for one in cloud.client.list_functions()["Functions"]),
        *(one["RoleName"] for one in cloud.connect("iam").list_roles()["Roles"]),
        *(
            one["Arn"]
            for one in cloud.connect("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"]
        ),
        *(one["logGroupName"] for one in cloud.connect("logs").describe_log_groups()["logGroups"]),
        *(one["AlarmName"] for one in cloud.connect("cloudwatch").describe_alarms()["MetricAlarms"]),
        *(one["StackName"] for one in cloud.connect("cloudformation").describe_stacks()["Stacks"]),
        *(one["TopicArn"] for one in cloud.connect("sns").list_topics()["Topics"]),
    ]


def test_what_terraform_uploaded_is_what_runs(cloud: Cloud, terraform: Terraform, tmp_path: Path) -> None:
    first = small_bundle(tmp_path / "first.zip", model="1.0")
    second = small_bundle(tmp_path / "second.zip", model="2.0")
    bad = small_bundle(tmp_path / "bad.zip", model="3.0", wrong="crash")

    outputs = terraform.apply("stage", first)

    assert (outputs["function_name"], outputs["version"], outputs["alias"]) == (NAME, "1", "live")
    assert cloud.uploaded(NAME, "live") == first.read_bytes()
    assert not terraform.has_changes("stage", first)

    smoke = deliver(cloud, "smoke", f"{NAME}:live", "--model-version", "1.0")

    assert smoke.returncode == 0, smoke.stderr

    with cloud.address(NAME) as address:
        assert model_that_answers(address) == "1.0"

        # A new model is version 2; users get it after it has passed the checks.
        assert terraform.apply("stage", second)["version"] == "2"
        assert model_that_answers(address) == "1.0"

        rollout = deliver(cloud, "rollout", NAME, "--version", "2", "--url", address, "--json")

        assert rollout.returncode == 0, rollout.stderr
        assert json.loads(rollout.stdout)["before"] == "1"
        assert model_that_answers(address) == "2.0"
        assert cloud.uploaded(NAME, "live") == second.read_bytes()
        assert not terraform.has_changes("stage", second)

        # A bad model is published, and users do not get it.
        assert terraform.apply("stage", bad)["version"] == "3"

        rollout = deliver(cloud, "rollout", NAME)

        assert rollout.returncode == 1
        assert "users still get version 2" in rollout.stderr
        assert model_that_answers(address) == "2.0"
        assert not terraform.has_changes("stage", bad)

        # A rollback is one command, and Terraform does not undo it.
        assert deliver(cloud, "rollback", NAME).returncode == 0
        assert model_that_answers(address) == "1.0"
        assert not terraform.has_changes("stage", bad)

    terraform.destroy("stage", bad)

    assert everything_in(cloud) == []


def make(cloud: Cloud, terraform: Terraform, verb: str, *options: str, fails: bool = False) -> str:
    """Run a target of the Makefile with this configuration and state, as a workflow does; what it printed."""
    done = subprocess.run(
        [
            *("make", "-s", "-o", ".venv/deliver", verb, "CI=true", f"BIN={Path(sys.executable).parent}"),
            *(f"TERRAFORM=terraform -chdir={terraform.configuration}", f"BACKEND={terraform.backend}"),
            *options,
        ],
        cwd=ROOT,
        env={
            **terraform.environment,
            "TF_CLI_ARGS_plan": "-no-color",
            "TF_VAR_github_repository": "owner/gif-analyzer",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stderr if fails else done.stdout


def test_exactly_the_plan_that_was_shown_is_applied(
    cloud: Cloud, terraform: Terraform, tmp_path: Path
) -> None:
    one, two, three = (small_bundle(tmp_path / f"{n}.zip", model=f"{n}.0") for n in (1, 2, 3))
    plan = f"PLAN={tmp_path / 'stage.tfplan'}"
    make(cloud, terraform, "apply", f"BUNDLE={one}")

    # It was shown before somebody else changed the function.
    shown = make(cloud, terraform, "plan", f"BUNDLE={two}", plan)
    make(cloud, terraform, "apply", f"BUNDLE={three}")

    assert "Plan: 0 to add, 1 to change, 0 to destroy." in shown
    assert "Saved plan is stale" in make(cloud, terraform, "apply", plan, fails=True)
    assert cloud.uploaded(NAME, "$LATEST") == three.read_bytes()

    # It was shown and nothing changed. BUNDLE at the time of the change makes no difference.
    make(cloud, terraform, "plan", f"BUNDLE={two}", plan)
    make(cloud, terraform, "apply", f"BUNDLE={one}", plan)

    assert cloud.uploaded(NAME, "$LATEST") == two.read_bytes()


def test_the_workflows_role_suffices_to_deploy(cloud: Cloud, terraform: Terraform, tmp_path: Path) -> None:
    first = small_bundle(tmp_path / "first.zip", model="1.0")
    second = small_bundle(tmp_path / "second.zip", model="2.0")
    make(cloud, terraform, "apply", f"BUNDLE={first}")
    role = cloud.connect("iam").get_role_policy(RoleName=f"{NAME}-deploy", PolicyName="deploy")
    allowed = {action for statement in role["PolicyDocument"]["Statement"] for action in statement["Action"]}
    cloud.called.clear()

    # What deploy.yml does with the role.
    with cloud.address(NAME) as address:
        assert "Plan: 0 to add, 1 to change, 0 to destroy." in make(
            cloud, terraform, "plan", f"BUNDLE={second}"
        )
        make(cloud, terraform, "deploy", f"BUNDLE={second}", f"URL={address}")
        assert model_that_answers(address) == "2.0"
        make(cloud, terraform, "rollback")
        assert model_that_answers(address) == "1.0"

    needed = set(cloud.called) - {"sts:GetCallerIdentity"}  # which everybody may call
    assert {"lambda:UpdateFunctionCode", "lambda:InvokeFunction", "lambda:UpdateAlias"} <= needed
    assert needed - allowed == set()
    make(cloud, terraform, "destroy", f"BUNDLE={second}")
    assert everything_in(cloud) == []
