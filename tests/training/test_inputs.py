"""Whatever a file of a user holds, `gif-train` accepts it or says in a typed error what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from services.inference.answers import read_answer
from training.collect.journal import NAME, Journal
from training.collect.providers import Search
from training.collect.shows import read_shows
from training.data.manifest import read_kinds, read_manifest
from training.data.prepare import PrepareOptions
from training.errors import TrainingError
from training.evaluation.predictions import read_predictions, worst
from training.feedback import gather, write_review
from training.fit.operating import Operating, read_rule
from training.fit.options import FitOptions
from training.logs import read_logs
from training.registry.gate import GateOptions
from training.registry.registration import Candidate
from training.registry.shadow import measure_shadow, read_shadow
from training.review import read_annotations, write_label_studio
from training.statistics.comparison import require_agreement

SHA256 = "0" * 64


def review(path: Path) -> None:
    found = worst(read_predictions(path), "uncertain", 5)
    write_label_studio(found, path.parent / "label-studio", Path("/"))


def collect(path: Path) -> None:
    (path.parent / NAME).write_bytes(path.read_bytes())
    with Journal(path.parent, "giphy") as journal:
        journal.found(Search("Show"))


def feedback(path: Path) -> None:
    write_review(gather([path], path.parent), path.parent, manifest=None, root=Path("/"))


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "manifest": ("manifest.csv", read_manifest),
    "kinds": ("kinds.csv", read_kinds),
    "options of prepare": ("params.yaml", PrepareOptions.read),
    "options of fit in YAML": ("params.yaml", FitOptions.read),
    "options of fit in JSON": ("recipe.json", FitOptions.read),
    "options of the gate": ("gate.json", GateOptions.read),
    "shows": ("shows.toml", read_shows),
    "evaluation, for its thresholds": ("evaluation.json", Operating.read),
    "evaluation, for int8": ("evaluation.json", require_agreement),
    "evaluation, to register": (
        "evaluation.json",
        lambda path: Candidate.gather(path.with_name("model.onnx"), None, path),
    ),
    "effort": ("effort.json", read_rule),
    "predictions": ("predictions.json", review),
    "annotations": ("annotations.json", read_annotations),
    "log of answers": ("gateway.log", lambda path: list(read_logs([path], read_answer))),
    "log of a shadow": ("gateway.log", lambda path: measure_shadow(read_shadow([path]))),
    "log of feedback": ("gateway.log", feedback),
    "journal": ("copy.sqlite", collect),
}

# JSON with the names that the readers look for, and values of any type under them.
NAMES = (
    *("operating", "verdict", "temperature", "threshold", "show", "one_of", "kind", "agreement", "passed"),
    *("change", "value", "rule", "frames", "path", "sha256", "group", "probabilities", "known", "top_k", "k"),
    *(
        "accuracy",
        "annotations",
        "result",
        "completed_by",
        "id",
        "updated_at",
        "from_name",
        "choices",
        "data",
    ),
    *("fit", "gate", "prepare", "folds", "parts", "margin", "title", "queries", "message", "interface"),
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(
        [10**400, 1e400, "0001-01-01T00:00:00+14:00", SHA256, "a\0b", "\ud800", "show", "answer"]
    ),
    st.text(),
)
JSON = st.recursive(
    VALUES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=20,
).map(lambda value: json.dumps(value).encode())
DEEP = b"[" * 90_000
BOMB = b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n".encode() for n in range(12)
)


@pytest.mark.parametrize("name", READERS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary() | st.text().map(str.encode) | JSON)
@example(content=DEEP)
@example(content=b"a = " + DEEP)
@example(content=b'{"a":' * 20_000)
@example(content=b"fit: {folds: 2026-99-99}\nprepare: !!int 'x'")
@example(content=b"a: !!timestamp x")
@example(content=b"path,show,group,start_ms\na,b,c," + b"9" * 5_000)
@example(content=b"path,show,group\na\0b,c,d")
@example(content=b"path,show,group\n" + b"a" * 200_000 + b",b,c")
@example(content=BOMB + b"fit: {folds: *m}\ngate: {margin: *m}\nprepare: {by: *m}\n")
@example(content=b'{"operating": {"verdict": null, "temperature": 0, "threshold": 1}}')
@example(content=b'{"rule": {"frames": [1e400], "threshold": 0.5}}')
@example(content=b'{"top_k": [3], "agreement": [1]}')
def test_any_bytes_are_accepted_or_a_typed_error(tmp_path: Path, name: str, content: bytes) -> None:
    file, read = READERS[name]
    path = tmp_path / file
    path.write_bytes(content)

    try:
        read(path)
    except TrainingError as error:
        assert len(error.message) < 2_000


ANSWER = {
    **{"message": "answer", "request_id": "a", "interface": "rest", "duration_ms": 1.0, "error": None},
    **{"model_version": "1", "verdict": "show", "names": ["A"], "shows": [["A", 0.5]], "familiarity": 1.0},
    **{"format": "gif", "frame_count": 10, "kept": False, "decode_ms": 1.0, "classify_ms": None},
}
SHADOW = {
    **{
        "message": "shadow",
        "champion": "1",
        "challenger": "2",
        "agree": True,
        "verdict": "show",
        "names": [],
    },
    **{"challenger_verdict": "kind", "challenger_names": [], "classify_ms": 1.0, "challenger_ms": 1.0},
    **{"passed_over": 0, "error": None},
}
FEEDBACK = {"message": "feedback", "answer_id": "a", "right": False, "show": "A", "gif": ""}
PREDICTION = {"path": "a.gif", "sha256": SHA256, "show": "A", "group": "g", "probabilities": {"A": 1.0}}
TASK = {
    "data": {"sha256": SHA256},
    "annotations": [
        {
            **{"completed_by": 1, "updated_at": "2026-01-01T00:00:00Z", "was_cancelled": False},
            "result": [{"from_name": "show", "value": {"choices": ["A"]}}],
        }
    ],
}
WHOLE = {
    "evaluation, for its thresholds": {
        "operating": {
            **{"temperature": 1.0, "threshold": 0.5},
            "verdict": {"show": 0.5, "one_of": 0.5, "kind": 0.5},
        }
    },
    "evaluation, for int8": {
        "agreement": {"passed": False, "agreement": {"value": 0.5}, "change": {"value": 0.1}}
    },
    "evaluation, to register": {"accuracy": {"top_k": [{"k": 1, "accuracy": {"value": 0.5}}]}, "clips": 3},
    "effort": {"rule": {"frames": [1, 5], "threshold": 0.5}},
    "predictions": [{**PREDICTION, "known": True}],
    "annotations": [TASK],
    "log of answers": ANSWER,
    "log of a shadow": SHADOW,
    "log of feedback": FEEDBACK,
}


def places(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """The path to each value within a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


