"""The whole deploy.yml on one machine: MLflow with a password, AWS on loopback, Lambda's emulator.

A shell runs the `run` lines of the steps as GitHub's runner does; the actions and `gh` are replaced. The
bundle is the real one, with a small model that knows three colours.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support.cloud import Cloud, cloud_on_loopback
from tests.support.emulator import PYTHON, needs_emulator_for
from tests.support.mlflow_server import ADMIN, PASSWORD, MlflowServer, mlflow_server
from tests.support.models import BLUE, GREEN, RED, SHOWS, draw_evaluation, save_candidate
from tests.support.paths import ROOT
from tests.support.programs import run
from tests.support.terraform import Terraform, needs_terraform

WORKFLOW = ROOT / ".github/workflows/deploy.yml"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
STAGE, PROD = "gif-analyzer-stage", "gif-analyzer-prod"

pytestmark = [
    needs_terraform,
    needs_emulator_for(PYTHON),
    pytest.mark.timeout(3600),  # seconds: five deployments, each of minutes on a busy machine
]


# GitHub Actions: the `run` lines of a workflow's steps, job by job. The test replaces the actions that steps
# use. Of GitHub's expressions only names with dots, texts, operators and the status functions are supported.

Replacement = Callable[["Step"], Mapping[str, str]]
SUCCESS, FAILURE, CANCELLED, SKIPPED = "success", "failure", "cancelled", "skipped"


@dataclass(frozen=True)
class Step:
    """One step that was reached."""

    job: str  # name of its job
    name: str  # its `run` line, or the action that it uses
    outcome: str = SUCCESS  # success, failure, cancelled or skipped
    inputs: Mapping[str, str] = field(default_factory=dict)  # its `with`, expressions replaced
    printed: str = ""  # what it wrote on standard output and standard error
    outputs: Mapping[str, str] = field(default_factory=dict)  # what it wrote to $GITHUB_OUTPUT


@dataclass(frozen=True)
class Rehearsal:
    """The outcome of each job by its name, and the steps in order."""

    jobs: Mapping[str, str]
    steps: tuple[Step, ...]

    def step(self, job: str, name: str) -> Step:
        """The step of a job whose name begins with `name`."""
        [found] = [step for step in self.steps if step.job == job and step.name.startswith(name)]
        return found


def rehearse(
    workflow: Path,
    *,
    cwd: Path,
    environ: Mapping[str, str],
    overrides: Mapping[str, str],
    variables: Mapping[str, Mapping[str, str]],
    secrets: Mapping[str, Mapping[str, str]],
    github: Mapping[str, Any],
    replacements: Mapping[str, Replacement],
    scratch: Path,
    cancel: tuple[str, str] | None = None,
) -> Rehearsal:
    """Run a workflow.

    Args:
        workflow: the YAML file.
        cwd: the checkout that all jobs share.
        environ: variables of every step, added to those of the workflow.
        overrides: replace variables that the workflow or a job sets.
        variables: `vars` by the name of the job's environment.
        secrets: by the name of the job's environment.
        github: the event and the repository.
        replacements: of actions, by the name before the `@`; they return variables for later steps.
        scratch: folder for the outputs of steps.
        cancel: a job and the step at whose end somebody cancels the run.

    Raises:
        ValueError: the workflow uses something unsupported.
    """
    plan = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    outcomes: dict[str, str] = {}
    outputs: dict[str, Mapping[str, str]] = {}
    done: list[Step] = []
    for name, job in _in_order(plan["jobs"]):
        needs = [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])
        if any(outcomes[needed] != SUCCESS for needed in needs):
            outcomes[name] = SKIPPED
            continue
        environment = job.get("environment", "")
        context: dict[str, Any] = {
            "github": github,
            "vars": variables.get(environment, {}),
            "secrets": secrets.get(environment, {}),
            "needs": {needed: {"outputs": outputs[needed]} for needed in needs},
            "steps": {},
        }
        if not _holds(job.get("if", "success()"), context, SUCCESS):
            outcomes[name] = SKIPPED
            continue
        given = {**_texts(plan.get("env", {}), context), **_texts(job.get("env", {}), context)}
        given = {**environ, **given, **{key: text for key, text in overrides.items() if key in given}}
        status = SUCCESS
        for number, entry in enumerate(job["steps"]):
            step = _take(
                name,
                entry,
                context=context,
                given=given,
                status=status,
                replacements=replacements,
                cwd=cwd,
                scratch=scratch / f"{name}-{number}",
            )
            if cancel is not None and name == cancel[0] and step.name.startswith(cancel[1]):
                step = replace(step, outcome=CANCELLED)
            done.append(step)
            status = step.outcome if status == SUCCESS and step.outcome != SKIPPED else status
            if "id" in entry:
                context["steps"][entry["id"]] = {"outputs": step.outputs, "outcome": step.outcome}
        outcomes[name] = status
        outputs[name] = _texts(job.get("outputs", {}), context)
    return Rehearsal(outcomes, tuple(done))


def _in_order(jobs: dict[str, Any]) -> list[tuple[str, Any]]:
    """The jobs, which must come after those that they need."""
    seen: set[str] = set()
    for name, job in jobs.items():
        needs = job.get("needs", [])
        if not {needs} <= seen if isinstance(needs, str) else not set(needs) <= seen:
            raise ValueError(f"{name} comes before a job that it needs")
        seen.add(name)
    return list(jobs.items())


def _take(
    job: str,
    entry: dict[str, Any],
    *,
    context: dict[str, Any],
    given: dict[str, str],
    status: str,
    replacements: Mapping[str, Replacement],
    cwd: Path,
    scratch: Path,
) -> Step:
    name = entry.get("run") or entry["uses"].split("@")[0]
    inputs = _texts(entry.get("with", {}), context)
    if not _holds(entry.get("if", "success()"), context, status):
        return Step(job, name, SKIPPED, inputs)
    if "uses" in entry:
        given.update(replacements[name](Step(job, name, inputs=inputs)))
        return Step(job, name, SUCCESS, inputs)
    written = {key: scratch.with_suffix(f".{key}") for key in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for file in written.values():
        file.touch()
    ran = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", _text(entry["run"], context)],
        cwd=cwd,
        env={**given, **_texts(entry.get("env", {}), context), **{k: str(v) for k, v in written.items()}},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )
    lines = written["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines()
    outputs = dict(line.split("=", 1) for line in lines)
    outcome = FAILURE if ran.returncode else SUCCESS
    return Step(job, name, outcome, inputs, ran.stdout, outputs)


def _texts(values: Mapping[str, Any], context: dict[str, Any]) -> dict[str, str]:
    return {key: _text(str(value), context) for key, value in values.items()}


def _text(template: str, context: dict[str, Any]) -> str:
    return re.sub(r"\$\{\{\s*(.+?)\s*\}\}", lambda found: _value(found[1], context), template)


def _value(expression: str, context: dict[str, Any]) -> str:
    """The value of a name with dots; "" if it is not set, as on GitHub."""
    if found := re.fullmatch(r"'([^']*)'", expression):
        return found[1]
    first, *rest = expression.split(".")
    if first not in context or not re.fullmatch(r"[\w.-]+", expression):
        raise ValueError(f"unsupported expression: {expression}")
    value = context[first]
    for part in rest:
        value = value.get(part, {}) if isinstance(value, Mapping) else {}
    return value if isinstance(value, str) else ""


def _holds(condition: str, context: dict[str, Any], status: str) -> bool:
    """Whether a step runs; unless the job goes well, only if its condition names a status function."""
    functions = {f"{each}()": status == each for each in (SUCCESS, FAILURE, CANCELLED)} | {"always()": True}
    operators = {"&&": " and ", "||": " or "}

    def in_python(found: re.Match[str]) -> str:
        word = found[0]
        return operators.get(word) or repr(functions[word] if word in functions else _value(word, context))

    expression = re.sub(r"'[^']*'|[a-z]+\(\)|[a-z][\w.-]*|&&|\|\|", in_python, condition)
    asked = any(function in condition for function in functions)
    return bool(eval(expression)) and (asked or status == SUCCESS)


# Variables of this machine that a runner does not have, and that would change the run.
_FOREIGN = ("AWS_", "GIF_", "GITHUB_", "MLFLOW_", "TF_VAR_", "MAKE", "MFLAGS")


def shell_environ(**changes: str) -> dict[str, str]:
    """The variables of this machine without those that would change a workflow, and with `changes`."""
    return {**{k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}, **changes}


def fake_gh(folder: Path, commit: str) -> Path:
    """A folder with a `gh` that prints a commit as the newest one whose checks passed; "" for none."""
    program = folder / "bin/gh"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\necho sha={commit}\n", "utf-8")
    program.chmod(0o755)
    return program.parent


# The services around it


@dataclass
class Services:
    """The services that the workflow uses, and faults for it."""

    folder: Path
    cloud: Cloud
    server: MlflowServer
    stack: ExitStack
    # of the function, by the job of the workflow; a bad one makes it answer badly
    settings: dict[str, dict[str, str]] = field(default_factory=dict)
    # models that are registered when the production job begins
    meanwhile: list[tuple[str, ...]] = field(default_factory=list)
    runs: int = 0

    def deploy(self, *, cancel: tuple[str, str] | None = None) -> Rehearsal:
        """Run deploy.yml once."""
        self.runs += 1
        scratch = self.folder / f"run-{self.runs}"
        scratch.mkdir()
        sign_in = {"MLFLOW_TRACKING_USERNAME": ADMIN, "MLFLOW_TRACKING_PASSWORD": PASSWORD}
        return rehearse(
            WORKFLOW,
            cwd=ROOT,
            environ=shell_environ(
                CI="true",
                PYTHON_OF_BUNDLE=PYTHON,
                BUNDLE=str(self.folder / "lambda.zip"),
                STATES=str(self.folder),
                PATH=f"{fake_gh(self.folder, COMMIT)}:{os.environ['PATH']}",
            ),
            overrides={
                "MODEL": str(self.folder / "candidate.onnx"),
                "PLAN": str(self.folder / "prod.tfplan"),
            },
            variables={
                "registry": {
                    "MLFLOW_TRACKING_URI": self.server.address,
                    "EVALUATION": str(self.folder / "evaluation.csv"),
                },
                "prod": {"MLFLOW_TRACKING_URI": self.server.address, "OPEN_TO_EVERYONE": "true"},
            },
            secrets={"registry": sign_in, "prod": {**sign_in, "PLAN_KEY": PASSWORD}},
            github={
                "event_name": "workflow_run",
                "event": {"workflow_run": {"event": "push", "conclusion": "success"}},
                "repository": "owner/gif-analyzer",
            },
            replacements={
                "actions/checkout": self._nothing,
                "actions/setup-python": self._nothing,
                "actions/upload-artifact": self._nothing,  # here all jobs share one folder
                "actions/download-artifact": self._nothing,
                "hashicorp/setup-terraform": self._nothing,
                "aws-actions/configure-aws-credentials": self._credentials,
            },
            scratch=scratch,
            cancel=cancel,
        )

    def register(self, version: str, *, shows: tuple[str, ...] = SHOWS) -> None:
        """Register a model: the new challenger."""
        path = save_candidate(self.folder / f"{version}.onnx", version=version, shows=shows)
        self.gif_train("register", str(path))

    def gif_train(self, *words: str) -> str:
        done = run("gif-train", *words, cwd=self.folder, **self.server.environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def aliases(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.gif_train("status", "--json"))["aliases"]
        return found

    def model_in(self, function: str) -> str:
        """The model that users of a function get."""
        with self.cloud.address(function) as address:
            answer = httpx.get(f"{address}v1/model", timeout=120)
        version: str = answer.json()["version"]
        return version

    def _credentials(self, step: Step) -> Mapping[str, str]:
        function = STAGE if step.job == "staging" else PROD
        if step.job == "production":
            while self.meanwhile:
                self.register(*self.meanwhile.pop())
        return {
            **self.cloud.environment,
            "URL": self.stack.enter_context(self.cloud.address(function)),
            "TF_VAR_settings": json.dumps(self.settings.get(step.job, {})),
        }

    @staticmethod
    def _nothing(step: Step) -> Mapping[str, str]:
        return {}


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    for name in ("mlflow", "provider"):
        (tmp_path / name).mkdir()
    Terraform(tmp_path / "provider")  # skips here if the provider is missing, before minutes are spent
    draw_evaluation(tmp_path / "evaluation.csv")
    with (
        mlflow_server(tmp_path / "mlflow") as server,
        cloud_on_loopback(tmp_path / "functions", python=PYTHON) as cloud,
        ExitStack() as stack,
    ):
        yield Services(tmp_path, cloud, server, stack)


def printed(rehearsal: Rehearsal) -> str:
    """What every step printed, for failures of the test."""
    return "\n".join(f"{s.job}: {s.name}: {s.outcome}\n{s.printed}" for s in rehearsal.steps if s.printed)


def test_a_challenger_becomes_champion_or_nothing_changes(services: Services) -> None:
    all_of_them = dict.fromkeys(("commit", "candidate", "staging", "plan", "production"), SUCCESS)

    # the first model
    services.register("1.0")
    first = services.deploy()
    assert first.jobs == all_of_them, printed(first)
    assert services.aliases() == {"champion": "1"}
    assert (services.model_in(STAGE), services.model_in(PROD)) == ("1.0", "1.0")
    assert first.step("production", "make rollback").outcome == SKIPPED
    assert {step.inputs["ref"] for step in first.steps if step.name == "actions/checkout"} == {COMMIT}

    # staging answers badly: production stays as it is, and the challenger is not promoted
    services.register("2.0")
    services.settings["staging"] = {"GIF_ANALYZER_MAX_FRAMES": "1"}
    second = services.deploy()
    left = {"staging": FAILURE, "plan": SKIPPED, "production": SKIPPED}
    assert second.jobs == all_of_them | left, printed(second)
    assert services.aliases() == {"champion": "1", "challenger": "2"}
    assert (services.model_in(STAGE), services.model_in(PROD)) == ("1.0", "1.0")

    # promotion fails after a rollout to production: production is rolled back
    services.settings.clear()
    services.meanwhile.append(("3.0",))
    third = services.deploy()
    assert third.jobs == all_of_them | {"production": FAILURE}, printed(third)
    assert third.step("production", "make promote").outcome == FAILURE
    assert third.step("production", "make rollback").outcome == SUCCESS
    assert services.aliases() == {"champion": "1", "challenger": "3"}
    assert (services.model_in(STAGE), services.model_in(PROD)) == ("2.0", "1.0")

    # somebody cancels the run when users have the new version: production is rolled back
    fourth = services.deploy(cancel=("production", "make rollout"))
    assert fourth.jobs == all_of_them | {"production": CANCELLED}, printed(fourth)
    assert fourth.step("production", "make promote").outcome == SKIPPED
    assert fourth.step("production", "make rollback").outcome == SUCCESS
    assert services.aliases() == {"champion": "1", "challenger": "3"}
    assert (services.model_in(STAGE), services.model_in(PROD)) == ("3.0", "1.0")

    # a worse challenger does not reach staging
    services.register("4.0", shows=(GREEN, RED, BLUE))
    fifth = services.deploy()
    left = dict.fromkeys(("staging", "plan", "production"), SKIPPED)
    assert fifth.jobs == all_of_them | {"candidate": FAILURE} | left, printed(fifth)
    assert "does not pass" in fifth.step("candidate", "make compare").printed
    assert services.model_in(PROD) == "1.0"

    # reviewers saw the plan, and no step printed the password
    assert "Plan: " in first.step("plan", "make plan").printed
    assert all(PASSWORD not in printed(each) for each in (first, second, third, fourth, fifth))
