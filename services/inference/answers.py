"""The log line of an answer: what is needed to watch a model, and nothing that identifies a file or a person.

REST, AWS Lambda and the gRPC inference service write the same line, the members of `answer_line` beside those
of every record of the log. The line never holds a GIF, a digest, a file name or an address. `read_answer`
reads it back. A `Summary` counts many of them; it is also the reference that a registered model carries.
"""

from __future__ import annotations

import datetime
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self, get_args

from services.inference.prediction import Level, Prediction
from services.reading import parse_json

MESSAGE = "answer"  # of the record, by which the lines are found in a log
NAMED = 3  # shows of the ranking in a line
MOST_VALUES = 2_000  # that a summary keeps of a measured quantity
FORM = 1  # version of a summary's JSON
MOST_ANSWERS = 10**15  # in a summary
TIME = "%Y-%m-%d %H:%M:%S,%f"  # of a record of the log, in the time zone of the server

Interface = Literal["rest", "lambda", "grpc", "held out"]

_COUNTS, _VALUES = ("verdicts", "shows", "formats", "errors"), ("familiarity", "duration_ms")  # of a summary


@dataclass(frozen=True)
class Answer:
    """One answered request, as its line says it.

    Attributes:
        request_id: of the request; feedback names it.
        interface: that answered.
        model_version: that answered; "" for an error.
        verdict: its level; None for an error.
        names: of the verdict: shows, or one kind of picture.
        shows: the most probable ones with their probabilities, 0..1, in two digits.
        familiarity: of the clip; None for an error, or where a service did not tell it.
        format: of the file, a key of `services.clip.FORMATS`; "" where unknown.
        frame_count: how many frames had votes.
        kept: whether it came from the cache of answers.
        error: reason of the error; None for an answer.
        duration_ms: from the GIF to the answer, waiting included, in milliseconds.
        decode_ms: that preprocessing took; None where another process, or none, did it.
        classify_ms: that classification took; None for an answer from the cache.
    """

    request_id: str
    interface: Interface
    duration_ms: float
    model_version: str = ""
    verdict: Level | None = None
    names: tuple[str, ...] = ()
    shows: tuple[tuple[str, float], ...] = ()
    familiarity: float | None = None
    format: str = ""
    frame_count: int = 0
    kept: bool = False
    error: str | None = None
    decode_ms: float | None = None
    classify_ms: float | None = None


def answer_of(
    prediction: Prediction,
    *,
    request_id: str,
    interface: Interface,
    duration_ms: float,
    decode_ms: float | None = None,
    classify_ms: float | None = None,
    kept: bool = False,
) -> Answer:
    """Return what is logged of a prediction; see `Answer`."""
    familiarity = prediction.familiarity
    return Answer(
        request_id=request_id,
        interface=interface,
        duration_ms=_rounded(duration_ms),
        model_version=prediction.model.version,
        verdict=prediction.verdict.level,
        names=prediction.verdict.names,
        shows=tuple((each.show, round(each.probability, 2)) for each in prediction.shows[:NAMED]),
        familiarity=None if familiarity is None else round(familiarity, 2),
        format=prediction.format,
        frame_count=len(prediction.votes),
        kept=kept,
        decode_ms=None if decode_ms is None else _rounded(decode_ms),
        classify_ms=None if classify_ms is None else _rounded(classify_ms),
    )


def error_of(reason: str, *, request_id: str, interface: Interface, duration_ms: float) -> Answer:
    """Return what is logged of an error that a request to identify a GIF got."""
    return Answer(request_id, interface, _rounded(duration_ms), error=reason)


def answer_line(answer: Answer) -> dict[str, Any]:
    """Return the members of the line, for `extra` of a record whose message is `MESSAGE`."""
    return asdict(answer)


