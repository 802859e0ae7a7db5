"""Estimates from measured durations how many GIFs a month AWS Lambda identifies free of charge.

Lambda gives a function processor time in proportion to its memory: one whole processor at 1,769 MB. With less
memory the durations measured on one core grow in proportion; with more they stay, because the pipeline uses
one thread. Waiting does not grow. This is a model, not a measurement in Lambda.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from delivery.errors import InvalidMeasurement, InvalidOption
from services.errors import os_reason
from services.reading import read_json

FREE_GB_S = 400_000.0  # a month, always free
FREE_REQUESTS = 1_000_000  # a month, always free
CPU_MEMORY_MB = 1769  # gives one whole processor
MEMORIES_MB = (256, 512, 768, 1024, 1280, 1536, CPU_MEMORY_MB, 2048, 3008)
HEADROOM = 1.25  # memory / measured peak, because a larger GIF takes more
BILLED_MS = 1  # durations are rounded up to this
USD_PER_GB_S = 0.0000166667  # list price of x86_64, beyond the free GB-s
USD_PER_REQUEST = 0.20 / 1_000_000  # beyond the free requests


@dataclass(frozen=True)
class Measurement:
    """What `python -m benchmarks cold-start` measured of the delivered bundle on one whole core."""

    cold_ms: float  # from the start of a new instance to its first answer; all of it is billed, INIT included
    warm_ms: float  # of a later answer
    peak_memory_bytes: int  # of the function's process
    made: str  # day of the measurement
    rounds: int  # over which the medians were taken

    @classmethod
    def read(cls, path: Path) -> Measurement:
        """Read the result file.

        Raises:
            InvalidMeasurement: the file is missing or invalid.
        """
        try:
            found = read_json(path)
            figures = cold_ms, warm_ms, memory = [
                float(found[name]) for name in ("cold_ms", "warm_ms", "peak_memory_bytes")
            ]
            if not all(math.isfinite(figure) and figure > 0 for figure in figures):
                raise ValueError("durations and memory must be above zero")
            return cls(cold_ms, warm_ms, int(memory), str(found["made"]), int(found["rounds"]))
        except FileNotFoundError:
            why = "there is no such file; python -m benchmarks cold-start writes it"
            raise InvalidMeasurement(str(path), why) from None
        except OSError as error:
            raise InvalidMeasurement(str(path), os_reason(error)) from error
        except KeyError as error:
            raise InvalidMeasurement(str(path), f"it lacks {error}") from error
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidMeasurement(str(path), str(error)) from error


@dataclass(frozen=True)
class Plan:
    """The estimate for one memory size."""

    memory_mb: int  # of the function
    enough: bool  # whether the peak fits with a quarter to spare
    cold_ms: float  # of the first answer of an instance
    warm_ms: float  # of a later answer
    gb_s: float  # of a request, the mean over cold and warm ones
    gifs: int  # a month within both free limits
    million_usd: float  # price of a million GIFs in a month, in dollars


def plan(measured: Measurement, memory_mb: int, *, cold_share: float, wait_ms: float = 0.0) -> Plan:
    """Make the estimate for one memory size.

    Args:
        measured: on one core.
        memory_mb: of the function.
        cold_share: share of the requests that start a new instance, 0..1.
        wait_ms: time of a request in which no processor is used, e.g. to fetch a GIF by its address.

    Raises:
        InvalidOption: a share outside 0..1, or a negative wait.
    """
    if not 0 <= cold_share <= 1:
        raise InvalidOption("cold share", expected="from 0 to 1", found=f"{cold_share:g}")
    if not 0 <= wait_ms < math.inf:
        raise InvalidOption("wait", expected="milliseconds, at least 0", found=f"{wait_ms:g}")
    stretch = max(1.0, CPU_MEMORY_MB / memory_mb)
    cold_ms, warm_ms = (ms * stretch + wait_ms for ms in (measured.cold_ms, measured.warm_ms))
    gb_s = cold_share * _gb_s(cold_ms, memory_mb) + (1 - cold_share) * _gb_s(warm_ms, memory_mb)
    return Plan(
        memory_mb=memory_mb,
        enough=memory_mb * 2**20 >= measured.peak_memory_bytes * HEADROOM,
        cold_ms=cold_ms,
        warm_ms=warm_ms,
        gb_s=gb_s,
        gifs=min(FREE_REQUESTS, int(FREE_GB_S / gb_s)),
        million_usd=max(0.0, FREE_REQUESTS * gb_s - FREE_GB_S) * USD_PER_GB_S,
    )


def best(plans: Sequence[Plan]) -> Plan:
    """Return the size with the most free GIFs; among those within 1 % of it the fastest, then the smallest.

    Raises:
        InvalidMeasurement: every size is smaller than the measured peak.
    """
    enough = [plan for plan in plans if plan.enough]
    if not enough:
        raise InvalidMeasurement("the peak memory", "every memory size is too small for it")
    most = max(plan.gifs for plan in enough)
    return min((p for p in enough if p.gifs >= 0.99 * most), key=lambda p: (p.warm_ms, p.memory_mb))


def _gb_s(duration_ms: float, memory_mb: int) -> float:
    billed_ms = math.ceil(duration_ms / BILLED_MS) * BILLED_MS
    return billed_ms / 1000 * memory_mb / 1024
