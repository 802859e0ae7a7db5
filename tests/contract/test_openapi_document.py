"""The OpenAPI document is current and describes each operation; changes that break clients are found."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.errors import catalogue
from tests.support.openapi import FILE, Json, breaks, main, make_document, write

DOCUMENT: Json = json.loads(FILE.read_text("utf-8"))
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}
# Statuses of a problem with the request itself, with the bytes and addresses that it holds, and of services.
BODY, GIF, SERVICE = {"408", "413", "415"}, {"403", "422", "429", "502"}, {"503", "504"}
STATUSES = {
    "POST /v1/identify": {"200", "400", "401", "500"} | BODY | GIF | SERVICE,
    "GET /v1/identify": {"200", "304", "400", "401", "500"} | GIF | SERVICE,
    "GET /v1/model": {"200", "400", "401", "500"} | SERVICE,
    "GET /v1/shows": {"200", "400", "401", "500"} | SERVICE,
    "GET /v1/library": {"200", "400", "401", "500"},
    "POST /v1/library": {"201", "400", "401", "500"} | BODY | GIF | SERVICE,
    "DELETE /v1/library": {"200", "400", "401", "403", "404", "500"},
    "GET /v1/library/thumbnail": {"200", "304", "400", "401", "404", "500"},
    "GET /v1/feedback": {"200", "400", "401"},
    "POST /v1/feedback": {"201", "400", "401", "500"} | BODY | GIF | SERVICE,
    "GET /health/live": {"200"},
    "GET /health/ready": {"200", "500", "503", "504"},
}


def test_the_committed_document_is_current() -> None:
    assert FILE.read_text("utf-8") == write(make_document()), "docs/openapi.json is stale: run make openapi"


@pytest.mark.tools
def test_the_document_is_valid() -> None:
    validator = pytest.importorskip(
        "openapi_spec_validator", reason="This test needs openapi-spec-validator, which make setup installs."
    )

    validator.validate(DOCUMENT)


def test_each_operation_has_an_id_and_a_tag_that_is_described() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]

    assert sorted(ids) == sorted(set(ids))
    assert all(
        each.isidentifier() and "_" not in each for each in ids
    )  # a name of a function in any language
    described = {tag["name"] for tag in DOCUMENT["tags"]}
    assert {tag for operation in OPERATIONS.values() for tag in operation["tags"]} == described
    assert [server["url"] for server in DOCUMENT["servers"]] == ["/"]


@pytest.mark.parametrize("name", STATUSES)
def test_an_operation_has_the_statuses_that_it_can_answer_with(name: str) -> None:
    assert set(OPERATIONS[name]["responses"]) == STATUSES[name]


def test_every_operation_has_its_statuses_checked() -> None:
    assert STATUSES.keys() == OPERATIONS.keys()


def test_an_example_of_an_error_has_the_status_of_its_reason() -> None:
    for operation in OPERATIONS.values():
        for status, answer in operation["responses"].items():
            examples = answer.get("content", {}).get("application/problem+json", {}).get("examples", {})
            for reason in examples:
                assert catalogue()[reason].http_status == int(status)
                assert examples[reason]["value"]["message"] == examples[reason]["value"]["detail"]


def test_the_headers_of_answers_are_described() -> None:
    for name, operation in OPERATIONS.items():
        cached = "304" in operation["responses"] or name == "POST /v1/identify"
        for status, answer in operation["responses"].items():
            expected = {"X-Request-Id"}
            expected |= {"ETag"} if cached and status in ("200", "304") else set()
            expected |= {"429": {"Retry-After"}, "401": {"WWW-Authenticate"}}.get(status, set())
            assert set(answer["headers"]) == expected, (name, status)
        parameters = {each["name"]: each["in"] for each in operation.get("parameters", [])}
        assert (parameters.get("If-None-Match") == "header") == ("304" in operation["responses"])


def test_bytes_and_integers_say_how_they_are_written() -> None:
    schemas = DOCUMENT["components"]["schemas"]

    picture = schemas["Identification"]["properties"]["pictures"]["items"]
    assert picture == {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/jpeg"}
    for schema, name in (("FrameVote", "offset_ms"), ("TimeSpan", "start_ms"), ("TimeSpan", "end_ms")):
        field = schemas[schema]["properties"][name]
        assert (field["type"], field["format"]) == ("integer", "int64")
    assert "HTTPValidationError" not in schemas  # of FastAPI, which is never sent


# Changes that break clients

Change = Callable[[Json], Any]


def schema(document: Json, name: str) -> Json:
    found: Json = document["components"]["schemas"][name]
    return found


def operation(document: Json, method: str = "get") -> Json:
    found: Json = document["paths"]["/v1/identify"][method]
    return found


def parameter(document: Json, name: str) -> Json:
    [found] = [each for each in operation(document)["parameters"] if each["name"] == name]
    return found


def body(document: Json) -> Json:
    found: Json = operation(document, "post")["requestBody"]["content"]
    return found


BREAKING: dict[str, tuple[Change, str]] = {
    "a path is gone": (lambda new: new["paths"].pop("/v1/shows"), "GET /v1/shows is gone"),
    "an id is another": (lambda new: operation(new).update(operationId="ask"), "another operationId: ask"),
    "a key is required": (
        lambda new: operation(new)["security"].remove({}),
        "GET /v1/identify requires a key",
    ),
    "a parameter is gone": (
        lambda new: operation(new)["parameters"].remove(parameter(new, "exact")),
        "GET /v1/identify has no parameter exact",
    ),
    "a parameter is required": (lambda new: parameter(new, "top_k").update(required=True), "requires top_k"),
    "a parameter is new and required": (
        lambda new: operation(new)["parameters"].append(
            {"name": "key", "in": "query", "required": True, "schema": {"type": "string"}}
        ),
        "GET /v1/identify requires key",
    ),
    "a limit is lower": (
        lambda new: parameter(new, "top_k")["schema"].update(maximum=10),
        "GET /v1/identify top_k has another maximum: 10, not 1000",
    ),
    "a form of the body is gone": (
        lambda new: body(new).pop("image/gif"),
        "POST /v1/identify body has no image/gif",
    ),
    "a member of an answer is gone": (
        lambda new: schema(new, "FrameVote")["properties"].pop("offset_ms"),
        "GET /v1/identify 200.votes[].offset_ms is gone",
    ),
    "a member of an answer has another type": (
        lambda new: schema(new, "FrameVote")["properties"]["offset_ms"].update(type="string"),
        "GET /v1/identify 200.votes[].offset_ms has another type: string, not integer",
    ),
    "a member of an answer may be missing": (
        lambda new: schema(new, "Model")["required"].remove("licence"),
        "GET /v1/model 200.model.licence is not always there",
    ),
    "a value of an answer is new": (
        lambda new: schema(new, "Verdict")["properties"]["level"]["enum"].append("perhaps"),
        "GET /v1/identify 200.verdict.level may be perhaps",
    ),
    "a limit of an answer is higher": (
        lambda new: schema(new, "Identification")["properties"]["votes"].update(maxItems=20),
        "GET /v1/identify 200.votes has another maxItems: 20, not 10",
    ),
    "a status is another": (
        lambda new: operation(new)["responses"].update({"202": operation(new)["responses"].pop("200")}),
        "GET /v1/identify no longer answers 200",
    ),
    "a header is gone": (
        lambda new: operation(new)["responses"]["200"]["headers"].pop("ETag"),
        "GET /v1/identify 200 has no header ETag",
    ),
    "nothing may stand for a member": (
        lambda new: schema(new, "ModelAnswer")["properties"]["library"]["anyOf"].append({"type": "string"}),
        "GET /v1/model 200.library has other types",
    ),
}


@pytest.mark.parametrize(("change", "says"), BREAKING.values(), ids=BREAKING)
def test_a_change_that_breaks_clients_is_found(change: Change, says: str) -> None:
    new = copy.deepcopy(DOCUMENT)
    change(new)

    assert any(says in line for line in breaks(DOCUMENT, new)), breaks(DOCUMENT, new)


COMPATIBLE: dict[str, Change] = {
    "a path is new": lambda new: new["paths"].update({"/v1/new": new["paths"]["/v1/shows"]}),
    "a parameter is new": lambda new: operation(new)["parameters"].append(
        {"name": "more", "in": "query", "required": False, "schema": {"type": "string"}}
    ),
    "a limit is higher": lambda new: parameter(new, "top_k")["schema"].update(maximum=2000),
    "a form of the body is new": lambda new: body(new).update({"image/avif": {"schema": {"type": "string"}}}),
    "a member of an answer is new": lambda new: schema(new, "Match")["properties"].update(
        new={"type": "string"}
    ),
    "a limit of an answer is lower": lambda new: schema(new, "Identification")["properties"]["votes"].update(
        maxItems=5
    ),
    "an error is new": lambda new: operation(new)["responses"].update({"410": {"description": "gone"}}),
    "an error is gone": lambda new: operation(new)["responses"].pop("504"),
    "words are others": lambda new: operation(new).update(summary="Ask", description="Ask."),
}


@pytest.mark.parametrize("change", COMPATIBLE.values(), ids=COMPATIBLE)
def test_a_change_that_breaks_nobody_is_not_reported(change: Change) -> None:
    new = copy.deepcopy(DOCUMENT)
    change(new)

    assert breaks(DOCUMENT, new) == []


def test_the_command_says_what_breaks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = copy.deepcopy(DOCUMENT)
    del new["paths"]["/v1/shows"]
    changed = tmp_path / "changed.json"
    changed.write_text(write(new), "utf-8")

    assert main([str(FILE), "--against", str(FILE)]) == 0
    assert capsys.readouterr().out == ""
    assert main([str(changed), "--against", str(FILE)]) == 1
    assert capsys.readouterr().out == "GET /v1/shows is gone\n"
