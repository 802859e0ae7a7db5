"""Looks for files that break preprocessing, or that the two backends decode differently: `make fuzz`.

Files are seeds with a few changes, drawn by Hypothesis, which also shrinks what it finds. A seed is a file of
the repository's corpus, a small video, or an input of an earlier run that reached new lines of a parser. The
compiled loops check every index. The kept inputs are in `corpus` in a folder, what was found in `failures`.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import random
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import hypothesis
import typer
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase

from services.clip import check_clip
from services.errors import AnalyzerError, GifError
from services.preprocess import Budget, decode_gif, render_frames
from services.preprocess.backend import Backend, compiled, portable
from services.preprocess.formats import read
from tests.support.animations import animations, apngs, webps
from tests.support.paths import ROOT, corpus_files
from tests.support.picture_writer import with_checksums

BUDGET = Budget(max_bytes=200_000, max_canvas_pixels=1_000_000, max_frames=100, max_decoded_pixels=4_000_000)
SEED_BYTES = 50_000  # of the largest seed: small files are decoded fast, and changes hit what matters
ROUND = 200  # inputs, after which kept inputs become seeds
SLOWEST = timedelta(seconds=30)  # for one input and both backends, with checked bounds, on a busy machine
RENDERED = 4  # frames that are compared in whole
FORMATS = str(ROOT / "services" / "preprocess" / "formats")
_NUMBERS = [0, 1, 2, 127, 128, 255, 256, 32_767, 65_535, 2**31 - 1, 2**32 - 1]

Line = tuple[str, int]


# Inputs


@st.composite
def changed(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """A seed, or a generated animation, after up to eight changes."""
    made = st.one_of(animations().map(lambda animation: animation.gif), apngs(), webps())
    data = bytearray(draw(st.one_of(st.sampled_from(seeds), st.sampled_from(seeds), made)))
    for _ in range(draw(st.integers(0, 8))):
        at = draw(st.integers(0, len(data)))
        change = draw(st.sampled_from(["byte", "number", "cut", "drop", "repeat", "insert", "borrow"]))
        length = draw(st.integers(1, 64))
        match change:
            case "byte":
                data[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case "number":
                form = draw(st.sampled_from(["<H", ">H", "<I", ">I"]))
                number = draw(st.sampled_from(_NUMBERS)) & (0xFFFF if form[1] == "H" else 0xFFFFFFFF)
                data[at : at + struct.calcsize(form)] = struct.pack(form, number)
            case "cut":
                del data[at:]
            case "drop":
                del data[at : at + length]
            case "repeat":
                data[at:at] = data[at : at + length]
            case "insert":
                data[at:at] = draw(st.binary(max_size=16))
            case "borrow":
                other = draw(st.sampled_from(seeds))
                start = draw(st.integers(0, len(other)))
                data[at : at + length] = other[start : start + length]
    return with_checksums(bytes(data)) if draw(st.booleans()) else bytes(data)


class Corpus:
    """Seeds, and the inputs that reached lines of the parsers that no input before them reached."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "corpus"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._reached: set[Line] = set()
        self.kept = 0
        self.seeds: list[bytes] = []
        for path in [*corpus_files(), *sorted(self._folder.iterdir())]:
            if path.stat().st_size <= SEED_BYTES:
                self._add(path.read_bytes())
        if importlib.util.find_spec("av"):
            from tests.support.videos import KINDS, video

            for kind in KINDS:
                self._add(video(kind, frames=6))

    def _add(self, data: bytes) -> None:
        self.seeds.append(data)
        self._reached |= lines_of(data)

    def offer(self, data: bytes) -> None:
        """Keep an input if it reached a new line."""
        if lines_of(data) <= self._reached:
            return
        self._add(data)
        self.kept += 1
        (self._folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def lines_of(data: bytes) -> set[Line]:
    """The lines of the parsers that reading the structure of a file reaches."""
    reached: set[Line] = set()

    def in_parser(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            reached.add((frame.f_code.co_filename, frame.f_lineno))
        return in_parser

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        return in_parser if frame.f_code.co_filename.startswith(FORMATS) else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with contextlib.suppress(Exception):  # `check` looks at errors
            read(data, BUDGET)
    finally:
        sys.settrace(before)
    return reached


# The property


def check(data: bytes, backends: Sequence[Backend]) -> None:
    """Check that every backend gives the same valid clip and frames, or the same error."""
    first, *others = [outcome(data, backend) for backend in backends]
    for backend, other in zip(backends[1:], others, strict=True):
        assert other == first, f"{backend.name} gives {other[0]}, {backends[0].name} gives {first[0]}"


def outcome(data: bytes, backend: Backend) -> tuple[str, ...]:
    """What a backend makes of a file: digests of the clip and of its first frames, or the error."""
    try:
        clip = decode_gif(data, budget=BUDGET, backend=backend)
    except GifError as error:
        return error.reason, error.message
    check_clip(clip)
    assert clip.source is not None
    made = [f"a clip of {clip.source.frame_count} frames", str(clip.source), str(clip.timestamps_ms)]
    frames = render_frames(
        data, range(min(clip.source.frame_count, RENDERED)), budget=BUDGET, backend=backend
    )
    try:
        made += [hashlib.sha256(frame.tobytes()).hexdigest() for frame in frames]
    except AnalyzerError as error:  # of a later frame, which the clip does not need
        made.append(error.message)
    return *made, hashlib.sha256(clip.frames.tobytes()).hexdigest()


def fuzz(
    folder: Path, *, seconds: float, backends: Sequence[Backend], rounds: int | None = None, seed: int = 0
) -> tuple[int, int]:
    """Try inputs until the time is over, or for some rounds.

    Args:
        folder: of the corpus, of Hypothesis's examples and of failures.
        seconds: after which no further round begins.
        backends: two or more, whose results must be equal.
        rounds: at most; None for any number.
        seed: of the inputs.

    Returns:
        The number of inputs, and of those that were kept.

    Raises:
        Exception: what the smallest input that was found raises; the input is in `failures`.
    """
    corpus, tried, last = Corpus(folder), 0, b""
    end = time.monotonic() + seconds

    @contextlib.contextmanager
    def saving() -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            path = folder / "failures" / hashlib.sha256(last).hexdigest()[:16]
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(last)
            error.add_note(f"the input is {path}")
            raise

    def attempt(seeds: Sequence[bytes]) -> Callable[[], None]:
        @hypothesis.given(changed(seeds))
        def tried_one(data: bytes) -> None:
            nonlocal tried, last
            tried, last = tried + 1, data
            (folder / "last").write_bytes(data)  # is there even if a decoder ends the process
            check(data, backends)
            corpus.offer(data)

        return tried_one

    settings = hypothesis.settings(
        max_examples=ROUND,
        deadline=SLOWEST,
        database=DirectoryBasedExampleDatabase(folder / "hypothesis"),
        phases=[hypothesis.Phase.reuse, hypothesis.Phase.generate, hypothesis.Phase.shrink],
        suppress_health_check=list(hypothesis.HealthCheck),
        print_blob=False,
    )
    while time.monotonic() < end and rounds != 0:
        rounds = None if rounds is None else rounds - 1
        test = hypothesis.seed(seed)(settings(attempt(list(corpus.seeds))))
        seed += 1
        with saving():
            test()
    return tried, corpus.kept


def main(
    minutes: Annotated[float, typer.Option(min=0, help="Time to look for.")] = 5.0,
    out: Annotated[Path, typer.Option(help="Folder of corpus and failures.")] = ROOT / "build" / "fuzz",
) -> None:
    """Look for files that break preprocessing, with checked bounds, and print how many were tried."""
    import numba

    assert numba.config.BOUNDSCHECK, "set NUMBA_BOUNDSCHECK=1, and NUMBA_CACHE_DIR to a folder of its own"
    tried, kept = fuzz(
        out, seconds=60 * minutes, backends=(portable(), compiled()), seed=random.randrange(2**32)
    )
    typer.echo(f"{tried:,} inputs, {kept} of them kept for reaching new lines; both backends agree")


if __name__ == "__main__":
    # Numba reads these when it is imported. Loops that check bounds need a cache of their own.
    os.environ["NUMBA_BOUNDSCHECK"] = "1"
    os.environ.setdefault("NUMBA_CACHE_DIR", str(ROOT / "build" / "fuzz" / "numba"))
    typer.run(main)
