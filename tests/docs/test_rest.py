"""docs/rest.md: its commands run, and its settings are those of the code."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from gateway.lambda_handler import MAX_BODY_BYTES
from gateway.pipeline import local
from gateway.rest.app import create_app
from gateway.settings import RestSettings
from tests.support.paths import ROOT
from tests.support.serving import serving_app

TEXT = (ROOT / "docs/rest.md").read_text("utf-8")
[COMMANDS] = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
[PROGRAM] = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
[ANSWER] = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A gateway with the default model, to which every address leads to the same GIF."""

    async def fetch(url: str) -> bytes:
        return (ROOT / "examples/meadow.gif").read_bytes()

    with serving_app(create_app(local(), fetch)) as served:
        yield served.url.removeprefix("http://")


def run(words: list[str]) -> str:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="This test needs curl, which is not installed.")
@pytest.mark.parametrize("command", COMMANDS.strip().splitlines())
def test_each_command_names_the_show(command: str, address: str) -> None:
    words = shlex.split(command.replace("localhost:8080", address))
    if "--json" in words:  # curl has had it since 7.82
        place = words.index("--json")
        words[place : place + 1] = ["-H", "Content-Type: application/json", "--data-binary"]

    answer = json.loads(run([words[0], "-sS", "--noproxy", "*", *words[1:]]))

    assert answer["shows"][0]["show"] == "Big Buck Bunny"


def test_the_program_names_the_show(address: str) -> None:
    program = PROGRAM.replace("localhost:8080", address)

    assert run([sys.executable, "-c", program]) == "Big Buck Bunny\n"


def test_the_answer_it_shows_has_the_form_of_an_answer(address: str) -> None:
    program = PROGRAM.replace("localhost:8080", address) + "\nprint(answer.text)"

    real, shown = json.loads(run([sys.executable, "-c", program]).splitlines()[1]), json.loads(ANSWER)

    assert shown.keys() == real.keys()
    for name in ("shows", "votes"):
        assert shown[name][0].keys() == real[name][0].keys()
        assert shown[name][0]["show"] == real[name][0]["show"]
    assert (shown["verdict"], shown["model"]) == (real["verdict"], real["model"])


def test_the_table_of_settings_has_the_defaults_of_the_code() -> None:
    rows = re.findall(r"^\| `GIF_ANALYZER_(\w+)` \| .* \| ([\d,]+) \|$", TEXT, re.MULTILINE)

    assert len(rows) == 9
    for name, default in rows:
        assert getattr(RestSettings(), name.lower()) == float(default.replace(",", ""))


def test_the_longest_body_in_lambda_is_what_it_says() -> None:
    [megabytes] = re.findall(r"which is a GIF of ([\d.]+) MB", TEXT)

    assert float(megabytes) == pytest.approx(MAX_BODY_BYTES / 1e6, abs=0.05)
