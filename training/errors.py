"""Every error of training that a user can meet, in one family.

    TrainingError
    ├── UnknownBackbone         UNKNOWN_BACKBONE
    ├── WeightsUnavailable      WEIGHTS_UNAVAILABLE
    ├── InvalidManifest         INVALID_MANIFEST
    ├── SplitImpossible         SPLIT_IMPOSSIBLE
    ├── InvalidOptions          INVALID_OPTIONS
    ├── InvalidRun              INVALID_RUN
    ├── ExportFailed            EXPORT_FAILED
    ├── InvalidAnnotations      INVALID_ANNOTATIONS
    ├── InvalidVideo            INVALID_VIDEO
    ├── InvalidCollection       INVALID_COLLECTION
    ├── ProviderRefused         PROVIDER_REFUSED
    ├── ProviderUnavailable     PROVIDER_UNAVAILABLE
    ├── QuotaExhausted          QUOTA_EXHAUSTED
    ├── MissingPackage          MISSING_PACKAGE
    └── RegistryError           the model registry was asked, and it did not end well
        ├── RegistryUnavailable     REGISTRY_UNAVAILABLE
        ├── RegistryDenied          REGISTRY_DENIED
        ├── RegistryUnsupported     REGISTRY_UNSUPPORTED
        ├── RegistryRefused         REGISTRY_REFUSED
        ├── NotRegistered           NOT_REGISTERED
        ├── DamagedModel            DAMAGED_MODEL
        ├── PromotionRefused        PROMOTION_REFUSED
        └── RegistryConflict        REGISTRY_CONFLICT

A GIF that cannot be read keeps its own error from services.errors; these are about everything else.
"""

from __future__ import annotations

import math

from services.errors import ReasonedError
from services.extras import install


class TrainingError(ReasonedError):
    """The base of the family."""

    reason = "TRAINING_ERROR"


class UnknownBackbone(TrainingError):
    """No image network has that name, or it has no block of that name."""

    reason = "UNKNOWN_BACKBONE"

    def __init__(self, name: str, *, known: str) -> None:
        super().__init__(f"unknown backbone {name!r}; known are {known}", name=name, known=known)


class WeightsUnavailable(TrainingError):
    """Pretrained weights are not installed, cannot be downloaded, or are not what they should be."""

    reason = "WEIGHTS_UNAVAILABLE"

    def __init__(self, backbone: str, why: str) -> None:
        super().__init__(f"no weights for {backbone}: {why}", backbone=backbone, why=why)


class InvalidManifest(TrainingError):
    """A manifest cannot be read, lacks a column or a value, or names no GIF that can be used."""

    reason = "INVALID_MANIFEST"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}", path=path, why=why)


class SplitImpossible(TrainingError):
    """The groups of a data set cannot be dealt into that many parts."""

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


class InvalidRun(TrainingError):
    """A folder does not hold a finished training run, or holds one of other data or settings."""

    reason = "INVALID_RUN"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}", path=path, why=why)


class ExportFailed(TrainingError):
    """The exported file does not say what the trained model says."""

    reason = "EXPORT_FAILED"

    def __init__(self, why: str, **details: str) -> None:
        super().__init__(f"export failed: {why}", why=why, **details)


class InvalidAnnotations(TrainingError):
    """What people said of GIFs cannot be read, or GIFs cannot be handed to them."""

    reason = "INVALID_ANNOTATIONS"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}", path=path, why=why)


class InvalidVideo(TrainingError):
    """A video cannot be read, or has nothing where it should be cut."""

    reason = "INVALID_VIDEO"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}", path=path, why=why)


class InvalidCollection(TrainingError):
    """A folder cannot be collected from or into: in use, of another kind, or not there."""

    reason = "INVALID_COLLECTION"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}", path=path, why=why)


class ProviderRefused(TrainingError):
    """A provider of GIFs says no, and would again: a wrong key, a request it does not take."""

    reason = "PROVIDER_REFUSED"

    def __init__(self, provider: str, why: str) -> None:
        super().__init__(f"{provider} refuses: {why}", provider=provider, why=why)


class ProviderUnavailable(TrainingError):
    """A provider of GIFs did not answer rightly, however often it was asked; later it may."""

    reason = "PROVIDER_UNAVAILABLE"

    def __init__(self, provider: str, why: str, *, attempts: int) -> None:
        tried = f", after {attempts} attempts" if attempts > 1 else ""
        super().__init__(
            f"{provider} does not answer: {why}{tried}; the same command goes on",
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
            f"the same command goes on in {minutes} min",
            provider=provider,
            calls=str(calls),
            wait_s=f"{wait_s:.0f}",
        )


class MissingPackage(TrainingError):
    """A command takes a package that is not installed."""

    reason = "MISSING_PACKAGE"

    def __init__(self, package: str, *, extra: str) -> None:
        super().__init__(
            f"packages are missing ({package}): {install(extra)}",
            package=package,
            extra=extra,
        )


class RegistryError(TrainingError):
    """The base of what can go wrong with the model registry."""

    reason = "REGISTRY_ERROR"


class RegistryUnavailable(RegistryError):
    """The registry gives no answer, or none that can be used now: trying later may help."""

    reason = "REGISTRY_UNAVAILABLE"

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"the registry at {address} {why}", address=address, why=why)


class RegistryDenied(RegistryError):
    """The registry does not let this user in, or not do this."""

    reason = "REGISTRY_DENIED"

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"the registry at {address} {why}", address=address, why=why)


class RegistryUnsupported(RegistryError):
    """The server knows nothing of what was asked: some hosts offer a part of MLflow's registry."""

    reason = "REGISTRY_UNSUPPORTED"

    def __init__(self, address: str) -> None:
        super().__init__(
            f"{address} answers 404 to a call of the model registry: check the address, or name a registry "
            "elsewhere in MLFLOW_REGISTRY_URI",
            address=address,
        )


class RegistryRefused(RegistryError):
    """The registry understood and refused."""

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
    """The registry's file is not the one that was registered."""

    reason = "DAMAGED_MODEL"

    def __init__(self, model: str, version: str, why: str) -> None:
        super().__init__(f"{model} version {version}: {why}", model=model, version=version, why=why)


class PromotionRefused(RegistryError):
    """A version may not become champion: it was not compared, or did not pass."""

    reason = "PROMOTION_REFUSED"

    def __init__(self, version: str, why: str) -> None:
        super().__init__(f"version {version} is not promoted: {why}", version=version, why=why)


class RegistryConflict(RegistryError):
    """Somebody else changed the registry meanwhile."""

    reason = "REGISTRY_CONFLICT"

    def __init__(self, why: str) -> None:
        super().__init__(f"somebody else changed the registry meanwhile: {why}", why=why)
