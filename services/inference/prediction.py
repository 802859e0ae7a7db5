"""The answer for a clip: ranked shows, a vote for each frame, and a verdict on how far to trust them.

The model ranks shows whatever it is given. The verdict says what can be trusted: one show, a few shows that
include the right one, only the kind of picture, or nothing. Its thresholds are part of the model file and
were found on clips that the model did not learn from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Level = Literal["show", "one_of", "kind", "unknown"]
MOST_SHOWS = 3  # in a verdict of several shows
# A frame counts as plain if no channel has a larger standard deviation than this, of 0..255. JPEG noise and
# dithering of a flat colour stay below it; a line of small text on a flat ground is above it.
PLAIN_DEVIATION = 3.0
_PLAIN_STEP = 4  # only every fourth pixel in each direction is checked


@dataclass(frozen=True)
class Verdict:
    """How far an answer can be trusted.

    Attributes:
        level: "show", "one_of", "kind" or "unknown".
        names: one show; two or three shows, most probable first; one kind of picture; or none.
    """

    level: Level
    names: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Whether it names shows."""
        return self.level in ("show", "one_of")

    @property
    def text(self) -> str:
        """The verdict in words, such as "Friends, Seinfeld or The Office US"."""
        if self.level == "kind":
            return f"{self.names[0]}, but no show that I know"
        if self.level == "unknown":
            return "unknown"
        *first, last = self.names
        return f"{', '.join(first)} or {last}" if first else last


UNKNOWN = Verdict("unknown")


@dataclass(frozen=True)
class VerdictRule:
    """Thresholds of the levels. A clip gets the first level whose threshold it reaches.

    Shows are compared by the probability that the clip is from that show and not from something else: the
    show's probability times the sigmoid of the familiarity.

    Attributes:
        show: least probability of the best show for naming it.
        one_of: least sum of the two or three best shows for naming them; two are tried first.
        kind: least share of one kind in the probabilities of all shows for naming the kind.

    Each is at least 0. A threshold above 1 is never reached, which switches its level off.
    """

    show: float
    one_of: float
    kind: float

    def __post_init__(self) -> None:
        """Check the thresholds.

        Raises:
            ValueError: one of them is negative or not finite.
        """
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be a finite number of at least 0, it is {value}")


@dataclass(frozen=True)
class ShowProbability:
    """How probable it is that a clip is from a show.

    Attributes:
        show: title, as the model has it.
        probability: calibrated, 0..1; the sum over all shows of the model is 1.
    """

    show: str
    probability: float


@dataclass(frozen=True)
class FrameVote:
    """What the model says about one frame by itself.

    Attributes:
        offset_ms: the sampled instant, in milliseconds from the start of the GIF.
        show: the most probable show for this frame alone.
        probability: of that show, 0..1.
    """

    offset_ms: int
    show: str
    probability: float


@dataclass(frozen=True)
class ModelInfo:
    """Which model answered.

    Attributes:
        name: of the model family, e.g. "gif-shows".
        version: e.g. "2026.11.23".
        training_data_sha256: digest of the training data, 64 lower-case hexadecimal digits.
        licence: free text on its weights and its data.
    """

    name: str
    version: str
    training_data_sha256: str
    licence: str


@dataclass(frozen=True)
class LibraryInfo:
    """Which library of known clips is used.

    Attributes:
        clip_count: how many clips it holds.
        shows: titles of all its shows, in the order in which they were added first.
        sha256: 64 lower-case hexadecimal digits, which change whenever its content does.
    """

    clip_count: int
    shows: tuple[str, ...]
    sha256: str


@dataclass(frozen=True)
class Neighbour:
    """A clip of a library that looks like the query.

    Attributes:
        show: title.
        name: of the GIF in the library.
        similarity: cosine of the embeddings, -1 to 1.
    """

    show: str
    name: str
    similarity: float


