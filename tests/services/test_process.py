"""A process that makes many clips keeps its memory instead of returning it to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

EXAMPLE = ROOT / "examples" / "meadow.gif"
COUNT = """
import pathlib, resource, sys
from services.process import keep_freed_memory
from services.preprocess import decode_gif
from services.preprocess.backend import portable
keep_freed_memory()
gif = pathlib.Path(sys.argv[1]).read_bytes()
for _ in range(3):
    decode_gif(gif, backend=portable())
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    decode_gif(gif, backend=portable())
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc",
    reason="This test needs glibc. Other C libraries have no such setting.",
)
def test_later_clips_need_no_new_memory_pages() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COUNT, str(EXAMPLE)], capture_output=True, text=True, check=True, timeout=60
    )

    pages = int(done.stdout)
    assert pages < 1000  # ten clips are 15 MB, 3,700 pages
