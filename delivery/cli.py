"""The program gif-deliver, which brings a bundle to users.

Exit codes: 0 done, 1 drift, or a check failed and users get what they got before, 2 the command could not
run, 3 an alias could not be moved back, 130 interrupted.
"""

from __future__ import annotations

import sys

from delivery.commands.build import bundle, candidate, cost
from delivery.commands.drift import drift
from delivery.commands.release import rollback, rollout, smoke, status
from delivery.errors import CheckFailed, DeliveryError, RollbackFailed
from services.extras import advice
from services.terminal import program

FAILED = 1  # a check failed; users get what they got before
USAGE = 2  # the command cannot run
UNKNOWN = 3  # it is unknown what users get

app = program("gif-deliver", "Bring a model to users by AWS Lambda, and take it back.")
for command in (candidate, bundle, cost, rollout, rollback, status, smoke, drift):
    app.command()(command)


def main() -> None:
    """Run the command line; an expected error is one line on standard error."""
    try:
        app(prog_name="gif-deliver")
    except DeliveryError as error:
        sys.stderr.write(f"error: {error.message}\n")
        raise SystemExit(_exit_code(error)) from None
    except ModuleNotFoundError as error:
        what_to_do = advice(error.name or "", takes="deliver")
        if what_to_do is None:
            raise
        sys.stderr.write(f"error: {what_to_do}\n")
        raise SystemExit(USAGE) from None
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; users get what they got before\n")
        raise SystemExit(130) from None


def _exit_code(error: DeliveryError) -> int:
    if isinstance(error, CheckFailed):
        return FAILED
    return UNKNOWN if isinstance(error, RollbackFailed) else USAGE
