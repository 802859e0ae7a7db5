"""The search for broken files finds faults, and keeps what it learns."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from services.preprocess.backend import Canvas, portable
from services.preprocess.backend.pillow_numpy import Portable
from services.preprocess.container import Rect
from services.preprocess.formats.gif import GifFrame
from tests.support import fuzz
from tests.support.gif_writer import Picture, plain, write_gif
from tests.support.paths import ROOT

# The compiled loops write up to SLACK bytes behind the last pixel: without these, beyond the array.
PLANTED = """
import sys
from pathlib import Path
import services.preprocess.backend.numba_loops as loops
from tests.support import fuzz
loops.SLACK = int(sys.argv[2])
fuzz.main(minutes=0.01, out=Path(sys.argv[1]))
"""


class Faulty(Portable):
    """A backend that forgets the transparent colour of interlaced frames."""

    name = "faulty"

    def paint(self, canvas: Canvas, place: Rect, indices: NDArray[np.uint8], frame: GifFrame) -> None:
        if frame.interlaced and frame.transparent is not None:
            frame = dataclasses.replace(frame, transparent=None)
        super().paint(canvas, place, indices, frame)


def failures(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in (folder / "failures").glob("*")]


def test_a_planted_difference_is_found_and_its_input_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = Picture(plain(4, 4, 2), interlaced=True, transparent=2)
    (tmp_path / "seed.gif").write_bytes(write_gif(4, 4, [Picture(plain(4, 4, 3)), lines]))
    monkeypatch.setattr(fuzz, "corpus_files", lambda: [tmp_path / "seed.gif"])

    with pytest.raises(AssertionError, match="faulty gives a clip"):
        fuzz.fuzz(tmp_path, seconds=300, rounds=10, backends=(portable(), Faulty()))

    [found] = failures(tmp_path)
    with pytest.raises(AssertionError, match="faulty gives a clip"):
        fuzz.check(found, (portable(), Faulty()))
    fuzz.check(found, (portable(), Portable()))


@pytest.mark.tools
@pytest.mark.parametrize("slack", [32, 0])
def test_loops_check_their_bounds(tmp_path: Path, slack: int) -> None:
    pytest.importorskip(
        "numba", reason="This test needs Numba, which is not installed: the extra [fast] brings it."
    )
    cache = ROOT / "build" / "fuzz" / "numba"  # compiling takes half a minute
    environ = {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", PLANTED, str(tmp_path), str(slack)]

    done = subprocess.run(
        words, env={**os.environ, **environ}, capture_output=True, text=True, check=False, timeout=300
    )

    if slack:
        assert "both backends agree" in done.stdout, done.stderr
        assert not failures(tmp_path)
    else:
        assert "IndexError: bytes beyond an array" in done.stderr
        assert len(failures(tmp_path)) == 1


def test_inputs_that_reach_new_lines_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gif = next(path for path in fuzz.corpus_files() if path.suffix == ".gif").read_bytes()
    cut = b"GIF89a"
    monkeypatch.setattr(fuzz, "corpus_files", lambda: [])
    corpus = fuzz.Corpus(tmp_path)

    for data in (cut, cut, gif, gif, cut):
        corpus.offer(data)

    assert corpus.kept == 2
    assert set(fuzz.Corpus(tmp_path).seeds) >= {cut}
