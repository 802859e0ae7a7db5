"""Recipes tried on the same folds: **materials, names** -> answers by fold, kept -> **HeldOut by name**."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from services.preprocess import PIXELS_VERSION
from training.data.augment import AUGMENT_VERSION
from training.evaluation.evaluate import Evaluation, evaluate
from training.evaluation.materials import LEFT_OUT, Materials
from training.evaluation.perturb import PERTURB_VERSION, PERTURBATIONS
from training.evaluation.quantized import Quantized
from training.export.int8 import INT8_VERSION
from training.fit.crossvalidate import ALWAYS, HeldOut, cross_validate, run_name
from training.fit.recipes import BASELINE, CHOSEN, INT8, RECIPES, TRIALS
from training.fit.trainer import Trainer
from training.network.head import Tap
from training.statistics.openset import relative_mahalanobis


def run_trial(name: str, materials: Materials, cache_dir: Path, *, console: Console | None = None) -> HeldOut:
    """Judge all clips by one recipe.

    The baseline sees the clips as most tutorials decode them. The chosen recipe also judges changed clips
    and clips of left-out shows. Finished folds are kept in the cache: an interrupted trial goes on behind
    the last one.

    Args:
        name: one of `TRIALS`.
        materials: what is judged.
        cache_dir: for features, and for the finished folds.
        console: shows progress; None is silent.
    """
    options = RECIPES[CHOSEN if name == INT8 else name]
    wanted = (
        options.to_json(),
        materials.clips.digest,
        materials.fold.tolist(),
        (PIXELS_VERSION, AUGMENT_VERSION, PERTURB_VERSION),
        name == BASELINE,
    )
    home = cache_dir / "trials" / run_name(*wanted)
    clips = materials.by_index() if name == BASELINE else materials.clips
    beside = None if name == BASELINE else RECIPES[CHOSEN]
    trainer = Trainer(clips, options, cache_dir, console=console, beside=beside)
    left_out = {LEFT_OUT: materials.left_out} if materials.left_out else {}
    if name == INT8:
        folder = cache_dir / "trials" / run_name(*wanted, "int8", INT8_VERSION)
        learner = Quantized(trainer, home)
        return cross_validate(learner, materials.fold, folder, beside=left_out, console=console)
    if name != CHOSEN:
        return cross_validate(trainer, materials.fold, home, console=console)
    changed = materials.all_changed()
    return cross_validate(trainer, materials.fold, home, changed=changed, beside=left_out, console=console)


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
    answers = {}
    for name in TRIALS:
        if name in names or name in (BASELINE, CHOSEN):
            if console:
                console.log(f"recipe: {name}")
            answers[name] = run_trial(name, materials, cache_dir, console=console)
    return evaluate(
        answers,
        materials.judged,
        baseline=BASELINE,
        chosen=CHOSEN,
        stand_in=INT8 if INT8 in answers else None,
        changed=dict.fromkeys(PERTURBATIONS, materials.sample),
        left_out=LEFT_OUT if materials.left_out else None,
        mahalanobis=frozen_distance(materials, cache_dir),
    )


def frozen_distance(materials: Materials, cache_dir: Path) -> NDArray[np.float64]:
    """The relative Mahalanobis score of each judged clip, by frozen features, float64 [clip].

    The means and covariances are those of the known clips of the other folds.
    """
    options = RECIPES[CHOSEN]
    trainer = Trainer(materials.clips, options, cache_dir, beside=options)
    vectors = trainer.views[0].taps[Tap("top")].mean(axis=1)
    labels, known, fold = materials.clips.labels, materials.clips.known, materials.fold
    scores = np.zeros(len(labels))
    for number in range(int(fold.max()) + 1):
        learned, asked = known & (fold != number), fold == number
        scores[asked] = relative_mahalanobis(vectors[asked], vectors[learned], labels[learned])
    return np.asarray(scores[fold != ALWAYS])
