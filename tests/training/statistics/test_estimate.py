import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from training.statistics import estimate as module
from training.statistics.estimate import Bootstrap, Estimate, weighted_mean, wilson

outcomes = st.lists(st.booleans(), min_size=2, max_size=60)


@given(outcomes)
def test_the_mean_lies_within_its_interval(values: list[bool]) -> None:
    found = Bootstrap(resamples=2_000).estimate(weighted_mean(values), len(values))

    assert found.value == pytest.approx(np.mean(values))
    assert found.low <= found.value + 1e-12
    assert found.high >= found.value - 1e-12


def test_the_interval_agrees_with_scipy() -> None:
    values = np.random.default_rng(1).normal(size=200)

    found = Bootstrap().estimate(weighted_mean(values), len(values))

    theirs = scipy.stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=10_000, rng=np.random.default_rng(2)
    ).confidence_interval
    spread = theirs.high - theirs.low
    assert found.low == pytest.approx(theirs.low, abs=0.05 * spread)
    assert found.high == pytest.approx(theirs.high, abs=0.05 * spread)


def test_copies_of_a_clip_in_one_group_do_not_narrow_the_interval() -> None:
    values = np.random.default_rng(3).random(40) < 0.7
    copies = np.repeat(values, 5)
    scenes = np.repeat([f"scene {index}" for index in range(40)], 5)

    alone = Bootstrap().estimate(weighted_mean(values), 40)
    grouped = Bootstrap().estimate(weighted_mean(copies), 200, groups=scenes)
    ungrouped = Bootstrap().estimate(weighted_mean(copies), 200)

    assert grouped == alone  # the same seed draws the same groups
    assert ungrouped.high - ungrouped.low < 0.6 * (grouped.high - grouped.low)


def test_strata_keep_their_size() -> None:
    strata = np.array([0, 0, 0, 1, 1, 1, 1])

    found = Bootstrap(resamples=500).estimate(weighted_mean(strata), 7, strata=strata)

    assert (found.low, found.high) == (pytest.approx(4 / 7), pytest.approx(4 / 7))


def test_a_seed_repeats_and_another_differs() -> None:
    values = np.random.default_rng(5).normal(size=50)

    first, again, other = (
        Bootstrap(resamples=300, seed=s).estimate(weighted_mean(values), 50) for s in (1, 1, 2)
    )

    assert first == again
    assert first.low != other.low


def test_the_size_of_a_chunk_changes_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(6).normal(size=31)
    strata = np.arange(31) % 2
    found = Bootstrap(resamples=1_001).estimate(weighted_mean(values), 31, strata=strata)

    monkeypatch.setattr(module, "CHUNK", 7)

    assert Bootstrap(resamples=1_001).estimate(weighted_mean(values), 31, strata=strata) == found


def test_one_group_gives_no_interval() -> None:
    found = Bootstrap().estimate(weighted_mean([1, 0]), 2, groups=["a", "a"])

    assert found.value == 0.5
    assert np.isnan([found.low, found.high]).all()
    assert str(found) == "0.500"
    assert not found.excludes_zero


def test_wilson_by_hand() -> None:
    found = wilson(3, 3)

    z2 = 1.959963984540054**2  # of n successes in n trials the interval is [n / (n + z²), 1]
    assert found.low == pytest.approx(3 / (3 + z2))
    assert found.high == pytest.approx(1.0)
    assert np.isnan(wilson(0, 0).value)
    with pytest.raises(ValueError, match="4 successes of 3 trials"):
        wilson(4, 3)


def test_estimates_as_text() -> None:
    assert str(Estimate(0.5, 0.25, 0.75)) == "0.500 [0.250, 0.750]"
    assert Estimate(0.05, -0.01, 0.11).signed() == "+0.050 [-0.010, +0.110]"
    assert Estimate(-0.05, -0.11, -0.01).excludes_zero


@pytest.mark.parametrize(
    ("clips", "groups", "message"), [(0, None, "no clips"), (3, ["a", "b"], r"groups must have shape \(3,\)")]
)
def test_bad_input_is_refused(clips: int, groups: list[str] | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Bootstrap().estimate(weighted_mean(np.ones(clips)), clips, groups=groups)


def test_no_resamples_are_refused() -> None:
    with pytest.raises(ValueError, match="resamples must be at least 1"):
        Bootstrap(resamples=0)
