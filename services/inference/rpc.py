"""Inference over gRPC: the service `InferenceServicer`, its options, and the client `RemoteClassifier`."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Annotated, Any, cast, get_args

from gif_analyzer.v1 import inference_pb2 as pb
from gif_analyzer.v1 import inference_pb2_grpc as pb_grpc
from grpc import aio

from services.clip import Clip
from services.errors import AnalyzerError
from services.inference.answers import MESSAGE, Answer, answer_line, answer_of, error_of
from services.inference.classifier import Classifier, default_model_path
from services.inference.oip import add_open_inference
from services.inference.prediction import (
    UNKNOWN,
    FrameVote,
    Level,
    LibraryInfo,
    Match,
    ModelInfo,
    Neighbour,
    Prediction,
    ShowProbability,
    TimeSpan,
    Verdict,
)
from services.inference.shadow import SHARE, Shadow
from services.rpc.channel import Client
from services.rpc.program import option
from services.rpc.server import RpcServer, request_id_of
from services.rpc.settings import DEFAULT_CHANNEL, ChannelSettings
from services.rpc.wire import read_clip, write_clip
from services.workers import Workers

SERVICE = "gif_analyzer.v1.InferenceService"
DEFAULT_TOP_K = 5
INT32 = range(-(2**31), 2**31)
DEFAULT_MODEL = default_model_path()
# Metadata of a caller that writes the line of the answer itself, as a gateway does.
ANSWER_LOGGED = ("x-answer-logged", "yes")
_MODEL = "The model"

_log = logging.getLogger(__name__)


def open_classifier(
    *,
    model: Annotated[Path, option(_MODEL, "An ONNX file.", metavar="PATH")] = DEFAULT_MODEL,
    threads: Annotated[int, option(_MODEL, "Threads of one classification.", min=1, metavar="N")] = 1,
    early_exit: Annotated[
        bool,
        option(
            _MODEL,
            "Stop when the first frames decide, unless a request wants exact probabilities.",
            "--early-exit",
        ),
    ] = False,
    library: Annotated[
        Path | None,
        option(_MODEL, "A library of known clips, which is read again when it changes.", metavar="FILE"),
    ] = None,
    shadow_model: Annotated[
        Path | None,
        option(_MODEL, "A challenger to ask beside it, whose answers are only logged.", metavar="PATH"),
    ] = None,
    shadow_share: Annotated[
        float, option(_MODEL, "Share of the clips that the challenger is asked about.", min=0.0001, max=1)
    ] = SHARE,
) -> Classifier:
    """Load the model as the options of the service say.

    Raises:
        ModelError: a file is missing or is not a model of this project.
        LibraryError: the library cannot be used with this model.
    """
    shadow = None if shadow_model is None else Shadow(shadow_model, share=shadow_share)
    return Classifier(model, threads=threads, early_exit=early_exit, library=library, shadow=shadow)


def add_inference(server: RpcServer, classifier: Classifier) -> None:
    """Add the service to a server, together with the Open Inference Protocol."""
    servicer = InferenceServicer(server.workers, classifier)
    server.add(
        SERVICE,
        lambda to: pb_grpc.add_InferenceServiceServicer_to_server(servicer, to),
        computes=("Classify",),
    )
    add_open_inference(server, classifier)


class InferenceServicer(pb_grpc.InferenceServiceServicer):
    """Implements gif_analyzer.v1.InferenceService.

    Args:
        workers: threads in which clips are classified.
        classifier: the model.
    """

    def __init__(self, workers: Workers, classifier: Classifier) -> None:
        self._workers = workers
        self._classifier = classifier

    async def Classify(  # noqa: N802, D102 - documented in the contract
        self, request: pb.ClassifyRequest, context: aio.ServicerContext[Any, Any]
    ) -> pb.ClassifyResponse:
        start = time.perf_counter()
        request_id = request_id_of(context)

        def took_ms() -> float:
            return 1000 * (time.perf_counter() - start)

        try:
            prediction, classify_ms = await self._workers.run(self._classify, request)
        except AnalyzerError as error:
            failed = error_of(error.reason, request_id=request_id, interface="grpc", duration_ms=took_ms())
            _log_answer(failed, context)
            raise
        line = answer_of(
            prediction,
            request_id=request_id,
            interface="grpc",
            duration_ms=took_ms(),
            classify_ms=classify_ms,
        )
        _log_answer(line, context)
        return _to_message(prediction)

    async def GetModel(  # noqa: N802, D102 - documented in the contract
        self, request: pb.GetModelRequest, context: aio.ServicerContext[Any, Any]
    ) -> pb.GetModelResponse:
        # In another thread, because a library that has changed is read again. It needs no place in the queue.
        return await asyncio.to_thread(self._get_model)

    def _get_model(self) -> pb.GetModelResponse:
        classifier, library = self._classifier, self._classifier.library
        return pb.GetModelResponse(
            model=_model_to_message(classifier.model),
            shows=classifier.shows,
            unknown_threshold=classifier.threshold,
            embedding_size=classifier.embedding_size,
            library=None if library is None else pb.LibraryInfo(**vars(library)),
        )

    def _classify(self, request: pb.ClassifyRequest) -> tuple[Prediction, float]:
        """Return the prediction, and the milliseconds that it took."""
        top_k = request.top_k if request.HasField("top_k") else DEFAULT_TOP_K
        clip = read_clip(request.clip)
        start = time.perf_counter()
        prediction = self._classifier.classify(clip, top_k, exact=request.exact)
        return prediction, 1000 * (time.perf_counter() - start)


class RemoteClassifier(Client):
    """A `services.inference.Classifier` on another machine. Arguments and errors as of `Client`.

    Every property is requested from the service when it is read. With `logs_answers` the caller writes the
    line of each answer into its own log, and the service writes none: otherwise an answer would count twice.
    """

    service = SERVICE

    def __init__(
        self, address: str, settings: ChannelSettings = DEFAULT_CHANNEL, *, logs_answers: bool = False
    ) -> None:
        super().__init__(address, settings)
        self._metadata = (ANSWER_LOGGED,) if logs_answers else ()
        self._stub = pb_grpc.InferenceServiceStub(self._channel)

    @property
    def shows(self) -> tuple[str, ...]:
        """Titles of the shows that the model knows, in the order of its outputs."""
        return tuple(self._get_model().shows)

    @property
    def model(self) -> ModelInfo:
        """Name, version, data and licence of the model."""
        return _model_from_message(self._get_model().model)

    @property
    def threshold(self) -> float:
        """The familiarity below which a clip is unknown."""
        return self._get_model().unknown_threshold

    @property
    def embedding_size(self) -> int:
        """Length of one clip's embedding."""
        return self._get_model().embedding_size

    @property
    def library(self) -> LibraryInfo | None:
        """What the library of the service holds now; None without one."""
        return _library_from_message(self._get_model())

    def classify(self, clip: Clip, top_k: int = DEFAULT_TOP_K, *, exact: bool = False) -> Prediction:
        """Name the most probable shows of a clip, as `Classifier.classify` does.

        Whether the model may stop early is a setting of the service; `exact` makes it use all frames.

        Raises:
            InvalidClip, InvalidArgument, ModelError: as the local method.
            ServiceError: the service did not answer.
        """
        # Numbers that do not fit into the message mean the same as the nearest one that does.
        top_k = min(max(top_k, INT32.start), INT32.stop - 1)
        request = pb.ClassifyRequest(top_k=top_k, exact=exact)
        write_clip(clip, request.clip)
        response = self._call(self._stub.Classify, request, metadata=self._metadata)
        return Prediction(
            shows=tuple(ShowProbability(ranked.show, ranked.probability) for ranked in response.shows),
            verdict=_verdict_from_message(response),
            votes=tuple(FrameVote(vote.offset_ms, vote.show, vote.probability) for vote in response.votes),
            model=_model_from_message(response.model),
            format=clip.source.format if clip.source else "",
            matches=tuple(map(_match_from_message, response.matches)),
            neighbours=tuple(
                Neighbour(each.show, each.name, _read_similarity(each.similarity))
                for each in response.neighbours
            ),
            familiarity=response.familiarity if response.HasField("familiarity") else None,
        )

    def describe(self) -> tuple[ModelInfo, tuple[str, ...], float, int, LibraryInfo | None]:
        """Return the model, shows, threshold, embedding's length and library, with one request.

        Raises:
            ServiceError: the service did not answer.
        """
        response = self._get_model()
        return (
            _model_from_message(response.model),
            tuple(response.shows),
            response.unknown_threshold,
            response.embedding_size,
            _library_from_message(response),
        )

    def _get_model(self) -> pb.GetModelResponse:
        return self._call(self._stub.GetModel, pb.GetModelRequest())


