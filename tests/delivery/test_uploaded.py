"""The real bundle, uploaded by Terraform, answers as the local pipeline does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from delivery.bundle import Bundle
from gateway.pipeline import local
from services.inference import default_model_path
from tests.support.cloud import Cloud, cloud_on_loopback
from tests.support.emulator import PYTHON, needs_emulator
from tests.support.paths import ROOT
from tests.support.programs import run
from tests.support.terraform import Terraform, needs_terraform

pytestmark = [needs_terraform, needs_emulator]
NAME = "gif-analyzer-stage"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with cloud_on_loopback(tmp_path / "functions", python=PYTHON) as cloud:
        yield cloud


def test_the_uploaded_bundle_answers_as_the_local_pipeline(
    built: Bundle, cloud: Cloud, tmp_path: Path
) -> None:
    gif = ROOT / "examples/meadow.gif"
    terraform, model = Terraform(tmp_path, cloud.environment), built.model.version

    terraform.apply("stage", built.path)

    assert cloud.uploaded(NAME, "live") == built.path.read_bytes()

    with cloud.address(NAME) as address:
        words = ("--url", address, "--json", "--expect", "Big Buck Bunny", "--model-version", model)
        rollout = run("gif-deliver", "rollout", NAME, *words, **cloud.environment)
        answer = httpx.post(
            f"{address}v1/identify", files={"file": ("meadow.gif", gif.read_bytes())}, timeout=120
        )

    assert rollout.returncode == 0, rollout.stderr
    assert json.loads(rollout.stdout)["version"] == "1"
    assert answer.status_code == 200, answer.text
    expected = local(default_model_path()).identify(gif.read_bytes(), 5)
    assert [show["show"] for show in answer.json()["shows"]] == [show.show for show in expected.shows]
    assert [show["probability"] for show in answer.json()["shows"]] == pytest.approx(
        [show.probability for show in expected.shows], abs=1e-5
    )
    assert not terraform.has_changes("stage", built.path)
    terraform.destroy("stage", built.path)
