"""Rows dealt into parts that share no scene: **rows** -> components -> **a part for each row**.

GIFs of one group show the same seconds, and GIFs of one source share its look; a model that saw one of them
has half seen the others. So whole components are dealt out: what hangs together by group or by source,
directly or through others.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.data.manifest import Row
from training.errors import SplitImpossible

By = Literal["source", "group"]


def components(rows: Sequence[Row], by: By = "source") -> NDArray[np.intp]:
    """Number what hangs together.

    Args:
        rows: of a manifest.
        by: "source" joins rows of one source or one group; "group" joins rows of one group only.

    Returns:
        int [row], numbered from 0 in the order of their first row.
    """
    parent: dict[Hashable, Hashable] = {}

    def root(node: Hashable) -> Hashable:
        while (above := parent.setdefault(node, node)) != node:
            parent[node] = parent[above]
            node = above
        return node

    for row in rows:
        if by == "source":
            parent[root(("source", row.source))] = root(("group", row.group))
    numbers: dict[Hashable, int] = {}
    return np.array(
        [numbers.setdefault(root(("group", row.group)), len(numbers)) for row in rows], dtype=np.intp
    )


def folds(rows: Sequence[Row], k: int, *, by: By = "source", seed: int = 0) -> NDArray[np.intp]:
    """Deal rows into k parts of like size and like shows, whole components each.

    Components are dealt from the largest on, each to the part where the sum over shows of the squared shares
    grows least; equal choices are drawn by the seed. Every row counts as a share of its show, so that a small
    show is spread as carefully as a large one.

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
            cost[~empty] = np.inf  # one component is left for each part that has none
        cheapest = np.flatnonzero(np.isclose(cost, cost.min(), atol=1e-12))
        fold_of[component] = rng.choice(cheapest)
        filled[fold_of[component]] += table[component]
    return fold_of[parts]


def holdout(rows: Sequence[Row], fraction: float, *, by: By = "group", seed: int = 0) -> NDArray[np.bool_]:
    """Set aside about this fraction of each show, whole components, leaving some of every show.

    Returns:
        bool [row], True for what is set aside; never all rows of a show.

    Raises:
        SplitImpossible: the fraction is not between 0 and 1, or nothing can be set aside.
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
    """The share that each component holds of each show, float64 [component, show].

    All that is of none of the shows counts as one more show.
    """
    shows, labels = np.unique(["" if row.other else row.show for row in rows], return_inverse=True)
    table = np.zeros((int(parts.max()) + 1, len(shows)))
    np.add.at(table, (parts, labels), 1)
    return np.asarray(table / table.sum(axis=0))
