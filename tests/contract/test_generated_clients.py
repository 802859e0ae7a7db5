"""Clients that generators make of docs/openapi.json compile, and work with a gateway on a real port."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.library import ServedLibrary
from gateway.pipeline import local
from gateway.rest.app import create_app
from gateway.settings import RestSettings
from services.errors import NotFetchable
from services.inference import Classifier
from tests.support.openapi import FILE
from tests.support.paths import EXAMPLES, ROOT
from tests.support.serving import serving_app

pytestmark = pytest.mark.tools

HERE = Path(__file__).parent
PYTHON = ROOT / ".venv/openapi"
TYPESCRIPT = ROOT / ".venv/typescript"
MEADOW = EXAMPLES / "meadow.gif"
# The generator knows no pictures: their types are read and written as any bytes.
OVERRIDES = {"content_type_overrides": {"image/jpeg": "application/octet-stream"}}
COMPILE = ("--strict", "--noUncheckedIndexedAccess", "--module", "nodenext", "--target", "es2022")


@pytest.fixture
def url(model_path: Path, tmp_path: Path) -> Iterator[str]:
    """A gateway that asks for the key `key`, can be taught, and finds one GIF on the web."""

    async def fetch(url: str) -> bytes:
        if url != "https://giphy.com/some.gif":
            raise NotFetchable("giphy.com", "it answered 404 Not Found")
        return MEADOW.read_bytes()

    library = ServedLibrary(tmp_path / "my.library", teacher=Classifier(model_path), keep_thumbnails=True)
    settings = RestSettings(api_keys=("key",))
    app = create_app(local(model_path), fetch, settings=settings, library=library)
    with serving_app(app) as served:
        yield served.url


def run(*command: str | Path, cwd: Path, **environ: str) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "NO_PROXY": "*", "no_proxy": "*", **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ask_in_python(url: str, folder: Path) -> dict[str, Any]:
    """Generate a client in Python, and return what it is told."""
    if not (PYTHON / "ready").exists():
        pytest.skip(
            "This test needs openapi-python-client, which is not installed: make .venv/openapi/ready."
        )
    (folder / "config.json").write_text(json.dumps(OVERRIDES))
    generate = ("generate", "--meta", "none", "--config", "config.json", "--path", FILE)
    path = f"{PYTHON / 'bin'}{os.pathsep}{os.environ['PATH']}"  # it formats its code with ruff
    run(
        PYTHON / "bin/openapi-python-client",
        *generate,
        "--output-path",
        "gif_analyzer_client",
        cwd=folder,
        PATH=path,
    )
    asked = (PYTHON / "bin/python", HERE / "ask_with_generated.py", url, MEADOW)
    found: dict[str, Any] = json.loads(run(*asked, cwd=folder, PYTHONPATH=str(folder)))
    return found


def ask_in_typescript(url: str, folder: Path) -> dict[str, Any]:
    """Compile a client in TypeScript with generated types, and return what it is told."""
    if shutil.which("node") is None or not (TYPESCRIPT / "ready").exists():
        pytest.skip("This test needs npm, and what it installs: make .venv/typescript/ready.")
    (folder / "node_modules").symlink_to(TYPESCRIPT / "node_modules")
    for name in ("client.ts", "package.json"):
        shutil.copy(HERE / "typescript" / name, folder)
    (folder / "node.d.ts").write_text(NODE)
    run("node_modules/.bin/openapi-typescript", FILE, "-o", "gif_analyzer.d.ts", cwd=folder)
    run("node_modules/.bin/tsc", *COMPILE, "client.ts", "node.d.ts", cwd=folder)
    found: dict[str, Any] = json.loads(run("node", "client.js", url, MEADOW, cwd=folder))
    return found


# What the client takes of Node, whose types are a package of many megabytes.
NODE = """
declare module "node:fs/promises" {
  export function readFile(path: string): Promise<Uint8Array<ArrayBuffer>>;
}
declare const process: { argv: string[] };
"""


@pytest.mark.parametrize("ask", [ask_in_python, ask_in_typescript], ids=["Python", "TypeScript"])
def test_a_generated_client_works(ask: Any, url: str, tmp_path: Path) -> None:
    found = ask(url, tmp_path)

    assert found["verdicts"] == [found["verdicts"][0]] * 4
    assert (found["offset_ms"], found["pictures"], found["not_modified"]) == ("150", 10, 304)
    assert found["problem"] == [
        *(422, "NOT_FETCHABLE", "nothing to fetch from giphy.com: it answered 404 Not Found"),
        {"host": "giphy.com", "why": "it answered 404 Not Found"},
    ]
    assert found["taught"] == {"name": "some.gif", "show": "Some Show", "clip_count": 1}
    assert (found["library"], found["forgotten"]["clip_count"]) == (1, 0)
    assert found["thumbnail"] > 500  # bytes of a JPEG file
    assert found["model"]["model"]["name"] == "mean-colour"
    assert found["model"]["embedding_size"] == 3
    assert found["shows"] == ["Red Show", "Green Show", "Blue Show"]
    assert found["health"] == ["live", "ready"]
