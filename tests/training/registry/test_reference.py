"""The reference of a version: made of held-out answers or of a log, stored and read again."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from services.inference import Summary
from tests.support.models import draw_evaluation, save_candidate
from tests.support.traffic import Traffic
from training.data.clips import load_clips
from training.data.manifest import read_manifest
from training.errors import NotRegistered
from training.registry.reference import answer_held_out, read_reference, write_reference
from training.registry.registration import Candidate, register
from training.registry.versions import Registry


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_candidate(tmp_path / "good.onnx", version="good")


def test_held_out_answers_are_summarised(model: Path, tmp_path: Path) -> None:
    clips = load_clips(read_manifest(draw_evaluation(tmp_path / "evaluation.csv")), tmp_path / "cache")

    found = answer_held_out(model, clips)

    assert (found.model_version, found.answers) == ("good", 36)
    assert len(found.familiarity) == 36
    assert (found.errors, found.duration_ms, found.formats) == (None, [], {})


def test_a_reference_is_stored_with_its_version_and_replaced(registry: Registry, model: Path) -> None:
    version = register(registry, Candidate(model, {}, {}))
    first, second = (
        Summary.of(Traffic().answers(50, seed=seed, model="good"), model_version="good", source="a test")
        for seed in (1, 2)
    )

    with pytest.raises(NotRegistered, match="reference of version 1"):
        read_reference(registry, version)
    write_reference(registry, version, first)
    assert read_reference(registry, version) == first
    write_reference(registry, version, second)
    assert read_reference(registry, version) == second


def test_a_version_without_a_run_has_none(registry: Registry, model: Path) -> None:
    version = dataclasses.replace(register(registry, Candidate(model, {}, {})), run_id="")

    with pytest.raises(NotRegistered):
        read_reference(registry, version)
