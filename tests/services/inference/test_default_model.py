"""The packaged model fits its card, and the card quotes the evaluation."""

import io
import json

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image, ImageDraw, ImageFont

from services.inference import Classifier, default_model_path
from services.preprocess import decode_gif
from tests.support.paths import ROOT

CARD = default_model_path().with_name("MODEL_CARD.md")
EVALUATION = ROOT / "docs" / "evaluation"
MAX_BYTES = 4_500_000  # the bundle for AWS Lambda is fetched and unpacked at every cold start
NEIGHBOURS = 128  # weights of two input channels: their products with activations, 0..255, fit in 16 bits


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(default_model_path())


def test_it_is_small() -> None:
    assert default_model_path().stat().st_size <= MAX_BYTES


def test_its_sums_never_overflow() -> None:
    """Processors without VNNI add two products in 16 bits, and saturate."""
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


def test_its_unknown_threshold_is_that_of_the_evaluation(classifier: Classifier) -> None:
    operating = json.loads((EVALUATION / "evaluation.json").read_text(encoding="utf-8"))["operating"]

    assert classifier.threshold == pytest.approx(operating["threshold"])


def test_the_card_quotes_the_evaluation() -> None:
    """Every row of figures in the card is in the output of `make evaluation`."""
    written = (EVALUATION / "evaluation.md").read_text(encoding="utf-8").splitlines()
    card = CARD.read_text(encoding="utf-8")
    figures = card[card.index("## Figures") : card.index("## What it cannot do")]

    rows = [line for line in figures.splitlines() if line.startswith("|")]

    assert len(rows) > 40
    assert [row for row in rows if row not in written] == []


def drawn_pictures() -> list[Image.Image]:
    """Forty pictures of nothing: ten of one colour, ten of noise, ten of text and ten of an interface.

    Drawn apart from those that the model learned from (training.data.drawn).
    """
    rng = np.random.default_rng(0)
    return [draw(rng) for draw in (blank, noise, text, interface) for _ in range(10)]


def colour(rng: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = rng.integers(0, 256, 3).tolist()
    return red, green, blue


def blank(rng: np.random.Generator) -> Image.Image:
    return Image.new("RGB", (320, 180), colour(rng))


def noise(rng: np.random.Generator) -> Image.Image:
    """Coarse or fine, grey or coloured."""
    step, channels = int(rng.choice([1, 2, 4, 8])), int(rng.choice([1, 3]))
    pixels = rng.integers(0, 256, (192 // step, 320 // step, channels), np.uint8)
    return Image.fromarray(np.kron(pixels.repeat(3 // channels, 2), np.ones((step, step, 1), np.uint8)))


def text(rng: np.random.Generator) -> Image.Image:
    """Centred lines on a flat ground, as in a title."""
    ground = colour(rng)
    image = Image.new("RGB", (400, 300), ground)
    ink = "white" if sum(ground) < 384 else "black"
    lines = ["".join(rng.choice(list("abcdefghi  "), 24)) for _ in range(int(rng.integers(1, 7)))]
    ImageDraw.Draw(image).multiline_text(
        (200, 150), "\n".join(lines), ink, ImageFont.load_default(int(rng.integers(18, 30))), anchor="mm"
    )
    return image


def interface(rng: np.random.Generator) -> Image.Image:
    """A table under a title bar, with buttons below it."""
    image = Image.new("RGB", (480, 320), "white")
    draw, accent = ImageDraw.Draw(image), colour(rng)
    draw.rectangle((0, 0, 480, 30), accent)
    for row in range(int(rng.integers(5, 10))):
        draw.line((10, 60 + 20 * row, 470, 60 + 20 * row), "#cccccc")
        for column in range(4):
            draw.text((20 + 115 * column, 44 + 20 * row), str(rng.integers(0, 10_000)), "#333333")
    for button in range(int(rng.integers(1, 4))):
        draw.rounded_rectangle((20 + 120 * button, 270, 120 + 120 * button, 300), 6, accent)
        draw.text((70 + 120 * button, 285), "OK", "white", anchor="mm")
    return image


def test_drawn_pictures_of_nothing_are_not_named(classifier: Classifier) -> None:
    files = []
    for picture in drawn_pictures():
        with io.BytesIO() as file:
            picture.save(file, "GIF")
            files.append(file.getvalue())

    verdicts = [classifier.classify(decode_gif(file)).verdict for file in files]

    assert [verdict.text for verdict in verdicts if verdict.known] == []
