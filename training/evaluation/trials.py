"""Recipes tried on the same folds: **materials, names** -> answers by fold, kept -> **HeldOut by name**."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from services.preprocess import PIXELS_VERSION
from training.data.augment import AUGMENT_VERSION
from training.evaluation.crossvalidate import HeldOut, Learner, cross_validate, run_name
from training.evaluation.distill import Distilled
from training.evaluation.evaluate import Evaluation, evaluate
from training.evaluation.framewise import Framewise
from training.evaluation.looks import SeveralLooks
from training.evaluation.materials import Materials
from training.evaluation.perturb import PERTURB_VERSION, PERTURBATIONS
from training.evaluation.quantized import Quantized
from training.export.int8 import INT8_VERSION
from training.fit.recipes import BASELINE, CHOSEN, INT8, RECIPES, TRIALS, Trial
from training.fit.trainer import Trainer

# The recipe that asks each network for most: what it asks for serves the others as well.
_WIDEST = {RECIPES[name].backbone: RECIPES[name] for name in ("all depths of Lite2, fine-tuned", CHOSEN)}


def run_trial(name: str, materials: Materials, cache_dir: Path, *, console: Console | None = None) -> HeldOut:
    """Judge all clips by one recipe.

    The baseline sees the clips as most tutorials decode them. The chosen recipe also judges changed and
    unknown clips. Finished folds are kept in the cache: an interrupted trial goes on behind the last one.

    Args:
        name: one of `TRIALS`.
        materials: what is judged.
        cache_dir: for features, and for the finished folds.
        console: shows progress; None is silent.
    """
    home, folder = _folders(name, materials, cache_dir)
    learner = build_learner(TRIALS[name], materials, cache_dir, home, console=console)
    if name != CHOSEN:
        return cross_validate(learner, materials.fold, folder)
    changed, unknown = materials.all_changed(), materials.unknown
    return cross_validate(
        learner, materials.fold, folder, sample=materials.sample, changed=changed, unknown=unknown
    )


def run_framewise(
    name: str, materials: Materials, cache_dir: Path, *, console: Console | None = None
) -> HeldOut:
    """Judge known and unknown clips by one recipe, frame by frame, see `Framewise`.

    Its trainings are those of `run_trial`: what that has trained is not trained again.
    """
    home, folder = _folders(name, materials, cache_dir)
    learner = Framewise(build_learner(TRIALS[name], materials, cache_dir, home, console=console), home)
    frames = folder.with_name(f"{folder.name}-frames")
    return cross_validate(learner, materials.fold, frames, unknown=materials.unknown)


def _folders(name: str, materials: Materials, cache_dir: Path) -> tuple[Path, Path]:
    """Where the trainings of a trial's recipe lie, and where its answers do."""
    trial = TRIALS[name]
    wanted = (
        RECIPES[trial.recipe].to_json(),
        materials.clips.digest,
        materials.fold.tolist(),
        (PIXELS_VERSION, AUGMENT_VERSION, PERTURB_VERSION),
        trial.recipe == BASELINE,
    )
    home = cache_dir / "trials" / run_name(*wanted)
    if name in RECIPES:
        return home, home
    teachers = [RECIPES[teacher].to_json() for teacher in trial.teachers]
    form = ("int8", INT8_VERSION) if trial.int8 else ()
    return home, cache_dir / "trials" / run_name(*wanted, repr(trial.looks), teachers, *form)


def build_learner(
    trial: Trial, materials: Materials, cache_dir: Path, home: Path, *, console: Console | None = None
) -> Learner:
    """Make what a trial fits and asks.

    Args:
        trial: one way to judge clips.
        materials: what is judged.
        cache_dir: for features.
        home: where the trainings of the trial's recipe lie, shared by all trials of it.
        console: shows progress; None is silent.
    """

    def trainer(recipe: str) -> Trainer:
        options = RECIPES[recipe]
        clips = materials.by_index() if recipe == BASELINE else materials.clips
        beside = _WIDEST.get(options.backbone)
        return Trainer(clips, options, cache_dir, console=console, beside=beside)

    if trial.teachers:
        return Distilled(trainer(trial.recipe), [trainer(of) for of in trial.teachers], materials.fold)
    if trial.int8:
        return Quantized(trainer(trial.recipe), home)
    if len(trial.looks) > 1:
        return SeveralLooks(trainer(trial.recipe), trial.looks, home)
    return trainer(trial.recipe)


def run_trials(
    materials: Materials, names: Sequence[str], cache_dir: Path, *, console: Console | None = None
) -> Evaluation:
    """Judge all clips by several recipes and compare them.

    Args:
        materials: what is judged.
        names: of `TRIALS`; `BASELINE` and `CHOSEN` are always among them.
        cache_dir: see `run_trial`.
        console: shows progress; None is silent.
    """
    tried = [name for name in TRIALS if name in names or name in (BASELINE, CHOSEN)]
    answers = {}
    for name in tried:
        if console:
            console.log(f"recipe: {name}")
        answers[name] = run_trial(name, materials, cache_dir, console=console)
    return evaluate(
        answers,
        np.asarray(materials.clips.labels),
        materials.clips.shows,
        baseline=BASELINE,
        chosen=CHOSEN,
        stand_in=INT8 if INT8 in answers else None,
        changed=list(PERTURBATIONS),
        sample=materials.sample,
        unknown=list(materials.unknown),
        groups=materials.group,
    )
