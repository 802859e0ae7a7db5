"""Measures the cold start of the Lambda bundle, and how much each of its optimisations saves.

Each round starts every variant of the bundle once, in turns, in Lambda's emulator on one processor. *Cold* is
the time from the first event to its answer, an identified GIF: interpreter, imports, model and inference.
*Warm* is the median of later events, each with another GIF. Because machines differ and are never idle, cold
is also given relative to a trivial function in the same round. Files are in the page cache here; Lambda reads
them from a disk.
"""

from __future__ import annotations

import datetime
import functools
import json
import platform
import shutil
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks import EXAMPLES, ROOT
from benchmarks.harness.emulator import HANDLER, Emulator, missing_part
from benchmarks.harness.gifs import with_comment
from benchmarks.harness.timing import Ratio, in_turns, table, timed
from delivery.bundle.packages import OWN, check_model, gather
from delivery.bundle.prune import prune, read_rules
from delivery.bundle.python import Target, compile_sources, find_python
from delivery.cost import CPU_MEMORY_MB
from delivery.request import Request, from_result, to_event
from services.inference import default_model_path

ROUNDS = 9
WARM = 5  # events after the first
BUDGET_GB_S = 0.4  # of a request: 400,000 free GB-s a month for a million requests
GIF = EXAMPLES / "meadow.gif"
RESULT = ROOT / "benchmarks/cold_start.json"

TRIVIAL = "trivial"
DELIVERED = "as delivered"

_HANDLER_MODULE, _HANDLER_NAME = HANDLER.rsplit(".", 1)
_TRIVIAL_SOURCE = """
def handler(event, context):
    return {"statusCode": 200, "headers": {}, "body": "{}"}
"""
_WITHOUT_LAZY_IMPORTS = f"""
import gateway.fetch.fetcher
from {_HANDLER_MODULE} import {_HANDLER_NAME} as handler
"""
# The classifier leaves the optimisation level of SessionOptions() at its default; here the default is lower.
_WITHOUT_GRAPH_OPTIMISATION = f"""
import onnxruntime

_Options = onnxruntime.SessionOptions

def _lower():
    options = _Options()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    return options

onnxruntime.SessionOptions = _lower
from {_HANDLER_MODULE} import {_HANDLER_NAME} as handler
"""


@dataclass(frozen=True)
class Variant:
    """A function whose cold start is measured."""

    name: str  # in tables
    folder: Path  # that it runs in
    handler: str  # module and function


@dataclass(frozen=True)
class Start:
    """Times and memory of one variant of the bundle, started once in the Lambda emulator."""

    cold_ms: float  # first event to first answer
    warm_ms: float  # median of the later events
    peak_memory_bytes: int  # of the function's process


def make_variants(work: Path, *, model: Path, target: Target) -> Sequence[Variant]:
    """Write the trivial function, the bundle as delivered, and the bundle without each optimisation."""
    bare = work / "bare"
    bare.mkdir()
    gather(ROOT, bare, model=model, target=target)
    delivered, uncompiled, unpruned = work / "delivered", work / "uncompiled", work / "unpruned"
    shutil.copytree(bare, uncompiled)
    prune(uncompiled, read_rules())
    shutil.copytree(uncompiled, delivered)
    shutil.move(bare, unpruned)
    trivial = work / "trivial"
    trivial.mkdir()
    (trivial / "trivial.py").write_text(_TRIVIAL_SOURCE, "utf-8")
    (delivered / "without_lazy_imports.py").write_text(_WITHOUT_LAZY_IMPORTS, "utf-8")
    (delivered / "without_graph_optimisation.py").write_text(_WITHOUT_GRAPH_OPTIMISATION, "utf-8")
    for folder in (trivial, delivered, unpruned):
        compile_sources(folder, target.python, keep=OWN)
    return (
        Variant(TRIVIAL, trivial, "trivial.handler"),
        Variant(DELIVERED, delivered, HANDLER),
        Variant("without byte-code", uncompiled, HANDLER),
        Variant("without pruning", unpruned, HANDLER),
        Variant("without lazy imports", delivered, "without_lazy_imports.handler"),
        Variant("without extended graph optimisation", delivered, "without_graph_optimisation.handler"),
    )


def measure(
    variants: Sequence[Variant], *, rounds: int, python: Path, say: Callable[[str], None]
) -> dict[str, list[Start]]:
    """Start every variant once in each round.

    Raises:
        RuntimeError: a function did not answer with an identified GIF.
    """
    starts = [functools.partial(_start, variant, python, say) for variant in variants]
    names = [variant.name for variant in variants]
    return dict(zip(names, in_turns(starts, rounds), strict=True))


