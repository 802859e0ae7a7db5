"""The bundle without each measure in turn: **a model, a target** -> **a folder and a handler for each**."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.emulator import HANDLER
from delivery.bundle.build import gather
from delivery.bundle.bytecode import compile_sources
from delivery.bundle.prune import prune, read_rules
from delivery.bundle.source import OWN
from delivery.bundle.target import Target

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
# The classifier asks for SessionOptions() and leaves the level as it comes; here it comes lower.
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
    """A function that is started cold.

    Attributes:
        name: in tables.
        folder: that it runs in.
        handler: module and function.
    """

    name: str
    folder: Path
    handler: str


def make_variants(work: Path, *, model: Path, target: Target) -> Sequence[Variant]:
    """Make the folders: the trivial function, the bundle as delivered, and that without each measure."""
    bare = work / "bare"
    bare.mkdir()
    gather(bare, model=model, target=target)
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
