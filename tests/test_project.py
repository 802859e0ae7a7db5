"""The files at the root, the imports of serving, and the wheel. tests/docs checks the documents."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.support.documents import constraints
from tests.support.paths import ROOT
from tests.support.programs import python

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
TRAINING_STACK = ("tensorflow", "keras", "tf2onnx", "onnx", "mlflow", "sklearn", "matplotlib", "torch")


@pytest.fixture(scope="session")
def tracked() -> list[str]:
    """Every file that git knows, as a path from the root."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("This test needs a git checkout.")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return [name for name in listed.stdout.decode().split("\0") if name]


# Files of the project


def test_continuous_integration_runs_every_check() -> None:
    script = (ROOT / ".ci/run").read_text("utf-8").splitlines()

    assert [line for line in script if line.startswith("make")] == [
        "make check",
        "make test",
        "make test-all",
    ]
    assert "set -euo pipefail" in script
    assert (ROOT / ".ci/run").stat().st_mode & 0o111


def test_no_test_module_imports_another(tracked: list[str]) -> None:
    modules = [ROOT / name for name in tracked if re.fullmatch(r"tests/.*\.py", name)]
    imported = [
        (path.name, module)
        for path in modules
        for module in re.findall(r"^\s*(?:from|import) (tests\.\S+)", path.read_text("utf-8"), re.MULTILINE)
    ]

    assert len(imported) > 100
    assert [each for each in imported if ".test_" in each[1]] == []


def test_the_tiers_of_tests_are_documented() -> None:
    """The table of CONTRIBUTING.md is that of tests/conftest.py."""
    conftest = (ROOT / "tests/conftest.py").read_text("utf-8")
    tiers = re.search(r"^TIERS = (\{.*?^\})", conftest, re.MULTILINE | re.DOTALL)
    assert tiers
    document = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", document, re.MULTILINE)

    assert [(name, needs.replace("`", "")) for name, needs in rows] == [
        (name, needs.replace("`", "")) for name, needs in ast.literal_eval(tiers[1]).items()
    ]


def test_gifs_lie_among_the_examples_and_the_tests_only(tracked: list[str]) -> None:
    gifs = [name for name in tracked if Path(name).suffix.lower() == ".gif"]

    assert [name for name in gifs if not name.startswith(("examples/", "tests/"))] == [
        "gateway/rest/static/example.gif"  # the page offers one, cut from an example
    ]


def test_examples_are_small_and_their_readme_names_each(tracked: list[str]) -> None:
    readme = (ROOT / "examples/README.md").read_text("utf-8")
    examples = [ROOT / name for name in tracked if re.fullmatch(r"examples/[^/]+\.gif", name)]

    assert len(examples) >= 3
    for example in examples:
        assert f"`{example.name}`" in readme
        assert example.stat().st_size < 400_000
    assert "Blender Foundation" in readme
    assert "https://creativecommons.org/licenses/by/3.0/" in readme


def test_no_registry_address_is_committed(tracked: list[str]) -> None:
    pattern = re.compile(
        r"--(extra-)?index-url|^registry\s*=\s*[\"']?http|\"resolved\":|files\.pythonhosted", re.MULTILINE
    )
    texts = [
        ROOT / name for name in tracked if name.endswith((".txt", ".toml", ".yml", ".yaml", ".json", ".lock"))
    ]

    assert [path.name for path in texts if path.exists() and pattern.search(path.read_text("utf-8"))] == []


def test_every_package_named_is_pinned() -> None:
    extras = PROJECT["optional-dependencies"]
    named = [Requirement(line) for group in (PROJECT["dependencies"], *extras.values()) for line in group]

    pins = constraints()

    for requirement in named:
        name = canonicalize_name(requirement.name)
        if name == "gif-analyzer":
            continue
        assert name in pins, f"constraints.txt does not pin {name}"
        assert requirement.specifier.contains(pins[name]), f"{requirement} does not allow {pins[name]}"


