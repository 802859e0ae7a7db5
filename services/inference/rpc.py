"""Inference over gRPC: `InferenceServicer` answers, `RemoteClassifier` asks."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self, cast, get_args

from gif_analyzer.v1 import inference_pb2 as pb
from gif_analyzer.v1 import inference_pb2_grpc as pb_grpc
from grpc import aio

from services.clip import Clip
from services.inference.classifier import Classifier
from services.inference.oip import add_open_inference
from services.inference.prediction import FrameVote, ModelInfo, Prediction, ShowProbability
from services.inference.verdict import UNKNOWN, Level, Verdict
from services.rpc.channel import Channel
from services.rpc.messages import read_clip, write_clip
from services.rpc.server import RpcServer
from services.rpc.settings import DEFAULT_CHANNEL, ChannelSettings
from services.workers import Workers

SERVICE = "gif_analyzer.v1.InferenceService"
DEFAULT_TOP_K = 5
INT32 = range(-(2**31), 2**31)


def add_inference(server: RpcServer, classifier: Classifier) -> None:
    """Let a server answer for inference, under our contract and under the Open Inference Protocol."""
    servicer = InferenceServicer(server.workers, classifier)
    server.add(SERVICE, lambda to: pb_grpc.add_InferenceServiceServicer_to_server(servicer, to))
    add_open_inference(server, classifier)


class InferenceServicer(pb_grpc.InferenceServiceServicer):
    """Answers gif_analyzer.v1.InferenceService.

    Args:
        workers: where clips are classified.
        classifier: the model.
    """

    def __init__(self, workers: Workers, classifier: Classifier) -> None:
        self._workers = workers
        self._classifier = classifier

    async def Classify(  # noqa: N802, D102 - the contract says what it does
        self, request: pb.ClassifyRequest, context: aio.ServicerContext[Any, Any]
    ) -> pb.ClassifyResponse:
        return await self._workers.run(self._classify, request)

    async def GetModel(  # noqa: N802, D102 - the contract says what it does
        self, request: pb.GetModelRequest, context: aio.ServicerContext[Any, Any]
    ) -> pb.GetModelResponse:
        classifier = self._classifier
        return pb.GetModelResponse(
            model=_model_to_message(classifier.model),
            shows=classifier.shows,
            unknown_threshold=classifier.threshold,
            embedding_size=classifier.embedding_size,
        )

    def _classify(self, request: pb.ClassifyRequest) -> pb.ClassifyResponse:
        top_k = request.top_k if request.HasField("top_k") else DEFAULT_TOP_K
        prediction = self._classifier.classify(read_clip(request.clip), top_k, exact=request.exact)
        return pb.ClassifyResponse(
            shows=[
                pb.ShowProbability(show=ranked.show, probability=ranked.probability)
                for ranked in prediction.shows
            ],
            known=prediction.known,
            frames=[
                pb.FrameVote(timestamp_ms=vote.timestamp_ms, show=vote.show, probability=vote.probability)
                for vote in prediction.frames
            ],
            model=_model_to_message(prediction.model),
            verdict=pb.Verdict(
                level=prediction.verdict.level, names=prediction.verdict.names, text=prediction.verdict.text
            ),
        )


class RemoteClassifier:
    """A `services.inference.Classifier` that computes elsewhere. Threads may share one.

    Args:
        address: HOST:PORT.
        settings: deadline, tries, keepalive, TLS.

    Raises:
        UnreadableFile: one of the files of TLS.
    """

    def __init__(self, address: str, settings: ChannelSettings = DEFAULT_CHANNEL) -> None:
        self._channel = Channel(address, settings)
        self._stub = pb_grpc.InferenceServiceStub(self._channel.grpc)

    @property
    def shows(self) -> tuple[str, ...]:
        """Titles of the shows the model knows, in the order of its outputs; asks the service."""
        return tuple(self._get_model().shows)

    @property
    def model(self) -> ModelInfo:
        """Name, version, data and licence of the model; asks the service."""
        return _model_from_message(self._get_model().model)

    @property
    def threshold(self) -> float:
        """The familiarity below which a clip is unknown; asks the service."""
        return self._get_model().unknown_threshold

    @property
    def embedding_size(self) -> int:
        """Numbers in one clip's embedding; asks the service."""
        return self._get_model().embedding_size

    def classify(self, clip: Clip, top_k: int = DEFAULT_TOP_K, *, exact: bool = False) -> Prediction:
        """Name the most probable shows of a clip, as `Classifier.classify` does.

        Whether it may stop early is set there; exact asks for all frames.

        Raises:
            InvalidClip, InvalidArgument, ModelError: as the local method.
            ServiceError: the service gave no answer.
        """
        # A number that the message cannot hold asks for no more than the largest one that it can.
        top_k = min(max(top_k, INT32.start), INT32.stop - 1)
        request = pb.ClassifyRequest(top_k=top_k, exact=exact)
        write_clip(clip, request.clip)
        response = self._channel.call(self._stub.Classify, request)
        return Prediction(
            shows=tuple(ShowProbability(ranked.show, ranked.probability) for ranked in response.shows),
            verdict=_verdict_from_message(response),
            frames=tuple(
                FrameVote(vote.timestamp_ms, vote.show, vote.probability) for vote in response.frames
            ),
            model=_model_from_message(response.model),
            format=clip.source.format if clip.source else "",
        )

    def describe(self) -> tuple[ModelInfo, tuple[str, ...], float]:
        """The model, the shows it knows and its threshold, all asked for at once.

        Raises:
            ServiceError: the service gave no answer.
        """
        response = self._get_model()
        return _model_from_message(response.model), tuple(response.shows), response.unknown_threshold

    def check(self) -> None:
        """Return when the service says that it serves.

        Raises:
            ServiceError: it does not, or cannot be asked.
        """
        self._channel.check(SERVICE)

    def close(self) -> None:
        """End the connection."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _get_model(self) -> pb.GetModelResponse:
        return self._channel.call(self._stub.GetModel, pb.GetModelRequest())


def _model_to_message(model: ModelInfo) -> pb.Model:
    return pb.Model(
        name=model.name,
        version=model.version,
        training_data_sha256=model.training_data_sha256,
        licence=model.licence,
    )


def _model_from_message(message: pb.Model) -> ModelInfo:
    return ModelInfo(message.name, message.version, message.training_data_sha256, message.licence)


def _verdict_from_message(response: pb.ClassifyResponse) -> Verdict:
    level = response.verdict.level
    if level in get_args(Level):
        return Verdict(cast("Level", level), tuple(response.verdict.names))
    # A service that is older than verdicts says known or unknown.
    return Verdict("show", (response.shows[0].show,)) if response.known and response.shows else UNKNOWN
