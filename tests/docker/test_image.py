"""The Dockerfile and compose.yaml: linted, pinned, and the commands of the build are run without Docker."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
import yaml

from gateway.cli import app
from tests.support.documents import constraints
from tests.support.paths import EXAMPLES, ROOT

BIN = Path(sys.executable).parent
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
SERVICES = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service.get("build") == "."}


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile in order, such as ("RUN", "pip install uv")."""
    lines = re.sub(r"^\s*#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    words = [line.split(maxsplit=1) for line in lines.splitlines() if line.strip()]
    return [(name, " ".join(rest.split())) for name, rest in words]


def stages() -> list[list[tuple[str, str]]]:
    """The instructions by stage; each begins with FROM."""
    found: list[list[tuple[str, str]]] = []
    for name, rest in instructions():
        if name == "FROM":
            found.append([])
        found[-1].append((name, rest))
    return found


def lint(tool: str, *words: str | Path) -> None:
    if not (BIN / tool).exists():
        pytest.skip(f"This test needs {tool}, which is not installed: make setup.")
    done = subprocess.run(
        [BIN / tool, *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_hadolint_finds_nothing() -> None:
    lint("hadolint", "Dockerfile")


def test_compose_matches_its_schema() -> None:
    lint("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml")


def test_images_are_pinned() -> None:
    bases = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    images = [service["image"] for service in SERVICES.values() if "build" not in service]
    unpinned = [
        image for image in (*bases, *images) if not re.search(r":[\w.-]+@sha256:[0-9a-f]{64}$", image)
    ]

    assert len(set(bases)) == 1
    # Its digest is not known here, so the version has to do: that of the tests.
    assert unpinned == [f"ghcr.io/mlflow/mlflow:v{constraints()['mlflow']}"]


def test_the_image_runs_as_nobody_in_particular_and_knows_its_health() -> None:
    *_, last = stages()
    found = dict(last)

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", found["USER"])
    assert found["HEALTHCHECK"].endswith("]")
    assert [rest for name, rest in last if name == "COPY"] == [
        "--from=build /opt/gif-analyzer /opt/gif-analyzer"
    ]
    words = json.loads(found["CMD"])
    assert app_has(words[1:])


def app_has(words: list[str]) -> bool:
    """Whether gif-analyzer has that command with these options."""
    command = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]  # type: ignore[attr-defined]
    known = {name for each in command.params for name in each.opts}
    return {word for word in words if word.startswith("-")} <= known


def test_every_program_of_compose_is_confined() -> None:
    for name, service in SERVICES.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name}: {port} is open to other machines"
    assert all(service["read_only"] for service in OURS.values())
    # The steps check no API keys: only the gateway and Prometheus reach them.
    assert COMPOSE["networks"]["steps"]["internal"] is True
    assert {name for name, service in SERVICES.items() if "steps" in service.get("networks", [])} == {
        *OURS,
        "prometheus",
    }
    assert SERVICES["preprocess"]["networks"] == SERVICES["inference"]["networks"] == ["steps"]


def test_secrets_come_from_the_environment() -> None:
    variables = [
        (name, value)
        for service in SERVICES.values()
        for name, value in service.get("environment", {}).items()
        if re.search("PASSWORD|KEY|TOKEN|SECRET", name)
    ]

    assert {name for name, _ in variables} == {"GIF_ANALYZER_API_KEYS", "GF_SECURITY_ADMIN_PASSWORD"}
    assert all(value.startswith("${") for _, value in variables)


def test_the_commands_of_compose_exist_with_their_options() -> None:
    gateway = OURS["gateway"]["command"]
    assert gateway[0] == "gif-analyzer"
    assert app_has(gateway[1:])
    shown = {
        "mlflow": [BIN / "mlflow", "server"],
        **{name: [sys.executable, *OURS[name]["command"][1:3]] for name in ("preprocess", "inference")},
    }
    for name, command in shown.items():
        help_text = subprocess.run(
            [*command, "--help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
        ).stdout
        options = [word.split("=")[0] for word in SERVICES[name]["command"] if word.startswith("--")]
        assert options
        assert [option for option in options if option not in help_text] == []


def test_the_health_check_of_a_step_is_python_that_runs() -> None:
    """Against a real server: 0 while it serves, and 1 where nothing listens."""
    from benchmarks.harness.servers import free_ports, start_services

    _, *words = OURS["preprocess"]["healthcheck"]["test"]
    [free] = free_ports(1)

    def check(address: str) -> int:
        command = [sys.executable, *(word.replace("127.0.0.1:50051", address) for word in words[1:])]
        return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode

    with start_services() as served:
        assert check(served.address) == 0
    assert check(f"127.0.0.1:{free}") == 1


def copy_context(destination: Path) -> None:
    """Copy what .dockerignore lets into the build."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    kept = [line[1:] for line in lines if line.startswith("!")]
    assert "*" in lines
    for name in kept:
        target = destination / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, target, dirs_exist_ok=True, ignore=ignored)
        else:
            shutil.copy(ROOT / name, target)


def test_the_commands_of_the_build_make_an_environment_that_works(tmp_path: Path) -> None:
    """The first stage in a folder that holds only what COPY copies; the packages come from the registry."""
    build, _ = stages()
    source, made, python = tmp_path / "source", tmp_path / "made", tmp_path / "python"
    source.mkdir()
    subprocess.run(
        [BIN / "uv", "venv", "-q", "--seed", "-p", sys.executable, python], check=True, timeout=120
    )
    environment = {**os.environ, "PATH": f"{python}/bin:{os.environ['PATH']}"}
    for name, rest in build:
        if name == "ENV":
            settings = dict(word.split("=", 1) for word in shlex.split(rest))
            # Without the setting that keeps images small, so that archives of earlier tests are used again.
            environment |= {key: value for key, value in settings.items() if key != "UV_NO_CACHE"}
        elif name == "COPY" and rest == ". .":
            copy_context(source)
        elif name == "COPY":
            *files, _ = rest.split()
            for file in files:
                shutil.copy(ROOT / file, source)
        elif name == "RUN":
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-c", rest.replace("/opt/gif-analyzer", str(made))],
                cwd=source,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=600,
            )
            assert done.returncode == 0, done.stderr
        else:
            assert name in ("FROM", "SHELL", "WORKDIR")

    answer = subprocess.run(
        [made / "bin/gif-analyzer", "identify", "--json", EXAMPLES / "meadow.gif"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "NUMBA_CACHE_DIR": str(tmp_path / "numba")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["shows"][0]["show"] == "Big Buck Bunny"
    for module in ("grpc", "numba", "uvicorn"):
        subprocess.run([made / "bin/python", "-c", f"import {module}"], check=True, timeout=120)
