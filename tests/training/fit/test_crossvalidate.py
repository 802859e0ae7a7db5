"""Folds: who learns from what, who is judged by whom, and what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from training.data.clips import Clips
from training.data.manifest import Row
from training.fit.crossvalidate import ALWAYS, cross_validate
from training.network.head import Answer, Head, Linear, Part, Tap

FOLDS = np.array([0, 1, 2, 0, 1, 2, 2])


def clips(count: int) -> Clips:
    rows = tuple(Row(Path(f"{number}.gif"), "AB"[number % 2], str(number), "s") for number in range(count))
    return Clips(rows, tuple(f"{number}" for number in range(count)), tuple(row.path for row in rows))


class Telling:
    """A learner whose models say which clip they are asked about and how many they learned from."""

    def __init__(self, *, break_at: Sequence[int] = ()) -> None:
        self.clips = clips(len(FOLDS))
        self.learned: list[list[int]] = []
        self.break_at = break_at

    def train(self, indices: np.ndarray) -> Head:
        if len(self.learned) in self.break_at:
            raise KeyboardInterrupt
        self.learned.append(indices.tolist())
        linear = Linear(np.zeros((2, 2), np.float32), np.array([len(indices), 0], np.float32))
        return Head((Part(Tap("top")),), linear)

    def answer(self, head: Head, clips: Clips) -> Answer:
        numbers = np.array([int(digest) for digest in clips.digests])
        logits = np.stack([numbers, np.full(len(numbers), head.linear.bias[0])], axis=1)
        frames = np.repeat(logits[:, np.newaxis], 10, axis=1)
        return Answer(logits, frames, logits, numbers, None, frames)


def test_each_clip_is_judged_by_the_model_that_did_not_see_its_fold(tmp_path: Path) -> None:
    learner = Telling()
    learned_from = [5, 5, 4]  # clips that the models of folds 0, 1 and 2 have seen

    held = cross_validate(
        learner,
        FOLDS,
        tmp_path,
        changed={"mirrored": (np.arange(1, 7, 2), learner.clips.choose([1, 3, 5]))},
        beside={"other": clips(5)},
    )

    assert learner.learned == [[1, 2, 4, 5, 6], [0, 2, 3, 5, 6], [0, 1, 3, 4]]
    assert held.logits["plain"].shape == (7, 10, 2)
    for material, numbers in (("plain", range(7)), ("mirrored", (1, 3, 5))):
        assert held.of_clips(material)[:, 0].tolist() == list(numbers)
        assert held.of_clips(material)[:, 1].tolist() == [learned_from[FOLDS[number]] for number in numbers]
    assert held.of_clips("other")[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert held.of_clips("other")[:, 1].tolist() == [learned_from[number % 3] for number in range(5)]


def test_some_clips_are_always_learned_from_and_never_judged(tmp_path: Path) -> None:
    learner = Telling()

    held = cross_validate(learner, np.array([0, 1, ALWAYS, 0, 1, ALWAYS, 1]), tmp_path)

    assert learner.learned == [[1, 2, 4, 5, 6], [0, 2, 3, 5]]
    assert held.of_clips()[:, 0].tolist() == [0, 1, 3, 4, 6]
    assert held.fold.tolist() == [0, 1, 0, 1, 1]
    assert held.labels.tolist() == [0, 1, 1, 0, 0]


def test_a_show_of_one_fold_cannot_be_named(tmp_path: Path) -> None:
    held = cross_validate(Telling(), np.array([0, 1, 0, 1, 0, 1, 0]), tmp_path)  # A in fold 0, B in fold 1

    assert not held.learnable.any()


def test_fewer_other_clips_than_folds(tmp_path: Path) -> None:
    held = cross_validate(Telling(), FOLDS, tmp_path, beside={"one": clips(1)})

    assert held.of_clips("one").shape == (1, 2)


def test_an_interrupted_run_resumes_after_the_last_finished_fold(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        cross_validate(Telling(break_at=[2]), FOLDS, tmp_path)
    resumed = Telling()

    held = cross_validate(resumed, FOLDS, tmp_path)

    assert resumed.learned == [[0, 1, 3, 4]]
    assert held.of_clips()[:, 0].tolist() == list(range(7))
