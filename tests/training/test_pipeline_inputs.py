"""What each stage of dvc.yaml reads is named there: the modules of its command, and the files it is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grimp
import pytest
import yaml

ROOT = Path(__file__).parents[2]
STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
OWN = [name for name, stage in STAGES.items() if stage["cmd"].startswith("gif-train ")]
DATA = "${dir}/"


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    """Who imports whom, imports within functions among them."""
    return grimp.build_graph("training", "services", exclude_type_checking_imports=True, cache_dir=None)


def path_of(module: str) -> str:
    path = module.replace(".", "/")
    return f"{path}/__init__.py" if (ROOT / path).is_dir() else f"{path}.py"


def within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def paths(stage: Any, *kinds: str) -> list[str]:
    listed = [each for kind in kinds for each in stage.get(kind, [])]
    return [next(iter(each)) if isinstance(each, dict) else each for each in listed]


def test_the_stages_that_run_gif_train_are_told_apart() -> None:
    assert OWN == ["prepare", "fit", "evaluate", "export", "register"]


@pytest.mark.parametrize("name", OWN)
def test_a_stage_depends_on_every_module_that_its_command_imports_and_on_no_other(
    name: str, imports: grimp.ImportGraph
) -> None:
    command = f"training.commands.{STAGES[name]['cmd'].split()[1]}"
    read = {path_of(module) for module in imports.find_upstream_modules(command) | {command}}

    named = [path for path in paths(STAGES[name], "deps") if not path.startswith(DATA)]

    assert [path for path in sorted(read) if not any(within(path, dep) for dep in named)] == []
    assert [dep for dep in named if not any(within(path, dep) for path in read)] == []


@pytest.mark.parametrize("name", OWN)
def test_every_file_that_a_command_names_is_read_or_written_by_its_stage(name: str) -> None:
    stage = STAGES[name]
    words = [word for word in stage["cmd"].split() if word.startswith(DATA)]

    read = [word for word in words if any(within(word, dep) for dep in paths(stage, "deps"))]
    written = [
        word for word in words if any(within(out, word) for out in paths(stage, "outs", "metrics", "plots"))
    ]

    assert sorted(read + written) == sorted(words)
