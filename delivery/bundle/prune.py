"""Deletes from a folder what the function never uses, by the rules of prune.toml."""

from __future__ import annotations

import fnmatch
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from delivery.errors import StaleRule

RULES = Path(__file__).with_name("prune.toml")


@dataclass(frozen=True)
class Rule:
    """Files that are left out, and why."""

    why: str  # the reason in one line
    # patterns of paths relative to the folder; `*` matches any characters, slashes too
    files: tuple[str, ...]


@dataclass(frozen=True)
class Pruned:
    """What one rule left out: how many files, and their bytes."""

    why: str
    files: int
    size_bytes: int


def read_rules(path: Path = RULES) -> list[Rule]:
    """Read the rules, in their order."""
    rules = tomllib.loads(path.read_text("utf-8"))["rule"]
    return [Rule(rule["why"], tuple(rule["files"])) for rule in rules]


def prune(folder: Path, rules: Sequence[Rule]) -> list[Pruned]:
    """Delete the files that the rules match; each counts for the first rule that matches it.

    Raises:
        StaleRule: a pattern matches no file; nothing was deleted.
    """
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    matched = {rule.why: _match(rule, list(files)) for rule in rules}
    stale = [f"{pattern} ({why})" for why, found in matched.items() for pattern, names in found if not names]
    if stale:
        raise StaleRule(", ".join(stale))
    pruned = []
    for why, found in matched.items():
        named = sorted({name for _, names in found for name in names if name in files})
        paths = [files.pop(name) for name in named]
        pruned.append(Pruned(why, len(paths), sum(path.stat().st_size for path in paths)))
        for path in paths:
            path.unlink()
    for path in sorted(folder.rglob("*"), reverse=True):  # an empty folder could still be imported
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    return pruned


def _match(rule: Rule, names: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Each pattern of a rule with the names that it matches."""
    compiled = [(pattern, re.compile(fnmatch.translate(pattern))) for pattern in rule.files]
    return [(pattern, [name for name in names if found.match(name)]) for pattern, found in compiled]
