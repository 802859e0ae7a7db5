"""`gif-analyzer serve grpc` and `gif-analyzer identify` against it, each a process of its own."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.paths import ROOT
from tests.support.programs import address_of, call, command, environ, python, started

SaveGif = Callable[..., Path]


@pytest.fixture
def address(model_path: Path) -> Iterator[str]:
    """The address of a running `gif-analyzer serve grpc`."""
    words = command("gif-analyzer", "serve", "grpc", "--port", "0", "--model", model_path)
    with started(words, GIF_ANALYZER_MAX_FRAMES="2") as (_, address):
        yield address


def test_identify_calls_the_services_which_keep_their_own_limits(address: str, save_gif: SaveGif) -> None:
    blue, three = save_gif("blue.gif", "blue"), save_gif("three.gif", "red", "green", "blue")

    done = call(
        *("gif-analyzer", "identify", "--json", "--preprocess", address, "--inference", address, blue, three)
    )

    assert (done.returncode, done.stderr) == (1, "")
    answer, failed = map(json.loads, done.stdout.splitlines())
    assert answer["shows"][0]["show"] == "Blue Show"
    assert (answer["model"]["name"], answer["model"]["version"]) == ("mean-colour", "1.2.3")
    assert failed["error"] == {
        "reason": "GIF_TOO_LARGE",
        "message": "file too large: animation is limited to 2 frames, this one has 3",
        "details": {"limit": "animation", "allowed": "2", "found": "3", "unit": "frames"},
    }


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["serve", "rest", "--port", "0"], "http://127.0.0.1:"),
        (["serve", "--port", "0", "--grpc-port", "0", "--host", "0.0.0.0"], "http://127.0.0.1:"),
    ],
)
def test_terminal_shows_the_address(model_path: Path, tmp_path: Path, words: list[str], shown: str) -> None:
    """With loops that are not compiled yet: the server answers at once, and ends while they are compiled."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command("gif-analyzer", *words, "--model", model_path),
        env=environ(NUMBA_CACHE_DIR=str(tmp_path)),
        cwd=ROOT,
        stderr=theirs,
        stdin=subprocess.DEVNULL,
    )
    os.close(theirs)
    with os.fdopen(ours, encoding="utf-8") as terminal:
        said = next(line for line in terminal if line.startswith("Open "))
        address = said.split()[1]
        answer = httpx.get(f"{address}/health/ready", trust_env=False, timeout=60)
        process.send_signal(signal.SIGINT)
        ended = process.wait(60)

    assert said == f"Open {address} in a browser. Ctrl-C ends this.\n"
    assert address.startswith(shown)
    assert answer.json() == {"status": "ready"}
    assert ended == 0


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["serve", "--host", "0.0.0.0", "--grpc-host", "0.0.0.0"], "--grpc-host"),
        (["serve", "grpc", "--host", "::"], "--host"),
        (["serve", "grpc", "--host", "example.org"], "--host"),
    ],
)
def test_grpc_without_keys_is_not_served_to_others_when_keys_are_set(words: list[str], option: str) -> None:
    done = call("gif-analyzer", *words, GIF_ANALYZER_API_KEYS="some-key-of-a-fair-length")

    assert done.returncode == 2
    assert f"Invalid value for {option}" in done.stderr
    assert "gRPC checks no API keys" in done.stderr


def test_grpc_behind_a_public_page_is_for_this_machine_alone(model_path: Path) -> None:
    words = command("gif-analyzer", "serve", *SERVE_ALL, "--host", "0.0.0.0", "--model", model_path)

    with started(words, GIF_ANALYZER_API_KEYS="some-key-of-a-fair-length") as (process, grpc):
        rest = address_of(process)  # which is the second to serve

    assert grpc.startswith("127.0.0.1:")
    assert rest.startswith("0.0.0.0:")


