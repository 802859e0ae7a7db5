"""The Terraform configuration: formatted, valid, safe, and without resources that cost money."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from gateway.settings import Settings
from tests.support.terraform import FOLDER, Terraform, needs_terraform

ROOT = FOLDER.parent
CHECKOV = ROOT / ".venv/checkov/bin/checkov"


@pytest.fixture(scope="module")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    return Terraform(tmp_path_factory.mktemp("terraform"))


@needs_terraform
def test_it_is_formatted(terraform: Terraform) -> None:
    done = terraform.run("fmt", "-check", "-recursive", "-diff", check=False)

    assert done.returncode == 0, done.stdout


@needs_terraform
def test_it_is_valid(terraform: Terraform) -> None:
    done = terraform.run("validate", "-json", check=False)

    assert json.loads(done.stdout)["diagnostics"] == []


@needs_terraform
def test_its_own_tests_pass(terraform: Terraform) -> None:
    done = terraform.run("test", check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d\d passed, 0 failed", done.stdout)


@pytest.mark.skipif(
    not CHECKOV.is_file(), reason="This test needs checkov, which is not installed: make .venv/checkov/ready."
)
def test_checkov_finds_nothing_that_is_not_explained() -> None:
    done = subprocess.run(
        [CHECKOV, "-d", FOLDER, "--framework", "terraform", "--skip-download", "--compact", "-o", "json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    found = json.loads(done.stdout)
    assert found["results"]["failed_checks"] == []
    assert found["summary"]["passed"] >= 50
    for skipped in found["results"]["skipped_checks"]:
        assert len(skipped["check_result"]["suppress_comment"]) > 20, skipped["check_id"]


def test_the_provider_is_locked_for_every_platform() -> None:
    lock = (FOLDER / ".terraform.lock.hcl").read_text("utf-8")
    [version] = re.findall(
        r'^ +version = "([\d.]+)"', (FOLDER / "versions.tf").read_text("utf-8"), re.MULTILINE
    )

    assert re.findall(r'^ +version += "(.*)"', lock, re.MULTILINE) == [version]
    assert (
        len(set(re.findall(r'"zh:[0-9a-f]{64}"', lock))) == 15
    )  # an archive for each platform, and their list
    assert re.search(r'"h1:[A-Za-z0-9+/]{43}="', lock)  # of an unpacked folder, as in a mirror


def test_it_only_names_settings_of_the_program() -> None:
    texts = [path.read_text("utf-8") for path in (*FOLDER.glob("*.tf"), *FOLDER.glob("*.tfvars"))]
    named = set(re.findall(r"GIF_ANALYZER_[A-Z_]*[A-Z]", "".join(texts)))

    assert named
    assert named <= Settings.variables()


def test_every_variable_and_output_has_a_description() -> None:
    variables = re.findall(
        r'^variable "(\w+)" \{(.*?)^\}',
        (FOLDER / "variables.tf").read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    outputs = re.findall(
        r'^output "(\w+)" \{(.*?)^\}', (FOLDER / "outputs.tf").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )

    assert [name for name, body in variables + outputs if "description" not in body] == []
    unvalidated = [name for name, body in variables if "validation {" not in body]
    assert unvalidated == ["create_github_provider"]  # its type, bool, is the check


def test_it_only_creates_resources_that_are_free() -> None:
    made = {
        kind
        for path in FOLDER.glob("*.tf")
        for kind in re.findall(r'^resource "(\w+)"', path.read_text("utf-8"), re.MULTILINE)
    }

    assert made == {
        "aws_budgets_budget",
        "aws_cloudformation_stack",
        "aws_cloudwatch_log_group",
        "aws_cloudwatch_log_metric_filter",
        "aws_cloudwatch_metric_alarm",
        "aws_iam_openid_connect_provider",
        "aws_iam_role",
        "aws_iam_role_policy",
        "aws_lambda_alias",
        "aws_lambda_function",
        "aws_lambda_function_url",
        "aws_sns_topic",
        "aws_sns_topic_subscription",
    }


@needs_terraform
def test_the_state_can_be_in_hcp_terraform_instead(tmp_path: Path) -> None:
    for source in (*FOLDER.glob("*.tf"), FOLDER / "hcp/cloud_override.tf"):
        (tmp_path / source.name).write_text(source.read_text("utf-8"), "utf-8")

    done = subprocess.run(
        ["terraform", f"-chdir={tmp_path}", "init", "-input=false", "-no-color"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CHECKPOINT_DISABLE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    # Without an organization it fails, so the override replaced the local backend.
    assert done.returncode != 0
    assert "HCP Terraform" in done.stdout + done.stderr
