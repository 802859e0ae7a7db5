"""The lists of the import-linter contracts are complete: what lies beside the wire is named file by file."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest

from tests.support.paths import ROOT

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
[CORE] = [contract for contract in CONTRACTS if contract["name"] == "The core knows no wire"]

# What a service has of the wire.
WIRE = {"rpc", "oip", "__main__"}


@pytest.mark.parametrize("service", ["preprocess", "inference"])
def test_every_file_of_a_service_is_of_the_core_or_of_the_wire(service: str) -> None:
    folder = ROOT / "services" / service
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    files |= {path.parent.name for path in folder.glob("*/__init__.py")}

    named = [name.removesuffix(".**") for name in CORE["source_modules"]]
    core = {name.rpartition(".")[2] for name in named if name.startswith(f"services.{service}.")}

    assert core | (WIRE & files) == files
    assert f"services.{service}" in CORE["source_modules"]


# What the gateway has that may know a wire, and what is for people at a terminal; Daft brings what it likes.
DOORS = {"batch", "cli", "commands", "files", "remote", "serve", "sorting"}


def test_every_file_and_room_of_the_gateway_is_of_the_core_or_a_door_of_its_own() -> None:
    gateway = ROOT / "gateway"
    rooms = {path.parent.name for path in gateway.glob("*/__init__.py")}
    files = {path.stem for path in gateway.glob("*.py")} - {"__init__"}

    named = [name for name in CORE["source_modules"] if name.startswith("gateway.")]
    core = {name.split(".")[1] for name in named}

    assert core | DOORS == rooms | files
    assert not core & DOORS
    assert {f"gateway.{room}.**" for room in core & rooms} <= set(named)  # whole rooms


def test_the_two_functions_are_imported_without_grpc() -> None:
    program = (
        "import sys, gateway.fetch.fetcher, gateway.pipeline, gateway.settings\n"
        "import services.inference, services.preprocess\n"
        "sys.exit(' '.join(sorted({'grpc', 'google', 'gif_analyzer', 'open_inference'} & set(sys.modules))))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT, timeout=60
    )

    assert done.stderr.strip() == ""


def test_no_package_named_proto_shadows_that_of_others() -> None:
    assert not list((ROOT / "proto").glob("*.py"))
