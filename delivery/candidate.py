"""Downloads from the registry: the model to deliver, and the reference of a version.

The model is the challenger, or without one the champion. The reference is what answers are compared with.
Delivery must not import training, so it runs `gif-train`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from delivery.errors import FailedStep, NoCandidate
from services.errors import os_reason

ALIASES = ("challenger", "champion")  # in order of preference
TIMEOUT_S = 600.0  # for a slow registry and a model to download


def fetch_candidate(out: Path) -> dict[str, str]:
    """Download the challenger, or without one the champion.

    Args:
        out: where to write the model file.

    Returns:
        Its `alias`, its `version` in the registry, and the `model_version` in the model file.

    Raises:
        NoCandidate: the registry has neither.
        FailedStep: `gif-train` failed; says what it printed.
    """
    aliases = _gif_train("status")["aliases"]
    alias = next((name for name in ALIASES if name in aliases), None)
    if alias is None:
        raise NoCandidate
    out.parent.mkdir(parents=True, exist_ok=True)
    # By its number, because the alias may move in the meantime.
    pulled = _gif_train("pull", aliases[alias], "--out", str(out))
    return {"alias": alias, **{key: str(pulled[key]) for key in ("version", "model_version")}}


def fetch_reference(which: str, out: Path) -> Path:
    """Download the reference of a version, and return `out`.

    Args:
        which: an alias or a number.
        out: where to write it.

    Raises:
        FailedStep: `gif-train` failed; says what it printed.
    """
    _gif_train("reference", which, "--out", str(out))
    return out


def _gif_train(*words: str) -> dict[str, Any]:
    command = (str(Path(sys.executable).with_name("gif-train")), *words, "--json")
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    except OSError as error:
        raise FailedStep("gif-train", os_reason(error)) from error
    except subprocess.TimeoutExpired as error:
        raise FailedStep("gif-train", f"it did not answer within {TIMEOUT_S:g} s") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise FailedStep(f"gif-train {words[0]}", said[-1].removeprefix("error: ") if said else "it failed")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
