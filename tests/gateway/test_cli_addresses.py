"""The command with addresses, whose connections lead to a local host."""

from __future__ import annotations

import functools
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.fetch.fetcher import Fetcher
from tests.support import programs
from tests.support.local_host import Detour, LocalHost, Names, http_answer
from tests.support.programs import HEED_INTERRUPTS, Done

OpenHost = Callable[..., LocalHost]
SaveGif = Callable[..., Path]
Identify = Callable[..., Done]

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
def identify(model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Identify:
    """A function that runs `gif-analyzer identify` in tmp_path, with connections that lead to a host.

    Names resolve to a public address.
    """

    def run(host: LocalHost, *words: str | Path, **variables: str) -> Done:
        detoured = functools.partial(Fetcher, resolver=Names(), connector=Detour(host))
        monkeypatch.setattr("gateway.fetch.fetcher.Fetcher", detoured)
        named = {"GIF_ANALYZER_MODEL": str(model_path), **variables}
        return programs.call("gif-analyzer", "identify", *words, cwd=tmp_path, **named)

    return run


def test_addresses_and_files(open_host: OpenHost, save_gif: SaveGif, identify: Identify) -> None:
    red = save_gif("red.gif", "red")
    host = open_host({"/a.gif?key=1": http_answer(red.read_bytes())})
    address = "http://media.giphy.com/a.gif?key=1"
    others = ["http://giphy.com/none.gif", "http://example.org:81/", "ftp://giphy.com/"]

    done = identify(host, "--json", address, red, *others)

    assert (done.returncode, done.stderr) == (1, "")
    fetched, read, missing, refused, invalid = [json.loads(line) for line in done.stdout.splitlines()]
    assert fetched == {**read, "source": address}
    assert missing["error"]["details"] == {"host": "giphy.com", "why": "it answered 404 Not Found"}
    assert refused["error"]["reason"] == "ADDRESS_REFUSED"
    assert invalid["error"]["reason"] == "INVALID_ADDRESS"


def test_text_output_for_addresses(open_host: OpenHost, save_gif: SaveGif, identify: Identify) -> None:
    host = open_host({"/a.gif": http_answer(save_gif("red.gif", "red").read_bytes())})

    done = identify(host, "http://giphy.com/a.gif", "http://127.0.0.1/")

    assert done.returncode == 1
    assert done.stdout.startswith("http://giphy.com/a.gif: Red Show (")
    assert done.stderr == (
        "gif-analyzer: http://127.0.0.1/: address refused: 127.0.0.1: "
        "it is not on the public internet (loopback)\n"
    )


def test_hosts_and_allow_host(open_host: OpenHost, save_gif: SaveGif, identify: Identify) -> None:
    host = open_host({"/a.gif": http_answer(save_gif("red.gif", "red").read_bytes())})
    elsewhere = ["http://example.org/a.gif", "http://example.org:81/a.gif"]
    only = {"GIF_ANALYZER_FETCH_HOSTS": "example.com"}

    freely = identify(host, *elsewhere)
    by_option = identify(host, "--allow-host", "example.org:81", *elsewhere)
    kept_out = identify(host, *elsewhere, **only)
    let_in = identify(host, "--allow-host", "*.org", elsewhere[0], **only)
    private = identify(host, "--allow-host", "127.0.0.1", "http://127.0.0.1/")
    wrong = identify(host, "--allow-host", "http://a", *elsewhere)

    assert (freely.returncode, freely.stdout.count(": Red Show")) == (1, 1)
    assert "example.org:81: this host is not allowed; --allow-host, or " in freely.stderr
    assert (by_option.returncode, by_option.stdout.count(": Red Show")) == (0, 2)
    assert (kept_out.returncode, kept_out.stdout) == (1, "2 unreadable\n")
    assert let_in.returncode == 0
    assert "it is not on the public internet (loopback)" in private.stderr
    assert (wrong.returncode, "--allow-host" in wrong.stderr) == (2, True)


def test_giphy_needs_no_scheme(
    open_host: OpenHost, save_gif: SaveGif, identify: Identify, tmp_path: Path
) -> None:
    (tmp_path / "giphy.com").mkdir()
    save_gif("giphy.com/file.gif", "blue")

    done = identify(
        open_host(greeting=b"no TLS"), "giphy.com/file.gif", "giphy.com/a.gif", "example.org/a.gif"
    )

    assert done.stdout.startswith("giphy.com/file.gif: Blue Show (")
    assert done.stderr == (
        "gif-analyzer: giphy.com/a.gif: cannot fetch from giphy.com: TLS failed\n"
        "gif-analyzer: example.org/a.gif: cannot read the file: there is no such file\n"
    )


def test_without_an_http_client_files_are_named_and_an_address_says_what_to_install(
    save_gif: SaveGif, model_path: Path
) -> None:
    address, file = (
        programs.python(WITHOUT_CLIENT, "identify", source, GIF_ANALYZER_MODEL=str(model_path))
        for source in ("https://giphy.com/a.gif", save_gif("red.gif", "red"))
    )

    assert (address.returncode, address.stdout) == (2, "")
    assert address.stderr.startswith("gif-analyzer: packages are missing (")
    assert address.stderr.endswith("in the checkout run make setup, or pip install '.[rest]'\n")
    assert file.returncode == 0


def test_ctrl_c_ends_a_fetch_quietly(open_host: OpenHost) -> None:
    host = open_host()
    host.answers["/a.gif"] = lambda _connection: process.send_signal(signal.SIGINT) or host.wait(60)
    with subprocess.Popen(
        [sys.executable, "-c", DETOURED, str(host.port), "identify", "http://giphy.com/a.gif"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=programs.environ(),
    ) as process:
        output, errors = process.communicate(timeout=60)

    assert (process.returncode, output, errors) == (130, b"", b"")
