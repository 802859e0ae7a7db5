"""Registers a model file in MLflow as a new version, the challenger.

Its run has the settings of the fit as parameters, the figures and plots of an evaluation, and the digest of
the training data. No clip of a show is sent: the input example is black.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from services.clip import CLIP_FRAMES, CLIP_SHAPE
from services.inference import INPUT, Classifier
from services.reading import read_json
from training.errors import DamagedModel, InvalidRun
from training.files import sha256_of
from training.registry.versions import CHALLENGER, MODEL, MODEL_FILE, Registry, Version

EXPERIMENT = MODEL
PICTURES_OF_CLIPS = "mistakes"  # plots with this in their name show footage, and are not sent
EXAMPLE_FILE = "input_example.json"


@dataclass(frozen=True)
class Candidate:
    """A model file with what is known of it.

    Attributes:
        path: of the ONNX file.
        parameters: settings of the fit, by dotted name.
        metrics: figures of an evaluation, by dotted name, finite.
        files: to store with the run, such as evaluation.json.
        plots: PNG files.
    """

    path: Path
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    files: Sequence[Path] = ()
    plots: Sequence[Path] = ()

    @classmethod
    def gather(cls, path: Path, run: Path | None, evaluation: Path | None) -> Candidate:
        """Read the settings and figures of a model.

        Args:
            path: of the ONNX file.
            run: folder of the fit, with run.json; None for no settings.
            evaluation: JSON file of figures; PNG files beside it are its plots. None for no figures.

        Raises:
            InvalidRun: a file is missing or invalid.
        """
        parameters: dict[str, str] = {}
        metrics: dict[str, float] = {}
        files: list[Path] = []
        plots: list[Path] = []
        if run is not None:
            files.append(run / "run.json")
            parameters = {
                name: value if isinstance(value, str) else json.dumps(value)
                for name, value in _leaves(_read_object(run / "run.json").get("options", {}))
            }
        if evaluation is not None:
            files.append(evaluation)
            try:
                metrics = figures(_read_object(evaluation))
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                raise InvalidRun(str(evaluation), f"its figures cannot be read: {error}") from error
            plots = [
                plot for plot in sorted(evaluation.parent.glob("*.png")) if PICTURES_OF_CLIPS not in plot.name
            ]
        return cls(path, parameters, metrics, files, plots)


def figures(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of an evaluation by their dotted names; of an estimate, its value.

    The only list read is `top_k`, as "accuracy.top_1": numbers by show, bin or clip are not figures.
    """
    found: dict[str, float] = {}
    for name, value in evaluation.items():
        if isinstance(value, bool) or value is None:
            continue
        if isinstance(value, int | float):
            found[name] = float(value)
        elif isinstance(value, Mapping) and isinstance(value.get("value"), int | float):
            found[name] = float(value["value"])
        elif isinstance(value, Mapping):
            found |= {f"{name}.{inner}": number for inner, number in figures(value).items()}
        elif name == "top_k":
            found |= {f"top_{each['k']}": float(each["accuracy"]["value"]) for each in value}
    return {name.replace(" ", "_"): number for name, number in found.items() if np.isfinite(number)}


def register(registry: Registry, candidate: Candidate) -> Version:
    """Log a run, upload the file as a new version, check it, and make it the challenger.

    Raises:
        ModelError: gif-analyzer cannot use the file.
        DamagedModel: the registry returns another file than was sent.
        RegistryError: a call to MLflow failed.
    """
    import mlflow  # noqa: PLC0415 - seconds

    classifier = Classifier(candidate.path)
    sha256 = sha256_of(candidate.path)
    tags = _tags(candidate, classifier, sha256)
    with registry.errors():
        _set_experiment(registry)
        with mlflow.start_run(run_name=f"register {classifier.model.version}", tags=tags) as run:
            mlflow.log_params(dict(candidate.parameters))
            mlflow.log_metrics(dict(candidate.metrics))
            mlflow.log_input(_dataset(classifier), context="training")
            for files, folder in ((candidate.files, "figures"), (candidate.plots, "plots")):
                for file in files:
                    mlflow.log_artifact(str(file), folder)
            logged = _log_model(candidate.path, classifier)
        made = _create_version(registry, logged, run.info.run_id, tags)
    version = registry.version(str(made.version))
    _check_upload(registry, version, candidate.path)
    registry.point(CHALLENGER, version.number)
    return registry.version(version.number)


def black_clip() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the input example: one clip, uint8 [1, 10, 224, 224, 3]; 4.5 MB as MLflow's JSON."""
    return np.zeros((1, *CLIP_SHAPE), np.uint8)


