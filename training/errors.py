"""The errors of training that a user can get.

    TrainingError
    ├── UnknownBackbone         UNKNOWN_BACKBONE
    ├── WeightsUnavailable      WEIGHTS_UNAVAILABLE
    ├── SplitImpossible         SPLIT_IMPOSSIBLE
    ├── InvalidOptions          INVALID_OPTIONS
    ├── FileError               a file or folder of the user cannot be used
    │   ├── InvalidManifest         INVALID_MANIFEST
    │   ├── InvalidRun              INVALID_RUN
    │   ├── InvalidAnnotations      INVALID_ANNOTATIONS
    │   ├── InvalidCard             INVALID_CARD
    │   ├── InvalidLog              INVALID_LOG
    │   ├── InvalidVideo            INVALID_VIDEO
    │   └── InvalidCollection       INVALID_COLLECTION
    ├── ExportFailed            EXPORT_FAILED
    ├── ProviderRefused         PROVIDER_REFUSED
    ├── ProviderUnavailable     PROVIDER_UNAVAILABLE
    ├── QuotaExhausted          QUOTA_EXHAUSTED
    ├── MissingPackage          MISSING_PACKAGE
    └── RegistryError           a call to the model registry or to the Hub failed
        ├── RegistryUnavailable     REGISTRY_UNAVAILABLE
        ├── RegistryDenied          REGISTRY_DENIED
        ├── RegistryUnsupported     REGISTRY_UNSUPPORTED
        ├── RegistryRefused         REGISTRY_REFUSED
        ├── NotRegistered           NOT_REGISTERED
        ├── DamagedModel            DAMAGED_MODEL
        ├── PromotionRefused        PROMOTION_REFUSED
        ├── NotPublished            NOT_PUBLISHED
        └── RegistryConflict        REGISTRY_CONFLICT

A GIF that cannot be read has its own error in services.errors.
"""

from __future__ import annotations

import math

from services.errors import ReasonedError
from services.extras import install


class TrainingError(ReasonedError):
    """The base of all errors of training."""

    reason = "TRAINING_ERROR"


class UnknownBackbone(TrainingError):
    """No image network has that name, or it has no block of that name."""

    reason = "UNKNOWN_BACKBONE"

    def __init__(self, name: str, *, known: str) -> None:
        super().__init__(f"unknown backbone {name!r}; known are {known}", name=name, known=known)


class WeightsUnavailable(TrainingError):
    """Pretrained weights are not installed, cannot be downloaded, or differ from the expected ones."""

    reason = "WEIGHTS_UNAVAILABLE"

    def __init__(self, backbone: str, why: str) -> None:
        super().__init__(f"no weights for {backbone}: {why}", backbone=backbone, why=why)


class SplitImpossible(TrainingError):
    """The groups of a data set cannot be divided into that many parts."""

    reason = "SPLIT_IMPOSSIBLE"

    def __init__(self, why: str) -> None:
        super().__init__(f"cannot split: {why}", why=why)


class InvalidOptions(TrainingError):
    """A setting of training is outside its range, or two settings contradict each other."""

    reason = "INVALID_OPTIONS"

    def __init__(self, option: str, *, expected: str, found: str) -> None:
        super().__init__(
            f"{option} must be {expected}, this is {found}", option=option, expected=expected, found=found
        )


class FileError(TrainingError):
    """The base of errors about one file or folder of the user."""

    reason = "FILE_ERROR"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}", path=path, why=why)


class InvalidManifest(FileError):
    """A manifest cannot be read, lacks a column or a value, or names no usable GIF."""

    reason = "INVALID_MANIFEST"


class InvalidRun(FileError):
    """A folder holds no finished training run, or one of other data or settings."""

    reason = "INVALID_RUN"


class InvalidAnnotations(FileError):
    """Annotations cannot be read, or GIFs cannot be prepared for annotation."""

    reason = "INVALID_ANNOTATIONS"


class InvalidCard(FileError):
    """A model card cannot be read, lacks a picture, or is about another model."""

    reason = "INVALID_CARD"


class InvalidLog(FileError):
    """A log cannot be read, a line of it is damaged, or it holds none of what is looked for."""

    reason = "INVALID_LOG"


class InvalidVideo(FileError):
    """A video cannot be read, or has no frames where it should be cut."""

    reason = "INVALID_VIDEO"


class InvalidCollection(FileError):
    """A folder cannot be collected from or into: it is in use, of another kind, or missing."""

    reason = "INVALID_COLLECTION"


