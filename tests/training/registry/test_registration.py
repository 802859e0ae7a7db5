import json
import math

import numpy as np
import pytest
from PIL import Image

from services.errors import ModelError
from services.inference import Classifier
from training.errors import DamagedModel, InvalidRun
from training.files import sha256_of
from training.registry.registration import Candidate, black_clip, figures, git_commit, register
from training.registry.versions import CHALLENGER, MODEL


def gathered(folder, model_path) -> Candidate:
    """A model with a run and an evaluation beside it, as fit and evaluate leave them."""
    (folder / "run").mkdir()
    (folder / "run" / "run.json").write_text(
        json.dumps({"options": {"backbone": "lite", "tune": {"blocks": 2}, "parts": [{"tap": "top/mean"}]}})
    )
    (folder / "figures").mkdir()
    (folder / "figures" / "evaluation.json").write_text(
        json.dumps(
            {
                "accuracy": {"top_k": [{"k": 1, "accuracy": {"value": 0.65, "low": 0.6, "high": 0.7}}]},
                "calibration": {"as trained": {"ece": 0.08}},
                "unknown": [{"auroc": 1}],
            }
        )
    )
    for name in ("confusion.png", "most_confident_mistakes.png"):
        Image.new("RGB", (4, 4)).save(folder / "figures" / name)
    return Candidate.gather(model_path, folder / "run", folder / "figures" / "evaluation.json")


def test_a_run_holds_settings_figures_plots_and_the_digest_of_the_data(registry, model_path, tmp_path):
    version = register(registry, gathered(tmp_path, model_path))

    run = registry.client.get_run(version.run_id)
    assert run.data.params == {
        "backbone": "lite",
        "tune.blocks": "2",
        "parts": '[{"tap": "top/mean"}]',
    }
    assert run.data.metrics == {"accuracy.top_1": 0.65, "calibration.as_trained.ece": 0.08}
    [dataset] = run.inputs.dataset_inputs
    assert dataset.dataset.digest == "0" * 36
    listed = [registry.client.list_artifacts(version.run_id, folder) for folder in ("figures", "plots")]
    kept = [each.path for folder in listed for each in folder]
    assert sorted(kept) == ["figures/evaluation.json", "figures/run.json", "plots/confusion.png"]


def test_a_version_is_challenger_and_says_what_it_is(registry, model_path, tmp_path):
    version = register(registry, gathered(tmp_path, model_path))

    assert version.aliases == (CHALLENGER,)
    expected = {
        "model_name": "mean-colour",
        "model_version": "1.2.3",
        "sha256": sha256_of(model_path),
        "size_bytes": str(model_path.stat().st_size),
        "shows": "3",
        "training_data_sha256": "0" * 64,
        "licence": "Apache-2.0",
        "evaluation_top_1": "0.650",
    }
    assert expected.items() <= version.tags.items()
    assert version.tags.get("git_commit", "") == git_commit()


def test_mlflow_loads_the_model_and_computes_the_same_numbers(registry, model_path, clip_of, tmp_path):
    import mlflow.pyfunc

    version = register(registry, Candidate(model_path, {}, {}))
    frames = clip_of((200, 30, 30), (20, 90, 90)).frames[np.newaxis]

    loaded = mlflow.pyfunc.load_model(f"models:/{MODEL}/{version.number}")
    answer = loaded.predict({"clip": frames})

    ours = Classifier(model_path).run(frames)
    for name in ("probabilities", "frame_probabilities", "embedding", "familiarity"):
        np.testing.assert_array_equal(answer[name], getattr(ours, name))
    signature = loaded.metadata.signature
    assert signature.inputs.input_names() == ["clip"]
    assert signature.outputs.input_names() == list(answer)
    [flavor] = [loaded.metadata.flavors["onnx"]]
    assert flavor["providers"] == ["CPUExecutionProvider"]
    [file] = (tmp_path / "registry").rglob("MLmodel")
    example = loaded.metadata.load_input_example(str(file.parent))
    np.testing.assert_array_equal(example["clip"], black_clip())


def test_an_invalid_file_is_refused_before_anything_is_created(registry, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"ONNX, really")

    with pytest.raises(ModelError, match="it is not an ONNX file"):
        register(registry, Candidate(tmp_path / "model.onnx", {}, {}))

    assert registry.versions() == ()
    assert registry.client.get_experiment_by_name(MODEL) is None


def test_a_broken_upload_never_becomes_challenger(registry, model_path, tmp_path, monkeypatch):
    create = registry.client.create_model_version

    def create_with_other_bytes(*words, **options):
        [stored] = (tmp_path / "registry").rglob("model.onnx")
        stored.write_bytes(stored.read_bytes()[:-1])
        return create(*words, **options)

    monkeypatch.setattr(registry.client, "create_model_version", create_with_other_bytes)

    with pytest.raises(DamagedModel, match="its file has the digest"):
        register(registry, Candidate(model_path, {}, {}))

    assert registry.versions() == ()
    assert registry.aliases() == {}


def test_figures_are_the_numbers_outside_of_lists():
    assert figures(
        {
            "clips": 7,
            "ok": True,
            "none": None,
            "text": "x",
            "f1": {"value": 0.5, "low": 0.4, "high": 0.6},
            "missing": {"value": math.nan},
            "curve": [1, 2, 3],
            "top_k": [{"k": 3, "accuracy": {"value": 0.9}}],
            "deep": {"er value": 1},
        }
    ) == {"clips": 7.0, "f1": 0.5, "top_3": 0.9, "deep.er_value": 1.0}


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_figures_that_cannot_be_read_are_refused(tmp_path, model_path, content):
    path = tmp_path / "evaluation.json"
    if content is not None:
        path.write_text(content)

    with pytest.raises(InvalidRun, match=r"evaluation\.json: it"):
        Candidate.gather(model_path, None, path)
