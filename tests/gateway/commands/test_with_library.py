"""`--library` and GIF_ANALYZER_LIBRARY, in every command that identifies GIFs or says what is known."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from services.inference.rpc import RemoteClassifier
from services.preprocess import decode_gif
from tests.support.library import add_gifs, save_teaching_model
from tests.support.programs import Done, address_of, call, command, started

Run = Callable[..., Done]
SaveGif = Callable[..., Path]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_teaching_model(tmp_path / "teaching.onnx")


@pytest.fixture
def purple(save_gif: SaveGif) -> Path:
    """A GIF of a show that only the library knows."""
    return save_gif("purple.gif", "purple")


@pytest.fixture
def library(tmp_path: Path, model: Path, purple: Path) -> Path:
    return add_gifs(tmp_path / "some.library", model, {"Purple Show": [purple]})


@pytest.fixture
def run(model: Path, tmp_path: Path) -> Run:
    """A function that runs gif-analyzer in tmp_path: words, further variables."""

    def run_here(*words: str | Path, **variables: str) -> Done:
        return call("gif-analyzer", *words, cwd=tmp_path, GIF_ANALYZER_MODEL=str(model), **variables)

    return run_here


def test_the_option_and_the_variable_do_the_same(run: Run, library: Path, purple: Path) -> None:
    without = run("identify", purple)
    by_option = run("identify", "--library", library, purple)
    by_variable = run("identify", purple, GIF_ANALYZER_LIBRARY=str(library))

    assert "Purple Show" not in without.stdout
    assert by_option.stdout.startswith(f"{purple}: Purple Show\n")
    assert "  same footage: Purple Show, purple.gif at 0.03 s\n" in by_option.stdout
    assert "looks like" not in by_option.stdout  # the match says more
    assert by_variable.stdout == by_option.stdout


def test_json_and_csv_have_the_evidence(run: Run, library: Path, purple: Path) -> None:
    told = json.loads(run("identify", "--json", "--library", library, purple).stdout)
    [row] = csv.DictReader(io.StringIO(run("identify", "--csv", "--library", library, purple).stdout))

    [match], [neighbour] = told["matches"], told["neighbours"]
    assert match["name"] == neighbour["name"] == row["match_name"] == "purple.gif"
    assert match["similarity"] == 1.0
    assert row["neighbour_similarity"] == str(neighbour["similarity"])


@pytest.mark.parametrize(
    "words", [["identify", "red.gif"], ["serve", "rest"]], ids=["identify", "serve rest"]
)
def test_a_library_together_with_services_is_refused(run: Run, library: Path, words: list[str]) -> None:
    services = ["--preprocess", "localhost:1", "--inference", "localhost:1"]

    done = run(*words, *services, "--library", library)

    assert (done.returncode, done.stdout) == (2, "")
    assert "the service has its own library, or none" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["identify", "purple.gif"],
        ["sort", ".", "--into", "sorted"],
        pytest.param(["batch", ".", "--out", "a.csv"], marks=pytest.mark.cluster),
        ["shows"],
        ["serve", "rest", "--port", "0"],
        ["serve", "--port", "0", "--grpc-port", "0"],
    ],
    ids=" ".join,
)
def test_a_library_that_cannot_be_used_is_one_line(run: Run, purple: Path, words: list[str]) -> None:
    done = run(*words, "--library", "none.library")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == (
        "gif-analyzer: library none.library: it cannot be read: no such file or directory"
    )


def test_sort_knows_the_shows_of_the_library(run: Run, library: Path, purple: Path, tmp_path: Path) -> None:
    (tmp_path / "gifs").mkdir()
    purple.rename(tmp_path / "gifs" / "purple.gif")

    done = run("sort", "gifs", "--into", "sorted", "--library", library)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "sorted" / "Purple Show" / "purple.gif").exists()


def test_shows_and_doctor_tell_the_library(run: Run, library: Path) -> None:
    shows = run("shows", "--library", library).stdout.splitlines()
    parsed = json.loads(run("shows", "--json", GIF_ANALYZER_LIBRARY=str(library)).stdout)
    doctor = run("doctor", GIF_ANALYZER_LIBRARY=str(library)).stdout

    assert shows[0] == "mean-colour 1.2.3 with a library of 1 clip names 4 shows:"
    assert "  Purple Show  (from the library)" in shows
    assert (parsed["library"]["clip_count"], parsed["library"]["shows"]) == (1, ["Purple Show"])
    assert {"show": "Purple Show", "kind": None} in parsed["shows"]
    assert f"library   1 clip of 1 show: {library}\n" in doctor
    assert "library" not in run("doctor").stdout.partition("\n\n")[0]
    assert json.loads(run("shows", "--json").stdout)["library"] is None


@pytest.mark.parametrize("program", ["services", "gif-analyzer serve grpc", "gif-analyzer serve"])
def test_the_servers_take_a_library(
    program: str, model: Path, library: Path, purple: Path, tmp_path: Path
) -> None:
    """In a process of its own; the servers of both steps, of one, and REST in front of them."""
    name, *words = program.split()
    if program == "gif-analyzer serve":
        words += ["--grpc-port", "0"]
    words = command(name, *words, "--port", "0", "--model", model, "--library", library)

    with started(words) as (process, address):
        if program == "gif-analyzer serve":
            rest = address_of(process)  # which is the second to serve
            answer = httpx.post(f"http://{rest}/v1/identify", files={"file": purple.read_bytes()})
            matches = [match["name"] for match in answer.json()["matches"]]
        else:
            with RemoteClassifier(address) as client:
                prediction = client.classify(decode_gif(purple.read_bytes()))
            matches = [match.name for match in prediction.matches]

    assert matches == ["purple.gif"]
