"""Measures how much time early exit saves.

The share of clips that stop early is not measured here, because the model may have learned from these GIFs:
it is read from docs/evaluation/effort.json, which holds it for clips that the model had not seen.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import ROOT
from benchmarks.harness.gifs import real_gifs
from benchmarks.harness.timing import time_in_turns
from services.errors import AnalyzerError, ModelError
from services.inference import Classifier, default_model_path
from services.inference.scoring import score
from services.preprocess import decode_gif

EFFORT = ROOT / "docs" / "evaluation" / "effort.json"
GIFS = 30
TURNS = 5  # that each is measured


def measure(classifier: Classifier, gifs: Sequence[bytes], *, stopped: float, turns: int) -> dict[str, float]:
    """Decode each GIF, and run inference on its clip with and without early exit, in turns.

    Args:
        classifier: of a model with a rule for early exit.
        gifs: contents of GIF files.
        stopped: share of unseen clips that the rule's first frames decide.
        turns: how often each GIF is measured in each way.

    Returns:
        Means over the GIFs of the median over the turns, and the ratios that follow from them.

    Raises:
        ModelError: the model holds no rule.
    """
    if classifier.rule is None:
        raise ModelError(classifier.model.name, "it holds no rule for early exit")
    always, never = (dataclasses.replace(classifier.rule, threshold=threshold) for threshold in (0.0, 1.0))
    times = []
    for gif in gifs:
        frames = decode_gif(gif).frames
        ways = [functools.partial(score, classifier.run, frames, rule) for rule in (None, always, never)]
        seconds = time_in_turns([functools.partial(decode_gif, gif), *ways], turns)
        times.append([1000 * statistics.median(taken) for taken in seconds])
    decode, whole, first, parts = (statistics.fmean(column) for column in zip(*times, strict=True))
    early = stopped * first + (1 - stopped) * parts
    return {
        "gifs": len(gifs),
        "turns": turns,
        "decode_ms": round(decode, 2),  # GIF to clip
        "whole_ms": round(whole, 2),  # inference of all ten frames at once
        "first_ms": round(first, 2),  # inference of the rule's first frames alone
        "parts_ms": round(parts, 2),  # inference of the first frames, and then of the others
        "stopped": round(stopped, 3),
        "inference_ratio": round(whole / early, 3),  # above 1: early exit is faster
        "line_ratio": round((decode + whole) / (decode + early), 3),  # the same with decoding in both
    }


def read_stopped(path: Path) -> float:
    """Return the share of all unseen clips that stop early, from an effort.json.

    Raises:
        OSError, ValueError, KeyError, TypeError, IndexError: the file is missing or invalid.
    """
    followed = json.loads(path.read_text(encoding="utf-8"))["followed"]
    return float(followed[-1]["stopped"]["value"])


def early_exit(
    gifs: Annotated[
        list[Path] | None, typer.Argument(help="GIF files; by default footage, or examples/.")
    ] = None,
    model: Annotated[Path | None, typer.Option(metavar="PATH", help="An ONNX file with a rule.")] = None,
    effort: Annotated[Path, typer.Option(metavar="FILE", help="Written by gif-train effort.")] = EFFORT,
) -> None:
    """Measure inference with and without early exit; print JSON."""
    try:
        stopped = read_stopped(effort)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise typer.BadParameter(f"{effort} is not an effort.json: {error}") from None
    contents = [path.read_bytes() for path in gifs or real_gifs(GIFS).values()]
    try:
        report = measure(Classifier(model or default_model_path()), contents, stopped=stopped, turns=TURNS)
    except AnalyzerError as error:
        raise typer.BadParameter(error.message) from None
    typer.echo(json.dumps(report, indent=2))