def _start(variant: Variant, python: Path, say: Callable[[str], None]) -> Start:
    say(f"starting the variant: {variant.name}")
    gif, headers = GIF.read_bytes(), {"content-type": "image/gif"}
    wrapper = ("taskset", "--cpu-list", "0")
    with Emulator(variant.folder, python=python, handler=variant.handler, wrapper=wrapper) as function:
        taken = []
        for number in range(1 + WARM):  # no answer comes from a cache
            body = with_comment(gif, f"event {number}")
            event = json.dumps(to_event(Request("POST", "/v1/identify", headers=headers, body=body))).encode()
            seconds, answer = timed(function.invoke_bytes, event)
            _check(variant, answer)
            taken.append(1000 * seconds)
        cold, *warm = taken
        return Start(round(cold, 2), round(statistics.median(warm), 2), function.peak_memory_bytes())


def _check(variant: Variant, answer: bytes) -> None:
    result = json.loads(answer)
    if "errorType" in result or result["statusCode"] != 200:
        raise RuntimeError(f"{variant.name}: {answer[:500].decode('utf-8', 'replace')}")
    if variant.name != TRIVIAL and not from_result(result).json()["shows"]:
        raise RuntimeError(f"{variant.name}: no show is named")


def summarise(starts: Mapping[str, Sequence[Start]]) -> dict[str, dict[str, Any]]:
    """Return medians over the rounds, and medians of the ratios within each round."""
    cold = {name: [start.cold_ms for start in its] for name, its in starts.items()}
    return {
        name: {
            "cold_ms": statistics.median(cold[name]),
            "warm_ms": statistics.median(start.warm_ms for start in its),
            "peak_memory_bytes": max(start.peak_memory_bytes for start in its),
            "cold_to_trivial": round(Ratio.of(cold[name], cold[TRIVIAL]).middle, 3),
            "delivered_to_this": round(Ratio.of(cold[DELIVERED], cold[name]).middle, 3),
            "rounds": {key: [asdict(start)[key] for start in its] for key in Start.__annotations__},
        }
        for name, its in starts.items()
    }


def gb_seconds(duration_ms: float) -> float:
    """Return what one request takes with the memory that brings one processor."""
    return round(duration_ms / 1000 * CPU_MEMORY_MB / 1024, 4)


def markdown(result: Mapping[str, Any]) -> str:
    """Return the table of docs/bundle.md."""
    rows = [
        (
            name,
            f"{found['cold_ms']:.0f} ms",
            f"{found['cold_to_trivial']:.2f}",
            f"{found['delivered_to_this']:.2f}",
            f"{found['warm_ms']:.1f} ms",
            f"{found['peak_memory_bytes'] / 1e6:.0f} MB",
        )
        for name, found in result["variants"].items()
    ]
    columns = ("variant", "cold", "to trivial", "delivered / this", "warm", "peak memory")
    spent = [
        f"A {name} request takes {gb_s:.3f} GB-s at {CPU_MEMORY_MB} MB, "
        f"{gb_s / BUDGET_GB_S:.0%} of the {BUDGET_GB_S} GB-s that a million free requests leave each."
        for name, gb_s in result["gb_seconds"].items()
    ]
    return "\n".join([table(columns, rows), "", *spent])


def cold_start(
    rounds: Annotated[
        int, typer.Option(min=1, metavar="N", help="How often each variant is started.")
    ] = ROUNDS,
    python: Annotated[str, typer.Option(metavar="3.X", help="Python of the function.")] = "3.13",
    model: Annotated[Path | None, typer.Option(metavar="PATH", help="An ONNX file.")] = None,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Result file.")] = RESULT,
) -> None:
    """Measure cold starts, write the result file and print its table."""
    if missing := missing_part(python):
        raise typer.BadParameter(missing)
    model = model or default_model_path()
    info = check_model(model)
    with tempfile.TemporaryDirectory() as work:
        variants = make_variants(Path(work), model=model, target=Target(python))
        say = functools.partial(typer.echo, err=True)
        starts = measure(variants, rounds=rounds, python=find_python(python), say=say)
    found = summarise(starts)
    figures = {key: found[DELIVERED][key] for key in ("cold_ms", "warm_ms", "peak_memory_bytes")}
    result = {
        "made": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": {"processor": _processor(), "cores_used": 1, "system": platform.platform(terse=True)},
        "python": python,
        "model": {"name": info.name, "version": info.version},
        "gif": {"name": GIF.name, "size_bytes": GIF.stat().st_size},
        "rounds": rounds,
        **figures,
        "gb_seconds": {name: gb_seconds(figures[f"{name}_ms"]) for name in ("cold", "warm")},
        "variants": found,
    }
    out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    typer.echo(markdown(result))


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
