"""The bundle as a file: reproducible, within the limits, and without what the function does not need."""

from __future__ import annotations

import json
import re
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import onnx
import pytest

from delivery.bundle import UNZIPPED_LIMIT, ZIPPED_LIMIT, Bundle, Target, build, build_bundle
from delivery.bundle.packages import SHADOW, gather
from delivery.bundle.prune import read_rules
from delivery.errors import BundleTooLarge, FailedStep, InvalidModel
from services.inference import default_model_path
from tests.support.documents import constraints
from tests.support.library import add_gifs
from tests.support.models import mean_colour_model
from tests.support.paths import ROOT
from tests.support.programs import call

EM_AARCH64 = 183  # in the head of an ELF file


@pytest.fixture(scope="module")
def entries(built: Bundle) -> dict[str, zipfile.ZipInfo]:
    """What is in the zip, by name."""
    with zipfile.ZipFile(built.path) as archive:
        return {entry.filename: entry for entry in archive.infolist()}


def test_it_is_well_below_lambdas_limits(built: Bundle) -> None:
    assert built.zipped_bytes == built.path.stat().st_size <= 39_000_000 < ZIPPED_LIMIT
    assert built.unzipped_bytes < UNZIPPED_LIMIT // 2


def test_built_twice_it_is_the_same_to_the_byte(built: Bundle, tmp_path: Path) -> None:
    again = build_bundle(tmp_path / "again.zip", target=built.target)

    assert again.sha256 == built.sha256
    assert again.path.read_bytes() == built.path.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["again.zip"]


def test_names_are_in_order_with_one_time_and_one_mode(entries: dict[str, zipfile.ZipInfo]) -> None:
    assert list(entries) == sorted(entries)
    assert {entry.date_time for entry in entries.values()} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries.values()} == {0o100644}


def test_it_holds_nothing_that_the_function_does_not_need(entries: dict[str, zipfile.ZipInfo]) -> None:
    tops = {PurePosixPath(name).parts[0] for name in entries}

    assert not tops & {
        "grpc",
        "google",
        "mlflow",
        "tensorflow",
        "keras",
        "training",
        "delivery",
        "tests",
        "bin",
    }
    assert not tops & {"gif_analyzer", "open_inference", "proto"}
    assert not [name for name in entries if name.endswith((".pyi", ".h", ".a", ".pxd")) or "/tests/" in name]
    assert not [name for name in entries if "libonnxruntime.so" in name]
    assert [name for name in entries if name.endswith(".onnx")] == ["services/inference/default.onnx"]


def test_it_names_no_path_of_this_machine(built: Bundle) -> None:
    with zipfile.ZipFile(built.path) as archive:
        found = [name for name in archive.namelist() if str(built.path.parent).encode() in archive.read(name)]

    assert found == []


def test_every_source_has_byte_code_that_python_never_checks(
    built: Bundle, entries: dict[str, zipfile.ZipInfo]
) -> None:
    sources = [name for name in entries if name.endswith(".py")]
    compiled = [name for name in entries if name.endswith(".pyc")]

    assert {PurePosixPath(name).parts[0] for name in sources} == {"gateway", "services"}
    for name in sources:
        path = PurePosixPath(name)
        tag = built.target.python.replace(".", "")
        assert str(path.parent / "__pycache__" / f"{path.stem}.cpython-{tag}.pyc") in entries
    with zipfile.ZipFile(built.path) as archive:
        flags = {struct.unpack("<I", archive.read(name)[4:8])[0] for name in compiled}
        code = archive.read(next(name for name in compiled if name.startswith("gateway/")))
    assert flags == {0b01}  # a hash, unchecked
    assert b"/var/task/gateway/" in code


def test_every_package_has_its_pinned_version(built: Bundle) -> None:
    pins = constraints()
    others = [size for size in built.sizes if size.name not in ("gif-analyzer", "model")]

    assert len(others) > 15
    for size in others:
        assert pins[size.name.lower().replace("_", "-")] == size.version


