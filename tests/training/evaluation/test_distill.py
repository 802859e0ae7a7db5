"""Distillation: what the student is told, and that no teacher has seen the clip it speaks of."""

from pathlib import Path

import numpy as np
import pytest

from training.data.clips import Clips
from training.data.manifest import Row
from training.evaluation.distill import TAUGHT, Distilled
from training.fit.trainer import Trained
from training.network.head import Answer, Head, Linear, Part, Tap

LABELS = np.array([0, 1, 2] * 4)
FOLD = np.repeat([0, 1, 2, 3], 3)


def clips_of(labels):
    rows = tuple(Row(Path(f"{i}.gif"), "ABC"[label], str(i), str(i)) for i, label in enumerate(labels))
    return Clips(rows, tuple(str(i) for i in range(len(labels))), tuple(row.path for row in rows))


class Teacher:
    """Knows what it learned from, and is asked only about other clips."""

    def __init__(self, clips, strength):
        self.clips, self.strength, self.seen = clips, strength, []

    def train(self, indices, folder):
        self.seen.append(set(indices.tolist()))
        return Trained(Head((Part(Tap("top")),), Linear(np.zeros((1, 3)), np.zeros(3)), None), {})

    def answer(self, trained, clips):
        asked = [int(digest) for digest in clips.digests]
        assert not self.seen[-1] & set(asked), "a teacher was asked about a clip it learned from"
        # Two of three clips are named rightly, the third is taken for the next show.
        named = np.array([(clip % 3 + (clip % 4 == 0)) % 3 for clip in asked])
        logits = self.strength * np.eye(3, dtype=np.float32)[named]
        return Answer(logits, logits, logits, logits[:, 0], logits)


class Student:
    def __init__(self, clips):
        self.clips, self.targets = clips, None

    def train(self, indices, folder, *, targets=None):
        self.targets = targets
        return "trained"

    def answer(self, trained, clips):
        return ("answered", trained)


@pytest.fixture
def taught():
    clips = clips_of(LABELS)
    student, teachers = Student(clips), [Teacher(clips, 3.0), Teacher(clips, 30.0)]
    return Distilled(student, teachers, FOLD), student, teachers


def test_targets_are_labels_and_calibrated_answers_of_teachers_that_had_not_seen_the_clip(taught, tmp_path):
    distilled, student, teachers = taught
    indices = np.flatnonzero(FOLD != 3)

    distilled.train(indices, tmp_path)

    for teacher in teachers:  # once for each inner fold, never with a clip of the outer one
        assert [sorted(seen) for seen in teacher.seen] == [
            sorted(indices[FOLD[indices] != fold].tolist()) for fold in (0, 1, 2)
        ]
    np.testing.assert_allclose(student.targets.sum(axis=1), 1, rtol=1e-6)
    own = student.targets[np.arange(12), LABELS]
    assert (own[indices] >= 1 - TAUGHT).all()
    # A clip the teachers mistook is less sure than one they knew; calibration made both teachers alike.
    assert own[4] < own[1] < 1
    np.testing.assert_array_equal(student.targets[FOLD == 3], np.eye(3)[LABELS[FOLD == 3]])


def test_the_student_answers_alone(taught):
    distilled, _, teachers = taught
    assert distilled.answer("trained", clips_of(LABELS)) == ("answered", "trained")
    assert not teachers[0].seen