class ExportFailed(TrainingError):
    """The exported file gives other answers than the trained model."""

    reason = "EXPORT_FAILED"

    def __init__(self, why: str, **details: str) -> None:
        super().__init__(f"export failed: {why}", why=why, **details)


class ProviderRefused(TrainingError):
    """A provider of GIFs rejects a request, and would reject it again: a wrong key, for instance."""

    reason = "PROVIDER_REFUSED"

    def __init__(self, provider: str, why: str) -> None:
        super().__init__(f"{provider} refuses: {why}", provider=provider, why=why)


class ProviderUnavailable(TrainingError):
    """A provider of GIFs gave no valid response in all attempts; it may later."""

    reason = "PROVIDER_UNAVAILABLE"

    def __init__(self, provider: str, why: str, *, attempts: int) -> None:
        tried = f", after {attempts} attempts" if attempts > 1 else ""
        super().__init__(
            f"{provider} does not answer: {why}{tried}; run the same command again to continue",
            provider=provider,
            why=why,
            attempts=str(attempts),
        )


class QuotaExhausted(TrainingError):
    """The calls that a provider allows are used up for now."""

    reason = "QUOTA_EXHAUSTED"

    def __init__(self, provider: str, *, calls: int, wait_s: float) -> None:
        minutes = max(1, math.ceil(wait_s / 60))
        super().__init__(
            f"{provider} allows {calls} calls an hour, and they are used up; "
            f"run the same command again in {minutes} min to continue",
            provider=provider,
            calls=str(calls),
            wait_s=f"{wait_s:.0f}",
        )


class MissingPackage(TrainingError):
    """A command needs a package that is not installed."""

    reason = "MISSING_PACKAGE"

    def __init__(self, package: str, *, extra: str) -> None:
        super().__init__(f"packages are missing ({package}): {install(extra)}", package=package, extra=extra)


class RegistryError(TrainingError):
    """The base of errors of the model registry and of the Hugging Face Hub."""

    reason = "REGISTRY_ERROR"


class RegistryUnavailable(RegistryError):
    """The registry gives no usable response; it may later."""

    reason = "REGISTRY_UNAVAILABLE"

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"the registry at {address} {why}", address=address, why=why)


class RegistryDenied(RegistryError):
    """The registry rejects this user's credentials, or does not permit the operation."""

    reason = "REGISTRY_DENIED"

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"the registry at {address} {why}", address=address, why=why)


class RegistryUnsupported(RegistryError):
    """The server does not offer this call: some hosts implement only a part of MLflow's registry."""

    reason = "REGISTRY_UNSUPPORTED"

    def __init__(self, address: str) -> None:
        super().__init__(
            f"{address} answers 404 to a call of the model registry: check the address, or name a registry "
            "elsewhere in MLFLOW_REGISTRY_URI",
            address=address,
        )


class RegistryRefused(RegistryError):
    """The registry understood the request and rejected it."""

    reason = "REGISTRY_REFUSED"

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"the registry at {address} refused: {why}", address=address, why=why)


class NotRegistered(RegistryError):
    """No version has that number or that alias."""

    reason = "NOT_REGISTERED"

    def __init__(self, model: str, which: str, *, hint: str = "") -> None:
        super().__init__(
            f"{model} has no {which} in the registry" + (f": {hint}" if hint else ""),
            model=model,
            which=which,
        )


class DamagedModel(RegistryError):
    """The registry's file differs from the one that was registered."""

    reason = "DAMAGED_MODEL"

    def __init__(self, model: str, version: str, why: str) -> None:
        super().__init__(f"{model} version {version}: {why}", model=model, version=version, why=why)


class PromotionRefused(RegistryError):
    """A version may not become champion: it was not compared, or did not pass."""

    reason = "PROMOTION_REFUSED"

    def __init__(self, version: str, why: str) -> None:
        super().__init__(f"version {version} is not promoted: {why}", version=version, why=why)


class NotPublished(RegistryError):
    """A model may not be published under a version that another model has."""

    reason = "NOT_PUBLISHED"

    def __init__(self, repository: str, why: str) -> None:
        super().__init__(f"{repository} stays as it is: {why}", repository=repository, why=why)


class RegistryConflict(RegistryError):
    """Somebody else changed the registry at the same time."""

    reason = "REGISTRY_CONFLICT"

    def __init__(self, why: str) -> None:
        super().__init__(f"somebody else changed the registry meanwhile: {why}", why=why)
