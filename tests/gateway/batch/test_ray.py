"""The same plan on a Ray cluster of this machine: two worker processes, the same rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("daft", reason="batch takes Daft")
pytest.importorskip("ray", reason="Ray is not installed")
from tests.gateway.batch.conftest import RunBatch, read_rows
from tests.gateway.batch.test_resume import make_many

SaveGif = Callable[..., Path]


def test_ray_gives_the_rows_of_the_native_engine(
    run_batch: RunBatch, save_gif: SaveGif, tmp_path: Path
) -> None:
    make_many(tmp_path / "gifs", save_gif, 60)
    (tmp_path / "gifs" / "page.gif").write_text("<!doctype html>")

    native = run_batch("gifs", "--out", "native.parquet", "--workers", "2")
    on_ray = run_batch("gifs", "--out", "ray.parquet", "--workers", "2", "--ray", "local")

    assert (native.returncode, on_ray.returncode) == (1, 1), on_ray.stderr
    assert on_ray.stdout == "ray.parquet: 60 answered, 1 failed, 0 of them kept from before\n"
    rows = read_rows(tmp_path / "native.parquet")
    assert len(rows) == 61
    assert read_rows(tmp_path / "ray.parquet") == rows


def test_no_such_cluster_is_one_clear_error(run_batch: RunBatch, save_gif: SaveGif, tmp_path: Path) -> None:
    save_gif("red.gif", "red")

    done = run_batch("red.gif", "--out", "labels.parquet", "--ray", "ray://127.0.0.1:1")

    assert done.returncode == 2
    assert "cannot serve at ray://127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr
