import json

import pytest

from training.errors import InvalidOptions
from training.registry.gate import GateOptions


@pytest.mark.parametrize(
    "text",
    [
        '{"margin": 0.05, "min_clips": 3}',
        "margin: 0.05\nmin_clips: 3\n",
        "fit:\n  folds: 6\ngate:\n  margin: 0.05\n  min_clips: 3\n",
    ],
)
def test_options_are_read_alone_or_from_a_file_of_all_settings(tmp_path, text):
    (tmp_path / "params.yaml").write_text(text)

    options = GateOptions.read(tmp_path / "params.yaml")

    assert options == GateOptions(margin=0.05, min_clips=3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"margins": 1}, "gate must be of margin, show_margin"),
        ({"margin": 1.5}, "gate.margin must be less than or equal to 1, this is 1.5"),
        ({"margin": "2 %"}, "gate.margin must be a valid number, this is 2 %"),
        ({"min_clips": 2.5}, "gate.min_clips must be a valid integer"),
        ({"min_clips": True}, "gate.min_clips must be a valid integer"),
        ({"resamples": 1}, "gate.resamples must be greater than or equal to 100"),
        ([], "must be a YAML mapping"),
    ],
)
def test_bad_options_are_refused_by_name(tmp_path, values, message):
    (tmp_path / "gate.json").write_text(json.dumps(values))

    with pytest.raises(InvalidOptions, match=message.replace(".", r"\.")):
        GateOptions.read(tmp_path / "gate.json")


def test_a_file_that_is_no_settings_is_refused(tmp_path):
    (tmp_path / "gate.yaml").write_text("gate: [")

    with pytest.raises(InvalidOptions, match="a YAML file of settings"):
        GateOptions.read(tmp_path / "gate.yaml")
