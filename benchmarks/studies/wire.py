"""Measures what the wire costs: the two steps over gRPC, beside the same functions in this process."""

from __future__ import annotations

import functools
import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import EXAMPLES
from benchmarks.harness.servers import start_services
from benchmarks.harness.timing import time_in_turns
from services.clip import Clip
from services.inference import Classifier, Prediction, default_model_path
from services.inference.rpc import RemoteClassifier
from services.preprocess import decode_gif
from services.preprocess.rpc import RemotePreprocess

TURNS = 20  # that each GIF is identified in each way


def measure(model: Path, gifs: Sequence[bytes], *, turns: int) -> dict[str, float]:
    """Identify each GIF in both ways, in turns; return medians over all turns and GIFs."""
    classifier = Classifier(model)
    seconds: list[list[float]] = [[], []]
    with (
        start_services("--model", str(model)) as services,
        RemotePreprocess(services.address) as preprocess,
        RemoteClassifier(services.address) as inference,
    ):
        for gif in gifs:
            direct = functools.partial(_identify, gif, decode_gif, classifier.classify)
            remote = functools.partial(_identify, gif, preprocess.decode_gif, inference.classify)
            taken = time_in_turns([direct, remote], turns, warm_up=3)
            seconds[0] += taken[0]
            seconds[1] += taken[1]
    direct_ms, grpc_ms = (1000 * statistics.median(taken) for taken in seconds)
    added_ms = 1000 * statistics.median(remote - direct for direct, remote in zip(*seconds, strict=True))
    return {
        "gifs": len(gifs),
        "turns": turns,
        "direct_ms": round(direct_ms, 2),  # decode_gif and classify in this process
        "grpc_ms": round(grpc_ms, 2),  # the same by the services
        "added_ms": round(added_ms, 2),  # the difference for the same GIF in the same turn
        "ratio": round(grpc_ms / direct_ms, 3),
        "within_goal": added_ms <= max(3.0, 0.1 * direct_ms),
    }


def _identify(gif: bytes, decode: Callable[[bytes], Clip], classify: Callable[[Clip], Prediction]) -> None:
    classify(decode(gif))


def wire(
    gifs: Annotated[list[Path] | None, typer.Argument(help="GIF files; by default examples/.")] = None,
    model: Annotated[Path | None, typer.Option(metavar="PATH", help="An ONNX file.")] = None,
) -> None:
    """Compare the two steps over gRPC with the functions in this process; print JSON."""
    contents = [path.read_bytes() for path in gifs or sorted(EXAMPLES.glob("*.gif"))]
    report = measure(model or default_model_path(), contents, turns=TURNS)
    typer.echo(json.dumps(report, indent=2))
