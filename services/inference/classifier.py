"""Runs a model file with ONNX Runtime: a `Clip` goes in, a `Prediction` comes out.

The file is checked against its contract when it is loaded. Normalisation, the mean over frames and the
temperature of the calibration are part of the file's graph.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidProtobuf

from services.clip import CLIP_FRAMES, CLIP_SHAPE, Clip, check_clip
from services.errors import InvalidArgument, ModelError, os_reason
from services.inference.library import (
    DIGEST_BYTES,
    CurrentLibrary,
    KnownClip,
    fingerprint,
    project,
    search_library,
)
from services.inference.metadata import ModelMetadata, read_metadata
from services.inference.prediction import (
    UNKNOWN,
    FrameVote,
    LibraryInfo,
    Match,
    Neighbour,
    Prediction,
    ShowProbability,
    Verdict,
    decide,
    is_plain,
)
from services.inference.scoring import ModelOutputs, Scores, score
from services.tracing import Attributes, traced

INPUT = "clip"  # uint8 [batch, 10, 224, 224, 3], RGB in 0..255; or any number of frames: [batch, frame, ...]
OUTPUTS = ("probabilities", "frame_probabilities", "embedding", "familiarity")
# An optional output, see `ModelOutputs`. A model that has it can compute frames separately.
FRAME_FAMILIARITY = "frame_familiarity"
MAX_MODEL_BYTES = 2**31 - 1  # the largest Protobuf message, and so the largest ONNX file
_FATAL = 4  # ONNX Runtime's log level; lower levels also reach the caller as exceptions

_ELEMENT_TYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}


def _describe(prediction: Prediction) -> Attributes:
    """Say what a trace holds of an answer."""
    return {
        "gif_analyzer.model": f"{prediction.model.name} {prediction.model.version}",
        "gif_analyzer.verdict": prediction.verdict.level,
        "gif_analyzer.votes": len(prediction.votes),
        "gif_analyzer.matches": len(prediction.matches),
    }


class Classifier:
    """A trained model that names the show of a clip. Any number of threads may share one.

    Args:
        path: of an ONNX file that fits the contract of this module.
        threads: that one call may use, at least 1. Calls from several threads run in parallel in any case.
        early_exit: whether `classify` may stop when the first frames decide, by the rule in the file.
        library: of known clips, made with this model: see docs/library.md. Then all frames are computed. A
            library that changes is read again, see `services.inference.library.CurrentLibrary`.
        shadow: called after each answer with the clip, the prediction and the milliseconds that it took, such
            as a `services.inference.shadow.Shadow`; it must return at once and raise nothing.

    Attributes:
        shows: titles of the shows that the model knows, in the order of its outputs.
        model: name, version, data and licence of the model.
        threshold: a clip with less familiarity is unknown.
        kinds: kind of picture by show, such as "anime"; None if the file has none.
        rule: the file's rule for early exit, whether it is used or not; None if the file has none.
        embedding_size: length of one clip's embedding.
        outputs: names of the model's outputs: `OUTPUTS` and, if the model has it, `FRAME_FAMILIARITY`.
        takes_any_frames: whether `run` accepts clips of fewer than ten frames.

    Raises:
        ModelError: the file does not fit the contract, or has no rule for early exit although it is
            requested.
        LibraryError: the library cannot be used with this model.
        ValueError: threads is less than 1.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        threads: int = 1,
        early_exit: bool = False,
        library: str | Path | None = None,
        shadow: Callable[[Clip, Prediction, float], None] | None = None,
    ) -> None:
        if threads < 1:
            raise ValueError(f"threads must be at least 1, this is {threads}")
        self._path, self._shadow = str(path), shadow
        self._session = _open_session(Path(path), threads)
        metadata = self._check_contract()
        self.shows, self.model, self.threshold = metadata.shows, metadata.info, metadata.unknown_threshold
        self.kinds, self.rule = metadata.kinds, metadata.early_exit
        if early_exit and self.rule is None:
            raise self._invalid("it holds no rule for early exit: gif-train export --early-exit adds one")
        self._early_exit = self.rule if early_exit else None
        self._verdict_rule = metadata.verdict
        self._library = (
            None
            if library is None
            else CurrentLibrary(Path(library), self.model, self.shows, metadata.teaching)
        )

    @property
    def library(self) -> LibraryInfo | None:
        """What the library holds now; None without one."""
        return None if self._library is None else self._library.get().info

    @traced("inference", _describe)
    def classify(self, clip: Clip, top_k: int = 5, *, exact: bool = False) -> Prediction:
        """Name the most probable shows of a clip.

        Args:
            clip: from `services.preprocess`.
            top_k: how many shows to name, at least 1; at most all that the model knows are named.
            exact: whether to use all frames even if the first ones decide.

        Raises:
            InvalidClip: the clip does not fit its contract.
            InvalidArgument: top_k is less than 1.
            ModelError: the model failed, or did not return probabilities.
        """
        if top_k < 1:
            raise InvalidArgument("top_k", expected="at least 1", found=str(top_k))
        check_clip(clip)
        start = time.perf_counter()
        library = None if self._library is None else self._library.get()
        scores, verdict = self.score(clip.frames, exact=exact or library is not None)
        shows, probabilities, familiarity = self.shows, scores.probabilities, scores.familiarity
        matches: tuple[Match, ...] = ()
        neighbours: tuple[Neighbour, ...] = ()
        if library is not None and scores.embedding is not None:
            embedding = project(scores.embedding)
            matches, neighbours = search_library(library.clips, clip, embedding)
            if library.taught is not None:
                shows += library.taught.titles
                probabilities, familiarity = library.taught.join(embedding, probabilities, scores.familiarity)
                verdict = self._decide(clip.frames, shows, probabilities, familiarity)
        # Stable: shows of equal probability keep the model's order.
        ranked = np.argsort(-probabilities, kind="stable")[:top_k]
        best = scores.frame_probabilities.argmax(axis=1)
        prediction = Prediction(
            shows=tuple(ShowProbability(shows[show], float(probabilities[show])) for show in ranked),
            verdict=verdict,
            votes=tuple(
                FrameVote(clip.timestamps_ms[frame], self.shows[show], float(vote[show]))
                for frame, vote, show in zip(scores.frames, scores.frame_probabilities, best, strict=True)
            ),
            model=self.model,
            format=clip.source.format if clip.source else "",
            matches=matches,
            neighbours=neighbours,
            familiarity=float(familiarity),
        )
        if self._shadow is not None:
            self._shadow(clip, prediction, 1000 * (time.perf_counter() - start))
        return prediction

    def describe_clip(self, clip: Clip, *, show: str, name: str, offset_ms: int = 0) -> KnownClip:
        """Compute what a library keeps of a clip.

        Args:
            clip: from `services.preprocess`.
            show: title.
            name: of the GIF; a library has each name once.
            offset_ms: where the GIF begins in its footage, in milliseconds.

        Raises:
            InvalidClip: the clip does not fit its contract.
            ModelError: the model failed.
        """
        check_clip(clip)
        prints = fingerprint(clip.frames)
        return KnownClip(
            show=show,
            name=name,
            times_ms=tuple(offset_ms + time for time in clip.timestamps_ms),
            embedding=project(self.run(clip.frames[np.newaxis]).embedding[0]),
            fingerprints=prints.bits,
            distinct=prints.distinct,
            digest=bytes.fromhex(clip.source.sha256) if clip.source else bytes(DIGEST_BYTES),
        )

    def score(self, frames: NDArray[np.uint8], *, exact: bool = False) -> tuple[Scores, Verdict]:
        """Return the model's results for one clip as numbers, and the verdict on them.

        Args:
            frames: uint8 [10, 224, 224, 3], RGB in 0..255.
            exact: whether to use all frames even if the first ones decide.

        Raises:
            InvalidArgument, ModelError: as `run`.
        """
        rule = None if exact else self._early_exit
        scores = score(self.run, frames, rule, distinct=self._frames_apart)
        return scores, self._decide(frames, self.shows, scores.probabilities, scores.familiarity)

    def run(self, frames: NDArray[np.uint8]) -> ModelOutputs:
        """Run the model on a batch of clips.

        Args:
            frames: uint8 [batch, frame, 224, 224, 3], RGB in 0..255, batch at least 1; 10 frames, or 1..10
                if `takes_any_frames`.

        Raises:
            InvalidArgument: frames has another type or shape.
            ModelError: the model failed on this batch, or did not return probabilities.
        """
        if frames.dtype != np.uint8:
            raise InvalidArgument("frames", expected="uint8", found=str(frames.dtype))
        least = 1 if self.takes_any_frames else CLIP_FRAMES
        fits = frames.ndim == 1 + len(CLIP_SHAPE) and frames.shape[2:] == CLIP_SHAPE[1:]
        if not fits or not len(frames) or not least <= frames.shape[1] <= CLIP_FRAMES:
            count = f"{least}..{CLIP_FRAMES}" if least < CLIP_FRAMES else f"{CLIP_FRAMES}"
            expected = f"shape (batch, {count}, {str(CLIP_SHAPE[1:])[1:]}"
            raise InvalidArgument("frames", expected=expected, found=f"shape {frames.shape}")
        try:
            answer = self._session.run(list(self.outputs), {INPUT: np.ascontiguousarray(frames)})
        except Exception as error:  # ONNX Runtime's errors have no other base class
            raise self._invalid(f"it does not run: {_first_line(error)}") from error
        self._check_answer(answer, batch=len(frames))
        return ModelOutputs(*answer)

    def _decide(
        self,
        frames: NDArray[np.uint8],
        shows: tuple[str, ...],
        probabilities: NDArray[np.float32],
        familiarity: float,
    ) -> Verdict:
        if is_plain(frames):
            return UNKNOWN
        return decide(
            shows,
            probabilities,
            familiarity,
            rule=self._verdict_rule,
            unknown_threshold=self.threshold,
            kinds=self.kinds,
        )

    def _check_contract(self) -> ModelMetadata:
        """Check the inputs and outputs of the graph, and the metadata of the file."""
        inputs = self._session.get_inputs()
        if [node.name for node in inputs] != [INPUT]:
            found = ", ".join(node.name for node in inputs) or "none"
            raise self._invalid(f"it must take one input, {INPUT}; its inputs are: {found}")
        self.takes_any_frames = len(inputs[0].shape) > 1 and not isinstance(inputs[0].shape[1], int)
        count = None if self.takes_any_frames else CLIP_FRAMES
        self._check_tensor("input", inputs[0], "uint8", (count, *CLIP_SHAPE[1:]))
        outputs = {node.name: node for node in self._session.get_outputs()}
        missing = [name for name in OUTPUTS if name not in outputs]
        if missing:
            raise self._invalid(f"it gives no output named {', '.join(missing)}")
        metadata = read_metadata(self._path, self._session.get_modelmeta().custom_metadata_map)
        if metadata.early_exit is not None and not self.takes_any_frames:
            raise self._invalid("it holds a rule for early exit, but takes no clips of fewer frames")
        shows = len(metadata.shows)
        self.outputs = (*OUTPUTS, *((FRAME_FAMILIARITY,) if FRAME_FAMILIARITY in outputs else ()))
        self._frames_apart = FRAME_FAMILIARITY in outputs and self.takes_any_frames
        if FRAME_FAMILIARITY in outputs:
            self._check_tensor("output", outputs[FRAME_FAMILIARITY], "float32", (count,))
        self._check_tensor("output", outputs["probabilities"], "float32", (shows,))
        self._check_tensor("output", outputs["frame_probabilities"], "float32", (count, shows))
        self._check_tensor("output", outputs["familiarity"], "float32", ())
        self.embedding_size = self._check_embedding(outputs["embedding"])
        return metadata

    def _check_embedding(self, node: onnxruntime.NodeArg) -> int:
        """Check that the embedding has a fixed length, and return it."""
        size = node.shape[-1] if node.shape else None
        if not isinstance(size, int) or size < 1:
            raise self._invalid(f"output embedding must have a fixed length, its shape is {node.shape}")
        self._check_tensor("output", node, "float32", (size,))
        return size

    def _check_tensor(
        self, kind: str, node: onnxruntime.NodeArg, dtype: str, shape: tuple[int | None, ...]
    ) -> None:
        """Check the type and shape of one tensor; the batch, and sizes that are None, must be variable."""
        name = f"{kind} {node.name}"
        found_type = _ELEMENT_TYPES.get(node.type, node.type)
        if found_type != dtype:
            raise self._invalid(f"{name} must be {dtype}, it is {found_type}")
        sizes = tuple(size if isinstance(size, int) else None for size in node.shape[1:])
        if len(node.shape) != 1 + len(shape) or sizes != shape:
            expected = ", ".join(["batch", *("frame" if size is None else str(size) for size in shape)])
            raise self._invalid(f"{name} must have shape [{expected}], it has {_shape_text(node.shape)}")
        if isinstance(node.shape[0], int):
            raise self._invalid(f"{name} must take any batch size, it is fixed at {node.shape[0]}")

    def _check_answer(self, answer: list[NDArray[np.float32]], *, batch: int) -> None:
        """Refuse numbers that are not probabilities: a broken model must not look like a bad guess."""
        for name, values in zip(self.outputs, answer, strict=True):
            if len(values) != batch:
                raise self._invalid(f"it answered {len(values)} clips in {name}, it was given {batch}")
            if not np.isfinite(values).all():
                raise self._invalid(f"it answered with numbers that are not finite in {name}")
        for name, values in zip(OUTPUTS[:2], answer[:2], strict=True):
            if values.min() < 0 or values.max() > 1 + 1e-5:
                raise self._invalid(f"it answered with numbers outside 0..1 in {name}")

    def _invalid(self, why: str) -> ModelError:
        return ModelError(self._path, why)


