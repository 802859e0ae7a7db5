"""The same plan on a Ray cluster of this machine: two worker processes, the same rows."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("daft", reason="This test needs Daft, which is not installed: make setup.")
pytest.importorskip("ray", reason="This test needs Ray, which is not installed: make setup.")
from tests.support.batch import RunBatch, SaveGif, make_many, read_rows
from tests.support.library import add_gifs

MARK = "BATCH_MARK"  # a variable that all processes of one run inherit


@contextmanager
def watched(mark: str) -> Iterator[set[int]]:
    """Ids of a marked cluster's processes that compute answers, looked for while it runs."""
    seen: set[int] = set()
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.05):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    if (
                        (process / "cmdline").read_bytes().startswith(b"ray::UDFActor")
                        and f"{MARK}={mark}".encode() in (process / "environ").read_bytes().split(b"\0")
                        and "onnxruntime" in (process / "maps").read_text("utf-8")  # has its model
                    ):
                        seen.add(int(process.name))
                except OSError:  # it has ended
                    continue

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()


def test_ray_gives_the_same_rows(
    run_batch: RunBatch, save_gif: SaveGif, model_path: Path, tmp_path: Path
) -> None:
    make_many(tmp_path / "gifs", save_gif, 60)
    (tmp_path / "gifs" / "page.gif").write_text("<!doctype html>")

    library = add_gifs(tmp_path / "some.library", model_path, {"Red Show": [tmp_path / "red.gif"]})

    native = run_batch("gifs", "--out", "native.parquet", "--workers", "2", "--library", library.name)
    with watched(str(tmp_path)) as workers:
        options = ["--out", "ray.parquet", "--workers", "2", "--ray", "local", "--library", library.name]
        on_ray = run_batch("gifs", *options, **{MARK: str(tmp_path)})

    if sys.platform == "linux":
        assert len(workers) == 2
    assert (native.returncode, on_ray.returncode) == (1, 1), on_ray.stderr
    assert on_ray.stdout.startswith("ray.parquet: 60 answered, 1 failed\n")
    rows = read_rows(tmp_path / "native.parquet")
    assert len(rows) == 61
    assert [match["name"] for match in rows["gifs/000000.gif"]["matches"]] == ["red.gif"]
    assert read_rows(tmp_path / "ray.parquet") == rows


def test_no_such_cluster_is_one_clear_error(run_batch: RunBatch, save_gif: SaveGif) -> None:
    save_gif("red.gif", "red")

    done = run_batch("red.gif", "--out", "labels.parquet", "--ray", "ray://127.0.0.1:1")

    assert done.returncode == 2
    assert "cannot serve at ray://127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr
