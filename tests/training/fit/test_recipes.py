"""The recipes name places that exist in their networks, and are told apart by what they are."""

import pytest

from training.fit.recipes import BASELINE, CHOSEN, RECIPES
from training.network.backbone import load_backbone


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
