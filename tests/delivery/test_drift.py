"""Drift: the tests find what changed and nothing else, and the command reads logs wherever they are."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import boto3
import pytest
from click.testing import Result
from typer.testing import CliRunner

from delivery.answers import read_cloudwatch
from delivery.cli import app
from delivery.drift import LEAST_CHANGE, compare
from delivery.errors import FailedStep, InvalidAnswers, TooFewAnswers, UnknownFunction
from services.inference.answers import Answer, Summary
from tests.support.traffic import MODEL, Traffic, as_line

USUAL = Traffic()
WEEK = 250  # requests
CHANGED = {
    "verdicts": replace(USUAL, levels=(0.25, 0.15, 0.15, 0.45)),
    "shows": replace(USUAL, show_decay=1.1),
    "familiarity": replace(USUAL, familiarity=-0.5),
    "formats": replace(USUAL, gif_share=0.5),
    "errors": replace(USUAL, error_share=0.2),
    "latency": replace(USUAL, duration_ms=80),
}


def summary(traffic: Traffic, count: int, seed: int) -> Summary:
    return Summary.of(traffic.answers(count, seed), model_version=MODEL, source="simulated")


# The tests


@pytest.fixture(scope="module")
def reference() -> Summary:
    return summary(USUAL, 1_000, seed=1_000)


def test_a_hundred_weeks_of_the_same_traffic_raise_at_most_five_alarms(reference: Summary) -> None:
    alarms = [week for week in range(100) if compare(reference, summary(USUAL, WEEK, seed=week)).drifted]

    assert len(alarms) <= 5


@pytest.mark.parametrize("aspect", CHANGED)
def test_a_week_of_other_traffic_is_found_by_the_aspect_that_changed(reference: Summary, aspect: str) -> None:
    weeks = [compare(reference, summary(CHANGED[aspect], WEEK, seed=week)).drifted for week in range(5)]

    assert [aspect in drifted for drifted in weeks].count(True) == 5
    assert sum(len(set(drifted) - {aspect}) for drifted in weeks) <= 1


def test_a_small_week_is_compared_by_exact_tests() -> None:
    before, now = summary(USUAL, 60, seed=1), summary(CHANGED["verdicts"], 60, seed=2)

    found = {aspect.name: aspect for aspect in compare(before, now).aspects}

    assert found["formats"].test == "Fisher"
    assert found["shows"].test == "chi-squared, random tables"
    assert all(0 <= aspect.p_value <= 1 for aspect in found.values())


def test_a_change_that_nobody_would_mind_is_none_however_significant() -> None:
    many = 40_000
    verdicts = {"show": many, "unknown": many}
    before = Summary(MODEL, "simulated", verdicts, {"A": many}, {"gif": many}, {}, [1.0], [1.0])
    now = replace(before, verdicts={"show": many + 1_500, "unknown": many - 1_500})

    [found] = [aspect for aspect in compare(before, now).aspects if aspect.name == "verdicts"]

    assert found.p_value < 1e-6
    assert found.change < LEAST_CHANGE["verdicts"]
    assert not found.drifted


def test_what_the_reference_does_not_have_is_not_compared() -> None:
    before = replace(summary(USUAL, 200, seed=1), errors=None, duration_ms=())

    found = {aspect.name: aspect for aspect in compare(before, summary(USUAL, 200, seed=2)).aspects}

    assert found["errors"].note == "the reference is of no service"
    assert found["latency"].note == "the reference has none"
    assert found["latency"].p_value == 1


def test_too_few_answers_are_an_error(reference: Summary) -> None:
    with pytest.raises(TooFewAnswers, match=r"the window has \d+ answers of model 2026.11.29, 30 are needed"):
        compare(reference, summary(USUAL, 20, seed=1))


# The command


def write_log(path: Path, answers: list[Answer], *, days_ago: float = 0) -> Path:
    """Write a log, with the lines of requests between those of answers."""
    at = datetime.datetime.now() - datetime.timedelta(days=days_ago)
    lines = ["START RequestId: 1 Version: 3", '{"message": "request", "route": "/v1/identify"}']
    path.write_text("\n".join([*lines, *(as_line(answer, at) for answer in answers)]) + "\n", "utf-8")
    return path


def drift(*words: object, given: str | None = None) -> Result:
    return CliRunner().invoke(app, ["drift", *map(str, words)], input=given)


@pytest.fixture
def first_week(tmp_path: Path) -> Path:
    return write_log(tmp_path / "first.log", USUAL.answers(800, seed=7))


def test_the_same_traffic_is_no_drift(first_week: Path, tmp_path: Path) -> None:
    log = write_log(tmp_path / "now.log", USUAL.answers(WEEK, seed=8))

    done = drift(log, "--reference", first_week)

    assert done.exit_code == 0, done.output
    assert "no drift: " in done.stdout
    assert f"answers of model {MODEL} beside" in done.stdout


def test_other_traffic_is_found_and_reported(first_week: Path, tmp_path: Path) -> None:
    log = write_log(tmp_path / "now.log", CHANGED["verdicts"].answers(WEEK, seed=8))

    done = drift(log, "--reference", first_week, "--report", tmp_path / "drift.html")

    assert done.exit_code == 1, done.output
    assert "drift in verdicts: " in done.stdout
    assert "DRIFT  unknown 17.0% -> 46.1%" in done.stdout
    page = (tmp_path / "drift.html").read_text("utf-8")
    assert "<h1>Drift</h1>" in page
    assert "unknown" in page
    assert loads_nothing(page)


def loads_nothing(page: str) -> bool:
    """Whether a page has no address of anything else."""
    found: list[str] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend(name for name, _ in attrs if name in ("src", "href") or tag in ("script", "link"))

    Parser().feed(page)
    return found == [] and "url(" not in page and "@import" not in page


def test_json_names_each_aspect(first_week: Path, tmp_path: Path) -> None:
    log = write_log(tmp_path / "now.log", CHANGED["latency"].answers(WEEK, seed=8))

    done = drift(log, "--reference", first_week, "--json")

    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert found["drifted"] == ["latency"]
    assert [aspect["name"] for aspect in found["aspects"]] == list(LEAST_CHANGE)
    [latency] = [aspect for aspect in found["aspects"] if aspect["name"] == "latency"]
    assert [name for name, *_ in latency["moved"] if name == "median"] == ["median"]


def test_standard_input_and_the_last_days_alone(first_week: Path, tmp_path: Path) -> None:
    old = write_log(tmp_path / "old.log", CHANGED["verdicts"].answers(WEEK, seed=8), days_ago=30)
    new = write_log(tmp_path / "new.log", USUAL.answers(WEEK, seed=9))

    done = drift("-", "--reference", first_week, "--days", "7", given=old.read_text() + new.read_text())

    assert done.exit_code == 0, done.output


def test_answers_of_another_model_are_named(first_week: Path, tmp_path: Path) -> None:
    log = write_log(tmp_path / "now.log", USUAL.answers(WEEK, seed=8, model="2027.01.01"))

    done = drift(log, "--reference", first_week)

    assert isinstance(done.exception, TooFewAnswers)
    assert "has 0 answers of model 2026.11.29, 30 are needed; it has answers of 2027.01.01 (2" in str(
        done.exception
    )


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"message": "answer", "interface": "rest"}', "line 1: a line of an answer is damaged"),
        (None, "it cannot be read: no such file"),
    ],
)
def test_a_log_that_cannot_be_read_is_one_clear_error(
    first_week: Path, tmp_path: Path, line: str | None, why: str
) -> None:
    log = tmp_path / "now.log"
    if line is not None:
        log.write_text(line)

    done = drift(log, "--reference", first_week)

    assert isinstance(done.exception, InvalidAnswers)
    assert why in str(done.exception).lower()


def test_a_reference_is_of_one_model(tmp_path: Path) -> None:
    log = write_log(
        tmp_path / "mixed.log", [*USUAL.answers(40, seed=8), *USUAL.answers(40, seed=9, model="next")]
    )

    done = drift(log, "--reference", log)

    assert isinstance(done.exception, InvalidAnswers)
    assert "a reference is of one model: it has answers of 2026.11.29, next" in str(done.exception)


def test_without_a_registry_the_reason_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("delivery.candidate.sys.executable", str(tmp_path / "python"))

    done = drift(write_log(tmp_path / "now.log", USUAL.answers(WEEK, seed=8)))

    assert isinstance(done.exception, FailedStep)


def test_a_log_or_a_function_must_be_named(first_week: Path) -> None:
    for words in ((), (first_week, "--function", "gif-analyzer-prod")):
        assert drift(*words, "--reference", first_week).exit_code == 2


# CloudWatch


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A function with two streams of its log: a week of usual answers, and an older one of others."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    from moto import mock_aws

    with mock_aws():
        client = boto3.client("logs")
        group = "/aws/lambda/gif-analyzer-prod"
        client.create_log_group(logGroupName=group)
        for stream, traffic, seed, days_ago in (
            ("new", USUAL, 8, 1.0),
            ("newest", USUAL, 9, 0.5),
            ("old", CHANGED["verdicts"], 10, 10.0),
        ):
            client.create_log_stream(logGroupName=group, logStreamName=stream)
            at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days_ago)
            lines = ["START RequestId: 1", *map(as_line, traffic.answers(WEEK, seed=seed))]
            events = [{"timestamp": int(at.timestamp() * 1000), "message": line} for line in lines]
            client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
        yield "gif-analyzer-prod"


@pytest.mark.tools
def test_the_log_of_a_function_is_read_to_its_end(function: str) -> None:
    week, month = (len(list(read_cloudwatch(function, days=days))) for days in (7, 30))

    assert (week, month) == (2 * WEEK, 3 * WEEK)


@pytest.mark.tools
def test_a_function_is_compared_with_its_reference(function: str, first_week: Path) -> None:
    week = drift("--function", function, "--reference", first_week)
    month = drift("--function", function, "--reference", first_week, "--days", "30")

    assert week.exit_code == 0, week.output
    assert month.exit_code == 1, month.output


@pytest.mark.tools
def test_a_function_without_a_log_is_named(function: str) -> None:
    with pytest.raises(UnknownFunction, match="log group /aws/lambda/other"):
        list(read_cloudwatch("other", days=7))
