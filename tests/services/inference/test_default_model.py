"""The packaged model is what its card says, and the card quotes what the evaluation wrote."""

import json
from pathlib import Path

import pytest

from services.inference import Classifier, default_model_path

ROOT = Path(__file__).parents[3]
CARD = default_model_path().with_name("MODEL_CARD.md")
EVALUATION = ROOT / "docs" / "evaluation"
MAX_BYTES = 14_000_000  # so that a bundle for AWS Lambda has room for everything else


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(default_model_path())


def test_it_is_small() -> None:
    assert default_model_path().stat().st_size <= MAX_BYTES


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
