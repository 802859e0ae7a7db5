"""Weeks of simulated answers, as lines of a log."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from services.inference import Level
from services.inference.answers import MESSAGE, TIME, Answer, answer_line, error_of

MODEL = "2026.11.29"
SHOWS = tuple(f"Show {number}" for number in range(21))


@dataclass(frozen=True)
class Traffic:
    """What a service is asked: chances of levels, shows and errors, and what is measured."""

    levels: Sequence[float] = (0.5, 0.15, 0.15, 0.2)  # show, one_of, kind, unknown
    show_decay: float = 0.85  # popularity of a show beside the one before it
    familiarity: float = 1.0  # mean; the standard deviation is 2
    gif_share: float = 0.9  # the others are WebP
    error_share: float = 0.03
    duration_ms: float = 40.0  # median

    def answers(self, count: int, seed: int, *, model: str = MODEL) -> list[Answer]:
        """Draw so many requests."""
        dice = np.random.default_rng(seed)
        popularity = self.show_decay ** np.arange(len(SHOWS))
        popularity /= popularity.sum()
        return [self._answer(dice, popularity, model, f"{seed}-{number}") for number in range(count)]

    def _answer(self, dice: np.random.Generator, popularity: Any, model: str, request_id: str) -> Answer:
        duration_ms = float(self.duration_ms * np.exp(0.4 * dice.standard_normal()))
        if dice.random() < self.error_share:
            reason = str(dice.choice(["NOT_A_GIF", "FETCH_FAILED"]))
            return error_of(reason, request_id=request_id, interface="lambda", duration_ms=duration_ms)
        level = cast(Level, str(dice.choice(["show", "one_of", "kind", "unknown"], p=self.levels)))
        shows = [str(show) for show in dice.choice(SHOWS, 3, replace=False, p=popularity)]
        names = {"show": shows[:1], "one_of": shows[:2], "kind": ["anime"], "unknown": []}[level]
        return Answer(
            request_id,
            "lambda",
            round(duration_ms, 1),
            model_version=model,
            verdict=level,
            names=tuple(names),
            shows=tuple((show, 0.3) for show in shows),
            familiarity=round(float(dice.normal(self.familiarity, 2)), 2),
            format="gif" if dice.random() < self.gif_share else "webp",
            frame_count=10,
        )


def as_line(answer: Answer, at: datetime.datetime | None = None) -> str:
    """A line of a log, written at this time, by default now."""
    time = (at or datetime.datetime.now()).strftime(TIME)[:-3]
    record = {"time": time, "level": "INFO", "logger": "gateway.rest.app", "message": MESSAGE}
    return json.dumps({**record, **answer_line(answer)})
