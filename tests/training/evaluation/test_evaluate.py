"""Figures from held-out answers whose truth is known because the test drew them."""

from pathlib import Path

import numpy as np

from training.evaluation.crossvalidate import HeldOut
from training.evaluation.evaluate import SCORES, evaluate, familiarity
from training.fit.operating import Operating
from training.statistics.estimate import Bootstrap

SHOWS = ("Ada", "Bea", "Cem")
QUICK = Bootstrap(resamples=200)


def answers(skill: float, *, clips: int = 240, seed: int = 0) -> tuple[HeldOut, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.integers(3, size=clips)
    logits = random.normal(size=(clips, 3)) + skill * np.eye(3)[labels]
    spread = random.normal(size=(60, 3)) * 18  # as sure as the others
    return (
        HeldOut(
            np.arange(clips) % 4,
            {
                "plain": logits * 9,
                "mirrored": logits * 9,
                "blurred": random.normal(size=(clips, 3)),
                "other": spread,
            },
            {
                "plain": random.uniform(0.5, 1, clips),
                "mirrored": random.uniform(0.5, 1, clips),
                "blurred": random.uniform(0.5, 1, clips),
                "other": random.uniform(0, 0.4, 60),
            },
        ),
        labels,
    )


def test_every_figure_of_an_evaluation(tmp_path: Path) -> None:
    good, labels = answers(3.0)
    poor, _ = answers(0.5)

    found = evaluate(
        {"poor": poor, "good": good},
        labels,
        SHOWS,
        baseline="poor",
        chosen="good",
        changed=["mirrored", "blurred"],
        unknown=["other"],
        bootstrap=QUICK,
    )

    gain = found.comparison.systems[1].gain
    assert gain is not None
    assert gain.excludes_zero
    assert gain.value > 0.2
    # Logits drawn so are calibrated times 3, these are times 9: the temperature finds that out.
    assert found.calibration["calibrated"].ece < found.calibration["as trained"].ece
    assert 2 < found.operating.temperature < 4
    mirrored, blurred = found.robustness.disturbances
    assert mirrored.change.value == 0
    assert blurred.change.value < -0.3
    # Nearness parts known from other without a mistake here, so it is chosen.
    assert found.operating.score == "nearest"
    assert (
        familiarity(good, "nearest training clip", 1.0)["plain"] < found.operating.threshold
    ).mean() <= 0.1
    assert {report.score for report in found.unknown} == {f"{score}: other" for score in SCORES}

    found.write(tmp_path)

    assert Operating.read(tmp_path / "evaluation.json") == found.operating
    assert "| good |" in (tmp_path / "evaluation.md").read_text()
    assert {path.name for path in tmp_path.glob("*.png")} == {
        "confusion.png",
        "reliability.png",
        "robustness.png",
        "shows.png",
        "unknown.png",
    }


def test_the_temperature_of_a_fold_is_fitted_on_the_others() -> None:
    held, labels = answers(3.0)
    spoiled = {name: values.copy() for name, values in held.logits.items()}
    spoiled["plain"][held.folds == 0] *= 100  # very sure in one fold
    changed = HeldOut(held.folds, spoiled, held.nearest)
    options = {"baseline": "it", "chosen": "it", "changed": [], "unknown": ["other"], "bootstrap": QUICK}

    before = evaluate({"it": held}, labels, SHOWS, **options)
    after = evaluate({"it": changed}, labels, SHOWS, **options)

    # The fold that was spoiled cannot talk its own confidence down.
    assert after.calibration["calibrated"].nll > before.calibration["calibrated"].nll + 0.5
