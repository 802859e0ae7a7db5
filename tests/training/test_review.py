"""Exports for review and annotations, with Label Studio's own server, its SDK and FiftyOne's importer."""

import csv
import json
import os
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.support.mlflow_server import stop, wait
from tests.support.paths import ROOT
from training.data.manifest import read_manifest
from training.errors import InvalidAnnotations, InvalidOptions, InvalidRun
from training.evaluation.predictions import Prediction, read_predictions, worst, write_predictions
from training.files import sha256_of
from training.review import (
    NONE_OF_THESE,
    apply_annotations,
    read_annotations,
    tasks,
    write_fiftyone,
    write_label_studio,
)

REVIEW = ROOT / ".venv/review/bin/python"
LABEL_STUDIO = ROOT / ".venv/label-studio/bin/label-studio"
NO_REVIEW = "This test needs Label Studio's SDK and FiftyOne: make .venv/review/ready."
TOKEN = "0123456789abcdef0123456789abcdef01234567"
WHO = "reviewer@example.org"


def predictions_of(manifest: Path, *shares: tuple[float, float, float]) -> list[Prediction]:
    shows = ("Blue Bars", "Green Grid", "Red Rings")
    rows = read_manifest(manifest)[:: 18 // len(shares)]
    return [
        Prediction(
            row.path, sha256_of(row.path), row.show, row.group, dict(zip(shows, each, strict=True)), True
        )
        for row, each in zip(rows, shares, strict=True)
    ]


@pytest.fixture
def predictions(drawn_manifest):
    """Of Red Rings, Blue Bars and Green Grid: right and sure, wrong and sure, wrong and undecided."""
    return predictions_of(drawn_manifest, (0.05, 0.05, 0.9), (0.1, 0.8, 0.1), (0.4, 0.3, 0.3))


def test_the_least_certain_and_the_most_confident_mistakes_are_first(predictions):
    right, sure, undecided = predictions

    assert worst(predictions, "uncertain", 2) == (undecided, sure)
    assert worst(predictions, "wrong", 9) == (sure, undecided)
    assert right.right
    with pytest.raises(InvalidOptions, match="uncertain, wrong"):
        worst(predictions, "best", 1)
    with pytest.raises(InvalidOptions, match="at least 1"):
        worst(predictions, "wrong", 0)


def test_predictions_are_read_as_they_were_written(predictions, tmp_path):
    write_predictions(predictions, tmp_path / "predictions.json")

    assert list(read_predictions(tmp_path / "predictions.json")) == predictions
    (tmp_path / "other.json").write_text('[{"path": 1}]')
    with pytest.raises(InvalidRun, match="no predictions"):
        read_predictions(tmp_path / "other.json")


def test_gifs_outside_of_the_document_root_are_refused(predictions, tmp_path):
    with pytest.raises(InvalidAnnotations, match="is not below"):
        tasks(predictions, tmp_path)


@pytest.mark.tools
@pytest.mark.skipif(not REVIEW.parents[1].joinpath("ready").exists(), reason=NO_REVIEW)
def test_label_studio_sdk_finds_the_tasks_valid(predictions, drawn_manifest, tmp_path):
    write_label_studio(predictions, tmp_path, drawn_manifest.parent)

    checked = subprocess.run(
        [REVIEW, ROOT / "tests/training/check_label_config.py", tmp_path],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert checked.returncode == 0, checked.stderr


@pytest.mark.tools
@pytest.mark.skipif(not REVIEW.parents[1].joinpath("ready").exists(), reason=NO_REVIEW)
def test_fiftyone_reads_the_folder(predictions, tmp_path):
    write_fiftyone(predictions, tmp_path / "dataset")

    read = subprocess.run(
        [REVIEW, ROOT / "tests/training/read_fiftyone.py", tmp_path / "dataset"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "HOME": str(tmp_path), "FIFTYONE_DO_NOT_TRACK": "true"},
    )

    assert read.returncode == 0, read.stderr
    found = json.loads(read.stdout)
    assert found["info"]["classes"] == ["Blue Bars", "Green Grid", "Red Rings"]
    for sample, prediction in zip(found["samples"], predictions, strict=True):
        assert (sample["truth"], sample["predicted"]) == (prediction.show, prediction.named)
        assert sample["confidence"] == prediction.confidence
        assert sha256_of(Path(sample["filepath"])) == prediction.sha256


def export_of(*said: tuple[Prediction, str]) -> list[dict]:
    """What Label Studio exports for these choices."""
    return [
        {
            "data": {"sha256": prediction.sha256},
            "annotations": [
                {
                    "completed_by": {"email": WHO},
                    "was_cancelled": False,
                    "updated_at": "2026-01-02T03:04:05.678Z",
                    "result": [{"from_name": "show", "value": {"choices": [show]}}],
                }
            ],
        }
        for prediction, show in said
    ]


def test_annotations_correct_the_manifest_and_keep_the_former_shows(predictions, drawn_manifest, tmp_path):
    right, sure, undecided = predictions
    before = drawn_manifest.read_bytes()
    exported = export_of((right, right.show), (sure, "Green Grid"), (undecided, NONE_OF_THESE))
    (tmp_path / "export.json").write_text(json.dumps(exported))

    found = apply_annotations(
        drawn_manifest, read_annotations(tmp_path / "export.json"), tmp_path / "new.csv"
    )

    assert (found.confirmed, found.corrected, found.left_out, found.strangers) == (1, 1, 1, 0)
    rows = {row.path.resolve(): row for row in read_manifest(tmp_path / "new.csv")}
    assert len(rows) == 17
    assert rows[sure.path.resolve()].show == "Green Grid"
    assert undecided.path.resolve() not in rows
    with (tmp_path / "new.csv").open(newline="") as file:
        corrected = [line for line in csv.DictReader(file) if line["show"] != line["original_show"] != ""]
    assert [line["original_show"] for line in corrected] == [sure.show]
    assert corrected[0]["annotator"] == WHO
    assert corrected[0]["annotated_at"] == "2026-01-02T03:04:05+00:00"
    assert drawn_manifest.read_bytes() == before


def test_tasks_without_annotations_change_nothing_and_unknown_gifs_are_counted(
    predictions, drawn_manifest, tmp_path
):
    exported = [{"data": {"sha256": predictions[0].sha256}, "annotations": []}]
    exported += export_of((predictions[1], "Red Rings"))
    exported[1]["data"]["sha256"] = "0" * 64
    (tmp_path / "export.json").write_text(json.dumps(exported))

    found = apply_annotations(
        drawn_manifest, read_annotations(tmp_path / "export.json"), tmp_path / "new.csv"
    )

    assert (found.corrected, found.strangers) == (0, 1)
    assert [row.show for row in read_manifest(tmp_path / "new.csv")] == [
        row.show for row in read_manifest(drawn_manifest)
    ]


@pytest.mark.parametrize("content", ["", "{}x", '[{"data": {}}]', '{"a": 1}', "[3]"])
def test_invalid_exports_are_refused(tmp_path, content):
    path = tmp_path / "export.json"
    path.write_text(content)

    with pytest.raises(InvalidAnnotations, match="no export of Label Studio"):
        read_annotations(path)


@pytest.fixture
def label_studio(tmp_path, drawn_manifest):
    """A real server on this machine, and a client that may do everything."""
    if not LABEL_STUDIO.parents[1].joinpath("ready").exists():
        pytest.skip("This test needs Label Studio, which is not installed: make .venv/label-studio/ready.")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    command = [LABEL_STUDIO, "start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port)]
    command += ["--data-dir", tmp_path / "data", "--username", WHO, "--password", "only-for-this-test"]
    command += ["--user-token", TOKEN, "--enable-legacy-api-token"]
    variables = {
        "HOME": str(tmp_path),
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(drawn_manifest.parent),
        "LATEST_VERSION_CHECK": "false",
        "COLLECT_ANALYTICS": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
    }
    log = tmp_path / "server.log"
    with log.open("wb") as written:
        server = subprocess.Popen(
            command, env={**os.environ, **variables}, stdout=written, stderr=written, start_new_session=True
        )
    address = f"http://127.0.0.1:{port}"
    try:
        wait(server, address, log)
        headers = {"Authorization": f"Token {TOKEN}"}
        with httpx.Client(base_url=address, headers=headers, timeout=60) as client:
            yield client
    finally:
        stop(server)


@pytest.mark.tools
def test_a_real_server_takes_the_tasks_and_returns_annotations(
    label_studio, predictions, drawn_manifest, tmp_path
):
    write_label_studio(predictions, tmp_path / "out", drawn_manifest.parent)
    config = (tmp_path / "out/config.xml").read_text("utf-8")
    made = label_studio.post("/api/projects", json={"title": "Review", "label_config": config})
    assert made.is_success, made.text
    project = made.json()["id"]

    sent = json.loads((tmp_path / "out/tasks.json").read_text("utf-8"))
    imported = label_studio.post(f"/api/projects/{project}/import", json=sent)
    assert imported.is_success, imported.text
    assert imported.json()["task_count"] == 3
    assert imported.json()["prediction_count"] == 3
    exported = label_studio.get(
        f"/api/projects/{project}/export", params={"exportType": "JSON", "download_all_tasks": "true"}
    ).json()
    of_digest = {task["data"]["sha256"]: task["id"] for task in exported}
    said = {"from_name": "show", "to_name": "gif", "type": "choices", "value": {"choices": ["Green Grid"]}}
    answered = label_studio.post(
        f"/api/tasks/{of_digest[predictions[1].sha256]}/annotations", json={"result": [said]}
    )
    assert answered.is_success, answered.text
    export = label_studio.get(f"/api/projects/{project}/export", params={"exportType": "JSON"})
    (tmp_path / "export.json").write_bytes(export.content)

    found = apply_annotations(
        drawn_manifest, read_annotations(tmp_path / "export.json"), tmp_path / "new.csv"
    )

    assert (found.confirmed, found.corrected, found.left_out) == (0, 1, 0)
    rows = {row.path.resolve(): row.show for row in read_manifest(tmp_path / "new.csv")}
    assert rows[predictions[1].path.resolve()] == "Green Grid"
