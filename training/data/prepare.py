"""What is learned from and what is tested on: **clips of a manifest** -> deal -> **a manifest of each part**.

Whole sources, or whole groups, are set apart for testing: no group stands in two parts, and a GIF that comes
twice comes once. Shows that the model must not know make up a part of their own.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from training.data.clips import Clips, SetAside
from training.data.manifest import Row
from training.data.splits import By, holdout
from training.errors import InvalidOptions, SplitImpossible
from training.files import write_csv, write_json
from training.settings import section

TRAIN, EVALUATION, UNKNOWN, SET_ASIDE, SUMMARY = (
    "train.csv",
    "evaluation.csv",
    "unknown.csv",
    "set-aside.csv",
    "summary.json",
)


@dataclass(frozen=True)
class PrepareOptions:
    """How a manifest is dealt.

    Attributes:
        holdout: share of each show that is tested on, between 0 and 1.
        by: what is kept together: "source", or "group" where each show has one source only.
        unknown: shows that are not learned from, to test whether the model says that it does not know.
        seed: of the draw.
    """

    holdout: float = 0.25
    by: By = "source"
    unknown: tuple[str, ...] = field(default_factory=tuple)
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.holdout < 1:
            raise InvalidOptions("prepare.holdout", expected="between 0 and 1", found=str(self.holdout))
        if self.by not in get_args(By):
            raise InvalidOptions("prepare.by", expected="source or group", found=str(self.by))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> PrepareOptions:
        """Read settings; what is not named keeps its default.

        Raises:
            InvalidOptions: a name is unknown, or a value is out of its range or of another kind.
        """
        known = {entry.name for entry in dataclasses.fields(cls)}
        if strangers := sorted(set(values) - known):
            raise InvalidOptions("prepare", expected=f"of {', '.join(sorted(known))}", found=strangers[0])
        try:
            return cls(**{**values, "unknown": tuple(values.get("unknown") or ())})
        except TypeError as error:
            raise InvalidOptions("prepare", expected="values of their kinds", found=str(error)) from error

    @classmethod
    def read(cls, path: Path) -> PrepareOptions:
        """Read the section `prepare` of a YAML file, in which every name has a default.

        Raises:
            InvalidOptions: as `from_json`; also when the file cannot be read.
        """
        return cls.from_json(section(path, "prepare"))


@dataclass(frozen=True, eq=False)
class Prepared:
    """A manifest, dealt.

    Attributes:
        train: to learn from.
        evaluation: to test on, of the same shows.
        unknown: of shows that are not learned from; None where none were named.
        set_aside: what is in none of them.
    """

    train: Clips
    evaluation: Clips
    unknown: Clips | None
    set_aside: tuple[SetAside, ...]

    def summary(self) -> dict[str, Any]:
        """Clips, shows, sources and digest of each part."""
        parts = {"train": self.train, "evaluation": self.evaluation, "unknown": self.unknown}
        return {
            name: {
                "clips": len(clips),
                "shows": len(clips.shows),
                "groups": len({row.group for row in clips.rows}),
                "sources": len({row.source for row in clips.rows}),
                "sha256": clips.digest,
            }
            for name, clips in parts.items()
            if clips is not None
        } | {"set_aside": len(self.set_aside)}

    def write(self, folder: Path) -> None:
        """Write a manifest of each part, set-aside.csv and summary.json."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, clips in ((TRAIN, self.train), (EVALUATION, self.evaluation), (UNKNOWN, self.unknown)):
            rows = clips.rows if clips else ()
            table = [
                (_relative(row.path, folder), row.show, row.group, row.source, digest)
                for row, digest in zip(rows, clips.digests if clips else (), strict=True)
            ]
            write_csv(folder / name, ("path", "show", "group", "source", "sha256"), table)
        aside = [
            (_relative(each.row.path, folder), each.row.show, each.reason, each.message)
            for each in self.set_aside
        ]
        write_csv(folder / SET_ASIDE, ("path", "show", "reason", "message"), aside)
        write_json(folder / SUMMARY, self.summary())


def prepare(clips: Clips, options: PrepareOptions) -> Prepared:
    """Deal decoded clips.

    Raises:
        InvalidOptions: a show that is named as unknown is not among the clips.
        SplitImpossible: nothing can be set apart without losing half a show, or nothing is left.
    """
    if strangers := sorted(set(options.unknown) - set(clips.shows)):
        shows = ", ".join(clips.shows)
        raise InvalidOptions("prepare.unknown", expected=f"of {shows}", found=strangers[0])
    kept, doubled = _once(clips)
    known = [index for index in kept if clips.rows[index].show not in options.unknown]
    unknown = [index for index in kept if clips.rows[index].show in options.unknown]
    if not known:
        raise SplitImpossible("every show is named as unknown")
    held = holdout([clips.rows[i] for i in known], options.holdout, by=options.by, seed=options.seed)
    return Prepared(
        train=clips.choose([index for index, out in zip(known, held, strict=True) if not out]),
        evaluation=clips.choose([index for index, out in zip(known, held, strict=True) if out]),
        unknown=clips.choose(unknown) if unknown else None,
        set_aside=(*clips.set_aside, *doubled),
    )


def _once(clips: Clips) -> tuple[list[int], list[SetAside]]:
    """Each GIF once; one that stands under two shows not at all, for nobody knows which it is of."""
    shows: dict[str, set[str]] = {}
    for row, digest in zip(clips.rows, clips.digests, strict=True):
        shows.setdefault(digest, set()).add(row.show)
    kept: list[int] = []
    aside: list[SetAside] = []
    seen: dict[str, Row] = {}
    for index, (row, digest) in enumerate(zip(clips.rows, clips.digests, strict=True)):
        if len(shows[digest]) > 1:
            names = ", ".join(sorted(shows[digest]))
            aside.append(SetAside(row, "SEVERAL_SHOWS", f"the same GIF is under {names}"))
        elif digest in seen:
            aside.append(SetAside(row, "DUPLICATE", f"the same GIF as {seen[digest].path.name}"))
        else:
            seen[digest] = row
            kept.append(index)
    return kept, aside


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
