"""Divides the clips of a manifest into those to learn from, to test on, and of shows to be unknown.

Whole sources or groups are held out for testing: no group is in two parts, and of several copies of a GIF one
is used. Shows that the model must not know are a part of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pydantic.dataclasses
from pydantic import ConfigDict, Field, Strict

from training.data.clips import Clips, SetAside
from training.data.manifest import Row
from training.data.splits import By, holdout
from training.errors import InvalidOptions, SplitImpossible
from training.files import relative_path, write_csv, write_json
from training.settings import checked, section

TRAIN, EVALUATION, UNKNOWN, SET_ASIDE = "train.csv", "evaluation.csv", "unknown.csv", "set-aside.csv"
SUMMARY = "summary.json"


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))
class PrepareOptions:
    """How to divide a manifest.

    Attributes:
        holdout: share of each show to test on, between 0 and 1.
        by: what stays together: "source", or "group" where each show has only one source.
        unknown: shows that are not learned from, to test whether the model answers that it does not know.
        seed: of the random choice.
    """

    holdout: Annotated[float, Field(gt=0, lt=1)] = 0.25
    by: By = "source"
    unknown: Annotated[tuple[str, ...], Strict(False)] = ()
    seed: int = 0

    @classmethod
    def read(cls, path: Path) -> PrepareOptions:
        """Read the section `prepare` of a YAML file, in which every setting has a default.

        Raises:
            InvalidOptions: the file cannot be read, a setting is unknown, or a value is out of its range or
                of the wrong type.
        """
        return checked(cls, section(path, "prepare"), "prepare")


@dataclass(frozen=True, eq=False)
class Prepared:
    """A divided manifest.

    Attributes:
        train: clips to learn from.
        evaluation: clips to test on, of the same shows.
        unknown: clips of shows that are not learned from; None for no such shows.
        set_aside: rows that are in none of these.
    """

    train: Clips
    evaluation: Clips
    unknown: Clips | None
    set_aside: tuple[SetAside, ...]

    def summary(self) -> dict[str, Any]:
        """Return the numbers of clips, shows, groups and sources, and the digest, of each part."""
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
                (relative_path(row.path, folder), row.show, row.group, row.source, digest)
                for row, digest in zip(rows, clips.digests if clips else (), strict=True)
            ]
            write_csv(folder / name, ("path", "show", "group", "source", "sha256"), table)
        aside = [
            (relative_path(each.row.path, folder), each.row.show, each.reason, each.message)
            for each in self.set_aside
        ]
        write_csv(folder / SET_ASIDE, ("path", "show", "reason", "message"), aside)
        write_json(folder / SUMMARY, self.summary())


def prepare(clips: Clips, options: PrepareOptions) -> Prepared:
    """Divide decoded clips.

    Raises:
        InvalidOptions: an unknown show is not among the clips.
        SplitImpossible: nothing can be held out without losing half a show, or nothing is left.
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
    """Return the positions of the different GIFs, without those under two shows, and the rows set aside."""
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
