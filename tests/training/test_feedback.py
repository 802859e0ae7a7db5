"""gif-train feedback: what users said, joined with answers and kept GIFs, and handed to a review."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.inference.answers import Answer
from services.inference.feedback import MESSAGE, Feedback, feedback_line
from tests.support.traffic import as_line
from training.cli import app
from training.data.manifest import read_manifest
from training.errors import InvalidAnnotations, InvalidLog
from training.feedback import Said, gather, write_review
from training.files import sha256_of
from training.review import NONE_OF_THESE


def answer(request_id: str, show: str, **changes: Any) -> Answer:
    shows = ((show, 0.8), ("Other", 0.1))
    made = {"model_version": "1.0", "verdict": "show", "names": (show,), "shows": shows, **changes}
    return Answer(request_id, "rest", 12.0, **made)


def line(feedback: Feedback) -> str:
    return json.dumps({"message": MESSAGE, **feedback_line(feedback)})


def write_log(path: Path, said: Sequence[Feedback], answers: Sequence[Answer] = ()) -> Path:
    lines = ["Starting.", *map(as_line, answers), '{"message": "request"}', *map(line, said)]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def tasks_in(out: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((out / "label-studio/tasks.json").read_text("utf-8"))
    return found


def choices(task: dict[str, Any]) -> dict[str, str]:
    """What each prediction of a task says."""
    return {each["model_version"]: each["result"][0]["value"]["choices"][0] for each in task["predictions"]}


def test_the_last_feedback_on_an_answer_counts_and_is_joined_by_its_id(tmp_path: Path) -> None:
    first = write_log(
        tmp_path / "a.log", [Feedback("a1", True), Feedback("a2", False)], [answer("a1", "Red")]
    )
    second = write_log(tmp_path / "b.log", [Feedback("a1", False, "Blue")], [answer("a3", "Red")])

    said = gather([first, second], None)

    assert [(each.feedback.answer_id, each.feedback.show) for each in said] == [("a2", ""), ("a1", "Blue")]
    assert [each.answer.names if each.answer else None for each in said] == [None, ("Red",)]


def test_a_new_gif_gets_a_line_with_the_show_that_the_model_named(
    drawn_manifest: Path, tmp_path: Path
) -> None:
    gif = tmp_path / "gifs" / "k.gif"
    gif.parent.mkdir()
    shutil.copy(read_manifest(drawn_manifest)[0].path, gif)
    log = write_log(
        tmp_path / "a.log", [Feedback("a1", False, "Blue Bars", "k.gif")], [answer("a1", "Red Rings")]
    )

    found = write_review(gather([log], gif.parent), tmp_path / "out", manifest=None, root=tmp_path)

    assert (found.feedback, found.right, found.joined, found.gifs, found.known) == (1, 0, 1, 1, 0)
    [line] = read_manifest(tmp_path / "out/manifest.csv")
    assert (line.path.resolve(), line.show, line.source) == (gif, "Red Rings", "feedback")
    [task] = tasks_in(tmp_path / "out")
    assert choices(task) == {"gif-train": "Red Rings", "users": "Blue Bars"}
    assert 'value="Blue Bars"' in (tmp_path / "out/label-studio/config.xml").read_text("utf-8")
    [row] = rows(tmp_path / "out/feedback.csv")
    assert (row["right"], row["show"], row["names"], row["gif"]) == ("no", "Blue Bars", "Red Rings", str(gif))


def test_a_gif_of_the_manifest_keeps_its_show_there(drawn_manifest: Path, tmp_path: Path) -> None:
    known = read_manifest(drawn_manifest)[0]
    said = (Said(Feedback("a1", True, "", "k.gif"), answer("a1", "Blue Bars"), known.path),)

    found = write_review(said, tmp_path / "out", manifest=drawn_manifest, root=drawn_manifest.parent)

    assert (found.gifs, found.known) == (1, 1)
    [task] = tasks_in(tmp_path / "out")
    assert task["data"]["manifest_show"] == known.show
    assert choices(task) == {"gif-train": "Blue Bars", "users": "Blue Bars"}
    assert not (tmp_path / "out/manifest.csv").exists()


def test_a_wrong_answer_without_a_show_is_suggested_as_none_of_them(
    drawn_manifest: Path, tmp_path: Path
) -> None:
    path = read_manifest(drawn_manifest)[0].path
    said = (Said(Feedback("a1", False, "", "k.gif"), None, path),)

    write_review(said, tmp_path / "out", manifest=drawn_manifest, root=drawn_manifest.parent)

    [task] = tasks_in(tmp_path / "out")
    assert choices(task)["users"] == NONE_OF_THESE
    assert NONE_OF_THESE in (tmp_path / "out/label-studio/config.xml").read_text("utf-8")


def test_a_name_that_leaves_the_folder_is_no_gif(tmp_path: Path) -> None:
    (tmp_path / "secret.gif").write_bytes(b"GIF89a")
    (tmp_path / "gifs").mkdir()
    log = write_log(tmp_path / "a.log", [Feedback("a1", False, "Blue", "../secret.gif")])

    [said] = gather([log], tmp_path / "gifs")

    assert said.path is None


def test_a_log_without_feedback_and_a_damaged_line_are_errors(tmp_path: Path) -> None:
    log = write_log(tmp_path / "a.log", [])
    with pytest.raises(InvalidLog, match="no feedback"):
        gather([log], None)
    log.write_text('{"message": "feedback", "answer_id": "a1", "right": "yes"}\n')
    with pytest.raises(InvalidLog, match="line 1: a line of a feedback is damaged"):
        gather([log], None)
    with pytest.raises(InvalidLog, match="cannot be read"):
        gather([tmp_path / "missing.log"], None)


def test_gifs_must_be_below_the_root(drawn_manifest: Path, tmp_path: Path) -> None:
    said = (Said(Feedback("a1", True), None, read_manifest(drawn_manifest)[0].path),)

    with pytest.raises(InvalidAnnotations, match="is not below"):
        write_review(said, tmp_path / "out", manifest=None, root=tmp_path / "elsewhere")


def test_a_correction_reaches_the_manifest(drawn_manifest: Path, tmp_path: Path) -> None:
    """Feedback, the tasks, a reviewer who agrees with the user, and the corrected manifest."""
    gif = tmp_path / "gifs" / "k.gif"
    gif.parent.mkdir()
    shutil.copy(read_manifest(drawn_manifest)[0].path, gif)
    log = write_log(tmp_path / "a.log", [Feedback("a1", False, "New Show", "k.gif")])
    out, exported, corrected = tmp_path / "out", tmp_path / "export.json", tmp_path / "corrected.csv"

    def gif_train(*words: object) -> None:
        done = CliRunner().invoke(app, [*map(str, words)], catch_exceptions=False)
        assert done.exit_code == 0, done.output

    gif_train(
        "feedback", log, "--gifs", gif.parent, "--out", out, "--root", "/", "--manifest", drawn_manifest
    )
    exported.write_text(json.dumps(agreed(out)), "utf-8")
    gif_train("review", "apply", exported, "--manifest", drawn_manifest, "--out", corrected)

    changed = {row.path.name: row.show for row in read_manifest(corrected)}
    [line] = [each for each in rows(corrected) if each["original_show"]]
    assert changed[Path(line["path"]).name] == "New Show"
    assert sha256_of(corrected.parent / line["path"]) == sha256_of(gif)


def agreed(out: Path) -> list[dict[str, Any]]:
    """What Label Studio exports after a reviewer has accepted what the users said."""
    return [
        {
            "data": task["data"],
            "annotations": [
                {
                    "result": task["predictions"][-1]["result"],
                    "completed_by": {"email": "reviewer@example.org"},
                    "created_at": "2026-11-29T12:00:00Z",
                }
            ],
        }
        for task in tasks_in(out)
    ]
