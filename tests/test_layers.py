"""The lists of the import-linter contracts are complete."""

from __future__ import annotations

import tomllib

import pytest

from tests.support.paths import ROOT
from tests.support.programs import python

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
[CORE] = [contract for contract in CONTRACTS if contract["name"] == "The core knows no wire"]

# Modules of a service that may use gRPC.
WIRE = {"rpc", "oip", "__main__"}


@pytest.mark.parametrize("service", ["preprocess", "inference"])
def test_every_module_of_a_service_is_core_or_may_use_grpc(service: str) -> None:
    folder = ROOT / "services" / service
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    files |= {path.parent.name for path in folder.glob("*/__init__.py")}

    named = [name.removesuffix(".**") for name in CORE["source_modules"]]
    core = {name.rpartition(".")[2] for name in named if name.startswith(f"services.{service}.")}

    assert core | (WIRE & files) == files
    assert f"services.{service}" in CORE["source_modules"]


# Modules of the gateway that are not core: they may use gRPC, Daft or the terminal.
INTERFACES = {"batch", "cli", "commands", "files", "mcp_server", "remote", "sorting"}


def test_every_module_and_package_of_the_gateway_is_core_or_an_interface() -> None:
    gateway = ROOT / "gateway"
    packages = {path.parent.name for path in gateway.glob("*/__init__.py")}
    files = {path.stem for path in gateway.glob("*.py")} - {"__init__"}

    named = [name for name in CORE["source_modules"] if name.startswith("gateway.")]
    core = {name.split(".")[1] for name in named}

    assert core | INTERFACES == packages | files
    assert not core & INTERFACES
    assert {f"gateway.{package}.**" for package in core & packages} <= set(named)  # whole packages


def test_the_two_steps_are_imported_without_grpc() -> None:
    program = (
        "import sys, gateway.fetch.fetcher, gateway.pipeline, gateway.settings\n"
        "import services.inference, services.preprocess\n"
        "sys.exit(' '.join(sorted({'grpc', 'google', 'gif_analyzer', 'open_inference'} & set(sys.modules))))"
    )

    assert python(program).stderr.strip() == ""


def test_no_package_named_proto_shadows_the_one_of_pypi() -> None:
    assert not list((ROOT / "proto").glob("*.py"))
