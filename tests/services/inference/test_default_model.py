"""The packaged model is what its card says, and the card quotes what the evaluation wrote."""

import json

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from services.inference import Classifier, default_model_path
from tests.support.paths import ROOT

CARD = default_model_path().with_name("MODEL_CARD.md")
EVALUATION = ROOT / "docs" / "evaluation"
MAX_BYTES = 5_000_000  # the bundle for AWS Lambda is fetched and unpacked at every cold start
NEIGHBOURS = 128  # weights of two input channels: their products with activations, 0..255, fit in 16 bits


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(default_model_path())


def test_it_is_small() -> None:
    assert default_model_path().stat().st_size <= MAX_BYTES


def test_its_sums_overflow_on_no_processor() -> None:
    """Without VNNI two products are added in 16 bits, and what does not fit is cut off."""
    graph = onnx.load(default_model_path()).graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    whole = [tensors[node.input[0]] for node in graph.node if node.input and node.input[0] in tensors]

    weights = [np.abs(values.astype(int)) for values in whole if values.dtype == np.int8 and values.ndim == 4]

    assert len(weights) > 40
    for kernel in weights:
        if kernel.shape[1] > 1:  # depthwise convolutions have no neighbours and are added in 32 bits
            rows = kernel.transpose(0, 2, 3, 1).reshape(len(kernel), -1)
            assert (rows[:, 1:] + rows[:, :-1]).max() <= NEIGHBOURS
    assert np.iinfo(np.int16).max >= 255 * NEIGHBOURS


def test_it_knows_the_shows_of_its_card(classifier: Classifier) -> None:
    card = CARD.read_text(encoding="utf-8")

    assert len(classifier.shows) == 22
    assert all(f"| {show} |" in card for show in classifier.shows)


def test_it_says_unknown_where_the_evaluation_drew_the_line(classifier: Classifier) -> None:
    operating = json.loads((EVALUATION / "evaluation.json").read_text(encoding="utf-8"))["operating"]

    assert classifier.threshold == pytest.approx(operating["threshold"])


def test_the_card_quotes_the_evaluation() -> None:
    """Every row of figures of the card stands in what `make evaluation` wrote."""
    written = (EVALUATION / "evaluation.md").read_text(encoding="utf-8").splitlines()
    card = CARD.read_text(encoding="utf-8")
    figures = card[card.index("## Figures") : card.index("## What it cannot do")]

    rows = [line for line in figures.splitlines() if line.startswith("|")]

    assert len(rows) > 40
    assert [row for row in rows if row not in written] == []
