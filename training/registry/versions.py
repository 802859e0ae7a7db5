"""The model registry in MLflow: finds versions and aliases, and downloads model files.

Every version of `MODEL` is one ONNX file. Aliases name the roles of versions:

| alias | version |
|---|---|
| `challenger` | registered last, not yet in use |
| `champion` | in use |
| `previous` | in use before, the target of a rollback |
| `rolled_back` | taken out of use last |

Reading the registry needs only mlflow-skinny; a registry in an SQLite file needs all of MLflow. Errors of
MLflow become errors of training.errors. Their messages are not passed on as they are: they quote addresses,
which may contain a password, and whole pages of HTML.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.files import replacing
from services.inference import Classifier
from services.names import UNREADABLE, plain_address
from training.errors import (
    DamagedModel,
    InvalidOptions,
    MissingPackage,
    NotRegistered,
    RegistryDenied,
    RegistryRefused,
    RegistryUnavailable,
    RegistryUnsupported,
    TrainingError,
)
from training.files import sha256_of

MODEL = "gif-shows"
MODEL_FILE = "model.onnx"  # in the folder of a version, as mlflow.onnx names it
CHALLENGER, CHAMPION, PREVIOUS, ROLLED_BACK = "challenger", "champion", "previous", "rolled_back"
ALIASES = (CHALLENGER, CHAMPION, PREVIOUS, ROLLED_BACK)
LOCAL = "sqlite:///runs/mlflow.db"
SECRETS = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "HF_TOKEN")
ADDRESSES = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")
LONGEST = 300  # characters of a message of a registry
HINTS = {
    CHALLENGER: "register one with gif-train register",
    CHAMPION: "promote one with gif-train promote",
    PREVIOUS: "there was no champion before this one",
}
# Otherwise MLflow retries for minutes, waits two for each response, draws progress bars, prints addresses and
# reports usage to its makers. Values that the user sets have priority.
QUIET: Mapping[str, str] = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",  # seconds
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


@dataclass(frozen=True)
class RegistrySettings:
    """The addresses of MLflow; it reads the user's name and password from its own variables.

    Attributes:
        tracking: address of runs and their files: http(s)://..., or sqlite:///FILE.
        registry: address of versions and aliases; usually the same.

    Raises:
        InvalidOptions: one of them is ambiguous, so that MLflow would quote it with its password.
    """

    tracking: str = LOCAL
    registry: str = LOCAL

    def __post_init__(self) -> None:
        for variable, address in zip(ADDRESSES, (self.tracking, self.registry), strict=True):
            if plain_address(address) is None:
                expected = (
                    "http(s)://HOST[:PORT]/PATH, with %XX for special signs in a password, or sqlite:///FILE"
                )
                raise InvalidOptions(variable, expected=expected, found=UNREADABLE)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> RegistrySettings:
        """Read MLFLOW_TRACKING_URI and MLFLOW_REGISTRY_URI; an empty one counts as not set."""
        tracking = environ.get("MLFLOW_TRACKING_URI", "").strip() or LOCAL
        return cls(tracking, environ.get("MLFLOW_REGISTRY_URI", "").strip() or tracking)


@dataclass(frozen=True)
class Version:
    """One version of the model.

    Attributes:
        number: 1, 2, ... as text, as MLflow has it.
        created: UTC, to the second.
        tags: see docs/registry.md.
        aliases: that point to it, in the order of `ALIASES`.
        run_id: of the run that registered it; "" for none.
    """

    number: str
    created: datetime
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    run_id: str = ""

    @property
    def sha256(self) -> str:
        """Digest of the registered file; "" where unknown."""
        return self.tags.get("sha256", "")


class Registry:
    """The versions of one model, in MLflow.

    Args:
        settings: addresses of MLflow.

    Raises:
        MissingPackage: MLflow, or the part of it that the address needs, is not installed.
    """

    def __init__(self, settings: RegistrySettings) -> None:
        self.settings = settings
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        for address in (settings.tracking, settings.registry):
            if address.startswith("sqlite:///"):
                if importlib.util.find_spec("sqlalchemy") is None:
                    raise MissingPackage("SQLAlchemy for a registry in a file", extra="train")
                Path(address.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        try:
            import mlflow  # noqa: PLC0415 - seconds, and after its variables are set
        except ImportError:
            raise MissingPackage("mlflow", extra="registry") from None
        logging.getLogger("mlflow").setLevel(logging.ERROR)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        with self.errors():
            # The client has its own addresses, but files of a version are found by the global settings.
            mlflow.set_tracking_uri(settings.tracking)
            mlflow.set_registry_uri(settings.registry)
            self.client: Any = mlflow.MlflowClient(settings.tracking, settings.registry)

    @property
    def address(self) -> str:
        """The address of versions and aliases, without name and password."""
        return plain_address(self.settings.registry) or UNREADABLE

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn errors of MLflow into errors of training.errors."""
        try:
            yield
        except Exception as error:
            raise _translate(error, self.address) from None

    def aliases(self) -> dict[str, str]:
        """Return the number of the version by alias."""
        model = self._found(lambda: self.client.get_registered_model(MODEL))
        return {} if model is None else {alias: str(number) for alias, number in model.aliases.items()}

    def find(self, which: str) -> Version | None:
        """Return the version of this number or alias, None where there is none."""
        if which.isdecimal():
            found = self._found(lambda: self.client.get_model_version(MODEL, which))
        else:
            found = self._found(lambda: self.client.get_model_version_by_alias(MODEL, which))
        return None if found is None else _version(found, self.aliases())

    def version(self, which: str) -> Version:
        """Return the version of this number or alias.

        Raises:
            NotRegistered: there is none.
        """
        found = self.find(which)
        if found is None:
            label = f"version {which}" if which.isdecimal() else which
            raise NotRegistered(MODEL, label, hint=HINTS.get(which, ""))
        return found

    def versions(self) -> tuple[Version, ...]:
        """Return all versions, newest first."""
        aliases = self.aliases()
        found: list[Any] = []
        token = None
        with self.errors():
            while True:
                page = self.client.search_model_versions(f"name='{MODEL}'", page_token=token)
                found.extend(page)
                token = page.token
                if not token:
                    break
        versions = (_version(each, aliases) for each in found)
        return tuple(sorted(versions, key=lambda version: int(version.number), reverse=True))

    def tag(self, number: str, tags: Mapping[str, str]) -> None:
        """Set tags of a version one after the other: those that decide something must come last."""
        with self.errors():
            for key, value in tags.items():
                self.client.set_model_version_tag(MODEL, number, key, value)

    def point(self, alias: str, number: str | None) -> None:
        """Let an alias point to a version; None deletes the alias, if it exists."""
        with self.errors():
            if number is None:
                self.client.delete_registered_model_alias(MODEL, alias)
            else:
                self.client.set_registered_model_alias(MODEL, alias, number)

    def pull(self, version: Version, path: Path) -> Classifier:
        """Download the file of a version, and check that it is the registered one and usable.

        Args:
            version: to download.
            path: to write it to, replaced only after the checks; its folder is made.

        Raises:
            DamagedModel: the file is not the one that was registered, or its digest is unknown.
            ModelError: this program cannot use the file: it is made for another contract.
        """
        import mlflow.artifacts  # noqa: PLC0415 - as in __init__

        if not version.sha256:
            raise DamagedModel(MODEL, version.number, "it has no digest: gif-train register did not make it")
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as folder:
            with self.errors():
                got = mlflow.artifacts.download_artifacts(
                    f"models:/{MODEL}/{version.number}/{MODEL_FILE}",
                    dst_path=folder,
                    tracking_uri=self.settings.tracking,
                    registry_uri=self.settings.registry,
                )
            found = sha256_of(Path(got))
            if found != version.sha256:
                raise DamagedModel(
                    MODEL, version.number, f"its file has the digest {found}, registered was {version.sha256}"
                )
            classifier = Classifier(got)
            with replacing(path) as partial:
                partial.write_bytes(Path(got).read_bytes())
        return classifier

    def _found(self, call: Callable[[], Any]) -> Any:
        """Return the result of a call to MLflow, None for something that does not exist."""
        try:
            with self.errors():
                return call()
        except NotRegistered:
            return None


