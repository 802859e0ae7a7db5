"""Splits the rows of a manifest into parts that share no scene and no source.

GIFs of one group show the same seconds, and GIFs of one source have a common look; a model that learned from
one of them is not tested fairly on the others. So whole components are assigned to parts: rows that are
connected by a group or a source, directly or through other rows.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from training.data.manifest import Row
from training.errors import SplitImpossible

By = Literal["source", "group"]


def components(rows: Sequence[Row], by: By = "source") -> NDArray[np.intp]:
    """Number the connected components of rows.

    Args:
        rows: of a manifest.
        by: "source" joins rows of one source or one group; "group" joins rows of one group only.

    Returns:
        int [row], numbered from 0 in the order of their first row.
    """
    links = same([row.group for row in rows])
    if by == "source":
        links += same([row.source for row in rows])
    return number_components(len(rows), links)


def number_components(count: int, links: Sequence[tuple[int, int]]) -> NDArray[np.intp]:
    """Number the connected components of a graph.

    Args:
        count: of the nodes.
        links: pairs of nodes.

    Returns:
        int [count], numbered from 0 in the order of their first member.
    """
    first, second = np.array(links, dtype=np.intp).reshape(-1, 2).T
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    _, firsts, places = np.unique(labels, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(firsts))[places], dtype=np.intp)


def same(values: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Return pairs of positions that link all positions of each value."""
    first: dict[Hashable, int] = {}
    places = ((first.setdefault(value, place), place) for place, value in enumerate(values))
    return [pair for pair in places if pair[0] != pair[1]]


def folds(rows: Sequence[Row], k: int, *, by: By = "source", seed: int = 0) -> NDArray[np.intp]:
    """Split rows into k parts of similar size and similar shows, in whole components.

    Components are assigned from the largest on, each to the part where the sum over shows of the squared
    shares grows least; ties are drawn by the seed. Every row counts as a share of its show, so that a small
    show is spread as evenly as a large one.

    Returns:
        int [row], the part in 0..k-1; no part is empty.

    Raises:
        SplitImpossible: k is below 2, or there are fewer than k components.
    """
    parts = components(rows, by)
    count = int(parts.max(initial=-1)) + 1
    if k < 2:
        raise SplitImpossible(f"{k} folds, at least 2 are needed")
    if count < k:
        raise SplitImpossible(f"{k} folds of {count} independent {by}s")
    table = _shares(rows, parts)
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(count), -np.bincount(parts)))
    filled = np.zeros((k, table.shape[1]))
    fold_of = np.empty(count, dtype=np.intp)
    for dealt, component in enumerate(order):
        cost = ((filled + table[component]) ** 2).sum(axis=1) - (filled**2).sum(axis=1)
        if count - dealt <= (empty := (filled.sum(axis=1) == 0)).sum():
            cost[~empty] = np.inf  # exactly one component is left for each empty part
        cheapest = np.flatnonzero(np.isclose(cost, cost.min(), atol=1e-12))
        fold_of[component] = rng.choice(cheapest)
        filled[fold_of[component]] += table[component]
    return fold_of[parts]


def holdout(rows: Sequence[Row], fraction: float, *, by: By = "group", seed: int = 0) -> NDArray[np.bool_]:
    """Hold out about this fraction of each show, in whole components, and keep some of every show.

    Returns:
        bool [row], True for rows held out; never all rows of a show.

    Raises:
        SplitImpossible: the fraction is not between 0 and 1, or nothing can be held out.
    """
    if not 0 < fraction < 1:
        raise SplitImpossible(f"a holdout of {fraction}, it must lie between 0 and 1")
    parts = components(rows, by)
    table = _shares(rows, parts)
    rng = np.random.default_rng(seed)
    held = np.zeros(table.shape[1])
    chosen = np.zeros(len(table), dtype=bool)
    for component in rng.permutation(len(table)):
        after = held + table[component]
        # At most half as much again of any show, but a show of few components may give one of them.
        allowed = np.maximum(1.5 * fraction, np.where(held == 0, 0.5, 0))
        if (after <= allowed + 1e-9)[table[component] > 0].all() and (held < fraction)[
            table[component] > 0
        ].any():
            chosen[component] = True
            held = after
    if not chosen.any():
        raise SplitImpossible(f"no {by} can be set aside without losing half a show")
    return np.asarray(chosen[parts])


def _shares(rows: Sequence[Row], parts: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the share of each show that each component has, float64 [component, show].

    Rows of none of the shows count as one more show.
    """
    shows, labels = np.unique(["" if row.other else row.show for row in rows], return_inverse=True)
    table = np.zeros((int(parts.max()) + 1, len(shows)))
    np.add.at(table, (parts, labels), 1)
    return np.asarray(table / table.sum(axis=0))