def _log_model(path: Path, classifier: Classifier) -> Any:
    """Log the file as an mlflow.onnx model, with its signature and the input example.

    Three things differ from `mlflow.onnx.log_model`: the file keeps its bytes, and so its digest; the
    requirements are given, where MLflow starts a process to infer them; and the example is written once,
    where MLflow writes it a second time for a scoring server: indented, 42 MB, many seconds.
    """
    import mlflow.onnx  # noqa: PLC0415
    import onnx  # noqa: PLC0415
    from mlflow.models import Model, ModelSignature  # noqa: PLC0415
    from mlflow.models.model import MLMODEL_FILE_NAME  # noqa: PLC0415
    from mlflow.types import Schema, TensorSpec  # noqa: PLC0415

    shows = len(classifier.shows)
    outputs = {
        "probabilities": (shows,),
        "frame_probabilities": (CLIP_FRAMES, shows),
        "embedding": (classifier.embedding_size,),
        "familiarity": (),
        "frame_familiarity": (CLIP_FRAMES,),
    }
    single = np.dtype(np.float32)
    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, *CLIP_SHAPE), INPUT)]),
        outputs=Schema([TensorSpec(single, (-1, *outputs[name]), name) for name in classifier.outputs]),
    )

    def save_model(path: str, mlflow_model: Model, **options: Any) -> None:
        mlflow.onnx.save_model(path=path, mlflow_model=mlflow_model, **options)
        folder = Path(path)
        (folder / MODEL_FILE).write_bytes(content)
        (folder / EXAMPLE_FILE).write_text(json.dumps({INPUT: black_clip().tolist()}), encoding="utf-8")
        mlflow_model.saved_input_example_info = {"artifact_path": EXAMPLE_FILE, "type": "ndarray"}
        mlflow_model.save(str(folder / MLMODEL_FILE_NAME))

    content = path.read_bytes()
    return Model.log(
        artifact_path=None,
        name="model",
        flavor=SimpleNamespace(save_model=save_model),
        onnx_model=onnx.load_from_string(content),
        onnx_execution_providers=["CPUExecutionProvider"],
        signature=signature,
        pip_requirements=[f"{name}=={installed(name)}" for name in ("mlflow", "onnx", "onnxruntime")],
        save_as_external_data=False,
    )


def _create_version(registry: Registry, logged: Any, run_id: str, tags: Mapping[str, str]) -> Any:
    """Do what mlflow.register_model does, without its output to standard error."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    try:
        registry.client.create_registered_model(MODEL)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return registry.client.create_model_version(
        MODEL, logged.model_uri, run_id=run_id, tags=dict(tags), model_id=logged.model_id
    )


def _check_upload(registry: Registry, version: Version, sent: Path) -> None:
    """Pull the new version and check it, so that a damaged upload never becomes challenger."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            registry.pull(version, Path(folder) / sent.name)
        except DamagedModel:
            with registry.errors():
                registry.client.delete_model_version(MODEL, version.number)
            raise


def _tags(candidate: Candidate, classifier: Classifier, sha256: str) -> dict[str, str]:
    model = classifier.model
    tags = {
        "model_name": model.name,
        "model_version": model.version,
        "sha256": sha256,
        "size_bytes": str(candidate.path.stat().st_size),
        "shows": str(len(classifier.shows)),
        "training_data_sha256": model.training_data_sha256,
        "licence": model.licence,
        "git_commit": git_commit(),
    }
    if "accuracy.top_1" in candidate.metrics:
        tags["evaluation_top_1"] = f"{candidate.metrics['accuracy.top_1']:.3f}"
    return {name: value for name, value in tags.items() if value}


def git_commit() -> str:
    """Return the commit of the working folder, with "+changes" if files differ from it; "" outside of git."""
    try:
        commit, changes = (
            subprocess.run(["git", *words], capture_output=True, text=True, check=True, timeout=10).stdout
            for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return commit.strip() + ("+changes" if changes.strip() else "")


def _dataset(classifier: Classifier) -> Any:
    """Return the training data as a data set of MLflow, by name and digest; no data are sent."""
    from mlflow.data import meta_dataset  # noqa: PLC0415
    from mlflow.data.code_dataset_source import CodeDatasetSource  # noqa: PLC0415

    made: Any = meta_dataset.MetaDataset  # its annotations wrongly call it abstract
    digest = classifier.model.training_data_sha256
    return made(CodeDatasetSource({"sha256": digest}), name="training clips", digest=digest[:36])


def _set_experiment(registry: Registry) -> None:
    """Select the experiment; a new one in an SQLite file has its artifacts beside that file."""
    import mlflow  # noqa: PLC0415

    tracking = registry.settings.tracking
    if registry.client.get_experiment_by_name(EXPERIMENT) is None:
        place = None
        if tracking.startswith("sqlite:"):
            place = (Path(tracking.removeprefix("sqlite:///")).parent / "mlartifacts").resolve().as_uri()
        registry.client.create_experiment(EXPERIMENT, artifact_location=place)
    mlflow.set_experiment(EXPERIMENT)


def _read_object(path: Path) -> Mapping[str, Any]:
    try:
        value = read_json(path)
    except (OSError, ValueError) as error:
        raise InvalidRun(str(path), f"it cannot be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidRun(str(path), "it is not a JSON object")
    return value


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield settings by dotted name; a list is one setting."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else str(key))
    elif name:
        yield name, value
