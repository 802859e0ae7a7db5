"""The front matter of a model card: the figures of an evaluation, in the form that the Hub reads."""

from __future__ import annotations

import json
from pathlib import Path

import huggingface_hub
import pytest

from services.inference import default_model_path
from tests.support.models import save_candidate
from tests.support.paths import ROOT
from tests.support.programs import Done, call
from training.evaluation.card import write_card

EVALUATION = ROOT / "docs/evaluation/evaluation.json"
MEASURED = {
    "clips": 40,
    "top_k": [{"k": 1, "accuracy": {"value": 0.75, "low": 0.6123, "high": 0.9}}],
    "macro_f1": {"value": 0.7, "low": 0.6, "high": 0.8},
    "mean_of_shows": {"value": 0.72, "low": None, "high": None},
}


def card(*words: str | Path, cwd: Path = ROOT) -> Done:
    return call("gif-train", "card", *words, cwd=cwd)


def test_the_packaged_card_has_the_figures_of_the_evaluation(tmp_path):
    packaged = default_model_path().with_name("MODEL_CARD.md")
    copy = tmp_path / "MODEL_CARD.md"
    copy.write_bytes(packaged.read_bytes())
    of_the_file = json.loads(EVALUATION.read_text())["agreement"]["name"]

    done = card("--evaluation", EVALUATION, "--system", of_the_file, "--to", copy)

    assert done.returncode == 0, done.stderr
    assert copy.read_text("utf-8") == packaged.read_text("utf-8"), "run make card"


def test_a_card_keeps_its_text_and_what_others_wrote_above_it(tmp_path):
    model = save_candidate(tmp_path / "mine.onnx", version="8")
    path = tmp_path / "MODEL_CARD.md"
    path.write_text("---\nlicense: mit\nversion: 7\n---\n# Mine\n\n---\nBeware.\n")

    write_card(path, model, MEASURED)

    written = huggingface_hub.ModelCard.load(path)
    assert written.text.strip() == "# Mine\n\n---\nBeware."
    assert (written.data.license, written.data["version"]) == ("mit", "8")
    top, f1, recall = written.data.eval_results
    assert (top.metric_type, top.metric_value) == ("accuracy", 0.75)
    assert top.metric_args == {"interval_95": [0.612, 0.9]}
    assert (f1.metric_type, recall.metric_type) == ("f1", "recall")
    assert recall.metric_args is None  # no interval


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--evaluation", EVALUATION), 1, "MODEL_CARD.md: it cannot be read: no such file"),
        (("--evaluation", "none.json"), 1, "it is not the evaluation.json of gif-train evaluate"),
        (("--evaluation", "mine.onnx"), 1, "it is not the evaluation.json of gif-train evaluate"),
        (("--evaluation", EVALUATION, "--system", "magic"), 2, "system must be one of plain recipe"),
    ],
)
def test_a_card_that_cannot_be_written_is_one_error(tmp_path, words, code, message):
    save_candidate(tmp_path / "mine.onnx", version="8")

    done = card("mine.onnx", *words, cwd=tmp_path)

    assert done.returncode == code
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "MODEL_CARD.md").exists()
