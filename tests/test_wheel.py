"""The wheel in an environment of its own: every program starts, and names the show of an example."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
import urllib.request
from pathlib import Path

import pytest

from tests.support.paths import EXAMPLES, ROOT

BIN = Path(sys.executable).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
SERVERS = {
    "services": ("python", "-m", "services", "--port", "0"),
    "services.preprocess": ("python", "-m", "services.preprocess", "--port", "0"),
    "services.inference": ("python", "-m", "services.inference", "--port", "0"),
    "serve grpc": ("gif-analyzer", "serve", "grpc", "--port", "0"),
    "serve rest": ("gif-analyzer", "serve", "rest", "--port", "0"),
    "serve": ("gif-analyzer", "serve", "--port", "0", "--grpc-port", "0"),
}
# As of a machine where nobody set anything up for this project.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("GIF_ANALYZER_", "PYTHON", "VIRTUAL_ENV"))
}
MEADOW = EXAMPLES / "meadow.gif"


def run(*words: str | Path, cwd: Path, **variables: str) -> str:
    """Run a command outside the checkout; it must succeed. Returns what it prints."""
    environment = ENVIRONMENT | variables
    done = subprocess.run(
        words, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def named(answer: str) -> str:
    """The first show of an answer in JSON."""
    show: str = json.loads(answer)["shows"][0]["show"]
    return show


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel and what it needs, without extras."""
    return install(str(wheel), tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def serving(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the extras of the servers and of gif-deliver."""
    return install(f"{wheel}[deliver,grpc,rest]", tmp_path_factory.mktemp("serving"))


def install(what: str, folder: Path) -> Path:
    """Install with the tested versions into an empty environment; return the folder of its programs."""
    python = folder / "venv/bin/python"
    run(BIN / "uv", "venv", "-q", "-p", sys.executable, folder / "venv", cwd=folder)
    run(BIN / "uv", "pip", "install", "-q", "-p", python, "-c", ROOT / "constraints.txt", what, cwd=folder)
    return python.parent


def test_it_names_the_show_of_an_example(base: Path, tmp_path: Path) -> None:
    answer = run(base / "gif-analyzer", "identify", "--json", MEADOW, cwd=tmp_path)

    assert named(answer) == "Big Buck Bunny"


@pytest.mark.parametrize("program", PROJECT["scripts"])
def test_a_program_starts_without_extras(base: Path, program: str, tmp_path: Path) -> None:
    assert run(base / program, "--version", cwd=tmp_path) == f"{program} {PROJECT['version']}\n"
    assert "Usage:" in run(base / program, "--help", cwd=tmp_path)


@pytest.mark.parametrize("module", ["services", "services.preprocess", "services.inference"])
def test_a_server_without_its_extra_says_what_is_missing(base: Path, module: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [base / "python", "-m", module],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode != 0
    assert re.search("grpc|google|prometheus_client", done.stderr)


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_serves_and_ends(serving: Path, name: str, tmp_path: Path) -> None:
    program, *words = SERVERS[name]
    with subprocess.Popen(
        [serving / program, *words], cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        addresses: list[str] = []
        try:
            for line in process.stderr:
                seen = json.loads(line)
                addresses += [seen["address"]] if seen["message"] == "serving" else []
                if len(addresses) == (2 if name == "serve" else 1):
                    break
            if name in ("serve", "serve rest"):  # REST is the last to serve
                with urllib.request.urlopen(f"http://{addresses[-1]}", timeout=60) as page:
                    assert b"<title>" in page.read()
        finally:
            process.send_signal(signal.SIGTERM)
            rest = process.stderr.read()
        assert process.wait(60) == 0, rest
        assert addresses


def test_deliver_prints_the_cost(serving: Path, tmp_path: Path) -> None:
    assert "GIFs" in run(serving / "gif-deliver", "cost", "--help", cwd=tmp_path)
    assert run(serving / "python", "-m", "delivery", "--version", cwd=tmp_path).startswith("gif-deliver ")


def advised(doctor: str) -> str:
    """What `gif-analyzer doctor` says on how to install the extra `mcp`."""
    line = next(line for line in doctor.splitlines() if "[mcp]" in line)
    return line.partition(": ")[2]


def test_what_it_says_on_a_missing_extra_installs_it(wheel: Path, tmp_path: Path) -> None:
    programs = install(str(wheel), tmp_path)
    advice = advised(run(programs / "gif-analyzer", "doctor", cwd=tmp_path))

    *words, packages = shlex.split(advice)
    assert (words, packages) == (["uv", "pip", "install"], "gif-analyzer[mcp]")
    where = ("-q", "-p", programs / "python", "-c", ROOT / "constraints.txt")
    run(BIN / "uv", *words[1:], *where, packages, cwd=tmp_path)
    assert "ready    mcp " in run(programs / "gif-analyzer", "doctor", cwd=tmp_path)


def test_uvx_runs_it_out_of_a_git_repository(tmp_path: Path) -> None:
    """The command of the README, with a repository on this machine: its last commit."""
    if not (ROOT / ".git").exists():
        pytest.skip("This test needs a git checkout.")
    source = f"git+file://{ROOT}"
    uvx = (BIN / "uv", "tool", "run", "-q", "-p", sys.executable, "--constraints", ROOT / "constraints.txt")
    answer = run(*uvx, "--from", source, "gif-analyzer", "identify", "--json", MEADOW, cwd=tmp_path)
    advice = advised(run(*uvx, "--from", source, "gif-analyzer", "doctor", cwd=tmp_path))

    assert named(answer) == "Big Buck Bunny"
    packages = f"gif-analyzer[mcp] @ {source}"
    assert advice == f"run it with uvx --from '{packages}'"
    assert "ready    mcp " in run(*uvx, "--from", packages, "gif-analyzer", "doctor", cwd=tmp_path)


def test_uv_keeps_it_as_a_tool(wheel: Path, tmp_path: Path) -> None:
    folders = {"UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}
    uv = (BIN / "uv", "tool", "install", "-q", "-p", sys.executable, "-c", ROOT / "constraints.txt")
    program = tmp_path / "bin/gif-analyzer"

    run(*uv, wheel, cwd=tmp_path, **folders)
    advice = advised(run(program, "doctor", cwd=tmp_path))

    packages = f"gif-analyzer[mcp] @ file://{wheel}"
    assert advice == f"uv tool install '{packages}'"
    run(*uv, packages, cwd=tmp_path, **folders)
    assert "ready    mcp " in run(program, "doctor", cwd=tmp_path)


def test_pipx_runs_it(wheel: Path, tmp_path: Path) -> None:
    pipx = (BIN / "uv", "tool", "run", "-q", "-p", sys.executable, "pipx==1.18.4")
    once = (*pipx, "run", "--backend", "pip", "--quiet", "--spec")

    answer = run(*once, wheel, "gif-analyzer", "identify", "--json", MEADOW, cwd=tmp_path)
    advice = advised(run(*once, wheel, "gif-analyzer", "doctor", cwd=tmp_path))

    assert named(answer) == "Big Buck Bunny"
    assert advice == f"run it with pipx run --spec 'gif-analyzer[mcp] @ file://{wheel}'"


def test_pipx_keeps_it(wheel: Path, tmp_path: Path) -> None:
    folders = {"PIPX_HOME": str(tmp_path / "pipx"), "PIPX_BIN_DIR": str(tmp_path / "bin")}
    pipx = (BIN / "uv", "tool", "run", "-q", "-p", sys.executable, "pipx[uv]==1.18.4", "install", "-q")
    program = tmp_path / "bin/gif-analyzer"

    run(*pipx, wheel, cwd=tmp_path, **folders)
    advice = advised(run(program, "doctor", cwd=tmp_path))

    packages = f"gif-analyzer[mcp] @ file://{wheel}"
    assert advice == f"pipx install --force '{packages}'"
    run(*pipx, "--force", packages, cwd=tmp_path, **folders)
    assert "ready    mcp " in run(program, "doctor", cwd=tmp_path)
