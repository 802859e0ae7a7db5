"""The library file: what is written is read back, damage is one error, and a crash loses nothing."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.errors import LibraryError
from services.inference.library.embedding import EMBEDDING_SIZE
from services.inference.library.file import KnownClip, Library, add_clips, update_library
from services.inference.library.fingerprint import FINGERPRINT_BYTES
from services.inference.prediction import ModelInfo

MODEL = ModelInfo("gif-shows", "1", "0" * 64, "none")
TITLES = st.text(min_size=1, max_size=20).filter(lambda text: text.encode("utf-8", "ignore").decode() == text)


def known_clip(show: str, name: str, seed: int = 0) -> KnownClip:
    random = np.random.default_rng(seed)
    return KnownClip(
        show,
        name,
        tuple(range(0, 1000, 100)),
        random.integers(-127, 128, EMBEDDING_SIZE).astype(np.int8),
        random.integers(0, 256, (10, FINGERPRINT_BYTES)).astype(np.uint8),
        random.integers(0, 2, 10).astype(bool),
    )


def contents(library: Library) -> list[tuple[object, ...]]:
    return [
        (clip.show, clip.name, clip.times_ms, clip.embedding.tobytes(), clip.fingerprints.tobytes())
        for clip in library.clips()
    ]


@given(st.lists(st.tuples(TITLES, TITLES), max_size=8))
@settings(deadline=None)
def test_what_is_written_is_read_back(names: list[tuple[str, str]]) -> None:
    import tempfile

    clips = [known_clip(show, name, seed) for seed, (show, name) in enumerate(names)]
    with tempfile.TemporaryDirectory() as folder:
        library = update_library(Path(folder, "some.library"), MODEL, lambda _: clips)

        assert library.model == MODEL
        assert contents(library) == [
            (clip.show, clip.name, clip.times_ms, clip.embedding.tobytes(), clip.fingerprints.tobytes())
            for clip in clips
        ]
        assert [library.distinct[place].tolist() for place in range(len(clips))] == [
            clip.distinct.tolist() for clip in clips
        ]


def test_any_changed_byte_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "some.library"
    update_library(path, MODEL, lambda _: [known_clip("Friends", "a.gif"), known_clip("Lost", "b.gif", 1)])
    whole = path.read_bytes()
    padding = {place for place in range(len(whole)) if whole[place] == 0}

    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 0x5A
        path.write_bytes(damaged)
        try:
            library = Library(path)
        except LibraryError as error:
            assert "damaged" in error.message or "not a library" in error.message
        else:  # only the padding between the columns means nothing
            assert place in padding
            assert len(library) == 2


@pytest.mark.parametrize("length", [0, 5, 19, 20, 100, 600])
def test_a_cut_file_is_one_clear_error(tmp_path: Path, length: int) -> None:
    path = tmp_path / "some.library"
    update_library(path, MODEL, lambda _: [known_clip("Friends", "a.gif")])
    path.write_bytes(path.read_bytes()[:length])

    with pytest.raises(LibraryError):
        Library(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="no such file"):
        Library(tmp_path / "none.library")


def test_a_library_of_another_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "some.library"
    update_library(path, MODEL, lambda _: [known_clip("Friends", "a.gif")])
    before = path.read_bytes()

    with pytest.raises(LibraryError, match="made with gif-shows 1, and this is gif-shows 2"):
        update_library(path, ModelInfo("gif-shows", "2", "0" * 64, "none"), lambda clips: clips)

    assert path.read_bytes() == before


def test_a_reader_keeps_what_it_read_and_sees_that_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "some.library"
    library = update_library(path, MODEL, lambda _: [known_clip("Friends", "a.gif")])
    assert Library(path).sha256 == library.sha256

    update_library(path, MODEL, lambda clips: [*clips, known_clip("Lost", "b.gif")])

    assert Library(path).sha256 != library.sha256
    assert [clip.name for clip in library.clips()] == ["a.gif"]
    assert [clip.name for clip in Library(path).clips()] == ["a.gif", "b.gif"]


def test_a_change_that_changes_nothing_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "some.library"
    library = add_clips(path, MODEL, [known_clip("Friends", "a.gif"), known_clip("Lost", "b.gif")])
    before = path.stat()

    same = add_clips(path, MODEL, [known_clip("Friends", "a.gif")])

    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert same.sha256 == library.sha256


def _add_many(path: Path, first: int) -> None:
    for number in range(first, first + 10):
        update_library(path, MODEL, lambda clips, n=number: [*clips, known_clip("Friends", f"{n}.gif")])


def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "some.library"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_add_many, args=(path, first)) for first in (0, 10)]

    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)

    assert sorted(int(clip.name[:-4]) for clip in Library(path).clips()) == list(range(20))


def _write_slowly(path: Path, started: Path) -> None:
    def change(clips: list[KnownClip]) -> list[KnownClip]:
        started.touch()
        time.sleep(60)
        return []

    update_library(path, MODEL, change)


def test_a_writer_that_is_killed_leaves_the_library_as_it_was_and_no_lock(tmp_path: Path) -> None:
    path, started = tmp_path / "some.library", tmp_path / "started"
    update_library(path, MODEL, lambda _: [known_clip("Friends", "a.gif")])
    writer = multiprocessing.get_context("fork").Process(target=_write_slowly, args=(path, started))
    writer.start()
    while not started.exists():
        time.sleep(0.01)

    os.kill(writer.pid or 0, signal.SIGKILL)
    writer.join(60)

    assert [clip.name for clip in Library(path).clips()] == ["a.gif"]
    library = update_library(path, MODEL, lambda clips: [*clips, known_clip("Lost", "b.gif")])
    assert len(library) == 2
