"""Smoke tests of a deployed version: it is ready, identifies a GIF, and refuses a file that is not one."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from delivery.errors import CheckFailed
from delivery.request import Ask, Request, Response

READY = Request("GET", "/health/ready")
NOT_A_GIF = Request("POST", "/v1/identify", headers={"content-type": "image/gif"}, body=b"This is not a GIF.")


@dataclass(frozen=True)
class Expected:
    """What a check sends, and what the answers must say."""

    gif: bytes  # content of a GIF file
    show: str | None = None  # that it is from; None accepts any
    model_version: str | None = None  # that must answer; None accepts any
    key: str | None = None  # API key, if the service requires one


@dataclass(frozen=True)
class Checked:
    """One check that passed, and how long its request took."""

    name: str  # of the check
    duration_ms: float  # of the request
    version: str  # of the function that answered; empty if it is unknown
    says: str  # the answer in a few words


def smoke_test(ask: Ask, expected: Expected, *, where: str) -> list[Checked]:
    """Run the three checks.

    Raises:
        CheckFailed: names the place, the check and what was wrong.
    """
    gif = Request("POST", "/v1/identify", headers={"content-type": "image/gif"}, body=expected.gif)
    checks: Iterable[tuple[str, Request, Callable[[Response], str]]] = (
        ("ready", READY, _ready),
        ("a GIF", gif, lambda response: _identified(response, expected)),
        ("a bad file", NOT_A_GIF, _refused),
    )
    key = {"authorization": f"Bearer {expected.key}"} if expected.key is not None else {}
    checked = []
    for name, request, judge in checks:
        started = time.perf_counter()
        response = ask(dataclasses.replace(request, headers={**request.headers, **key}))
        duration_ms = (time.perf_counter() - started) * 1000
        try:
            says = judge(response)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            why = str(error) if isinstance(error, ValueError) else f"the answer lacks {error}"
            raise CheckFailed(where, f"{name}: {why}") from error
        checked.append(Checked(name, duration_ms, response.version, says))
    return checked


def _ready(response: Response) -> str:
    _expect_status(response, 200)
    return "ready"


def _identified(response: Response, expected: Expected) -> str:
    _expect_status(response, 200)
    answer: dict[str, Any] = response.json()
    shows = [(show["show"], show["probability"]) for show in answer["shows"]]
    probabilities = [probability for _, probability in shows]
    if not shows or not all(isinstance(show, str) and show for show, _ in shows):
        raise ValueError("no show is named")
    if probabilities != sorted(probabilities, reverse=True) or not all(0 <= p <= 1 for p in probabilities):
        raise ValueError(f"the probabilities are not those of a ranking: {probabilities}")
    if sum(probabilities) > 1.001:
        raise ValueError(f"the probabilities add up to {sum(probabilities):.3f}")
    if not isinstance(answer["known"], bool) or not answer["votes"]:
        raise ValueError("it does not say whether the show is known, or which frames say so")
    version = answer["model"]["version"]
    if expected.model_version is not None and version != expected.model_version:
        raise ValueError(f"model {version} answers, expected is {expected.model_version}")
    if expected.show is not None and shows[0][0] != expected.show:
        raise ValueError(f"the GIF is from {expected.show}, the answer is {shows[0][0]}")
    return f"{shows[0][0]} {probabilities[0]:.2f}, model {version}"


def _refused(response: Response) -> str:
    if not 400 <= response.status < 500:
        raise ValueError(f"answered with status {response.status}, expected is one of 400 to 499")
    reason = response.json()["reason"]
    if reason != "NOT_A_GIF":
        raise ValueError(f"refused with {reason}, expected is NOT_A_GIF")
    return f"{response.status} {reason}"


def _expect_status(response: Response, status: int) -> None:
    if response.status != status:
        said = response.body[:200].decode("utf-8", "replace")
        raise ValueError(f"answered with status {response.status}, expected is {status}: {said}")
