"""The surest answers, counted."""

import pytest

from training.statistics.coverage import measure_coverage


def test_the_surest_come_first_and_others_are_counted_at_the_same_sureness() -> None:
    report = measure_coverage([True, False, True, True], [0.9, 0.2, 0.8, 0.5], [0.85, 0.1])

    assert report.answered == pytest.approx((0.25, 0.5, 0.75, 1.0))
    assert report.accuracy == pytest.approx((1, 1, 1, 0.75))
    assert report.others == pytest.approx((0, 0.5, 0.5, 0.5))
    assert "0.750" in report.markdown()


def test_without_other_things_there_is_nothing_to_count() -> None:
    report = measure_coverage([True], [0.5], [])

    assert report.others == ()
    assert report.tables()[0].rows[-1][-1] == "-"
