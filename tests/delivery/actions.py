"""Runs a workflow of GitHub Actions on one machine: the `run` lines of its steps, job by job.

The test replaces the actions that steps use, by name. Of GitHub's expressions only those of our workflows are
supported: names with dots, `==`, `&&` and the status functions. Anything else is an error.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Replacement = Callable[["Step"], Mapping[str, str]]
SUCCESS, FAILURE, SKIPPED = "success", "failure", "skipped"


@dataclass(frozen=True)
class Step:
    """One step that was reached."""

    job: str  # name of its job
    name: str  # its `run` line, or the action that it uses
    outcome: str = SUCCESS  # success, failure or skipped
    inputs: Mapping[str, str] = field(default_factory=dict)  # its `with`, expressions replaced
    printed: str = ""  # what it wrote on standard output and standard error
    outputs: Mapping[str, str] = field(default_factory=dict)  # what it wrote to $GITHUB_OUTPUT


@dataclass(frozen=True)
class Rehearsal:
    """The outcome of each job by its name, and the steps in order."""

    jobs: Mapping[str, str]
    steps: tuple[Step, ...]

    def step(self, job: str, name: str) -> Step:
        """The step of a job whose name begins with `name`."""
        [found] = [step for step in self.steps if step.job == job and step.name.startswith(name)]
        return found


def rehearse(
    workflow: Path,
    *,
    cwd: Path,
    environ: Mapping[str, str],
    overrides: Mapping[str, str],
    variables: Mapping[str, Mapping[str, str]],
    secrets: Mapping[str, str],
    replacements: Mapping[str, Replacement],
    scratch: Path,
) -> Rehearsal:
    """Run a workflow.

    Args:
        workflow: the YAML file.
        cwd: the checkout that all jobs share.
        environ: variables of every step, added to those of the workflow.
        overrides: replace what the workflow sets for all its jobs.
        variables: `vars` by the name of the job's environment.
        secrets: of every environment.
        replacements: of actions, by the name before the `@`; they return variables for later steps.
        scratch: folder for the outputs of steps.

    Raises:
        ValueError: the workflow uses something unsupported.
    """
    plan = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    outcomes: dict[str, str] = {}
    outputs: dict[str, Mapping[str, str]] = {}
    done: list[Step] = []
    for name, job in _in_order(plan["jobs"]):
        needs = [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])
        if any(outcomes[needed] != SUCCESS for needed in needs):
            outcomes[name] = SKIPPED
            continue
        context: dict[str, Any] = {
            "vars": variables.get(job.get("environment", ""), {}),
            "secrets": secrets,
            "needs": {needed: {"outputs": outputs[needed]} for needed in needs},
            "steps": {},
        }
        given = {**environ, **_texts(plan.get("env", {}), context), **overrides}
        failed = False
        for number, entry in enumerate(job["steps"]):
            step = _take(
                name,
                entry,
                context=context,
                given=given,
                failed=failed,
                replacements=replacements,
                cwd=cwd,
                scratch=scratch / f"{name}-{number}",
            )
            done.append(step)
            failed = failed or step.outcome == FAILURE
            if "id" in entry:
                context["steps"][entry["id"]] = {"outputs": step.outputs, "outcome": step.outcome}
        outcomes[name] = FAILURE if failed else SUCCESS
        outputs[name] = _texts(job.get("outputs", {}), context)
    return Rehearsal(outcomes, tuple(done))


def _in_order(jobs: dict[str, Any]) -> list[tuple[str, Any]]:
    """The jobs, which must come after those that they need."""
    seen: set[str] = set()
    for name, job in jobs.items():
        needs = job.get("needs", [])
        if not {needs} <= seen if isinstance(needs, str) else not set(needs) <= seen:
            raise ValueError(f"{name} comes before a job that it needs")
        seen.add(name)
    return list(jobs.items())


def _take(
    job: str,
    entry: dict[str, Any],
    *,
    context: dict[str, Any],
    given: dict[str, str],
    failed: bool,
    replacements: Mapping[str, Replacement],
    cwd: Path,
    scratch: Path,
) -> Step:
    name = entry.get("run") or entry["uses"].split("@")[0]
    inputs = _texts(entry.get("with", {}), context)
    if not _holds(entry.get("if", "success()"), context, failed):
        return Step(job, name, SKIPPED, inputs)
    if "uses" in entry:
        given.update(replacements[name](Step(job, name, inputs=inputs)))
        return Step(job, name, SUCCESS, inputs)
    written = {key: scratch.with_suffix(f".{key}") for key in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for file in written.values():
        file.touch()
    ran = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", _text(entry["run"], context)],
        cwd=cwd,
        env={**given, **_texts(entry.get("env", {}), context), **{k: str(v) for k, v in written.items()}},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )
    lines = written["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines()
    outputs = dict(line.split("=", 1) for line in lines)
    outcome = FAILURE if ran.returncode else SUCCESS
    return Step(job, name, outcome, inputs, ran.stdout, outputs)


def _texts(values: Mapping[str, Any], context: dict[str, Any]) -> dict[str, str]:
    return {key: _text(str(value), context) for key, value in values.items()}


def _text(template: str, context: dict[str, Any]) -> str:
    return re.sub(r"\$\{\{\s*(.+?)\s*\}\}", lambda found: _value(found[1], context), template)


def _value(expression: str, context: dict[str, Any]) -> str:
    """The value of a name with dots; "" if it is not set, as on GitHub."""
    if found := re.fullmatch(r"'([^']*)'", expression):
        return found[1]
    first, *rest = expression.split(".")
    if first not in context or not re.fullmatch(r"[\w.-]+", expression):
        raise ValueError(f"unsupported expression: {expression}")
    value = context[first]
    for part in rest:
        value = value.get(part, {}) if isinstance(value, Mapping) else {}
    return value if isinstance(value, str) else ""


def _holds(condition: str, context: dict[str, Any], failed: bool) -> bool:
    """Whether a step runs; after a failure only if its condition names a status function."""
    parts = [part.strip() for part in condition.split("&&")]
    status = {"success()": not failed, "failure()": failed, "always()": True}
    asked = [status[part] for part in parts if part in status] or [not failed]
    return all(asked) and all(
        _value(left.strip(), context) == _value(right.strip(), context)
        for left, _, right in (part.partition("==") for part in parts if part not in status)
    )


# Variables of this machine that a runner does not have, and that would change the run.
_FOREIGN = ("AWS_", "GIF_", "GITHUB_", "MLFLOW_", "TF_VAR_", "MAKE", "MFLAGS")


def shell_environ(**changes: str) -> dict[str, str]:
    """The variables of this machine without those that would change a workflow, and with `changes`."""
    return {**{k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}, **changes}
