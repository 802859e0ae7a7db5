"""Step two: a `Clip` to ranked shows."""

from services.inference.classifier import INPUT, OUTPUTS, Classifier, default_model_path
from services.inference.look import EarlyExit
from services.inference.metadata import CONTRACT
from services.inference.outputs import ModelOutputs
from services.inference.prediction import FrameVote, ModelInfo, Prediction, ShowProbability
from services.inference.verdict import Level, Verdict, VerdictRule

__all__ = [
    "CONTRACT",
    "INPUT",
    "OUTPUTS",
    "Classifier",
    "EarlyExit",
    "FrameVote",
    "Level",
    "ModelInfo",
    "ModelOutputs",
    "Prediction",
    "ShowProbability",
    "Verdict",
    "VerdictRule",
    "default_model_path",
]
