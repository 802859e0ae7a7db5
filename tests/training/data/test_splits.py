from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.paths import SHARED
from training.data.manifest import Row, read_manifest
from training.data.splits import components, folds, holdout, number_components
from training.errors import SplitImpossible

rows_of = st.lists(
    st.builds(
        Row,
        path=st.just(Path("x.gif")),
        show=st.sampled_from("ABC"),
        group=st.integers(0, 12).map(lambda n: f"g{n}"),
        source=st.integers(0, 8).map(lambda n: f"s{n}"),
    ),
    min_size=1,
    max_size=40,
)


@given(rows_of, st.integers(2, 5), st.integers(0, 3))
def test_no_group_and_no_source_is_in_two_folds(rows, k, seed):
    if components(rows).max() + 1 < k:
        with pytest.raises(SplitImpossible):
            folds(rows, k, seed=seed)
        return
    fold = folds(rows, k, seed=seed)
    assert set(fold) == set(range(k))
    for name in ("group", "source"):
        where: dict[str, int] = {}
        for row, number in zip(rows, fold, strict=True):
            assert where.setdefault(getattr(row, name), number) == number
    assert np.array_equal(fold, folds(rows, k, seed=seed))


@given(rows_of, st.floats(0.05, 0.5), st.sampled_from(["group", "source"]))
def test_a_holdout_keeps_groups_together_and_some_of_every_show(rows, fraction, by):
    try:
        held = holdout(rows, fraction, by=by)
    except SplitImpossible:
        return
    assert held.any()
    assert {row.show for row in rows} == {row.show for row, out in zip(rows, held, strict=True) if not out}
    for name in ("group", by):
        inside = {getattr(row, name) for row, out in zip(rows, held, strict=True) if out}
        outside = {getattr(row, name) for row, out in zip(rows, held, strict=True) if not out}
        assert not inside & outside


def test_sources_that_share_a_group_are_one_component():
    rows = [Row(Path("x"), "A", group, source) for group, source in ("1a", "1b", "2b", "3c")]
    assert components(rows).tolist() == [0, 0, 0, 1]
    assert components(rows, by="group").tolist() == [0, 0, 1, 2]


def test_even_components_make_even_folds():
    rows = [Row(Path("x"), show, f"{show}{n}", f"{show}{n}") for show in "AB" for n in range(6)]
    fold = folds(rows, 3)
    table = [
        [sum(r.show == s and f == k for r, f in zip(rows, fold, strict=True)) for k in range(3)] for s in "AB"
    ]
    assert table == [[2, 2, 2], [2, 2, 2]]


@pytest.mark.parametrize(
    ("split", "value"), [(folds, 0), (folds, 1), (folds, 5), *((holdout, v) for v in (0.0, 1.0, -1.0))]
)
def test_impossible_splits_are_refused(split, value):
    rows = [Row(Path("x"), "A", str(n), str(n)) for n in range(4)]
    with pytest.raises(SplitImpossible):
        split(rows, value)


edges = st.integers(1, 12).flatmap(
    lambda count: st.tuples(
        st.just(count),
        st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=15),
    )
)


@given(edges)
def test_connected_nodes_have_one_number(graph):
    count, pairs = graph
    reached = np.eye(count, dtype=bool)
    for first, second in pairs:
        reached[first, second] = reached[second, first] = True
    for through in range(count):  # Warshall's closure
        reached |= np.outer(reached[:, through], reached[through])

    numbers = number_components(count, pairs)

    assert (reached == (numbers[:, None] == numbers[None])).all()
    firsts = [numbers.tolist().index(number) for number in range(numbers.max() + 1)]
    assert firsts == sorted(firsts)
    assert number_components(0, []).tolist() == []


@pytest.mark.corpus
def test_the_footage_splits_into_twelve_folds_of_whole_sources():
    rows = read_manifest(SHARED / "shows/shows.csv")
    fold = folds(rows, 12)
    assert not {(r.source) for r, f in zip(rows, fold, strict=True) if f == 0} & {
        r.source for r, f in zip(rows, fold, strict=True) if f != 0
    }
    held = holdout(rows, 0.15)
    assert 0.1 < held.mean() < 0.2
