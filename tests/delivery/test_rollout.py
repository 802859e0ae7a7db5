"""`gif-deliver` with AWS on loopback, which runs the uploaded bundles."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from delivery.aws import Alarms, Alias, Function
from delivery.cli import app
from delivery.errors import CheckFailed, NoVersionBefore, RollbackFailed, RolloutUnderWay
from delivery.rollout import roll_out
from delivery.smoke import Expected
from tests.support.cloud import THIS_PYTHON, Cloud, cloud_on_loopback, small_bundle
from tests.support.emulator import needs_emulator_for
from tests.support.paths import ROOT
from tests.support.programs import call, command, environ, run

pytestmark = needs_emulator_for(THIS_PYTHON)
GIF = ROOT / "examples/meadow.gif"
FUNCTION = "gif-analyzer-stage"


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """AWS on loopback, which programs and boto3 in this process use."""
    with cloud_on_loopback(tmp_path / "functions") as cloud:
        for name, value in cloud.environment.items():
            monkeypatch.setenv(name, value)
        yield cloud


@pytest.fixture
def function(cloud: Cloud, tmp_path: Path) -> str:
    """The name of a function with version 1, to which its alias points."""
    role = cloud.connect("iam").create_role(RoleName="function", AssumeRolePolicyDocument="{}")
    cloud.client.create_function(
        FunctionName=FUNCTION,
        Role=role["Role"]["Arn"],
        Runtime="python3.13",
        Handler="gateway.lambda_handler.handler",
        Code={"ZipFile": small_bundle(tmp_path / "first.zip", model="1.0").read_bytes()},
        Publish=True,
    )
    cloud.client.create_alias(FunctionName=FUNCTION, Name="live", FunctionVersion="1")
    return FUNCTION


@pytest.fixture
def publish(cloud: Cloud, function: str, tmp_path: Path) -> Any:
    """Publishes a version, given its model and what is wrong with it, and returns its number."""

    def publish(model: str, wrong: str = "") -> str:
        bundle = small_bundle(tmp_path / f"{model}{wrong}.zip", model=model, wrong=wrong)
        return Function(function).publish(bundle)

    return publish


def weights(cloud: Cloud, function: str) -> dict[str, float]:
    routing: dict[str, dict[str, float]] = cloud.live(function).get("RoutingConfig") or {}
    return routing.get("AdditionalVersionWeights") or {}


def deliver(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments])


def roll(function: str, *arguments: str) -> Result:
    return deliver("rollout", function, "--gif", str(GIF), *arguments)


def roll_in_steps(
    function: str, *shares: float, sleep: Callable[[float], None], alarms: Alarms | None = None
) -> None:
    """Roll out version 2; `sleep` is called in every pause."""
    expected = Expected(GIF.read_bytes())
    roll_out(Function(function), "2", expected, steps=shares, pause_s=1, alarms=alarms, sleep=sleep)


def test_a_version_that_answers_well_is_given_to_users(cloud: Cloud, function: str, publish: Any) -> None:
    version = publish("2.0")

    done = roll(function, "--expect", "Big Buck Bunny", "--model-version", "2.0", "--json")

    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert (answer["version"], answer["before"], answer["moved"]) == (version, "1", True)
    assert [check["name"] for check in answer["checks"]] == ["ready", "a GIF", "a bad file"] * 2
    assert {check["version"] for check in answer["checks"]} == {"2"}
    assert cloud.live(function)["FunctionVersion"] == "2"


def test_a_version_is_checked_by_its_own_number_before_the_alias_moves(
    cloud: Cloud, function: str, publish: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("2.0")
    asked_before = []
    move = Function.move
    monkeypatch.setattr(
        Function,
        "move",
        lambda self, to, **more: (asked_before.append(list(cloud.invoked)), move(self, to, **more))[1],
    )

    assert roll(function).exit_code == 0

    [before] = asked_before
    assert before == [("2", "/health/ready"), ("2", "/v1/identify"), ("2", "/v1/identify")]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("crash", "the model is broken"),
        ("not ready", "ready: answered with status 503"),
        ("errors", "a bad file: answered with status 500"),
        ("probabilities", "not those of a ranking"),
    ],
)
def test_a_version_that_answers_badly_is_not_given_to_users(
    cloud: Cloud, function: str, publish: Any, wrong: str, says: str
) -> None:
    publish("2.0", wrong)

    done = roll(function)

    assert isinstance(done.exception, CheckFailed)
    assert says in done.exception.message
    assert "users still get version 1" in done.exception.message
    assert cloud.live(function)["FunctionVersion"] == "1"


@pytest.mark.parametrize("option", [("--expect", "Another Show"), ("--model-version", "9.9")])
def test_a_version_with_another_answer_is_not_given_to_users(
    cloud: Cloud, function: str, publish: Any, option: tuple[str, str]
) -> None:
    publish("2.0")

    done = roll(function, *option)

    assert isinstance(done.exception, CheckFailed)
    assert option[1] in done.exception.message
    assert cloud.live(function)["FunctionVersion"] == "1"


def test_shares_grow_before_all_requests_move(function: str, publish: Any) -> None:
    publish("2.0")
    seen: list[Alias] = []

    roll_in_steps(function, 0.1, 0.5, sleep=lambda seconds: seen.append(Function(function).alias()))

    assert [(alias.version, dict(alias.weights)) for alias in seen] == [
        ("1", {"2": 0.1}),
        ("1", {"2": 0.5}),
        ("2", {}),
    ]


def test_when_the_check_after_the_move_fails_the_alias_moves_back(
    cloud: Cloud, function: str, publish: Any
) -> None:
    publish("2.0")

    done = roll(function, "--url", "http://127.0.0.1:9/")

    assert isinstance(done.exception, CheckFailed)
    assert "no answer" in done.exception.message
    assert "users get version 1 again" in done.exception.message
    assert cloud.live(function)["FunctionVersion"] == "1"
    assert not cloud.live(function)["Description"]


def test_the_address_is_checked_after_the_move(cloud: Cloud, function: str, publish: Any) -> None:
    publish("2.0")

    with cloud.address(function) as url:
        done = roll(function, "--url", url, "--model-version", "2.0", "--json")

    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)["checks"]) == 9


def set_alarm(cloud: Cloud, state: str) -> None:
    watch = cloud.connect("cloudwatch")
    watch.put_metric_alarm(
        AlarmName="errors",
        MetricName="Errors",
        Namespace="AWS/Lambda",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )
    watch.set_alarm_state(AlarmName="errors", StateValue=state, StateReason="three crashes")


def test_an_alarm_that_is_already_on_does_not_stop_a_rollout(
    cloud: Cloud, function: str, publish: Any
) -> None:
    publish("2.0")
    set_alarm(cloud, "ALARM")

    done = roll(function, "--alarm", "errors")

    assert done.exit_code == 0, done.output
    assert "the alarm errors is on already" in done.stderr
    assert cloud.live(function)["FunctionVersion"] == "2"


def test_an_alarm_that_goes_on_moves_the_alias_back(cloud: Cloud, function: str, publish: Any) -> None:
    publish("2.0")
    set_alarm(cloud, "OK")

    def alarm_during_the_pause(seconds: float) -> None:
        set_alarm(cloud, "ALARM")

    with pytest.raises(CheckFailed, match="three crashes; users get version 1 again"):
        roll_in_steps(function, 0.1, sleep=alarm_during_the_pause, alarms=Alarms(["errors"]))

    assert cloud.live(function)["FunctionVersion"] == "1"
    assert not weights(cloud, function)


def test_an_alarm_that_does_not_exist_moves_nothing(cloud: Cloud, function: str, publish: Any) -> None:
    publish("2.0")

    done = roll(function, "--alarm", "no-such-alarm")

    assert "there is no alarm no-such-alarm" in str(done.exception)
    assert cloud.live(function)["FunctionVersion"] == "1"


def test_an_alias_that_cannot_be_moved_back_is_reported(cloud: Cloud, function: str, publish: Any) -> None:
    publish("2.0")

    def interrupt(seconds: float) -> None:
        cloud.client.delete_alias(FunctionName=function, Name="live")
        raise KeyboardInterrupt

    with pytest.raises(RollbackFailed, match="could not be moved back to version 1"):
        roll_in_steps(function, 0.5, sleep=interrupt)


def test_a_rollout_does_not_start_during_another(cloud: Cloud, function: str, publish: Any) -> None:
    publish("2.0")
    Function(function).move(Alias("1", {"2": 0.5}))

    done = roll(function)

    assert isinstance(done.exception, RolloutUnderWay)
    assert weights(cloud, function) == {"2": 0.5}


def test_a_version_that_is_live_is_only_checked(function: str) -> None:
    done = roll(function, "--json")

    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["moved"] is False


def test_rolling_back_lands_on_the_version_that_was_live(cloud: Cloud, function: str, publish: Any) -> None:
    publish("2.0")
    assert roll(function).exit_code == 0
    publish("3.0", "crash")
    assert roll(function).exit_code == 1
    publish("4.0")
    assert roll(function).exit_code == 0

    done = deliver("rollback", function, "--json")

    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"function": function, "alias": "live", "version": "2", "left": "4"}
    assert cloud.live(function)["FunctionVersion"] == "2"


def test_rolling_back_ends_an_interrupted_rollout(cloud: Cloud, function: str, publish: Any) -> None:
    publish("2.0")
    Function(function).move(Alias("1", {"2": 0.5}))

    done = deliver("rollback", function)

    assert done.exit_code == 0, done.output
    assert cloud.live(function)["FunctionVersion"] == "1"
    assert not weights(cloud, function)


def test_the_first_version_cannot_be_rolled_back(function: str) -> None:
    assert isinstance(deliver("rollback", function).exception, NoVersionBefore)


def test_status_lists_the_versions_and_which_is_live(function: str, publish: Any, tmp_path: Path) -> None:
    publish("2.0")
    assert roll(function).exit_code == 0
    publish("3.0")

    as_json = deliver("status", function, "--json")
    as_text = deliver("status", function, "--outputs", str(tmp_path / "outputs"))

    answer = json.loads(as_json.stdout)
    assert (answer["version"], answer["before"]) == ("2", "1")
    assert [version["version"] for version in answer["versions"]] == ["1", "2", "3"]
    assert f"{function}:live is version 2" in as_text.stdout
    assert (tmp_path / "outputs").read_text("utf-8") == "version=2\n"


def test_a_zip_is_published_and_rolled_out(cloud: Cloud, function: str, tmp_path: Path) -> None:
    bundle = small_bundle(tmp_path / "new.zip", model="7.0")

    done = roll(function, "--bundle", str(bundle), "--model-version", "7.0")

    assert done.exit_code == 0, done.output
    assert cloud.uploaded(function, "live") == bundle.read_bytes()


def test_control_c_moves_the_alias_back(cloud: Cloud, function: str, publish: Any) -> None:
    publish("2.0")
    program = subprocess.Popen(
        command("gif-deliver", "rollout", function, "--share", "0.5", "--pause", "300"),
        env=environ(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stderr is not None
    while "50%" not in program.stderr.readline():
        assert program.poll() is None
    while not weights(cloud, function):
        time.sleep(0.1)

    program.send_signal(signal.SIGINT)
    _, said = program.communicate(timeout=60)

    assert program.returncode == 130
    assert "going back to version 1" in said
    assert "Traceback" not in said
    assert cloud.live(function)["FunctionVersion"] == "1"
    assert not weights(cloud, function)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["rollout", "no-such-function"], 2, "there is no published version of no-such-function"),
        (["rollout", "gif-analyzer-stage", "--version", "9"], 2, "there is no version 9"),
        (["rollout", "gif-analyzer-stage", "--bundle", "README.md"], 2, "this is not a zip"),
        (["rollout", "gif-analyzer-stage", "--bundle", "no/such.zip"], 2, "no such file"),
        (["rollout", "gif-analyzer-stage", "--gif", "no/such.gif"], 2, "no such file"),
        (["rollout", "gif-analyzer-stage", "--share", "0.5", "--share", "0.1"], 2, "shares must grow"),
        (["rollback", "gif-analyzer-stage"], 2, "no version before 1"),
        (["rollback", "gif-analyzer-stage", "--to", "9"], 2, "there is no version 9"),
        (["status", "no-such-function"], 2, "there is no function no-such-function"),
        (["smoke", "no-such-function:live"], 2, "there is no version or alias live"),
        (["smoke", "gif-analyzer-stage"], 2, "FUNCTION:VERSION"),
        (["smoke", "http://127.0.0.1:9/"], 1, "no answer"),
        (["smoke", "http://ann:secret@127.0.0.1:9/"], 1, "127.0.0.1:9: "),
        (["smoke", "https://ann:s/ecret@[127.0.0.1:9/"], 2, "an address that cannot be read"),
        (["smoke", "https:/ann:secret@127.0.0.1:9/"], 2, "an address that cannot be read"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    cloud: Cloud, function: str, arguments: list[str], code: int, says: str
) -> None:
    done = call("gif-deliver", *arguments)

    assert done.returncode == code, done.stderr
    assert says in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr
    assert "ecret" not in done.stdout + done.stderr


def test_missing_credentials_are_reported(
    cloud: Cloud, function: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))

    done = run("gif-deliver", "status", function)

    assert (done.returncode, done.stderr) == (2, "error: AWS: Unable to locate credentials\n")
