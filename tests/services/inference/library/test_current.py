"""The library of a running program: it is read again when it changes, and never lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.errors import LibraryError
from services.inference import Classifier, LibraryInfo
from services.inference.library import CurrentLibrary, Library, OpenLibrary, update_library
from tests.support.library import add_gifs, save_teaching_model
from tests.support.models import make_clip

SaveGif = Callable[..., Path]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_teaching_model(tmp_path / "teaching.onnx")


@pytest.fixture
def gifs(save_gif: SaveGif) -> dict[str, list[Path]]:
    return {"Purple Show": [save_gif("purple.gif", "purple")], "Red Show": [save_gif("red.gif", "red")]}


@pytest.fixture
def library(tmp_path: Path, model: Path, gifs: dict[str, list[Path]]) -> Path:
    """A library that has one clip of a show that the model knows, and one of a show that it does not."""
    return add_gifs(tmp_path / "some.library", model, gifs)


def shows_of(classifier: Classifier) -> tuple[str, ...]:
    assert classifier.library is not None
    return classifier.library.shows


def test_a_classifier_tells_its_library(model: Path, library: Path) -> None:
    assert Classifier(model).library is None
    assert Classifier(model, library=library).library == LibraryInfo(
        2, ("Purple Show", "Red Show"), Library(library).sha256
    )


def test_the_digest_is_that_of_the_content(library: Path) -> None:
    first = Library(library)
    known = list(first.clips())

    more = update_library(library, first.model, lambda clips: clips[:1])
    again = update_library(library, first.model, lambda clips: known)

    assert more.sha256 != first.sha256 == again.sha256


def test_a_library_that_changes_is_read_again(
    model: Path, library: Path, save_gif: SaveGif, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    classifier = Classifier(model, library=library)
    teal = make_clip((0, 128, 128))
    before = classifier.classify(teal)

    add_gifs(library, model, {"Teal Show": [save_gif("teal.gif", "teal")]})
    after = classifier.classify(teal)

    assert "Teal Show" not in {ranked.show for ranked in before.shows}
    assert after.shows[0].show == after.neighbours[0].show == "Teal Show"
    assert (after.verdict.level, after.verdict.names) == ("show", ("Teal Show",))
    assert shows_of(classifier) == ("Purple Show", "Red Show", "Teal Show")
    [record] = caplog.records
    assert record.getMessage() == "the library was read again"
    assert vars(record)["clip_count"] == 3


DAMAGES = {
    "half a file": lambda whole: whole[: len(whole) // 2],
    "an empty file": lambda whole: b"",
    "another file": lambda whole: b"GIF89a",
    "a changed byte": lambda whole: whole[: len(whole) // 2] + b"x" + whole[len(whole) // 2 + 1 :],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_library_is_logged_once_and_the_one_before_is_used(
    model: Path, library: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    """The file is overwritten in place, as `cp` does; a mapped file would end this process."""
    caplog.set_level("WARNING")
    whole = library.read_bytes()
    classifier = Classifier(model, library=library)
    clip = make_clip((128, 0, 128))
    before = classifier.classify(clip)

    library.write_bytes(DAMAGES[damage](whole))
    answers = [classifier.classify(clip) for _ in range(3)]

    assert before.shows[0].show == "Purple Show"
    assert answers == [before] * 3
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith(
        f"the library is used as it was before it changed: library {library}: it is "
    )
    with pytest.raises(LibraryError):
        Classifier(model, library=library)

    library.write_bytes(whole)
    assert classifier.classify(clip) == before
    library.unlink()
    assert classifier.classify(clip) == before
    assert len(caplog.records) == 2
    assert "it cannot be read: no such file" in caplog.text


def test_a_library_made_with_another_model_is_not_used(
    model: Path, library: Path, caplog: pytest.LogCaptureFixture
) -> None:
    current = Classifier(model, library=library)
    before = current.library
    other = Library(library)
    replaced = library.with_name("other.library")
    update_library(replaced, type(other.model)("other", "9", "0" * 64, "none"), lambda _: list(other.clips()))

    replaced.replace(library)

    assert current.library == before
    assert "it was made with other 9, and this is mean-colour 1.2.3" in caplog.text


def test_threads_read_a_changed_library_once(
    model: Path, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = Classifier(model)
    current = CurrentLibrary(library, classifier.model, classifier.shows, None)
    reads = threading.Semaphore(0)
    read = CurrentLibrary._read

    def counted(self: CurrentLibrary) -> OpenLibrary:
        reads.release()
        return read(self)

    monkeypatch.setattr(CurrentLibrary, "_read", counted)
    update_library(library, classifier.model, lambda clips: clips[:1])
    start = threading.Barrier(8)

    def get(_: int) -> int:
        start.wait(60)
        return len(current.get().clips)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(get, range(8))) == [1] * 8
    assert reads.acquire(blocking=False)
    assert not reads.acquire(blocking=False)
