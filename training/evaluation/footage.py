"""Measures how well a library finds footage that was changed, and how often it takes other footage for it.

A library is made of all GIFs. Some GIFs of the shows are then changed as reposts are, decoded again, and
searched for. A match with a GIF of another scene is a false one, and each pair of a changed GIF and a GIF of
another scene is a chance for it.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from rich.console import Console
from rich.progress import track

from services.clip import Clip
from services.errors import AnalyzerError
from services.inference import Classifier
from services.inference.library import (
    KnownClip,
    Library,
    add_clips,
    search,
    search_library,
)
from services.preprocess import PIXELS_VERSION, Budget, decode_gif
from services.reading import read_gif
from training.data.augment import Frames, with_crop
from training.data.manifest import Row
from training.data.splits import components
from training.evaluation.perturb import PERTURB_VERSION, PERTURBATIONS, perturb
from training.files import write_json, write_text
from training.fit.crossvalidate import run_name
from training.statistics.estimate import Bootstrap, Estimate, weighted_mean, wilson
from training.statistics.report import Result, Table, columns

SEARCHED = 300  # GIFs of the shows that are changed and searched for
# Part of the name of the kept answers; raise it when the library finds other matches.
FOOTAGE_VERSION = 1
UNCHANGED = "unchanged"
# Changes under which GIFs are searched for whose scene the library has not.
ABSENT = (UNCHANGED, "cropped", "cropped to 9:16")


def _cropped(frames: Frames, rng: np.random.Generator, *, least: float, most: float) -> Frames:
    height, width = rng.uniform(least, most, 2)
    return with_crop(frames, rng.uniform(0, 1 - height), rng.uniform(0, 1 - width), height, width)


def _narrowed(frames: Frames, rng: np.random.Generator, *, shape: float) -> Frames:
    """Cut the sides off, so that the width is at most `shape` times the height; the place is random."""
    rows, columns = frames.shape[1:3]
    width = min(1.0, shape * rows / columns)
    return with_crop(frames, 0, rng.uniform(0, 1 - width), 1, width)


# As `PERTURBATIONS`, and crops that people make: for a feed, for a telephone, by hand.
CHANGES: Mapping[str, Callable[[Frames, np.random.Generator], Frames]] = MappingProxyType(
    {
        UNCHANGED: lambda frames, rng: frames,
        **PERTURBATIONS,
        "cropped by 5 to 40 % of each side": functools.partial(_cropped, least=0.6, most=0.95),
        "cropped to a square": functools.partial(_narrowed, shape=1.0),
        "cropped to 9:16": functools.partial(_narrowed, shape=9 / 16),
        "cropped and mirrored": lambda frames, rng: np.ascontiguousarray(
            PERTURBATIONS["cropped"](frames, rng)[:, :, ::-1]
        ),
        "captioned, tinted and mirrored": lambda frames, rng: PERTURBATIONS["mirrored"](
            PERTURBATIONS["tinted"](PERTURBATIONS["captioned"](frames, rng), rng), rng
        ),
    }
)


@dataclass(frozen=True)
class Searched:
    """The answers for one change.

    Attributes:
        change: a key of `CHANGES`.
        found: share of the GIFs whose own clip in the library is among the matches.
        false_matches: number of matches with clips of other scenes.
        false_in_10_000: the same in 10,000 pairs of a changed GIF and a clip of another scene.
    """

    change: str
    found: Estimate
    false_matches: int
    false_in_10_000: Estimate


@dataclass(frozen=True)
class Absent:
    """The answers for GIFs whose scene is not in the library.

    Attributes:
        change: a key of `CHANGES`.
        matched: share of the GIFs with a match, which is false.
        false_in_10_000: number of matches in 10,000 pairs of a GIF and a clip of the library.
    """

    change: str
    matched: Estimate
    false_in_10_000: Estimate


@dataclass(frozen=True)
class FootageReport(Result):
    """What a library finds.

    Attributes:
        library: number of clips in the library.
        searched: number of GIFs that were changed and searched for.
        same_whole: `search.SAME_WHOLE`, the threshold of whole frames.
        same_part: `search.SAME_PART`, the threshold of parts of frames.
        changes: one entry for each change.
        library_without: number of clips in the library without the scenes of these GIFs.
        absent: one entry for each change that was tried with it.
    """

    library: int
    searched: int
    same_whole: float
    same_part: float
    changes: tuple[Searched, ...]
    library_without: int
    absent: tuple[Absent, ...]

    def tables(self) -> tuple[Table, ...]:
        """One row for each change, for scenes that the library has and for others."""
        return (
            Table(
                "Same footage found in a library",
                columns(
                    *("change", "found", "false matches", "in 10,000 pairs of other scenes"), text=["change"]
                ),
                tuple(
                    (
                        each.change,
                        str(each.found),
                        str(each.false_matches),
                        f"{each.false_in_10_000.value:.2f}",
                    )
                    for each in self.changes
                ),
                f"{self.searched} GIFs of shows, changed and searched for in a library of {self.library:,} "
                f"clips. Frames agree from {self.same_whole} of their signs on, parts of frames from "
                f"{self.same_part}. Intervals: percentile bootstrap over sources.",
            ),
            Table(
                "Footage that the library has not",
                columns(*("change", "GIFs with a false match", "in 10,000 pairs"), text=["change"]),
                tuple(
                    (each.change, str(each.matched), f"{each.false_in_10_000.value:.2f}")
                    for each in self.absent
                ),
                f"The same {self.searched} GIFs, searched for in a library of {self.library_without:,} clips "
                "that has none of their scenes.",
            ),
        )

    def write(self, folder: Path) -> None:
        """Write footage.json and footage.md."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "footage.json", self.to_json(), sort_keys=True, allow_nan=False)
        write_text(folder / "footage.md", self.markdown())


