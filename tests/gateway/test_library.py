"""The library of a server, without HTTP: many users at once, names, and files that fail."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.library import ServedLibrary
from services.clip import Clip
from services.errors import LibraryError, LibraryReadOnly
from services.inference import Classifier
from services.inference.library import Library

ClipOf = Callable[..., Clip]


@pytest.fixture
def teacher(model_path: Path) -> Classifier:
    return Classifier(model_path)


def teach(library: ServedLibrary, clip: Clip, name: str) -> str:
    return library.teach(
        clip, show="Some Show", name=name, sha256=hashlib.sha256(clip.frames).hexdigest()
    ).name


def test_users_that_teach_at_once_lose_nothing(tmp_path: Path, teacher: Classifier, clip_of: ClipOf) -> None:
    library = ServedLibrary(tmp_path / "my.library", teacher=teacher, keep_thumbnails=True)
    clips = [clip_of((0, 0, 255), (255, 20 * number, 0)) for number in range(8)]

    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda clip: teach(library, clip, "same.gif"), clips))

    assert len(set(names)) == 8
    assert library.shows() == {"Some Show": 8}
    assert sorted(clip.name for clip in Library(tmp_path / "my.library").clips()) == sorted(names)
    assert len({library.thumbnail(name) for name in names}) == 8


@pytest.mark.parametrize(
    ("name", "another"),
    [("a.gif", "a-{}.gif"), ("a", "a-{}"), (".gif", ".gif-{}"), ("a.b/c d", "a.b/c d-{}")],
)
def test_another_clip_of_a_name(
    tmp_path: Path, teacher: Classifier, clip_of: ClipOf, name: str, another: str
) -> None:
    library = ServedLibrary(tmp_path / "my.library", teacher=teacher)
    red, green = clip_of((255, 0, 0)), clip_of((0, 255, 0))

    names = [teach(library, clip, name) for clip in (red, green, red, green)]

    own = another.format(hashlib.sha256(green.frames).hexdigest()[:8])
    assert names == [name, own, name, own]


def test_a_missing_library_is_made_only_to_be_taught(
    tmp_path: Path, teacher: Classifier, clip_of: ClipOf
) -> None:
    path = tmp_path / "my.library"

    with pytest.raises(LibraryError, match="no such file"):
        ServedLibrary(path).shows()
    assert ServedLibrary(path, teacher=teacher).shows() == {}
    with pytest.raises(LibraryReadOnly):
        teach(ServedLibrary(path), clip_of((255, 0, 0)), "a.gif")


def test_a_library_that_cannot_be_made_is_an_error_at_once(tmp_path: Path, teacher: Classifier) -> None:
    with pytest.raises(LibraryError, match="it cannot be written: no such file or directory"):
        ServedLibrary(tmp_path / "none" / "my.library", teacher=teacher)


def test_a_clip_stays_when_its_picture_cannot_be_removed(
    tmp_path: Path, teacher: Classifier, clip_of: ClipOf
) -> None:
    library = ServedLibrary(tmp_path / "my.library", teacher=teacher, keep_thumbnails=True)
    teach(library, clip_of((255, 0, 0)), "a.gif")
    [picture] = (tmp_path / "my.library.thumbnails").iterdir()
    picture.unlink()
    picture.mkdir()  # a folder cannot be unlinked

    with pytest.raises(LibraryError, match="a thumbnail cannot be removed"):
        library.forget("a.gif")

    assert library.shows() == {"Some Show": 1}