def test_the_conda_environment_is_that_of_pyproject() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    *names, pip = environment["dependencies"]

    assert environment["name"] == PROJECT["name"]
    [python] = [line for line in names if line.split()[0] == "python"]
    assert SpecifierSet(python.split()[1]) == SpecifierSet(PROJECT["requires-python"])
    assert "pip" in names
    [installed] = [line for line in pip["pip"] if line.startswith("-e")]
    extras = re.fullmatch(r"-e \.\[(.+)\]", installed)
    assert extras is not None
    makefile = re.search(r'-e "\.\[([a-z,]+)\]"', (ROOT / "Makefile").read_text("utf-8"))
    assert makefile is not None
    assert set(extras[1].split(",")) == set(makefile[1].split(",")) <= set(PROJECT["optional-dependencies"])
    assert "-c constraints.txt" in pip["pip"]


@pytest.mark.tools
def test_the_hooks_run_what_make_check_runs() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    makefile = (ROOT / "Makefile").read_text("utf-8")
    check = makefile.split("\ncheck:")[1].split("\n\n")[0]
    tools = set(re.findall(r"\$\(BIN\)/(\S+)", check)) - {"python"}

    assert {repo["repo"] for repo in config["repos"]} == {"local"}
    assert {hook["language"] for hook in hooks} == {"system"}
    assert {hook["entry"].split()[0] for hook in hooks} <= tools
    assert {"ruff", "mypy", "lint-imports"} <= {hook["entry"].split()[0] for hook in hooks}
    subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-config", ROOT / ".pre-commit-config.yaml"],
        check=True,
        timeout=60,
    )


# Serving without the training stack


@pytest.mark.tools
def test_serving_imports_nothing_of_the_training_stack() -> None:
    program = f"""
import importlib, importlib.abc, pkgutil, sys
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {TRAINING_STACK!r}:
            raise ImportError(name + " belongs to training")
sys.meta_path.insert(0, Refuse())
import gateway, services
for package in (services, gateway):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
print(len(sys.modules))
"""
    done = python(program)

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50


# The distribution


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel that `pip install` would build, built without any network."""
    pytest.importorskip(
        "hatchling", reason="This test needs hatchling, which builds the wheel and is not installed."
    )
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    [path] = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_the_packages_with_their_types_the_page_and_the_model(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    page = {f"gateway/rest/static/{path.name}" for path in (ROOT / "gateway/rest/static").iterdir()}

    assert page | {f"services/inference/{name}" for name in ("default.onnx", "MODEL_CARD.md")} <= names
    for package in ("gif_analyzer", "services", "gateway", "training", "delivery"):
        assert {f"{package}/__init__.py", f"{package}/py.typed"} <= names
    assert not [name for name in names if name.startswith(("tests/", "examples/")) or name.endswith(".pyc")]


def test_the_public_interface_works_from_the_wheel(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path / "installed")
    program = """
import gif_analyzer
from gif_analyzer import Classifier, __version__, decode_gif, identify
from gif_analyzer.v1 import inference_pb2
print(gif_analyzer.__file__, __version__, identify(GIF).verdict.text, identify(open(GIF, "rb").read()).known)
""".replace("GIF", repr(str(ROOT / "examples/meadow.gif")))

    done = python(program, cwd=tmp_path, PYTHONPATH=str(tmp_path / "installed"))

    assert done.returncode == 0, done.stderr
    file, *answer = done.stdout.split(maxsplit=1)
    assert Path(file).is_relative_to(tmp_path)
    assert answer == [f"{PROJECT['version']} Big Buck Bunny True\n"]


def test_the_wheel_asks_for_no_training_package_unless_training(wheel: zipfile.ZipFile) -> None:
    [metadata] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    needed = re.findall(r"^Requires-Dist: (.*)$", wheel.read(metadata).decode(), re.MULTILINE)
    always = {canonicalize_name(Requirement(line).name) for line in needed if "extra ==" not in line}

    assert always == {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    assert not always & {"tensorflow", "keras", "tf2onnx", "onnx", "scikit-learn", "matplotlib"}
