"""What inference answers: ranked shows, whether to trust them, and the frames that say so."""

from __future__ import annotations

from dataclasses import dataclass

from services.inference.verdict import Verdict


@dataclass(frozen=True)
class ShowProbability:
    """How probable it is that a clip is from a show.

    Attributes:
        show: title, as the model names it.
        probability: calibrated, 0..1; over all shows of the model they sum to 1.
    """

    show: str
    probability: float


@dataclass(frozen=True)
class FrameVote:
    """What one frame of a clip says by itself.

    Attributes:
        timestamp_ms: the instant that the frame shows, in milliseconds from the start of the GIF.
        show: the most probable show for this frame alone.
        probability: of that show, 0..1.
    """

    timestamp_ms: int
    show: str
    probability: float


@dataclass(frozen=True)
class ModelInfo:
    """Which model answered.

    Attributes:
        name: of the family of models, e.g. "gif-shows".
        version: of this one, e.g. "2026.11.23".
        training_data_sha256: digest of what it was trained on, 64 lower-case hexadecimal digits.
        licence: free text on its weights and its data.
    """

    name: str
    version: str
    training_data_sha256: str
    licence: str


@dataclass(frozen=True)
class Prediction:
    """The answer for one clip.

    Attributes:
        shows: most probable first; as many as were asked for, and no more than the model knows.
        verdict: how much of that can be trusted.
        frames: one vote for each frame that was looked at, in time: all that differ from each other, ten at
            most, or fewer where these decided. A still image is one frame.
        model: which model answered.
        format: of the file that the clip was made from, a key of `services.clip.FORMATS`; "" where the clip
            does not say.
    """

    shows: tuple[ShowProbability, ...]
    verdict: Verdict
    frames: tuple[FrameVote, ...]
    model: ModelInfo
    format: str = ""

    @property
    def known(self) -> bool:
        """Whether shows are named by the verdict; when False, `shows` are the nearest guesses."""
        return self.verdict.known
