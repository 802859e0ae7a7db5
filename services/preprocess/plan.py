"""Chooses the frames that a clip shows, and the fewest frames that must be decoded for them.

Most frames matter only by what they leave on the canvas. A frame that is not shown itself leaves nothing
(disposal RESTORE), an empty rectangle (CLEAR) or its pixels (KEEP). What it leaves does not matter if another
frame covers it before the canvas is shown again. So the plan is made backwards, with a list of the rectangles
that will certainly be overwritten. A plan never changes a pixel of a shown frame.
"""

from __future__ import annotations

import bisect
import enum
import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.clip import CLIP_FRAMES
from services.preprocess.container import Container, Disposal, Rect

# Browsers replace delays this short by a default; see e.g. Chromium's image_frame durations
# and https://bugzilla.mozilla.org/show_bug.cgi?id=386269.
UNTIMED_MS = 10
DEFAULT_DELAY_MS = 100
_MAX_COVERS = 4  # rectangles in the list. Real animations nest them; more would only take time


@dataclass(frozen=True)
class Timeline:
    """One run through an animation, with ten sampled instants.

    Attributes:
        duration_ms: of the whole run.
        instants_ms: the middles of ten equal parts of the duration, rounded down.
        frames: index of the frame shown at each of these instants; never decreasing, may repeat.
    """

    duration_ms: int
    instants_ms: tuple[int, ...]
    frames: tuple[int, ...]


class Action(enum.Enum):
    """What a step does with its frame."""

    DRAW = enum.auto()  # decode it and draw it
    CLEAR = enum.auto()  # only clear its rectangle
    SHOW = enum.auto()  # draw it, show the canvas, then apply its disposal


class Step(NamedTuple):
    """What to do with one frame of the file, by its index."""

    frame: int
    action: Action


def sample(delays_ms: Sequence[int]) -> Timeline:
    """Sample ten instants of an animation.

    Args:
        delays_ms: of each frame as in the file, at least one.
    """
    ends = list(itertools.accumulate(played_ms(delay) for delay in delays_ms))
    duration = ends[-1]
    instants = tuple((2 * part + 1) * duration // (2 * CLIP_FRAMES) for part in range(CLIP_FRAMES))
    return Timeline(duration, instants, tuple(bisect.bisect_right(ends, instant) for instant in instants))


def played_ms(delay_ms: int) -> int:
    """Return how long a browser shows a frame with this delay, in milliseconds."""
    return DEFAULT_DELAY_MS if delay_ms <= UNTIMED_MS else delay_ms


def plan(container: Container, wanted: Collection[int]) -> tuple[Step, ...]:
    """Return the steps that show each wanted frame, in the order of the frames."""
    canvas = container.canvas
    wanted = frozenset(wanted)
    steps: list[Step] = []
    covers: list[Rect] = []  # parts of the canvas that will be overwritten before they are shown
    for index in range(max(wanted, default=-1), -1, -1):
        frame = container.frames[index]
        rect = frame.rect.clip(canvas)
        if index in wanted:
            steps.append(Step(index, Action.SHOW))
            covers = [rect] if frame.opaque and frame.disposal is not Disposal.RESTORE else []
            continue
        if frame.disposal is Disposal.RESTORE or not rect.area or any(c.covers(rect) for c in covers):
            continue
        clear = frame.disposal is Disposal.CLEAR
        steps.append(Step(index, Action.CLEAR if clear else Action.DRAW))
        if clear or frame.opaque:
            covers = [rect, *(c for c in covers if not rect.covers(c))]
            if len(covers) > _MAX_COVERS:
                covers = sorted(covers, key=lambda c: -c.area)[:_MAX_COVERS]
    return tuple(reversed(steps))


def cost_pixels(container: Container, steps: Collection[Step]) -> int:
    """Return how many pixels these steps decode or clear."""
    cleared = [step.frame for step in steps if step.action is Action.CLEAR]
    return container.cost_pixels([step.frame for step in steps if step.action is not Action.CLEAR], cleared)
