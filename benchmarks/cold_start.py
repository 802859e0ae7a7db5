"""How long a cold start takes, and what each measure does to it: `python -m benchmarks.cold_start`.

Every round starts every variant once, in an order drawn anew, on one core, which the emulator shares. Cold is
from the first event to its answer, an identified GIF: interpreter, imports, model and inference. Warm is the
median of the events after it, each a GIF that was not asked about before. Cold is also given as its ratio to
the trivial function of the same round, because machines differ and are never quiet. Files are in the page
cache here; Lambda reads them for the first time.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.emulator import Emulator, missing_part
from benchmarks.variants import DELIVERED, TRIVIAL, Variant, make_variants
from delivery.bundle.source import check_model
from delivery.bundle.target import Target
from delivery.interpreter import find_python
from delivery.request import Request, from_result, to_event
from services.inference import default_model_path

ROUNDS = 9
WARM = 5  # events after the first
CPU_MEMORY_MB = 1769  # from which on Lambda gives a function one whole processor
BUDGET_GB_S = 0.4  # of a request: 400,000 GB-s for a million
GIF = Path(__file__).parents[1] / "examples/meadow.gif"
RESULT = Path(__file__).with_name("cold_start.json")


@dataclass
class Times:
    """What was measured of one variant, one value for each round.

    Attributes:
        cold_ms: first event to first answer.
        warm_ms: median of the later ones.
        peak_memory_bytes: of the function's process.
    """

    cold_ms: list[float] = field(default_factory=list)
    warm_ms: list[float] = field(default_factory=list)
    peak_memory_bytes: list[int] = field(default_factory=list)


def measure(
    variants: Sequence[Variant], *, rounds: int, core: int, python: Path, say: Callable[[str], None]
) -> dict[str, Times]:
    """Start every variant once in each round.

    Raises:
        RuntimeError: a function did not answer with an identified GIF.
    """
    times = {variant.name: Times() for variant in variants}
    chance = random.Random(0)
    for number in range(rounds):
        for variant in chance.sample(variants, len(variants)):
            say(f"round {number + 1} of {rounds}: {variant.name}")
            _measure_once(variant, times[variant.name], core, python)
    return times


def _measure_once(variant: Variant, times: Times, core: int, python: Path) -> None:
    gif = GIF.read_bytes()
    wrapper = ("taskset", "--cpu-list", str(core))
    with Emulator(variant.folder, python=python, handler=variant.handler, wrapper=wrapper) as function:
        taken = []
        for number in range(1 + WARM):
            # Bytes after the end of a GIF change nothing but its digest: no answer comes from a cache.
            headers = {"content-type": "image/gif"}
            request = Request("POST", "/v1/identify", headers=headers, body=gif + bytes(number))
            event = json.dumps(to_event(request)).encode()
            started = time.perf_counter()
            answer = function.invoke_bytes(event)
            taken.append((time.perf_counter() - started) * 1000)
            _check(variant, answer)
        times.cold_ms.append(round(taken[0], 2))
        times.warm_ms.append(round(statistics.median(taken[1:]), 2))
        times.peak_memory_bytes.append(function.peak_memory_bytes())


def _check(variant: Variant, answer: bytes) -> None:
    result = json.loads(answer)
    if "errorType" in result or result["statusCode"] != 200:
        raise RuntimeError(f"{variant.name}: {answer[:500].decode('utf-8', 'replace')}")
    if variant.name != TRIVIAL and not from_result(result).json()["shows"]:
        raise RuntimeError(f"{variant.name}: no show is named")


def summarise(times: dict[str, Times]) -> dict[str, dict[str, Any]]:
    """Medians over the rounds, and medians of the ratios within each round."""
    trivial, delivered = times[TRIVIAL], times[DELIVERED]
    return {
        name: {
            "cold_ms": statistics.median(its.cold_ms),
            "warm_ms": statistics.median(its.warm_ms),
            "peak_memory_bytes": max(its.peak_memory_bytes),
            "cold_to_trivial": _ratio(its.cold_ms, trivial.cold_ms),
            "delivered_to_this": _ratio(delivered.cold_ms, its.cold_ms),
            "rounds": asdict(its),
        }
        for name, its in times.items()
    }


def _ratio(values: Sequence[float], others: Sequence[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(values, others, strict=True)), 3)


def gb_seconds(duration_ms: float) -> float:
    """What one request costs at the memory that brings one processor."""
    return round(duration_ms / 1000 * CPU_MEMORY_MB / 1024, 4)


def markdown(result: dict[str, Any]) -> str:
    """The table for the documents."""
    lines = [
        "| variant | cold | to trivial | delivered / this | warm | peak memory |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, found in result["variants"].items():
        lines.append(
            f"| {name} | {found['cold_ms']:.0f} ms | {found['cold_to_trivial']:.2f} | "
            f"{found['delivered_to_this']:.2f} | {found['warm_ms']:.1f} ms | "
            f"{found['peak_memory_bytes'] / 1e6:.0f} MB |"
        )
    lines.append("")
    for name in ("cold", "warm"):
        spent = result["gb_seconds"][name]
        lines.append(
            f"A {name} request takes {spent:.3f} GB-s at {CPU_MEMORY_MB} MB, "
            f"{spent / BUDGET_GB_S:.0%} of the {BUDGET_GB_S} GB-s that a million free requests leave each."
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, write the result file, and print the table."""
    command = argparse.ArgumentParser(prog="python -m benchmarks.cold_start", description=__doc__)
    command.add_argument("--rounds", type=int, default=ROUNDS, help="%(default)s unless told")
    command.add_argument("--core", type=int, default=0, help="the processor to use, from 0 on")
    command.add_argument("--python", default="3.13", help="minor version of the function's Python")
    command.add_argument("--model", type=Path, default=default_model_path(), help="an ONNX file")
    command.add_argument("--out", type=Path, default=RESULT, help="result file")
    options = command.parse_args()
    if missing := missing_part(options.python):
        command.error(missing)
    model = check_model(options.model)
    with tempfile.TemporaryDirectory() as work:
        variants = make_variants(Path(work), model=options.model, target=Target(options.python))
        times = measure(
            variants,
            rounds=options.rounds,
            core=options.core,
            python=find_python(options.python),
            say=_say,
        )
    found = summarise(times)
    delivered = found[DELIVERED]
    result = {
        "made": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": {"processor": _processor(), "cores_used": 1, "system": platform.platform(terse=True)},
        "python": options.python,
        "model": {"name": model.name, "version": model.version},
        "gif": {"name": GIF.name, "size_bytes": GIF.stat().st_size},
        "rounds": options.rounds,
        "cold_ms": delivered["cold_ms"],
        "warm_ms": delivered["warm_ms"],
        "peak_memory_bytes": delivered["peak_memory_bytes"],
        "gb_seconds": {"cold": gb_seconds(delivered["cold_ms"]), "warm": gb_seconds(delivered["warm_ms"])},
        "variants": found,
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    sys.stdout.write(markdown(result) + "\n")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    main()
