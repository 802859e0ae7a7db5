"""What decoding a file costs a fresh process: **a path, a backend's name** -> **answer, seconds, megabytes**.

The processes are forked from a server that has imported everything already, which takes milliseconds, and
each decodes one file alone, so that the peak of its memory is that file's.
"""

from __future__ import annotations

import functools
import multiprocessing
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from services.errors import GifError
from services.preprocess import backend, decode_gif
from tests.support.paths import EXAMPLES


def measure(path: Path, backend_name: str) -> tuple[str, float, float]:
    """Decode a file in a fresh process: the answer, seconds, and megabytes above what the process had.

    The seconds are those of the processor, so they do not depend on what else the machine does.
    """
    return _pool().submit(_decode, path, backend_name).result(timeout=60)


@functools.cache
def _pool() -> ProcessPoolExecutor:
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload([__name__, "services.preprocess.backend.numba_loops"])
    return ProcessPoolExecutor(1, mp_context=server, max_tasks_per_child=1)


def _decode(path: Path, backend_name: str) -> tuple[str, float, float]:
    mover = getattr(backend, backend_name)()
    decode_gif((EXAMPLES / "spinner.gif").read_bytes(), backend=mover)  # loads what is loaded at first use
    gif = path.read_bytes()
    before = _peak_bytes()
    start = time.process_time()
    try:
        answer = f"{decode_gif(gif, backend=mover).source.frame_count} frames"
    except GifError as refused:
        answer = refused.message
    seconds = time.process_time() - start
    return answer, seconds, (_peak_bytes() - before) / 1e6


def _peak_bytes() -> int:
    """The most memory that this process ever had."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux ru_maxrss begins with the size of the process that forked this one
        return 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
