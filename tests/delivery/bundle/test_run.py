"""The unpacked bundle in Lambda's emulator, without installed packages, answers as the local pipeline."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness.emulator import Emulator
from delivery.bundle.packages import LIBRARY
from delivery.request import Request, Response
from gateway.answer import prediction_json
from gateway.pipeline import local
from services.errors import CorruptGif, NotAGif
from services.inference import default_model_path
from tests.support.emulator import PYTHON, needs_emulator
from tests.support.library import add_gifs
from tests.support.paths import ROOT
from tests.support.pictures import FORMATS_OF

EXAMPLES = sorted((ROOT / "examples").glob("*.gif"))
FORBIDDEN = (
    "grpc",
    "google",
    "gif_analyzer",
    "mlflow",
    "tensorflow",
    "training",
    "delivery",
    "rich",
    "typer",
)
TOO_LARGE_BYTES = 4_680_000  # over the limit of the function, below that of Lambda and the emulator

STEPS = """
import base64, sys
from gateway.answer import prediction_json
from gateway.pipeline import local

PIPELINE = local()

def handler(event, context):
    answer = prediction_json("", PIPELINE.identify(base64.b64decode(event["gif"])))
    return {"answer": answer, "modules": sorted(sys.modules),
            "outside": sorted(path for path in sys.path if "site-packages" in path)}
"""


@needs_emulator
def test_the_two_steps_answer_as_locally_and_load_nothing_else(task: Path, tmp_path: Path) -> None:
    shutil.copytree(task, tmp_path / "task")
    (tmp_path / "task" / "steps.py").write_text(STEPS)
    here = local()

    with Emulator(tmp_path / "task", python=PYTHON, handler="steps.handler") as function:
        for example in EXAMPLES:
            gif = example.read_bytes()
            result = function.invoke({"gif": base64.b64encode(gif).decode()})

            assert "errorType" not in result, result
            assert_same(result["answer"], prediction_json("", here.identify(gif)))

    assert result["outside"] == []
    assert not {name.partition(".")[0] for name in result["modules"]} & set(FORBIDDEN)


@pytest.fixture(scope="module")
def function(task: Path) -> Iterator[Emulator]:
    """The running bundle."""
    with Emulator(task, python=PYTHON) as running:
        yield running


@needs_emulator
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
@pytest.mark.parametrize("way", ["raw", "multipart"])
def test_a_gif_is_answered_as_by_the_local_pipeline(function: Emulator, example: Path, way: str) -> None:
    gif = example.read_bytes()
    answered = read(function.ask(raw(gif) if way == "raw" else multipart(gif)), 200)

    here = prediction_json("", local().identify(gif))
    assert_same({key: answered[key] for key in here if key != "source"}, without_source(here))


@needs_emulator
@pytest.mark.parametrize("name", FORMATS_OF)
def test_other_formats_are_answered_as_by_the_local_pipeline(function: Emulator, name: str) -> None:
    answered = read(function.ask(raw(FORMATS_OF[name])), 200)

    here = prediction_json("", local().identify(FORMATS_OF[name]))
    assert answered["format"] == name
    assert_same({key: answered[key] for key in here if key != "source"}, without_source(here))


@needs_emulator
def test_a_library_in_the_bundle_is_used(task: Path, tmp_path: Path) -> None:
    """Put where `gif-deliver bundle --library` puts it, into a folder that cannot be written to."""
    [meadow] = [example for example in EXAMPLES if example.stem == "meadow"]
    [spinner] = [example for example in EXAMPLES if example.stem == "spinner"]
    shutil.copytree(task, tmp_path / "task")
    library = add_gifs(tmp_path / "my.library", default_model_path(), {"Spinners": [spinner, meadow]})
    shutil.copyfile(library, tmp_path / "task" / LIBRARY)
    here = local(library=library)

    with Emulator(tmp_path / "task", python=PYTHON) as running:
        answers = [read(running.ask(raw(example.read_bytes())), 200) for example in EXAMPLES]
        model = read(running.ask(Request("GET", "/v1/model")), 200)

    for example, answered in zip(EXAMPLES, answers, strict=True):
        expected = without_source(prediction_json("", here.identify(example.read_bytes())))
        assert_same({key: answered[key] for key in expected}, expected)
    assert any(answered["matches"] for answered in answers)
    assert (model["library"]["clip_count"], model["library"]["shows"]) == (2, ["Spinners"])


@needs_emulator
def test_a_private_address_is_refused(function: Emulator) -> None:
    body = json.dumps({"url": "http://127.0.0.1/meadow.gif"}).encode()
    asked = Request("POST", "/v1/identify", headers={"content-type": "application/json"}, body=body)
    problem = read(function.ask(asked), 403)
    by_get = read(
        function.ask(Request("GET", "/v1/identify", "url=http%3A%2F%2F127.0.0.1%2Fmeadow.gif")), 403
    )

    assert problem["reason"] == by_get["reason"] == "ADDRESS_REFUSED"


@needs_emulator
def test_it_is_ready_and_names_its_model(function: Emulator) -> None:
    read(function.ask(Request("GET", "/health/ready")), 200)
    model = read(function.ask(Request("GET", "/v1/model")), 200)

    assert model["model"]["version"] == local().describe().model.version


@needs_emulator
def test_it_shows_its_page(function: Emulator) -> None:
    page = function.ask(Request("GET", "/"))

    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert b"</html>" in page.body


@needs_emulator
def test_a_file_that_is_not_a_gif_is_refused(function: Emulator) -> None:
    text, half = b"This is not a GIF.", EXAMPLES[0].read_bytes()[:300]

    assert read(function.ask(raw(text)), NotAGif.http_status)["reason"] == "NOT_A_GIF"
    assert read(function.ask(raw(half)), CorruptGif.http_status)["reason"] == "CORRUPT_GIF"


@needs_emulator
def test_a_body_over_the_limit_is_refused_with_advice(function: Emulator) -> None:
    problem = read(function.ask(raw(b"GIF89a" + bytes(TOO_LARGE_BYTES))), 413)

    assert problem["reason"] == "REQUEST_TOO_LARGE"
    assert "address" in problem["detail"]


def raw(gif: bytes) -> Request:
    """A request with the GIF as its body."""
    return Request("POST", "/v1/identify", headers={"content-type": "image/gif"}, body=gif)


def multipart(gif: bytes) -> Request:
    """A request with the GIF in a form, as a browser sends it."""
    part = b'--line\r\nContent-Disposition: form-data; name="file"; filename="a.gif"\r\n'
    head = part + b"Content-Type: image/gif\r\n\r\n"
    headers = {"content-type": "multipart/form-data; boundary=line"}
    return Request("POST", "/v1/identify", headers=headers, body=head + gif + b"\r\n--line--\r\n")


def read(response: Response, status: int) -> Any:
    """The JSON of an answer, which must have this status."""
    assert response.status == status, response.body
    return response.json()


def without_source(answer: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in answer.items() if key != "source"}


def assert_same(one: Any, other: Any) -> None:
    """Compare values; probabilities may differ by a millionth, because versions of Python sum differently."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            assert_same(left, right)
    elif isinstance(one, float):
        assert one == pytest.approx(other, abs=1e-6)
    else:
        assert one == other