def default_model_path() -> Path:
    """Return the path of the packaged model."""
    return Path(__file__).with_name("default.onnx")


def default_library_path() -> Path:
    """Return the path of the packaged library, of the first 30 seconds of Big Buck Bunny."""
    return Path(__file__).with_name("default.library")


def _open_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL
    content = _read_model(path)
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except InvalidProtobuf as error:
        raise ModelError(str(path), "it is not an ONNX file, or only a part of one") from error
    except Exception as error:  # ONNX Runtime's errors have no other base class
        raise ModelError(str(path), f"ONNX Runtime refuses it: {_first_line(error)}") from error


def _read_model(path: Path) -> bytes:
    """Read the file. ONNX Runtime could do it, but its messages are worse."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise ModelError(str(path), "it is a directory")
        if not stat.S_ISREG(status.st_mode):
            raise ModelError(str(path), "it is not a regular file")
        size = status.st_size
        if size > MAX_MODEL_BYTES:
            raise ModelError(
                str(path), f"an ONNX file has at most {MAX_MODEL_BYTES:,} bytes, this has {size:,}"
            )
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(str(path), "there is no such file") from error
    except OSError as error:
        raise ModelError(str(path), f"it cannot be read: {os_reason(error)}") from error
    if not content:
        raise ModelError(str(path), "it is empty")
    return content


def _shape_text(shape: list[int | str | None]) -> str:
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
