"""The model that is to be delivered: **the registry, asked by `gif-train`** -> **its file, and what it is**.

A challenger goes first, for it is new. Without one it is the champion again, with code that is newer.
Training is another room: its program is asked, as anybody would ask it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delivery.errors import FailedStep, NoCandidate
from services.errors import os_reason

CHALLENGER, CHAMPION = "challenger", "champion"
ASK_S = 600.0  # a slow registry, and a model to download


@dataclass(frozen=True)
class Candidate:
    """A model of the registry.

    Attributes:
        alias: challenger or champion.
        version: of the registry.
        model_version: as the model names itself.
        path: of its file.
    """

    alias: str
    version: str
    model_version: str
    path: Path


def fetch_candidate(out: Path) -> Candidate:
    """Download the challenger, or without one the champion.

    Args:
        out: where to write the model file.

    Raises:
        NoCandidate: the registry has neither.
        FailedStep: it cannot be asked; says what `gif-train` said.
    """
    aliases = _ask("status")["aliases"]
    alias = next((name for name in (CHALLENGER, CHAMPION) if name in aliases), None)
    if alias is None:
        raise NoCandidate
    out.parent.mkdir(parents=True, exist_ok=True)
    # By its number: the alias may move while we look.
    pulled = _ask("pull", aliases[alias], "--out", str(out))
    return Candidate(alias, str(pulled["version"]), str(pulled["model_version"]), out)


def _ask(*words: str) -> dict[str, Any]:
    command: Sequence[str] = (str(Path(sys.executable).with_name("gif-train")), *words, "--json")
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=ASK_S)
    except OSError as error:
        raise FailedStep("gif-train", os_reason(error)) from error
    except subprocess.TimeoutExpired as error:
        raise FailedStep("gif-train", f"it did not answer within {ASK_S:g} s") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise FailedStep(f"gif-train {words[0]}", said[-1].removeprefix("error: ") if said else "it failed")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
