"""What early exit saves in time: `python -m benchmarks.effort`.

The same clips looked at whole, by the first frames of the rule in the model file alone, and in two parts, in
turns, so that whatever else the machine does falls on all three. How many clips stop is not measured here,
for the model may have learned from these GIFs: it is taken from docs/evaluation/effort.json, which tells of
clips that it had not seen.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.environments import ROOT
from benchmarks.gifs import real_items, shared_folder
from benchmarks.turns import Way, take_turns
from services.clip import Clip
from services.errors import AnalyzerError, ModelError
from services.inference import Classifier, EarlyExit, default_model_path
from services.inference.scoring import score
from services.preprocess import decode_gif

EFFORT = ROOT / "docs" / "evaluation" / "effort.json"
GIFS = 30


@dataclasses.dataclass(frozen=True)
class EffortTimes:
    """Means over the GIFs of the median over the turns, one thread.

    Attributes:
        gifs: how many GIFs.
        turns: how often each was looked at in each way.
        decode_ms: GIF to clip, in milliseconds.
        whole_ms: all ten frames at once.
        first_ms: the rule's first frames alone.
        parts_ms: the first frames, and then the others.
        stopped: share of unseen clips, of known shows and others, that the first frames decide.
        inference_ratio: whole_ms over what a clip takes on the mean where so many stop.
        line_ratio: the same with decoding in both.
    """

    gifs: int
    turns: int
    decode_ms: float
    whole_ms: float
    first_ms: float
    parts_ms: float
    stopped: float
    inference_ratio: float
    line_ratio: float


def measure(classifier: Classifier, gifs: Sequence[bytes], *, stopped: float, turns: int) -> EffortTimes:
    """Look at each GIF in every way, in turns.

    Raises:
        ModelError: the model holds no rule.
    """
    if classifier.rule is None:
        raise ModelError(classifier.model.name, "it holds no rule for early exit")
    times = []
    for gif in gifs:
        ways = [_decoding(gif), *_looking(classifier, decode_gif(gif), classifier.rule)]
        times.append([1000 * statistics.median(taken) for taken in take_turns(ways, turns)])
    decode, whole, first, parts = (statistics.fmean(column) for column in zip(*times, strict=True))
    early = stopped * first + (1 - stopped) * parts
    return EffortTimes(
        gifs=len(gifs),
        turns=turns,
        decode_ms=round(decode, 2),
        whole_ms=round(whole, 2),
        first_ms=round(first, 2),
        parts_ms=round(parts, 2),
        stopped=round(stopped, 3),
        inference_ratio=round(whole / early, 3),
        line_ratio=round((decode + whole) / (decode + early), 3),
    )


def _decoding(gif: bytes) -> Way:
    return lambda: decode_gif(gif)


def _looking(classifier: Classifier, clip: Clip, rule: EarlyExit) -> list[Way]:
    """The clip at once, its first frames alone, and both parts whatever the first say."""
    always, never = (dataclasses.replace(rule, threshold=threshold) for threshold in (0.0, 1.0))
    return [lambda rule=rule: score(classifier.run, clip.frames, rule) for rule in (None, always, never)]  # type: ignore[misc]


def read_stopped(path: Path) -> float:
    """The share of all unseen clips that stop early, out of an effort.json.

    Raises:
        OSError, ValueError, KeyError: it is none.
    """
    followed = json.loads(path.read_text(encoding="utf-8"))["followed"]
    return float(followed[-1]["stopped"]["value"])


def main() -> None:
    """Print the report as JSON."""
    command = argparse.ArgumentParser(prog="python -m benchmarks.effort", description=__doc__)
    command.add_argument("--model", type=Path, default=default_model_path(), help="an ONNX file with a rule")
    command.add_argument("--effort", type=Path, default=EFFORT, help="what gif-train effort wrote")
    command.add_argument("--turns", type=int, default=5, help="how often each GIF is looked at in each way")
    command.add_argument("gifs", nargs="*", type=Path, help="by default footage, or those of examples/")
    options = command.parse_args()
    paths = options.gifs or [Path(item.name) for item in real_items(GIFS, shared_folder())]
    try:
        stopped = read_stopped(options.effort)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        command.exit(2, f"error: {options.effort}: it is not an effort.json: {error}\n")
    try:
        gifs = [path.read_bytes() for path in paths]
        report = measure(Classifier(options.model), gifs, stopped=stopped, turns=options.turns)
    except AnalyzerError as error:
        command.exit(2, f"error: {error.message}\n")
    sys.stdout.write(json.dumps(dataclasses.asdict(report), indent=2) + "\n")


if __name__ == "__main__":
    main()
