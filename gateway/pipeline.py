"""The pipeline from the bytes of a GIF to a prediction. Only this module orders the steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.clip import Clip
from services.inference import Classifier, LibraryInfo, ModelInfo, Prediction, default_model_path
from services.inference.library import KnownClip
from services.inference.shadow import Shadow
from services.preprocess import Budget, decode_gif
from services.preprocess.backend import Backend, fastest


@dataclass(frozen=True)
class ModelDescription:
    """The model of a pipeline.

    Attributes:
        model: its name, version, data and licence.
        shows: titles that it knows, in the order of its outputs.
        unknown_threshold: a clip that is less familiar is unknown.
        embedding_size: length of one clip's embedding, at least 1.
        library: of known clips that is used, as it is now; None without one.
    """

    model: ModelInfo
    shows: tuple[str, ...]
    unknown_threshold: float
    embedding_size: int
    library: LibraryInfo | None = None

    @property
    def named(self) -> tuple[str, ...]:
        """Titles of all shows that can be named: those of the model, then those that only the library has."""
        taught = () if self.library is None else self.library.shows
        return tuple(dict.fromkeys((*self.shows, *taught)))


class Classify(Protocol):
    """Classifies a clip, naming `top_k` shows; `exact` uses all frames even where fewer would decide."""

    def __call__(self, clip: Clip, top_k: int, /, *, exact: bool = False) -> Prediction:
        """Classify one clip."""


@dataclass(frozen=True)
class Pipeline:
    """Both steps. Threads may share one if they may share its steps.

    Attributes:
        decode: GIF bytes -> clip; raises `GifError`.
        classify: see `Classify`.
        describe: returns the model and the library; raises `ServiceError` if a service does not answer.
        check: returns when both steps are ready, else raises `ServiceError`.
    """

    decode: Callable[[bytes], Clip]
    classify: Classify
    describe: Callable[[], ModelDescription]
    check: Callable[[], None]

    def identify(self, gif: bytes, top_k: int = 5, *, exact: bool = False) -> Prediction:
        """Name the most probable shows of a GIF.

        Args:
            gif: the whole file.
            top_k: how many shows to name, at least 1; more than the model knows gives all it knows.
            exact: whether to classify all frames even where fewer would decide.

        Raises:
            GifError: the bytes are not a GIF that can be shown within the budget.
            InvalidArgument: top_k is less than 1.
        """
        return self.classify(self.decode(gif), top_k, exact=exact)


def local(
    model_path: str | Path | None = None,
    *,
    threads: int = 1,
    early_exit: bool = False,
    library: Path | None = None,
    budget: Budget | None = None,
    backend: Callable[[], Backend] = fastest,
    shadow: Shadow | None = None,
) -> Pipeline:
    """Make a pipeline whose steps run in this process; threads may share it.

    Args:
        model_path: of the model file; None is the packaged one.
        threads: that decoding or classifying one GIF may use, at least 1.
        early_exit: whether it may stop when the first frames decide.
        library: of known clips, to search and to learn shows from; it is read again when it changes.
        budget: what a GIF may cost; None is the default budget.
        backend: returns what moves the pixels; called for each GIF.
        shadow: a challenger that is asked beside the model; its answers are only logged.

    Raises:
        LibraryError: the library cannot be used with the model.
        ModelError: the file is not a usable model, or has no rule for early exit although it is on.
    """
    classifier = Classifier(
        model_path or default_model_path(),
        threads=threads,
        early_exit=early_exit,
        library=library,
        shadow=shadow,
    )
    backend()  # loaded before the first GIF comes, not by it
    limits = budget or Budget()
    return Pipeline(
        lambda gif: decode_gif(gif, budget=limits, backend=backend(), threads=threads),
        classifier.classify,
        describe=lambda: ModelDescription(
            classifier.model,
            classifier.shows,
            classifier.threshold,
            classifier.embedding_size,
            classifier.library,
        ),
        check=lambda: None,
    )


def describer(
    model_path: str | Path, *, threads: int = 1, budget: Budget | None = None
) -> Callable[[bytes, str], KnownClip]:
    """Make a function that computes what a library keeps of a GIF, given its bytes and its name.

    Its show is "". The function raises `GifError` as `Pipeline.decode` does.

    Args:
        model_path: of the model file.
        threads: that decoding or classifying one GIF may use, at least 1.
        budget: what a GIF may cost; None is the default budget.

    Raises:
        ModelError: the file is not a usable model.
    """
    classifier, limits = Classifier(model_path, threads=threads), budget or Budget()
    backend = fastest()
    return lambda gif, name: classifier.describe_clip(
        decode_gif(gif, budget=limits, backend=backend, threads=threads), show="", name=name
    )
