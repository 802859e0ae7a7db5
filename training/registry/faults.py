"""What MLflow raises -> **one error of training.errors**, without a secret in it.

MLflow's own messages quote addresses, which may carry a password, and whole pages of HTML: none is passed on
as it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

from services.names import UNREADABLE, plain_address
from training.errors import (
    MissingPackage,
    NotRegistered,
    RegistryDenied,
    RegistryRefused,
    RegistryUnavailable,
    RegistryUnsupported,
    TrainingError,
)

SECRETS = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
ADDRESSES = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")
LONGEST = 300  # characters of somebody else's message


def translate(error: Exception, address: str) -> Exception:
    """The error of the family that says the same.

    Args:
        error: what was raised while MLflow worked.
        address: of the registry, as `plain_address` gives it.

    Returns:
        A TrainingError; the error itself where it is no matter of the registry.
    """
    import requests  # noqa: PLC0415 - comes with MLflow
    from mlflow.exceptions import MlflowException, RestException  # noqa: PLC0415

    if isinstance(error, ImportError):
        return MissingPackage(error.name or "all of MLflow", extra="train")
    for cause in _causes(error):
        if isinstance(cause, requests.HTTPError) and cause.response is not None:
            return _by_status(cause.response.status_code, address, str(cause))
        if isinstance(cause, requests.RequestException):
            late = isinstance(cause, requests.Timeout)
            return RegistryUnavailable(address, "gave no answer in time" if late else "cannot be reached")
    if not isinstance(error, MlflowException):
        return error
    from_registry = isinstance(error, RestException) or not address.startswith(("http://", "https://"))
    if from_registry and _says_not_there(error.error_code, error.message):
        return NotRegistered("the model", "such version", hint=_clean(error.message))
    status: Callable[[], int] = error.get_http_status_code
    return _by_status(status(), address, error.message)


def _says_not_there(code: str, message: str) -> bool:
    """Whether MLflow has no such thing; of an alias it says so as of a wrong parameter."""
    return code == "RESOURCE_DOES_NOT_EXIST" or (code == "INVALID_PARAMETER_VALUE" and "alias" in message)


def _by_status(status: int, address: str, text: str) -> TrainingError:
    if status == 401:
        return RegistryDenied(
            address,
            "does not know this name and password: see MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        )
    if status == 403:
        return RegistryDenied(address, "does not allow this user to do that")
    if status == 404:
        return RegistryUnsupported(address)
    if status >= 500 or status in (408, 429):
        return RegistryUnavailable(address, f"failed: {_clean(text)}")
    return RegistryRefused(address, _clean(text))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised from or during, and so on."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _clean(text: str) -> str:
    """A message of one line, of bearable length, without addresses' passwords and without secrets."""
    for variable in ADDRESSES:
        if address := os.environ.get(variable, "").strip():
            text = text.replace(address, plain_address(address) or UNREADABLE)
    text = re.sub(r"//[^/\s@]*@", "//", text)
    for variable in SECRETS:
        if secret := os.environ.get(variable):
            text = text.replace(secret, "***")
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