def read_records(
    lines: Iterable[str], *, since: datetime.datetime | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the records of a log and their line numbers; lines of plain text are passed over.

    Args:
        lines: of a log that `services.process.log_as_json` set up, alone or among others.
        since: only records from this time on, in the time zone of the server; None yields all.
    """
    for number, line in enumerate(lines, 1):
        start = line.find("{")
        try:
            record = parse_json(line[start:]) if start >= 0 else None
        except ValueError:
            continue
        if isinstance(record, dict) and (since is None or _is_after(record, since)):
            yield number, record


def read_log(
    lines: Iterable[str], *read: Callable[[Mapping[str, Any]], Any], since: datetime.datetime | None = None
) -> Iterator[Any]:
    """Yield what the lines of a log say.

    Args:
        lines: as of `read_records`.
        read: each reads the records of its kind and returns None for others, as `read_answer` does.
        since: as of `read_records`.

    Raises:
        ValueError: a line of such a kind is damaged; names its number.
    """
    for number, record in read_records(lines, since=since):
        for each in read:
            try:
                found = each(record)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error
            if found is not None:
                yield found


def read_answer(record: Mapping[str, Any]) -> Answer | None:
    """Read a record of the log, parsed from JSON; None if it is not the line of an answer.

    Raises:
        ValueError: it is one, and a member is missing or has another type.
    """
    if record.get("message") != MESSAGE or "interface" not in record:
        return None
    try:
        found = {name: record[name] for name in Answer.__dataclass_fields__}
        found["names"] = tuple(str(name) for name in found["names"])
        found["shows"] = tuple((str(show), float(share)) for show, share in found["shows"])
        measured = ("duration_ms", "decode_ms", "classify_ms", "familiarity")
        found |= {name: None if found[name] is None else float(found[name]) for name in measured}
        answer = Answer(**found)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"a line of an answer is damaged: {error!r}") from error
    texts = (answer.request_id, answer.interface, answer.model_version, answer.format)
    if not all(isinstance(text, str) for text in texts) or not isinstance(answer.error, str | None):
        raise ValueError("a line of an answer is damaged: what should be text is not")
    numbers = [found[name] for name in measured if name == "duration_ms" or found[name] is not None]
    if not all(number is not None and math.isfinite(number) for number in numbers):
        raise ValueError("a line of an answer is damaged: its duration or another number")
    if answer.error is None and answer.verdict not in get_args(Level):
        raise ValueError(f"a line of an answer is damaged: its verdict is {answer.verdict!r}")
    return answer


@dataclass(frozen=True)
class Summary:
    """What many answers of one model say together. Answers from the cache of a gateway are not in it.

    Attributes:
        model_version: that answered.
        source: where the answers are from, for people, such as "2,412 answers of held-out GIFs".
        verdicts: number of answers by level.
        shows: number of answers that name one show, by show.
        formats: number of answers by format, where it is known: a gRPC service does not learn it.
        errors: number of errors by reason; None where no requests were made, so that none could fail.
        familiarity: of the clips, sorted; at most `MOST_VALUES`, evenly chosen.
        duration_ms: of the answers, in the same way; empty where they say nothing about a service.
    """

    model_version: str
    source: str
    verdicts: Mapping[str, int]
    shows: Mapping[str, int]
    formats: Mapping[str, int]
    errors: Mapping[str, int] | None
    familiarity: Sequence[float] = field(repr=False)
    duration_ms: Sequence[float] = field(repr=False)

    @property
    def answers(self) -> int:
        """Number of answers, errors not counted."""
        return sum(self.verdicts.values())

    @classmethod
    def of(cls, answers: Iterable[Answer], *, model_version: str, source: str) -> Self:
        """Count the answers of one model, and all errors, which name no model.

        Args:
            answers: in any order; those of other models are left out.
            model_version: of the model.
            source: for people.
        """
        verdicts, shows, formats, errors = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
        familiarity, duration_ms, served = [], [], False
        for answer in answers:
            if answer.kept:
                continue
            served |= answer.interface != "held out"
            if answer.error is not None:
                errors[answer.error] += 1
            elif answer.model_version == model_version:
                verdicts[str(answer.verdict)] += 1
                shows.update(answer.names if answer.verdict == "show" else ())
                formats.update([answer.format] if answer.format else [])
                familiarity += [answer.familiarity] if answer.familiarity is not None else []
                duration_ms += [answer.duration_ms] if answer.interface != "held out" else []
        return cls(
            model_version,
            source,
            dict(verdicts),
            dict(shows),
            dict(formats),
            dict(errors) if served else None,
            _thinned(familiarity),
            _thinned(duration_ms),
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {"form": FORM, **asdict(self)}

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` returned, as text.

        Raises:
            ValueError: it is something else, or of another version of this program.
        """
        try:
            found = parse_json(text)
            if found.pop("form") != FORM:
                raise ValueError("another version of this program wrote it")
            for name in _COUNTS:
                given = found[name]
                if given is not None or name != "errors":
                    found[name] = {key: int(count) for key, count in given.items()}
            for name in _VALUES:
                found[name] = [float(value) for value in found[name]]
            if not all(isinstance(found[name], str) for name in ("model_version", "source")):
                raise ValueError("its model or its source is no text")
            counts = [count for name in _COUNTS for count in (found[name] or {}).values()]
            if min(counts, default=0) < 0 or max(counts, default=0) > MOST_ANSWERS:
                raise ValueError("one of its counts is out of range")
            if not all(math.isfinite(value) for name in _VALUES for value in found[name]):
                raise ValueError("one of its numbers is not finite")
            return cls(**found)
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise ValueError(f"it is no summary of answers: {error}") from error


def _is_after(record: Mapping[str, Any], since: datetime.datetime) -> bool:
    try:
        return datetime.datetime.strptime(str(record.get("time")), TIME) >= since
    except ValueError:
        return False


def _thinned(values: list[float]) -> list[float]:
    """Return the values sorted; of more than `MOST_VALUES`, that many at equal distances of rank."""
    ordered = sorted(values)
    if len(ordered) <= MOST_VALUES:
        return ordered
    return [ordered[(2 * index + 1) * len(ordered) // (2 * MOST_VALUES)] for index in range(MOST_VALUES)]


def _rounded(milliseconds: float) -> float:
    return round(milliseconds, 1)