def test_a_wheel_with_another_hash_is_refused(built: Bundle, tmp_path: Path) -> None:
    """A project whose hashes.txt expects other bytes of one package."""
    root, folder = tmp_path / "project", tmp_path / "task"
    root.mkdir()
    folder.mkdir()
    (root / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    hashes = (ROOT / "hashes.txt").read_text("utf-8")
    [mangum] = re.findall(r"^mangum==.*?(?=^\w)", hashes, re.MULTILINE | re.DOTALL)
    other = re.sub(r"[0-9a-f]{64}", "0" * 64, mangum)
    (root / "hashes.txt").write_text(hashes.replace(mangum, other), "utf-8")

    with pytest.raises(FailedStep, match=r"installing the wheels.*mangum"):
        gather(root, folder, model=default_model_path(), target=built.target)

    assert not (folder / "mangum").exists()


def test_every_byte_is_counted_once(built: Bundle, entries: dict[str, zipfile.ZipInfo]) -> None:
    assert sum(size.files for size in built.sizes) == len(entries)
    assert sum(size.unzipped_bytes for size in built.sizes) == built.unzipped_bytes


def test_every_rule_left_something_out(built: Bundle) -> None:
    assert [pruned.why for pruned in built.pruned] == [rule.why for rule in read_rules()]
    assert all(pruned.files and pruned.why for pruned in built.pruned)


def test_a_bundle_over_the_limit_is_refused_and_an_existing_one_stays(
    built: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "lambda.zip"
    out.write_bytes(b"the one before")
    monkeypatch.setattr(build, "ZIPPED_LIMIT", 30 * 2**20)

    with pytest.raises(
        BundleTooLarge, match=r"the zipped bundle is too large: \d\d,\d+,\d+ bytes, Lambda accepts 31,457,280"
    ):
        build_bundle(out, target=built.target)

    assert out.read_bytes() == b"the one before"
    assert [path.name for path in tmp_path.iterdir()] == ["lambda.zip"]


def test_a_model_that_the_function_could_not_load_is_refused(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(default_model_path().read_bytes()[:1000])

    with pytest.raises(InvalidModel, match=r"model\.onnx cannot be bundled: .*not an ONNX file"):
        build_bundle(tmp_path / "lambda.zip", model=model)

    assert not (tmp_path / "lambda.zip").exists()


def test_the_command_bundles_another_model_with_a_library_and_prints_json(
    tmp_path: Path, save_gif: Callable[..., Path]
) -> None:
    model, out = tmp_path / "red-green-blue.onnx", tmp_path / "lambda.zip"
    onnx.save(mean_colour_model(), model)
    library = add_gifs(tmp_path / "my.library", model, {"Purple Show": [save_gif("purple.gif", "purple")]})
    version = f"3.{sys.version_info.minor}"

    words = ("--json", "--python", version, "--model", model, "--library", library, "--shadow", model)
    words = (*words, "--out", out)
    done = call("gif-deliver", "bundle", *words)

    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert (printed["model"]["name"], printed["model"]["version"]) == ("mean-colour", "1.2.3")
    assert (printed["library"]["clip_count"], printed["library"]["shows"]) == (1, ["Purple Show"])
    [counted] = [each for each in printed["packages"] if each["name"] == "library"]
    assert (counted["files"], counted["unzipped_bytes"]) == (1, library.stat().st_size)
    assert sum(each["unzipped_bytes"] for each in printed["packages"]) == printed["unzipped_bytes"]
    assert printed["python"] == version
    assert printed["zipped_bytes"] + printed["zipped_room_bytes"] == ZIPPED_LIMIT
    with zipfile.ZipFile(out) as archive:
        assert archive.read("services/inference/default.onnx") == model.read_bytes()
        assert archive.read("gateway/bundled.library") == library.read_bytes()
        assert archive.read(SHADOW) == model.read_bytes()


def test_a_bundle_for_arm64_has_shared_objects_for_arm64(built: Bundle, tmp_path: Path) -> None:
    arm64 = build_bundle(tmp_path / "arm64.zip", target=Target(built.target.python, "arm64"))

    with zipfile.ZipFile(arm64.path) as archive:
        heads = {name: archive.read(name)[:20] for name in archive.namelist() if ".so" in name}
    assert len(heads) > 10
    assert {struct.unpack("<H", head[18:20])[0] for head in heads.values()} == {EM_AARCH64}
    assert arm64.zipped_bytes < 38_000_000


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--python", "3.99"], "error: Python 3.99 is not on this machine: install it"),
        (["--python", "latest"], "error: python must be a minor version such as 3.13, this is 'latest'"),
        (["--architecture", "riscv"], "error: architecture must be one of x86_64, arm64, this is 'riscv'"),
        (["--model", "nowhere.onnx"], "error: nowhere.onnx cannot be bundled: "),
        (["--library", "nowhere.library"], "error: nowhere.library cannot be bundled: it cannot be read: "),
        (["--library", "README.md"], "error: README.md cannot be bundled: it is not a library of GIFs"),
    ],
)
def test_an_invalid_option_is_one_line(options: list[str], said: str, tmp_path: Path) -> None:
    done = call("gif-deliver", "bundle", *options, "--out", tmp_path / "lambda.zip")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
