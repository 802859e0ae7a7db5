"""What the wire costs: `python -m benchmarks.wire`.

The two steps as functions of this process, and as services of another one on the same machine; the same GIFs,
in turns, so that whatever else the machine does falls on both.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.process import start_services
from benchmarks.turns import take_turns
from services.clip import Clip
from services.inference import Classifier, Prediction, default_model_path
from services.inference.rpc import RemoteClassifier
from services.preprocess import decode_gif
from services.preprocess.rpc import RemotePreprocess

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.gif"))


@dataclasses.dataclass(frozen=True)
class WireReport:
    """Medians over all turns and GIFs.

    Attributes:
        gifs: how many GIFs.
        turns: how often each was answered in each way.
        direct_ms: decode_gif and classify in this process, in milliseconds.
        grpc_ms: the same by the services.
        added_ms: median of what the services took longer on the same GIF in the same turn.
        ratio: grpc_ms / direct_ms.
        within_goal: added_ms is at most 3 ms or 10 % of direct_ms, whichever is larger.
    """

    gifs: int
    turns: int
    direct_ms: float
    grpc_ms: float
    added_ms: float
    ratio: float
    within_goal: bool


def measure(model: Path, gifs: Sequence[bytes], *, turns: int = 20) -> WireReport:
    """Answer each GIF in both ways, in turns."""
    classifier = Classifier(model)
    direct: list[float] = []
    wired: list[float] = []
    with (
        start_services("--model", str(model)) as services,
        RemotePreprocess(services.address) as preprocess,
        RemoteClassifier(services.address) as inference,
    ):
        for gif in gifs:
            here = functools.partial(_answer, gif, decode_gif, classifier.classify)
            there = functools.partial(_answer, gif, preprocess.decode_gif, inference.classify)
            for seconds, times in zip(
                take_turns([here, there], turns, warm_up=3), (direct, wired), strict=True
            ):
                times.extend(1000 * each for each in seconds)
    direct_ms, grpc_ms = statistics.median(direct), statistics.median(wired)
    added_ms = statistics.median(there - here for here, there in zip(direct, wired, strict=True))
    return WireReport(
        gifs=len(gifs),
        turns=turns,
        direct_ms=round(direct_ms, 2),
        grpc_ms=round(grpc_ms, 2),
        added_ms=round(added_ms, 2),
        ratio=round(grpc_ms / direct_ms, 3),
        within_goal=added_ms <= max(3.0, 0.1 * direct_ms),
    )


def _answer(gif: bytes, decode: Callable[[bytes], Clip], classify: Callable[[Clip], Prediction]) -> None:
    classify(decode(gif))


def main() -> None:
    """Print the report as JSON."""
    command = argparse.ArgumentParser(prog="python -m benchmarks.wire", description=__doc__)
    command.add_argument("--model", type=Path, default=default_model_path(), help="an ONNX file")
    command.add_argument("--turns", type=int, default=20, help="how often each GIF is answered in each way")
    command.add_argument("gifs", nargs="*", type=Path, default=EXAMPLES, help="by default those of examples/")
    options = command.parse_args()
    gifs = [path.read_bytes() for path in options.gifs]
    report = measure(options.model, gifs, turns=options.turns)
    sys.stdout.write(json.dumps(dataclasses.asdict(report), indent=2) + "\n")


if __name__ == "__main__":
    main()
