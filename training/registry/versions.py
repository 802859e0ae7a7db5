"""The model registry: **version or alias** -> MLflow -> **what is known of it, and its file, checked**.

Every version of `MODEL` is one ONNX file. Aliases say what versions are for:

| alias | version |
|---|---|
| `challenger` | registered last, not yet in use |
| `champion` | in use |
| `previous` | in use before, where a rollback leads |
| `rolled_back` | taken out of use last |

Reading it takes mlflow-skinny alone; a registry in a SQLite file takes the whole of MLflow.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.inference import Classifier
from services.names import UNREADABLE, plain_address
from training.errors import DamagedModel, InvalidOptions, MissingPackage, NotRegistered
from training.files import replacing
from training.registry.faults import translate

MODEL = "gif-shows"
MODEL_FILE = "model.onnx"  # in the folder of a version, as mlflow.onnx names it
CHALLENGER, CHAMPION, PREVIOUS, ROLLED_BACK = ALIASES = (
    "challenger",
    "champion",
    "previous",
    "rolled_back",
)
LOCAL = "sqlite:///runs/mlflow.db"
HINTS = {
    CHALLENGER: "register one with gif-train register",
    CHAMPION: "promote one with gif-train promote",
    PREVIOUS: "no champion was there before this one",
}
# What MLflow would do otherwise: retry for minutes, wait two for each answer, draw bars, print addresses,
# report usage to its makers. What the user sets stays.
QUIET: Mapping[str, str] = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",  # seconds
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


@dataclass(frozen=True)
class RegistrySettings:
    """Where MLflow is. Name and password are MLflow's own variables, and only MLflow reads them.

    Attributes:
        tracking: address of runs and their files: http(s)://..., or sqlite:///FILE.
        registry: address of versions and aliases; most often the same.

    Raises:
        InvalidOptions: one of them is not written plainly.
    """

    tracking: str = LOCAL
    registry: str = LOCAL

    def __post_init__(self) -> None:
        """Refuse what is not written plainly: MLflow would quote it, with the password in it."""
        for variable, address in (
            ("MLFLOW_TRACKING_URI", self.tracking),
            ("MLFLOW_REGISTRY_URI", self.registry),
        ):
            if plain_address(address) is None:
                expected = (
                    "http(s)://HOST[:PORT]/PATH, with %XX for special signs in a password, or sqlite:///FILE"
                )
                raise InvalidOptions(variable, expected=expected, found=UNREADABLE)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> RegistrySettings:
        """Read MLFLOW_TRACKING_URI and MLFLOW_REGISTRY_URI; one set to nothing counts as not set."""
        tracking = environ.get("MLFLOW_TRACKING_URI", "").strip() or LOCAL
        return cls(tracking, environ.get("MLFLOW_REGISTRY_URI", "").strip() or tracking)


@dataclass(frozen=True)
class Version:
    """One version of the model.

    Attributes:
        number: 1, 2, ... as text, as MLflow has it.
        created: UTC, to the second.
        tags: what was noted of it, see docs/registry.md.
        aliases: that point to it, in the order of `ALIASES`.
        run_id: of the run that it was registered by; "" for none.
    """

    number: str
    created: datetime
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    run_id: str = ""

    @property
    def sha256(self) -> str:
        """Digest of its file as it was registered; "" where that was not noted."""
        return self.tags.get("sha256", "")


class Registry:
    """The versions of one model, in MLflow.

    Args:
        settings: where MLflow is.

    Raises:
        MissingPackage: MLflow, or the part of it that the address takes, is not installed.
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
        with self.asking():
            # The client is told where to ask, but files of a version are found by the global settings.
            mlflow.set_tracking_uri(settings.tracking)
            mlflow.set_registry_uri(settings.registry)
            self.client: Any = mlflow.MlflowClient(settings.tracking, settings.registry)

    @property
    def address(self) -> str:
        """Of versions and aliases, without name and password."""
        return plain_address(self.settings.registry) or UNREADABLE

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Turn what MLflow raises into one clear error of training.errors."""
        try:
            yield
        except Exception as error:
            raise translate(error, self.address) from None

    def aliases(self) -> dict[str, str]:
        """Alias -> number of the version; empty where nothing is registered."""
        model = self._found(lambda: self.client.get_registered_model(MODEL))
        return {} if model is None else {alias: str(number) for alias, number in model.aliases.items()}

    def find(self, which: str) -> Version | None:
        """The version of this number or alias, None where there is none."""
        if which.isdecimal():
            found = self._found(lambda: self.client.get_model_version(MODEL, which))
        else:
            found = self._found(lambda: self.client.get_model_version_by_alias(MODEL, which))
        return None if found is None else _version(found, self.aliases())

    def version(self, which: str) -> Version:
        """The version of this number or alias.

        Raises:
            NotRegistered: there is none.
        """
        found = self.find(which)
        if found is None:
            label = f"version {which}" if which.isdecimal() else which
            raise NotRegistered(MODEL, label, hint=HINTS.get(which, ""))
        return found

    def versions(self) -> tuple[Version, ...]:
        """All versions, newest first."""
        aliases = self.aliases()
        found: list[Any] = []
        token = None
        with self.asking():
            while True:
                page = self.client.search_model_versions(f"name='{MODEL}'", page_token=token)
                found.extend(page)
                token = page.token
                if not token:
                    break
        versions = (_version(each, aliases) for each in found)
        return tuple(sorted(versions, key=lambda version: int(version.number), reverse=True))

    def tag(self, number: str, tags: Mapping[str, str]) -> None:
        """Note something of a version, one after the other: what others decide by comes last."""
        with self.asking():
            for key, value in tags.items():
                self.client.set_model_version_tag(MODEL, number, key, value)

    def point(self, alias: str, number: str) -> None:
        """Let an alias point to a version, wherever it pointed before."""
        with self.asking():
            self.client.set_registered_model_alias(MODEL, alias, number)

    def unpoint(self, alias: str) -> None:
        """Take an alias away; nothing happens where it is none."""
        with self.asking():
            self.client.delete_registered_model_alias(MODEL, alias)

    def pull(self, version: Version, path: Path) -> Classifier:
        """Download a version's file, and check that it is the one registered and can name shows.

        Args:
            version: whose file.
            path: to write it to; replaced only when all is well, its folder is made.

        Raises:
            DamagedModel: the file is not the one that was registered, or no digest was noted.
            ModelError: it is, but this program cannot use it: it is made for another contract.
        """
        import mlflow.artifacts  # noqa: PLC0415 - as in __init__

        if not version.sha256:
            raise DamagedModel(
                MODEL, version.number, "it carries no digest: gif-train register did not make it"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as folder:
            with self.asking():
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
                Path(got).replace(partial)
        return classifier

    def _found(self, ask: Any) -> Any:
        """What the registry answers, None where it says that there is no such thing."""
        try:
            with self.asking():
                return ask()
        except NotRegistered:
            return None


def sha256_of(path: Path) -> str:
    """Digest of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _version(found: Any, aliases: Mapping[str, str]) -> Version:
    number = str(found.version)
    mine: Sequence[str] = [alias for alias, pointed in aliases.items() if pointed == number]
    known = [alias for alias in ALIASES if alias in mine]
    return Version(
        number=number,
        created=datetime.fromtimestamp(found.creation_timestamp // 1000, UTC),
        tags=dict(found.tags),
        aliases=(*known, *sorted(set(mine) - set(known))),
        run_id=found.run_id or "",
    )
