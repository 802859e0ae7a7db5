import json

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from training.statistics.estimate import Bootstrap
from training.statistics.openset import (
    auroc,
    choose_threshold,
    energy,
    kl_matching,
    largest_probability,
    measure_unknown,
    odds_of_shows,
    relative_mahalanobis,
    unknown_table,
)
from training.statistics.report import to_plain

QUICK = Bootstrap(resamples=500)
scores = st.lists(st.integers(-8, 8).map(float), min_size=1, max_size=40)  # ties are the rule
shares = st.floats(0, 0.99)


def area(known: list[float], unknown: list[float]) -> float:
    return float(auroc(known, unknown)(np.ones((1, len(known) + len(unknown))))[0])


@given(scores, scores)
def test_auroc_does_not_change_when_scores_are_stretched(known: list[float], unknown: list[float]) -> None:
    stretched = area([np.exp(x) for x in known], [np.exp(x) for x in unknown])

    assert stretched == pytest.approx(area(known, unknown))
    assert area(unknown, known) == pytest.approx(1 - area(known, unknown))


@given(scores, scores)
def test_auroc_agrees_with_scikit_learn(known: list[float], unknown: list[float]) -> None:
    weights = np.random.default_rng(0).integers(1, 4, (3, len(known) + len(unknown))).astype(np.float64)

    ours = auroc(known, unknown)(weights)

    truth = np.repeat([1, 0], [len(known), len(unknown)])
    for row, value in zip(weights, ours, strict=True):
        theirs = sklearn.metrics.roc_auc_score(truth, [*known, *unknown], sample_weight=row)
        assert value == pytest.approx(theirs)


@given(scores, shares)
def test_the_threshold_is_the_largest_that_refuses_few_enough(known: list[float], refused: float) -> None:
    threshold = choose_threshold(known, refused=refused)

    below = np.mean(np.array(known) < threshold)
    above = np.mean(np.array(known) < np.nextafter(threshold, np.inf))
    assert below <= refused + 1e-9
    assert above > refused - 1e-9


def test_ten_percent_of_ten_by_hand() -> None:
    assert choose_threshold([float(x) for x in range(10)], refused=0.10) == 1.0
    assert choose_threshold([float(x) for x in range(9)], refused=0.10) == 0.0
    assert choose_threshold([float(x) for x in range(100)], refused=0.29) == 29.0


def test_scores_by_hand() -> None:
    logits = [[0.0, 0.0], [np.log(3.0), 0.0]]

    assert largest_probability(logits) == pytest.approx([0.5, 0.75])
    assert energy(logits) == pytest.approx([np.log(2), np.log(4)])
    assert energy(logits, temperature=2.0) == pytest.approx([2 * np.log(2), 2 * np.log(np.sqrt(3) + 1)])
    assert largest_probability(logits, temperature=1e6) == pytest.approx([0.5, 0.5], abs=1e-5)
    assert odds_of_shows([[0.0, 0.0, 0.0], [5.0, 1.0, 2.0]]) == pytest.approx(
        [np.log(2), np.log(np.exp(5) + np.exp(1)) - 2]
    )


def test_an_answer_unlike_that_of_every_show_is_unfamiliar() -> None:
    typical = np.array([[4.0, 0.0, 0.0], [3.0, 0.5, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 4.0]])

    like_one, like_none = kl_matching([[3.5, 0.2, 0.0], [1.0, 1.0, 1.0]], typical, [0, 0, 1, 2])

    assert like_one > like_none
    assert kl_matching(typical[2:3], typical, [0, 0, 1, 2]) == pytest.approx([0], abs=1e-9)


def test_far_from_every_show_but_not_from_all_is_unfamiliar() -> None:
    generator = np.random.default_rng(1)
    labels = np.arange(120) % 3
    centres = generator.normal(size=(3, 8)) * 3
    training = centres[labels] + generator.normal(size=(120, 8)) * 0.3

    near = relative_mahalanobis(centres, training, labels)
    between = relative_mahalanobis(centres.mean(axis=0, keepdims=True), training, labels)

    assert near.min() > between.max()
    np.testing.assert_allclose(relative_mahalanobis(centres * 7, training, labels), near)  # length is nothing


def test_measures_of_known_and_unknown_clips() -> None:
    generator = np.random.default_rng(2)
    known, unknown = generator.normal(2, 1, 300), generator.normal(0, 1, 120)

    report = measure_unknown(known, unknown, score="energy", bootstrap=QUICK)

    truth = np.repeat([1, 0], [300, 120])
    assert report.auroc.value == pytest.approx(
        sklearn.metrics.roc_auc_score(truth, np.concatenate([known, unknown]))
    )
    assert report.auroc.low < report.auroc.value < report.auroc.high
    assert report.known_refused.value == pytest.approx(0.10)
    assert report.unknown_caught.value == pytest.approx((unknown < report.threshold).mean())
    assert report.curve.known_refused[0] == 0 and report.curve.unknown_caught[-1] == 1
    # The curve is the same area.
    assert np.trapezoid(report.curve.unknown_caught, report.curve.known_refused) == pytest.approx(
        report.auroc.value
    )
    json.dumps(to_plain(report), allow_nan=False)
    assert unknown_table([report, report]).markdown().count("| energy | 300 | 120 |") == 2


def test_groups_of_either_side_widen_the_interval() -> None:
    generator = np.random.default_rng(3)
    known, unknown = np.repeat(generator.normal(1, 1, 30), 8), np.repeat(generator.normal(0, 1, 15), 8)
    scenes, shows = np.repeat([f"scene {index}" for index in range(30)], 8), np.repeat(np.arange(15), 8)

    alone = measure_unknown(known, unknown, score="s", bootstrap=QUICK)
    grouped = measure_unknown(
        known, unknown, score="s", known_groups=scenes, unknown_groups=shows, bootstrap=QUICK
    )

    assert grouped.auroc.value == alone.auroc.value
    assert grouped.auroc.high - grouped.auroc.low > 2 * (alone.auroc.high - alone.auroc.low)


def test_a_threshold_chosen_elsewhere_is_kept() -> None:
    report = measure_unknown([1.0, 2.0, 3.0, 4.0], [0.0, 5.0], score="s", threshold=3.0, bootstrap=QUICK)

    assert report.threshold == 3.0
    assert report.known_refused.value == 0.5  # 3.0 itself is known
    assert report.unknown_caught.value == 0.5


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown must have shape"):
        measure_unknown([1.0], [], score="s")
    with pytest.raises(ValueError, match="known must be finite"):
        measure_unknown([np.nan], [1.0], score="s")
    with pytest.raises(ValueError, match=r"refused must lie in \[0, 1\)"):
        choose_threshold([1.0], refused=1.0)
    with pytest.raises(ValueError, match="temperature must be above 0"):
        energy([[1.0]], temperature=-1)