def replaced(value: object, path: tuple[object, ...], by: object) -> object:
    """The value with another one at a path."""
    if not path:
        return by
    key, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = replaced(copy[key], tuple(rest), by)
    return copy


@pytest.mark.parametrize("name", WHOLE)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_with_one_wrong_value_is_accepted_or_a_typed_error(tmp_path: Path, name: str, data) -> None:
    file, read = READERS[name]
    path = tmp_path / file
    place = data.draw(st.sampled_from(places(WHOLE[name])))
    path.write_text(json.dumps(WHOLE[name]) + "\n")
    if name != "evaluation, for int8":  # which says that int8 is too inexact
        read(path)

    path.write_text(json.dumps(replaced(WHOLE[name], place, data.draw(VALUES | JSON.map(json.loads)))))
    try:
        read(path)
    except TrainingError as error:
        assert len(error.message) < 2_000


def test_a_journal_of_which_bytes_are_lost_is_a_typed_error(tmp_path: Path) -> None:
    with Journal(tmp_path, "giphy") as journal:
        for number in range(2_000):
            journal.refuse(f"gif{number}", "NOT_A_GIF", "an error page " * 10)
    content = bytearray((tmp_path / NAME).read_bytes())
    content[8_192:] = bytes(len(content) - 8_192)
    (tmp_path / NAME).write_bytes(content)

    with pytest.raises(TrainingError, match="is damaged"), Journal(tmp_path, "giphy") as journal:
        for number in range(2_000):
            journal.refused(f"gif{number}")
