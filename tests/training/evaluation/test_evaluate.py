"""Figures from held-out answers whose truth is known because the test drew them."""

from pathlib import Path

import numpy as np
import pytest

from services.inference import Verdict
from training.data.clips import Clips
from training.data.manifest import Row
from training.evaluation.evaluate import LEARNED, evaluate
from training.evaluation.levels import measure_levels, verdicts_in_folds
from training.fit.crossvalidate import HeldOut
from training.fit.operating import Operating
from training.statistics.estimate import Bootstrap

SHOWS = ("Ada", "Bea", "Cem")
KINDS = {"Ada": "live action", "Bea": "live action", "Cem": "cartoon"}
QUICK = Bootstrap(resamples=200)
CLIPS, SAMPLE = 320, np.arange(0, 240, 2)


def clips() -> Clips:
    """240 clips of three shows and 80 of other things, two of each source."""
    labels = np.random.default_rng(1).integers(3, size=240)
    rows = [
        Row(Path(f"{n}.gif"), SHOWS[label], str(n), f"source{n // 2}", KINDS[SHOWS[label]])
        for n, label in enumerate(labels)
    ]
    rows += [Row(Path(f"{n}.gif"), "x", str(n), f"source{n // 2}", other=True) for n in range(240, CLIPS)]
    return Clips(tuple(rows), tuple(map(str, range(CLIPS))), tuple(row.path for row in rows))


def answers(skill: float, *, seed: int = 0) -> HeldOut:
    """Answers that are right as often as the skill says; each clip's ten frames say the same."""
    random = np.random.default_rng(seed)
    labels = clips().labels

    def framed(logits: np.ndarray) -> np.ndarray:
        return np.repeat((logits * 9).astype(np.float32)[:, np.newaxis], 10, axis=1)

    logits = random.normal(size=(CLIPS, 4)) + skill * np.eye(4)[labels]
    return HeldOut(
        np.arange(CLIPS) % 4,
        labels,
        np.ones(CLIPS, bool),
        {
            "plain": framed(logits),
            "mirrored": framed(logits[SAMPLE]),
            "blurred": framed(random.normal(size=(len(SAMPLE), 4))),
            "left out": framed(random.normal(size=(30, 4)) + skill * np.eye(4)[[3] * 30]),
        },
    )


def test_every_figure_of_an_evaluation(tmp_path: Path) -> None:
    good, poor = answers(2.5), answers(0.5)

    found = evaluate(
        {"poor": poor, "good": good, "good, int8": good},
        clips(),
        baseline="poor",
        chosen="good",
        stand_in="good, int8",
        changed={"mirrored": SAMPLE, "blurred": SAMPLE},
        left_out="left out",
        mahalanobis=np.linspace(1, 0, CLIPS),
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
    assert found.agreement is not None
    assert found.agreement.passed
    learned = {report.score: report.auroc.value for report in found.unknown}
    assert learned[f"{LEARNED}: other things"] > 0.95
    assert learned[f"{LEARNED}: left out"] > 0.95
    assert learned["relative Mahalanobis, frozen: other things"] == 1.0  # drawn so
    known, others, _ = found.levels
    assert known.count == 240
    assert known.levels[0].right is not None
    assert known.levels[0].right.value > 0.85
    assert others.levels[0].share.value <= 0.15
    assert others.levels[0].right is None
    assert found.coverage.accuracy[0] == 1
    assert found.coverage.answered[-1] == 1
    assert sum(source.clips for source in found.sources) == 240

    found.write(tmp_path)

    assert Operating.read(tmp_path / "evaluation.json") == found.operating
    assert "| good |" in (tmp_path / "evaluation.md").read_text()
    assert {path.name for path in tmp_path.glob("*.png")} == {
        "confusion.png",
        "coverage.png",
        "reliability.png",
        "robustness.png",
        "shows.png",
        "unknown.png",
    }


def test_the_temperature_of_a_fold_is_fitted_on_the_others() -> None:
    held = answers(3.0)
    spoiled = {name: values.copy() for name, values in held.logits.items()}
    spoiled["plain"][held.fold == 0] *= 100  # very sure in one fold
    changed = HeldOut(held.fold, held.labels, held.learnable, spoiled)
    options = {"baseline": "it", "chosen": "it", "changed": {}, "bootstrap": QUICK}

    before = evaluate({"it": held}, clips(), **options)
    after = evaluate({"it": changed}, clips(), **options)

    # The fold that was spoiled cannot talk its own confidence down.
    assert after.calibration["calibrated"].nll > before.calibration["calibrated"].nll + 0.5


def test_the_thresholds_of_a_fold_are_found_on_the_others() -> None:
    held = answers(3.0)
    spoiled = held.logits["plain"].copy()
    spoiled[held.fold == 0] = -spoiled[held.fold == 0]  # all wrong in one fold
    changed = HeldOut(held.fold, held.labels, held.learnable, {"plain": spoiled})

    verdicts, _ = verdicts_in_folds(changed, SHOWS, None)
    named = np.array([verdict.level == "show" for verdict in verdicts])

    assert named[held.fold == 0].any()  # nothing told its thresholds that it is always wrong
    assert named.sum() < np.sum([each.level == "show" for each in verdicts_in_folds(held, SHOWS, None)[0]])


def test_an_answer_is_right_on_its_level() -> None:
    verdicts = [
        Verdict("show", ("Ada",)),
        Verdict("one_of", ("Bea", "Ada")),
        Verdict("kind", ("live action",)),
        Verdict("unknown"),
        Verdict("show", ("Bea",)),
    ]

    report = measure_levels("all", verdicts, ["Ada"] * 5, KINDS, groups=np.arange(5), bootstrap=QUICK)

    right = [None if level.right is None else level.right.value for level in report.levels]
    assert right == [0.5, 1.0, 1.0, None]
    assert [level.share.value for level in report.levels] == pytest.approx([0.4, 0.2, 0.2, 0.2])
