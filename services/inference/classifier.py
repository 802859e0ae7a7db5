"""One model file, loaded once: **Clip** -> ONNX Runtime -> **Prediction**.

The file is checked against its contract when it is loaded, so that a `Classifier` that exists can answer.
Normalisation, the mean over frames and the temperature of the calibration are inside the file's graph.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidProtobuf

from services.clip import CLIP_FRAMES, CLIP_SHAPE, Clip, check_clip
from services.errors import InvalidArgument, ModelError, os_reason
from services.inference.look import EarlyExit, Look, look
from services.inference.metadata import ModelMetadata, read_metadata
from services.inference.outputs import ModelOutputs
from services.inference.prediction import FrameVote, ModelInfo, Prediction, ShowProbability
from services.inference.verdict import UNKNOWN, Verdict, decide, is_plain

INPUT = "clip"  # uint8 [batch, 10, 224, 224, 3], RGB in 0..255; or any number of frames: [batch, frame, ...]
OUTPUTS = ("probabilities", "frame_probabilities", "embedding", "familiarity")
# What a model may give beside these, see `ModelOutputs`. It tells that the frames can be computed apart.
FRAME_FAMILIARITY = "frame_familiarity"
MAX_MODEL_BYTES = 2**31 - 1  # what a Protobuf message can hold: no ONNX file is larger
_FATAL = 4  # of ONNX Runtime's log levels: all else reaches the caller as an exception

_ELEMENT_TYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}


class Classifier:
    """A trained model that names the show of a clip. Any number of threads may share one.

    Args:
        path: of an ONNX file that fits the contract of this module.
        threads: that one call may use, at least 1. Calls from several threads run beside each other anyway.
        early_exit: whether `classify` may stop when the first frames decide, by the rule in the file.

    Raises:
        ModelError: says what is wrong with the file; also where it holds no rule and is asked for one.
        ValueError: threads is less than 1.
    """

    def __init__(self, path: str | Path, *, threads: int = 1, early_exit: bool = False) -> None:
        if threads < 1:
            raise ValueError(f"threads must be at least 1, this is {threads}")
        self._path = str(path)
        self._session = _open_session(Path(path), threads)
        self._metadata = self._check_contract()
        if early_exit and self._metadata.early_exit is None:
            raise ModelError(
                self._path, "it holds no rule for early exit: gif-train export --early-exit adds one"
            )
        self._early_exit = self._metadata.early_exit if early_exit else None

    @property
    def shows(self) -> tuple[str, ...]:
        """Titles of the shows the model knows, in the order of its outputs."""
        return self._metadata.shows

    @property
    def model(self) -> ModelInfo:
        """Name, version, data and licence of the model."""
        return self._metadata.info

    @property
    def threshold(self) -> float:
        """The familiarity below which a clip is unknown."""
        return self._metadata.unknown_threshold

    @property
    def kinds(self) -> Mapping[str, str] | None:
        """Kind of picture by show, such as "anime"; None where the file does not say."""
        return self._metadata.kinds

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what the model gives: `OUTPUTS` and, of a model that says it, `FRAME_FAMILIARITY`."""
        return self._outputs

    @property
    def embedding_size(self) -> int:
        """Numbers in one clip's embedding."""
        return self._embedding_size

    @property
    def takes_any_frames(self) -> bool:
        """Whether `run` takes clips of fewer frames, too; a model may be fixed at ten."""
        return self._takes_any_frames

    @property
    def rule(self) -> EarlyExit | None:
        """The rule for early exit that the file holds, followed or not; None where it holds none."""
        return self._metadata.early_exit

    def classify(self, clip: Clip, top_k: int = 5, *, exact: bool = False) -> Prediction:
        """Name the most probable shows of a clip.

        Args:
            clip: as `services.preprocess` makes it.
            top_k: how many shows to name, at least 1; more than the model knows gives all it knows.
            exact: whether all frames are looked at even where fewer would decide.

        Raises:
            InvalidClip: the clip does not fit its contract.
            InvalidArgument: top_k is less than 1.
            ModelError: the model answered with something else than probabilities.
        """
        if top_k < 1:
            raise InvalidArgument("top_k", expected="at least 1", found=str(top_k))
        check_clip(clip)
        seen, verdict = self.look(clip.frames, exact=exact)
        # Stable: shows of equal probability keep the model's order.
        ranked = np.argsort(-seen.probabilities, kind="stable")[:top_k]
        best = seen.frame_probabilities.argmax(axis=1)
        return Prediction(
            shows=tuple(
                ShowProbability(self.shows[show], float(seen.probabilities[show])) for show in ranked
            ),
            verdict=verdict,
            frames=tuple(
                FrameVote(clip.timestamps_ms[frame], self.shows[show], float(vote[show]))
                for frame, vote, show in zip(seen.frames, seen.frame_probabilities, best, strict=True)
            ),
            model=self.model,
            format=clip.source.format if clip.source else "",
        )

    def look(self, frames: NDArray[np.uint8], *, exact: bool = False) -> tuple[Look, Verdict]:
        """Give the model's answer for one clip, as numbers, and how much of it can be trusted.

        Args:
            frames: uint8 [10, 224, 224, 3], RGB in 0..255.
            exact: whether all frames are looked at even where fewer would decide.

        Raises:
            InvalidArgument, ModelError: as `run`.
        """
        seen = look(self.run, frames, None if exact else self._early_exit, distinct=self._frames_apart)
        if is_plain(frames):
            return seen, UNKNOWN
        verdict = decide(
            self.shows,
            seen.probabilities,
            seen.familiarity,
            rule=self._metadata.verdict,
            unknown_threshold=self.threshold,
            kinds=self.kinds,
        )
        return seen, verdict

    def run(self, frames: NDArray[np.uint8]) -> ModelOutputs:
        """Give the model's own answer for a batch of clips.

        Args:
            frames: uint8 [batch, frame, 224, 224, 3], RGB in 0..255, batch at least 1; 10 frames, or 1..10
                of a model that takes any.

        Raises:
            InvalidArgument: frames has another type or shape.
            ModelError: the model failed on this batch, or its probabilities are none.
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
            answer = self._session.run(list(self._outputs), {INPUT: np.ascontiguousarray(frames)})
        except Exception as error:  # ONNX Runtime's errors share no narrower base
            raise ModelError(self._path, f"it does not run: {_first_line(error)}") from error
        self._check_answer(answer, batch=len(frames))
        return ModelOutputs(*answer)

    def _check_contract(self) -> ModelMetadata:
        """Hold the graph's inputs and outputs and the file's metadata to the contract."""
        inputs = self._session.get_inputs()
        if [node.name for node in inputs] != [INPUT]:
            found = ", ".join(node.name for node in inputs) or "none"
            raise ModelError(self._path, f"it must take one input, {INPUT}; its inputs are: {found}")
        self._takes_any_frames = len(inputs[0].shape) > 1 and not isinstance(inputs[0].shape[1], int)
        count = None if self._takes_any_frames else CLIP_FRAMES
        self._check_tensor("input", inputs[0], "uint8", (count, *CLIP_SHAPE[1:]))
        outputs = {node.name: node for node in self._session.get_outputs()}
        missing = [name for name in OUTPUTS if name not in outputs]
        if missing:
            raise ModelError(self._path, f"it gives no output named {', '.join(missing)}")
        metadata = read_metadata(self._path, self._session.get_modelmeta().custom_metadata_map)
        if metadata.early_exit is not None and not self._takes_any_frames:
            raise ModelError(self._path, "it holds a rule for early exit, but takes no clips of fewer frames")
        shows = len(metadata.shows)
        self._outputs = (*OUTPUTS, *((FRAME_FAMILIARITY,) if FRAME_FAMILIARITY in outputs else ()))
        self._frames_apart = FRAME_FAMILIARITY in outputs and self._takes_any_frames
        if FRAME_FAMILIARITY in outputs:
            self._check_tensor("output", outputs[FRAME_FAMILIARITY], "float32", (count,))
        self._check_tensor("output", outputs["probabilities"], "float32", (shows,))
        self._check_tensor("output", outputs["frame_probabilities"], "float32", (count, shows))
        self._check_tensor("output", outputs["familiarity"], "float32", ())
        self._embedding_size = self._check_embedding(outputs["embedding"])
        return metadata

    def _check_embedding(self, node: onnxruntime.NodeArg) -> int:
        """Let the embedding have any fixed length, and return that."""
        size = node.shape[-1] if node.shape else None
        if not isinstance(size, int) or size < 1:
            raise ModelError(
                self._path, f"output embedding must have a fixed length, its shape is {node.shape}"
            )
        self._check_tensor("output", node, "float32", (size,))
        return size

    def _check_tensor(
        self, kind: str, node: onnxruntime.NodeArg, dtype: str, shape: tuple[int | None, ...]
    ) -> None:
        """Hold one tensor to its type and its shape after the batch; the batch, and None, must be open."""
        name = f"{kind} {node.name}"
        found_type = _ELEMENT_TYPES.get(node.type, node.type)
        if found_type != dtype:
            raise ModelError(self._path, f"{name} must be {dtype}, it is {found_type}")
        sizes = tuple(size if isinstance(size, int) else None for size in node.shape[1:])
        if len(node.shape) != 1 + len(shape) or sizes != shape:
            expected = ", ".join(["batch", *("frame" if size is None else str(size) for size in shape)])
            raise ModelError(
                self._path, f"{name} must have shape [{expected}], it has {_shape_text(node.shape)}"
            )
        if isinstance(node.shape[0], int):
            raise ModelError(self._path, f"{name} must take any batch size, it is fixed at {node.shape[0]}")

    def _check_answer(self, answer: list[NDArray[np.float32]], *, batch: int) -> None:
        """Never pass on numbers that are no probabilities: a broken model must not look like a bad guess."""
        for name, values in zip(self._outputs, answer, strict=True):
            if len(values) != batch:
                raise ModelError(
                    self._path, f"it answered {len(values)} clips in {name}, it was given {batch}"
                )
            if not np.isfinite(values).all():
                raise ModelError(self._path, f"it answered with numbers that are not finite in {name}")
        for name, values in zip(OUTPUTS[:2], answer[:2], strict=True):
            if values.min() < 0 or values.max() > 1 + 1e-5:
                raise ModelError(self._path, f"it answered with numbers outside 0..1 in {name}")


def default_model_path() -> Path:
    """Where the packaged model lies: `default.onnx` beside this module."""
    return Path(__file__).with_name("default.onnx")


def _open_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL
    content = _read_model(path)
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except InvalidProtobuf as error:
        raise ModelError(str(path), "it is not an ONNX file, or half of one") from error
    except Exception as error:  # ONNX Runtime's errors share no narrower base
        raise ModelError(str(path), f"ONNX Runtime refuses it: {_first_line(error)}") from error


def _read_model(path: Path) -> bytes:
    """Read the file here, not in ONNX Runtime: its message for a directory is that parsing failed."""
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
