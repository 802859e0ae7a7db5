"""The whole deploy.yml on one machine: MLflow with a password, AWS on loopback, Lambda's emulator.

A shell runs the `run` lines of the steps as GitHub's runner does; the actions are replaced. The bundle is the
real one, with a small model that knows three colours.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.delivery.actions import FAILURE, SKIPPED, SUCCESS, Rehearsal, Step, rehearse, shell_environ
from tests.support.cloud import Cloud, cloud_on_loopback
from tests.support.emulator import PYTHON, needs_emulator_for
from tests.support.mlflow_server import ADMIN, PASSWORD, MlflowServer, mlflow_server
from tests.support.models import BLUE, GREEN, RED, SHOWS, draw_evaluation, save_candidate
from tests.support.paths import ROOT
from tests.support.programs import run
from tests.support.terraform import Terraform, needs_terraform

WORKFLOW = ROOT / ".github/workflows/deploy.yml"
STAGE, PROD = "gif-analyzer-stage", "gif-analyzer-prod"

pytestmark = [needs_terraform, needs_emulator_for(PYTHON)]


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

    def deploy(self) -> Rehearsal:
        """Run deploy.yml once."""
        self.runs += 1
        scratch = self.folder / f"run-{self.runs}"
        scratch.mkdir()
        return rehearse(
            WORKFLOW,
            cwd=ROOT,
            environ=shell_environ(
                CI="true",
                PYTHON_OF_BUNDLE=PYTHON,
                BUNDLE=str(self.folder / "lambda.zip"),
                STATES=str(self.folder),
            ),
            overrides={"MODEL": str(self.folder / "candidate.onnx")},
            variables={
                "registry": {
                    "MLFLOW_TRACKING_URI": self.server.address,
                    "EVALUATION": str(self.folder / "evaluation.csv"),
                },
                "prod": {"MLFLOW_TRACKING_URI": self.server.address},
            },
            secrets={"MLFLOW_TRACKING_USERNAME": ADMIN, "MLFLOW_TRACKING_PASSWORD": PASSWORD},
            replacements={
                "actions/checkout": self._nothing,
                "actions/setup-python": self._nothing,
                "actions/upload-artifact": self._nothing,  # here all jobs share one folder
                "actions/download-artifact": self._nothing,
                "hashicorp/setup-terraform": self._nothing,
                "aws-actions/configure-aws-credentials": self._credentials,
            },
            scratch=scratch,
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
    # the first model
    services.register("1.0")
    first = services.deploy()
    assert first.jobs == {"candidate": SUCCESS, "staging": SUCCESS, "production": SUCCESS}, printed(first)
    assert services.aliases() == {"champion": "1"}
    assert (services.model_in(STAGE), services.model_in(PROD)) == ("1.0", "1.0")
    assert first.step("production", "make rollback").outcome == SKIPPED

    # staging answers badly: production stays as it is, and the challenger is not promoted
    services.register("2.0")
    services.settings["staging"] = {"GIF_ANALYZER_MAX_FRAMES": "1"}
    second = services.deploy()
    assert second.jobs == {"candidate": SUCCESS, "staging": FAILURE, "production": SKIPPED}, printed(second)
    assert services.aliases() == {"champion": "1", "challenger": "2"}
    assert (services.model_in(STAGE), services.model_in(PROD)) == ("1.0", "1.0")

    # promotion fails after a rollout to production: production is rolled back
    services.settings.clear()
    services.meanwhile.append(("3.0",))
    third = services.deploy()
    assert third.jobs == {"candidate": SUCCESS, "staging": SUCCESS, "production": FAILURE}, printed(third)
    assert third.step("production", "make promote").outcome == FAILURE
    assert third.step("production", "make rollback").outcome == SUCCESS
    assert services.aliases() == {"champion": "1", "challenger": "3"}
    assert (services.model_in(STAGE), services.model_in(PROD)) == ("2.0", "1.0")

    # a worse challenger does not reach staging
    services.register("4.0", shows=(GREEN, RED, BLUE))
    fourth = services.deploy()
    assert fourth.jobs == {"candidate": FAILURE, "staging": SKIPPED, "production": SKIPPED}, printed(fourth)
    assert "does not pass" in fourth.step("candidate", "make compare").printed
    assert services.model_in(PROD) == "1.0"

    # no step printed the password
    assert PASSWORD not in printed(first) + printed(second) + printed(third) + printed(fourth)
