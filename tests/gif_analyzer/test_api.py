"""The public interface for Python."""

from __future__ import annotations

from pathlib import Path

import pytest

import gif_analyzer
from gif_analyzer import AnalyzerError, Classifier, GifError, api, decode_gif, identify
from services.inference import default_model_path
from tests.support.library import add_gifs
from tests.support.paths import ROOT
from tests.support.programs import python

MEADOW = ROOT / "examples" / "meadow.gif"


def test_all_public_names_are_documented() -> None:
    assert gif_analyzer.__all__ == api.__all__ == dir(gif_analyzer)
    for name in gif_analyzer.__all__:
        assert getattr(gif_analyzer, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'identfy'"):
        _ = gif_analyzer.identfy


def test_a_path_its_bytes_and_the_two_steps_give_the_same_answer(model_path: Path) -> None:
    gif = MEADOW.read_bytes()

    answer = identify(MEADOW, model=model_path)

    assert identify(str(MEADOW), model=str(model_path)) == answer
    assert identify(gif, model=model_path) == answer
    assert Classifier(model_path).classify(decode_gif(gif)) == answer
    assert len(identify(gif, model=model_path, top_k=1).shows) == 1


def test_a_library_gives_matches_and_names_its_shows(tmp_path: Path) -> None:
    model = default_model_path()
    library = add_gifs(tmp_path / "some.library", model, {"Meadows": [MEADOW]})

    answer = identify(MEADOW, library=library)

    assert answer == identify(MEADOW, model=model, library=str(library))
    assert (answer.matches[0].show, answer.neighbours[0].name) == ("Meadows", "meadow.gif")
    assert "Meadows" in {ranked.show for ranked in answer.shows}
    with pytest.raises(AnalyzerError, match="it cannot be read") as error:
        identify(MEADOW, library=tmp_path / "none.library")
    assert error.value.reason == "LIBRARY_ERROR"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("none.gif", "UNREADABLE_FILE"),
        ("-", "UNREADABLE_FILE"),
        ("", "UNREADABLE_FILE"),
        ("a\0.gif", "UNREADABLE_FILE"),
        (b"", "NOT_A_GIF"),
        (b"GIF89a", "CORRUPT_GIF"),
    ],
)
def test_an_unreadable_gif_is_an_error_with_a_reason(given: str | bytes, reason: str) -> None:
    with pytest.raises(AnalyzerError) as error:
        identify(given)

    assert error.value.reason == reason
    assert isinstance(error.value, GifError) == isinstance(given, bytes)


def test_importing_the_contracts_does_not_load_the_interface() -> None:
    program = (
        "import sys; from gif_analyzer.v1 import inference_pb2\n"
        "sys.exit(' '.join({'services', 'gateway', 'numpy', 'gif_analyzer.api'} & set(sys.modules)) or None)"
    )

    done = python(program)

    assert (done.returncode, done.stderr.strip()) == (0, "")
