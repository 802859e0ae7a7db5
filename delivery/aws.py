"""AWS: the versions and the alias of a Lambda function, and alarms of CloudWatch.

Users get the version that the alias points to. The version before it is kept in the alias's description
("before: 3"), so that a rollback never lands on a version that was published but failed its check.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from delivery.errors import (
    AwsUnavailable,
    CheckFailed,
    InvalidBundle,
    RolloutUnderWay,
    UnknownFunction,
)
from delivery.request import Ask, Request, Response, from_result, to_event
from services.errors import os_reason

MAX_ZIP_BYTES = 50 * 2**20  # 52,428,800 bytes: the limit of an upload without S3
BEFORE = re.compile(r"before: (\d+)")

# Boto3 retries when AWS limits the rate of calls, but not when a call is slow: a cold start takes a while.
CONFIG = Config(connect_timeout=10, read_timeout=120, retries={"mode": "standard", "max_attempts": 4})


@dataclass(frozen=True)
class Alias:
    """Which versions an alias points to."""

    version: str  # receives the requests
    # other versions with the share, 0..1, of the requests that they receive instead
    weights: Mapping[str, float] = field(default_factory=dict)
    before: str | None = None  # the version that was live before, if it is known
    revision: str = ""  # changes with every change of the alias


class Function:
    """A Lambda function and one of its aliases."""

    def __init__(self, name: str, *, alias: str = "live") -> None:
        self.name = name
        self.alias_name = alias
        self.label = f"{name}:{alias}"
        with aws_errors(self.label):
            self._client = boto3.client("lambda", config=CONFIG)

    def alias(self) -> Alias:
        """Return which versions the alias points to."""
        with aws_errors(f"function {self.name} with an alias {self.alias_name}"):
            found = self._client.get_alias(FunctionName=self.name, Name=self.alias_name)
        before = BEFORE.fullmatch(found.get("Description") or "")
        return Alias(
            found["FunctionVersion"],
            dict((found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}),
            before[1] if before else None,
            found.get("RevisionId", ""),
        )

    def move(self, to: Alias, *, revision: str = "") -> Alias:
        """Point the alias to other versions.

        Args:
            to: the versions; its revision is ignored.
            revision: that the alias must still have; empty moves it in any case.

        Raises:
            RolloutUnderWay: somebody else moved it in the meantime.
        """
        wanted: dict[str, Any] = {
            "FunctionVersion": to.version,
            "RoutingConfig": {"AdditionalVersionWeights": dict(to.weights)},
            "Description": f"before: {to.before}" if to.before else "",
        }
        if revision:
            wanted["RevisionId"] = revision
        with aws_errors(f"version {to.version} of {self.name}", alias=self.label):
            self._client.update_alias(FunctionName=self.name, Name=self.alias_name, **wanted)
        return self.alias()

    def versions(self) -> list[dict[str, Any]]:
        """Return the published versions, oldest first: version, published, sha256, size_bytes, memory_mb."""
        with aws_errors(f"function {self.name}"):
            pages = self._client.get_paginator("list_versions_by_function").paginate(FunctionName=self.name)
            found = [version for page in pages for version in page["Versions"]]
        return sorted(
            (
                {
                    "version": version["Version"],
                    "published": version["LastModified"],
                    "sha256": version["CodeSha256"],
                    "size_bytes": version["CodeSize"],
                    "memory_mb": version["MemorySize"],
                }
                for version in found
                if version["Version"] != "$LATEST"
            ),
            key=lambda version: int(version["version"]),
        )

    def publish(self, bundle: Path) -> str:
        """Upload a zip and publish it as a version, unless it is the newest version already.

        Raises:
            InvalidBundle: Lambda would not accept the file.
        """
        try:
            with bundle.open("rb") as file:
                content = file.read(MAX_ZIP_BYTES + 1)
        except OSError as error:
            raise InvalidBundle(str(bundle), os_reason(error)) from error
        if len(content) > MAX_ZIP_BYTES:
            raise InvalidBundle(
                str(bundle), f"it has more than {MAX_ZIP_BYTES:,} bytes, which Lambda refuses"
            )
        if not is_zipfile(BytesIO(content)):
            raise InvalidBundle(str(bundle), "this is not a zip; make bundle writes one")
        with aws_errors(f"function {self.name}"):
            uploaded = self._client.update_function_code(
                FunctionName=self.name, ZipFile=content, Publish=True
            )
        return str(uploaded["Version"])

    def wait(self, version: str) -> None:
        """Wait until a version can be invoked.

        Raises:
            CheckFailed: it did not become active in a few minutes.
        """
        with aws_errors(f"version {version} of {self.name}"):
            try:
                self._client.get_waiter("published_version_active").wait(
                    FunctionName=self.name, Qualifier=version
                )
            except WaiterError as error:
                if isinstance(error.last_response.get("Error"), dict):
                    raise ClientError(error.last_response, "GetFunctionConfiguration") from error
                raise CheckFailed(f"{self.name}:{version}", "did not become active") from error

    def asker(self, qualifier: str) -> Ask:
        """Return a function that sends requests to one version or alias, as a Function URL does."""

        def ask(request: Request) -> Response:
            where = f"{self.name}:{qualifier}"
            with aws_errors(f"version or alias {qualifier} of {self.name}"):
                answer = self._client.invoke(
                    FunctionName=self.name,
                    Qualifier=qualifier,
                    Payload=json.dumps(to_event(request)).encode(),
                )
                payload = answer["Payload"].read()
            try:
                result = json.loads(payload)
            except ValueError:
                result = None
            if "FunctionError" in answer:
                raise CheckFailed(where, _crash(result))
            try:
                return from_result(result, version=answer.get("ExecutedVersion", ""))
            except ValueError as error:
                raise CheckFailed(where, str(error)) from error

        return ask


class Alarms:
    """CloudWatch alarms that a rollout watches, by their names."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)

    def ignore_ringing(self) -> list[str]:
        """Stop watching the alarms that are on, and return their names: a rollout may fix their cause.

        Raises:
            UnknownFunction: there is no alarm of that name.
        """
        ringing = [alarm["AlarmName"] for alarm in self._read() if alarm["StateValue"] == "ALARM"]
        self._names = [name for name in self._names if name not in ringing]
        return ringing

    def expect_quiet(self) -> None:
        """Check that all are off.

        Raises:
            CheckFailed: one is on.
            UnknownFunction: there is no alarm of that name.
        """
        for alarm in self._read():
            if alarm["StateValue"] == "ALARM":
                raise CheckFailed(alarm["AlarmName"], f"the alarm is on: {alarm.get('StateReason', '')}")

    def _read(self) -> list[dict[str, Any]]:
        if not self._names:
            return []
        with aws_errors("alarm"):
            client = boto3.client("cloudwatch")
            found: list[dict[str, Any]] = client.describe_alarms(AlarmNames=self._names)["MetricAlarms"]
        missing = set(self._names) - {alarm["AlarmName"] for alarm in found}
        if missing:
            raise UnknownFunction(f"alarm {min(missing)}")
        return found


def _crash(result: object) -> str:
    """Describe in one line the error with which a function ended."""
    if not isinstance(result, dict):
        return "the function crashed"
    kind, message = result.get("errorType", "error"), str(result.get("errorMessage", ""))
    return f"the function crashed: {kind}: {' '.join(message.split())[:300]}"


@contextmanager
def aws_errors(what: str, *, alias: str = "") -> Iterator[None]:
    """Convert errors of boto3 to ours; `what` may be what is missing."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in ("ResourceNotFoundException", "404"):
            raise UnknownFunction(what) from error
        if code == "PreconditionFailedException":
            raise RolloutUnderWay(alias, "somebody else moved it meanwhile") from error
        raise AwsUnavailable(str(error)) from error
    except BotoCoreError as error:
        raise AwsUnavailable(str(error)) from error
