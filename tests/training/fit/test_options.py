import json

import pytest

from training.errors import InvalidOptions
from training.fit.options import FitOptions, PartOptions
from training.fit.recipes import BASELINE, CHOSEN, RECIPES
from training.network.backbone import load_backbone
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
        ({"parts": [{"tip": "top"}]}, "fit.parts must be of tap, standardise, unit, weight, this is tip"),
        ({"parts": []}, "at least 1 item"),
        ({"parts": [1]}, "fit.parts.0 must be a dictionary"),
        ({"balance": 2}, "balance must be less than or equal to 1, this is 2"),
        ({"balance": "much"}, "balance must be a valid number, this is much"),
        ({"regularisation": 0}, "greater than 0"),
        ({"source_balance": -1}, "source_balance must be greater than or equal to 0"),
        ({"linear": "deep"}, "'ridge' or 'logistic'"),
        ({"folds": 1}, "greater than or equal to 2"),
    ],
)
def test_invalid_settings_are_refused(values, why):
    with pytest.raises(InvalidOptions, match=why):
        FitOptions.from_json(values)


@pytest.mark.parametrize("content", ["", "[1]", "{"])
def test_files_without_settings_are_refused(tmp_path, content):
    path = tmp_path / "recipe.json"
    path.write_text(content)
    with pytest.raises(InvalidOptions, match=r"must be a (file|mapping) of settings"):
        FitOptions.read(path)
    with pytest.raises(InvalidOptions, match="no such file"):
        FitOptions.read(tmp_path / "none.json")


# The recipes


@pytest.mark.parametrize("backbone", sorted({options.backbone for options in RECIPES.values()}))
def test_every_tap_is_a_place_in_its_network(backbone: str) -> None:
    blocks = load_backbone(backbone, weights=None).blocks

    for name, options in RECIPES.items():
        if options.backbone == backbone:
            assert {tap.block for tap in options.taps} <= set(blocks), name


def test_depths_end_the_stages_of_their_network() -> None:
    network = load_backbone(RECIPES[CHOSEN].backbone, weights=None)

    sizes = {
        tap.block: network.output(tap.block).shape[1] for tap in RECIPES[CHOSEN].taps if tap.block != "top"
    }

    assert list(sizes.values()) == [56, 28, 14, 7]


def test_the_baseline_is_plain() -> None:
    options = RECIPES[BASELINE]

    assert not options.mirror
    assert not options.views
    assert not options.parts[0].unit
