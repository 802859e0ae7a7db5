"""What the documents and the files at the root promise, held to what is there."""

from __future__ import annotations

import ast
import importlib
import os
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

from gateway.settings import Settings
from tests.support.documents import commands, constraints
from tests.support.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
DOCUMENTS = [
    path
    for path in (*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md")))
    if path.name != "CHANGELOG.md"
]
TRAINING_STACK = ("tensorflow", "keras", "tf2onnx", "onnx", "mlflow", "sklearn", "matplotlib", "torch")


@pytest.fixture(scope="session")
def tracked() -> list[str]:
    """Every file that git knows, as a path from the root."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("This test needs a git checkout, and this copy is none.")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return [name for name in listed.stdout.decode().split("\0") if name]


# Documents


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_verb_in_a_document_exists(document: Path) -> None:
    verbs = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))

    named = {word for words in commands(document, "make") for word in words[:1] if "=" not in word}

    assert named <= verbs


def test_the_everyday_verbs_are_documented_for_contributors() -> None:
    named = {words[0] for words in commands(ROOT / "CONTRIBUTING.md", "make") if words}

    assert {"setup", "check", "test"} <= named


@pytest.mark.parametrize(
    ("program", "module"), [("gif-analyzer", "gateway.cli"), ("gif-deliver", "delivery.cli")]
)
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_in_a_document_exists_with_its_options(
    document: Path, program: str, module: str
) -> None:
    import typer.main

    group = typer.main.get_command(importlib.import_module(module).app)
    for given in commands(document, program):
        names_a_gif = program == "gif-analyzer" and any(char in word for word in given[-1:] for char in "./")
        names_a_gif &= not set(given) & set(getattr(group, "commands", {}))
        words = ["identify", *given] if names_a_gif else given  # which may be left out
        command, known = group, {"--help", "-h", "--install-completion"}
        for word in words:
            subcommands = getattr(command, "commands", {})
            if word in subcommands:
                command = subcommands[word]
            elif subcommands and not word.startswith("-"):
                pytest.fail(f"{document.name}: {program} has no command {word}")
            known |= {option for parameter in command.params for option in parameter.opts}
            if word.startswith("-") and word != "-":
                assert word.split("=")[0] in known, f"{document.name}: {' '.join(words)}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_variable_in_a_document_is_a_setting(document: Path) -> None:
    named = set(re.findall(r"GIF_ANALYZER_[A-Z_]+\b", document.read_text("utf-8")))

    assert named - {"GIF_ANALYZER_"} <= Settings.variables()


def test_every_setting_is_in_a_document() -> None:
    text = "\n".join(document.read_text("utf-8") for document in DOCUMENTS)

    assert [name for name in Settings.variables() if f"`{name}`" not in text] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_a_document_links_to_exists(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text("utf-8"))

    missing = [link for link in links if ":" not in link and not (document.parent / link).exists()]

    assert missing == []


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
    assert [each for each in imported if not each[1].startswith("tests.support")] == []


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
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )

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


def test_the_wheel_holds_the_packages_with_their_types(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())

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

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    file, *answer = done.stdout.split(maxsplit=1)
    assert Path(file).is_relative_to(tmp_path)
    assert answer == [f"{PROJECT['version']} Big Buck Bunny True\n"]


def test_the_wheel_holds_the_web_page(wheel: zipfile.ZipFile) -> None:
    files = {path.name for path in (ROOT / "gateway/rest/static").iterdir()}

    assert {"index.html", "page.css", "page.js", "example.gif"} <= files
    assert {f"gateway/rest/static/{name}" for name in files} <= set(wheel.namelist())


@pytest.mark.parametrize("name", ["default.onnx", "MODEL_CARD.md"])
def test_the_wheel_holds_the_default_model_and_its_card(wheel: zipfile.ZipFile, name: str) -> None:
    assert f"services/inference/{name}" in wheel.namelist()


def test_the_wheel_asks_for_no_training_package_unless_training(wheel: zipfile.ZipFile) -> None:
    [metadata] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    needed = re.findall(r"^Requires-Dist: (.*)$", wheel.read(metadata).decode(), re.MULTILINE)
    always = {canonicalize_name(Requirement(line).name) for line in needed if "extra ==" not in line}

    assert always == {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    assert not always & {"tensorflow", "keras", "tf2onnx", "onnx", "scikit-learn", "matplotlib"}
