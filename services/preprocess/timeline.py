"""When each frame is on show, and which frames a clip takes.

delays in ms -> `Timeline`: the duration, ten instants and the frame that each instant shows.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from services.clip import CLIP_FRAMES

# Browsers play delays this short as if none had been written; see e.g. Chromium's image_frame durations
# and https://bugzilla.mozilla.org/show_bug.cgi?id=386269.
UNTIMED_MS = 10
DEFAULT_DELAY_MS = 100


@dataclass(frozen=True)
class Timeline:
    """One run through an animation, sampled.

    Attributes:
        duration_ms: of the whole run.
        instants_ms: the middles of ten equal parts of the duration, rounded down.
        frames: index of the frame on show at each of these instants; never decreasing, may repeat.
    """

    duration_ms: int
    instants_ms: tuple[int, ...]
    frames: tuple[int, ...]


def sample(delays_ms: Sequence[int]) -> Timeline:
    """Place the ten instants on an animation of at least one frame; delays as the GIF writes them."""
    ends = list(itertools.accumulate(played_ms(delay) for delay in delays_ms))
    duration = ends[-1]
    instants = tuple((2 * part + 1) * duration // (2 * CLIP_FRAMES) for part in range(CLIP_FRAMES))
    return Timeline(duration, instants, tuple(bisect.bisect_right(ends, instant) for instant in instants))


def played_ms(delay_ms: int) -> int:
    """How long a browser shows a frame with this delay."""
    return DEFAULT_DELAY_MS if delay_ms <= UNTIMED_MS else delay_ms
