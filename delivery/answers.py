"""Reads the lines of answers from files, standard input and CloudWatch Logs.

CloudWatch Logs is read with FilterLogEvents, which costs nothing; Logs Insights would count against a limit.
"""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from delivery.errors import InvalidAnswers
from services.errors import os_reason
from services.inference.answers import MESSAGE, Answer, read_answer, read_log
from services.reading import bounded_lines

STDIN = Path("-")
PATTERN = f'{{ $.message = "{MESSAGE}" }}'  # of CloudWatch Logs: the lines of answers alone


def read_logs(paths: Iterable[Path], *, days: float | None = None) -> Iterator[Answer]:
    """Yield the answers of log files; lines of other kinds are passed over.

    Args:
        paths: files of the log, one JSON object a line; `-` is standard input.
        days: only lines of the last so many days; None yields all.

    Raises:
        InvalidAnswers: a file cannot be read, or the line of an answer is damaged.
    """
    since = None if days is None else datetime.datetime.now() - datetime.timedelta(days=days)  # as the log
    for path in paths:
        try:
            if path == STDIN:
                yield from _read_lines(bounded_lines(sys.stdin), "standard input", since)
            else:
                with path.open(encoding="utf-8", errors="replace") as file:
                    yield from _read_lines(bounded_lines(file), str(path), since)
        except OSError as error:
            raise InvalidAnswers(str(path), f"it cannot be read: {os_reason(error)}") from error


def read_cloudwatch(function: str, *, days: float) -> Iterator[Answer]:
    """Yield the answers of a Lambda function in the last days, from its log group.

    Args:
        function: its name.
        days: at most those that the log group keeps.

    Raises:
        UnknownFunction: there is no log group of that name.
        AwsUnavailable: AWS refuses or cannot be reached.
        InvalidAnswers: the line of an answer is damaged.
    """
    import boto3  # noqa: PLC0415 - slow, and files need none

    from delivery.aws import CONFIG, aws_errors  # noqa: PLC0415

    group = f"/aws/lambda/{function}"
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)
    with aws_errors(f"log group {group}"):
        pages = boto3.client("logs", config=CONFIG).get_paginator("filter_log_events")
        found = pages.paginate(
            logGroupName=group, startTime=int(start.timestamp() * 1000), filterPattern=PATTERN
        )
        for page in found:
            lines = (str(event["message"]) for event in page["events"])
            yield from _read_lines(lines, group, None)


def _read_lines(lines: Iterable[str], name: str, since: datetime.datetime | None) -> Iterator[Answer]:
    try:
        yield from read_log(lines, read_answer, since=since)
    except ValueError as error:
        raise InvalidAnswers(name, str(error)) from error
