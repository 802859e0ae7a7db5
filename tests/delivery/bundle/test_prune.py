"""Pruning rules on a small folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from delivery.bundle.prune import Pruned, Rule, prune, read_rules
from delivery.errors import StaleRule


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three files of a package, one of them deep."""
    for name in ("one/a.py", "one/a.pyi", "one/deep/er/b.pyi"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1234")
    return tmp_path


def test_a_file_counts_for_the_first_rule_that_matches_it(folder: Path) -> None:
    rules = [Rule("deep", ("one/deep/*",)), Rule("types", ("*.pyi",))]

    pruned = prune(folder, rules)

    assert pruned == [Pruned("deep", 1, 4), Pruned("types", 1, 4)]
    assert sorted(path.name for path in folder.rglob("*")) == ["a.py", "one"]  # and no empty folder


def test_a_rule_without_a_match_is_reported_and_nothing_is_deleted(folder: Path) -> None:
    rules = [Rule("types", ("*.pyi",)), Rule("gone", ("two/*", "*.py"))]

    with pytest.raises(StaleRule, match=r"match nothing in these wheels: two/\* \(gone\)"):
        prune(folder, rules)

    assert len([path for path in folder.rglob("*") if path.is_file()]) == 3


def test_no_reason_and_no_pattern_occurs_twice() -> None:
    rules = read_rules()

    assert len({rule.why for rule in rules}) == len(rules) > 10
    patterns = [pattern for rule in rules for pattern in rule.files]
    assert len(set(patterns)) == len(patterns)