def measure_footage(
    classifier: Classifier,
    known: Sequence[Row],
    others: Sequence[Row],
    cache_dir: Path,
    *,
    searched: int = SEARCHED,
    seed: int = 0,
    changes: Sequence[str] = tuple(CHANGES),
    threads: int = 2,
    bootstrap: Bootstrap = Bootstrap(),  # noqa: B008 - a frozen value
    console: Console | None = None,
) -> FootageReport:
    """Make a library of all GIFs, and search it for changed ones.

    The library and the answers for each change are kept in the cache, so that an interrupted study resumes.

    Args:
        classifier: makes the embeddings.
        known: rows of the shows.
        others: rows of other things, which are in the library too.
        cache_dir: for what is kept.
        searched: number of GIFs that are changed; all that there are, if they are fewer.
        seed: of their choice.
        changes: keys of `CHANGES`.
        threads: GIFs that are changed and searched for at once.
        bootstrap: of the intervals, drawn by source.
        console: shows progress; None is silent.
    """
    rows = [*known, *others]
    settings = ([str(row.path) for row in rows], classifier.model, PIXELS_VERSION)
    folder = cache_dir / "footage" / run_name(settings, searched, seed, PERTURB_VERSION, FOOTAGE_VERSION)
    folder.mkdir(parents=True, exist_ok=True)

    def watched(tasks: Sequence[int], what: str, each: Callable[[int], object]) -> list[object]:
        with ThreadPoolExecutor(threads) as pool:
            results = pool.map(each, tasks)
            if console:
                results = track(results, what, len(tasks), console=console, transient=True)  # type: ignore[assignment]
            return list(results)

    path = folder / "all.library"
    if not path.exists():

        def describe(number: int) -> KnownClip | None:
            clip = _clip_of(rows[number])
            if clip is None:
                return None
            return classifier.describe_clip(clip, show=rows[number].show, name=str(number))

        described = watched(range(len(rows)), "library", describe)
        add_clips(path, classifier.model, [clip for clip in described if isinstance(clip, KnownClip)])
    library = Library(path)

    usable = np.array([int(clip.name) for clip in library.clips()])
    ours = usable[usable < len(known)]
    queries = np.sort(np.random.default_rng(seed).permutation(ours)[:searched])
    scenes, sources = components(rows, "group"), components(rows, "source")
    elsewhere = np.array([(scenes[usable] != scenes[query]).sum() for query in queries])

    def answered(clips: Library, change: str) -> list[list[int]]:
        kept = folder / f"{clips.path.stem}-{re.sub('[^a-z0-9]+', '-', change)}.json"
        if not kept.exists():
            search_for = functools.partial(_matches, classifier, clips, rows, change)
            write_json(kept, watched(queries.tolist(), change, search_for))
        matches: list[list[int]] = json.loads(kept.read_text("utf-8"))
        return matches

    answers = []
    for change in changes:
        matches = answered(library, change)
        found = np.array([query in names for query, names in zip(queries.tolist(), matches, strict=True)])
        false = [
            sum(scenes[name] != scenes[query] for name in names)
            for query, names in zip(queries.tolist(), matches, strict=True)
        ]
        answers.append(
            Searched(
                change,
                bootstrap.estimate(weighted_mean(found), len(found), groups=sources[queries]),
                int(sum(false)),
                _in_10_000(int(sum(false)), int(elsewhere.sum())),
            )
        )
    path = folder / "without.library"
    if not path.exists():
        searched_scenes = set(scenes[queries].tolist())
        kept_clips = [clip for clip in library.clips() if scenes[int(clip.name)] not in searched_scenes]
        add_clips(path, classifier.model, kept_clips)
    without = Library(path)
    absent = []
    for change in (each for each in ABSENT if each in changes):
        counts = np.array([len(names) for names in answered(without, change)])
        matched = bootstrap.estimate(weighted_mean(counts > 0), len(counts), groups=sources[queries])
        absent.append(Absent(change, matched, _in_10_000(int(counts.sum()), len(counts) * len(without))))
    return FootageReport(
        len(library),
        len(queries),
        search.SAME_WHOLE,
        search.SAME_PART,
        tuple(answers),
        len(without),
        tuple(absent),
    )


def _in_10_000(matches: int, pairs: int) -> Estimate:
    share = wilson(matches, pairs)
    return Estimate(*(10_000 * value for value in (share.value, share.low, share.high)))


def _matches(
    classifier: Classifier, library: Library, rows: Sequence[Row], change: str, number: int
) -> list[int]:
    """Change a GIF, and return the numbers of the clips that match it."""
    clip = _clip_of(rows[number], change)
    if clip is None:
        return []
    embedding = classifier.describe_clip(clip, show="", name="").embedding
    return [int(match.name) for match in search_library(library, clip, embedding).matches]


def _clip_of(row: Row, change: str | None = None) -> Clip | None:
    try:
        gif = read_gif(row.path, most=Budget().max_bytes)
        return decode_gif(gif if change is None else perturb(gif, change, changes=CHANGES))
    except AnalyzerError:
        return None  # the manifest may name files that cannot be used
