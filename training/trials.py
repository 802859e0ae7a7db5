"""Recipes tried on the same folds: **materials, names** -> answers by fold, kept -> **HeldOut by name**."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from training.crossvalidate import HeldOut, cross_validate, run_name
from training.dataset import preprocessing_version
from training.evaluate import Evaluation, evaluate
from training.materials import Materials
from training.perturb import PERTURBATIONS
from training.recipes import BASELINE, CHOSEN, RECIPES
from training.trainer import Trainer

# The recipe that asks each network for most: what it asks for serves the others as well.
_WIDEST = {RECIPES[name].backbone: RECIPES[name] for name in ("all depths of Lite2", CHOSEN)}


def run_trial(name: str, materials: Materials, cache_dir: Path, *, console: Console | None = None) -> HeldOut:
    """Judge all clips by one recipe.

    The baseline sees the clips as most tutorials decode them. The chosen recipe also judges changed and
    unknown clips. Finished folds are kept in the cache: an interrupted trial goes on behind the last one.

    Args:
        name: one of `RECIPES`.
        materials: what is judged.
        cache_dir: for features, and for the finished folds.
        console: shows progress; None is silent.
    """
    options = RECIPES[name]
    clips = materials.by_index() if name == BASELINE else materials.clips
    beside = _WIDEST.get(options.backbone)
    trainer = Trainer(clips, options, cache_dir, console=console, beside=beside)
    wanted = (
        options.to_json(),
        clips.digest,
        materials.fold.tolist(),
        preprocessing_version(),
        name == BASELINE,
    )
    folder = cache_dir / "trials" / run_name(*wanted)
    if name != CHOSEN:
        return cross_validate(trainer, materials.fold, folder)
    changed, unknown = materials.all_changed(), materials.unknown
    return cross_validate(
        trainer, materials.fold, folder, sample=materials.sample, changed=changed, unknown=unknown
    )


def run_trials(
    materials: Materials, names: Sequence[str], cache_dir: Path, *, console: Console | None = None
) -> Evaluation:
    """Judge all clips by several recipes and compare them.

    Args:
        materials: what is judged.
        names: of `RECIPES`; `BASELINE` and `CHOSEN` are always among them.
        cache_dir: see `run_trial`.
        console: shows progress; None is silent.
    """
    tried = [name for name in RECIPES if name in names or name in (BASELINE, CHOSEN)]
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
        changed=list(PERTURBATIONS),
        sample=materials.sample,
        unknown=list(materials.unknown),
        groups=materials.group,
    )
