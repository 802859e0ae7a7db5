"""What a library finds: the same footage, changed as reposts are, where it is, and nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from services.clip import Clip
from services.inference import Classifier, Match, default_library_path, default_model_path
from services.inference.library import Library, add_clips, search_library
from services.preprocess import decode_gif
from tests.support.paths import ROOT

Frames = NDArray[np.uint8]
EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(default_model_path())


@pytest.fixture(scope="module")
def library(classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Library:
    names = "meadow.gif", "spinner.gif"
    clips = [classifier.describe_clip(example(name), show=name[:-4], name=name) for name in names]
    return add_clips(tmp_path_factory.mktemp("library") / "two.library", classifier.model, clips)


def example(name: str) -> Clip:
    return decode_gif((EXAMPLES / name).read_bytes())


def with_frames(clip: Clip, frames: Frames) -> Clip:
    return dataclasses.replace(clip, frames=np.ascontiguousarray(frames))


def find(classifier: Classifier, library: Library, clip: Clip) -> tuple[Match, ...]:
    embedding = classifier.describe_clip(clip, show="", name="").embedding
    return search_library(library, clip, embedding).matches


def part(top: float, left: float, height: float, width: float) -> Callable[[Frames], Frames]:
    box = left * 224, top * 224, (left + width) * 224, (top + height) * 224
    return lambda frames: np.stack(
        [np.asarray(Image.fromarray(frame).resize((224, 224), box=box)) for frame in frames]
    )


def small(frames: Frames) -> Frames:
    pictures = [Image.fromarray(frame).resize((90, 90)).resize((224, 224)) for frame in frames]
    return np.stack([np.asarray(picture) for picture in pictures])


def captioned(frames: Frames) -> Frames:
    changed = frames.copy()
    changed[:, 190:215, 30:190] = 255
    changed[:, 196:210, 40:180:8] = 0
    return changed


def letterboxed(frames: Frames) -> Frames:
    changed = np.zeros_like(frames)
    for frame, target in zip(frames, changed, strict=True):
        target[28:196] = np.asarray(Image.fromarray(frame).resize((224, 168)))
    return changed


CHANGES: dict[str, Callable[[Frames], Frames]] = {
    "unchanged": lambda frames: frames,
    "darker and redder": lambda frames: (frames * np.array([0.8, 0.6, 0.5])).astype(np.uint8),
    "small": small,
    "captioned": captioned,
    "letterboxed": letterboxed,
    "four fifths": part(0.2, 0.0, 0.8, 0.8),
    "the middle": part(0.15, 0.2, 0.7, 0.65),
    "a square of 16:9": part(0.0, 0.3, 1.0, 0.5625),
}


@pytest.mark.parametrize("mirrored", [False, True], ids=["", "mirrored"])
@pytest.mark.parametrize("change", CHANGES)
def test_changed_footage_is_found(
    classifier: Classifier, library: Library, change: str, *, mirrored: bool
) -> None:
    clip = example("meadow.gif")
    frames = CHANGES[change](clip.frames)

    [match] = find(classifier, library, with_frames(clip, frames[:, :, ::-1] if mirrored else frames))

    assert (match.show, match.name, match.mirrored) == ("meadow", "meadow.gif", mirrored)
    assert match.similarity > 0.76
    assert match.frame_count >= 2


def test_a_part_of_the_time_is_found_where_it_is(classifier: Classifier, library: Library) -> None:
    clip = example("meadow.gif")
    late = with_frames(clip, clip.frames[[6, 6, 7, 7, 7, 8, 8, 8, 9, 9]])

    [match] = find(classifier, library, late)

    assert match.known.start_ms >= clip.timestamps_ms[4]
    assert match.known.end_ms == clip.timestamps_ms[9]
    assert (match.query.start_ms, match.query.end_ms) == (clip.timestamps_ms[0], clip.timestamps_ms[8])


def test_other_footage_is_not_found(classifier: Classifier, library: Library, tmp_path: Path) -> None:
    clips = [classifier.describe_clip(example("spinner.gif"), show="spinner", name="spinner.gif")]
    other = add_clips(tmp_path / "spinner.library", classifier.model, clips)

    assert find(classifier, other, example("meadow.gif")) == ()
    assert [match.name for match in find(classifier, library, example("spinner.gif"))] == ["spinner.gif"]


def test_two_frames_must_agree_in_the_order_of_time(classifier: Classifier, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    soft = [random.integers(0, 256, (7, 12, 3)).astype(np.uint8) for _ in range(10)]
    frames = np.stack([np.asarray(Image.fromarray(each).resize((224, 224))) for each in soft])
    clip = with_frames(example("meadow.gif"), frames)
    known = [classifier.describe_clip(clip, show="soft", name="soft.gif")]
    library = add_clips(tmp_path / "soft.library", classifier.model, known)

    assert [match.frame_count for match in find(classifier, library, clip)] == [10]
    assert find(classifier, library, with_frames(clip, frames[::-1])) == ()


def test_a_still_picture_is_found_by_its_one_frame(classifier: Classifier, library: Library) -> None:
    clip = example("meadow.gif")
    still = with_frames(clip, np.repeat(clip.frames[5:6], 10, axis=0))

    [match] = find(classifier, library, still)

    assert (match.name, match.frame_count) == ("meadow.gif", 1)


def test_an_empty_library_finds_nothing(classifier: Classifier, tmp_path: Path) -> None:
    empty = add_clips(tmp_path / "empty.library", classifier.model, [])
    clip = example("meadow.gif")

    found = search_library(empty, clip, classifier.describe_clip(clip, show="", name="").embedding)

    assert (found.matches, found.neighbours) == ((), ())


def test_neighbours_are_ranked_by_similarity(classifier: Classifier, library: Library) -> None:
    clip = example("brook.gif")

    found = search_library(library, clip, classifier.describe_clip(clip, show="", name="").embedding)

    assert [each.name for each in found.neighbours] == ["meadow.gif", "spinner.gif"]
    assert 1 >= found.neighbours[0].similarity > found.neighbours[1].similarity >= -1


def test_the_packaged_library_finds_the_film_in_the_example(classifier: Classifier) -> None:
    packaged = Library(default_library_path())

    assert packaged.model == classifier.model
    assert packaged.titles == ("Big Buck Bunny",)
    for name in ("meadow.gif", "brook.gif"):
        match = find(classifier, packaged, example(name))[0]
        assert match.show == "Big Buck Bunny"
        assert 8_000 < match.known.start_ms < match.known.end_ms < 14_000
    assert find(classifier, packaged, example("spinner.gif")) == ()
