import itertools
import json

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from training.statistics.estimate import Bootstrap
from training.statistics.metrics import (
    confusion_matrix,
    macro_f1,
    mean_of_shows,
    measure_accuracy,
    measure_coverage,
    top_k_correct,
)

QUICK = Bootstrap(resamples=500)
SHOWS = ("Friends", "The [Office]", "Tom | Jerry")

# Five clips of three shows, worked by hand: 0 right, 0 named 1, 1 right, 1 named 2, 1 named 2.
PROBABILITIES = np.array(
    [[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.1, 0.8, 0.1], [0.1, 0.4, 0.5], [0.4, 0.1, 0.5]]
)
LABELS = np.array([0, 0, 1, 1, 1])


@st.composite
def clips(draw: st.DrawFn) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    number, shows = draw(st.integers(1, 30)), draw(st.integers(1, 6))
    # Few distinct scores: ties are the rule here.
    scores = draw(arrays.arrays(np.int64, (number, shows), elements=st.integers(0, 5)))
    labels = draw(arrays.arrays(np.int64, number, elements=st.integers(0, shows - 1)))
    return scores.astype(np.float64), labels


@given(clips())
def test_top_k_grows_with_k_up_to_one(sample: tuple[NDArray[np.float64], NDArray[np.int64]]) -> None:
    scores, labels = sample
    shows = scores.shape[1]

    right = [top_k_correct(scores, labels, k) for k in range(1, shows + 2)]

    assert all((larger >= smaller).all() for smaller, larger in itertools.pairwise(right))
    assert (right[0] == (scores.argmax(axis=1) == labels)).all()
    assert right[shows - 1].all()


@given(clips())
def test_statistics_agree_with_scikit_learn(sample: tuple[NDArray[np.float64], NDArray[np.int64]]) -> None:
    scores, labels = sample
    weights = np.random.default_rng(0).integers(0, 3, (4, len(labels))).astype(np.float64)
    weights[:, 0] += 1
    named = scores.argmax(axis=1)

    ours_f1, ours_recall = macro_f1(scores, labels)(weights), mean_of_shows(scores, labels)(weights)

    for row, f1, recall in zip(weights, ours_f1, ours_recall, strict=True):
        picks = np.repeat(np.arange(len(labels)), row.astype(int))
        present = np.unique(labels[picks])
        options = {"labels": present, "average": "macro", "zero_division": 0}
        assert f1 == pytest.approx(sklearn.metrics.f1_score(labels[picks], named[picks], **options))
        assert recall == pytest.approx(sklearn.metrics.recall_score(labels[picks], named[picks], **options))


def test_five_clips_by_hand() -> None:
    report = measure_accuracy(PROBABILITIES, LABELS, SHOWS, bootstrap=QUICK)

    assert report.top(1).value == pytest.approx(2 / 5)
    assert report.top(3).value == 1
    assert top_k_correct(PROBABILITIES, LABELS, 2).sum() == 4  # the last clip gives its own show the least
    assert report.confusion == ((1, 1, 0), (0, 1, 2), (0, 0, 0))
    assert report.mean_of_shows.value == pytest.approx((1 / 2 + 1 / 3) / 2)  # the third show has no clips
    assert report.macro_f1.value == pytest.approx((2 / 3 + 2 / 5) / 2)
    friends, office, cartoon = report.per_show
    assert (friends.clips, friends.precision, friends.confused_with) == (2, 1.0, "The [Office]")
    assert (office.recall.value, office.precision) == (pytest.approx(1 / 3), 0.5)
    assert (office.confused_with, office.confused_clips) == ("Tom | Jerry", 2)
    assert (cartoon.clips, cartoon.precision, cartoon.f1, cartoon.confused_with) == (0, 0.0, 0.0, None)
    assert np.isnan(cartoon.recall.value)


def test_per_show_figures_agree_with_scikit_learn() -> None:
    generator = np.random.default_rng(2)
    scores, labels = generator.random((200, 5)), generator.integers(0, 5, 200)

    report = measure_accuracy(scores, labels, list("abcde"), bootstrap=QUICK)

    precision, recall, f1, support = sklearn.metrics.precision_recall_fscore_support(
        labels, scores.argmax(axis=1), labels=range(5)
    )
    assert [show.precision for show in report.per_show] == pytest.approx(precision)
    assert [show.recall.value for show in report.per_show] == pytest.approx(recall)
    assert [show.f1 for show in report.per_show] == pytest.approx(f1)
    assert [show.clips for show in report.per_show] == support.tolist()
    assert np.array_equal(report.confusion, confusion_matrix(scores, labels))


def test_groups_widen_the_interval() -> None:
    generator = np.random.default_rng(3)
    labels = np.repeat(generator.integers(0, 3, 30), 10)
    scores = np.repeat(generator.random((30, 3)), 10, axis=0)
    groups = np.repeat(np.arange(30), 10)

    alone = measure_accuracy(scores, labels, SHOWS, bootstrap=QUICK)
    grouped = measure_accuracy(scores, labels, SHOWS, groups=groups, bootstrap=QUICK)

    assert grouped.units == 30
    assert grouped.top(1).value == alone.top(1).value
    assert grouped.top(1).high - grouped.top(1).low > 2 * (alone.top(1).high - alone.top(1).low)
    assert "by 30 groups" in grouped.markdown()


def test_a_report_becomes_json_and_markdown() -> None:
    report = measure_accuracy(PROBABILITIES, LABELS, SHOWS, bootstrap=QUICK)

    stored = json.loads(json.dumps(report.to_json(), allow_nan=False))

    assert stored["top_k"][0]["k"] == 1
    assert stored["top_k"][0]["accuracy"]["value"] == pytest.approx(0.4)
    assert stored["per_show"][2]["recall"]["value"] is None
    assert r"Tom \| Jerry (2)" in report.markdown()
    with pytest.raises(KeyError):
        report.top(7)


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        (np.ones((0, 3)), [], "at least one of each"),
        (np.ones(3), [0], "shape"),
        ([[np.nan, 1.0]], [0], "finite"),
        (np.ones((2, 3)), [0], "labels must have shape"),
        (np.ones((2, 3)), [0, 3], r"0\.\.2"),
        (np.ones((2, 3)), [-1, 0], r"0\.\.2"),
        (np.ones((2, 3)), [0.0, 1.0], "integers"),
    ],
)
def test_bad_input_is_refused(scores: NDArray[np.float64], labels: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        top_k_correct(scores, labels, 1)


def test_names_must_fit_the_columns() -> None:
    with pytest.raises(ValueError, match="2 names of shows for 3 columns"):
        measure_accuracy(PROBABILITIES, LABELS, ["a", "b"])
    with pytest.raises(ValueError, match="k must be at least 1"):
        top_k_correct(PROBABILITIES, LABELS, 0)


def test_coverage_counts_the_surest_first() -> None:
    report = measure_coverage([True, False, True, True], [0.9, 0.2, 0.8, 0.5], [0.85, 0.1])

    assert report.answered == pytest.approx((0.25, 0.5, 0.75, 1.0))
    assert report.accuracy == pytest.approx((1, 1, 1, 0.75))
    assert report.others == pytest.approx((0, 0.5, 0.5, 0.5))
    assert "0.750" in report.markdown()


def test_coverage_without_other_things() -> None:
    report = measure_coverage([True], [0.5], [])

    assert report.others == ()
    assert report.tables()[0].rows[-1][-1] == "-"