@pytest.mark.parametrize(
    ("words", "keys", "says"),
    [
        (["serve", "--teach", "--library", "my.library"], "", "set GIF_ANALYZER_API_KEYS"),
        (["serve", "rest", "--teach", "--library", "my.library"], "", "set GIF_ANALYZER_API_KEYS"),
        (["serve", "--teach"], "key", "name the library with --library"),
        (["serve", "--keep-thumbnails", "--library", "my.library"], "key", "add --teach"),
        (["serve", "rest", "--teach", "--preprocess=a:1", "--inference=a:1"], "key", "its own library"),
    ],
)
def test_teaching_that_cannot_be_served(tmp_path: Path, words: list[str], keys: str, says: str) -> None:
    library = tmp_path / "my.library"
    words = [str(library) if word == "my.library" else word for word in words]

    done = call("gif-analyzer", *words, GIF_ANALYZER_API_KEYS=keys)

    assert done.returncode == 2
    assert says in " ".join(re.sub("[│╭╮╰╯─]", "", done.stderr).split())
    assert not library.exists()


@pytest.mark.parametrize("alone", [[], ["rest"]], ids=["with gRPC", "REST alone"])
def test_a_served_library_is_taught(
    model_path: Path, tmp_path: Path, save_gif: SaveGif, alone: list[str]
) -> None:
    library = tmp_path / "new.library"
    ports = ["--port", "0"] if alone else SERVE_ALL
    options = ["--library", str(library), "--teach", "--keep-thumbnails"]
    red = {"file": ("red.gif", save_gif("red.gif", "red").read_bytes())}
    words = command("gif-analyzer", "serve", *alone, *ports, *options, "--model", model_path)

    with started(words, GIF_ANALYZER_API_KEYS="some-key") as (process, first):
        address = first if alone else address_of(process)  # REST is the second to serve
        client = httpx.Client(
            base_url=f"http://{address}", headers={"X-API-Key": "some-key"}, timeout=60, trust_env=False
        )
        before = client.post("/v1/identify", files=red).json()
        taught = client.post("/v1/library", params={"show": "Magenta Show"}, files=red)
        after = client.post("/v1/identify", files=red).json()
        picture = client.get("/v1/library/thumbnail", params={"name": "red.gif"})
        client.close()
        process.send_signal(signal.SIGTERM)
        ended = process.wait(60)

    assert (before["matches"], taught.status_code) == ([], 201)
    assert [(match["show"], match["name"]) for match in after["matches"]] == [("Magenta Show", "red.gif")]
    assert picture.headers["Content-Type"] == "image/jpeg"
    assert ended == 0


def test_a_missing_service_is_one_line_and_exit_1(save_gif: SaveGif) -> None:
    services = ("--preprocess=127.0.0.1:1", "--inference=127.0.0.1:1")

    done = call("gif-analyzer", *services, save_gif("red.gif", "red"), GIF_ANALYZER_ATTEMPTS="1")

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "cannot reach 127.0.0.1:1" in done.stderr


SERVE_ALL = ["--port", "0", "--grpc-port", "0"]
SERVICES = ["--preprocess", "localhost:1", "--inference", "localhost:1"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (SERVICES[:2], "give both services or none"),
        (SERVICES[2:], "give both services or none"),
        ([*SERVICES, "--model", "m.onnx"], "the service has its own model"),
    ],
)
def test_services_are_given_both_and_without_a_model(options: list[str], says: str) -> None:
    done = call("gif-analyzer", "identify", *options, "x.gif")

    assert done.returncode == 2
    assert says in done.stderr


def test_a_missing_certificate_is_one_line_and_exit_2() -> None:
    done = call("gif-analyzer", "identify", *SERVICES, "x.gif", GIF_ANALYZER_SERVER_CA="none.pem")

    assert done.returncode == 2
    assert done.stderr == "gif-analyzer: cannot read the file: no such file or directory\n"


def test_missing_grpc_is_named(model_path: Path, save_gif: SaveGif) -> None:
    program = """
import importlib.abc, sys
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("grpc", "google", "prometheus_client", "pythonjsonlogger"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
from gateway.cli import main
main()
"""
    gif = save_gif("red.gif", "red")

    assert python(program, "identify", gif, GIF_ANALYZER_MODEL=str(model_path)).returncode == 0
    for words in (("identify", *SERVICES, gif), ("serve", "grpc")):
        done = python(program, *words, GIF_ANALYZER_MODEL=str(model_path))
        assert done.returncode == 2
        advice = "in the checkout run make setup, or pip install '.[grpc]'"
        assert re.fullmatch(
            rf"gif-analyzer: packages are missing \([\w.]+\): {re.escape(advice)}\n", done.stderr
        )
