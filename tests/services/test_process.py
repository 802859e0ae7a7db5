"""A process that makes many clips keeps its memory, and its log has lines of limited length."""

from __future__ import annotations

import json
import platform

import pytest

from tests.support.paths import ROOT
from tests.support.programs import python

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
    pages = int(python(COUNT, EXAMPLE).stdout)

    assert pages < 1000  # ten clips are 15 MB, 3,700 pages


LOG = """
import logging
from services.process import log_as_json
log_as_json()
log = logging.getLogger("test")
log.info("short", extra={"kept": "a" * 500, "number": 7})
log.info("m" * 10_000, extra={"text": "é" * 10_000, "names": ["n" * 10_000, "short"]})
try:
    raise ValueError("x" * 100_000 + "the end")
except ValueError:
    log.exception("failed")
"""


def test_what_is_logged_has_a_limited_length() -> None:
    done = python(LOG)

    short, long, failed = map(json.loads, done.stderr.splitlines())
    assert (short["kept"], short["number"]) == ("a" * 500, 7)
    assert long["message"] == "m" * 497 + "..."
    assert long["text"] == "é" * 497 + "..."
    assert long["names"] == ["n" * 497 + "...", "short"]
    assert len(failed["exc_info"]) == 8_000
    assert failed["exc_info"].endswith("the end")
