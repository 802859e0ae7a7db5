"""Measures how well a library finds footage that was changed, and how often it takes other footage for it.

A library is made of all GIFs. Some GIFs of the shows are then changed as reposts are, decoded again, and
searched for. A match with a GIF of another scene is a false one, and each pair of a changed GIF and a GIF of
another scene is a chance for it.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from services.clip import Clip
from services.errors import AnalyzerError
from services.files import write_text
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
from training.files import write_json
from training.fit.crossvalidate import run_name
from training.statistics.estimate import Bootstrap, Estimate, weighted_mean, wilson
from training.statistics.report import Result, Table, columns

T = TypeVar("T")

SEARCHED = 300  # GIFs of the shows that are changed and searched for
SEED = 0  # of their choice
THREADS = 2  # that change GIFs and search for them
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
    changes: Sequence[str] = tuple(CHANGES),
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
        changes: keys of `CHANGES`.
        bootstrap: of the intervals, drawn by source.
        console: shows progress; None is silent.
    """
    rows = [*known, *others]
    settings = ([str(row.path) for row in rows], classifier.model, PIXELS_VERSION)
    folder = cache_dir / "footage" / run_name(settings, searched, SEED, PERTURB_VERSION, FOOTAGE_VERSION)
    folder.mkdir(parents=True, exist_ok=True)

    def kept(name: str, make: Callable[[], Sequence[KnownClip]]) -> Library:
        path = folder / f"{name}.library"
        if not path.exists():
            add_clips(path, classifier.model, make())
        return Library(path)

    def answered(clips: Library, change: str) -> list[list[int]]:
        path = folder / f"{clips.path.stem}-{re.sub('[^a-z0-9]+', '-', change)}.json"
        if not path.exists():
            search_for = functools.partial(_matches, classifier, clips, rows, change)
            write_json(path, _each(queries.tolist(), search_for, change, console))
        matches: list[list[int]] = json.loads(path.read_text("utf-8"))
        return matches

    library = kept("all", lambda: _describe(classifier, rows, console))
    usable = np.array([int(clip.name) for clip in library.clips()])
    ours = usable[usable < len(known)]
    queries = np.sort(np.random.default_rng(SEED).permutation(ours)[:searched])
    scenes, sources = components(rows, "group"), components(rows, "source")
    wanted = set(scenes[queries].tolist())
    without = kept("without", lambda: [c for c in library.clips() if scenes[int(c.name)] not in wanted])
    elsewhere = sum(int((scenes[usable] != scenes[query]).sum()) for query in queries)

    def share(of_queries: NDArray[np.bool_]) -> Estimate:
        return bootstrap.estimate(weighted_mean(of_queries), len(queries), groups=sources[queries])

    answers, absent = [], []
    for change in changes:
        matches = list(zip(queries.tolist(), answered(library, change), strict=True))
        false = sum(int(scenes[name] != scenes[query]) for query, names in matches for name in names)
        found = share(np.array([query in names for query, names in matches]))
        answers.append(Searched(change, found, false, _in_10_000(false, elsewhere)))
    for change in (each for each in ABSENT if each in changes):
        counts = np.array([len(names) for names in answered(without, change)])
        pairs = len(counts) * len(without)
        absent.append(Absent(change, share(counts > 0), _in_10_000(int(counts.sum()), pairs)))
    return FootageReport(
        len(library),
        len(queries),
        search.SAME_WHOLE,
        search.SAME_PART,
        tuple(answers),
        len(without),
        tuple(absent),
    )


def _each(numbers: Sequence[int], do: Callable[[int], T], what: str, console: Console | None) -> list[T]:
    """Do something for each number, in several threads."""
    with ThreadPoolExecutor(THREADS) as pool:
        results: Iterable[T] = pool.map(do, numbers)
        if console:
            results = track(results, what, len(numbers), console=console, transient=True)
        return list(results)


def _describe(classifier: Classifier, rows: Sequence[Row], console: Console | None) -> list[KnownClip]:
    """Describe each GIF that can be used, named by its number."""

    def describe(number: int) -> KnownClip | None:
        row, clip = rows[number], _clip_of(rows[number])
        return None if clip is None else classifier.describe_clip(clip, show=row.show, name=str(number))

    found = _each(range(len(rows)), describe, "library", console)
    return [clip for clip in found if clip is not None]


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
