import json

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from training.statistics.estimate import Bootstrap
from training.statistics.openset import (
    auroc,
    choose_threshold,
    energy,
    largest_probability,
    measure_unknown,
    nearest_similarity,
    unknown_table,
)

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
def test_the_threshold_is_the_largest_that_keeps_the_promise(known: list[float], refused: float) -> None:
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
    training = [[5.0, 0.0], [0.0, 2.0]]
    assert nearest_similarity([[1.0, 1.0], [0.0, -3.0]], training) == pytest.approx([np.sqrt(0.5), 0.0])
    assert nearest_similarity([[0.0, -3.0]], training, k=2) == pytest.approx([-1.0])


@pytest.mark.parametrize("k", [1, 3])
def test_similarity_agrees_with_scikit_learn(k: int) -> None:
    generator = np.random.default_rng(1)
    embeddings, training = generator.normal(size=(20, 6)), generator.normal(size=(50, 6))

    distance, _ = NearestNeighbors(n_neighbors=k, metric="cosine").fit(training).kneighbors(embeddings)

    assert nearest_similarity(embeddings, training, k=k) == pytest.approx(1 - distance[:, -1])


def test_large_logits_overflow_nothing() -> None:
    assert energy([[1e4, 0.0]]) == pytest.approx([1e4])
    assert largest_probability([[1e4, 0.0]]) == pytest.approx([1.0])


def test_known_and_unknown_measured() -> None:
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
    json.dumps(report.to_json(), allow_nan=False)
    assert "| energy | 300 | 120 |" in report.markdown()
    assert len(unknown_table([report, report]).rows) == 2


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
    with pytest.raises(ValueError, match="length 0"):
        nearest_similarity([[0.0, 0.0]], [[1.0, 0.0]])
    with pytest.raises(ValueError, match="dimensions"):
        nearest_similarity([[1.0, 0.0]], [[1.0, 0.0, 0.0]])
    with pytest.raises(ValueError, match=r"k must lie in 1\.\.1"):
        nearest_similarity([[1.0, 0.0]], [[1.0, 0.0]], k=2)
    with pytest.raises(ValueError, match=r"refused must lie in \[0, 1\)"):
        choose_threshold([1.0], refused=1.0)
    with pytest.raises(ValueError, match="temperature must be above 0"):
        energy([[1.0]], temperature=-1)