def _log_answer(line: Answer, context: aio.ServicerContext[Any, Any]) -> None:
    if ANSWER_LOGGED not in tuple(context.invocation_metadata() or ()):
        _log.info(MESSAGE, extra=answer_line(line))


def _to_message(prediction: Prediction) -> pb.ClassifyResponse:
    verdict = prediction.verdict
    return pb.ClassifyResponse(
        shows=[pb.ShowProbability(**vars(ranked)) for ranked in prediction.shows],
        known=prediction.known,
        votes=[pb.FrameVote(**vars(vote)) for vote in prediction.votes],
        model=_model_to_message(prediction.model),
        verdict=pb.Verdict(level=verdict.level, names=verdict.names, text=verdict.text),
        matches=map(_match_to_message, prediction.matches),
        neighbours=[pb.Neighbour(**vars(each)) for each in prediction.neighbours],
        familiarity=prediction.familiarity,
    )


def _model_to_message(model: ModelInfo) -> pb.Model:
    return pb.Model(**vars(model))


def _model_from_message(message: pb.Model) -> ModelInfo:
    return ModelInfo(message.name, message.version, message.training_data_sha256, message.licence)


def _library_from_message(response: pb.GetModelResponse) -> LibraryInfo | None:
    if not response.HasField("library"):
        return None
    library = response.library
    return LibraryInfo(library.clip_count, tuple(library.shows), library.sha256)


def _match_to_message(match: Match) -> pb.Match:
    spans = {"query": pb.TimeSpan(**vars(match.query)), "known": pb.TimeSpan(**vars(match.known))}
    return pb.Match(**{**vars(match), **spans})


def _match_from_message(message: pb.Match) -> Match:
    query, known = (TimeSpan(span.start_ms, span.end_ms) for span in (message.query, message.known))
    similarity = _read_similarity(message.similarity)
    return Match(message.show, message.name, similarity, message.frame_count, query, known, message.mirrored)


def _read_similarity(value: float) -> float:
    """Return a similarity as it was before it became a float32: a library rounds them to four digits."""
    return round(value, 4)


def _verdict_from_message(response: pb.ClassifyResponse) -> Verdict:
    level = response.verdict.level
    if level in get_args(Level):
        return Verdict(cast("Level", level), tuple(response.verdict.names))
    # A service from before there were verdicts only sends `known`.
    return Verdict("show", (response.shows[0].show,)) if response.known and response.shows else UNKNOWN
