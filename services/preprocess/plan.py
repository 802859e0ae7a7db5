"""The fewest frames that must be decoded for the frames that are wanted.

`Container` and the frames wanted -> `plan` -> steps for `services.preprocess.render`.

Most frames matter only by what they leave behind on the canvas. One that is not wanted itself
leaves nothing (disposal RESTORE), an empty rectangle (CLEAR) or its pixels (KEEP); and what it leaves does
not matter where something else covers it before the canvas is looked at again. So the plan is made backwards,
carrying the rectangles that are sure to be overwritten. It never changes a pixel of a wanted frame.
"""

from __future__ import annotations

import enum
from collections.abc import Collection
from typing import NamedTuple

from services.preprocess.container import Container, Disposal, Rect

# Rectangles remembered as "sure to be overwritten". Real animations nest; more would only cost time.
_MAX_COVERS = 4


class Action(enum.Enum):
    """What a step does with its frame."""

    DRAW = enum.auto()  # decode it and draw it
    CLEAR = enum.auto()  # only clear its rectangle
    SHOW = enum.auto()  # draw it, show the canvas, then dispose of it


class Step(NamedTuple):
    """One frame's part in a plan."""

    frame: int
    action: Action


def plan(container: Container, wanted: Collection[int]) -> tuple[Step, ...]:
    """Return the steps, in the order of the frames, after which each wanted frame has been shown."""
    canvas = container.canvas
    wanted = frozenset(wanted)
    steps: list[Step] = []
    covers: list[Rect] = []  # whatever is on these parts of the canvas will be overwritten unseen
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
    """Count the pixels that these steps decode or clear."""
    cleared = [step.frame for step in steps if step.action is Action.CLEAR]
    return container.cost_pixels([step.frame for step in steps if step.action is not Action.CLEAR], cleared)
