import json

import pytest

from training.errors import InvalidOptions
from training.fit.options import FitOptions, PartOptions
from training.network.head import Tap


def test_settings_go_to_json_and_back():
    options = FitOptions(
        parts=(PartOptions(), PartOptions("block05/deviation", standardise=True, unit=False, weight=0.1)),
    )
    assert FitOptions.from_json(json.loads(json.dumps(options.to_json()))) == options
    assert options.taps == (Tap("top"), Tap("block05", "deviation"))


def test_a_file_names_only_what_differs(tmp_path):
    path = tmp_path / "recipe.json"
    path.write_text('{"balance": 1.0, "seed": 7}')
    options = FitOptions.read(path)
    assert options == FitOptions(balance=1.0, seed=7)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"sead": 1}, "sead"),
        ({"parts": [{"tip": "top"}]}, "parts must be of standardise, tap"),
        ({"parts": []}, "at least one"),
        ({"parts": [1]}, "an object"),
        ({"balance": 2}, "balance must be in 0..1, this is 2"),
        ({"balance": "much"}, "kinds documented"),
        ({"regularisation": 0}, "above 0"),
        ({"source_balance": -1}, "source_balance must be in 0..1"),
        ({"linear": "deep"}, "one of ridge, logistic"),
        ({"folds": 1}, "at least 2"),
    ],
)
def test_settings_that_cannot_be_are_refused(values, why):
    with pytest.raises(InvalidOptions, match=why):
        FitOptions.from_json(values)


@pytest.mark.parametrize("content", ["", "[1]", "{"])
def test_files_that_are_no_settings_are_refused(tmp_path, content):
    path = tmp_path / "recipe.json"
    path.write_text(content)
    with pytest.raises(InvalidOptions, match="must be a JSON"):
        FitOptions.read(path)
    with pytest.raises(InvalidOptions, match="No such file"):
        FitOptions.read(tmp_path / "none.json")
