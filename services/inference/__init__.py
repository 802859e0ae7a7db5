"""Step two: a `Clip` to ranked shows."""

from services.inference.answers import Answer, Summary
from services.inference.classifier import INPUT, OUTPUTS, Classifier, default_library_path, default_model_path
from services.inference.metadata import CONTRACT
from services.inference.prediction import (
    FrameVote,
    Level,
    LibraryInfo,
    Match,
    ModelInfo,
    Neighbour,
    Prediction,
    ShowProbability,
    TimeSpan,
    Verdict,
    VerdictRule,
)
from services.inference.scoring import EarlyExit, ModelOutputs

__all__ = [
    "CONTRACT",
    "INPUT",
    "OUTPUTS",
    "Answer",
    "Classifier",
    "EarlyExit",
    "FrameVote",
    "Level",
    "LibraryInfo",
    "Match",
    "ModelInfo",
    "ModelOutputs",
    "Neighbour",
    "Prediction",
    "ShowProbability",
    "Summary",
    "TimeSpan",
    "Verdict",
    "VerdictRule",
    "default_library_path",
    "default_model_path",
]
