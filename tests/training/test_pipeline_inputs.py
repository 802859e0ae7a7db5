"""Each stage of dvc.yaml names its inputs: its command, packages of training, versions of services, files."""

from __future__ import annotations

from typing import Any

import grimp
import pytest
import typer
import yaml

from tests.support.paths import ROOT
from training.cli import app

STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
OWN = [name for name, stage in STAGES.items() if stage["cmd"].startswith("gif-train ")]
DATA = "${dir}/"
# Services count by these versions, not by their text.
VERSIONS = {
    "services.preprocess": {"services/preprocess/decode.py": ["PIXELS_VERSION"]},
    "services.inference": {"services/inference/metadata.py": ["CONTRACT"]},
}


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    """Who imports whom, imports within functions among them."""
    return grimp.build_graph("training", "services", exclude_type_checking_imports=True, cache_dir=None)


def name_of(command: typer.models.CommandInfo) -> str:
    return command.name or command.callback.__name__


def within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def paths(stage: Any, *kinds: str) -> list[str]:
    listed = [each for kind in kinds for each in stage.get(kind, [])]
    return [next(iter(each)) if isinstance(each, dict) else each for each in listed]


def test_the_stages_that_run_gif_train() -> None:
    assert OWN == ["prepare", "fit", "evaluate", "export", "register"]


@pytest.mark.parametrize("name", OWN)
def test_a_stage_depends_on_the_packages_that_its_command_imports(
    name: str, imports: grimp.ImportGraph
) -> None:
    command = STAGES[name]["cmd"].split()[1]
    module = next(each.callback.__module__ for each in app.registered_commands if name_of(each) == command)
    read = imports.find_upstream_modules(module)
    packages = {
        f"training/{module.split('.')[1]}"
        for module in read
        if module.startswith("training.") and (ROOT / "training" / module.split(".")[1]).is_dir()
    } - {"training/commands"}
    versions = [VERSIONS[package] for package in VERSIONS if package in read]

    named = [path for path in paths(STAGES[name], "deps") if not path.startswith(DATA)]
    params = [each for each in STAGES[name].get("params", []) if isinstance(each, dict)]

    assert named == [f"{module.replace('.', '/')}.py", *sorted(packages)]
    assert params == versions


@pytest.mark.parametrize("name", OWN)
def test_every_file_that_a_command_names_is_read_or_written_by_its_stage(name: str) -> None:
    stage = STAGES[name]
    words = [word for word in stage["cmd"].split() if word.startswith(DATA)]

    read = [word for word in words if any(within(word, dep) for dep in paths(stage, "deps"))]
    written = [
        word for word in words if any(within(out, word) for out in paths(stage, "outs", "metrics", "plots"))
    ]

    assert sorted(read + written) == sorted(words)