def _version(found: Any, aliases: Mapping[str, str]) -> Version:
    number = str(found.version)
    mine = {alias for alias, pointed in aliases.items() if pointed == number}
    return Version(
        number=number,
        created=datetime.fromtimestamp(found.creation_timestamp // 1000, UTC),
        tags=dict(found.tags),
        aliases=(*(alias for alias in ALIASES if alias in mine), *sorted(mine - set(ALIASES))),
        run_id=found.run_id or "",
    )


def _translate(error: Exception, address: str) -> Exception:
    """Return the error of training.errors for one of MLflow; any other error as it is."""
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
    code, message = error.error_code, error.message
    # MLflow reports a missing alias as an invalid parameter.
    missing = code == "RESOURCE_DOES_NOT_EXIST" or (code == "INVALID_PARAMETER_VALUE" and "alias" in message)
    if from_registry and missing:
        return NotRegistered("the model", "such version", hint=one_line(message))
    status: int = error.get_http_status_code()  # type: ignore[no-untyped-call]
    return _by_status(status, address, message)


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
        return RegistryUnavailable(address, f"failed: {one_line(text)}")
    return RegistryRefused(address, one_line(text))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that it was raised from or during."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def one_line(text: str) -> str:
    """Return a message on one line, shortened, without passwords and other secrets."""
    for variable in ADDRESSES:
        if address := os.environ.get(variable, "").strip():
            text = text.replace(address, plain_address(address) or UNREADABLE)
    text = re.sub(r"//[^/\s@]*@", "//", text)
    for variable in SECRETS:
        if secret := os.environ.get(variable):
            text = text.replace(secret, "***")
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
