"""The command with addresses, in a process whose connections lead to a local host."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import programs
from tests.support.local_host import LocalHost, http_answer
from tests.support.programs import HEED_INTERRUPTS

OpenHost = Callable[..., LocalHost]
SaveGif = Callable[..., Path]

# A Fetcher whose names resolve to a public address, and whose connections lead to a local host.
DETOURED = f"""
{HEED_INTERRUPTS}
import functools, sys
from gateway.fetch import fetcher
from tests.support.local_host import Detour, Names

class Host:
    port = int(sys.argv.pop(1))

fetcher.Fetcher = functools.partial(fetcher.Fetcher, resolver=Names(), connector=Detour(Host()))
from gateway.cli import main
main()
"""
WITHOUT_CLIENT = """
import sys
sys.modules["httpcore"] = None
from gateway.cli import main
main()
"""


@pytest.fixture
def environ(model_path: Path) -> dict[str, str]:
    return programs.environ(GIF_ANALYZER_MODEL=str(model_path))


def run(program: str, *arguments: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_addresses_and_files(open_host: OpenHost, save_gif: SaveGif, environ: dict[str, str]) -> None:
    red = save_gif("red.gif", "red")
    host = open_host({"/a.gif?key=1": http_answer(red.read_bytes())})
    address = "http://media.giphy.com/a.gif?key=1"

    done = run(
        *[DETOURED, str(host.port), "identify", "--json"],
        *[address, str(red), "http://giphy.com/none.gif", "http://example.org:81/", "ftp://giphy.com/"],
        environ=environ,
    )

    assert (done.returncode, done.stderr) == (1, "")
    fetched, read, missing, refused, invalid = [json.loads(line) for line in done.stdout.splitlines()]
    assert fetched == {**read, "source": address}
    assert missing["error"] == {
        "reason": "NOT_FETCHABLE",
        "message": "nothing to fetch from giphy.com: it answered 404 Not Found",
        "details": {"host": "giphy.com", "why": "it answered 404 Not Found"},
    }
    assert refused["error"]["reason"] == "ADDRESS_REFUSED"
    assert invalid["error"]["reason"] == "INVALID_ADDRESS"


def test_text_output_for_addresses(open_host: OpenHost, save_gif: SaveGif, environ: dict[str, str]) -> None:
    host = open_host({"/a.gif": http_answer(save_gif("red.gif", "red").read_bytes())})

    done = run(
        DETOURED, str(host.port), "identify", "http://giphy.com/a.gif", "http://127.0.0.1/", environ=environ
    )

    assert done.returncode == 1
    assert done.stdout.startswith("http://giphy.com/a.gif: Red Show (")
    assert done.stderr == (
        "gif-analyzer: http://127.0.0.1/: address refused: 127.0.0.1: "
        "it is not on the public internet (loopback)\n"
    )


def test_hosts_and_allow_host(open_host: OpenHost, save_gif: SaveGif, environ: dict[str, str]) -> None:
    host = open_host({"/a.gif": http_answer(save_gif("red.gif", "red").read_bytes())})
    port = str(host.port)
    elsewhere = ["http://example.org/a.gif", "http://example.org:81/a.gif"]

    freely = run(DETOURED, port, "identify", *elsewhere, environ=environ)
    by_option = run(DETOURED, port, "identify", "--allow-host", "example.org:81", *elsewhere, environ=environ)
    only = {**environ, "GIF_ANALYZER_FETCH_HOSTS": "example.com"}
    kept_out = run(DETOURED, port, "identify", *elsewhere, environ=only)
    let_in = run(DETOURED, port, "identify", "--allow-host", "*.org", elsewhere[0], environ=only)
    private = run(
        DETOURED, port, "identify", "--allow-host", "127.0.0.1", "http://127.0.0.1/", environ=environ
    )
    wrong = run(DETOURED, port, "identify", "--allow-host", "http://a", *elsewhere, environ=environ)

    assert (freely.returncode, freely.stdout.count(": Red Show")) == (1, 1)
    assert "example.org:81: this host is not allowed; --allow-host, or " in freely.stderr
    assert (by_option.returncode, by_option.stdout.count(": Red Show")) == (0, 2)
    assert (kept_out.returncode, kept_out.stdout) == (1, "2 unreadable\n")
    assert let_in.returncode == 0
    assert "it is not on the public internet (loopback)" in private.stderr
    assert (wrong.returncode, "--allow-host" in wrong.stderr) == (2, True)


def test_giphy_needs_no_scheme(
    open_host: OpenHost,
    save_gif: SaveGif,
    environ: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = open_host(greeting=b"no TLS")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "giphy.com").mkdir()
    save_gif("giphy.com/file.gif", "blue")

    done = run(
        *[DETOURED, str(host.port), "identify", "giphy.com/file.gif", "giphy.com/a.gif", "example.org/a.gif"],
        environ=environ,
    )

    assert done.stdout.startswith("giphy.com/file.gif: Blue Show (")
    assert done.stderr == (
        "gif-analyzer: giphy.com/a.gif: cannot fetch from giphy.com: TLS failed\n"
        "gif-analyzer: example.org/a.gif: cannot read the file: there is no such file\n"
    )


def test_without_its_packages_it_says_what_to_install(environ: dict[str, str]) -> None:
    done = run(WITHOUT_CLIENT, "identify", "https://giphy.com/a.gif", environ=environ)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("gif-analyzer: packages are missing (")
    assert done.stderr.endswith("in the checkout run make setup, or pip install '.[rest]'\n")


def test_files_need_no_http_client(save_gif: SaveGif, environ: dict[str, str]) -> None:
    done = run(WITHOUT_CLIENT, "identify", str(save_gif("red.gif", "red")), environ=environ)

    assert done.returncode == 0


def test_ctrl_c_ends_a_fetch_quietly(open_host: OpenHost, environ: dict[str, str]) -> None:
    host = open_host()
    host.answers["/a.gif"] = lambda _connection: process.send_signal(signal.SIGINT) or host.wait(60)
    with subprocess.Popen(
        [sys.executable, "-c", DETOURED, str(host.port), "identify", "http://giphy.com/a.gif"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
    ) as process:
        output, errors = process.communicate(timeout=60)

    assert (process.returncode, output, errors) == (130, b"", b"")
