"""Runs that continue: after a kill, an interrupt, or changes of the input."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

pytest.importorskip("daft", reason="This test needs Daft, which is not installed: make setup.")
from tests.support.batch import IN_SMALL_PARTS, Popen, RunBatch, SaveGif, begun, make_many, read_rows
from tests.support.library import add_gifs, save_teaching_model
from tests.support.programs import Done

GIFS = 600  # some twenty parts


def counts(done: Done) -> tuple[int, int, int]:
    """How many a run says that it answered, could not answer, and kept from before."""
    said = json.loads(done.stdout)
    return said["answered"], said["failed"], said["kept"]


def begun_run(environ: dict[str, str], folder: Path) -> contextlib.AbstractContextManager[Popen]:
    """A batch over the GIFs of a folder, of which the first part is on the disk."""
    return begun("batch", "gifs", "--out", "labels.parquet", environ=environ, folder=folder)


def test_killed_run_continues(
    environ: dict[str, str], run_batch: RunBatch, save_gif: SaveGif, tmp_path: Path
) -> None:
    make_many(tmp_path / "gifs", save_gif, GIFS)
    parts = tmp_path / "labels.parquet.parts"
    with begun_run(environ, tmp_path) as process:
        os.killpg(process.pid, signal.SIGKILL)
    before = Counter(
        source
        for part in parts.glob("part-*.parquet")
        for source in pq.read_table(part)["source"].to_pylist()
    )
    assert 0 < len(before) < GIFS
    assert not (tmp_path / "labels.parquet").exists()

    done = run_batch("gifs", "--out", "labels.parquet", "--json")

    assert done.returncode == 0, done.stderr
    # `kept` counts what was not computed again: exactly what the parts held.
    assert counts(done) == (GIFS, 0, len(before))
    assert max(before.values()) == 1
    rows = read_rows(tmp_path / "labels.parquet")
    assert rows.keys() == {f"gifs/{index:06d}.gif" for index in range(GIFS)}
    assert Counter(row["show"] for row in rows.values()) == dict.fromkeys(
        ("Red Show", "Green Show", "Blue Show"), GIFS // 3
    )
    assert len({row["sha256"] for row in rows.values()}) == GIFS
    assert not parts.exists()


def test_interrupted_run_says_how_to_continue(
    environ: dict[str, str], run_batch: RunBatch, save_gif: SaveGif, tmp_path: Path
) -> None:
    make_many(tmp_path / "gifs", save_gif, GIFS)
    with begun_run(environ, tmp_path) as process:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: every process gets it
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, "")
    said = re.fullmatch(
        r"gif-analyzer: interrupted after ([\d,]+) GIFs; the same command goes on from there\n", errors
    )
    assert said

    done = run_batch("gifs", "--out", "labels.parquet", "--json")

    assert counts(done) == (GIFS, 0, int(said[1].replace(",", "")))


def test_finished_output_is_updated(run_batch: RunBatch, save_gif: SaveGif, tmp_path: Path) -> None:
    make_many(tmp_path / "gifs", save_gif, 4)
    (tmp_path / "gifs" / "page.gif").write_text("<!doctype html>")
    first = run_batch("gifs", "--out", "labels.parquet", "--json")
    shutil.copy(tmp_path / "gifs/000001.gif", tmp_path / "gifs/000000.gif")  # changed
    (tmp_path / "gifs/000002.gif").unlink()  # gone
    save_gif("gifs/new.gif", "blue")

    second = run_batch("gifs", "--out", "labels.parquet", "--json")

    assert json.loads(first.stdout)["kept"] == 0
    assert counts(second) == (4, 1, 3)
    rows = read_rows(tmp_path / "labels.parquet")
    assert {source: row["show"] for source, row in rows.items()} == {
        "gifs/000000.gif": "Green Show",
        "gifs/000001.gif": "Green Show",
        "gifs/000003.gif": "Red Show",
        "gifs/new.gif": "Blue Show",
        "gifs/page.gif": None,
    }


def test_other_errors_are_tried_again(run_batch: RunBatch, save_gif: SaveGif, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path\nlate.gif\n")
    failed = run_batch("list.csv", "--out", "labels.parquet")
    save_gif("late.gif", "red")

    answered = run_batch("list.csv", "--out", "labels.parquet")

    assert (failed.returncode, answered.returncode) == (1, 0)
    assert read_rows(tmp_path / "labels.parquet")["late.gif"]["show"] == "Red Show"


@pytest.mark.parametrize("options", [["--top-k", "1"], ["--model", "other.onnx"]])
def test_other_terms(
    run_batch: RunBatch, save_gif: SaveGif, model_path: Path, tmp_path: Path, options: list[str]
) -> None:
    (tmp_path / "other.onnx").write_bytes(model_path.read_bytes().replace(b"1.2.3", b"1.2.4"))
    make_many(tmp_path / "gifs", save_gif, 3)
    run_batch("gifs", "--out", "labels.parquet")

    again = run_batch("gifs", "--out", "labels.parquet", "--json", *options)

    assert counts(again) == (3, 0, 0)


def test_earlier_columns_are_replaced(run_batch: RunBatch, save_gif: SaveGif, tmp_path: Path) -> None:
    make_many(tmp_path / "gifs", save_gif, 3)
    run_batch("gifs", "--out", "labels.parquet")
    written = pq.read_table(tmp_path / "labels.parquet")
    pq.write_table(written.drop_columns(["verdict", "names"]), tmp_path / "labels.parquet")

    again = run_batch("gifs", "--out", "labels.parquet", "--json")

    assert counts(again) == (3, 0, 0)
    assert pq.read_table(tmp_path / "labels.parquet").column_names == written.column_names


def test_early_exits_are_separate(
    run_batch: RunBatch, save_gif: SaveGif, early_exit_path: Path, tmp_path: Path
) -> None:
    make_many(tmp_path / "gifs", save_gif, 2)
    command = ["gifs", "--out", "labels.parquet", "--json", "--model", early_exit_path]
    found = []
    for options in (["--early-exit"], ["--early-exit"], []):
        done = run_batch(*command, *options)
        frames = {len(row["votes"]) for row in read_rows(tmp_path / "labels.parquet").values()}
        found.append((json.loads(done.stdout)["kept"], frames))

    assert found == [(0, {3}), (2, {3}), (0, {10})]


def test_another_library_is_noticed(
    run_batch: RunBatch, save_gif: SaveGif, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model = save_teaching_model(tmp_path_factory.mktemp("model") / "teaching.onnx")
    purple, teal = save_gif("purple.gif", "purple"), save_gif("teal.gif", "teal")
    library = add_gifs(tmp_path / "some.library", model, {"Purple Show": [purple]})
    command = ["*.gif", "--out", "labels.parquet", "--json", "--model", model]
    found = []
    for options in ([], ["--library", library], ["--library", library]):
        found.append(counts(run_batch(*command, *options)))
    add_gifs(library, model, {"Teal Show": [teal]})

    found.append(counts(run_batch(*command, GIF_ANALYZER_LIBRARY=str(library))))

    assert found == [(2, 0, 0), (2, 0, 0), (2, 0, 2), (2, 0, 0)]
    assert read_rows(tmp_path / "labels.parquet")["teal.gif"]["show"] == "Teal Show"


def test_a_library_that_changes_during_a_run_ends_it(
    environ: dict[str, str], save_gif: SaveGif, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The output would hold answers of two libraries."""
    make_many(tmp_path / "gifs", save_gif, GIFS)
    model = save_teaching_model(tmp_path_factory.mktemp("model") / "teaching.onnx")
    library = add_gifs(tmp_path / "some.library", model, {"Red Show": [tmp_path / "red.gif"]})
    variables = {**environ, "GIF_ANALYZER_MODEL": str(model), "GIF_ANALYZER_LIBRARY": str(library)}
    with begun_run(variables, tmp_path) as process:
        add_gifs(library, model, {"Blue Show": [tmp_path / "blue.gif"]})
        output, errors = process.communicate(timeout=120)

    assert (process.returncode, output) == (2, "")
    assert errors == (
        f"gif-analyzer: library {library}: it was changed while the batch used it: run the same command"
        " again, with a copy if others write it\n"
    )
    assert not (tmp_path / "labels.parquet").exists()


def test_second_run_is_refused(
    environ: dict[str, str], run_batch: RunBatch, save_gif: SaveGif, tmp_path: Path
) -> None:
    make_many(tmp_path / "gifs", save_gif, GIFS)
    with subprocess.Popen(
        [*IN_SMALL_PARTS, "batch", "gifs", "--out", "labels.parquet"],
        env=environ,
        cwd=tmp_path,
        start_new_session=True,
    ) as process:
        end = time.monotonic() + 60
        while not (tmp_path / "labels.parquet.parts/ledger.sqlite").exists() and time.monotonic() < end:
            time.sleep(0.01)

        second = run_batch("gifs", "--out", "labels.parquet")

        os.killpg(process.pid, signal.SIGKILL)
    assert second.returncode == 2
    assert second.stderr.endswith("another run is writing this output\n")