@dataclass(frozen=True)
class TimeSpan:
    """A part of some footage.

    Attributes:
        start_ms: when its first frame is shown, in milliseconds from the start.
        end_ms: when its last frame is shown.
    """

    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class Match:
    """A clip of a library that shows the same footage as the query.

    Attributes:
        show: title.
        name: of the GIF in the library.
        similarity: share of equal bits of the fingerprints of the frames that agree, 0.5 to 1.
        frame_count: how many pairs of frames agree, in order of time.
        query: when the query shows the first and the last of them.
        known: when the known footage shows them.
        mirrored: whether one is the mirror image of the other.
    """

    show: str
    name: str
    similarity: float
    frame_count: int
    query: TimeSpan
    known: TimeSpan
    mirrored: bool


@dataclass(frozen=True)
class Prediction:
    """The answer for one clip.

    Attributes:
        shows: most probable first; as many as requested, at most all that the model knows.
        verdict: how far they can be trusted.
        votes: one for each frame that the model used, in order of time. Equal frames have one vote, so
            a still image has one; an early exit uses fewer than ten.
        model: which model answered.
        format: of the file, a key of `services.clip.FORMATS`; "" if the clip does not say.
        matches: clips of the library with the same footage, best first; none without a library.
        neighbours: clips of the library that look most similar, best first; none without a library.
        familiarity: of the clip, as the verdict uses it: larger is more like the training data. None if a
            service from before this field answered.
    """

    shows: tuple[ShowProbability, ...]
    verdict: Verdict
    votes: tuple[FrameVote, ...]
    model: ModelInfo
    format: str = ""
    matches: tuple[Match, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    familiarity: float | None = None

    @property
    def known(self) -> bool:
        """Whether the verdict names shows; if not, `shows` are the nearest guesses."""
        return self.verdict.known


def decide(
    shows: tuple[str, ...],
    probabilities: NDArray[np.float32],
    familiarity: float,
    *,
    rule: VerdictRule | None,
    unknown_threshold: float,
    kinds: Mapping[str, str] | None = None,
) -> Verdict:
    """Return the verdict on one clip.

    Args:
        shows: titles, in the order of the model's outputs.
        probabilities: float32 [show], with sum 1.
        familiarity: of the clip. With a rule, it is the logarithm of the odds that one of the shows is right.
        rule: None for a model file without one: then the best show is named for every clip that is known.
        unknown_threshold: a clip with less familiarity is unknown.
        kinds: kind of picture by show; None if the model file has none. A taught show has none.
    """
    if familiarity < unknown_threshold:
        return UNKNOWN
    ranked = np.argsort(-probabilities, kind="stable")  # stable: equal shows keep the model's order
    if rule is None:
        return Verdict("show", (shows[ranked[0]],))
    shares = probabilities.astype(np.float64)
    joint = shares[ranked[:MOST_SHOWS]] * sigmoid(familiarity)
    if joint[0] >= rule.show:
        return Verdict("show", (shows[ranked[0]],))
    for count in range(2, len(joint) + 1):
        if joint[:count].sum() >= rule.one_of:
            return Verdict("one_of", tuple(shows[index] for index in ranked[:count]))
    if kinds:
        sums: dict[str, float] = {}
        for show, share in zip(shows, shares, strict=True):
            if show in kinds:
                sums[kinds[show]] = sums.get(kinds[show], 0.0) + float(share)
        best = max(sums, key=lambda kind: sums[kind])
        if sums[best] >= rule.kind:
            return Verdict("kind", (best,))
    return UNKNOWN


def is_plain(frames: NDArray[np.uint8]) -> bool:
    """Whether every frame has nearly one colour, so that there is nothing to recognise.

    Args:
        frames: uint8 [frame, height, width, 3], RGB in 0..255.
    """
    sample = frames[:, ::_PLAIN_STEP, ::_PLAIN_STEP].astype(np.float32)
    return bool((sample.std(axis=(1, 2)) <= PLAIN_DEVIATION).all())


def sigmoid(familiarity: float) -> float:
    """Convert log-odds to a probability, 0..1."""
    return 1 / (1 + math.exp(-max(min(familiarity, 700.0), -700.0)))  # exp(710) overflows a float
