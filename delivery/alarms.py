"""Alarms of CloudWatch that a rollout watches: **their names** -> quiet, or a failed check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from delivery.errors import AwsUnavailable, CheckFailed, UnknownFunction


class Alarms:
    """Some alarms by their names; none is always quiet."""

    def __init__(self, names: Sequence[str], *, client: Any = None) -> None:
        self._names = list(names)
        self._client = client

    def ignore_ringing(self) -> list[str]:
        """Watch those alone that are quiet now: what is wrong already may be what a rollout mends.

        Raises:
            UnknownFunction: there is no alarm of that name.
        """
        ringing = [alarm["AlarmName"] for alarm in self._read() if alarm["StateValue"] == "ALARM"]
        self._names = [name for name in self._names if name not in ringing]
        return ringing

    def expect_quiet(self) -> None:
        """Read the alarms once.

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
        try:
            self._client = self._client or boto3.client("cloudwatch")
            found: list[dict[str, Any]] = self._client.describe_alarms(AlarmNames=self._names)["MetricAlarms"]
        except (BotoCoreError, ClientError) as error:
            raise AwsUnavailable(str(error)) from error
        missing = set(self._names) - {alarm["AlarmName"] for alarm in found}
        if missing:
            raise UnknownFunction(f"alarm {min(missing)}")
        return found
