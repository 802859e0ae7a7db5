from __future__ import annotations

import importlib.metadata
import json
import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from services.extras import EXTRAS, advice, missing
from tests.support.paths import ROOT
from tests.support.programs import call, python

DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
OF_DEVELOPERS = {"test", "docs", "dev"}


def packages_of(extra: str) -> set[str]:
    """The packages of an extra and of those that it includes, by pyproject.toml."""
    found: set[str] = set()
    for one in map(Requirement, DECLARED[extra]):
        if one.name == "gif-analyzer":
            found = found.union(*map(packages_of, one.extras))
        else:
            found.add(canonicalize_name(one.name))
    return found


def test_every_extra_for_users_is_known() -> None:
    assert {extra.name for extra in EXTRAS} == DECLARED.keys() - OF_DEVELOPERS


@pytest.mark.parametrize("extra", EXTRAS, ids=lambda extra: extra.name)
def test_every_installed_package_of_an_extra_has_a_module_in_the_list(extra) -> None:
    of_module = importlib.metadata.packages_distributions()
    known = {
        canonicalize_name(name)
        for module in extra.modules
        for name in of_module.get(module.partition(".")[0], [])
    }
    declared = packages_of(extra.name)
    installed = {
        canonicalize_name(distribution.metadata["Name"])
        for distribution in importlib.metadata.distributions()
    }

    if "mlflow" in installed:  # mlflow contains mlflow-skinny
        declared -= {"mlflow-skinny"}
    assert declared & installed <= known
    if declared <= installed:
        assert missing(extra) == ()


@pytest.mark.parametrize(
    ("module", "takes", "extras"),
    [
        ("grpc.aio", "", "grpc"),
        ("tensorflow", "train", "train"),
        ("mlflow", "train", "train"),
        ("mlflow", "", "registry"),
        ("uvicorn", "grpc,rest", "grpc,rest"),
        ("numba", "rest", "fast"),
    ],
)
def test_the_advice_for_a_missing_module_works_in_a_checkout(module, takes, extras) -> None:
    said = advice(module, takes=takes)

    assert said == (
        f"packages are missing ({module}): in the checkout run make setup, or pip install '.[{extras}]'"
    )


def test_there_is_no_advice_for_other_modules() -> None:
    assert advice("gateway.none") is None


def test_doctor_lists_extras_and_settings_without_their_values() -> None:
    done = call("gif-analyzer", "doctor", GIF_ANALYZER_API_KEYS="secret-key")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"gif-analyzer {importlib.metadata.version('gif-analyzer')}, Python ")
    assert "settings  GIF_ANALYZER_API_KEYS" in done.stdout
    assert "secret-key" not in done.stdout
    for extra in EXTRAS:
        state = "missing" if missing(extra) else "ready"
        assert re.search(rf"^  {state} +{extra.name} ", done.stdout, re.MULTILINE)


# Typer needs pydantic.
BASE = {"numpy", "onnxruntime", "PIL", "rich", "threadpoolctl", "typer", "google", "pydantic"}
# Numba is optional: without it the portable backend is used.
OPTIONAL = {module.partition(".")[0] for extra in EXTRAS for module in extra.modules} - BASE - {"numba"}
# What to install for a command that needs extras.
ADVICE = {
    ("gif-analyzer", "https://giphy.com/gifs/a-b"): "rest",
    ("gif-analyzer", "batch", "examples", "--out", "none/o.csv"): "batch",
    ("gif-analyzer", "serve"): "grpc,rest",
    ("gif-analyzer", "serve", "rest"): "rest",
    ("gif-train", "collect", "--out", "none"): "train",
    ("gif-train", "cut", "README.md", "--show", "S", "--out", "none"): "train",
    ("gif-train", "fit", "MANIFEST", "--run", "none", "--cache", "CACHE"): "train",
    ("gif-train", "status"): "registry",
    ("gif-deliver", "status", "f"): "deliver",
}
WORK = [
    *((program, "--help") for program in ("gif-analyzer", "gif-train", "gif-deliver")),
    *(("gif-analyzer", word) for word in ("examples/meadow.gif", "shows", "doctor")),
]
RUN_WITHOUT = """
import importlib.abc, json, sys

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in refused:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

refused, commands = json.load(sys.stdin)
sys.meta_path.insert(0, Refuse())
from tests.support.programs import call
done = [call(*words) for words in commands]
print(json.dumps([[each.returncode, each.stdout, each.stderr] for each in done]))
"""
Answers = dict[tuple[str, ...], tuple[int, str, str]]


@pytest.fixture(scope="module")
def without_extras(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """Exit code, output and errors of each command, in a process that can import no module of an extra."""
    folder = tmp_path_factory.mktemp("fit")
    lines = [f"{ROOT}/examples/meadow.gif,Red,a", f"{ROOT}/examples/brook.gif,Blue,b"]
    (folder / "manifest.csv").write_text("\n".join(["path,show,group", *lines]))
    places = {"MANIFEST": str(folder / "manifest.csv"), "CACHE": str(folder)}
    commands = [[places.get(word, word) for word in words] for words in (*WORK, *ADVICE)]
    given = json.dumps([sorted(OPTIONAL), commands])
    done = python(RUN_WITHOUT, stdin=given, GIPHY_API_KEY="key", MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    return dict(zip((*WORK, *ADVICE), map(tuple, json.loads(done.stdout)), strict=True))


@pytest.mark.parametrize("words", ADVICE, ids=" ".join)
def test_without_extras_each_command_says_in_one_line_what_to_install(
    without_extras: Answers, words: tuple[str, ...]
) -> None:
    code, output, errors = without_extras[words]

    assert code in (1, 2)
    assert output == ""
    [line] = filter(None, errors.splitlines())  # the progress display leaves an empty line
    assert "packages are missing (" in line
    assert line.endswith(f"in the checkout run make setup, or pip install '.[{ADVICE[words]}]'")


@pytest.mark.parametrize("words", WORK, ids=" ".join)
def test_these_commands_work_without_extras(without_extras: Answers, words: tuple[str, ...]) -> None:
    code, _, errors = without_extras[words]

    assert (code, errors) == (0, "")
