"""The whole of deploy.yml on one machine: MLflow that asks for a password, AWS on loopback, the emulator.

The steps' own lines are run, by a shell, as the runner would; what GitHub's actions do is stood in for. The
bundle is the real one, with a small model that knows three colours.
"""

from __future__ import annotations

import json
import subprocess
import sys
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
from tests.support.terraform import Terraform, needs_terraform

WORKFLOW = ROOT / ".github/workflows/deploy.yml"
STAGE, PROD = "gif-analyzer-stage", "gif-analyzer-prod"

pytestmark = [needs_terraform, needs_emulator_for(PYTHON)]


@dataclass
class House:
    """Everything that the workflow meets, and what may go wrong in it.

    Attributes:
        settings: of the function, by the name of the workflow's job; a bad one makes it answer badly.
        meanwhile: done when the production job begins.
    """

    folder: Path
    cloud: Cloud
    server: MlflowServer
    stack: ExitStack
    settings: dict[str, dict[str, str]] = field(default_factory=dict)
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
            stands={
                "actions/checkout": self._nothing,
                "actions/setup-python": self._nothing,
                "actions/upload-artifact": self._nothing,  # all jobs share one folder here
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
        command = [Path(sys.executable).with_name("gif-train"), *words]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.server.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
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
def house(tmp_path: Path) -> Iterator[House]:
    for name in ("mlflow", "functions", "provider"):
        (tmp_path / name).mkdir()
    Terraform(tmp_path / "provider")  # skips where its provider cannot be had, before minutes are spent
    draw_evaluation(tmp_path / "evaluation.csv")
    with (
        mlflow_server(tmp_path / "mlflow") as server,
        cloud_on_loopback(tmp_path / "functions", python=PYTHON) as cloud,
        ExitStack() as stack,
    ):
        yield House(tmp_path, cloud, server, stack)


def told(rehearsal: Rehearsal) -> str:
    """What every step printed, for a test that fails."""
    return "\n".join(f"{s.job}: {s.name}: {s.outcome}\n{s.printed}" for s in rehearsal.steps if s.printed)


def test_a_challenger_becomes_champion_or_nothing_changes(house: House) -> None:
    # the first: nothing was there before
    house.register("1.0")
    first = house.deploy()
    assert first.jobs == {"candidate": SUCCESS, "staging": SUCCESS, "production": SUCCESS}, told(first)
    assert house.aliases() == {"champion": "1"}
    assert (house.model_in(STAGE), house.model_in(PROD)) == ("1.0", "1.0")
    assert first.step("production", "make rollback").outcome == SKIPPED

    # staging answers badly: production is never touched, the challenger is not promoted
    house.register("2.0")
    house.settings["staging"] = {"GIF_ANALYZER_MAX_FRAMES": "1"}
    second = house.deploy()
    assert second.jobs == {"candidate": SUCCESS, "staging": FAILURE, "production": SKIPPED}, told(second)
    assert house.aliases() == {"champion": "1", "challenger": "2"}
    assert (house.model_in(STAGE), house.model_in(PROD)) == ("1.0", "1.0")

    # promotion fails behind a production that answers well: production goes back
    house.settings.clear()
    house.meanwhile.append(("3.0",))
    third = house.deploy()
    assert third.jobs == {"candidate": SUCCESS, "staging": SUCCESS, "production": FAILURE}, told(third)
    assert third.step("production", "make promote").outcome == FAILURE
    assert third.step("production", "make rollback").outcome == SUCCESS
    assert house.aliases() == {"champion": "1", "challenger": "3"}
    assert (house.model_in(STAGE), house.model_in(PROD)) == ("2.0", "1.0")

    # a challenger that is worse gets nowhere
    house.register("4.0", shows=(GREEN, RED, BLUE))
    fourth = house.deploy()
    assert fourth.jobs == {"candidate": FAILURE, "staging": SKIPPED, "production": SKIPPED}, told(fourth)
    assert "does not pass" in fourth.step("candidate", "make compare").printed
    assert house.model_in(PROD) == "1.0"

    # no password was printed by any of it
    assert PASSWORD not in told(first) + told(second) + told(third) + told(fourth)
