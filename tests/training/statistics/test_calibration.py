import json

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from training.statistics.calibration import (
    ece_by_chance,
    fit_temperature,
    measure_calibration,
    negative_log_likelihood,
    softmax,
)

logit_tables = arrays.arrays(np.float64, (12, 4), elements=st.floats(-30, 30))
label_lists = st.lists(st.integers(0, 3), min_size=12, max_size=12)


@given(logit_tables, label_lists)
def test_calibration_error_lies_between_zero_and_one(logits: NDArray[np.float64], labels: list[int]) -> None:
    report = measure_calibration(softmax(logits), labels)

    assert 0 <= report.ece <= 1
    assert 0 <= report.brier <= 2
    assert abs(report.accuracy - report.confidence) <= report.ece + 1e-12  # the bins cannot cancel less
    assert sum(part.clips for part in report.bins) == 12


def test_the_error_by_chance_shrinks_with_the_number_of_clips() -> None:
    generator = np.random.default_rng(2)
    bounds = []
    for clips in (6, 100, 1_000):
        below = 0
        for _ in range(40):
            probabilities = softmax(generator.normal(0, 2, (clips, 4)))
            labels = (probabilities.cumsum(axis=1) > generator.random((clips, 1))).argmax(axis=1)
            below += measure_calibration(probabilities, labels).ece <= ece_by_chance(probabilities)
        bounds.append(ece_by_chance(probabilities))
        assert below >= 36  # of 40, where hardly one is not expected

    assert bounds[0] > 0.3 > bounds[1] > 0.06 > bounds[2]


@given(logit_tables, label_lists)
def test_the_fit_never_raises_the_likelihood_loss(logits: NDArray[np.float64], labels: list[int]) -> None:
    fit = fit_temperature(logits, labels)

    before, after = (
        negative_log_likelihood(logits, labels, temperature=each) for each in (1.0, fit.temperature)
    )
    assert after <= before


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.5])
def test_the_fit_finds_a_known_scale(scale: float) -> None:
    generator = np.random.default_rng(1)
    logits = generator.normal(0, 2, (20_000, 5))
    labels = (logits + generator.gumbel(size=logits.shape)).argmax(axis=1)  # drawn from softmax(logits)

    fit = fit_temperature(logits * scale, labels)

    assert fit.temperature == pytest.approx(scale, rel=0.05)
    assert not fit.undetermined
    assert measure_calibration(softmax(logits * scale, temperature=fit.temperature), labels).ece < 0.02


def test_an_undetermined_temperature_is_reported() -> None:
    fit = fit_temperature([[2.0, 1.0], [1.0, 3.0]], [0, 1])  # all right: the surer the better

    assert fit.undetermined
    assert fit_temperature([[1.0, 1.0]], [0]).temperature == 1.0  # nothing to gain


def test_four_clips_by_hand() -> None:
    probabilities = [[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]]

    report = measure_calibration(probabilities, [0, 1, 1, 1])

    # 0.9: half right, off by 0.4; 0.6: all right, off by 0.4
    assert report.ece == pytest.approx(0.4)
    assert report.nll == pytest.approx(-np.log([0.9, 0.1, 0.6, 0.6]).mean())
    assert report.brier == pytest.approx((2 * 0.01 + 2 * 0.81 + 4 * 0.16) / 4)
    filled = [part for part in report.bins if part.clips]
    assert [(part.clips, part.confidence, part.accuracy.value) for part in filled] == [
        (2, pytest.approx(0.6), 1.0),
        (2, pytest.approx(0.9), 0.5),
    ]


def test_a_bin_includes_its_upper_end() -> None:
    report = measure_calibration([[0.8, 0.2], [0.81, 0.19]], [0, 0])  # 0.8 is 12 / 15

    assert [part.clips for part in report.bins[11:13]] == [1, 1]


def test_likelihood_agrees_with_scikit_learn() -> None:
    generator = np.random.default_rng(3)
    logits, labels = generator.normal(size=(100, 4)), generator.integers(0, 4, 100)

    report = measure_calibration(softmax(logits), labels)

    assert report.nll == pytest.approx(sklearn.metrics.log_loss(labels, softmax(logits), labels=range(4)))
    assert report.nll == pytest.approx(negative_log_likelihood(logits, labels))


def test_a_report_becomes_json_and_markdown() -> None:
    report = measure_calibration([[1.0, 0.0], [1.0, 0.0]], [0, 1])

    stored = json.loads(json.dumps(report.to_json(), allow_nan=False))

    assert stored["nll"] is None  # infinite: the truth was given 0
    assert stored["bins"][0]["confidence"] is None
    assert "| 0.93 to 1.00 | 2 | 1.000 |" in report.markdown()


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        measure_calibration([[0.5, 0.4]], [0])
    with pytest.raises(ValueError, match="sum to 1"):
        measure_calibration([[1.5, -0.5]], [0])
    with pytest.raises(ValueError, match="temperature must be above 0"):
        softmax([[1.0, 2.0]], temperature=0)
