"""Measures a library of known clips: queries, memory, file and opening by its size, and building it.

The clips are made up: each has the embedding of a real GIF with noise added, and random fingerprints. So the
times and sizes are those of real libraries, while the recall of an approximate index says how it does on
embeddings that lie in clusters. Where usearch is installed, its exact search and its index (HNSW) are timed
in turns with the search of this project.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import json
import multiprocessing
import statistics
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks import ROOT
from benchmarks.harness.gifs import real_gifs
from benchmarks.harness.timing import Ratio, table, time_in_turns, timed
from services.clip import CLIP_FRAMES, Clip
from services.inference import Classifier, ModelInfo, default_model_path
from services.inference.library import KnownClip, Library, find_neighbours, search_library, update_library
from services.inference.library.embedding import EMBEDDING_SCALE, EMBEDDING_SIZE
from services.inference.library.fingerprint import FINGERPRINT_BYTES
from services.inference.library.search import WHOLE_CANDIDATES as CANDIDATES
from services.preprocess import decode_gif

RESULTS = ROOT / "benchmarks" / "library.json"
SIZES = (1_000, 10_000, 100_000, 1_000_000)
GIFS = 30  # real ones, whose embeddings the clips are made of
NOISE = 0.7  # length of the noise beside an embedding of length 1
QUERIES = 20
SHOWS = 100
EXPANSIONS = (64, 128, 256, 512)  # of usearch: candidates that it keeps while it searches
RECALL = 0.99  # of the true nearest, at least
INDEXED = 100_000  # clips of the largest library beside which usearch is measured: its index takes minutes

Embeddings = NDArray[np.int8]


@dataclass(frozen=True)
class Search:
    """Another way to find the nearest clips.

    Attributes:
        query_ms: for one query, the median.
        ratio: time relative to that of this project's search for the nearest clips.
        recall: share of the true nearest that it finds.
        build_s: to make its index, in seconds; 0 for none.
        index_bytes: of its index; 0 for none.
        expansion: of the index, the smallest with which the recall is high enough; 0 for none.
    """

    query_ms: float
    ratio: Ratio
    recall: float
    build_s: float = 0
    index_bytes: int = 0
    expansion: int = 0


@dataclass(frozen=True)
class Size:
    """What a library of one size costs.

    Attributes:
        clips: how many it has.
        file_bytes: of its file.
        open_ms: to open it, which reads the whole file and checks it.
        resident_bytes: memory that it adds to a process after a query, most of it the mapped file.
        neighbours_ms: for one query, the median.
        matches_ms: for one query, the median.
        exact: usearch's exact search; None where it is not installed.
        index: usearch's index; None where it is not installed.
    """

    clips: int
    file_bytes: int
    open_ms: float
    resident_bytes: int
    neighbours_ms: float
    matches_ms: float
    exact: Search | None
    index: Search | None


@dataclass(frozen=True)
class Building:
    """Describing a GIF for a library beside classifying it, decoding included.

    Attributes:
        describe_ms: for one GIF, the median over the rounds.
        classify_ms: for one GIF.
        ratio: time to describe relative to the time to classify.
    """

    describe_ms: float
    classify_ms: float
    ratio: Ratio


def make_clips(real: Embeddings, count: int, *, seed: int = 0) -> Embeddings:
    """Return embeddings near real ones: int8 [count, 256], of int8 [real, 256]."""
    rng = np.random.default_rng(seed)
    found = np.empty((count, EMBEDDING_SIZE), np.int8)
    for start in range(0, count, 100_000):
        rows = min(100_000, count - start)
        noise = rng.normal(0, NOISE / EMBEDDING_SIZE**0.5, (rows, EMBEDDING_SIZE)).astype(np.float32)
        vectors = real[rng.integers(0, len(real), rows)].astype(np.float32) / EMBEDDING_SCALE + noise
        vectors *= EMBEDDING_SCALE / np.linalg.norm(vectors, axis=1, keepdims=True)
        found[start : start + rows] = np.clip(np.rint(vectors), -127, 127)
    return found


def write_library(path: Path, model: ModelInfo, embeddings: Embeddings) -> Library:
    """Write a library of made-up clips."""
    rng = np.random.default_rng(1)
    times = tuple(range(150, 3000, 300))
    prints = rng.integers(0, 256, (len(embeddings), CLIP_FRAMES, FINGERPRINT_BYTES), np.uint8)
    distinct = np.ones(CLIP_FRAMES, bool)
    clips = [
        KnownClip(f"show {place % SHOWS}", f"giphy:{place:012d}", times, embedding, prints[place], distinct)
        for place, embedding in enumerate(embeddings)
    ]
    return update_library(path, model, lambda _: clips)


def measure_size(
    path: Path,
    model: ModelInfo,
    real: Embeddings,
    queries: Sequence[Clip],
    count: int,
    *,
    rounds: int,
    beside: bool = True,
) -> Size:
    """Measure a library of `count` clips, which is written to a path; `beside` it usearch."""
    library = write_library(path, model, make_clips(real, count))
    opened = [timed(Library, path)[0] for _ in range(rounds)]
    asked = make_clips(real, QUERIES, seed=2)
    exact, index = _open_usearch(library) if beside else (None, None)
    ways: list[Callable[[], object]] = [
        lambda: [find_neighbours(library, each) for each in asked],
        lambda: [
            search_library(library, queries[place % len(queries)], each) for place, each in enumerate(asked)
        ],
        *([functools.partial(exact, asked)] if exact else []),
        *([functools.partial(index.search, asked)] if index else []),
    ]
    taken = time_in_turns(ways, rounds)
    milliseconds = [1000 * statistics.median(its) / QUERIES for its in taken]
    truth = _nearest(library, asked)
    found = {}
    if exact and index:
        for name, place, nearest in (("exact", 2, exact(asked)), ("index", 3, index.search(asked))):
            hits = [len(set(mine) & set(its)) for mine, its in zip(nearest.tolist(), truth, strict=True)]
            recall = sum(hits) / (len(hits) * len(truth[0]))
            found[name] = Search(milliseconds[place], Ratio.of(taken[place], taken[0]), recall)
        found["index"] = dataclasses.replace(
            found["index"], build_s=index.build_s, index_bytes=index.size, expansion=index.expansion
        )
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        resident = process.submit(_resident, path, asked[0]).result()
    return Size(
        count,
        path.stat().st_size,
        1000 * statistics.median(opened),
        resident,
        milliseconds[0],
        milliseconds[1],
        found.get("exact"),
        found.get("index"),
    )


def measure_building(classifier: Classifier, gifs: Sequence[bytes], *, rounds: int) -> Building:
    """Time describing and classifying GIFs in turns."""
    described, classified = time_in_turns(
        [
            lambda: [classifier.describe_clip(decode_gif(gif), show="", name="") for gif in gifs],
            lambda: [classifier.classify(decode_gif(gif)) for gif in gifs],
        ],
        rounds,
    )
    each = [1000 * statistics.median(taken) / len(gifs) for taken in (described, classified)]
    return Building(each[0], each[1], Ratio.of(described, classified))


def size_table(sizes: Sequence[dict[str, Any]]) -> str:
    """Write the table of sizes, from the JSON of `Size`."""
    return table(
        ("clips", "file", "opened in", "memory", "nearest clips", "same footage"),
        [
            (
                f"{each['clips']:,}",
                f"{each['file_bytes'] / 1e6:,.1f} MB",
                f"{each['open_ms']:,.1f} ms",
                f"{each['resident_bytes'] / 1e6:,.0f} MB",
                f"{each['neighbours_ms']:,.2f} ms",
                f"{each['matches_ms']:,.2f} ms",
            )
            for each in sizes
        ],
    )


def search_table(sizes: Sequence[dict[str, Any]]) -> str:
    """Write the table of ways to search, from the JSON of `Size`."""
    return table(
        (
            "clips",
            "usearch, exact",
            "ratio",
            "usearch, index",
            "ratio",
            "recall",
            "index made in",
            "its size",
        ),
        [
            (
                f"{each['clips']:,}",
                f"{each['exact']['query_ms']:,.2f} ms",
                f"{each['exact']['ratio']['middle']:.2f}",
                f"{each['index']['query_ms']:,.2f} ms",
                f"{each['index']['ratio']['middle']:.2f}",
                f"{each['index']['recall']:.3f}",
                f"{each['index']['build_s']:,.1f} s",
                f"{each['index']['index_bytes'] / 1e6:,.1f} MB",
            )
            for each in sizes
            if each["index"]
        ],
    )


def library(
    rounds: Annotated[int, typer.Option(min=1, metavar="N", help="How often everything is measured.")] = 5,
    out: Annotated[Path, typer.Option(metavar="FILE", help="JSON file to write.")] = RESULTS,
) -> None:
    """Measure libraries of known clips by size, and usearch beside their search, if it is installed."""
    classifier = Classifier(default_model_path())
    gifs = [path.read_bytes() for path in real_gifs(GIFS).values()]
    clips = [decode_gif(gif) for gif in gifs]
    real = np.stack([classifier.describe_clip(clip, show="", name="").embedding for clip in clips])
    building = measure_building(classifier, gifs[:10], rounds=rounds)
    sizes = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "some.library")
        for count in SIZES:
            beside = count <= INDEXED
            sizes.append(
                measure_size(path, classifier.model, real, clips, count, rounds=rounds, beside=beside)
            )
            path.unlink()
            typer.echo(f"{count:,} clips are measured", err=True)
    plain = [dataclasses.asdict(each) for each in sizes]
    values = {"building": dataclasses.asdict(building), "sizes": plain}
    out.write_text(json.dumps(values, indent=1) + "\n")
    typer.echo(f"{size_table(plain)}\n\n{search_table(plain)}\n")
    typer.echo(
        f"to describe a GIF takes {building.describe_ms:.1f} ms, to classify it "
        f"{building.classify_ms:.1f} ms: {building.ratio.middle:.2f} ({building.ratio.spread})"
    )


def _nearest(library: Library, queries: Embeddings) -> list[list[int]]:
    """The true nearest clips to each query, as many as are compared frame by frame."""
    blocks = np.array_split(library.embeddings, max(len(library) // 10_000, 1))
    wanted = queries.T.astype(np.float32)
    similarities = np.concatenate([block.astype(np.float32) @ wanted for block in blocks])
    nearest: list[list[int]] = np.argsort(-similarities, axis=0)[:CANDIDATES].T.tolist()
    return nearest


class _Index:
    """An index of usearch, with the smallest expansion that finds enough."""

    def __init__(self, usearch: Any, library: Library) -> None:
        self._index = usearch.Index(ndim=EMBEDDING_SIZE, metric="cos", dtype="i8")
        keys = np.arange(len(library))
        self.build_s, _ = timed(self._index.add, keys, np.asarray(library.embeddings))
        self.size = int(self._index.serialized_length)
        tried = library.embeddings[:: max(len(library) // QUERIES, 1)]
        truth = _nearest(library, tried)
        for expansion in EXPANSIONS:
            self.expansion = self._index.expansion_search = expansion
            found = self.search(tried).tolist()
            hits = sum(len(set(mine) & set(its)) for mine, its in zip(found, truth, strict=True))
            if hits >= RECALL * sum(map(len, truth)):
                break

    def search(self, queries: Embeddings) -> NDArray[np.integer[Any]]:
        """Return the nearest clips to each query, asked one after another, int [query, CANDIDATES]."""
        return np.stack([np.asarray(self._index.search(each, CANDIDATES).keys) for each in queries])


def _open_usearch(
    library: Library,
) -> tuple[Callable[[Embeddings], NDArray[np.integer[Any]]] | None, _Index | None]:
    """Return usearch's exact search and its index of a library; None where it is not installed."""
    with contextlib.suppress(ModuleNotFoundError):
        usearch = importlib.import_module("usearch.index")
        embeddings = np.asarray(library.embeddings)

        def exact(queries: Embeddings) -> NDArray[np.integer[Any]]:
            found = [
                usearch.search(embeddings, each, CANDIDATES, "cos", exact=True, threads=1) for each in queries
            ]
            return np.stack([np.asarray(each.keys) for each in found])

        return exact, _Index(usearch, library)
    return None, None


def _resident(path: Path, query: Embeddings) -> int:
    """Return by how many bytes opening and asking a library grows this process."""
    before = _resident_bytes()
    library = Library(path)
    find_neighbours(library, query)
    return _resident_bytes() - before


def _resident_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this system does not say how much memory a process has")
